"""`/billing connect`, and getting the billing permission for a waiting purchase."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from blocks import ids, titles
from blocks.connect import (
    already_connected_message,
    cancelled_message,
    link_message,
    superseded_message,
    used_message,
)
from blocks.loading import message_modal
from blocks.second_person import cut_message, let_in_message
from blocks.words import person
from bot.domain.delivery import ShownAt
from bot.domain.errors import NotInstalledError, StaleError
from bot.domain.grant import Enable, GoOn, LinkMessage, Resume
from bot.services.linking import LinkShown
from bot.slack.errors import SlackRefusedError
from handlers.waiting import waiting_screen

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.domain.grant import DeviceGrant, Purpose
    from bot.runtime import Runtime
    from bot.storage.links import Link
    from handlers.context import Context

log = structlog.get_logger(__name__)


async def handle_connect(context: Context) -> None:
    """Start connecting; if the person is already connected, offer the likely next steps."""
    link = await context.runtime.accounts.former_link(context.identity)
    if link is not None and not link.dead:
        await _show_connection(context, link)
        return
    await _begin(context, None)


async def _show_connection(context: Context, link: Link) -> None:
    if link.waits_since is None:
        await context.reply.message(already_connected_message(link.connection, context.runtime.clock.now()))
    else:
        await context.reply.message(await waiting_screen(context.runtime, link))


async def handle_connect_button(context: Context) -> None:
    """Start connecting in any case; afterwards the wanted command continues."""
    wanted = context.request.value
    await _begin(context, GoOn(wanted) if wanted else None)


async def handle_enable_billing(context: Context) -> None:
    """Start a grant with the billing permission for a waiting purchase."""
    await _begin(context, Resume(context.request.value))


async def handle_enable_for_command(context: Context) -> None:
    """Start a grant with the billing permission for a command that needs it."""
    await _begin(context, Enable(context.request.value))


async def handle_cancel(context: Context) -> None:
    """Cancel the pending grant; if it has ended already, show the current state."""
    cancelled = await context.runtime.linking.cancel(context.identity)
    for grant in cancelled:
        await replace_link(context.runtime, grant, cancelled_message())
    if cancelled and context.request.clicked_message is not None:
        return  # the link was in the clicked message, which now says so
    link = await context.runtime.accounts.former_link(context.identity)
    if not cancelled and link is not None and not link.dead:
        await _show_connection(context, link)
    else:
        await context.reply.message(cancelled_message())


async def handle_cut(context: Context) -> None:
    """End another person's connection to this person's portal account."""
    mine = await context.runtime.accounts.former_link(context.identity)
    is_done = await context.runtime.second_person.cut(context.identity, context.request.value)
    both = mine is not None and mine.waits_since is not None
    await context.reply.message(cut_message(is_done=is_done, both=both))


async def handle_let_in(context: Context) -> None:
    """Let a second person use this person's portal account."""
    is_done = await context.runtime.second_person.let_in(context.identity, context.request.value)
    await context.reply.message(let_in_message(is_done=is_done))


_DEAD_LINKS = {
    LinkShown.USED: used_message,
    LinkShown.SUPERSEDED: superseded_message,
    LinkShown.CANCELLED: cancelled_message,
}


async def _begin(context: Context, purpose: Purpose | None) -> None:
    """Show the link, then start asking whether it was approved."""
    reply, linking = context.reply, context.runtime.linking
    if context.request.response_url is None:
        await reply.open_modal(titles.CONNECT)
    async with reply.patience():
        shown_at = ShownAt(response_url=context.request.own_response_url, view_id=reply.view_id)
        grant, superseded = await linking.begin(context.identity, shown_at=shown_at, purpose=purpose)
    # Before the new link is shown: after a second click in the same place, the new link must stay visible.
    for other in superseded:
        if other.codes is not None and (other.codes.shown_at.view_id or "") != reply.view_id:
            with contextlib.suppress(Exception):  # the new link matters more
                await replace_link(context.runtime, other, superseded_message())
    message = await _show(context, grant)
    instead = _DEAD_LINKS.get(await linking.shown(grant, message))
    if instead is not None and message is not None and grant.codes is not None:
        # The link died before its address was stored, so it could not be replaced then.
        placed = replace(grant, codes=replace(grant.codes, message=message))
        await replace_link(context.runtime, placed, instead())


async def _show(context: Context, grant: DeviceGrant) -> LinkMessage | None:
    """Show the link; return its message's address if it is in a thread.

    After a click in a permanent message (a purchase's own), the link is posted in its thread. An ephemeral
    answer there could not lose its buttons once the link is used.
    """
    codes = grant.codes
    if codes is None:
        raise StaleError
    profile = await context.runtime.workspaces.profile(grant.identity)
    who = person(profile.name, profile.workspace)
    link = link_message(codes.url, codes.user_code, grant.expires_at, who=who)
    thread = context.request.clicked_message
    if thread is None:
        await context.reply.message(link)
        return None
    answer = await context.reply.slack.chat_postMessage(
        channel=thread.channel, thread_ts=thread.ts, unfurl_links=False, unfurl_media=False, **link.json
    )
    return LinkMessage(channel=str(answer["channel"]), ts=str(answer["ts"]))


async def replace_link(runtime: Runtime, grant: DeviceGrant, message: Message) -> None:
    """Replace a dead link wherever it is shown; skip what can no longer be replaced."""
    if grant.codes is None:
        return
    stands = grant.codes.message
    try:
        if stands is not None:
            slack = await runtime.workspaces.slack_of(grant.identity)
            await slack.chat_update(channel=stands.channel, ts=stands.ts, **message.json)
            return
        modal = message_modal(titles.CONNECT, message)
        await runtime.deliverer.replace(grant.identity, grant.codes.shown_at, message.json, modal)
    except (NotInstalledError, SlackRefusedError) as error:
        log.info("connect.place_gone", problem=str(error))


ACTIONS = {
    ids.CONNECT: handle_connect_button,
    ids.ENABLE_BILLING: handle_enable_billing,
    ids.ENABLE_FOR_COMMAND: handle_enable_for_command,
    ids.CANCEL_CONNECT: handle_cancel,
    ids.CUT_CONNECTION: handle_cut,
    ids.LET_IN: handle_let_in,
    ids.SHOW_WAITING: handle_connect,
}

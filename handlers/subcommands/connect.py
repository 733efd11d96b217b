"""`/billing connect`, and enabling billing for a purchase that waits for it."""

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
from bot.domain.delivery import ShownAt
from bot.domain.errors import NotInstalledError, StaleError
from bot.domain.grant import Enable, GoOn, LinkMessage, Resume
from bot.services.linking import LinkShown
from bot.slack.errors import SlackRefusedError

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.domain.grant import DeviceGrant, Purpose
    from bot.runtime import Runtime
    from handlers.context import Context

log = structlog.get_logger(__name__)


async def handle_connect(context: Context) -> None:
    """Begin, unless the person is connected already: then offer what they may have meant."""
    link = await context.runtime.accounts.former_link(context.identity)
    if link is not None and not link.dead:
        await context.reply.message(already_connected_message(link.connection, context.runtime.clock.now()))
        return
    await _begin(context, None)


async def handle_connect_button(context: Context) -> None:
    """Begin, whatever was before; afterwards what was wanted goes on."""
    wanted = context.request.value
    await _begin(context, GoOn(wanted) if wanted else None)


async def handle_enable_billing(context: Context) -> None:
    """Begin a grant with the billing permission for a purchase that waits for it."""
    await _begin(context, Resume(context.request.value))


async def handle_enable_for_command(context: Context) -> None:
    """Begin a grant with the billing permission for a command that needs it."""
    await _begin(context, Enable(context.request.value))


async def handle_cancel(context: Context) -> None:
    """Drop the grant in progress; when it has ended already, say what is true now."""
    cancelled = await context.runtime.linking.cancel(context.identity)
    for grant in cancelled:
        await replace_link(context.runtime, grant, cancelled_message())
    if cancelled and context.request.clicked_message is not None:
        return  # the link stood in the message that was clicked in, which says so now
    link = await context.runtime.accounts.former_link(context.identity)
    if not cancelled and link is not None and not link.dead:
        await context.reply.message(already_connected_message(link.connection, context.runtime.clock.now()))
    else:
        await context.reply.message(cancelled_message())


_DEAD_LINKS = {
    LinkShown.USED: used_message,
    LinkShown.SUPERSEDED: superseded_message,
    LinkShown.CANCELLED: cancelled_message,
}


async def _begin(context: Context, purpose: Purpose | None) -> None:
    """Show the link first, then start asking whether it was approved."""
    reply, linking = context.reply, context.runtime.linking
    if context.request.response_url is None:
        await reply.open_modal(titles.CONNECT)
    async with reply.patience():
        shown_at = ShownAt(response_url=context.request.own_response_url, view_id=reply.view_id)
        grant, superseded = await linking.begin(context.identity, shown_at=shown_at, purpose=purpose)
    # Before the new link is shown: a second click in the same place must leave the link standing there.
    for other in superseded:
        if other.codes is not None and (other.codes.shown_at.view_id or "") != reply.view_id:
            with contextlib.suppress(Exception):  # the new link matters more
                await replace_link(context.runtime, other, superseded_message())
    message = await _show(context, grant)
    instead = _DEAD_LINKS.get(await linking.shown(grant, message))
    if instead is not None and message is not None and grant.codes is not None:
        # It died before its place was known, so that whoever ended it could not say so there.
        placed = replace(grant, codes=replace(grant.codes, message=message))
        await replace_link(context.runtime, placed, instead())


async def _show(context: Context, grant: DeviceGrant) -> LinkMessage | None:
    """Show the link; returns where it stands, where that was not known before.

    Beside a message that stays, a purchase's own, it is a message in its thread: an answer that only the
    person sees could not lose its buttons once the link is used.
    """
    codes = grant.codes
    if codes is None:
        raise StaleError
    link = link_message(codes.url, codes.user_code, grant.expires_at)
    thread = context.request.clicked_message
    if thread is None:
        await context.reply.message(link)
        return None
    answer = await context.reply.slack.chat_postMessage(
        channel=thread.channel, thread_ts=thread.ts, unfurl_links=False, unfurl_media=False, **link.json
    )
    return LinkMessage(channel=str(answer["channel"]), ts=str(answer["ts"]))


async def replace_link(runtime: Runtime, grant: DeviceGrant, message: Message) -> None:
    """Say at once, where a grant's link is shown, that it is dead; what cannot be replaced is left."""
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
}

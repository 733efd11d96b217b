"""`/billing connect`, and enabling billing for a purchase that waits for it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import (
    already_connected_message,
    cancelled_message,
    link_message,
    superseded_message,
    used_message,
)
from bot.domain.grant import ENABLE, GO_ON, RESUME
from bot.services.linking import LinkShown
from handlers.link_place import replace_link

if TYPE_CHECKING:
    from blocks.kit import Message
    from handlers.call import Call


async def handle_connect(call: Call) -> None:
    """Begin, unless the person is connected already: then offer what they may have meant."""
    link = await call.runtime.accounts.former_link(call.identity)
    if link is not None and not link.dead:
        await call.reply(already_connected_message(link.connection, call.runtime.clock.now()))
        return
    await _begin(call, wanted=None)


async def handle_connect_button(call: Call) -> None:
    """Begin, whatever was before; afterwards what was wanted goes on."""
    wanted = call.action.get("value")
    await _begin(call, wanted=f"{GO_ON} {wanted}" if wanted else None)


async def handle_enable_billing(call: Call) -> None:
    """Begin a grant with the billing permission for a purchase that waits for it."""
    await _begin(call, wanted=f"{RESUME} {call.action.get('value') or ''}")


async def handle_enable_for_command(call: Call) -> None:
    """Begin a grant with the billing permission for a command that needs it."""
    await _begin(call, wanted=f"{ENABLE} {call.action.get('value') or ''}".strip())


async def handle_cancel(call: Call) -> None:
    """Drop the grant in progress; when it has ended already, say what is true now."""
    cancelled = await call.runtime.linking.cancel(call.identity)
    for grant in cancelled:
        await replace_link(call.runtime, grant, cancelled_message())
    if cancelled and call.clicked_message is not None:
        return  # the link stood in the message that was clicked in, which says so now
    link = await call.runtime.accounts.former_link(call.identity)
    if not cancelled and link is not None and not link.dead:
        await call.reply(already_connected_message(link.connection, call.runtime.clock.now()))
    else:
        await call.reply(cancelled_message())


_DEAD_LINKS = {
    LinkShown.USED: used_message,
    LinkShown.SUPERSEDED: superseded_message,
    LinkShown.CANCELLED: cancelled_message,
}


async def _begin(call: Call, *, wanted: str | None) -> None:
    """Show the link first, then start asking whether it was approved."""
    linking = call.runtime.linking
    if call.response_url is None:
        await call.open_loading("Connect")
    async with call.patience():
        grant, superseded = await linking.begin(
            call.identity,
            response_url=call.own_response_url,
            view_id=call.view_id,
            wanted=wanted,
        )
    # Before the new link is shown: a second click in the same place must leave the link standing there.
    for other in superseded:
        if other.codes.get("view_id") != call.view_id or call.view_id is None:
            with contextlib.suppress(Exception):  # the new link matters more
                await replace_link(call.runtime, other, superseded_message())
    link = link_message(grant.codes["url"], grant.codes["user_code"], grant.expires_at)
    place = await _show(call, link)
    instead = _DEAD_LINKS.get(await linking.shown(grant, place))
    if instead is not None and place is not None:
        # It died before its place was known, so that whoever ended it could not say so there.
        await replace_link(call.runtime, replace(grant, codes={**grant.codes, **place}), instead())


async def _show(call: Call, link: Message) -> dict[str, str] | None:
    """Show the link; returns where it stands, where that was not known before.

    Beside a message that stays, a purchase's own, it is a message in its thread: an answer that only the
    person sees could not lose its buttons once the link is used.
    """
    thread = call.clicked_message
    if thread is None:
        await call.reply(link)
        return None
    answer = await call.slack.chat_postMessage(
        channel=thread.channel, thread_ts=thread.ts, unfurl_links=False, unfurl_media=False, **link.json
    )
    return {"channel": str(answer["channel"]), "ts": str(answer["ts"])}


ACTIONS = {
    ids.CONNECT: handle_connect_button,
    ids.ENABLE_BILLING: handle_enable_billing,
    ids.ENABLE_FOR_COMMAND: handle_enable_for_command,
    ids.CANCEL_CONNECT: handle_cancel,
}

"""Posts that are there once, although Slack has no idempotency key for posting.

Three things stand in for one. The row says since its claim that a post may leave; the message carries the
charge's id as metadata, so that before a second try the app looks for the first; and a process that was
paused with a post on its way, and finds its work taken over, takes back what the other has posted too.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from slack_sdk.errors import SlackApiError

from blocks import ids
from bot.domain.errors import StoreUnavailableError
from bot.engine import LeaseLostError
from bot.slack import AWAY, SLACK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from blocks.kit import Message
    from bot.domain.charge import Charge
    from bot.engine import Lease
    from bot.runtime import Runtime
    from bot.services.outbox import Telling
    from bot.slack import SlackClient

LOOK_BACK = 200
OTHER_SECONDS = 30
LOOK_EVERY_SECONDS = 0.5
OUTAGES = (*AWAY, StoreUnavailableError)

log = structlog.get_logger(__name__)


def charge_metadata(charge: Charge) -> dict[str, Any]:
    """Return what a charge's message is known by."""
    return {"event_type": ids.CHARGE_EVENT, "event_payload": {"charge": charge.id}}


def _reply_metadata(charge: Charge) -> dict[str, Any]:
    payload = {"charge": charge.id, "state": charge.state.value}
    return {"event_type": ids.REPLY_EVENT, "event_payload": payload}


async def post_message(
    runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling, message: Message, *, digest: str
) -> None:
    """Post a charge's message, unless it is there; record where, and `digest` if it says `message`."""
    channel = await runtime.direct_messages.channel(slack, telling.charge.identity.user)
    found = await _find_message(slack, telling, channel) if telling.maybe_posted else None
    if found is not None:
        await runtime.outbox.posted(lease, telling, channel=channel, ts=found, shown=None)
        return
    metadata = charge_metadata(telling.charge)
    ts = await _post(slack, lease, channel=channel, metadata=metadata, **message.json)
    try:
        await runtime.outbox.posted(lease, telling, channel=channel, ts=ts, shown=digest)
    except LeaseLostError:
        await _take_back(runtime, slack, channel, ts, lambda: _posted_by_another(runtime, lease.id))
        raise


async def post_reply(
    runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling, message: Message
) -> None:
    """Post the thread reply of a charge's state, unless it is there."""
    charge, channel = telling.charge, str(telling.message.channel)
    if not (telling.maybe_replied and await _find_reply(slack, telling)):
        await runtime.outbox.about_to_reply(lease, charge.state)
        thread = str(telling.message.ts)
        metadata = _reply_metadata(charge)
        ts = await _post(slack, lease, channel=channel, thread_ts=thread, metadata=metadata, **message.json)
        try:
            await runtime.outbox.replied(lease, charge.state)
        except LeaseLostError:
            await _take_back(
                runtime, slack, channel, ts, lambda: _replied_by_another(runtime, slack, telling)
            )
            raise
        return
    await runtime.outbox.replied(lease, charge.state)


async def _post(slack: SlackClient, lease: Lease, **arguments: Any) -> str:  # noqa: ANN401 - as slack-sdk has it
    await lease.ensure(SLACK_TIMEOUT_SECONDS)
    answer = await slack.chat_postMessage(unfurl_links=False, unfurl_media=False, **arguments)
    return str(answer["ts"])


async def _find_message(slack: SlackClient, telling: Telling, channel: str) -> str | None:
    """Return the ts of a post whose answer was lost."""
    # Not since the confirmation: a resumed purchase was confirmed again, after its message was posted.
    oldest = f"{(telling.charge.created_at - timedelta(minutes=5)).timestamp():.6f}"
    cursor: str | None = None
    while True:
        answer = await slack.conversations_history(
            channel=channel, oldest=oldest, limit=LOOK_BACK, include_all_metadata=True, cursor=cursor
        )
        for message in answer["messages"]:
            if _is(message, charge_metadata(telling.charge)):
                return str(message["ts"])
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return None


async def _find_reply(slack: SlackClient, telling: Telling) -> str | None:
    """Return the ts of the first thread reply of the charge's state."""
    answer = await slack.conversations_replies(
        channel=str(telling.message.channel),
        ts=str(telling.message.ts),
        limit=LOOK_BACK,
        include_all_metadata=True,
    )
    metadata = _reply_metadata(telling.charge)
    return next((str(each["ts"]) for each in answer["messages"] if _is(each, metadata)), None)


def _is(message: dict[str, Any], metadata: dict[str, Any]) -> bool:
    theirs: dict[str, Any] = message.get("metadata") or {}
    return all(theirs.get(name) == value for name, value in metadata.items())


async def _posted_by_another(runtime: Runtime, charge_id: str) -> str | None:
    message = await runtime.messages.get(charge_id)
    return message.ts if message else None


async def _replied_by_another(runtime: Runtime, slack: SlackClient, telling: Telling) -> str | None:
    message = await runtime.messages.get(telling.charge.id)
    if message is None or message.replied_state != telling.charge.state.value:
        return None
    return await _find_reply(slack, telling)


async def _take_back(
    runtime: Runtime,
    slack: SlackClient,
    channel: str,
    ts: str,
    others: Callable[[], Awaitable[str | None]],
) -> None:
    """Delete a post that came late, once another process is known to have made its own."""
    for _ in range(int(OTHER_SECONDS / LOOK_EVERY_SECONDS)):
        with suppress(*OUTAGES):
            other = await others()
            if other == ts or (other is not None and await _deleted(slack, channel, ts)):
                return
        await runtime.clock.sleep(LOOK_EVERY_SECONDS)
    log.error("posting.not_taken_back", channel=channel)


async def _deleted(slack: SlackClient, channel: str, ts: str) -> bool:
    """Delete a post; False when Slack says not now."""
    try:
        await slack.chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        if error.response.get("error") != "message_not_found":
            log.warning("posting.delete_refused", error=error.response.get("error"))
            return False
    log.warning("posting.taken_back", channel=channel)
    return True

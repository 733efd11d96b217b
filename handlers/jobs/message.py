"""A charge's one message: posted once, edited to the outcome, with a thread reply when that took long."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import simplejson
import structlog
from slack_sdk.errors import SlackApiError

from blocks.charge import charge_message, charge_modal, charge_reply
from bot.domain.charge import ChargeState
from bot.domain.errors import NotInstalledError
from bot.slack import AWAY, NOT_NOW, SLACK_TIMEOUT_SECONDS
from handlers.call import AFTER_ACK_SECONDS
from handlers.home import publish_home, refresh_overview
from handlers.jobs.posting import charge_metadata, post_message, post_reply

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.engine import Lease
    from bot.runtime import Runtime
    from bot.services.outbox import Telling
    from bot.slack import SlackClient

UNREACHABLE = frozenset(
    {
        "account_inactive",
        "cannot_dm_bot",
        "channel_not_found",
        "is_archived",
        "is_inactive",
        "messages_tab_disabled",
        "not_in_channel",
        "restricted_action",
        "token_revoked",
        "user_disabled",
        "user_not_found",
    }
)
"""Slack's ways to say that this person cannot be written to now."""

GONE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found", "thread_not_found"})
"""Slack's ways to say that the message cannot be edited or answered any more, e.g. deleted by an admin."""

LATER = timedelta(hours=1)
RATE_LIMIT_SECONDS = 5

log = structlog.get_logger(__name__)


async def advance_message(runtime: Runtime, lease: Lease) -> datetime | None:
    """Bring Slack to what the ledger says; return when to try again if Slack said not now.

    Where the app is no longer installed there is nobody to tell: an installation anew looks at it again.
    """
    telling = runtime.outbox.telling(lease)
    try:
        return await _advance(runtime, lease, telling)
    except Exception:
        if telling.shown is not None:
            # Paused before it left, that edit may come after another's: whoever is next says the truth.
            await runtime.outbox.shows_something(lease.id)
        raise


async def _advance(runtime: Runtime, lease: Lease, telling: Telling) -> datetime | None:
    due_at: datetime | None = None
    try:
        slack = await runtime.workspaces.slack_of(telling.charge.identity)
        try:
            await _tell(runtime, slack, lease, telling)
        except SlackApiError:
            # Slack takes no message to this person now; the open modal shows the outcome nonetheless.
            await _finish_modal(runtime, slack, lease, telling)
            await runtime.outbox.modal_finished(lease, telling)
            await _refresh_balances(runtime, telling)
            raise
        await _finish_modal(runtime, slack, lease, telling)
        await _refresh_balances(runtime, telling)
    except NotInstalledError:
        log.warning("message.not_installed", charge=lease.id)
    except SlackApiError as error:
        due_at = runtime.clock.now() + await _wait(runtime, telling, error)
        log.warning("message.later", charge=lease.id, error=error.response.get("error"))
    await runtime.outbox.finish(lease, telling, due_at)
    return due_at


async def _refresh_balances(runtime: Runtime, telling: Telling) -> None:
    """Bring App Home, and the overview from which the person bought, to the balance after the purchase."""
    charge = telling.charge
    if telling.has_outcome and telling.at_home:
        await publish_home(runtime, charge.identity)
    if charge.state is ChargeState.SETTLED and charge.ended_at is not None:
        await refresh_overview(runtime, charge.identity, since=charge.ended_at)


async def _tell(runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling) -> None:
    """Bring the message and its thread up to date; a message that is gone is posted anew."""
    await _post(runtime, slack, lease, telling)
    try:
        await _edit(runtime, slack, lease, telling)
        await _reply(runtime, slack, lease, telling)
    except SlackApiError as error:
        if error.response.get("error") not in GONE:
            raise
        log.warning("message.gone", charge=lease.id, error=error.response.get("error"))
        await runtime.outbox.gone(lease, telling)
        await _post(runtime, slack, lease, telling)


async def _post(runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling) -> None:
    if telling.message.ts is None:
        message = charge_message(telling.charge)
        await post_message(runtime, slack, lease, telling, message, digest=_digest(message))


async def _edit(runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling) -> None:
    message = charge_message(telling.charge)
    if lease.is_given_back or telling.message.shown == _digest(message):
        return
    await lease.ensure(SLACK_TIMEOUT_SECONDS)
    try:
        await slack.chat_update(
            channel=str(telling.message.channel),
            ts=str(telling.message.ts),
            metadata=charge_metadata(telling.charge),
            **message.json,
        )
    except AWAY:
        # It may come late, after another's: whoever is next says the truth.
        await runtime.outbox.shows_something(lease.id)
        raise
    telling.shown = _digest(message)


async def _finish_modal(runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling) -> None:
    """Give the open "Processing" modal its last word; the message has said it already."""
    charge = telling.charge
    if telling.message.view_id is None or not telling.has_outcome or charge.check_under_way:
        return
    # Slack may still be applying the acknowledgement that shows "Processing", and would overwrite this.
    confirmed_at = charge.confirmed_at or runtime.clock.now()
    age = (runtime.clock.now() - confirmed_at).total_seconds()
    await lease.sleep(min(AFTER_ACK_SECONDS, max(0.0, AFTER_ACK_SECONDS - age)))
    try:
        await slack.views_update(view_id=telling.message.view_id, view=charge_modal(charge))
    except SlackApiError as error:
        if error.response.get("error") in NOT_NOW:
            raise
        log.info("message.modal_gone", charge=lease.id, error=error.response.get("error"))
    telling.modal = telling.message.view_id


async def _reply(runtime: Runtime, slack: SlackClient, lease: Lease, telling: Telling) -> None:
    if telling.reply_due:
        await post_reply(runtime, slack, lease, telling, charge_reply(telling.charge))


def _digest(message: Message) -> str:
    return hashlib.sha256(simplejson.dumps(message.json, sort_keys=True).encode()).hexdigest()


async def _wait(runtime: Runtime, telling: Telling, error: SlackApiError) -> timedelta:
    """Return when to try again. Whatever else Slack says no for, an admin may have mended in an hour."""
    code = error.response.get("error")
    if code == "ratelimited" or error.response.status_code == 429:  # noqa: PLR2004 - Too Many Requests
        named = str(error.response.headers.get("Retry-After") or "")
        return timedelta(seconds=int(named) if named.isdigit() else RATE_LIMIT_SECONDS)
    if code in NOT_NOW:
        raise error
    if code == "user_disabled":
        await runtime.lifecycle.deactivated(telling.charge.identity)
    runtime.direct_messages.forget(telling.charge.identity.user)
    return LATER

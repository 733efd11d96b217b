"""A device grant advances; its outcome takes the place of the link that was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from slack_sdk.errors import SlackApiError

from blocks import connect
from blocks.errors import NO_ORGANIZATION, not_allowed_words
from blocks.overview import overview_message
from bot.domain.charge import ChargeState
from bot.domain.errors import BillingError, NotAllowedError, NotInstalledError
from bot.domain.grant import ENABLE, GO_ON, RESUME, GrantState
from handlers.home import refresh_home
from handlers.jobs.message import UNREACHABLE
from handlers.link_place import replace_link

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Message
    from bot.domain.charge import Charge
    from bot.domain.grant import DeviceGrant
    from bot.engine import Lease
    from bot.runtime import Runtime

log = structlog.get_logger(__name__)

_ENDS = {
    GrantState.DENIED: connect.DENIED,
    GrantState.EXPIRED: connect.EXPIRED,
    GrantState.FAILED: connect.FAILED,
    GrantState.MISMATCH: connect.MISMATCH,
    GrantState.NO_ORGANIZATION: NO_ORGANIZATION,
    GrantState.UNUSABLE: connect.UNUSABLE,
}


async def advance_device_grant(runtime: Runtime, lease: Lease) -> datetime | None:
    """Ask until the person has decided, then tell them what came of it."""
    grant, due_at = await runtime.linking.advance(lease)
    if grant is None or grant.told_at is not None:
        return None
    if due_at is not None:
        await _say_approved(runtime, lease, grant)
        return due_at
    await _tell(runtime, grant, await _outcome(runtime, grant))
    await runtime.linking.told(lease)
    if grant.state is GrantState.LINKED:
        await refresh_home(runtime, grant.identity)
    return None


async def _say_approved(runtime: Runtime, lease: Lease, grant: DeviceGrant) -> None:
    """Say once that the portal keeps an approved person waiting."""
    if not grant.codes.get("waiting"):
        await runtime.linking.waiting_shown(lease, grant)
        await replace_link(runtime, grant, connect.approved_message())


async def _outcome(runtime: Runtime, grant: DeviceGrant) -> Message:
    link = await runtime.accounts.former_link(grant.identity)
    if grant.state is not GrantState.LINKED or link is None:
        return connect.not_connected_message(why=_ENDS.get(grant.state, connect.FAILED))
    purpose, wanted = grant.purpose
    may_bill = link.connection.may_bill
    note = connect.connected_note(link.account, may_bill=may_bill, for_purchase=purpose == RESUME)
    charge = await runtime.purchases.waiting_for(grant)
    if charge is not None and charge.state is ChargeState.NEEDS_SCOPE and charge.permitted_at is not None:
        return await _permitted(runtime, grant, charge, note)
    if purpose == ENABLE and not may_bill:
        return connect.connected_message(note, enable=wanted)
    if purpose in {GO_ON, ENABLE} and wanted:
        return connect.connected_message(note, go_on=wanted)
    try:
        overview = await runtime.billing.overview(grant.identity)
        stopped = await runtime.permission.stopped(grant.identity)
    except BillingError:
        return connect.connected_message(note)
    return overview_message(overview, note=note, stopped=stopped)


async def _permitted(runtime: Runtime, grant: DeviceGrant, charge: Charge, note: str) -> Message:
    """Look at the organization again before saying that the purchase can go on (behavior 40)."""
    obstacle = None
    try:
        state = await runtime.billing.state(charge.identity)
        state.require_charging()
        state.require_payment_method()
    except NotAllowedError as error:
        obstacle = not_allowed_words(error)
    except BillingError:
        log.info("device_grant.state_unknown", charge=charge.id)
    return connect.permitted_message(
        note,
        charge,
        in_modal=bool(grant.codes.get("view_id")),
        in_thread=bool(grant.codes.get("ts")),
        obstacle=obstacle,
    )


async def _tell(runtime: Runtime, grant: DeviceGrant, message: Message) -> None:
    """Replace the link's message or modal; where that is gone, write to the person directly."""
    if await replace_link(runtime, grant, message):
        return
    try:
        slack = await runtime.workspaces.slack_of(grant.identity)
        await slack.chat_postMessage(
            channel=grant.identity.user,
            text=message.text,
            blocks=list(message.blocks),
            unfurl_links=False,
            unfurl_media=False,
        )
    except NotInstalledError:
        log.warning("device_grant.not_installed", grant=grant.id)
    except SlackApiError as error:
        if error.response.get("error") not in UNREACHABLE:
            raise
        log.warning("device_grant.unreachable", grant=grant.id, error=error.response.get("error"))

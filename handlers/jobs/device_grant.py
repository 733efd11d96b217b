"""The job of a device grant, and the content of the message that replaces the link."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from blocks import connect, titles
from blocks.errors import NO_ORGANIZATION, not_allowed_words
from blocks.loading import message_modal
from blocks.overview import overview_message
from bot.domain.charge import ChargeState
from bot.domain.delivery import Drawing
from bot.domain.errors import BillingError, NotAllowedError
from bot.domain.grant import Enable, GoOn, GrantState, Resume
from handlers.home import refresh_home
from handlers.waiting import waiting_screen

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Message
    from bot.domain.charge import Charge
    from bot.domain.delivery import Delivery
    from bot.domain.grant import DeviceGrant
    from bot.engine import Lease, Released
    from bot.runtime import Runtime

log = structlog.get_logger(__name__)

_ENDS = {
    GrantState.DENIED: connect.DENIED,
    GrantState.EXPIRED: connect.EXPIRED,
    GrantState.FAILED: connect.FAILED,
    GrantState.MISMATCH: connect.MISMATCH,
    GrantState.NO_ORGANIZATION: NO_ORGANIZATION,
    GrantState.UNUSABLE: connect.UNUSABLE,
    GrantState.OTHER_ORGANIZATION: connect.OTHER_ORGANIZATION,
    GrantState.TAKEN: connect.TAKEN,
    GrantState.OTHER_EMAIL: connect.OTHER_EMAIL,
}


async def advance_device_grant(runtime: Runtime, lease: Lease[DeviceGrant]) -> Released | datetime | None:
    """Advance a grant as far as possible."""
    return await runtime.linking.advance(lease)


async def draw_device_grant(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return the outcome of a grant, or the notice that the portal does not answer yet."""
    grant = await runtime.device_grants.get(delivery.subject_id)
    if grant is None or grant.state in {GrantState.PENDING, GrantState.SUPERSEDED}:
        return None
    if grant.state is GrantState.GRANTED:
        return _drawing(connect.approved_message(), posts_anew=False)
    drawing = _drawing(await _outcome(runtime, grant, delivery))
    if grant.state is GrantState.LINKED:
        return replace(drawing, after=partial(refresh_home, runtime, grant.identity))
    return drawing


def _drawing(message: Message, *, posts_anew: bool = True) -> Drawing:
    modal = message_modal(titles.CONNECT, message)
    return Drawing(message=message.json, modal=modal, posts_anew=posts_anew)


async def _outcome(runtime: Runtime, grant: DeviceGrant, delivery: Delivery) -> Message:
    link = await runtime.accounts.former_link(grant.identity)
    if grant.state is not GrantState.LINKED or link is None:
        return connect.not_connected_message(why=_ENDS.get(grant.state, connect.FAILED))
    if link.waits_since is not None:
        return await waiting_screen(runtime, link)
    may_bill = link.connection.may_bill
    for_purchase = isinstance(grant.purpose, Resume)
    note = connect.connected_note(link.account, may_bill=may_bill, for_purchase=for_purchase)
    charge = await runtime.purchases.waiting_for(grant)
    if charge is not None and charge.state is ChargeState.NEEDS_SCOPE and charge.permitted_at is not None:
        return await _permitted(runtime, delivery, charge, note)
    match grant.purpose:
        case Enable(command) if not may_bill:
            return connect.connected_message(note, enable=command)
        case Enable(command) | GoOn(command) if command:
            return connect.connected_message(note, go_on=command)
    return await _overview(runtime, grant, note)


async def _overview(runtime: Runtime, grant: DeviceGrant, note: str) -> Message:
    try:
        overview = await runtime.billing.overview(grant.identity)
        stopped = await runtime.permission.stopped(grant.identity)
    except BillingError:
        return connect.connected_message(note)
    return overview_message(overview, note=note, stopped=stopped)


async def _permitted(runtime: Runtime, delivery: Delivery, charge: Charge, note: str) -> Message:
    """Check the billing state again before saying that the purchase can continue (behavior 40)."""
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
        in_modal=delivery.place is not None and delivery.place.view_id is not None,
        in_thread=delivery.ts is not None,
        obstacle=obstacle,
    )

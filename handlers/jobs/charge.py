"""The job of a charge, and the content of its message."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from blocks.charge import charge_message, charge_modal, charge_reply
from blocks.purchase import processing_modal
from bot.domain.charge import ChargeState
from bot.domain.delivery import Drawing, Reply
from bot.domain.follow_up import FOLLOW_UP_LIFE
from bot.timing import AFTER_ACK_SECONDS
from handlers.home import publish_home, refresh_overview

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Json
    from bot.domain.charge import Charge
    from bot.domain.delivery import Delivery
    from bot.engine import Lease, Released
    from bot.runtime import Runtime

SIGNS_OF_LIFE_SECONDS = (10, 20, 30, 40, 50, 60, 80, 100, 120, 150, 180, 240)
"""When an open modal says how long a charge has been in progress, counted from the confirmation."""

USUAL = timedelta(seconds=SIGNS_OF_LIFE_SECONDS[0])
LONGEST = timedelta(minutes=10)
"""After that, what was unclear is being asked about again: no one watches it."""

LOOK_AGAIN = timedelta(minutes=2)
LOOK_AGAIN_LATER = timedelta(minutes=15)
"""How often to check a charge in progress, and one without a certain end for its day.

A process of the previous release that ends such a charge does not wake the delivery.
"""


async def advance_charge(runtime: Runtime, lease: Lease[Charge]) -> Released | datetime | None:
    """Advance a charge as far as possible."""
    return await runtime.charge_worker.advance(lease)


async def draw_charge(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what a charge shows now: the message, a reply for each outcome, and the open modal."""
    charge = await runtime.charges.get(delivery.subject_id)
    if charge is None:
        return None
    now = runtime.clock.now()
    if not charge.has_news:
        return _under_way(charge, delivery, now)
    wait = charge.must_wait(now)
    return Drawing(
        message=charge_message(charge, now).json,
        reply=_reply(charge, delivery),
        modal=None if charge.check_under_way else await _modal(runtime, charge, delivery, now),
        modal_at=charge.confirmed_at and charge.confirmed_at + timedelta(seconds=AFTER_ACK_SECONDS),
        modal_ends=wait is None,
        look_again=wait or _look_again(charge, now),
        after=partial(_show_new_balance, runtime, charge),
    )


async def _modal(runtime: Runtime, charge: Charge, delivery: Delivery, now: datetime) -> Json:
    """Return the outcome as the open modal shows it; after a request was paid, with the next that waits."""
    following = None
    if charge.request_id is not None and charge.is_terminal and delivery.view_id is not None:
        following = await runtime.requests.next_waiting(charge.identity, but=charge.request_id)
    return charge_modal(charge, now, following=None if following is None else following.id)


def _under_way(charge: Charge, delivery: Delivery, now: datetime) -> Drawing:
    """Return what a charge in progress shows: after ten seconds, that it takes longer than usual."""
    waited = now - charge.expected_since
    is_slow = charge.confirmed_at is not None and USUAL <= waited < LONGEST
    steps = (timedelta(seconds=each) for each in SIGNS_OF_LIFE_SECONDS)
    following = next((each for each in steps if each > waited), None)
    has_more_to_show = not is_slow or delivery.view_id is not None
    return Drawing(
        message=charge_message(charge, now, is_slow=is_slow).json,
        modal=processing_modal(charge, waited=int(waited.total_seconds())) if is_slow else None,
        modal_ends=False,
        look_again=following - waited if following is not None and has_more_to_show else LOOK_AGAIN,
    )


def _look_again(charge: Charge, now: datetime) -> timedelta | None:
    is_over = now >= charge.expected_since + FOLLOW_UP_LIFE + LOOK_AGAIN_LATER
    return None if charge.is_terminal or is_over else LOOK_AGAIN_LATER


def _reply(charge: Charge, delivery: Delivery) -> Reply | None:
    """Return the reply for an outcome. A quick settlement has none: Slack has just notified the person."""
    if charge.settled_quickly and delivery.replied_key is None:
        return None
    return Reply(key=charge.state.value, message=charge_reply(charge).json)


async def _show_new_balance(runtime: Runtime, charge: Charge) -> None:
    """Bring App Home, and the overview from which the person bought, to the balance after the purchase."""
    if await runtime.app_home_viewers.has_app_home(charge.identity):
        await publish_home(runtime, charge.identity)
    if charge.state is ChargeState.SETTLED and charge.ended_at is not None:
        await refresh_overview(runtime, charge.identity, since=charge.ended_at)

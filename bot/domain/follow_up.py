"""How long a charge waits, and when one without a certain end is asked about again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.charge import ChargeState

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.charge import Charge

PROPOSAL_LIFE = timedelta(minutes=15)
"""How long a confirmation can be given."""

SETUP_LIFE = timedelta(days=1)
"""How long a confirmed charge waits for the billing permission."""

FOLLOW_UP_LIFE = timedelta(days=1)
"""How long a charge without a certain end is asked about."""

ASK_EVERY = (
    (timedelta(minutes=10), timedelta(seconds=30)),
    (timedelta(hours=1), timedelta(minutes=2)),
    (timedelta(hours=4), timedelta(minutes=10)),
    (FOLLOW_UP_LIFE, timedelta(hours=1)),
)
"""Up to which age since the confirmation, how often an open charge is asked about."""

RESEND_EVERY = (
    (timedelta(minutes=10), timedelta(minutes=3)),
    (timedelta(hours=1), timedelta(minutes=15)),
    (FOLLOW_UP_LIFE, timedelta(hours=1)),
)
"""The same where only sending it again can tell: the portal takes five charges an hour."""


def waits_until(charge: Charge) -> datetime:
    """Return until when a charge waits for the person: for the confirmation, or for the permission."""
    if charge.state is ChargeState.PROPOSED:
        return charge.created_at + PROPOSAL_LIFE
    return charge.expected_since + SETUP_LIFE


def can_be_asked_about(charge: Charge, now: datetime) -> bool:
    """Tell whether the portal can still say how it ended.

    Without the portal's id that takes the same request with the same key. It may make the charge, so it
    ends with the day in which the person can expect that.
    """
    return charge.portal_charge_id is not None or now < charge.expected_since + FOLLOW_UP_LIFE


def next_follow_up(charge: Charge, now: datetime) -> datetime | None:
    """Return when an open charge is asked about next: ever more slowly, for a day."""
    age = now - charge.expected_since
    for until, every in ASK_EVERY if charge.portal_charge_id else RESEND_EVERY:
        if age < until:
            return max(now + every, charge.retry_at or now)
    return None

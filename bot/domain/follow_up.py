"""How long a charge waits, and when the app asks again about one without a certain outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.charge import ChargeState

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.charge import Charge

PROPOSAL_LIFE = timedelta(minutes=15)
"""How long a proposed charge can be confirmed."""

SETUP_LIFE = timedelta(days=1)
"""How long a confirmed charge waits for the billing permission."""

CONFIRMATION_LIFE = timedelta(days=1)
"""How long a confirmation counts: after that no request for money is sent, neither first nor again."""

FOLLOW_UP_LIFE = CONFIRMATION_LIFE
"""How long the app asks about a charge without a certain outcome."""

ASK_EVERY = (
    (timedelta(minutes=10), timedelta(seconds=30)),
    (timedelta(hours=1), timedelta(minutes=2)),
    (timedelta(hours=4), timedelta(minutes=10)),
    (FOLLOW_UP_LIFE, timedelta(hours=1)),
)
"""How often to ask about an open charge, for each age since its confirmation."""

RESEND_EVERY = (
    (timedelta(minutes=10), timedelta(minutes=3)),
    (timedelta(hours=1), timedelta(minutes=15)),
    (FOLLOW_UP_LIFE, timedelta(hours=1)),
)
"""The same for charges that must be sent again to learn more; the portal allows five charges an hour."""


def waits_until(charge: Charge) -> datetime:
    """Return until when a charge waits for its confirmation or for the billing permission (UTC)."""
    if charge.state is ChargeState.PROPOSED:
        return charge.created_at + PROPOSAL_LIFE
    return charge.expected_since + SETUP_LIFE


def may_be_sent(charge: Charge, now: datetime) -> bool:
    """Tell whether the confirmation is young enough for a request for money."""
    return now < charge.expected_since + CONFIRMATION_LIFE


def may_be_sent_again_at(charge: Charge, now: datetime) -> datetime:
    """Return when an unanswered request may be sent again (UTC); the portal allows five an hour."""
    age = now - charge.expected_since
    every = next((every for until, every in RESEND_EVERY if age < until), FOLLOW_UP_LIFE)
    since = charge.last_post_at or charge.expected_since
    return max(since + every, charge.retry_at or since)


def can_be_asked_about(charge: Charge, now: datetime) -> bool:
    """Tell whether the app may still ask the portal about the outcome.

    Without the portal's id, asking means sending the same request with the same key. That may make the
    charge, so it is allowed only for a day, while the person can still expect the charge.
    """
    return charge.portal_charge_id is not None or may_be_sent(charge, now)


def next_follow_up(charge: Charge, now: datetime) -> datetime | None:
    """Return when to ask about an open charge next (UTC), with growing intervals; None after a day."""
    age = now - charge.expected_since
    for until, every in ASK_EVERY if charge.portal_charge_id else RESEND_EVERY:
        if age < until:
            return max(now + every, charge.retry_at or now)
    return None

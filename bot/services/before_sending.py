"""What keeps a request for money from being sent, and a refusal as it is stored."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.charge import Refusal
from bot.domain.errors import WAIT, PortalRefusalError, RefusalCode, StoreUnavailableError
from bot.domain.follow_up import may_be_sent
from bot.domain.money import CENT
from bot.domain.rules import Rule
from bot.domain.subscription import Effect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bot.domain.charge import Charge
    from bot.domain.rules import RuleError
    from bot.domain.subscription import Preview
    from bot.metrics import Metrics

log = structlog.get_logger(__name__)


class DatabaseAwayError(Exception):
    """Our database did not answer before a request left, or after the portal refused its token."""


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Tell a missing database from an unclear answer: the request in the block has charged nothing.

    Raises:
        DatabaseAwayError: the database did not answer.
    """
    try:
        yield
    except StoreUnavailableError as error:
        raise DatabaseAwayError from error


def forbidden(error: RuleError) -> PortalRefusalError:
    """Return the refusal of a charge that an operator's rule forbids by now."""
    if error.rule in {Rule.LOCKED, Rule.READ_ONLY}:
        by = f"{error.lock.locked_by.user} {error.lock.reason or ''}" if error.lock is not None else None
        return PortalRefusalError(RefusalCode.SPENDING_STOPPED, message=by)
    return PortalRefusalError(RefusalCode.RULE_FORBIDS)


def require_confirmed(charge: Charge, is_agreed: bool, metrics: Metrics, now: datetime) -> None:
    """Check that a row is what the person has confirmed, and that the confirmation still counts.

    Raises:
        PortalRefusalError: NOT_VERIFIED, or NOT_SENT_IN_TIME.
    """
    if not is_agreed:
        metrics.unverified.inc()
        log.error("charge.not_verified", charge=charge.id)
        raise PortalRefusalError(RefusalCode.NOT_VERIFIED, portal_url=charge.portal_url)
    if not may_be_sent(charge, now):
        raise PortalRefusalError(RefusalCode.NOT_SENT_IN_TIME)


def require_same_price(charge: Charge, preview: Preview) -> None:
    """Check that the portal still wants the confirmed amount for a plan.

    Raises:
        PortalRefusalError: ALREADY_ON_TIER, or PRICE_CHANGED with the new amount, if there is one.
    """
    if preview.effect is Effect.NO_OP:
        raise PortalRefusalError(RefusalCode.ALREADY_ON_TIER, portal_url=charge.portal_url)
    due_now = preview.due_now
    if preview.effect is not Effect.CHARGE_NOW or due_now is None:
        raise PortalRefusalError(RefusalCode.PRICE_CHANGED, portal_url=charge.portal_url)
    if due_now.quantize(CENT) != charge.amount:
        price = format(due_now.quantize(CENT), "f")
        raise PortalRefusalError(RefusalCode.PRICE_CHANGED, message=price, portal_url=charge.portal_url)


def refusal_of(error: PortalRefusalError, now: datetime) -> Refusal:
    """Return a refusal as it is stored with a charge."""
    waits = error.code in WAIT and error.retry_after is not None
    return Refusal(
        code=error.code,
        detail=error.detail,
        retry_at=now + timedelta(seconds=error.retry_after or 0) if waits else None,
        portal_url=error.portal_url,
    )

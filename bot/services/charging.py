"""A confirmed charge by itself: sent once, polled, followed up, to its end. The engine calls `advance`."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot.domain.billing import ChargeStatusKind
from bot.domain.charge import OPEN, Charge, ChargeKind, ChargeState, FailureReason
from bot.domain.errors import (
    ACCESS_LOST,
    WAIT,
    AmbiguousAnswerError,
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
)
from bot.domain.subscription import UpgradeStatus
from bot.portal.transport import TIMEOUT_SECONDS
from bot.services.purchases import FOLLOW_UP_LIFE, PROPOSAL_LIFE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bot.domain.billing import ChargeStatus
    from bot.domain.clock import Clock
    from bot.domain.subscription import UpgradeResult
    from bot.engine import Lease
    from bot.portal.client import PortalClient
    from bot.services.accounts import Accounts
    from bot.services.permission import Permission
    from bot.storage.charges import ChargeStore

SETUP_LIFE = timedelta(days=1)
AMBIGUITY_WINDOW = timedelta(minutes=1)
BUSY_SECONDS = 5
BUSY_CAP_SECONDS = 30
AWAY_CAP_SECONDS = 15
RETRY_CAP_SECONDS = 10
MARGIN_SECONDS = 0.5

FOLLOW_UP_EVERY = (
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

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PollRules:
    """How a submitted charge is polled."""

    interval_seconds: float
    cap_seconds: float


class Charging:
    """How charges advance."""

    def __init__(
        self,
        charges: ChargeStore,
        accounts: Accounts,
        permission: Permission,
        clock: Clock,
        rules: PollRules,
    ) -> None:
        self._charges = charges
        self._accounts = accounts
        self._permission = permission
        self._clock = clock
        self._rules = rules

    async def advance(self, lease: Lease) -> datetime | None:
        """Take a charge as far as it goes from whatever state it is in; return when it is due next."""
        try:
            return await self._advance(lease)
        finally:
            with suppress(Exception):  # the counts are not worth the run's own outcome
                await self._charges.store_counts(lease)

    async def _advance(self, lease: Lease) -> datetime | None:
        charge: Charge | None = lease.claim.found()
        found = charge.state if charge else None
        while charge is not None:
            match charge.state:
                case ChargeState.PROPOSED | ChargeState.NEEDS_SCOPE:
                    waits_until = _waits_until(charge)
                    if self._clock.now() < waits_until:
                        return waits_until
                    charge = await self._end(lease, charge, ChargeState.EXPIRED)
                case ChargeState.CONFIRMED:
                    charge = await self._submit(lease, charge)
                case ChargeState.SUBMITTED:
                    charge = await self._poll(lease, charge)
                case ChargeState.OVERDUE | ChargeState.UNCONFIRMED:
                    if charge.state is not found:
                        return next_follow_up(charge, self._clock.now())
                    charge, due_at = await self._follow_up(lease, charge)
                    if charge.state in OPEN:
                        return due_at
                case _:
                    return None
        return None

    async def _submit(self, lease: Lease, charge: Charge) -> Charge:
        """Send the charge until something certain is known, a minute at most; always the same key."""
        maybe_sent = charge.ambiguous_since is not None or lease.claim.attempts > 1
        started = charge.ambiguous_since or self._clock.now()
        wait = 1.0
        while True:
            try:
                return await self._send(lease, charge)
            except PortalRefusalError as error:
                return await self._refused(lease, charge, error, maybe_sent=maybe_sent, sent_at=started)
            except (NotLinkedError, RelinkRequiredError):
                gone = PortalRefusalError(RefusalCode.UNAUTHORIZED)
                return await self._refused(lease, charge, gone, maybe_sent=maybe_sent)
            except AmbiguousAnswerError as error:
                log.warning("charge.ambiguous", charge=charge.id, answer=str(error))
                if not maybe_sent:
                    maybe_sent = True
                    await self._charges.note(lease, ambiguous_since=started)
                if error.same_again:
                    return await self._given_up(lease, charge, maybe_sent=True)
            except PortalUnavailableError as error:
                # The token could not be had, so this request never left.
                log.warning("charge.no_token", charge=charge.id, answer=str(error))
                wait = max(wait, min(error.retry_after or 0, BUSY_CAP_SECONDS))
            if self._clock.now() >= started + AMBIGUITY_WINDOW:
                return await self._given_up(lease, charge, maybe_sent=maybe_sent)
            await lease.sleep(random.uniform(wait / 2, wait))  # noqa: S311 - spreads load
            wait = min(wait * 2, RETRY_CAP_SECONDS)

    async def _send(self, lease: Lease, charge: Charge) -> Charge:
        """Ask the portal for the money once; return the charge as the answer leaves it."""
        portal = await self._portal_of(charge, partial(self._before_money, lease, charge))
        if charge.kind is ChargeKind.UPGRADE:
            tier = charge.tier_id or ""
            result = await portal.upgrade_plan(tier, idempotency_key=charge.idempotency_key)
            return await self._upgraded(lease, charge, result)
        accepted = await portal.charge(charge.amount, idempotency_key=charge.idempotency_key)
        return await self._accepted(lease, charge, accepted)

    async def _before_money(self, lease: Lease, charge: Charge) -> None:
        """Let a request for money leave: nobody has stopped spending, and the lease outlasts it.

        Asked when the token is at hand, and again after a 401: a refresh takes its own time.
        """
        if await self._permission.stopped(charge.identity) is not None:
            raise PortalRefusalError(RefusalCode.SPENDING_STOPPED)
        await lease.ensure(TIMEOUT_SECONDS + MARGIN_SECONDS)
        log.info("charge.post", charge=charge.id, kind=charge.kind.value, amount=str(charge.amount))
        self._charges.count_post(lease)

    async def _upgraded(self, lease: Lease, charge: Charge, result: UpgradeResult) -> Charge:
        match result.status:
            case UpgradeStatus.UPGRADED | UpgradeStatus.ALREADY_ON_TIER:
                return await self._end(lease, charge, ChargeState.SETTLED)
            case UpgradeStatus.REQUIRES_ACTION:
                failure = FailureReason.AUTHENTICATION_REQUIRED
            case UpgradeStatus.PAYMENT_FAILED:
                failure = FailureReason.from_wire(result.reason)
        url = result.recovery_url or charge.portal_url
        return await self._end(lease, charge, ChargeState.FAILED, failure=failure, portal_url=url)

    async def _portal_of(
        self,
        charge: Charge,
        before_money: Callable[[], Awaitable[None]] | None = None,
        *,
        recent: bool = False,
    ) -> PortalClient:
        """Return a client that acts for the very account and organisation the person confirmed for."""
        account, portal = await self._accounts.portal(charge.identity, before_money, recent=recent)
        if not charge.is_of(account):
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED)
        return portal

    async def _accepted(self, lease: Lease, charge: Charge, portal_charge_id: str) -> Charge:
        now = self._clock.now()
        return await self._charges.move(
            lease,
            charge.state,
            ChargeState.SUBMITTED,
            portal_charge_id=portal_charge_id,
            refusal=None,
            refusal_detail=None,
            retry_at=None,
            submitted_at=now,
            deadline=now + timedelta(seconds=self._rules.cap_seconds),
        )

    async def _refused(
        self,
        lease: Lease,
        charge: Charge,
        error: PortalRefusalError,
        *,
        maybe_sent: bool,
        sent_at: datetime | None = None,
    ) -> Charge:
        """Record a "no". After a request that got no answer it proves nothing about that request."""
        if maybe_sent:
            return await self._unconfirmed(lease, charge, error)
        needs_scope = error.code is RefusalCode.INSUFFICIENT_SCOPE
        now = self._clock.now()
        permitted = needs_scope and sent_at is not None and await self._permitted_since(charge, sent_at)
        return await self._charges.move(
            lease,
            charge.state,
            ChargeState.NEEDS_SCOPE if needs_scope else ChargeState.REFUSED,
            refusal=error.code,
            refusal_detail=error.detail,
            permitted_at=now if permitted else None,
            retry_at=_retry_at(error, now),
            portal_url=error.portal_url or charge.portal_url,
            ended_at=None if needs_scope else now,
        )

    async def _permitted_since(self, charge: Charge, sent_at: datetime) -> bool:
        """Tell whether the permission came while the request was on its way."""
        link = await self._accounts.former_link(charge.identity)
        if link is None or link.dead or link.linked_at < sent_at:
            return False
        return link.connection.may_bill and charge.is_of(link.account)

    async def _given_up(self, lease: Lease, charge: Charge, *, maybe_sent: bool) -> Charge:
        error = PortalRefusalError(RefusalCode.TEMPORARILY_UNAVAILABLE)
        if maybe_sent:
            return await self._charges.move(lease, charge.state, ChargeState.UNCONFIRMED)
        return await self._refused(lease, charge, error, maybe_sent=False)

    async def _unconfirmed(self, lease: Lease, charge: Charge, error: PortalRefusalError) -> Charge:
        return await self._charges.move(
            lease,
            charge.state,
            ChargeState.UNCONFIRMED,
            refusal=error.code,
            retry_at=_retry_at(error, self._clock.now()),
        )

    async def _poll(self, lease: Lease, charge: Charge) -> Charge:
        """Ask until the charge has ended or the cap is reached."""
        deadline = charge.deadline or self._clock.now()
        # As wide as an interval: charges recovered together are asked about evenly, not in bursts.
        wait = random.uniform(0.5, 1.5) * self._rules.interval_seconds  # noqa: S311
        misses = 0
        while True:
            left = (deadline - self._clock.now()).total_seconds()
            await lease.sleep(max(0.0, min(wait, left)))
            asked_at = self._clock.now()
            try:
                ended = await self._ask_once(lease, charge)
            except PortalRefusalError as error:
                if error.code in ACCESS_LOST:
                    return await self._unconfirmed(lease, charge, error)
                wait = _busy_wait(error.retry_after)
            except (NotLinkedError, RelinkRequiredError):
                gone = PortalRefusalError(RefusalCode.UNAUTHORIZED)
                return await self._unconfirmed(lease, charge, gone)
            except PortalUnavailableError as error:
                misses += 1
                named = error.busy or error.retry_after is not None
                wait = _busy_wait(error.retry_after) if named else self._away_wait(misses)
            else:
                misses = 0
                took = (self._clock.now() - asked_at).total_seconds()
                # Never at once again: answers that take long are a reason to ask less.
                wait = max(self._rules.interval_seconds / 2, self._rules.interval_seconds - took)
                if ended is not None:
                    return ended
            if self._clock.now() >= deadline:
                return await self._charges.move(lease, charge.state, ChargeState.OVERDUE)

    def _away_wait(self, misses: int) -> float:
        """Return how long to leave a portal alone that gave no answer so many times in a row."""
        interval = self._rules.interval_seconds
        ceiling = max(interval, min(AWAY_CAP_SECONDS, interval * 2 ** min(misses - 1, 10)))
        return random.uniform(interval, ceiling)  # noqa: S311 - spreads load

    async def _ask_once(self, lease: Lease, charge: Charge) -> Charge | None:
        """Ask how a charge stands; return it when it has ended."""
        portal = await self._portal_of(charge, recent=True)
        self._charges.count_poll(lease)
        status = await portal.charge_status(charge.portal_charge_id or "")
        return await self._ended(lease, charge, status)

    async def _ended(self, lease: Lease, charge: Charge, status: ChargeStatus) -> Charge | None:
        match status.kind:
            case ChargeStatusKind.PENDING:
                return None
            case ChargeStatusKind.SETTLED:
                return await self._end(lease, charge, ChargeState.SETTLED, settled_amount=status.amount)
            case ChargeStatusKind.FAILED:
                reason = FailureReason.from_wire(status.reason)
                return await self._end(lease, charge, ChargeState.FAILED, failure=reason)

    async def _end(self, lease: Lease, charge: Charge, state: ChargeState, **facts: object) -> Charge:
        return await self._charges.move(lease, charge.state, state, ended_at=self._clock.now(), **facts)

    async def _follow_up(self, lease: Lease, charge: Charge) -> tuple[Charge, datetime | None]:
        """Ask once about a charge whose end is open; return it and when to ask next, ever later."""
        now = self._clock.now()
        refusal: RefusalCode | None = None
        wait: int | None = None
        try:
            known = await self._ask_or_send(lease, charge, now)
            if known is not None:
                return known, None
        except (NotLinkedError, RelinkRequiredError):
            refusal = RefusalCode.UNAUTHORIZED
        except PortalRefusalError as error:
            refusal = error.code if error.code in ACCESS_LOST else charge.refusal
            wait = error.retry_after
        except (PortalUnavailableError, AmbiguousAnswerError) as error:
            refusal = charge.refusal
            wait = getattr(error, "retry_after", None)
            log.info("charge.follow_up", charge=charge.id, problem=type(error).__name__)
        current = await self._brought_up_to_date(lease, charge, refusal)
        now = self._clock.now()
        due_at = next_follow_up(current, now)
        return current, due_at and max(due_at, now + timedelta(seconds=wait or 0))

    async def _ask_or_send(self, lease: Lease, charge: Charge, now: datetime) -> Charge | None:
        """Ask how the charge stands; without the portal's id, by the same request with the same key.

        That request may make the charge, so it ends with the day in which the person can expect that.
        """
        if charge.portal_charge_id is not None:
            return await self._ask_once(lease, charge)
        if now >= (charge.confirmed_at or charge.created_at) + FOLLOW_UP_LIFE:
            return None
        return await self._send(lease, charge)

    async def _brought_up_to_date(
        self, lease: Lease, charge: Charge, refusal: RefusalCode | None
    ) -> Charge:
        """Record that it was asked, and what keeps the answer away, so that the message stays true."""
        current = await self._charges.get(lease.id) or charge
        if current.state is ChargeState.OVERDUE and refusal is not None:
            current = await self._unconfirmed(lease, current, PortalRefusalError(refusal))
        if current.check_pending or current.refusal is not refusal:
            facts: dict[str, object] = {"refusal": refusal}
            if current.check_pending:
                facts["checked_at"] = self._clock.now()
            current = await self._charges.note(lease, tell=True, **facts)
        return current


def _waits_until(charge: Charge) -> datetime:
    """Return until when a charge waits for the person: for their yes, or for the billing permission."""
    if charge.state is ChargeState.PROPOSED:
        return charge.created_at + PROPOSAL_LIFE
    return (charge.confirmed_at or charge.created_at) + SETUP_LIFE


def next_follow_up(charge: Charge, now: datetime) -> datetime | None:
    """Return when an open charge is asked about next: ever more slowly, for a day."""
    age = now - (charge.confirmed_at or charge.created_at)
    for until, every in FOLLOW_UP_EVERY if charge.portal_charge_id else RESEND_EVERY:
        if age < until:
            return max(now + every, charge.retry_at or now)
    return None


def _busy_wait(retry_after: int | None) -> float:
    return min(BUSY_SECONDS if retry_after is None else max(1, retry_after), BUSY_CAP_SECONDS)


def _retry_at(error: PortalRefusalError, now: datetime) -> datetime | None:
    if error.code not in WAIT or error.retry_after is None:
        return None
    return now + timedelta(seconds=error.retry_after)

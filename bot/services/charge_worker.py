"""The durable work on a confirmed charge: send it, poll it, follow it up. The engine calls `advance`."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.backoff import Backoff
from bot.domain.billing import ChargeStatusKind
from bot.domain.charge import OPEN, Charge, ChargeKind, ChargeState, FailureReason, Refusal
from bot.domain.errors import (
    ACCESS_LOST,
    AmbiguousAnswerError,
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
)
from bot.domain.follow_up import (
    can_be_asked_about,
    may_be_sent_again_at,
    next_follow_up,
    waits_until,
)
from bot.domain.rules import RuleError
from bot.domain.subscription import UpgradeStatus
from bot.engine import Released
from bot.services import before_sending
from bot.services.balance_now import balance_now
from bot.services.poll_waits import BUSY_CAP_SECONDS, away_wait, busy_wait
from bot.timing import CALL_MARGIN_SECONDS, PORTAL_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.billing import ChargeStatus
    from bot.domain.clock import Clock
    from bot.domain.subscription import UpgradeResult
    from bot.engine import Lease
    from bot.metrics import Metrics
    from bot.portal.client import PortalClient
    from bot.portal.transport import Gate
    from bot.services.accounts import Accounts
    from bot.services.first_voter import FirstVoter
    from bot.services.permission import Permission
    from bot.services.poll_waits import PollRules
    from bot.storage.charges.store import ChargeStore

AMBIGUITY_WINDOW = timedelta(minutes=1)
"""How long a request without a clear answer is retried before the person is notified of that."""

LOOK_LIFE = timedelta(seconds=10)
"""How old a preview, or the look for the first of two, may be when the request is sent."""

RESEND = Backoff(1, 10)
_NOT_CONNECTED = (NotLinkedError, RelinkRequiredError)

log = structlog.get_logger(__name__)


class ChargeWorker:
    """Advances charges."""

    def __init__(
        self,
        charges: ChargeStore,
        accounts: Accounts,
        permission: Permission,
        first_voter: FirstVoter,
        clock: Clock,
        rules: PollRules,
        metrics: Metrics,
    ) -> None:
        self.first_voter = first_voter
        self.charges = charges
        self.accounts = accounts
        self.permission = permission
        self.clock = clock
        self.rules = rules
        self.metrics = metrics

    async def advance(self, lease: Lease[Charge]) -> Released | datetime | None:
        """Advance a charge from any state as far as possible; return when it is due next (UTC)."""
        run = _Run(self, lease)
        try:
            return await run.advance()
        finally:
            with suppress(Exception):  # a failure to save counts must not replace the run's own outcome
                await run.save_counts()


class _Run:
    """One run for one charge. `charge` is its current value, and `stored` the value of its row."""

    def __init__(self, worker: ChargeWorker, lease: Lease[Charge]) -> None:
        self._worker = worker
        self._clock = worker.clock
        self._lease = lease
        self.charge = self.stored = lease.load()
        self._looked_at: datetime | None = None
        self._awaits_voter = self._is_marked = False
        self._maybe_sent = (
            self.charge.ambiguous_since is not None or self.charge.state in OPEN or lease.claim.attempts > 1
        )

    async def advance(self) -> Released | datetime | None:
        found = self.charge.state
        while not self.charge.is_terminal:
            match self.charge.state:
                case ChargeState.PROPOSED | ChargeState.NEEDS_SCOPE:
                    until = waits_until(self.charge)
                    if self._clock.now() < until:
                        return until
                    await self._save(self.charge.expired(now=self._clock.now()))
                case ChargeState.CONFIRMED:
                    await self._submit()
                case ChargeState.SUBMITTED:
                    await self._poll()
                case _ if self.charge.state is not found:
                    return next_follow_up(self.charge, self._clock.now())
                case _:
                    due_at = await self._follow_up()
                    if self.charge.state in OPEN:
                        return due_at
        return None if self.charge.state is found else Released()

    async def save_counts(self) -> None:
        """Save the counters changed since the last write: polling itself writes nothing."""
        if self.charge != self.stored:
            await self._save(self.charge)

    async def _save(self, after: Charge) -> None:
        self.charge = self.stored = await self._worker.charges.save(self._lease, self.stored, after)

    # Send it until a certain answer comes, for a minute at most, always with the same key.

    async def _submit(self) -> None:
        started = self.charge.ambiguous_since or self._clock.now()
        tries = 0
        while True:
            at_least = await self._attempt(started)
            if self.charge.state is not ChargeState.CONFIRMED:
                return
            if at_least is not None and self._clock.now() >= started + AMBIGUITY_WINDOW:
                await self._give_up()
                return
            longest = max(at_least or 0, RESEND.longest(tries))
            await self._lease.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads load
            tries += 1

    async def _attempt(self, started: datetime) -> float | None:
        """Try once; return how many seconds to wait at least, None if our own database is the reason."""
        try:
            await self._send()
        except PortalRefusalError as error:
            await self._refused(error, sent_at=started)
        except RuleError as error:
            await self._refused(before_sending.forbidden(error))
        except _NOT_CONNECTED:
            await self._refused(PortalRefusalError(RefusalCode.UNAUTHORIZED))
        except AmbiguousAnswerError as error:
            log.warning("charge.ambiguous", charge=self.charge.id, answer=str(error))
            await self._unanswered(since=started)
            if error.same_again:
                await self._save(self.charge.unconfirmed())
        except before_sending.DatabaseAwayError:
            return None
        except PortalUnavailableError as error:  # no token, preview, first yes or free slot: never sent
            log.warning("charge.not_sent", charge=self.charge.id, answer=str(error))
            return min(error.retry_after or 0, BUSY_CAP_SECONDS)
        return 0

    async def _send(self) -> None:
        """Send one request to charge, and store the answer."""
        charge = self.charge
        self._require_confirmed()
        if charge.kind is ChargeKind.UPGRADE:
            with before_sending.nothing_sent():
                portal = await self._portal(self._gate)
                if not self._maybe_sent:
                    # The person has confirmed one amount, and the portal takes its own.
                    preview = await portal.preview_plan(charge.tier_id or "")
                    self._looked_at = self._clock.now()
                    before_sending.require_same_price(charge, preview)
                result = await portal.upgrade_plan(
                    charge.tier_id or "", idempotency_key=charge.idempotency_key
                )
            await self._upgraded(result)
            return
        with before_sending.nothing_sent():
            await self._ask_first_voter()
            portal = await self._portal(self._gate)
            accepted = await portal.charge(charge.amount, idempotency_key=charge.idempotency_key)
        now = self._clock.now()
        deadline = now + timedelta(seconds=self._worker.rules.cap_seconds)
        await self._save(self.charge.accepted(accepted, now=now, deadline=deadline))

    def _require_confirmed(self) -> None:
        is_agreed = self._worker.charges.is_agreed(self.charge)
        before_sending.require_confirmed(self.charge, is_agreed, self._worker.metrics, self._clock.now())

    async def _ask_first_voter(self) -> None:
        """If two people decide, ask whether the first one's yes holds.

        Such a charge is marked before it is sent: without a mark it was not, however often it was claimed.
        """
        self._is_marked = await self._worker.first_voter.is_needed(self.charge)
        if self._is_marked and self.charge.first_post_at is self.charge.ambiguous_since is None:
            self._maybe_sent = False
        if self._is_marked and not self._maybe_sent:
            self._awaits_voter = True
            await self._worker.first_voter.ask(self.charge)
            self._awaits_voter, self._looked_at = False, self._clock.now()

    async def _gate(self) -> None:
        """Check everything once more, just before the request leaves: nothing slow comes after this.

        The row is what was confirmed; confirmation, preview and the look for the first of two are young
        enough; no rule forbids the charge by now; and the lease outlasts the request.
        """
        charge = self.charge
        self._require_confirmed()
        looked_at = None if self._maybe_sent else self._looked_at
        if looked_at is not None and self._clock.now() > looked_at + LOOK_LIFE:
            raise PortalUnavailableError("what the portal said is too old", sent=False)
        await self._worker.first_voter.require_sending(charge, is_first=not self._maybe_sent)
        await self._worker.permission.require_sending(charge)
        await self._lease.ensure(PORTAL_TIMEOUT_SECONDS + CALL_MARGIN_SECONDS)
        log.info("charge.post", charge=charge.id, kind=charge.kind.value, amount=str(charge.amount))
        self.charge = charge.posted(self._clock.now())
        if self._is_marked and not self._maybe_sent:
            await self._save(self.charge)

    async def _upgraded(self, result: UpgradeResult) -> None:
        now = self._clock.now()
        match result.status:
            case UpgradeStatus.ALREADY_ON_TIER if not self._maybe_sent:
                await self._refused(PortalRefusalError(RefusalCode.ALREADY_ON_TIER))
                return
            case UpgradeStatus.UPGRADED | UpgradeStatus.ALREADY_ON_TIER:
                # After a request without an answer, that request may have upgraded it.
                await self._save(self.charge.settled(None, now=now))
                return
            case UpgradeStatus.REQUIRES_ACTION:
                reason = FailureReason.AUTHENTICATION_REQUIRED
            case UpgradeStatus.PAYMENT_FAILED:
                reason = FailureReason.from_wire(result.reason)
        await self._save(self.charge.failed(reason, now=now, portal_url=result.recovery_url))

    async def _unanswered(self, *, since: datetime) -> None:
        self._maybe_sent = True
        if self.charge.ambiguous_since is None:
            await self._save(self.charge.unanswered(since))

    async def _refused(self, error: PortalRefusalError, *, sent_at: datetime | None = None) -> None:
        """Store a refusal. It proves nothing about an earlier request that got no answer."""
        refusal = self._refusal(error)
        if self._maybe_sent:
            await self._save(self.charge.unanswered(self._clock.now()).unconfirmed(refusal))
        elif error.code is RefusalCode.INSUFFICIENT_SCOPE:
            now = self._clock.now()
            permitted = sent_at is not None and await self._permitted_since(sent_at)
            await self._save(self.charge.needs_scope(refusal, permitted_at=now if permitted else None))
        else:
            await self._save(self.charge.refused(refusal, now=self._clock.now()))

    async def _permitted_since(self, sent_at: datetime) -> bool:
        """Tell whether the permission came after the request was sent."""
        link = await self._worker.accounts.former_link(self.charge.identity)
        if link is None or link.dead or link.waits_since is not None or link.linked_at < sent_at:
            return False
        return link.connection.may_bill and self.charge.is_of(link.account)

    async def _give_up(self) -> None:
        if self._maybe_sent:
            await self._save(self.charge.unanswered(self._clock.now()).unconfirmed())
        elif self._awaits_voter:
            await self._worker.first_voter.give_up(self.charge)
            await self._refused(PortalRefusalError(RefusalCode.VOTE_LOST))
        else:
            await self._refused(PortalRefusalError(RefusalCode.TEMPORARILY_UNAVAILABLE))

    # Poll it until its outcome or the deadline.

    async def _poll(self) -> None:
        interval = self._worker.rules.interval_seconds
        deadline = self.charge.deadline or self._clock.now()
        # As wide as the interval, so that charges recovered together are not polled in bursts.
        wait = random.uniform(0.5, 1.5) * interval  # noqa: S311
        misses = 0
        while True:
            left = (deadline - self._clock.now()).total_seconds()
            await self._lease.sleep(max(0.0, min(wait, left)))
            asked_at = self._clock.now()
            try:
                await self._ask()
            except PortalRefusalError as error:
                if error.code in ACCESS_LOST:
                    await self._save(self.charge.unconfirmed(self._refusal(error)))
                wait = busy_wait(error.retry_after)
            except _NOT_CONNECTED:
                await self._save(self.charge.unconfirmed(Refusal(code=RefusalCode.UNAUTHORIZED)))
            except PortalUnavailableError as error:
                misses += 1
                named = error.busy or error.retry_after is not None
                wait = busy_wait(error.retry_after) if named else away_wait(interval, misses)
            else:
                misses = 0
                took = (self._clock.now() - asked_at).total_seconds()
                # Wait at least half an interval: slow answers are a reason to poll less.
                wait = max(interval / 2, interval - took)
            if self.charge.state is not ChargeState.SUBMITTED:
                return
            if self._clock.now() >= deadline:
                await self._save(self.charge.overdue())
                return

    async def _ask(self) -> None:
        """Ask for the charge's status, and store its outcome, if any."""
        portal = await self._portal(recent=True, follows=True)
        self.charge = self.charge.polled(self._clock.now())
        self._worker.metrics.polls.inc()
        await self._ended(await portal.charge_status(self.charge.portal_charge_id or ""), portal)

    async def _ended(self, status: ChargeStatus, portal: PortalClient) -> None:
        now = self._clock.now()
        match status.kind:
            case ChargeStatusKind.PENDING:
                return
            case ChargeStatusKind.SETTLED:
                balance = await balance_now(portal)
                await self._save(self.charge.settled(status.amount, now=now, balance=balance))
            case ChargeStatusKind.FAILED:
                await self._save(self.charge.failed(FailureReason.from_wire(status.reason), now=now))

    # Follow it up: one request per run, with growing intervals.

    async def _follow_up(self) -> datetime | None:
        """Ask once about a charge without a certain outcome; return when to ask next (UTC)."""
        refusal: RefusalCode | None = None
        wait: int | None = None
        before = self.charge.state
        try:
            if self.charge.portal_charge_id is not None:
                await self._ask()
            elif can_be_asked_about(self.charge, self._clock.now()):
                may_be_sent_at = may_be_sent_again_at(self.charge, self._clock.now())
                since = self.charge.last_post_at or self.charge.expected_since
                if self._clock.now() < may_be_sent_at and not await self._permitted_since(since):
                    return may_be_sent_at
                await self._send()
        except (RuleError, before_sending.DatabaseAwayError):
            refusal = self.charge.refusal
        except _NOT_CONNECTED:
            refusal = RefusalCode.UNAUTHORIZED
        except PortalRefusalError as error:
            named = ACCESS_LOST | {RefusalCode.NOT_VERIFIED}
            refusal = error.code if error.code in named else self.charge.refusal
            wait = error.retry_after
        except (PortalUnavailableError, AmbiguousAnswerError) as error:
            refusal = self.charge.refusal
            wait = getattr(error, "retry_after", None)
            log.info("charge.follow_up", charge=self.charge.id, problem=type(error).__name__)
        if self.charge.state is not before:
            return None
        await self._checked(refusal)
        now = self._clock.now()
        due_at = next_follow_up(self.charge, now)
        return due_at and max(due_at, now + timedelta(seconds=wait or 0))

    async def _checked(self, refusal: RefusalCode | None) -> None:
        """Store that a check was made and why it gave no answer, so that the message stays correct."""
        current = await self._worker.charges.get(self._lease.id)
        if current is not None:
            self.stored, self.charge = current, self.charge.counts_on(current)
        if self.charge.state is ChargeState.OVERDUE and refusal is not None:
            await self._save(self.charge.unconfirmed(Refusal(code=refusal)))
        if self.charge.check_pending or self.charge.refusal is not refusal:
            await self._save(self.charge.checked(refusal, now=self._clock.now()))

    # Used by all parts.

    async def _portal(
        self, gate: Gate | None = None, *, recent: bool = False, follows: bool = False
    ) -> PortalClient:
        """Return a client for exactly the account and organization that the person confirmed for."""
        accounts = self._worker.accounts
        account, portal = await accounts.portal(self.charge.identity, gate, recent=recent, follows=follows)
        if not self.charge.is_of(account):
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED)
        return portal

    def _refusal(self, error: PortalRefusalError) -> Refusal:
        return before_sending.refusal_of(error, self._clock.now())

"""Checks of the operator's rules, and the lock that stops all spending."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.rules import Lock, Rule, RuleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.billing import AutoReloadChoice
    from bot.domain.budget import BudgetUse
    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Identity
    from bot.domain.rules import Rules, Unlock
    from bot.storage.charges.confirmation import ConfirmationStore
    from bot.storage.locks import LockStore
    from bot.storage.requests.line import TwoPeopleLine

DAY = timedelta(hours=24)

log = structlog.get_logger(__name__)


class Permission:
    """Checked before an amount is shown, at the confirmation, and just before each request is sent."""

    def __init__(
        self,
        rules: Rules,
        locks: LockStore,
        confirmations: ConfirmationStore,
        line: TwoPeopleLine,
        clock: Clock,
    ) -> None:
        self.rules = rules
        self._line = line
        self._locks = locks
        self._confirmations = confirmations
        self._clock = clock

    async def stopped(self, identity: Identity) -> RuleError | None:
        """Return the rule that stops all spending for this person's tenant; None if there is none."""
        if self.rules.read_only:
            return RuleError(Rule.READ_ONLY)
        lock = await self._locks.get(identity.tenant)
        return None if lock is None else RuleError(Rule.LOCKED, lock=lock)

    async def require_spending(self, identity: Identity) -> None:
        """Check that spending is possible; also called for settings that cause later spending.

        Raises:
            RuleError: read-only, or locked.
        """
        stopped = await self.stopped(identity)
        if stopped is not None:
            raise stopped

    def require_changes(self, identity: Identity) -> None:
        """Check that this person may change something at the portal.

        Raises:
            RuleError: read-only, or the person is not on the operator's list.
        """
        self.rules.require_person(identity)
        if self.rules.read_only:
            raise RuleError(Rule.READ_ONLY)

    async def require_charge(self, identity: Identity, account: Account, amount: Decimal) -> None:
        """Check a charge before it is shown for confirmation.

        Raises:
            RuleError: spending is stopped, or the amount exceeds a limit.
        """
        await self.require_spending(identity)
        self.rules.require(amount, await self.spent_today(identity, account.account_id))

    async def require_sending(self, charge: Charge) -> None:
        """Check all rules for a confirmed charge once more, just before its request is sent.

        Raises:
            RuleError: a rule forbids it by now.
        """
        self.rules.require_person(charge.identity)
        await self.require_spending(charge.identity)
        spent = await self.spent_today(charge.identity, charge.account_id, but=charge.id)
        self.rules.require(charge.amount, spent)

    async def spent_today(self, identity: Identity, account_id: str, *, but: str = "") -> Decimal | None:
        """Return what was spent in the last 24 hours (US dollars); None without a daily limit.

        It is the person's sum or that of all people with this portal account, whichever is larger. The
        charge `but` is left out.
        """
        since = self.day_begins()
        if since is None:
            return None
        return await self._confirmations.spent(identity.key, account_id, since=since, but=but)

    def day_begins(self) -> datetime | None:
        """Return the start of the 24 hours that count for the daily limit (UTC); None without a limit."""
        return None if self.rules.max_daily is None else self._clock.now() - DAY

    async def require_auto_reload(self, identity: Identity, choice: AutoReloadChoice) -> None:
        """Check an auto-reload setting. Switched on, it charges up to its upper amount without asking.

        Raises:
            RuleError: as `require_changes`; or, to switch it on, locked, above a limit, or so much that two
                people decide.
        """
        self.require_changes(identity)
        if choice.enabled:
            await self.require_spending(identity)
            self.rules.require_at_once(choice.reload_to)
            line = await self._line.of(identity)
            if line is not None and choice.reload_to >= line:
                raise RuleError(Rule.TWO_PEOPLE, limit=line)

    async def budgets(self, identity: Identity, *, everything: bool) -> Sequence[BudgetUse]:
        """Return the budgets that limit what a person adds for themselves, as used in this month.

        Without `everything`, not those that are for others too.
        """
        return await self._line.own_uses(identity, everything=everything)

    async def lock(self, identity: Identity, reason: str | None) -> tuple[Lock, bool]:
        """Stop all spending in this person's tenant; return the lock, and whether it is new.

        Raises:
            RuleError: the person may not lock spending.
        """
        self.rules.require_locker(identity)
        lock, is_new = await self._locks.put(
            Lock(locked_by=identity, locked_at=self._clock.now(), reason=reason)
        )
        if is_new:
            log.warning("permission.locked", tenant=identity.tenant, by=identity.key)
        return lock, is_new

    async def lock_story(self, tenant: str, locked_at: datetime) -> tuple[Lock, Unlock | None] | None:
        """Return the lock of that moment and how it ended; None if there is no such lock."""
        return await self._locks.story(tenant, locked_at)

    async def unlock(self, identity: Identity) -> Lock | None:
        """Release spending; return the removed lock, None if there was none.

        Raises:
            RuleError: the person may not unlock spending.
        """
        self.rules.require_locker(identity)
        lock = await self._locks.remove(identity)
        if lock is not None:
            log.warning("permission.unlocked", tenant=identity.tenant, by=identity.key)
        return lock

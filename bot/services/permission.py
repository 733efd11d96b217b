"""What may be spent: the operator's rules, and the lock that stops everything."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog

from bot.domain.rules import Lock, Rule, RuleError

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.billing import AutoReloadChoice
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.rules import Rules
    from bot.storage.charges import ChargeStore
    from bot.storage.locks import LockStore

DAY = timedelta(hours=24)

log = structlog.get_logger(__name__)


class Permission:
    """Asked before an amount is shown, when a charge is confirmed, and before each request for money."""

    def __init__(self, rules: Rules, locks: LockStore, charges: ChargeStore, clock: Clock) -> None:
        self.rules = rules
        self._locks = locks
        self._charges = charges
        self._clock = clock

    async def stopped(self, identity: Identity) -> RuleError | None:
        """Return what stops all spending where this person is, None when nothing does."""
        if self.rules.read_only:
            return RuleError(Rule.READ_ONLY)
        lock = await self._locks.get(identity.home)
        return None if lock is None else RuleError(Rule.LOCKED, lock=lock)

    async def require_spending(self, identity: Identity) -> None:
        """Let pass what spends, or has money spent later.

        Raises:
            RuleError: read-only, or locked.
        """
        stopped = await self.stopped(identity)
        if stopped is not None:
            raise stopped

    def require_changes(self) -> None:
        """Let pass what changes anything at the portal.

        Raises:
            RuleError: read-only.
        """
        if self.rules.read_only:
            raise RuleError(Rule.READ_ONLY)

    async def require_charge(self, identity: Identity, amount: Decimal) -> None:
        """Let a charge pass that is to be shown for confirmation.

        Raises:
            RuleError: spending is stopped, or the amount is more than the rules allow.
        """
        await self.require_spending(identity)
        since = self.day_begins()
        spent = None if since is None else await self._charges.spent(identity.key, since=since)
        self.rules.require(amount, spent)

    async def left_today(self, identity: Identity) -> Decimal | None:
        """Return what the person may still charge of their day; None when no day has a limit."""
        since, most = self.day_begins(), self.rules.max_daily
        if since is None or most is None:
            return None
        return max(most - await self._charges.spent(identity.key, since=since), Decimal(0))

    def day_begins(self) -> datetime | None:
        """Return since when a person's charges count for their day; None when no day has a limit."""
        return None if self.rules.max_daily is None else self._clock.now() - DAY

    async def require_auto_reload(self, identity: Identity, choice: AutoReloadChoice) -> None:
        """Let a setting pass. Switched on, it may charge up to its upper amount at once, and unasked.

        Raises:
            RuleError: read-only; or, to switch it on, locked, or more than the rules allow at once.
        """
        self.require_changes()
        if choice.enabled:
            await self.require_spending(identity)
            self.rules.require_at_once(choice.reload_to)

    async def lock(self, identity: Identity, reason: str | None) -> tuple[Lock, bool]:
        """Stop all spending where this person is; return the lock that holds, and whether it is new.

        Raises:
            RuleError: they may not.
        """
        self.rules.require_locker(identity)
        lock, made = await self._locks.put(
            Lock(locked_by=identity, locked_at=self._clock.now(), reason=reason)
        )
        if made:
            log.warning("permission.locked", home=identity.home, by=identity.key)
        return lock, made

    async def unlock(self, identity: Identity) -> Lock | None:
        """Release spending; return the lock that held, None where there was none.

        Raises:
            RuleError: they may not.
        """
        self.rules.require_locker(identity)
        lock = await self._locks.remove(identity)
        if lock is not None:
            log.warning("permission.unlocked", home=identity.home, by=identity.key)
        return lock

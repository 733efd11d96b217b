"""What may be spent: the operator's rules, and the lock that stops everything."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.rules import Lock, Rule, RuleError

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.billing import AutoReloadChoice
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.rules import Rules
    from bot.storage.charges.confirmation import ConfirmationStore
    from bot.storage.locks import LockStore

DAY = timedelta(hours=24)

log = structlog.get_logger(__name__)


class Permission:
    """Asked before an amount is shown, when a charge is confirmed, and before each request for money."""

    def __init__(
        self, rules: Rules, locks: LockStore, confirmations: ConfirmationStore, clock: Clock
    ) -> None:
        self.rules = rules
        self._locks = locks
        self._confirmations = confirmations
        self._clock = clock

    async def stopped(self, identity: Identity) -> RuleError | None:
        """Return what stops all spending where this person is, None when nothing does."""
        if self.rules.read_only:
            return RuleError(Rule.READ_ONLY)
        lock = await self._locks.get(identity.tenant)
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
        self.rules.require(amount, await self.spent_today(identity))

    async def spent_today(self, identity: Identity) -> Decimal | None:
        """Return what the person has spent of their day (US dollars); None when no day has a limit."""
        since = self.day_begins()
        return None if since is None else await self._confirmations.spent(identity.key, since=since)

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
            log.warning("permission.locked", tenant=identity.tenant, by=identity.key)
        return lock, made

    async def unlock(self, identity: Identity) -> Lock | None:
        """Release spending; return the lock that held, None where there was none.

        Raises:
            RuleError: they may not.
        """
        self.rules.require_locker(identity)
        lock = await self._locks.remove(identity)
        if lock is not None:
            log.warning("permission.unlocked", tenant=identity.tenant, by=identity.key)
        return lock

"""A purchase as a person sees it: proposed, confirmed, checked, resumed, looked up."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.domain.charge import IN_FLIGHT, OPEN, Charge, ChargeKind, ChargeState
from bot.domain.errors import (
    BillingError,
    CannotAskError,
    ChargeNotFoundError,
    NotAllowedError,
    RefusalCode,
    StaleError,
)
from bot.domain.money import CENT
from bot.domain.rules import RuleError
from bot.domain.subscription import Effect
from bot.services.permission import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.subscription import Preview, Subscription
    from bot.services.accounts import Accounts
    from bot.services.permission import Permission
    from bot.storage.charges import ChargeStore

PROPOSAL_LIFE = timedelta(minutes=15)
"""How long a confirmation can be given."""

FOLLOW_UP_LIFE = timedelta(days=1)
"""How long a charge without a clear end is asked about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A charge to be confirmed; `open_equal` is one of the same amount whose end was not told yet."""

    charge: Charge
    open_equal: Charge | None


class BuyAgainError(BillingError):
    """An equal charge of the person's has an open end: `other`. Ask whether to buy again."""

    def __init__(self, charge: Charge, other: Charge) -> None:
        super().__init__(other.id)
        self.charge = charge
        self.other = other


class Purchases:
    """What people ask of their charges. What happens by itself is `bot.services.charging`."""

    def __init__(
        self, charges: ChargeStore, accounts: Accounts, permission: Permission, clock: Clock
    ) -> None:
        self._charges = charges
        self._permission = permission
        self._accounts = accounts
        self._clock = clock

    async def propose(
        self, identity: Identity, amount: Decimal, state: BillingState, card: str | None
    ) -> Proposal:
        """Store an intended top-up and its idempotency key, before anything is shown for confirmation.

        Raises:
            NotAllowedError: role, the organisation's switch, or no card.
            AmountError: outside the portal's bounds.
            RuleError: the operator's rules say no.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
        """
        state.require_charging()
        state.bounds.check(amount)
        state.require_card()
        return await self._propose(
            identity,
            amount,
            organisation=(state.organisation_id, state.organisation_name),
            card=card,
            portal_url=state.portal_url,
        )

    async def propose_upgrade(
        self, identity: Identity, preview: Preview, subscription: Subscription, card: str | None
    ) -> Proposal:
        """Store an intended upgrade that charges at once, as `propose` does for a top-up.

        Raises:
            NotAllowedError: the role does not allow it.
            RuleError: the operator's rules say no.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
            ValueError: the preview is not one of a charge.
        """
        if not subscription.may_change_plan:
            raise NotAllowedError(RefusalCode.ROLE_REQUIRED, subscription.manage_url)
        if preview.effect is not Effect.CHARGE_NOW or preview.due_now is None:
            raise ValueError("only a preview that charges now can be proposed")
        return await self._propose(
            identity,
            preview.due_now,
            organisation=(subscription.organisation_id, subscription.organisation_name),
            card=card,
            portal_url=subscription.manage_url,
            tier=(preview.target_id, preview.target_name),
        )

    async def _propose(
        self,
        identity: Identity,
        amount: Decimal,
        *,
        organisation: tuple[str, str | None],
        card: str | None,
        portal_url: str,
        tier: tuple[str, str] | None = None,
    ) -> Proposal:
        await self._permission.require_charge(identity, amount)
        link = await self._accounts.link(identity)
        now = self._clock.now()
        charge = Charge(
            id=secrets.token_hex(8),
            identity=identity,
            kind=ChargeKind.TOP_UP if tier is None else ChargeKind.UPGRADE,
            state=ChargeState.PROPOSED,
            amount=amount.quantize(CENT),
            tier_id=tier[0] if tier else None,
            tier_name=tier[1] if tier else None,
            idempotency_key=str(uuid.uuid4()),
            account_id=link.account.account_id,
            organisation_id=organisation[0],
            organisation_name=organisation[1],
            card=card,
            created_at=now,
            portal_url=portal_url,
        )
        open_equal = await self._open_equal(charge)
        await self._charges.add(charge, due_at=now + PROPOSAL_LIFE)
        return Proposal(charge=charge, open_equal=open_equal)

    async def _open_equal(self, charge: Charge) -> Charge | None:
        """Return the person's newest charge of the same amount whose end they do not know yet."""
        owner = charge.identity.key
        return await self._charges.equal_in(owner, charge.kind, charge.amount, OPEN | IN_FLIGHT)

    async def confirm(
        self,
        identity: Identity,
        charge_id: str,
        *,
        view_id: str | None,
        warned_of: str | None = None,
    ) -> Charge:
        """Take the person's yes, once: stored durably before this returns. A second yes changes nothing.

        `warned_of` is the equal open charge that the confirmation showed.

        Raises:
            ChargeNotFoundError: no such proposal of theirs.
            StaleError: it has expired or was cancelled.
            RuleError: the operator's rules say no by now.
            BuyAgainError: an equal charge with an open end came up meanwhile; ask first.
        """
        now = self._clock.now()
        charge = await self._charges.get(charge_id, owner=identity.key)
        if charge is None:
            raise ChargeNotFoundError
        if charge.state is ChargeState.PROPOSED and now >= charge.created_at + PROPOSAL_LIFE:
            raise StaleError
        if charge.state is ChargeState.PROPOSED:
            other = await self._open_equal(charge)
            if other is not None and other.id != warned_of:
                raise BuyAgainError(charge, other)
        confirmed = await self._confirm(charge, now, view_id)
        current = confirmed or await self._mine(identity, charge_id)
        if current.state in {ChargeState.CANCELLED, ChargeState.EXPIRED}:
            raise StaleError
        return current

    async def _confirm(self, charge: Charge, now: datetime, view_id: str | None) -> Charge | None:
        """Store the yes, if the rules allow it: two at one moment do not pass the day's limit together."""
        if charge.state is not ChargeState.PROPOSED:
            return None
        try:
            await self._permission.require_amount(charge.identity, charge.amount)
            return await self._charges.confirm(
                charge.id, charge.identity.key, now=now, view_id=view_id, **self._day_judge(charge, now)
            )
        except RuleError:
            current = await self._mine(charge.identity, charge.id)
            if current.state is ChargeState.PROPOSED:
                raise
            return current  # the other of two clicks was first, and what it began goes on

    def _day_judge(self, charge: Charge, now: datetime) -> dict[str, Any]:
        rules = self._permission.rules
        if rules.max_daily is None:
            return {}
        return {"since": now - DAY, "judge": partial(rules.require_day, charge.amount)}

    async def cancel(self, identity: Identity, charge_id: str) -> Charge:
        """Turn a proposal down and return it; what is not a proposal (any more) stays as it is.

        Raises:
            ChargeNotFoundError: no such charge of theirs.
        """
        cancelled = await self._charges.cancel(charge_id, identity.key, now=self._clock.now())
        return cancelled or await self._mine(identity, charge_id)

    async def check_again(self, identity: Identity, charge_id: str, *, view_id: str | None) -> Charge:
        """Have an open charge asked about now; `view_id` is a modal to bring up to date as well.

        Raises:
            ChargeNotFoundError: no such charge of theirs.
            CannotAskError: without the portal's id it can be asked about for a day only.
        """
        charge = await self._mine(identity, charge_id)
        day_over = self._clock.now() >= (charge.confirmed_at or charge.created_at) + FOLLOW_UP_LIFE
        if charge.state in OPEN and charge.portal_charge_id is None and day_over:
            raise CannotAskError(charge.portal_url)
        if charge.state in OPEN:
            await self._charges.ask_check(charge_id, now=self._clock.now(), view_id=view_id)
        return charge

    async def resume(
        self, identity: Identity, charge_id: str, *, view_id: str | None
    ) -> tuple[Charge, bool]:
        """Go on with a charge that waited for the billing permission: same row, same key, once.

        Returns the charge and whether it did wait for that; `view_id` is a modal to bring up to date.

        Raises:
            ChargeNotFoundError: no such charge of theirs.
            RuleError: the operator's rules say no by now.
        """
        current = await self._mine(identity, charge_id)
        now = self._clock.now()
        if current.state is not ChargeState.NEEDS_SCOPE:
            return current, False
        await self._permission.require_amount(identity, current.amount)
        resumed = await self._charges.resume(
            charge_id, identity.key, now=now, view_id=view_id, **self._day_judge(current, now)
        )
        return resumed or current, resumed is not None

    async def waiting_for(self, identity: Identity, wanted: str | None) -> Charge | None:
        """Return the person's charge that a grant was begun for (`resume ID`), None otherwise."""
        verb, _, charge_id = (wanted or "").partition(" ")
        return await self._charges.get(charge_id, owner=identity.key) if verb == "resume" else None

    async def history(self, identity: Identity, *, limit: int = 20, offset: int = 0) -> Sequence[Charge]:
        """Return the person's confirmed charges, newest first."""
        return await self._charges.of_owner(identity.key, limit=limit, offset=offset)

    async def trace(self, identity: Identity, charge_id: str | None) -> Charge:
        """Return one of the person's charges, their newest confirmed one without an id.

        Raises:
            ChargeNotFoundError: no such charge of theirs.
        """
        if charge_id is not None:
            return await self._mine(identity, charge_id)
        newest = await self.history(identity, limit=1)
        if not newest:
            raise ChargeNotFoundError
        return newest[0]

    async def _mine(self, identity: Identity, charge_id: str) -> Charge:
        charge = await self._charges.get(charge_id, owner=identity.key)
        if charge is None:
            raise ChargeNotFoundError
        return charge

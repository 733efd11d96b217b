"""A purchase as a person sees it: proposed, confirmed, checked, resumed, looked up."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.charge import OPEN, Charge, ChargeKind, ChargeState
from bot.domain.errors import (
    BillingError,
    CannotAskError,
    ChargeNotFoundError,
    NotAllowedError,
    PermissionMissingError,
    PortalRefusalError,
    RefusalCode,
    SeveralChargesError,
    StaleError,
)
from bot.domain.grant import RESUME
from bot.domain.money import CENT
from bot.domain.subscription import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.clock import Clock
    from bot.domain.grant import DeviceGrant
    from bot.domain.identity import Identity
    from bot.domain.payment import PaymentMethod
    from bot.domain.subscription import Preview, Subscription
    from bot.services.accounts import Accounts
    from bot.services.permission import Permission
    from bot.storage.charges import ChargeStore

PROPOSAL_LIFE = timedelta(minutes=15)
"""How long a confirmation can be given."""

FOLLOW_UP_LIFE = timedelta(days=1)
"""How long a charge without a clear end is asked about."""

TRIES = 3
"""How often a yes is tried while what kept it from being taken is gone when one looks for it."""


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

    async def propose(self, identity: Identity, amount: Decimal, state: BillingState) -> Proposal:
        """Store an intended top-up and its idempotency key, before anything is shown for confirmation.

        Raises:
            NotAllowedError: role, the organization's switch, or no payment method.
            AmountError: outside the portal's bounds.
            RuleError: the operator's rules say no.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
        """
        state.require_charging()
        state.bounds.check(amount)
        state.require_payment_method()
        return await self._propose(
            identity,
            amount,
            organisation=(state.organisation_id, state.organisation_name),
            payment_method=state.payment_method,
            portal_url=state.portal_url,
        )

    async def propose_upgrade(
        self,
        identity: Identity,
        preview: Preview,
        subscription: Subscription,
        payment_method: PaymentMethod | None,
    ) -> Proposal:
        """Store an intended upgrade that charges at once, as `propose` does for a top-up.

        `payment_method` is None where it is not known which one the portal charges.

        Raises:
            NotAllowedError: the role does not allow it.
            RuleError: the operator's rules say no.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
            ValueError: the preview is not one of a charge.
        """
        if not subscription.may_change_plan:
            raise NotAllowedError(
                RefusalCode.ROLE_REQUIRED, subscription.manage_url, role=subscription.role
            )
        if preview.effect is not Effect.CHARGE_NOW or preview.due_now is None:
            raise ValueError("only a preview that charges now can be proposed")
        return await self._propose(
            identity,
            preview.due_now,
            organisation=(subscription.organisation_id, subscription.organisation_name),
            payment_method=payment_method,
            portal_url=subscription.manage_url,
            tier=(preview.target_id, preview.target_name),
        )

    async def _propose(
        self,
        identity: Identity,
        amount: Decimal,
        *,
        organisation: tuple[str, str | None],
        payment_method: PaymentMethod | None,
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
            account_email=link.account.email,
            payment_method=payment_method,
            created_at=now,
            portal_url=portal_url,
        )
        open_equal = await self._charges.open_equal(charge)
        await self._charges.add(charge, due_at=now + PROPOSAL_LIFE)
        return Proposal(charge=charge, open_equal=open_equal)

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
            StaleError: it has expired or was cancelled, or what keeps it changes all the time.
            RuleError: the operator's rules say no by now.
            BuyAgainError: an equal charge with an open end came up meanwhile; ask first.
        """
        for _ in range(TRIES):
            confirmed = await self._confirm(identity, charge_id, view_id, warned_of)
            if confirmed is not None:
                return confirmed
            charge = await self._mine(identity, charge_id)
            if charge.state in {ChargeState.CANCELLED, ChargeState.EXPIRED}:
                raise StaleError
            if charge.state is not ChargeState.PROPOSED:
                return charge  # the other of two clicks was first, and what it began goes on
            await self._explain(charge, warned_of)
        raise StaleError

    async def _confirm(
        self, identity: Identity, charge_id: str, view_id: str | None, warned_of: str | None
    ) -> Charge | None:
        """Store the yes, in one step with everything that has to hold; None when something does not."""
        if self._permission.rules.read_only:
            return None
        now = self._clock.now()
        return await self._charges.confirm(
            charge_id,
            identity,
            now=now,
            view_id=view_id,
            made_after=now - PROPOSAL_LIFE,
            warned_of=warned_of,
            since=self._permission.day_begins(),
            judge=self._permission.rules.require,
        )

    async def _explain(self, charge: Charge, warned_of: str | None) -> None:
        """Raise what keeps a proposal from being confirmed; return when it has just gone away."""
        if self._clock.now() >= charge.created_at + PROPOSAL_LIFE:
            raise StaleError
        other = await self._charges.open_equal(charge)
        if other is not None and other.id != warned_of:
            raise BuyAgainError(charge, other)
        await self._permission.require_spending(charge.identity)

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

        Returns the charge and whether it did wait for that; `view_id` is a modal to bring up to date. What
        keeps it from going through is looked at first, so that the purchase is not lost to it.

        Raises:
            ChargeNotFoundError: no such charge of theirs.
            PermissionMissingError: the permission is not there yet.
            RuleError: the operator's rules say no by now.
            NotAllowedError: role, the organization's switch, or no payment method.
            PortalRefusalError: ORG_ACCESS_DENIED, it was confirmed for another account.
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
        """
        current = await self._mine(identity, charge_id)
        if current.state is not ChargeState.NEEDS_SCOPE:
            return current, False
        await self._require_permission(identity, current)
        await self._permission.require_spending(identity)
        await self._require_possible(identity, current)
        now = self._clock.now()
        resumed = await self._charges.resume(
            charge_id,
            identity.key,
            now=now,
            view_id=view_id,
            since=self._permission.day_begins(),
            judge=self._permission.rules.require,
        )
        return resumed or current, resumed is not None

    async def _require_permission(self, identity: Identity, charge: Charge) -> None:
        """Let a charge pass that has the permission by now, as recorded, or as the link made since says.

        A release before recorded nothing, and a permission may come just when the portal misses it.
        """
        link = await self._accounts.link(identity)
        since = charge.last_post_at or charge.created_at
        came = link.connection.may_bill and link.linked_at >= since
        if charge.permitted_at is None and not came:
            raise PermissionMissingError(charge.id)

    async def _require_possible(self, identity: Identity, charge: Charge) -> None:
        account, portal = await self._accounts.portal(identity)
        if not charge.is_of(account):
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED)
        state = await portal.state()
        state.require_charging()
        if charge.kind is ChargeKind.TOP_UP:
            state.require_payment_method()

    async def waiting_for(self, grant: DeviceGrant) -> Charge | None:
        """Return the person's charge that a grant was begun for, None otherwise."""
        purpose, charge_id = grant.purpose
        return await self._charges.get(charge_id, owner=grant.identity.key) if purpose == RESUME else None

    async def history(self, identity: Identity, *, limit: int = 20, offset: int = 0) -> Sequence[Charge]:
        """Return the person's confirmed charges, newest first."""
        return await self._charges.of_owner(identity.key, limit=limit, offset=offset)

    async def trace(self, identity: Identity, named: str | None) -> Charge:
        """Return one of the person's charges, their newest confirmed one without a name.

        `named` is our id or the portal's, or the beginning of either.

        Raises:
            ChargeNotFoundError: no such charge of theirs.
            SeveralChargesError: more than one begins so.
        """
        if named is not None:
            return the_one(await self._charges.find(identity.key, named))
        newest = await self.history(identity, limit=1)
        if not newest:
            raise ChargeNotFoundError
        return newest[0]

    async def _mine(self, identity: Identity, charge_id: str) -> Charge:
        charge = await self._charges.get(charge_id, owner=identity.key)
        if charge is None:
            raise ChargeNotFoundError
        return charge


def the_one(found: Sequence[Charge]) -> Charge:
    """Return the only charge that was found.

    Raises:
        ChargeNotFoundError: none was.
        SeveralChargesError: more than one was.
    """
    if not found:
        raise ChargeNotFoundError
    if len(found) > 1:
        raise SeveralChargesError
    return found[0]

"""Purchases by a person: propose, confirm, check, resume, look up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.domain.charge import OPEN, ChargeKind, ChargeState
from bot.domain.errors import (
    AskedTooSoonError,
    BillingError,
    CannotAskError,
    ChargeNotFoundError,
    NotAllowedError,
    PermissionMissingError,
    PortalRefusalError,
    RefusalCode,
    StaleError,
)
from bot.domain.follow_up import PROPOSAL_LIFE, can_be_asked_about, may_be_sent_again_at
from bot.domain.grant import Resume
from bot.domain.money import AmountError
from bot.domain.next_step import AskInstead, ChooseAmount, Confirm, NeedsPaymentMethod
from bot.domain.offer import AmountOffer
from bot.domain.rules import Rule, RuleError
from bot.domain.subscription import Effect
from bot.services.routing import key_of
from bot.storage.requests.line import Who

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.grant import DeviceGrant
    from bot.domain.identity import Account, Identity
    from bot.domain.next_step import NextStep, Proposal
    from bot.domain.payment import PaymentMethod
    from bot.domain.subscription import Preview, Subscription
    from bot.services.accounts import Accounts
    from bot.services.paying import Paying
    from bot.services.permission import Permission
    from bot.services.proposals import Proposals
    from bot.storage.charges.confirmation import ConfirmationStore
    from bot.storage.charges.store import ChargeStore
    from bot.storage.requests.line import TwoPeopleLine

TRIES = 3
"""Attempts to confirm when the reason for the refusal disappears before it can be reported."""


class BuyAgainError(BillingError):
    """The person has an equal charge with an unknown outcome: `other`. Ask whether to buy again."""

    def __init__(self, charge: Charge, other: Charge) -> None:
        super().__init__(other.id)
        self.charge = charge
        self.other = other


class Purchases:
    """The actions of people on their charges. The background work is in `bot.services.charge_worker`."""

    def __init__(
        self,
        charges: ChargeStore,
        confirmations: ConfirmationStore,
        proposals: Proposals,
        paying: Paying,
        line: TwoPeopleLine,
        accounts: Accounts,
        permission: Permission,
        clock: Clock,
    ) -> None:
        self._charges = charges
        self._confirmations = confirmations
        self._proposals = proposals
        self._paying = paying
        self._line = line
        self._permission = permission
        self._accounts = accounts
        self._clock = clock

    async def next_step(
        self, identity: Identity, amount: Decimal | None, *, channel: str | None = None
    ) -> NextStep:
        """Return the next step: a payment method, an amount, or the confirmation of this amount.

        All conditions are checked here, once, before anything is shown; `confirm` checks the operator's
        limits and the lock again. A proposal is stored with its idempotency key before it is shown.
        `channel` is the one whose budget is to count it.

        Raises:
            RuleError: spending is stopped, or a budget lets nobody add so much.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
            NotAllowedError: the role or the organization's switch forbids it.
        """
        await self._permission.require_spending(identity)
        link = await self._accounts.link(identity)
        account, portal = await self._accounts.portal(identity)
        state = await portal.state()
        state.require_charging()
        if state.payment_method is None:
            return NeedsPaymentMethod(state=state, amount=amount)
        spent = await self._permission.spent_today(identity, account.account_id)
        choose = self._choice(account, state, spent)
        if amount is None or choose.offer.is_closed:
            return choose
        try:
            choose.offer.bounds.check(amount)
            self._permission.rules.require(amount, spent)
        except (AmountError, RuleError) as error:
            return replace(choose, amount=amount, problem=error)
        who = Who(person=identity, account_id=link.account.account_id, channel=channel)
        hold = await self._line.hold(who, key_of(identity, link), amount)
        requests_off = self._permission.rules.requests_off
        if hold is not None and (hold.is_final or requests_off):
            raise hold.error(requests_off=requests_off)
        if hold is not None:
            return AskInstead(state=state, amount=amount, hold=hold)
        return Confirm(
            proposal=await self._proposals.add(
                identity,
                account,
                amount,
                organization=(state.organization_id, state.organization_name),
                payment_method=state.payment_method,
                portal_url=state.portal_url,
                channel=channel,
            ),
            state=state,
        )

    async def choose_amount(self, identity: Identity) -> ChooseAmount:
        """Return what can be charged now, without checking whether this person may charge it.

        Raises:
            NotLinkedError, RelinkRequiredError: no grant to charge with.
        """
        account, portal = await self._accounts.portal(identity)
        spent = await self._permission.spent_today(identity, account.account_id)
        return self._choice(account, await portal.state(), spent)

    def _choice(self, account: Account, state: BillingState, spent: Decimal | None) -> ChooseAmount:
        rules = self._permission.rules
        offer = AmountOffer.of(state, rules, left_today=rules.left_of_day(spent))
        return ChooseAmount(state=state, offer=offer, account=account)

    async def propose_upgrade(
        self,
        identity: Identity,
        preview: Preview,
        subscription: Subscription,
        payment_method: PaymentMethod | None,
    ) -> Proposal:
        """Store a proposed upgrade with its idempotency key, before it is shown.

        `payment_method` is None if it is not known which one the portal charges.

        Raises:
            NotAllowedError: the role does not allow it.
            RuleError: an operator's rule forbids it.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
            ValueError: the preview charges nothing.
        """
        if not subscription.may_change_plan:
            raise NotAllowedError(
                RefusalCode.ROLE_REQUIRED, subscription.manage_url, role=subscription.role
            )
        if preview.effect is not Effect.CHARGE_NOW or preview.due_now is None:
            raise ValueError("only a preview that charges now can be proposed")
        link = await self._accounts.link(identity)
        await self._permission.require_charge(identity, link.account, preview.due_now)
        # The plan renews at its own price, without asking.
        monthly = subscription.price_of(preview.target_id)
        most = max(preview.due_now, monthly or preview.due_now)
        who = Who(person=identity, account_id=link.account.account_id)
        line = await self._line.reached(who, key_of(identity, link), most)
        if line is not None:
            raise RuleError(Rule.TWO_PEOPLE, limit=line)
        self._permission.rules.require(most, None)
        return await self._proposals.add(
            identity,
            link.account,
            preview.due_now,
            organization=(subscription.organization_id, subscription.organization_name),
            payment_method=payment_method,
            portal_url=subscription.manage_url,
            tier=(preview.target_id, preview.target_name),
        )

    async def confirm(
        self,
        identity: Identity,
        charge_id: str,
        *,
        view_id: str | None,
        warned_of: str | None = None,
    ) -> Charge:
        """Confirm the purchase, once. It is stored durably before this returns.

        `warned_of` is the equal open charge that the confirmation showed.

        Raises:
            ChargeNotFoundError: this person has no such proposal.
            StaleError: it has expired or was canceled, or it cannot be confirmed for changing reasons.
            RuleError: an operator's rule forbids it now.
            BuyAgainError: an equal charge with an unknown outcome appeared meanwhile; ask first.
            RequestError: it was to pay a request, which this person may not decide on any more.
        """
        memberships: Mapping[str, bool] = {}
        for _ in range(TRIES):
            confirmed = await self._confirm(identity, charge_id, view_id, warned_of, memberships)
            if confirmed is not None:
                return confirmed
            charge = await self._mine(identity, charge_id)
            if charge.state in {ChargeState.CANCELLED, ChargeState.EXPIRED}:
                raise StaleError
            if charge.state is ChargeState.NEEDS_SCOPE:
                # The question whether to buy again was asked when it was to be resumed.
                resumed, _ = await self.resume(identity, charge_id, view_id=view_id, warned_of=warned_of)
                return resumed
            if charge.state is not ChargeState.PROPOSED:
                return charge  # another click has confirmed it, and its work continues
            memberships = await self._explain(charge, warned_of)
        raise StaleError

    async def _confirm(
        self,
        identity: Identity,
        charge_id: str,
        view_id: str | None,
        warned_of: str | None,
        memberships: Mapping[str, bool],
    ) -> Charge | None:
        """Store the confirmation in one step with all its conditions; None if a condition fails."""
        if self._permission.rules.read_only:
            return None
        now = self._clock.now()
        return await self._confirmations.confirm(
            charge_id,
            identity,
            now=now,
            view_id=view_id,
            made_after=now - PROPOSAL_LIFE,
            warned_of=warned_of,
            since=self._permission.day_begins(),
            check_limits=self._permission.rules.require,
            memberships=memberships,
        )

    async def _explain(self, charge: Charge, warned_of: str | None) -> Mapping[str, bool]:
        """Raise the reason why a proposal was not confirmed; return what to try again with if it is gone.

        That is, in which groups and channels this person is that a policy names.
        """
        if self._clock.now() >= charge.created_at + PROPOSAL_LIFE:
            raise StaleError
        memberships = await self._paying.explain(charge)
        other = await self._confirmations.open_equal(charge)
        if other is not None and other.id != warned_of:
            raise BuyAgainError(charge, other)
        await self._permission.require_spending(charge.identity)
        link = await self._accounts.former_link(charge.identity)
        if link is not None and link.waits_since is not None:
            raise RuleError(Rule.NOT_LET_IN)
        return memberships

    async def cancel(self, identity: Identity, charge_id: str) -> Charge:
        """Cancel a proposal and return it; any other charge is returned unchanged.

        Raises:
            ChargeNotFoundError: this person has no such charge.
        """
        cancelled = await self._charges.cancel(charge_id, identity.key, now=self._clock.now())
        return cancelled or await self._mine(identity, charge_id)

    async def check_again(self, identity: Identity, charge_id: str, *, view_id: str | None) -> Charge:
        """Have the portal asked about an open charge now; `view_id` is a modal to update as well.

        Raises:
            ChargeNotFoundError: this person has no such charge.
            CannotAskError: the charge has no portal id and is older than a day.
            AskedTooSoonError: it has no portal id, and its request may not be sent again yet.
        """
        charge = await self._mine(identity, charge_id)
        now = self._clock.now()
        if charge.state not in OPEN:
            return charge
        if not can_be_asked_about(charge, now):
            raise CannotAskError(charge.portal_url)
        may_be_sent_at = may_be_sent_again_at(charge, now)
        if charge.portal_charge_id is None and now < may_be_sent_at:
            raise AskedTooSoonError(may_be_sent_at)
        await self._charges.ask_check(charge_id, now=now, view_id=view_id)
        return charge

    async def resume(
        self, identity: Identity, charge_id: str, *, view_id: str | None, warned_of: str | None = None
    ) -> tuple[Charge, bool]:
        """Continue a charge that waited for the billing permission: same row, same key, once.

        Return the charge, and whether it was waiting; `view_id` is a modal to update. The portal's state is
        checked first, because a refused request would end the purchase.

        Raises:
            ChargeNotFoundError: this person has no such charge.
            PermissionMissingError: the permission has not been granted yet.
            RuleError: an operator's rule forbids it now.
            BuyAgainError: as for `confirm`.
            RequestError: this person may not pay the request any more, by the policy.
            NotAllowedError: the role, the organization's switch, or a missing payment method.
            PortalRefusalError: ORG_ACCESS_DENIED, it was confirmed for another account.
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
        """
        current = await self._mine(identity, charge_id)
        if current.state is not ChargeState.NEEDS_SCOPE:
            return current, False
        await self._require_permission(identity, current)
        await self._permission.require_spending(identity)
        await self._require_possible(identity, current)
        memberships = await self._paying.require_resuming(current)
        now = self._clock.now()
        resumed = await self._confirmations.resume(
            charge_id,
            identity,
            now=now,
            view_id=view_id,
            warned_of=warned_of,
            since=self._permission.day_begins(),
            check_limits=self._permission.rules.require,
            memberships=memberships,
        )
        if resumed is None:
            current = await self._mine(identity, charge_id)
            other = await self._confirmations.open_equal(current)
            if current.state is ChargeState.NEEDS_SCOPE and other is not None and other.id != warned_of:
                raise BuyAgainError(current, other)
        return resumed or current, resumed is not None

    async def _require_permission(self, identity: Identity, charge: Charge) -> None:
        """Check that the charge has the permission: it is recorded, or a link made since has it.

        An older release recorded nothing. The permission may also come just as the portal refuses.
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
        """Return the person's charge that a grant is for; None if it is for something else."""
        if not isinstance(grant.purpose, Resume):
            return None
        return await self._charges.get(grant.purpose.charge_id, owner=grant.identity.key)

    async def history(self, identity: Identity, *, limit: int = 20, offset: int = 0) -> Sequence[Charge]:
        """Return the person's confirmed charges, newest first."""
        return await self._charges.of_owner(identity.key, limit=limit, offset=offset)

    async def trace(self, identity: Identity, named: str | None) -> Charge:
        """Return one of the person's charges; without `named`, their newest confirmed one.

        `named` is our id or the portal's, or the beginning of either.

        Raises:
            ChargeNotFoundError: this person has no such charge.
            SeveralChargesError: more than one begins with `named`.
        """
        if named is not None:
            return await self._charges.find(identity.key, named)
        newest = await self.history(identity, limit=1)
        if not newest:
            raise ChargeNotFoundError
        return newest[0]

    async def _mine(self, identity: Identity, charge_id: str) -> Charge:
        charge = await self._charges.get(charge_id, owner=identity.key)
        if charge is None:
            raise ChargeNotFoundError
        return charge

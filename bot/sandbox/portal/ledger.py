"""The ledger: charges, upgrades, idempotency keys and hourly limits.

The final status of a charge is fixed when the charge is made, and becomes visible at its time. A
settled charge changes the organization's balance and monthly total exactly once, at the next read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.models import tier_of
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.wire import sum_of, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.sandbox.portal.ids import Identifiers
    from bot.sandbox.portal.models import Organization
    from bot.sandbox.portal.scenario import Outcome

HOUR_SECONDS = 3600


@dataclass(kw_only=True, slots=True)
class Charge:
    """A charge of a payment method. Times are Unix seconds.

    Attributes:
        organization: The slug of the organization.
        person: The key of the person who charged.
        token: The access token of the request.
        status: `pending`, `settled` or `failed`, as of the last read.
        settle_at: The time at which the status becomes final, or None for a charge that stays pending.
        final_status: The status at that time.
        reason: The reason of a failure.
    """

    id: str
    organization: str
    person: str
    amount: Decimal
    idempotency_key: str
    token: str
    created_at: float
    settle_at: float | None
    final_status: str
    reason: str | None
    status: str = "pending"


@dataclass(kw_only=True, slots=True)
class ChargePost:
    """One received `POST /charge`.

    Attributes:
        amount: The amount, or None when it was not a JSON number.
        status: The status code of the answer. None before the answer and for a dropped connection.
        answer: The charge's id, the error code, or another short description of the answer.
    """

    key: str | None
    amount: Decimal | None
    organization: str | None
    person: str | None
    at: float
    status: int | None = None
    answer: str = ""


@dataclass(kw_only=True, slots=True)
class Upgrade:
    """A paid upgrade of a plan. Times are Unix seconds.

    Attributes:
        applies_at: The time at which the organization's plan changes.
        applied: Whether the plan has changed.
    """

    organization: str
    person: str
    tier: str
    idempotency_key: str
    at: float
    applies_at: float
    applied: bool = False


@dataclass(kw_only=True, slots=True)
class Ledger:
    """The charges, the upgrades and their idempotency keys."""

    now: Callable[[], float]
    ids: Identifiers
    organizations: Mapping[str, Organization]
    posts: list[ChargePost] = field(default_factory=list)
    upgrades: list[Upgrade] = field(default_factory=list)
    _charges: list[Charge] = field(default_factory=list)
    _by_key: dict[tuple[str, str], Charge] = field(default_factory=dict)

    def charges(self) -> list[Charge]:
        """Return all charges with their current status, oldest first."""
        self.settle()
        return self._charges

    def find(self, charge_id: str, organization: str) -> Charge | None:
        """Return the organization's charge with this id, or None."""
        mine = (c for c in self.charges() if c.organization == organization)
        return next((charge for charge in mine if charge.id == charge_id), None)

    def made_before(self, organization: str, key: str, amount: Decimal) -> Charge | None:
        """Return the charge with this idempotency key, or None.

        Raises:
            RefusalError: `idempotency_conflict`, when the charge has a different amount.
        """
        earlier = self._by_key.get((organization, key))
        if earlier is not None and earlier.amount != amount:
            raise RefusalError.of("idempotency_conflict")
        return earlier

    def make(
        self, organization: str, person: str, amount: Decimal, key: str, token: str, outcome: Outcome
    ) -> Charge:
        """Make a charge and store it under its idempotency key."""
        now = self.now()
        charge = Charge(
            id=self.ids.opaque("ch_", self.organizations[organization].charge_id_length),
            organization=organization,
            person=person,
            amount=amount,
            idempotency_key=key,
            token=token,
            created_at=now,
            settle_at=None if outcome.status == "pending" else now + outcome.after,
            final_status=outcome.status,
            reason=outcome.reason,
        )
        self._charges.append(charge)
        self._by_key[organization, key] = charge
        return charge

    def settle(self) -> None:
        """Apply the charges and upgrades that are due."""
        now = self.now()
        for charge in self._charges:
            if charge.status != "pending" or charge.settle_at is None or now < charge.settle_at:
                continue
            charge.status = charge.final_status
            if charge.status == "settled":
                self._add_to_balance(charge)
        for upgrade in self.upgrades:
            if not upgrade.applied and now >= upgrade.applies_at:
                self._apply(upgrade)

    def tier_paid_for(self, organization: str) -> str | None:
        """Return the plan of a paid upgrade that is not applied yet, or None."""
        waiting = (each for each in reversed(self.upgrades) if each.organization == organization)
        return next((each.tier for each in waiting if not each.applied), None)

    def _add_to_balance(self, charge: Charge) -> None:
        organization = self.organizations[charge.organization]
        organization.balance = sum_of(organization.balance, charge.amount)
        if organization.cap is not None:
            organization.cap.spent = sum_of(organization.cap.spent, charge.amount)

    def _apply(self, upgrade: Upgrade) -> None:
        upgrade.applied = True
        subscription = self.organizations[upgrade.organization].subscription
        before = None if subscription is None else tier_of(subscription.tier)
        after = tier_of(upgrade.tier)
        if subscription is None or before is None or after is None:
            return
        subscription.credits_remaining = sum_of(
            subscription.credits_remaining, after.monthly_credits, -before.monthly_credits
        )
        subscription.tier, subscription.pending_tier, subscription.cancels = after.id, None, False

    def left_of_cap(self, organization: Organization) -> Decimal | None:
        """Return the US dollars that may still be charged this month, or None without a cap.

        Pending charges count as spent. Otherwise two quick charges could exceed the cap.
        """
        if organization.cap is None:
            return None
        under_way = sum_of(
            *(
                charge.amount
                for charge in self.charges()
                if charge.organization == organization.slug
                and charge.status == "pending"
                and charge.final_status == "settled"
            )
        )
        cap = organization.cap
        return max(Decimal(0), sum_of(cap.limit, -cap.spent, -under_way))

    def check_hourly_limit(self, organization: str, token: str, limit: int | None) -> None:
        """Check the hourly number of charges of an organization and of a token.

        Raises:
            RefusalError: `rate_limited`, with the seconds until the next charge is allowed.
        """
        if limit is None:
            return
        since = self.now() - HOUR_SECONDS
        recent = [charge for charge in self._charges if charge.created_at > since]
        for counted in (
            [charge for charge in recent if charge.organization == organization],
            [charge for charge in recent if charge.token == token],
        ):
            if len(counted) >= limit:
                oldest = counted[-limit].created_at if limit else self.now()
                wait = whole_seconds(oldest + HOUR_SECONDS - self.now())
                raise RefusalError.of("rate_limited", retry_after=wait)

    def clear(self) -> None:
        """Forget every charge, key and upgrade."""
        for records in (self.posts, self.upgrades, self._charges):
            records.clear()
        self._by_key.clear()

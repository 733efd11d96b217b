"""The books: charges made at the payment processor, idempotency keys, hourly limits.

A charge's fate is decided when it is made; the clock only reveals it. Settling adds to the
organisation's balance and month exactly once, the next time anybody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.wire import sum_of, whole_seconds
from bot.sandbox.portal.world import tier_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.sandbox.portal.ids import Identifiers
    from bot.sandbox.portal.scenarios import Outcome
    from bot.sandbox.portal.world import Organisation

HOUR_SECONDS = 3600


@dataclass(kw_only=True, slots=True)
class Charge:
    """Money taken, or tried to be taken, from a card. Moments are Unix seconds.

    Attributes:
        organisation: The slug.
        person: The key of who charged.
        token: The access token that was shown.
        status: `pending`, `settled` or `failed`, as of the last time anybody asked.
        settle_at: When the status becomes final; None when it never does.
        fate: The status it reaches then.
        reason: Why it fails.
    """

    id: str
    organisation: str
    person: str
    amount: Decimal
    idempotency_key: str
    token: str
    created_at: float
    settle_at: float | None
    fate: str
    reason: str | None
    status: str = "pending"


@dataclass(kw_only=True, slots=True)
class ChargePost:
    """One `POST /charge` that arrived.

    Attributes:
        amount: None when it was not a JSON number.
        status: The status code of the answer; None as long as there is none, and for a
            connection that was dropped.
        answer: The charge's id, the error's code, or what else became of it.
    """

    key: str | None
    amount: Decimal | None
    organisation: str | None
    person: str | None
    at: float
    status: int | None = None
    answer: str = ""


@dataclass(kw_only=True, slots=True)
class Upgrade:
    """A plan upgrade that was paid for. Moments are Unix seconds.

    Attributes:
        applies_at: When the organization's plan becomes the new one.
        applied: Whether it has.
    """

    organisation: str
    person: str
    tier: str
    idempotency_key: str
    at: float
    applies_at: float
    applied: bool = False


@dataclass(kw_only=True, slots=True)
class Ledger:
    """Every charge that was made, and the keys under which they were made."""

    now: Callable[[], float]
    ids: Identifiers
    organisations: Mapping[str, Organisation]
    posts: list[ChargePost] = field(default_factory=list)
    upgrades: list[Upgrade] = field(default_factory=list)
    _charges: list[Charge] = field(default_factory=list)
    _by_key: dict[tuple[str, str], Charge] = field(default_factory=dict)

    def charges(self) -> list[Charge]:
        """All charges, oldest first, as they stand now."""
        self.settle()
        return self._charges

    def find(self, charge_id: str, organisation: str) -> Charge | None:
        """The organisation's charge as it stands now; another's is not found."""
        mine = (c for c in self.charges() if c.organisation == organisation)
        return next((charge for charge in mine if charge.id == charge_id), None)

    def made_before(self, organisation: str, key: str, amount: Decimal) -> Charge | None:
        """The charge that was made under this key.

        Raises:
            RefusalError: `idempotency_conflict`, when its amount was another.
        """
        earlier = self._by_key.get((organisation, key))
        if earlier is not None and earlier.amount != amount:
            raise RefusalError.of("idempotency_conflict")
        return earlier

    def make(
        self, organisation: str, person: str, amount: Decimal, key: str, token: str, fate: Outcome
    ) -> Charge:
        """Take the money: from here on the key stands for this charge."""
        now = self.now()
        charge = Charge(
            id=self.ids.opaque("ch_", self.organisations[organisation].charge_id_length),
            organisation=organisation,
            person=person,
            amount=amount,
            idempotency_key=key,
            token=token,
            created_at=now,
            settle_at=None if fate.status == "pending" else now + fate.after,
            fate=fate.status,
            reason=fate.reason,
        )
        self._charges.append(charge)
        self._by_key[organisation, key] = charge
        return charge

    def settle(self) -> None:
        """Book what has become final by now."""
        now = self.now()
        for charge in self._charges:
            if charge.status != "pending" or charge.settle_at is None or now < charge.settle_at:
                continue
            charge.status = charge.fate
            if charge.status == "settled":
                self._book(charge)
        for upgrade in self.upgrades:
            if not upgrade.applied and now >= upgrade.applies_at:
                self._apply(upgrade)

    def tier_paid_for(self, organisation: str) -> str | None:
        """The plan of an upgrade that was paid for and does not show yet."""
        waiting = (each for each in reversed(self.upgrades) if each.organisation == organisation)
        return next((each.tier for each in waiting if not each.applied), None)

    def _book(self, charge: Charge) -> None:
        organisation = self.organisations[charge.organisation]
        organisation.balance = sum_of(organisation.balance, charge.amount)
        if organisation.cap is not None:
            organisation.cap.spent = sum_of(organisation.cap.spent, charge.amount)

    def _apply(self, upgrade: Upgrade) -> None:
        upgrade.applied = True
        subscription = self.organisations[upgrade.organisation].subscription
        before = None if subscription is None else tier_of(subscription.tier)
        after = tier_of(upgrade.tier)
        if subscription is None or before is None or after is None:
            return
        subscription.credits_remaining = sum_of(
            subscription.credits_remaining, after.monthly_credits, -before.monthly_credits
        )
        subscription.tier, subscription.pending_tier, subscription.cancels = after.id, None, False

    def left_of_cap(self, organisation: Organisation) -> Decimal | None:
        """US dollars that may still be charged this month; None without a cap.

        Money under way counts as spent, or two quick charges would pass where one may.
        """
        if organisation.cap is None:
            return None
        under_way = sum_of(
            *(
                charge.amount
                for charge in self.charges()
                if charge.organisation == organisation.slug
                and charge.status == "pending"
                and charge.fate == "settled"
            )
        )
        cap = organisation.cap
        return max(Decimal(0), sum_of(cap.limit, -cap.spent, -under_way))

    def check_hourly_limit(self, organisation: str, token: str, limit: int | None) -> None:
        """Let so many charges by per organisation and hour, and per token and hour.

        Raises:
            RefusalError: `rate_limited`, with the seconds until the next one may come.
        """
        if limit is None:
            return
        since = self.now() - HOUR_SECONDS
        recent = [charge for charge in self._charges if charge.created_at > since]
        for counted in (
            [charge for charge in recent if charge.organisation == organisation],
            [charge for charge in recent if charge.token == token],
        ):
            if len(counted) >= limit:
                oldest = counted[-limit].created_at if limit else self.now()
                wait = whole_seconds(oldest + HOUR_SECONDS - self.now())
                raise RefusalError.of("rate_limited", retry_after=wait)

    def clear(self) -> None:
        """Forget every charge, key and upgrade."""
        for book in (self.posts, self.upgrades, self._charges):
            book.clear()
        self._by_key.clear()

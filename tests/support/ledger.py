"""The ledger as storage tests use it: charges, their confirmation, and one sample charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import update

from bot.domain.charge import Charge, ChargeState
from bot.domain.identity import Identity
from bot.domain.payment import PaymentMethod
from bot.engine import Engine, Kind, Lease
from bot.metrics import Metrics
from bot.storage.charges.confirmation import ConfirmationStore
from bot.storage.charges.store import ChargeStore
from bot.storage.tables import charges

if TYPE_CHECKING:
    from bot.domain.clock import Clock
    from bot.engine import Leases
    from bot.storage.database import Database

T = TypeVar("T")
ADA = Identity(enterprise="", team="T0ACME", user="U0ADA")
GRACE = Identity(enterprise="", team="T0ACME", user="U0GRACE")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Ledger(ChargeStore):
    """Both stores of charges, and changes by state alone."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        confirmations = ConfirmationStore(database)
        self.confirm = confirmations.confirm
        self.resume = confirmations.resume
        self.open_equal = confirmations.open_equal
        self.spent = confirmations.spent

    async def move(
        self, lease: Lease[Charge], before: ChargeState, after: ChargeState, **changes: Any
    ) -> Charge:
        """Save a change of state, as seen by a run that found the charge in the state `before`."""
        found = replace(await self.stored(lease), state=before)
        return await self.save(lease, found, replace(found, state=after, **changes))

    async def change(self, lease: Lease[Charge], **changes: Any) -> Charge:
        """Save a change that leaves the state."""
        found = await self.stored(lease)
        return await self.save(lease, found, replace(found, **changes))

    async def stored(self, lease: Lease[Charge]) -> Charge:
        found = await self.get(lease.id)
        assert found is not None
        return found


def sample_charge(
    clock: Clock, *, charge_id: str = "c1", identity: Identity = ADA, amount: str = "50.00"
) -> Charge:
    return Charge(
        id=charge_id,
        identity=identity,
        state=ChargeState.PROPOSED,
        amount=Decimal(amount),
        idempotency_key=f"key-{charge_id}",
        account_id="did:ada",
        organization_id="org_acme",
        organization_name="Acme Research",
        payment_method=PaymentMethod(brand="visa", last4="4242"),
        created_at=clock.now(),
        portal_url="https://portal.nousresearch.com/billing",
    )


async def held(leases: Leases[T], clock: Clock, seconds: float = 15) -> Lease[T]:
    """Claim the one thing that is due, as the engine does."""

    async def never(_lease: Lease[T]) -> datetime | None:
        return None

    claims = await leases.claim(10, seconds)
    assert len(claims) == 1
    kind = Kind(leases=leases, advance=never)
    return Lease(Engine([kind], clock, Metrics()), kind, claims[0], good_until=float("inf"))


async def end_leases(database: Database) -> None:
    """Let every lease of a charge be over, whichever clock decides."""
    async with database.transaction() as connection:
        await connection.execute(update(charges).values(lease_until=datetime(1970, 1, 1, tzinfo=UTC)))

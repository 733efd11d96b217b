"""The ledger as storage tests use it: charges, their confirmation, their leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import update

from bot.engine import Engine, Kind, Lease
from bot.metrics import Metrics
from bot.storage.budget_notes import BudgetNotes
from bot.storage.charges.confirmation import ConfirmationStore
from bot.storage.charges.store import ChargeStore
from bot.storage.deliveries import DeliveryStore
from bot.storage.policies import PolicyStore
from bot.storage.requests.deciding import Deciding
from bot.storage.requests.line import TwoPeopleLine
from bot.storage.requests.store import RequestStore
from bot.storage.requests.votes import Votes
from bot.storage.tables import charges
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from bot.domain.charge import Charge, ChargeState
    from bot.domain.clock import Clock
    from bot.engine import Leases
    from bot.storage.database import Database

T = TypeVar("T")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def request_store(database: Database) -> RequestStore:
    """The requests, without anybody who watches them."""
    return RequestStore(database, DeliveryStore(database, CIPHER), Votes(CIPHER))


def deciding_on(database: Database, requests: RequestStore) -> Deciding:
    """The decisions on these requests."""
    deliveries = DeliveryStore(database, CIPHER)
    policies = PolicyStore(database, CIPHER, deliveries)
    line = TwoPeopleLine(database, policies)
    return Deciding(database, requests, policies, line, BudgetNotes(deliveries))


class Ledger(ChargeStore):
    """Both stores of charges, and changes by state alone."""

    def __init__(self, database: Database) -> None:
        requests = request_store(database)
        super().__init__(database, CIPHER, requests)
        confirmations = ConfirmationStore(database, CIPHER, deciding_on(database, requests))
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

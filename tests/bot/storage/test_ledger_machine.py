"""The ledger under every order of events that hypothesis can think of, beside a model of a dozen lines."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update

from bot.domain.charge import TERMINAL, TRANSITIONS, Charge, ChargeState, IllegalTransitionError
from bot.engine import Engine, Kind, Lease, LeaseLostError
from bot.metrics import Metrics
from bot.storage.database import Database
from bot.storage.schema import migrate
from bot.storage.tables import charges, deliveries
from tests.support.ledger import LONG_AGO, Ledger
from tests.support.postgresql import new_database
from tests.support.samples import ADA, CIPHER, GRACE, sample_charge

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from bot.domain.identity import Identity
    from tests.bot.conftest import HandClock

PEOPLE = [ADA, GRACE]
NUMBERS = itertools.count()


@dataclass
class Model:
    """What the ledger should say of one charge."""

    owner: Identity
    state: ChargeState = ChargeState.PROPOSED
    holder: str | None = None
    history: list[ChargeState] = field(default_factory=lambda: [ChargeState.PROPOSED])

    def enter(self, state: ChargeState) -> None:
        self.state = state
        self.history.append(state)


class LedgerMachine(RuleBasedStateMachine):
    """Propose, confirm, cancel, claim, move, give back, and let leases end, in any order."""

    ids = Bundle("ids")
    leases = Bundle("leases")

    def __init__(self, runner: asyncio.Runner, database: Database, clock: HandClock) -> None:
        super().__init__()
        self.runner = runner
        self.database = database
        self.clock = clock
        self.store = Ledger(database)
        self.model: dict[str, Model] = {}
        self.kind = Kind(leases=self.store.leases, advance=_never)
        self.engine = Engine([self.kind], clock, Metrics())

    def do(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    @rule(target=ids, owner=st.sampled_from(PEOPLE))
    def propose(self, owner: Identity) -> str:
        number = next(NUMBERS)
        charge_id = f"c{number}"
        # No two amounts alike: an equal one would be asked about first.
        charge = sample_charge(self.clock, charge_id=charge_id, identity=owner, amount=str(number))
        self.do(self.store.add(charge, due_at=self.clock.now()))
        self.model[charge_id] = Model(owner=owner)
        return charge_id

    @rule(charge_id=ids, owner=st.sampled_from(PEOPLE))
    def confirm(self, charge_id: str, owner: Identity) -> None:
        step = self.store.confirm(charge_id, owner, now=self.clock.now(), made_after=LONG_AGO, view_id=None)
        self._as_expected(charge_id, owner, self.do(step), ChargeState.PROPOSED, ChargeState.CONFIRMED)

    @rule(charge_id=ids, owner=st.sampled_from(PEOPLE))
    def cancel(self, charge_id: str, owner: Identity) -> None:
        step = self.store.cancel(charge_id, owner.key, now=self.clock.now())
        self._as_expected(charge_id, owner, self.do(step), ChargeState.PROPOSED, ChargeState.CANCELLED)

    @rule(charge_id=ids, owner=st.sampled_from(PEOPLE))
    def resume(self, charge_id: str, owner: Identity) -> None:
        step = self.store.resume(charge_id, owner, now=self.clock.now(), view_id=None)
        self._as_expected(charge_id, owner, self.do(step), ChargeState.NEEDS_SCOPE, ChargeState.CONFIRMED)

    def _as_expected(
        self,
        charge_id: str,
        owner: Identity,
        changed: Charge | None,
        before: ChargeState,
        after: ChargeState,
    ) -> None:
        model = self.model[charge_id]
        assert (changed is not None) == (model.owner == owner and model.state is before)
        if changed is not None:
            assert changed.state is after
            model.enter(after)

    @rule(target=leases)
    def claim(self) -> list[Lease[Charge]]:
        claims = self.do(self.store.leases.claim(100, 15))
        for claim in claims:
            assert self.model[claim.id].holder is None
            self.model[claim.id].holder = claim.token
        return [Lease(self.engine, self.kind, claim, good_until=float("inf")) for claim in claims]

    @rule()
    def let_all_leases_end(self) -> None:
        """Every process that held something is paused, or dead."""
        self.do(self._execute(update(charges).values(lease_until=datetime(1970, 1, 1, tzinfo=UTC))))
        for model in self.model.values():
            model.holder = None

    @rule(held=leases, data=st.data(), after=st.sampled_from(ChargeState))
    def move(self, held: list[Lease[Charge]], data: st.DataObject, after: ChargeState) -> None:
        if not held:
            return
        lease = data.draw(st.sampled_from(held))
        model = self.model[lease.id]
        if after is model.state:
            return  # that stores facts alone
        # The row knows the last holder until the next claim: only who was claimed after is fenced off.
        holder = self.do(self._scalar(select(charges.c.lease_token).where(charges.c.id == lease.id)))
        try:
            self.do(self.store.move(lease, model.state, after))
        except IllegalTransitionError:
            assert after not in TRANSITIONS[model.state] or after is ChargeState.CONFIRMED
        except LeaseLostError:
            assert holder != lease.token
        else:
            assert holder == lease.token
            model.enter(after)
            if after in TERMINAL:  # given back with its end
                model.holder = None

    @rule(held=leases, again=st.booleans())
    def release(self, held: list[Lease[Charge]], again: bool) -> None:
        for lease in held:
            due_at = self.clock.now() if again else None
            self.do(self.store.leases.release(lease.claim, due_at, failed=again))
            if self.model[lease.id].holder == lease.token:
                self.model[lease.id].holder = None

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        for charge_id, model in self.model.items():
            charge = self.do(self.store.get(charge_id))
            assert charge is not None
            assert charge.state is model.state
            delivery = self.do(self._scalar(select(deliveries.c.id).where(deliveries.c.id == charge_id)))
            assert (delivery is not None) == (ChargeState.CONFIRMED in model.history)

    @invariant()
    def every_life_follows_the_arrows(self) -> None:
        for model in self.model.values():
            for before, after in itertools.pairwise(model.history):
                assert after in TRANSITIONS[before]

    def teardown(self) -> None:
        self.do(self._execute(update(charges).values(due_at=None, lease_token=None, lease_until=None)))

    async def _execute(self, statement: Any) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement)

    async def _scalar(self, statement: Any) -> Any:
        async with self.database.transaction() as connection:
            return await connection.scalar(statement)


async def _never(_lease: Lease[Charge]) -> datetime | None:
    return None


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_no_order_of_events_breaks_the_ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock, kind: str
) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
        if kind == "postgresql":
            server = request.getfixturevalue("postgresql_server")
            url = runner.run(stack.enter_async_context(new_database(server)))
        database = Database(url, clock)
        runner.run(migrate(database, CIPHER))
        try:
            run_state_machine_as_test(
                lambda: LedgerMachine(runner, database, clock),  # type: ignore[arg-type]
                settings=settings(
                    max_examples=min(25, (settings.default or settings()).max_examples),
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.aclose())
            runner.run(stack.aclose())

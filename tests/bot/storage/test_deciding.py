"""The statement that decides on a request says yes exactly where the model in Python does."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from bot.domain.charge import ChargeState
from bot.domain.request import (
    TAKE_OVER_AFTER,
    Actor,
    FundsRequest,
    RequestState,
    obstacle,
)
from bot.storage.charges.confirmation import ConfirmationStore
from bot.storage.charges.rows import values_of as charge_values
from bot.storage.database import Database
from bot.storage.deliveries import DeliveryStore
from bot.storage.requests.rows import values_of as request_values
from bot.storage.requests.store import RequestStore
from bot.storage.schema import migrate
from bot.storage.tables import charges, links, requests
from tests.bot.conftest import HandClock
from tests.support.postgresql import new_database
from tests.support.samples import ADA, CIPHER, GRACE, PORTAL, sample_charge, sample_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.storage.connection import Transaction

T = TypeVar("T")

CASES = 50
EXAMPLES = 1_000 if os.environ.get("PROVE") else 6
"""Each example is CASES decisions: in `make prove` both databases together decide 10⁵ of them."""

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One click: what stands in the rows, and who comes with which version at which moment."""

    state: RequestState
    other: str | None
    """The charge that is to pay it: one that waits, for a short or a long time, or one under way."""
    shown: int
    amount: str
    ends_in: int
    is_requester: bool
    account: str
    organization: str
    base_url: str
    team: str
    link: str


def rarely(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Mostly the value that allows a decision, so that a single other one is what refuses it."""
    return st.sampled_from([usual] * 6 + list(others))


cases = st.builds(
    Case,
    state=st.sampled_from([RequestState.OPEN] * 8 + [RequestState.CHARGING] * 6 + list(RequestState)),
    other=st.sampled_from([None, "waits", "waited", "waited", "waited", "under way"]),
    shown=rarely(2, 1, 3),
    amount=rarely("50.00", "80.00"),
    ends_in=rarely(3600, 0, 1, -1),
    is_requester=rarely(False, True),
    account=rarely("did:ada", "did:linus"),
    organization=rarely("org_acme", "org_globex"),
    base_url=rarely(PORTAL, "https://other.example"),
    team=rarely("T0ACME", "T0OTHER"),
    link=rarely("good", "none", "dead", "waits", "other account", "other organization"),
)


GOOD = Case(
    state=RequestState.OPEN,
    other=None,
    shown=2,
    amount="50.00",
    ends_in=3600,
    is_requester=False,
    account="did:ada",
    organization="org_acme",
    base_url=PORTAL,
    team="T0ACME",
    link="good",
)


class _RolledBackError(Exception):
    pass


class AsyncStage(Generic[T]):
    """An asynchronous context manager in a test that is none."""

    def __init__(self, runner: asyncio.Runner, manager: AbstractAsyncContextManager[T]) -> None:
        self._runner = runner
        self._manager = manager

    def __enter__(self) -> T:
        return self._runner.run(self._manager.__aenter__())

    def __exit__(self, *_error: object) -> None:
        self._runner.run(self._manager.__aexit__(None, None, None))


class Bench:
    """The stores, and one case at a time in a transaction that is never committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = RequestStore(database, DeliveryStore(database, CIPHER))
        self._confirmations = ConfirmationStore(database, CIPHER, self._store)

    async def differences(self, drawn: list[Case]) -> list[Case]:
        """Return the cases in which the statements and the model disagree."""
        return [case for case in drawn if await self._says_yes(case) is not model(case, self._clock)]

    @property
    def _clock(self) -> Clock:
        return self._database.clock

    async def _says_yes(self, case: Case) -> bool:
        decided = False
        with suppress(_RolledBackError):
            async with self._database.transaction() as transaction:
                charge = await self._prepare(transaction, case)
                with suppress(Exception):
                    await self._confirmations._decide(transaction, charge)
                    decided = True
                raise _RolledBackError
        return decided

    async def _prepare(self, transaction: Transaction, case: Case) -> Charge:
        request, other, charge = rows(case, self._clock)
        for table in (requests, charges, links):
            await transaction.execute(delete(table))
        await transaction.execute(insert(requests).values(**request_values(request)))
        for each in (other, charge):
            if each is not None:
                await transaction.execute(insert(charges).values(**charge_values(each)))
        await self._connect(transaction, case, charge)
        return charge

    async def _connect(self, transaction: Transaction, case: Case, charge: Charge) -> None:
        if case.link == "none":
            return
        made = sample_link(self._clock, identity=charge.identity, base_url=case.base_url)
        account = replace(
            made.account,
            account_id="did:other" if case.link == "other account" else case.account,
            organization_id="org_other" if case.link == "other organization" else case.organization,
        )
        values = {
            "owner": charge.identity.key,
            "enterprise": "",
            "team": charge.identity.team,
            "user": charge.identity.user,
            "base_url": case.base_url,
            "account_id": account.account_id,
            "organization_id": account.organization_id,
            "scope": "",
            "expires_at": made.expires_at,
            "sealed_tokens": None if case.link == "dead" else b"sealed",
            "generation": 1,
            "linked_at": made.linked_at,
            "waits_since": made.linked_at if case.link == "waits" else None,
        }
        await transaction.execute(insert(links).values(**values))


def rows(case: Case, clock: Clock) -> tuple[FundsRequest, Charge | None, Charge]:
    """Return the request, the charge that is to pay it, and the one that is about to."""
    now = clock.now()
    other = None
    if case.state is RequestState.CHARGING and case.other is not None:
        waited = TAKE_OVER_AFTER + SECOND if case.other == "waited" else TAKE_OVER_AFTER
        state = ChargeState.CONFIRMED if case.other == "under way" else ChargeState.NEEDS_SCOPE
        made = sample_charge(clock, charge_id="other", identity=GRACE, account="did:grace")
        other = replace(made, state=state, confirmed_at=now - waited, request_id="r1", request_version=2)
    actor = replace(ADA, team=case.team)
    request = FundsRequest(
        id="r1",
        requester=replace(actor, team="T0ACME") if case.is_requester else replace(ADA, user="U0LINUS"),
        base_url=PORTAL,
        account_id="did:linus",
        organization_id="org_acme",
        organization_name="Acme Research",
        amount=sample_charge(clock).amount,
        reason="tests",
        asked_at=now - timedelta(days=1),
        expires_at=now + case.ends_in * SECOND,
        state=case.state,
        version=2,
        charge_id=None if other is None else other.id,
    )
    charge = sample_charge(clock, charge_id="mine", identity=actor, amount=case.amount)
    charge = replace(
        charge,
        account_id=case.account,
        organization_id=case.organization,
        request_id="r1",
        request_version=case.shown,
    )
    return request, other, charge


def model(case: Case, clock: Clock) -> bool:
    """Whether this click counts, by the domain's own words and nothing else."""
    request, other, charge = rows(case, clock)
    actor = Actor(
        identity=charge.identity,
        base_url=case.base_url,
        account_id=case.account,
        organization_id=case.organization,
    )
    why = obstacle(request, actor, clock.now(), shown=case.shown, charge=other)
    return why is None and case.link == "good" and charge.amount == request.amount


@asynccontextmanager
async def bench(folder: Path, url: str | None) -> AsyncIterator[Bench]:
    database = Database(url or f"sqlite:///{folder / 'store.db'}", HandClock())
    await migrate(database, CIPHER)
    yield Bench(database)
    await database.aclose()


def differ_nowhere(runner: asyncio.Runner, on: Bench, examples: int) -> None:
    """Draw cases, and expect that the statements and the model agree in each."""

    # Without shrinking: the differences are single cases already.
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(drawn=st.lists(cases, min_size=CASES, max_size=CASES))
    def they_agree(drawn: list[Case]) -> None:
        assert runner.run(on.differences(drawn)) == []

    they_agree()


def test_the_statement_and_the_model_agree(tmp_path: Path) -> None:
    with asyncio.Runner() as runner, AsyncStage(runner, bench(tmp_path, None)) as on:
        differ_nowhere(runner, on, EXAMPLES)


@pytest.mark.postgresql
def test_they_agree_on_postgresql_too(tmp_path: Path, postgresql_server: str) -> None:
    with (
        asyncio.Runner() as runner,
        AsyncStage(runner, new_database(postgresql_server)) as url,
        AsyncStage(runner, bench(tmp_path, url)) as on,
    ):
        differ_nowhere(runner, on, EXAMPLES)


TAKEN_OVER = replace(GOOD, state=RequestState.CHARGING, other="waited")
FAULTS: tuple[dict[str, Any], ...] = (
    {"shown": 1},
    {"shown": 3},
    {"amount": "80.00"},
    {"ends_in": 0},
    {"ends_in": -1},
    {"is_requester": True},
    {"account": "did:linus"},
    {"organization": "org_globex"},
    {"base_url": "https://other.example"},
    {"team": "T0OTHER"},
    {"link": "none"},
    {"link": "dead"},
    {"link": "waits"},
    {"link": "other account"},
    {"link": "other organization"},
    *({"state": state, "other": None} for state in RequestState if state is not RequestState.OPEN),
    {"state": RequestState.CHARGING, "other": "waits"},
    {"state": RequestState.CHARGING, "other": "under way"},
)
"""Each is enough to refuse."""


@pytest.mark.parametrize("good", [GOOD, TAKEN_OVER], ids=["open", "taken over"])
async def test_without_a_fault_it_counts_and_each_single_fault_refuses_it(
    database: Database, clock: HandClock, good: Case
) -> None:
    on = Bench(database)
    assert model(good, clock)
    faulty = [replace(good, **fault) for fault in FAULTS]
    assert not any(model(case, clock) for case in faulty)
    assert await on.differences([good, *faulty]) == []

"""The statement that decides on a request says yes exactly where the model in Python does."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from bot.domain.policy import Policy
from bot.domain.request import RequestState
from bot.storage.charges.confirmation import ConfirmationStore
from bot.storage.charges.rows import values_of as charge_values
from bot.storage.database import Database
from bot.storage.deliveries import DeliveryStore
from bot.storage.policies import PolicyStore
from bot.storage.requests.rows import values_of as request_values
from bot.storage.requests.votes import Votes
from bot.storage.schema import migrate
from bot.storage.tables import charges, links, requests
from bot.storage.team_tables import policies, votes
from tests.bot.conftest import HandClock
from tests.support.decisions import (
    ACME,
    CHANNEL,
    GOOD,
    POLICIES,
    Case,
    bought,
    model,
    rows,
    vote_on,
)
from tests.support.ledger import deciding_on, request_store
from tests.support.postgresql import new_database
from tests.support.samples import CIPHER, GRACE, PORTAL, sample_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.vote import Vote
    from bot.storage.connection import Transaction

T = TypeVar("T")

CASES = 50
EXAMPLES = 1_000 if os.environ.get("PROVE") else 1 if os.environ.get("QUICK") else 6
"""Each example is CASES decisions: in `make prove` both databases together decide 10⁵ of them."""


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
    needed=rarely(1, 2, 2, 2),
    policies=st.sampled_from([*POLICIES, *["none"] * 3]),
    is_tampered=rarely(False, True),
    is_in_channel=rarely(True, False),
    added=st.sampled_from(["0", "0", "30", "29.99", "30 long ago"]),
    vote=st.sampled_from(
        [
            *["good"] * 8,
            *["none"] * 4,
            "own",
            "own account",
            "requester's",
            "other card",
            "other version",
            "void",
            "voter gone",
            "voter's session over",
        ]
    ),
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
        self._policies = PolicyStore(database, CIPHER, DeliveryStore(database, CIPHER))
        deciding = deciding_on(database, request_store(database))
        self._confirmations = ConfirmationStore(database, CIPHER, deciding)

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
                    memberships = {CHANNEL: case.is_in_channel}
                    await self._confirmations._decide(transaction, charge, memberships)
                    decided = True
                raise _RolledBackError
        return decided

    async def _prepare(self, transaction: Transaction, case: Case) -> Charge:
        request, other, charge = rows(case, self._clock)
        for table in (requests, charges, links, policies, votes):
            await transaction.execute(delete(table))
        await transaction.execute(insert(requests).values(**request_values(request)))
        for each in (other, charge, bought(case, request, self._clock)):
            if each is not None:
                await transaction.execute(insert(charges).values(**charge_values(each)))
        await self._set_policies(transaction, case)
        await self._connect(transaction, case, charge)
        await self._vote(transaction, case, charge, vote_on(case, request, charge, self._clock))
        return charge

    async def _set_policies(self, transaction: Transaction, case: Case) -> None:
        for version, policy in enumerate(POLICIES[case.policies], start=1):
            numbered = replace(policy, version=version)
            assert await self._policies.put(transaction, ACME, None, numbered, by=GRACE.key)
        if case.is_tampered:
            looser = Policy(request_max=Decimal(51))
            await transaction.execute(update(policies).values(facts=looser.to_text()))

    async def _vote(self, transaction: Transaction, case: Case, charge: Charge, vote: Vote | None) -> None:
        if vote is None:
            return
        await Votes(CIPHER).cast(transaction, vote)
        if vote.void_at is not None:
            await transaction.execute(update(votes).values(void_at=vote.void_at, void_why="edited"))
        if case.is_tampered:
            await transaction.execute(update(votes).values(signature="0" * 64))
        if vote.person.key == charge.identity.key or case.vote == "voter gone":
            return
        gone = "dead" if case.vote == "voter's session over" else "good"
        await self._link(transaction, vote.person, vote.account_id, "org_acme", PORTAL, gone)

    async def _connect(self, transaction: Transaction, case: Case, charge: Charge) -> None:
        if case.link == "none":
            return
        account = "did:other" if case.link == "other account" else case.account
        organization = "org_other" if case.link == "other organization" else case.organization
        await self._link(transaction, charge.identity, account, organization, case.base_url, case.link)

    async def _link(
        self,
        transaction: Transaction,
        identity: Identity,
        account: str,
        organization: str,
        base_url: str,
        how: str,
    ) -> None:
        made = sample_link(self._clock)
        values = {
            "owner": identity.key,
            "enterprise": "",
            "team": identity.team,
            "user": identity.user,
            "base_url": base_url,
            "account_id": account,
            "organization_id": organization,
            "scope": "",
            "expires_at": made.expires_at,
            "sealed_tokens": None if how == "dead" else b"sealed",
            "generation": 1,
            "linked_at": made.linked_at,
            "waits_since": made.linked_at if how == "waits" else None,
        }
        await transaction.execute(insert(links).values(**values))


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
    {"needed": 2},
    {"policies": "another person"},
    {"policies": "at most less"},
    {"policies": "the line at the amount"},
    {"policies": "the line taken away later"},
    {"policies": "the line moved down later"},
    {"policies": "the line above, reached by what was added", "added": "30"},
    {"policies": "a channel", "is_in_channel": False},
    {"policies": "a channel by now", "is_in_channel": False},
    {"policies": "this person", "is_tampered": True},
    *({"state": state, "other": None} for state in RequestState if state is not RequestState.OPEN),
    {"state": RequestState.CHARGING, "other": "waits"},
    {"state": RequestState.CHARGING, "other": "under way"},
)
"""Each is enough to refuse."""


AGREED = replace(GOOD, needed=2, vote="good")
NO_VOTES = ("none", "own", "own account", "other card", "other version", "void", "voter gone")


@pytest.mark.parametrize("good", [GOOD, TAKEN_OVER], ids=["open", "taken over"])
async def test_without_a_fault_it_counts_and_each_single_fault_refuses_it(
    database: Database, clock: HandClock, good: Case
) -> None:
    on = Bench(database)
    assert model(good, clock)
    faulty = [replace(good, **fault) for fault in FAULTS]
    assert not any(model(case, clock) for case in faulty)
    assert await on.differences([good, *faulty]) == []


async def test_of_two_people_the_second_pays_and_each_single_fault_of_the_vote_refuses_it(
    database: Database, clock: HandClock
) -> None:
    on = Bench(database)
    good = [
        AGREED,
        replace(AGREED, vote="requester's"),
        replace(AGREED, needed=1, policies="the line at the amount"),
    ]
    assert all(model(case, clock) for case in good)
    faulty = [replace(AGREED, vote=vote) for vote in (*NO_VOTES, "voter's session over")]
    faulty.append(replace(AGREED, is_tampered=True))
    assert not any(model(case, clock) for case in faulty)
    assert await on.differences([*good, *faulty]) == []


async def test_whoever_deletes_a_policy_lets_nobody_decide(database: Database, clock: HandClock) -> None:
    on = Bench(database)
    listed = replace(GOOD, policies="this person")
    assert model(listed, clock)
    assert await on.differences([listed]) == []

    async def without(transaction: Transaction, case: Case) -> None:
        await Bench._set_policies(on, transaction, case)
        await transaction.execute(delete(policies))

    on._set_policies = without  # type: ignore[method-assign]
    assert await on.differences([listed]) == [listed]

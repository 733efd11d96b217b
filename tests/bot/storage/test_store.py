from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text, update

from bot.domain.charge import Charge, ChargeState, IllegalTransitionError
from bot.domain.errors import RefusalCode
from bot.domain.identity import Account, Identity
from bot.domain.rules import Lock, Rule, RuleError
from bot.engine import LeaseLostError
from bot.storage.cipher import Cipher, CipherKeyError, SealBrokenError, generate_key
from bot.storage.connection import SecondProcessError
from bot.storage.database import Database, async_url
from bot.storage.deliveries import DeliveryStore
from bot.storage.links import Link, LinkStore
from bot.storage.locks import LockStore
from bot.storage.schema import is_current, migrate
from bot.storage.tables import charges, metadata
from tests.support.ledger import ADA, GRACE, LONG_AGO, Ledger, end_leases, held, sample_charge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bot.conftest import HandClock


async def test_a_charge_comes_back_as_it_was_stored(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.get("c1") == sample_charge(clock)
    assert await store.get("c1", owner=ADA.key) == sample_charge(clock)


async def test_somebody_elses_charge_is_not_there(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.get("c1", owner=GRACE.key) is None
    assert await store.confirm("c1", GRACE, now=clock.now(), made_after=LONG_AGO, view_id=None) is None
    assert await store.cancel("c1", GRACE.key, now=clock.now()) is None


@pytest.mark.behavior(27)
async def test_a_proposal_is_confirmed_once_and_has_one_message(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    first = await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id="V1")
    second = await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id="V2")
    assert first is not None
    assert first.state is ChargeState.CONFIRMED
    assert second is None
    message = await DeliveryStore(database, Cipher((generate_key(),))).get("c1")
    assert message is not None
    assert message.view_id == "V1"


async def test_a_cancelled_proposal_cannot_be_confirmed(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.cancel("c1", ADA.key, now=clock.now()) is not None
    assert await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None) is None


async def test_a_key_is_never_stored_twice(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.add(replace(sample_charge(clock), id="c2"), due_at=clock.now())


async def test_a_row_is_held_by_one_at_a_time_until_its_lease_ends(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert len(await store.leases.claim(10, 15)) == 1
    assert await store.leases.claim(10, 15) == []
    await end_leases(database)
    again = await store.leases.claim(10, 15)
    assert [claim.attempts for claim in again] == [2]


async def test_whoever_lost_the_lease_changes_nothing(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    paused = await held(store.leases, clock)
    await end_leases(database)
    winner = await held(store.leases, clock)

    with pytest.raises(LeaseLostError):
        await store.move(paused, ChargeState.CONFIRMED, ChargeState.SUBMITTED, portal_charge_id="x")
    with pytest.raises(LeaseLostError):
        await store.change(paused, checked_at=clock.now())
    await store.leases.release(paused.claim, None, failed=False)

    moved = await store.move(winner, ChargeState.CONFIRMED, ChargeState.SUBMITTED, portal_charge_id="y")
    assert moved.portal_charge_id == "y"
    assert await store.leases.renew([paused.claim, winner.claim], 15) == {("c1", winner.token)}


async def test_a_charge_that_cannot_be_read_keeps_no_other_from_going_on(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await store.add(sample_charge(clock, charge_id="c2", identity=GRACE), due_at=clock.now())
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    for charge_id, who in (("c1", ADA), ("c2", GRACE)):
        assert await store.confirm(charge_id, who, **yes) is not None
    async with database.transaction() as connection:
        await connection.execute(update(charges).where(charges.c.id == "c1").values(state="of 2027"))
    claims = {claim.id: claim for claim in await store.leases.claim(10, 15)}
    with pytest.raises(ValueError, match="of 2027"):
        claims["c1"].load()
    assert claims["c2"].load() is not None


async def test_a_state_that_has_changed_meanwhile_is_not_changed_again(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    lease = await held(store.leases, clock)
    await store.move(lease, ChargeState.CONFIRMED, ChargeState.REFUSED, refusal=RefusalCode.ROLE_REQUIRED)
    with pytest.raises(LeaseLostError):
        await store.move(lease, ChargeState.CONFIRMED, ChargeState.SUBMITTED)
    with pytest.raises(IllegalTransitionError):
        await store.move(lease, ChargeState.REFUSED, ChargeState.SETTLED)
    stored = await store.get("c1")
    assert stored is not None
    assert (stored.state, stored.refusal) == (ChargeState.REFUSED, RefusalCode.ROLE_REQUIRED)


async def test_a_wake_during_the_work_is_not_lost_on_release(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    lease = await held(store.leases, clock)
    await store.ask_check("c1", now=clock.now(), view_id=None)
    await store.leases.release(lease.claim, None, failed=False)
    assert await store.leases.next_due() == clock.now()


async def test_what_is_released_without_a_date_is_not_due_again(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    lease = await held(store.leases, clock)
    await store.leases.release(lease.claim, None, failed=False)
    clock.advance(days=365)
    assert await store.leases.claim(10, 15) == []
    assert await store.leases.next_due() is None


async def test_attempts_count_the_runs_since_the_last_proper_return(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    first = await held(store.leases, clock)
    await store.leases.release(first.claim, clock.now(), failed=True)
    second = await held(store.leases, clock)
    assert second.claim.attempts == 2
    await store.leases.release(second.claim, clock.now(), failed=False)
    assert (await held(store.leases, clock)).claim.attempts == 1


async def test_leases_of_a_former_life_are_cleared(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await held(store.leases, clock)
    await store.leases.clear()
    assert (await held(store.leases, clock)).claim.attempts == 2


@pytest.mark.parametrize(
    ("changed", "is_equal"),
    [
        ({}, True),
        ({"amount": "50.01"}, False),
        ({"identity": GRACE}, False),
    ],
)
async def test_a_yes_waits_beside_an_equal_charge_without_a_told_end(
    database: Database, clock: HandClock, changed: dict[str, Any], is_equal: bool
) -> None:
    store = Ledger(database)
    other = sample_charge(clock, charge_id="c2", **changed)
    for each in (sample_charge(clock), other):
        await store.add(each, due_at=clock.now())
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    assert await store.confirm("c1", ADA, **yes) is not None
    assert (await store.open_equal(other) is not None) == is_equal
    assert (await store.confirm("c2", other.identity, **yes) is None) == is_equal
    if is_equal:
        assert await store.confirm("c2", ADA, **yes, warned_of="c9") is None
        assert await store.confirm("c2", ADA, **yes, warned_of="c1") is not None


async def test_who_was_warned_of_the_last_equal_charge_was_warned_of_all_before_it(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    for charge_id in ("c1", "c2", "c3", "c4"):
        await store.add(sample_charge(clock, charge_id=charge_id), due_at=clock.now())
    await store.add(sample_charge(clock, charge_id="g1", identity=GRACE), due_at=clock.now())

    async def yes(charge_id: str, warned_of: str | None, who: Identity = ADA) -> Charge | None:
        clock.advance(seconds=1)
        return await store.confirm(
            charge_id, who, now=clock.now(), made_after=LONG_AGO, view_id=None, warned_of=warned_of
        )

    assert await yes("c2", None) is not None
    assert await yes("c1", "c2") is not None
    # Made before the other, and yet the last one that the person has said yes to.
    last = await store.open_equal(sample_charge(clock, charge_id="c3"))
    assert last is not None
    assert last.id == "c1"
    assert await yes("c3", "c2") is None
    assert await yes("c3", "c1") is not None
    assert await yes("c4", "c1") is None
    assert await yes("g1", None, GRACE) is not None
    assert await yes("c4", "g1") is None
    assert await yes("c4", "c3") is not None


async def test_of_equal_charges_confirmed_at_once_the_first_is_not_overlooked(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    for amount in range(50, 60):
        ids = [f"{amount}-{number}" for number in range(8)]
        for each in ids:
            await store.add(sample_charge(clock, charge_id=each, amount=str(amount)), due_at=clock.now())
        answers = await asyncio.gather(*(store.confirm(each, ADA, **yes) for each in ids))
        assert len([answer for answer in answers if answer is not None]) == 1
        stored = [await store.get(each) for each in ids]
        assert sorted(each.state for each in stored if each) == [
            ChargeState.CONFIRMED,
            *[ChargeState.PROPOSED] * 7,
        ]


async def test_a_yes_to_what_was_shown_too_long_ago_or_where_spending_is_locked_is_none(
    database: Database, clock: HandClock
) -> None:
    store, locks = Ledger(database), LockStore(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.confirm("c1", ADA, now=clock.now(), made_after=clock.now(), view_id=None) is None
    await locks.put(Lock(locked_by=GRACE, locked_at=clock.now(), reason=None))
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    assert await store.confirm("c1", ADA, **yes) is None
    await locks.remove(GRACE)
    assert await store.confirm("c1", ADA, **yes) is not None


async def test_what_judges_a_yes_undoes_it_by_raising(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())

    def check_limits(amount: Decimal, spent: Decimal | None) -> None:
        assert (amount, spent) == (Decimal("50.00"), Decimal(0))
        raise RuleError(Rule.MAX_DAILY)

    with pytest.raises(RuleError):
        await store.confirm(
            "c1",
            ADA,
            now=clock.now(),
            made_after=LONG_AGO,
            view_id=None,
            since=LONG_AGO,
            check_limits=check_limits,
        )
    assert await store.get("c1") == sample_charge(clock)
    assert await DeliveryStore(database, Cipher((generate_key(),))).get("c1") is None


async def test_history_is_newest_first_and_holds_confirmed_charges_only(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    for number in range(4):
        made = sample_charge(clock, charge_id=f"c{number}", amount=f"5{number}.00")
        await store.add(made, due_at=clock.now())
        if number != 2:
            await store.confirm(made.id, ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
        clock.advance(seconds=1)
    assert [each.id for each in await store.of_owner(ADA.key, limit=2)] == ["c3", "c1"]


def link(clock: HandClock, **changed: object) -> Link:
    made = Link(
        identity=ADA,
        account=Account(
            account_id="did:ada",
            email="ada@acme.example",
            organization_id="org_acme",
            organization_name="Acme Research",
        ),
        base_url="http://127.0.0.1:8766",
        scope="billing:manage",
        expires_at=clock.now() + timedelta(minutes=15),
        access="secret-access",
        refresh="secret-refresh",
        generation=1,
        linked_at=clock.now(),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


async def test_a_link_comes_back_and_its_tokens_are_not_readable_in_the_file(
    database: Database, clock: HandClock, tmp_path: Path
) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(link(clock))
    assert await store.get(ADA) == link(clock)
    async with database.transaction() as connection:
        stored = str((await connection.execute(text("SELECT * FROM links"))).all())
    stored += str([path.read_bytes() for path in tmp_path.iterdir() if path.is_file()])
    assert "did:ada" in stored
    assert "secret-" not in stored


async def test_a_row_moved_to_another_person_does_not_open_as_theirs(
    database: Database, clock: HandClock
) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(link(clock))
    async with database.transaction() as connection:
        await connection.execute(
            text("""UPDATE links SET owner = :owner, "user" = :user"""),
            {"owner": GRACE.key, "user": GRACE.user},
        )
    moved = await store.get(GRACE)
    assert moved is not None
    assert moved.dead
    assert moved.access is None


async def test_tokens_are_replaced_only_if_nobody_replaced_them_before(
    database: Database, clock: HandClock
) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(link(clock))
    read = await store.get(ADA)
    assert read is not None
    assert await store.replace_tokens(replace(read, access="second"))
    assert not await store.replace_tokens(replace(read, access="third"))
    stored = await store.get(ADA)
    assert stored is not None
    assert (stored.access, stored.generation) == ("second", 2)


async def test_a_removed_link_is_gone(database: Database, clock: HandClock) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(link(clock))
    assert await store.remove(ADA) == link(clock)
    assert await store.get(ADA) is None
    assert await store.remove(ADA) is None


def test_an_old_key_still_opens_and_a_foreign_one_does_not() -> None:
    old, new = generate_key(), generate_key()
    sealed = Cipher((old,)).seal("me", {"access": "x"})
    assert Cipher((new, old)).open("me", sealed) == {"access": "x"}
    with pytest.raises(SealBrokenError):
        Cipher((new,)).open("me", sealed)
    with pytest.raises(SealBrokenError):
        Cipher((old,)).open("somebody else", sealed)
    with pytest.raises(CipherKeyError):
        Cipher(("not a key",))


def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path, clock: HandClock) -> None:
    first = Database(f"sqlite:///{tmp_path / 'one.db'}", clock)
    second = Database(f"sqlite:///{tmp_path / 'one.db'}", clock)
    first.backend.claim_alone()
    with pytest.raises(SecondProcessError):
        second.backend.claim_alone()


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url", "sqlite://", "sqlite:///:memory:", ""])
def test_only_sqlite_files_and_postgresql_are_databases(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///file|not a database URL"):
        async_url(url)


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await migrate(database)
    assert await is_current(database)


async def test_processes_that_migrate_at_the_same_time_wait_for_one_another(database: Database) -> None:
    await asyncio.gather(*(migrate(database) for _ in range(4)))
    assert await is_current(database)


async def test_two_claimants_never_get_the_same_row(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    for number in range(20):
        await store.add(sample_charge(clock, charge_id=f"c{number}"), due_at=clock.now())
    taken = await asyncio.gather(*(store.leases.claim(5, 15) for _ in range(6)))
    ids = [claim.id for claims in taken for claim in claims]
    assert len(ids) == len(set(ids))


async def test_the_schema_of_a_later_release_will_do_and_is_left_alone(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert await is_current(database)
    await migrate(database)
    async with database.transaction() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


async def test_the_migrations_make_just_what_the_tables_say(database: Database) -> None:
    async with database.transaction() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert found == []

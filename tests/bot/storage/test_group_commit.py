"""Transactions on SQLite that wait for one another are committed together, and each counts for itself."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, make_url, text

from bot.storage.sqlite import Sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MANY = range(20)
ORPHAN = 1_000
KEEP = text("INSERT INTO kept VALUES (:number, :parent)")


class FailedError(Exception):
    """What a transaction of these tests fails with."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "group.db"


@pytest_asyncio.fixture
async def engine(file: Path) -> AsyncIterator[Sqlite]:
    engine = Sqlite(make_url(f"sqlite:///{file}"))
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE kept (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES kept)")
        )
    yield engine
    await engine.aclose()


def kept(file: Path) -> list[int]:
    with closing(sqlite3.connect(file)) as other:
        return [row[0] for row in other.execute("SELECT id FROM kept ORDER BY id")]


async def keep(engine: Sqlite, number: int, *, parent: int | None = None) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        await connection.execute(KEEP, {"number": number, "parent": parent})


async def fail(engine: Sqlite, number: int) -> None:
    async with engine.begin() as connection:
        await connection.execute(KEEP, {"number": number, "parent": None})
        raise FailedError


async def linger(engine: Sqlite, number: int) -> None:
    async with engine.begin() as connection:
        await connection.execute(KEEP, {"number": number, "parent": None})
        await asyncio.Event().wait()


async def test_waiting_transactions_share_a_commit(engine: Sqlite, file: Path) -> None:
    commits: list[object] = []
    event.listen(engine.writer, "commit", commits.append)
    await asyncio.gather(*(keep(engine, number) for number in MANY))
    assert kept(file) == list(MANY)
    assert len(commits) <= 2


async def test_a_finished_transaction_is_committed(engine: Sqlite, file: Path) -> None:
    async def keep_and_look(number: int) -> bool:
        await keep(engine, number)
        return number in kept(file)

    assert all(await asyncio.gather(*map(keep_and_look, MANY)))


@pytest.mark.parametrize("which", [0, 5, MANY[-1]])
async def test_a_transaction_that_fails_does_not_affect_the_others(
    engine: Sqlite, file: Path, which: int
) -> None:
    work = [fail(engine, number) if number == which else keep(engine, number) for number in MANY]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert [type(each) for each in results if each] == [FailedError]
    assert kept(file) == [number for number in MANY if number != which]


@pytest.mark.parametrize("which", [0, 5, MANY[-1]])
async def test_a_cancelled_transaction_does_not_affect_the_others(
    engine: Sqlite, file: Path, which: int
) -> None:
    lingering = asyncio.create_task(linger(engine, ORPHAN))
    others = [keep(engine, number) for number in MANY]
    tasks = [asyncio.create_task(each) for each in (*others[:which], *others[which:])]
    await asyncio.sleep(0)
    tasks[which].cancel()
    lingering.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results if each] == [asyncio.CancelledError]
    assert kept(file) == [number for number in MANY if number != which]


async def test_a_failed_commit_fails_every_transaction_that_shares_it(engine: Sqlite, file: Path) -> None:
    work = [keep(engine, 1), keep(engine, 2, parent=ORPHAN), keep(engine, 3)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert all("FOREIGN KEY" in str(each) for each in results)
    assert kept(file) == []
    await keep(engine, 4)
    assert kept(file) == [4]


async def test_a_rollback_of_the_group_fails_each_transaction_and_the_next_group_works(
    engine: Sqlite, file: Path
) -> None:
    async def end_everything() -> None:
        async with engine.begin() as connection:
            # As SQLite does by itself when the disk is full.
            await connection.execute(text("ROLLBACK"))
            raise FailedError

    work = [keep(engine, 1), end_everything(), keep(engine, 3)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(each, Exception) for each in results)
    assert kept(file) == []
    await keep(engine, 4)
    assert kept(file) == [4]


@settings(max_examples=30, deadline=None)
@given(plan=st.lists(st.sampled_from(["keep", "fail", "cancel"]), max_size=12), late=st.integers(0, 12))
async def test_exactly_the_transactions_without_a_failure_are_kept(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str], late: int
) -> None:
    file = tmp_path_factory.mktemp("group") / "group.db"
    engine = Sqlite(make_url(f"sqlite:///{file}"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY, parent INTEGER)"))
    does = {"keep": keep, "fail": fail, "cancel": linger}
    tasks = [asyncio.create_task(does[what](engine, number)) for number, what in enumerate(plan)]
    for _ in range(late):
        await asyncio.sleep(0)
    for what, task in zip(plan, tasks, strict=True):
        if what == "cancel":
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine.aclose()
    assert kept(file) == [number for number, what in enumerate(plan) if what == "keep"]

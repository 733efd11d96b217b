"""Connections as they are stored: sealed, for one person each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from bot.storage.cipher import Cipher, generate_key
from bot.storage.links import LinkStore
from tests.support.samples import ADA, GRACE, sample_link

if TYPE_CHECKING:
    from pathlib import Path

    from bot.storage.database import Database
    from tests.bot.conftest import HandClock


async def test_a_link_comes_back_and_its_tokens_are_not_readable_in_the_file(
    database: Database, clock: HandClock, tmp_path: Path
) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(sample_link(clock))
    assert await store.get(ADA) == sample_link(clock)
    async with database.transaction() as connection:
        stored = str((await connection.execute(text("SELECT * FROM links"))).all())
    stored += str([path.read_bytes() for path in tmp_path.iterdir() if path.is_file()])
    assert "did:ada" in stored
    assert "secret-" not in stored


async def test_a_row_moved_to_another_person_does_not_open_as_theirs(
    database: Database, clock: HandClock
) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(sample_link(clock))
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
    await store.put(sample_link(clock))
    read = await store.get(ADA)
    assert read is not None
    assert await store.replace_tokens(replace(read, access="second"))
    assert not await store.replace_tokens(replace(read, access="third"))
    stored = await store.get(ADA)
    assert stored is not None
    assert (stored.access, stored.generation) == ("second", 2)


async def test_tokens_of_a_former_grant_are_not_stored_in_the_next_one(
    database: Database, clock: HandClock
) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(sample_link(clock))
    former = await store.get(ADA)
    assert former is not None
    await store.remove(ADA)
    await store.put(sample_link(clock, access="new", grant_id="f" * 32))
    assert await store.replace_tokens(replace(former, access="late")) is None
    stored = await store.get(ADA)
    assert stored is not None
    assert stored.access == "new"


async def test_a_removed_link_is_gone(database: Database, clock: HandClock) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    await store.put(sample_link(clock))
    assert await store.remove(ADA) == sample_link(clock)
    assert await store.get(ADA) is None
    assert await store.remove(ADA) is None

"""The embedded ledger's files: for their owner alone, and for one process."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from bot.storage.connection import SecondProcessError
from bot.storage.database import Database
from bot.storage.schema import migrate
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bot.conftest import HandClock


async def test_the_ledger_its_log_and_its_lock_are_readable_by_their_owner_alone(
    tmp_path: Path, clock: HandClock
) -> None:
    file = tmp_path / "ledger.db"
    file.touch(mode=0o644)
    database = Database(f"sqlite:///{file}", clock)
    database.backend.claim_alone()
    await migrate(database, CIPHER)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    await database.aclose()
    assert {"ledger.db", "ledger.db-wal", "ledger.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_another_name_of_the_same_file_is_the_same_ledger(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "real")
    first = Database(f"sqlite:///{tmp_path / 'real' / 'ledger.db'}", clock)
    second = Database(f"sqlite:///{tmp_path / 'other' / 'ledger.db'}", clock)
    first.backend.claim_alone()
    with pytest.raises(SecondProcessError):
        second.backend.claim_alone()
    await first.aclose()
    await second.aclose()

"""PgBouncer, the real program, between the app and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from bot.check import check
from tests.support.house import open_house
from tests.support.postgresql import new_database
from tests.support.process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL

    from tests.support.postgresql import Server

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(PROGRAM is None, reason="Debian's package pgbouncer is not installed"),
]


@asynccontextmanager
async def pooler(url: URL, mode: str) -> AsyncIterator[str]:
    """Run PgBouncer before a database; yields the URL through it."""
    with tempfile.TemporaryDirectory() as folder:
        async with _running(url, mode, Path(folder)) as pooled:
            yield pooled


@asynccontextmanager
async def _running(url: URL, mode: str, folder: Path) -> AsyncIterator[str]:
    there, port = Path(str(url.query["host"])), free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={there} user={url.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\n"
    )
    for each in (folder, settings):
        each.chmod(0o755)
    # As the server's own user, who may enter its folder; PgBouncer does not run as root.
    user = there.stat().st_uid if os.getuid() == 0 else None
    program = await asyncio.create_subprocess_exec(str(PROGRAM), "-q", str(settings), user=user)
    try:
        pooled = f"postgresql://{url.username}@127.0.0.1:{port}/{url.database}"
        async with asyncio.timeout(10):
            while not await _answers(pooled):
                await asyncio.sleep(0.05)
        yield pooled
    finally:
        program.terminate()
        await program.wait()


async def _answers(url: str) -> bool:
    try:
        await (await asyncpg.connect(url, timeout=1)).close()
    except (OSError, TimeoutError):
        return False
    return True


@pytest_asyncio.fixture
async def url(postgresql: Server, postgresql_template: str) -> AsyncIterator[URL]:
    async with new_database(postgresql.url, postgresql_template) as made:
        yield make_url(made)


async def test_a_purchase_goes_through_a_pooler_of_sessions_and_check_finds_nothing(
    url: URL, tmp_path: Path
) -> None:
    async with (
        pooler(url, "session") as pooled,
        open_house(tmp_path, database_url=pooled) as house,
    ):
        await house.link()
        await house.buy("50")
        await house.told("$50 added to your balance")
        findings = await check(house.settings)
    assert [each.words for each in findings if not each.good] == []


async def test_check_says_that_a_pooler_of_transactions_keeps_no_sessions(url: URL, tmp_path: Path) -> None:
    direct = url.render_as_string(hide_password=False)
    async with (
        pooler(url, "transaction") as pooled,
        open_house(tmp_path, database_url=direct) as house,
    ):
        findings = await check(house.settings.model_copy(update={"database_url": pooled}))
    (words,) = [each.words for each in findings if not each.good]
    assert "a pooler must be in session mode" in words

"""Our own database locked, full, read-only, restarted, gone for a while, and not there at the start."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text

from bot.domain.charge import ChargeState
from bot.domain.errors import StoreUnavailableError
from bot.sandbox.portal import Fault
from bot.startup import StartError
from bot.storage.sqlite import Sqlite
from tests.support.house import ADA, House, open_house
from tests.support.postgresql import Server, new_database
from tests.support.shown import Shown
from tests.support.steps import locked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AWAY = "Something's wrong on our side"


@pytest_asyncio.fixture
async def on_postgresql(
    postgresql: Server, postgresql_template: str, tmp_path: Path
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(new_database(postgresql.url, postgresql_template))
        yield await stack.enter_async_context(open_house(tmp_path, database_url=url))


async def pragma(house: House, statement: str) -> None:
    """Say something to the one connection with which the app writes on SQLite."""
    backend = house.app.runtime.database.backend
    assert isinstance(backend, Sqlite)
    with backend.writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {statement}")


async def one_charge_that_settles(house: House) -> None:
    await house.told("$50 added to your balance", seconds=20)
    assert len(house.portal.charges) == 1
    assert len(house.dm()) == 1


async def test_a_locked_file_loses_neither_the_acknowledgement_nor_the_confirmation(
    house: House, tmp_path: Path
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    async with locked(tmp_path / "test.db"):
        await house.slack.submit(ADA)
        assert house.slack.deliveries[-1].ack_ms < 1500
        await asyncio.sleep(0.5)  # for so long the file stays locked
    await one_charge_that_settles(house)


async def test_a_file_locked_for_longer_gets_a_message_and_charges_nothing(
    house: House, tmp_path: Path
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    async with locked(tmp_path / "test.db"):
        await house.slack.submit(ADA)
        await house.until(lambda: AWAY in house.modal().text)
        status, body = await house.readyz()
        assert status == 503
        assert "database: cannot be written" in body["problems"][0]
    assert house.portal.charge_posts == []
    await house.slack.close(ADA)
    await house.buy("50")
    await one_charge_that_settles(house)


async def test_a_closed_confirmation_is_cancelled_before_the_acknowledgement(
    house: House, tmp_path: Path
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    charge_id = (await house.confirm_shown())["private_metadata"]
    async with locked(tmp_path / "test.db"):
        closing = asyncio.create_task(house.slack.close(ADA))
        # Nothing is to happen while the file is locked, so nothing can be waited for. The answer would have
        # come by now if it did not wait; it waits for four times as long.
        await asyncio.sleep(0.2)
    await closing
    charge = await house.app.runtime.charges.get(charge_id)
    assert charge is not None
    assert charge.state is ChargeState.CANCELLED


async def test_a_locked_file_does_not_keep_the_closing_of_a_confirmation_waiting(
    house: House, tmp_path: Path
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    async with locked(tmp_path / "test.db"):
        await house.slack.close(ADA)
        assert house.slack.deliveries[-1].ack_ms < 1500
    await house.app.runtime.open_requests.finish(5)
    assert "This has expired. Nothing was charged" in Shown((await house.submit_again(view))["view"]).text


async def test_a_read_only_file_gets_a_message_and_recovers(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await pragma(house, "query_only = ON")
    await house.slack.submit(ADA)
    await house.until(lambda: AWAY in house.modal().text)
    assert (await house.readyz())[0] == 503
    await pragma(house, "query_only = OFF")
    assert house.portal.charge_posts == []
    await house.slack.close(ADA)
    await house.buy("50")
    await one_charge_that_settles(house)


async def test_a_full_disk_loses_no_charge_that_is_on_its_way(house: House) -> None:
    house.portal_clock.speed = 1
    await house.link()
    await house.buy("50")
    await house.submitted()
    await fill(house)
    for amount in range(20, 40):  # the first rows still find a place in what there is
        await house.slack.command(ADA, f"/billing buy {amount}")
    await house.until(lambda: AWAY in house.modal().text)
    await house.until(lambda: [each.status for each in house.portal.charges] == ["settled"])
    await pragma(house, "max_page_count = 1073741823")
    await one_charge_that_settles(house)


async def fill(house: House) -> None:
    """Let the file be as large as it may be, and fill what room there is in it."""
    async with house.app.runtime.database.transaction() as connection:
        await connection.execute(text("CREATE TABLE filler (bytes BLOB)"))
    await pragma(house, "max_page_count = 1")
    full = False
    while not full:
        try:
            async with house.app.runtime.database.transaction() as connection:
                await connection.execute(text("INSERT INTO filler VALUES (zeroblob(500))"))
        except StoreUnavailableError as error:
            full = "full" in str(error.__cause__)


@pytest.mark.postgresql
async def test_a_restart_in_mid_purchase_goes_unnoticed(on_postgresql: House, postgresql: Server) -> None:
    house = on_postgresql
    house.portal_clock.speed = 1
    await house.link()
    await house.buy("50")
    await house.submitted()
    await postgresql.stop()
    await postgresql.start()
    await one_charge_that_settles(house)


@pytest.mark.postgresql
async def test_people_get_a_message_while_the_database_is_away_and_work_continues_afterward(
    on_postgresql: House, postgresql: Server
) -> None:
    house = on_postgresql
    house.portal_clock.speed = 1
    await house.link()
    await house.buy("50")
    await house.submitted()
    await postgresql.stop()
    try:
        await house.slack.command(ADA, "/billing")
        await house.until(lambda: AWAY in house.last_ephemeral()["text"])
        status, body = await house.readyz()
        assert status == 503
        assert body["problems"][0].startswith("database: cannot be written")
    finally:
        await postgresql.start()
    await one_charge_that_settles(house)
    assert (await house.readyz())[0] == 200


@pytest.mark.postgresql
async def test_a_read_only_server_gets_a_message_and_recovers(
    on_postgresql: House, postgresql: Server
) -> None:
    house = on_postgresql
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await postgresql.run("ALTER SYSTEM SET default_transaction_read_only = on")
    await postgresql.run("SELECT pg_reload_conf()")
    try:
        await house.until_async(lambda: not_ready(house))
        await house.slack.submit(ADA)
        await house.until(lambda: AWAY in house.modal().text)
    finally:
        await postgresql.run("ALTER SYSTEM RESET default_transaction_read_only")
        await postgresql.run("SELECT pg_reload_conf()")
    assert house.portal.charge_posts == []
    await house.slack.close(ADA)
    await house.buy("50")
    await one_charge_that_settles(house)


async def not_ready(house: House) -> bool:
    return (await house.readyz())[0] == 503


async def ready(house: House) -> bool:
    return not await not_ready(house)


@pytest.mark.postgresql
async def test_sessions_from_before_a_failover_are_replaced_without_a_restart(
    on_postgresql: House, postgresql: Server
) -> None:
    house = on_postgresql
    await house.link()
    name = make_url(house.settings.database_url).database
    theirs = f"FROM pg_stat_activity WHERE datname = '{name}'"

    async def listens_anew(than: object) -> bool:
        now = await postgresql.ask(f"SELECT backend_start {theirs} AND query LIKE 'LISTEN%'")
        return now not in {None, than}

    # Sessions that begin now cannot write; in a failover, they would have begun before it.
    await postgresql.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    writable = await postgresql.ask(f"SELECT max(backend_start) {theirs} AND query LIKE 'LISTEN%'")
    await postgresql.run(f"SELECT count(pg_terminate_backend(pid)) {theirs}")
    await house.until_async(lambda: listens_anew(writable))
    await house.until_async(lambda: not_ready(house))
    read_only = await postgresql.ask(f"SELECT backend_start {theirs} AND query LIKE 'LISTEN%'")
    await postgresql.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await house.until_async(lambda: ready(house), 30)
    await house.buy("50")
    await one_charge_that_settles(house)
    await house.until_async(lambda: listens_anew(read_only), 30)


@pytest.mark.postgresql
async def test_tokens_rotated_during_an_outage_of_the_database_are_not_lost(
    on_postgresql: House, postgresql: Server
) -> None:
    house = on_postgresql
    await house.link(minutes=1)
    house.portal.fail("/api/oauth/token", Fault(seconds=1, after_work=True), times=1)
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: any(each.path == "/api/oauth/token" for each in house.portal.requests))
    await postgresql.stop()
    await asyncio.sleep(1)  # the portal answers meanwhile, with nowhere to store it
    await postgresql.start()
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"], 15)
    await house.restart()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"])


@pytest.mark.postgresql
async def test_a_start_waits_for_a_database_that_is_still_starting(
    on_postgresql: House, postgresql: Server
) -> None:
    house = on_postgresql
    await house.link()
    await house.stop()
    await postgresql.stop()
    starting = asyncio.create_task(house.start())
    await asyncio.sleep(0.3)  # the start has met the absence
    await postgresql.start()
    await asyncio.wait_for(starting, 15)
    await house.buy("50")
    await one_charge_that_settles(house)


@pytest.mark.postgresql
async def test_the_app_names_a_missing_database_at_once(postgresql_server: str, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="DATABASE_URL: the database cannot be used"):
        async with open_house(tmp_path, database_url=postgresql_server.replace("/postgres", "/nowhere")):
            pass


async def test_a_server_without_tls_is_named_at_once_where_the_url_demands_it(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"N")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://ada:secret@127.0.0.1:{port}/billing?sslmode=require"
        with pytest.raises(StartError, match=r"DATABASE_URL: .* \(the server has no TLS\)"):
            async with open_house(tmp_path, database_url=url):
                pass

"""PostgreSQL's URLs as providers give them out."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from bot.domain.errors import StoreUnavailableError
from bot.storage.database import Database, async_url
from bot.storage.postgresql_url import Target
from bot.system_clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

HERE = "postgresql://ada:secret@db.example.com:5432/billing"


def target(query: str) -> Target:
    return Target.of(make_url(f"{HERE}?{query}"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_of_libpqs_schemes_are_postgresql(scheme: str) -> None:
    url = async_url(f"{scheme}://ada:secret@db.example.com/billing?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"


def test_what_the_driver_knows_is_passed_on_and_what_it_does_not_is_kept_from_the_server() -> None:
    found = target(
        "sslmode=require&channel_binding=prefer&application_name=till&connect_timeout=7&options=-c%20a.b%3D1"
    )
    assert "channel_binding" not in found.dsn
    assert "connect_timeout" not in found.dsn
    assert "sslmode=require" in found.dsn
    assert "options=-c+a.b%3D1" in found.dsn
    assert found.application_name == "till"
    assert found.seconds == 7


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_no_connect_timeout_is_for_ever_as_libpq_means_it(seconds: str) -> None:
    assert target(f"connect_timeout={seconds}").seconds is None


def test_a_password_is_passed_on_as_it_is() -> None:
    url = make_url(f"postgresql://ada:{quote('p@ss:w%rd/?#', safe='')}@db/billing")
    assert url.password == "p@ss:w%rd/?#"
    assert make_url(Target.of(url).dsn).password == url.password


def test_several_hosts_are_tried_in_their_order() -> None:
    assert "host=a%3A5432%2Cb%3A5433" in target("host=a:5432&host=b:5433").dsn


@pytest.mark.parametrize("query", ["sslrootcert=system", "sslmode=verify-full&sslrootcert=system"])
def test_the_systems_authorities_are_trusted_by_name(query: str) -> None:
    tls = target(query).tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sslmode=sure", "sslmode: none of disable, allow"),
        ("channel_binding=require", "channel_binding: the driver here has none"),
        ("channel_binding=maybe", "channel_binding: none of"),
        ("target_session_attrs=any-old", "target_session_attrs: none of"),
        ("connect_timeout=soon", "connect_timeout: not a whole number"),
        ("connect_timeout=1.5", "connect_timeout: not a whole number"),
        ("sslmode=verify-full&sslrootcert=nowhere.pem", "sslrootcert: there is no such file"),
        ("sslkey=nowhere.pem", "sslkey: there is no such file"),
        ("sslmode=require&sslrootcert=system", "sslrootcert: system goes with sslmode=verify-full"),
        ("pgbouncer=true", "pgbouncer: a parameter that is not known here"),
        ("ssl=true", "ssl: a parameter that is not known here"),
        ("keepalives=1", "keepalives: a parameter that is not known here"),
    ],
)
def test_what_is_not_known_is_refused_by_name(query: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        async_url(f"{HERE}?{query}")


def test_a_file_that_can_be_read_is_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "root.pem"
    file.touch()
    assert "root.pem" in target(f"sslrootcert={quote(str(file))}").dsn


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("query", "shown", "value"),
    [
        ("application_name=till", "application_name", "till"),
        ("connect_timeout=3", "application_name", "billing-bot"),
        ("options=-c%20search_path%3Dbilling", "search_path", "billing"),
        ("options=-c%20lock_timeout%3D1h", "lock_timeout", "7s"),
    ],
)
async def test_a_session_has_what_the_url_says_and_what_the_app_needs(
    postgresql_server: str, query: str, shown: str, value: str
) -> None:
    database = Database(f"{postgresql_server}&{query}", SystemClock())
    try:
        async with database.backend.connect() as connection:
            row = await connection.run_sync(lambda sync: sync.exec_driver_sql(f"SHOW {shown}").scalar())
        assert row == value
        assert await database.backend.lost_settings() == []
    finally:
        await database.aclose()


@pytest.mark.postgresql
@pytest.mark.parametrize("options", ["-c nonsense=1", "-c lock_timeout=soon", "--nonsense", "nonsense"])
async def test_options_that_the_server_refuses_are_said_to_be(postgresql_server: str, options: str) -> None:
    database = Database(f"{postgresql_server}&options={quote(options)}", SystemClock())
    try:
        with pytest.raises(StoreUnavailableError, match="does not know a parameter"):
            async with database.read():
                pass
    finally:
        await database.aclose()

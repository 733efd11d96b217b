"""One machine with Docker: the properties of compose.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from bot.storage.database import async_url
from tests.deploy.deployment import app_services, compose

if TYPE_CHECKING:
    from tests.support.postgresql import Server

SERVICES: dict[str, Any] = compose()["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert not {"privileged", "cap_add", "network_mode", "pid"} & service.keys()
    # Ours are the image's user.
    assert service.get("user", "billing-bot") != "root"


def test_only_the_app_is_published_and_on_loopback_alone() -> None:
    assert [name for name, each in SERVICES.items() if "ports" in each] == ["app"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["app"]["ports"])


def test_the_database_is_reached_by_the_app_alone() -> None:
    networks = compose()["networks"]
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert networks["inside"] == {"internal": True}
    assert all("inside" in each["networks"] for each in app_services().values())


def test_the_ledger_is_on_a_volume_that_outlives_the_containers() -> None:
    volumes = [volume.split(":")[0] for volume in SERVICES["postgres"]["volumes"]]
    assert volumes == list(compose()["volumes"]) == ["ledger"]


@pytest.mark.postgresql
async def test_the_database_is_of_the_version_that_is_tested(postgresql: Server) -> None:
    connection = await asyncpg.connect(postgresql.url)
    version = connection.get_server_version().major
    await connection.close()
    assert SERVICES["postgres"]["image"].startswith(f"postgres:{version}-")


def test_without_a_password_nothing_starts() -> None:
    given = SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
    assert given.startswith("${POSTGRES_PASSWORD:?")
    for service in app_services().values():
        url = service["environment"]["DATABASE_URL"]
        assert given in url
        assert async_url(url.replace(given, "0a1b")).host == "postgres"


def test_the_app_starts_on_a_migrated_database() -> None:
    healthy = {"condition": "service_healthy"}
    assert SERVICES["postgres"]["healthcheck"]["test"][:3] == ["CMD", "pg_isready", "--host=127.0.0.1"]
    assert SERVICES["migrate"]["depends_on"] == {"postgres": healthy}
    for name in ("app", "worker"):
        migrated = {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"] == {"postgres": healthy, "migrate": migrated}


def test_more_workers_are_asked_for_by_name() -> None:
    assert SERVICES["worker"]["profiles"] == ["worker"]
    assert "profiles" not in SERVICES["app"]

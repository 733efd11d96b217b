"""One machine without containers: the properties of the unit."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bot.storage.database import async_url
from tests.deploy.deployment import DEPLOY, README, unit

if TYPE_CHECKING:
    from pathlib import Path

UNIT = DEPLOY / "systemd/billing-bot.service"
ANALYZE = shutil.which("systemd-analyze")
EXPOSED_AT_MOST = 20
"""In tenths, of the hundred that systemd gives to a unit without any confinement. It was 12."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the system's own program
        [str(ANALYZE), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@needs_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    # It looks whether the program is there.
    words = UNIT.read_text().replace("/opt/billing-bot/bin/billing-bot", str(ANALYZE))
    copy = tmp_path / UNIT.name
    copy.write_text(words)
    found = analyze("verify", "--man=no", str(copy))
    assert (found.returncode, found.stderr) == (0, "")


@needs_systemd
def test_systemd_finds_little_exposed() -> None:
    found = analyze("security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", "--no-pager", str(UNIT))
    assert found.returncode == 0, found.stdout


def test_the_program_is_nobody_and_writes_to_its_own_folder_alone() -> None:
    lines = unit()
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome", "MemoryDenyWriteExecute"):
        assert lines[name] == ["yes"], name
    assert lines["ProtectSystem"] == ["strict"]
    assert lines["CapabilityBoundingSet"] == [""]
    assert lines["StateDirectory"] == ["billing-bot"]
    assert lines["StateDirectoryMode"] == ["0700"]
    (ledger,) = lines["Environment"]
    path = async_url(ledger.removeprefix("DATABASE_URL=")).database
    assert path == f"/var/lib/{lines['StateDirectory'][0]}/billing-bot.db"


def test_it_is_restarted_for_as_long_as_it_takes() -> None:
    assert unit()["Restart"] == ["on-failure"]
    assert unit()["StartLimitIntervalSec"] == ["0"]
    assert unit()["TimeoutStartSec"] == ["infinity"]


def test_the_secrets_are_for_root_alone_and_a_second_installation_keeps_them() -> None:
    folder, _, name = unit()["EnvironmentFile"][0].rpartition("/")
    line = f"test -e {folder}/{name} || install -D --mode 600 docs/deploy/{name} -t {folder}\n"
    assert line in README


def test_other_commands_run_with_the_units_own_settings_and_rights() -> None:
    for name in (
        "DynamicUser",
        "User",
        "StateDirectory",
        "StateDirectoryMode",
        "UMask",
        "WorkingDirectory",
        "ProtectSystem",
        "Environment",
        "EnvironmentFile",
    ):
        assert f"--property={name}={unit()[name][0]}" in README

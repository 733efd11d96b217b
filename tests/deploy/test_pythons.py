"""As people install it: the built wheel in a clean environment of each Python that the classifiers name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.deploy.deployment import PYTHONS, ROOT
from tests.deploy.test_wheel import READY_SECONDS, demo, environment

if TYPE_CHECKING:
    from collections.abc import Callable

ADA, CHANNEL = "U0ADA", "C0GENERAL"


def interpreter(version: str) -> str | None:
    """The program of this Python, if the machine has it."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for program in (shutil.which(f"python{version}"), *map(str, kept)):
        if program is None:
            continue
        asked = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if run(*asked, check=False).stdout.strip() == version:
            return program
    return None


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own commands
        command, env=environment(), capture_output=True, text=True, check=check
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution without the network."""
    folder = tmp_path_factory.mktemp("built")
    build = "import sys; from hatchling.build import build_sdist, build_wheel; print({}(sys.argv[1]))"
    made = [
        subprocess.run(  # noqa: S603 - our own build
            [sys.executable, "-c", build.format(step), str(folder)],
            cwd=ROOT,
            env=environment() | {"PIP_NO_INDEX": "1", "https_proxy": "http://127.0.0.1:9"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for step in ("build_sdist", "build_wheel")
    ]
    assert {path.name for path in folder.iterdir()} == set(made)
    return folder / made[1]


@pytest.mark.parametrize("version", PYTHONS)
def test_installed_from_its_wheel_the_demo_settles_a_purchase(
    version: str, wheel: Path, tmp_path: Path
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    run(python, "-m", "venv", str(tmp_path / "clean"))
    programs = tmp_path / "clean" / "bin"
    installed = run(str(programs / "python"), "-m", "pip", "install", "-q", str(wheel), check=False)
    if "connection broken by" in installed.stderr and installed.returncode != 0:
        pytest.skip("the packages cannot be fetched: there is no network")
    assert installed.returncode == 0, installed.stderr
    with demo(programs / "billing-bot", tmp_path) as port:
        base = f"http://127.0.0.1:{port}"
        with closing(httpx.Client(base_url=base, timeout=READY_SECONDS)) as http:
            connect(http, f"http://127.0.0.1:{port + 1}")
            say(http, "/billing buy 50")
            view = until(lambda: asks_to_pay(http))
            http.post("/sandbox/submit", json={"user": ADA, "view_id": view["id"], "state": {}})
            until(lambda: "added to your balance" in json.dumps(seen(http)))
    shutil.rmtree(tmp_path / "clean")


def connect(http: httpx.Client, portal: str) -> None:
    """Connect as Ada, who approves it on the portal's page."""
    say(http, "/billing connect")
    code = until(lambda: re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", json.dumps(seen(http))))[0]
    approved = httpx.post(
        f"{portal}/device", data={"user_code": code, "person": "ada", "decision": "approve"}
    )
    assert approved.status_code == 200
    until(lambda: "*Connected*" in json.dumps(seen(http)))


def say(http: httpx.Client, text: str) -> None:
    typed = {"user": ADA, "channel": CHANNEL, "text": text}
    assert http.post("/sandbox/command", json=typed).json()["ok"] is True


def seen(http: httpx.Client) -> dict[str, Any]:
    """All that Ada sees."""
    state: dict[str, Any] = http.get("/sandbox/state", params={"user": ADA}).json()
    return state


def asks_to_pay(http: httpx.Client) -> dict[str, Any] | None:
    """The confirmation, if it is in front."""
    stack: list[dict[str, Any]] = seen(http)["stack"]
    front = stack[-1] if stack else {}
    return front if "Pay" in json.dumps(front.get("submit")) else None


def until(found: Callable[[], Any]) -> Any:
    """Wait for something; return it."""
    give_up_at = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up_at:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError("it did not come")

"""The wheel brings all that the program needs, and the image's build steps install it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.deploy.deployment import PROJECT, ROOT, instructions
from tests.support.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_SECONDS = 60
END_SECONDS = 20
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
PAGE = ROOT / "bot/sandbox/slack/page"
TOOLS = Path(sys.executable).parent


def environment(*first: Path) -> dict[str, str]:
    """This one's, without anything that leads to the repository; some folders are looked through first."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return kept | {"PATH": os.pathsep.join([*map(str, first), os.environ["PATH"]])}


def sources() -> set[str]:
    files = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}


def test_the_wheel_holds_every_file_of_the_program_and_no_other(tmp_path: Path) -> None:
    made = subprocess.run(  # noqa: S603 - our own build
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert names == sources()


def build(folder: Path) -> Path:
    """Take the steps of the Dockerfile's first stage in a folder; returns the environment that it makes."""
    (folder / "src").mkdir()
    for line in instructions("COPY", stage=1):
        for name in line.split()[:-1]:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / "src" / name, ignore=shutil.ignore_patterns("*.pyc"))
            else:
                shutil.copy(ROOT / name, folder / "src")
    for line in instructions("RUN", stage=1):
        step = re.sub(r"(?<!\S)/(?=(?:app|wheels)\b)", f"{folder}/", line)
        made = subprocess.run(  # noqa: S603 - our own steps
            ["/bin/sh", "-c", step],
            cwd=folder / "src",
            env=environment(TOOLS),
            capture_output=True,
            text=True,
            check=False,
        )
        if "connection broken by" in made.stderr and made.returncode != 0:
            pytest.skip("the packages cannot be fetched: there is no network")
        assert made.returncode == 0, f"{step}\n{made.stdout}\n{made.stderr}"
    shutil.rmtree(folder / "src")
    return folder / "app"


def three_free_ports() -> int:
    """A port that is free, as the next two are."""
    while True:
        port = free_port()
        try:
            for each in (port + 1, port + 2):
                socket.create_server(("127.0.0.1", each)).close()
        except OSError:
            continue
        return port


@contextmanager
def demo(program: Path, folder: Path) -> Iterator[int]:
    """Run the demo until Ctrl-C, which it must take well; yields the page's port."""
    port = three_free_ports()
    with (folder / "demo.log").open("wb") as log:
        running = subprocess.Popen(  # noqa: S603 - our own program
            [program, "demo", "--port", str(port)], cwd=folder, env=environment(), stdout=log, stderr=log
        )
    try:
        give_up_at = time.monotonic() + READY_SECONDS
        while "Open http" not in (folder / "demo.log").read_text():
            assert running.poll() is None, (folder / "demo.log").read_text()
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
        yield port
        running.send_signal(signal.SIGINT)
        assert running.wait(END_SECONDS) == 0
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()


def say(program: Path, folder: Path, *arguments: str) -> str:
    """Run the program in an empty folder; returns what it prints."""
    return subprocess.run(  # noqa: S603 - our own program
        [program, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is removed at once: an environment is too large to be kept as `tmp_path` is."""
    with tempfile.TemporaryDirectory(prefix="billing-wheel-") as made:
        yield Path(made)


def test_built_as_the_image_is_the_program_runs_the_demo_from_an_empty_folder(folder: Path) -> None:
    installed = build(folder) / "bin"
    empty = folder / "empty"
    empty.mkdir()
    where = say(installed / "python", empty, "-c", "import bot, blocks, handlers; print(bot.__file__)")
    assert where.startswith(f"{folder}/app/")

    program = installed / "billing-bot"
    assert "serve" in say(program, empty, "--help")
    Fernet(say(program, empty, "generate-key").strip())
    assert json.loads(say(program, empty, "manifest"))["features"]["slash_commands"]

    with demo(program, empty) as port, closing(httpx.Client()) as http:
        slack, portal, app = (f"http://127.0.0.1:{port + number}" for number in range(3))
        assert http.get(slack).text == (PAGE / "index.html").read_text()
        for path in PAGE.rglob("*.*"):
            served = http.get(f"{slack}/page/{path.relative_to(PAGE).as_posix()}")
            assert served.content == path.read_bytes(), path
        assert "<style>" in http.get(f"{portal}/billing", follow_redirects=True).text
        assert http.get(f"{app}/readyz").status_code == 200
        assert "/billing buy" in answer_to_help(http, slack)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{app}/healthz")


def answer_to_help(http: httpx.Client, slack: str) -> str:
    """Type `/billing help` in the page as its first person does; returns all that the person then sees."""
    workspace: dict[str, Any] = http.get(f"{slack}/sandbox/bootstrap").json()
    user, channel = workspace["people"][0]["id"], workspace["channels"][0]["id"]
    typed = {"user": user, "channel": channel, "text": "/billing help"}
    assert http.post(f"{slack}/sandbox/command", json=typed).json()["ok"] is True
    give_up_at = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up_at:
        seen = http.get(f"{slack}/sandbox/state", params={"user": user}).json()
        messages = seen["conversations"][channel]["messages"]
        if messages:
            return json.dumps(messages)
        time.sleep(0.1)
    raise AssertionError("nobody answered")

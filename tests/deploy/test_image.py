"""The container's image, as far as it can be known without an engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import yaml

from bot.storage.database import async_url
from tests.deploy.deployment import PROJECT, ROOT, SECRETS, dockerfile, image_environment, instructions
from tests.support.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_both_stages_start_from_the_same_pinned_slim_python() -> None:
    build, final = (line.partition(" AS ")[0] for line in instructions("FROM"))
    assert build == final
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", final)


def test_it_ends_as_a_user_that_is_a_number_and_not_root() -> None:
    last = dockerfile()[[each.word for each in dockerfile()].index("USER") :]
    assert "RUN" not in {each.word for each in last}
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", instructions("USER", stage=2)[-1])


def test_the_program_is_started_without_a_shell_and_told_to_end_by_sigterm() -> None:
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["billing-bot"]
    assert json.loads(instructions("CMD")[0]) == ["serve"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_it_listens_to_the_outside_and_keeps_its_ledger_in_the_volume() -> None:
    environment = image_environment()
    assert environment["HOST"] == "0.0.0.0"  # noqa: S104 - a container's own network
    (volume,) = json.loads(instructions("VOLUME")[0])
    assert str(async_url(environment["DATABASE_URL"]).database).startswith(f"{volume}/")
    assert f"--mode 0700 {volume}" in " ".join(instructions("RUN", stage=2))


def test_no_secret_is_baked_in() -> None:
    assert not instructions("ARG")
    assert not SECRETS & image_environment().keys()


def test_the_last_stage_installs_nothing() -> None:
    assert not re.search(r"\b(pip|apt|apt-get|curl|wget)\b", " ".join(instructions("RUN", stage=2)))
    assert instructions("COPY", stage=2) == ["--from=build /app /app"]
    assert not instructions("ADD")


def test_everything_from_the_network_has_its_hash() -> None:
    lines = [part.strip() for line in instructions("RUN", stage=1) for part in line.split("&&")]
    for line in lines:
        if re.match(r"pip .*\b(download|install|wheel)\b", line):
            assert "--require-hashes" in line or "--no-index" in line, line


def context() -> list[str]:
    """What the .dockerignore lets through, by name."""
    lines = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}
    ]
    assert lines[0] == "*"
    return [line[1:] for line in lines if line.startswith("!")]


def ignored(path: str) -> bool:
    """Whether the .dockerignore keeps a file from the engine: the last pattern that fits it decides."""
    parts = path.split("/")
    parents = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    kept_out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line.startswith("**/"):
            fits = any(fnmatch(part, line.removeprefix("**/")) for part in parts)
        else:
            fits = any(
                fnmatch(parent, pattern) and parent.count("/") == pattern.count("/") for parent in parents
            )
        kept_out = not line.startswith("!") if fits else kept_out
    return kept_out


def test_the_engine_is_sent_what_the_image_copies_and_nothing_else() -> None:
    copied = [source for line in instructions("COPY", stage=1) for source in line.split()[:-1]]
    assert sorted(copied) == sorted(context())
    assert all((ROOT / source).exists() for source in copied)
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, PROJECT["project"]["readme"]} <= set(copied)


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".git/config", ".venv/bin/python", "billing-bot.db", "billing-bot.db-wal"),
        *("bot/.env", "bot/made.db", "bot/made.db-wal", "bot/__pycache__/cli.pyc", "tests/conftest.py"),
    ],
)
def test_the_engine_is_never_sent(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("path", ["pyproject.toml", "bot/cli.py", "bot/sandbox/slack/page/index.html"])
def test_the_engine_is_sent(path: str) -> None:
    assert not ignored(path)


def lock(name: str) -> dict[str, str]:
    """What a lock file pins: a requirement's line and its hashes by name."""
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text())[1:]
    return {re.split(r"[=\[ ]", block)[0]: block.strip() for block in blocks}


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested, deployed = lock("requirements.lock"), lock("requirements-deploy.lock")
    assert {name: version_and_hashes(tested[name]) for name in deployed} == {
        name: version_and_hashes(block) for name, block in deployed.items()
    }


def version_and_hashes(block: str) -> tuple[str, set[str]]:
    return block.partition("==")[2].split()[0], set(re.findall(r"sha256:\w+", block))


def test_what_is_deployed_is_what_runs_and_builds_the_app_and_no_tool() -> None:
    deployed = lock("requirements-deploy.lock").keys()
    project = PROJECT["project"]
    needed = {name_of(each) for each in project["dependencies"] + PROJECT["build-system"]["requires"]}
    assert needed <= deployed
    tools = {name_of(each) for each in project["optional-dependencies"]["dev"]} - needed
    assert not tools & deployed


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ]", requirement)[0]


def test_the_deployments_lock_file_names_no_address() -> None:
    assert "://" not in (ROOT / "requirements-deploy.lock").read_text()


@pytest.fixture
def answers() -> Iterator[tuple[int, list[int]]]:
    """A server's port, and the statuses with which it answers next."""
    statuses: list[int] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop() if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, statuses
        server.shutdown()
        thread.join()


def health_check(port: int) -> int:
    """Run the image's health check as the engine would; returns its exit code."""
    python, *arguments = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    assert python == "python"
    # A proxy for the outside must not be asked about the inside.
    environment = {"PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run(  # noqa: S603 - our own line
        [sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL, check=False
    ).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_believes_what_the_program_says(
    answers: tuple[int, list[int]], status: int, code: int
) -> None:
    port, statuses = answers
    statuses.append(status)
    assert health_check(port) == code
    assert not statuses


def test_the_health_check_notices_that_nobody_answers() -> None:
    assert health_check(free_port()) == 1


def test_base_images_are_pinned_by_digest() -> None:
    named = [each.split()[0] for each in instructions("FROM")]
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    named += [each["image"] for each in services if "build" not in each]
    assert len(named) == 3
    for name in named:
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", name), name

"""What the deployment's files name is what the program has."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.app import PAGES
from bot.health import HealthCheck
from bot.metrics import Metrics
from bot.slack.http import events_route
from bot.slack.installing import install_routes
from bot.terminal import FAULTY_SETTINGS
from tests.deploy.deployment import (
    DEPLOY,
    FILES,
    LONGEST_STOP_SECONDS,
    PORT,
    PROJECT,
    README,
    ROOT,
    SECRETS,
    SETTINGS,
    app_services,
    compose,
    containers,
    example_settings,
    image_environment,
    instructions,
    manifests,
    pod,
    understand,
    unit,
)

if TYPE_CHECKING:
    from pathlib import Path

NOT_OURS = {"HTTPS_PROXY", "PATH", "PYTHONDONTWRITEBYTECODE", "POSTGRES_PASSWORD", "PGSSLROOTCERT"}
# Our program or what starts it, then a command with its options.
TYPED = re.compile(
    r"(?:(?<![\w/-])billing-bot|:\d[\w.]*|/bin/billing-bot|--rm app) ([a-z][a-z-]*(?: [^`\n]+)?)[`\n]"
)
PROGRAM = "/opt/billing-bot/bin/billing-bot"


def program_lines() -> list[list[str]]:
    """Every way in which a file starts our program, as arguments."""
    started = [yaml.safe_load(instructions("CMD", stage=2)[0])]
    started += [each["command"] for each in app_services().values()]
    started += [each["args"] for each in containers()]
    started += [shlex.split(line)[1:] for name in ("ExecStart", "ExecStartPre") for line in unit()[name]]
    started += [line.split() for line in re.findall(TYPED, README)]
    started += [yaml.safe_load(line) for line in re.findall(r"`args: (\[.*?\])`", README)]
    return started


@pytest.mark.parametrize("arguments", program_lines(), ids=" ".join)
def test_every_command_is_one_that_the_program_takes(arguments: list[str]) -> None:
    understand(arguments)


def test_every_setting_exists() -> None:
    named = {*image_environment(), *example_settings()}
    named |= {name for each in app_services().values() for name in each["environment"]}
    named |= {each["name"] for container in containers() for each in container["env"]}
    named |= {pair.split("=", 1)[0] for pair in unit()["Environment"]}
    named |= set(re.findall(r"\b([A-Z]+_[A-Z_]+)\b", README))
    assert named - NOT_OURS <= SETTINGS.keys()


def test_the_secrets_file_asks_for_everything_that_is_required() -> None:
    required = {name for name, field in SETTINGS.items() if field.is_required()}
    assert required | {"SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"} <= example_settings().keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_holds_a_secret(path: Path) -> None:
    words = path.read_text()
    assert "xoxb-" not in words
    for name in SECRETS | {"POSTGRES_PASSWORD"}:
        for value in re.findall(rf"{name}[\"']?(?:=|: )(.*)", words):
            assert not value or value.startswith("${"), name


def test_every_port_is_the_one_where_the_program_listens() -> None:
    assert image_environment()["PORT"] == str(PORT)
    assert instructions("EXPOSE") == [str(PORT)]
    assert {each["environment"]["PORT"] for each in app_services().values()} == {str(PORT)}
    assert compose()["services"]["app"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert pod()["containers"][0]["ports"] == [{"name": "http", "containerPort": PORT}]
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", README)) == {str(PORT)}
    assert set(re.findall(r"--port,? \"?(\d+)", README)) == {str(PORT)}


def routes() -> set[str]:
    async def make() -> set[str]:
        bolt = AsyncApp(token="x", signing_secret="x")
        nothing: Any = None  # nothing of it is asked
        slack = [
            events_route(bolt, SignatureVerifier("x"), Metrics()),
            *install_routes(bolt, nothing, PAGES),
        ]
        health = HealthCheck(nothing, None, None)
        return {route.path for route in (*slack, *health.routes())}

    return asyncio.run(make())


def test_every_path_leads_somewhere_and_slacks_alone_is_let_in() -> None:
    served = routes()
    assert {"/healthz", "/readyz", "/metrics"} <= served
    probes = [pod()["containers"][0][f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")]
    assert probes == ["/healthz", "/healthz"]
    assert pod()["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (host,) = manifests()["Ingress"]["spec"]["rules"]
    let_in = [each["path"] for each in host["http"]["paths"]]
    assert let_in == re.findall(r"location (\S+) \{ proxy_pass", README) == ["/slack/"]
    assert {path for path in served if not path.startswith("/slack/")} == {
        "/healthz",
        "/readyz",
        "/metrics",
    }


def seconds_to_stop() -> dict[str, float]:
    """How long each way of running waits for the program's end before it kills."""
    sleep = pod()["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1]
    waits = {f"compose: {name}": each["stop_grace_period"] for name, each in app_services().items()}
    waits["docker run"] = re.findall(r"--stop-timeout (\d+)", README)[0]
    waits["systemd"] = unit()["TimeoutStopSec"][0]
    waits["kubernetes"] = pod()["terminationGracePeriodSeconds"] - int(sleep)
    return {way: float(str(wait).removesuffix("s")) for way, wait in waits.items()}


@pytest.mark.parametrize(("way", "seconds"), seconds_to_stop().items())
def test_nobody_kills_the_program_before_it_has_ended_by_itself(way: str, seconds: float) -> None:
    assert seconds >= LONGEST_STOP_SECONDS + 5, way


def test_a_wrong_setting_is_the_one_end_that_systemd_does_not_mend() -> None:
    assert unit()["RestartPreventExitStatus"] == [str(FAULTY_SETTINGS)]


def test_every_file_names_this_version() -> None:
    version = PROJECT["project"]["version"]
    assert f'org.opencontainers.image.version="{version}"' in " ".join(instructions("LABEL"))
    for path in FILES:
        assert set(re.findall(r"billing-bot:(\d[\w.]*)", path.read_text())) <= {version}, path


def test_the_image_belongs_to_the_user_that_the_page_names() -> None:
    assert f"user {instructions('USER')[0].partition(':')[0]};" in README


def test_the_page_installs_the_program_where_the_unit_expects_it() -> None:
    assert f"python3 -m venv {PROGRAM.removesuffix('/bin/billing-bot')}\n" in README
    for line in unit()["ExecStart"] + unit()["ExecStartPre"]:
        assert line.split()[0] == PROGRAM
    assert "/etc/billing-bot/billing-bot.env" in README
    assert unit()["EnvironmentFile"] == ["/etc/billing-bot/billing-bot.env"]


def test_every_link_of_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert links
    for target in links:
        assert (DEPLOY / target).exists(), target


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"(?<![\w/])docs/deploy/[\w./-]*\w", README)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path

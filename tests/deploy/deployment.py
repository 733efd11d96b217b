"""The deployment's files, taken apart for the tests."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from typer.main import get_group

from bot.cli import app
from bot.settings import Settings
from bot.timing import STOP_WITHIN_SECONDS

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs/deploy"
README = (DEPLOY / "README.md").read_text()
PROJECT: Json = tomllib.loads((ROOT / "pyproject.toml").read_text())
_NAMED = "Programming Language :: Python :: 3."
PYTHONS = [f"3.{each.removeprefix(_NAMED)}" for each in PROJECT["project"]["classifiers"] if _NAMED in each]
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted(p for p in DEPLOY.rglob("*") if p.is_file())]
SETTINGS = {name.upper(): field for name, field in Settings.model_fields.items()}
SECRETS = {name for name, field in SETTINGS.items() if SecretStr.__name__ in str(field.annotation)}
PORT: int = SETTINGS["PORT"].default
LONGEST_STOP_SECONDS = STOP_WITHIN_SECONDS + 1
"""What is promised of the program's end; whoever kills it earlier makes another take over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One line of the Dockerfile, and the stage it is in."""

    stage: int
    word: str
    rest: str


def dockerfile() -> list[Instruction]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in lines if not line.startswith("#")))
    found: list[Instruction] = []
    for line in filter(None, joined.splitlines()):
        word, _, rest = line.partition(" ")
        stage = (found[-1].stage if found else 0) + (word == "FROM")
        found.append(Instruction(stage=stage, word=word, rest=" ".join(rest.split())))
    return found


def instructions(word: str, *, stage: int | None = None) -> list[str]:
    """What follows a word of the Dockerfile, in all stages or in one."""
    return [each.rest for each in dockerfile() if each.word == word and stage in {None, each.stage}]


def image_environment() -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for line in instructions("ENV", stage=2) for pair in shlex.split(line))


def compose() -> Json:
    loaded: Json = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def app_services() -> dict[str, Json]:
    """The services that run our program."""
    return {name: each for name, each in compose()["services"].items() if name != "postgres"}


def manifests() -> dict[str, Json]:
    """What there is for Kubernetes, by kind; one of each."""
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return {each["kind"]: each for file in files for each in yaml.safe_load_all(file.read_text())}


def pod() -> Json:
    spec: Json = manifests()["Deployment"]["spec"]["template"]["spec"]
    return spec


def containers() -> list[Json]:
    return [*pod()["initContainers"], *pod()["containers"]]


def unit() -> dict[str, list[str]]:
    """The unit's lines by name, whatever section they are in."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd/billing-bot.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def example_settings() -> dict[str, str]:
    """The lines of the secrets' file, with those that are commented out."""
    lines = (DEPLOY / "billing-bot.env").read_text().splitlines()
    return dict(line.lstrip("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))


def understand(arguments: list[str]) -> None:
    """Take a command line apart as the program does, which refuses what it does not know."""
    name, *rest = arguments
    commands = get_group(app).commands
    assert name in commands
    commands[name].make_context(name, rest)

"""`slack run` in a clone: Slack's CLI gets the manifest, and starts the app in a development workspace."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from bot.storage.cipher import generate_key
from tests.deploy.deployment import PYTHONS, ROOT
from tests.sandbox.slack.socket_client import socket_mode_sandbox

if TYPE_CHECKING:
    from pathlib import Path

HOOKS = json.loads((ROOT / ".slack/hooks.json").read_text())["hooks"]
OWN_ARGUMENTS = ("--protocol=message-boundaries", "--boundary=b")
"""What the CLI adds to each hook."""


def command(hook: str) -> list[str]:
    """A hook's command, with the interpreter of these tests in place of the clone's."""
    program, *arguments = hook.replace("'", "").split()
    assert program in {".venv/bin/python", sys.executable}
    return [sys.executable, *arguments, *OWN_ARGUMENTS]


def answer(hook: str) -> dict[str, Any]:
    """What a hook prints between its boundaries."""
    printed = subprocess.run(command(hook), cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    found: dict[str, Any] = json.loads(printed.strip().strip("b"))
    return found


def test_the_cli_gets_the_manifest_of_the_repository() -> None:
    listed = answer(HOOKS["get-hooks"])["hooks"]
    assert answer(listed["get-manifest"]) == json.loads((ROOT / "manifest.json").read_text())


async def test_the_cli_starts_the_app_which_opens_its_connection(tmp_path: Path) -> None:
    async with socket_mode_sandbox(lambda: 0.0) as slack:
        given = {
            "SLACK_BOT_TOKEN": str(slack.bot_token),
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "BILLING_BOT_KEYS": generate_key(),
            "PORT": "0",
        }
        running = await asyncio.create_subprocess_exec(
            *command(HOOKS["start"]), cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), **given}
        )
        try:
            async with asyncio.timeout(30):
                while slack.connections != 1:
                    assert running.returncode is None
                    await asyncio.sleep(0.1)
            running.send_signal(signal.SIGINT)
            assert await running.wait() == 0
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()


def test_the_workflow_checks_on_the_pythons_that_the_classifiers_name() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    job = workflow["jobs"]["check"]
    assert job["strategy"]["matrix"]["python"] == PYTHONS
    assert ".ci/run" in [step.get("run") for step in job["steps"]]

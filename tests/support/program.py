"""The program as a process of its own, forked from a server that has imported it already.

To import it takes a second of CPU, and hundreds of tests start it. A process that is forked is killed,
paused and stopped like any other.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import runpy
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import signal
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["bot.cli", "alembic.command", "bot.sandbox.demo"])


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process of `python -m program`."""

    _process: ForkServerProcess

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Wait for its end; return what it ended with."""
        while (code := self.returncode) is None:
            await asyncio.sleep(0.01)  # multiprocessing has no awaitable end
        return code

    def wait_for(self, seconds: float) -> int:
        """Wait for its end, at most so long; return what it ended with."""
        self._process.join(seconds)
        code = self.returncode
        assert code is not None, f"not ended within {seconds} s"
        return code


def start(
    program: str,
    *arguments: str,
    folder: Path,
    environment: dict[str, str],
    stdout: Path | None = None,
    stderr: Path | None = None,
) -> Running:
    """Start `python -m program arguments` in a folder, with exactly this environment.

    What it says is appended to the files.
    """
    facts: dict[str, Any] = {
        "program": program,
        "arguments": arguments,
        "folder": str(folder),
        "environment": environment,
        "files": {1: stdout and str(stdout), 2: stderr and str(stderr)},
    }
    process = _SERVER.Process(target=_become, kwargs=facts, daemon=True)
    process.start()
    return Running(_process=process)


def _become(
    program: str,
    arguments: tuple[str, ...],
    folder: str,
    environment: dict[str, str],
    files: dict[int, str | None],
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, file in files.items():
        if file is not None:
            opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(opened, number)
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)

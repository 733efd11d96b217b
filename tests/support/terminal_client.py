"""The terminal client of the same API (hermes-agent), in an environment of its own.

`HERMES_AGENT_PYTHON` names an interpreter that has it. Without the variable it is installed once, into
a folder of the user's cache, in the version that `pyproject.toml` names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from filelock import FileLock

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
INSTALL_SECONDS = 120


class NotInstalledError(Exception):
    """The client cannot be installed on this machine."""


def requirement() -> str:
    """What to install, e.g. `hermes-agent==1.0`."""
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    (wanted,) = extras["terminal-client"]
    return str(wanted)


def terminal_client_python() -> Path:
    """An interpreter that can import the client.

    Raises:
        NotInstalledError: There is none, and none could be made.
    """
    if named := os.environ.get("HERMES_AGENT_PYTHON"):
        return Path(named)
    version = f"py{sys.version_info[0]}.{sys.version_info[1]}"
    folder = _cache() / f"{requirement().replace('==', '-')}-{version}"
    try:
        return _installed(folder)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        raise NotInstalledError(said.decode(errors="replace").strip()[-300:] or str(error)) from error


def _installed(folder: Path) -> Path:
    python, ready = folder / "bin" / "python", folder / ".ready"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not ready.exists():
            _install(folder, python)
            ready.touch()
    return python


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "billing-bot-tests"


def _install(folder: Path, python: Path) -> None:
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, requirement()]):
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)  # noqa: S603 our own

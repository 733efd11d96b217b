"""A consistent copy of the embedded ledger, made while the app runs."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WAIT_SECONDS = 30.0
OWNER_ALONE = 0o600


class BackupError(Exception):
    """No copy was made; the words are for the operator."""


def copy_ledger(ledger: Path, copy: Path) -> int:
    """Write a copy of the ledger to a new file that its owner alone can read; return its bytes.

    It is the state of one moment, with what is in the write-ahead log. The file has its name only once it
    is whole.

    Raises:
        BackupError: the file exists, or it cannot be written.
    """
    partial = copy.with_name(f".billing-bot-{secrets.token_hex(8)}")
    try:
        _require_absent(copy)
        _write(ledger, partial)
        # A link does not replace a file that has appeared meanwhile.
        os.link(partial, copy)
    except FileExistsError:
        raise BackupError(f"{copy} exists; nothing was written") from None
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{copy} cannot be written: {_why(error)}") from None
    finally:
        with suppress(OSError):
            partial.unlink()
    return copy.stat().st_size


def _require_absent(copy: Path) -> None:
    if copy.exists():
        raise FileExistsError


def _write(ledger: Path, partial: Path) -> None:
    """Write the copy, and wait until it is on the disk."""
    made = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ALONE)
    try:
        with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(WAIT_SECONDS * 1000)}")
            connection.execute("VACUUM INTO ?", (str(partial),))
        os.fsync(made)
    finally:
        os.close(made)


def _why(error: OSError | sqlite3.Error) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)

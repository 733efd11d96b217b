"""Time as everything here sees it: UTC, from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """A source of time and of waiting."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""

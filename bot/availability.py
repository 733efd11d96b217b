"""Whether another server answers, judged by our own calls to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock


class Availability:
    """Tracks whether one server answers. It observes calls and makes none itself."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._silent_since: datetime | None = None

    def observe(self, *, answered: bool) -> None:
        """Record a call. A refusal is an answer; a failed connection, a timeout and a 5xx are not."""
        self._silent_since = None if answered else self._silent_since or self._clock.now()

    @property
    def degraded(self) -> str | None:
        """One line that says since when the server has not answered (UTC); None while it answers."""
        if self._silent_since is None:
            return None
        return f"{self.name}: no usable answer since {self._silent_since:%Y-%m-%dT%H:%M:%SZ}"

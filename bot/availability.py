"""Whether another server answers, as our own calls to it show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock


class Availability:
    """Whether one server answers. It is told of every call and makes none itself."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._silent_since: datetime | None = None

    def observe(self, *, answered: bool) -> None:
        """Record how a call went. A refusal is an answer; no connection, a timeout and a 5xx are none."""
        self._silent_since = None if answered else self._silent_since or self._clock.now()

    @property
    def degraded(self) -> str | None:
        """Since when the server has not answered, as one line; None while it does."""
        if self._silent_since is None:
            return None
        return f"{self.name}: no usable answer since {self._silent_since:%Y-%m-%dT%H:%M:%SZ}"

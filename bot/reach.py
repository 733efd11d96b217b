"""Whether another server answers, as our own calls to it see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock


class Reach:
    """One server's answers. Nothing is asked for the sake of knowing."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._silent_since: datetime | None = None

    def note(self, *, answered: bool) -> None:
        """Remember how a call went: a refusal is an answer; no connection, a timeout or a 5xx is none."""
        self._silent_since = None if answered else self._silent_since or self._clock.now()

    @property
    def trouble(self) -> str | None:
        """Say in a line since when the server has not answered; None when it does."""
        if self._silent_since is None:
            return None
        return f"{self.name}: no usable answer since {self._silent_since:%Y-%m-%dT%H:%M:%SZ}"

"""Injected outages: the next calls of a method are refused, or their answers are lost."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["ratelimited", "drop_before", "drop_after", "error", "status", "late"]


@dataclass(kw_only=True)
class Fault:
    """An outage of the next `times` calls of `method` ("*" is any method).

    `ratelimited` answers 429 with `Retry-After`. `drop_before` closes the connection and does
    nothing. `drop_after` performs the call and closes the connection. `error` answers
    `{"ok": false}` with `error`. `status` answers with the HTTP status `status`. `late` performs
    the call at once and answers after `seconds`.
    """

    method: str
    kind: Kind
    error: str = "internal_error"
    times: int = 1
    retry_after: int = 1
    status: int = 500
    seconds: float = 0.5


@dataclass
class Faults:
    """The pending outages, in the order of their addition."""

    pending: list[Fault] = field(default_factory=list)

    def add(
        self,
        method: str,
        kind: Kind,
        error: str = "internal_error",
        *,
        times: int = 1,
        retry_after: int = 1,
        status: int = 500,
        seconds: float = 0.5,
    ) -> Fault:
        """Add an outage. `method` is a Web API method, `response_url`, or "*"."""
        fault = Fault(
            method=method,
            kind=kind,
            error=error,
            times=times,
            retry_after=retry_after,
            status=status,
            seconds=seconds,
        )
        self.pending.append(fault)
        return fault

    def clear(self) -> None:
        """Remove every pending outage."""
        self.pending.clear()

    def take(self, method: str) -> Fault | None:
        """Consume and return the next outage of this method, or return None."""
        for fault in self.pending:
            if fault.method in {method, "*"}:
                fault.times -= 1
                if fault.times <= 0:
                    self.pending.remove(fault)
                return fault
        return None

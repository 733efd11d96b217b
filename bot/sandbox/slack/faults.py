"""Outages on order: the next calls of a method are refused, or their answer is lost."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["ratelimited", "drop_before", "drop_after", "error", "status", "late"]


@dataclass(kw_only=True)
class Fault:
    """What happens to the next `times` calls of `method` ("*" is any method).

    Kinds: `ratelimited` answers 429 with `Retry-After`; `drop_before` cuts the connection and
    does nothing; `drop_after` does the work and cuts the connection; `error` answers
    `{"ok": false}` with `error`; `status` answers with the HTTP status `status`; `late` does the
    work at once and answers `seconds` after it.
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
    """The outages still to come, in the order they were added."""

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
        """Orders an outage; `method` is a Web API method, `response_url`, or "*"."""
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
        """Calls every outage off."""
        self.pending.clear()

    def take(self, method: str) -> Fault | None:
        """Uses up one occurrence for a call of this method, or None."""
        for fault in self.pending:
            if fault.method in {method, "*"}:
                fault.times -= 1
                if fault.times <= 0:
                    self.pending.remove(fault)
                return fault
        return None

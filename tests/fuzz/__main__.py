"""`make fuzz`: atheris searches for bytes that break a target, guided by what each run reaches.

    python -m tests.fuzz payload -max_total_time=60

What it breaks on is written to a file beside, as libFuzzer does; keep it as a test.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed here (`pip install atheris`); the same targets run under pytest")

with atheris.instrument_imports(include=["bot", "blocks", "handlers"]):
    from tests.fuzz.targets import NAMES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

SPEAK_JSON = {"payload", "portal", "oauth"}
DEPTH = 4


def made_of(data: bytes) -> bytes:
    """Turn bytes into JSON with the names that matter: what random bytes hardly ever are."""
    return json.dumps(_value(atheris.FuzzedDataProvider(data), 0)).encode()


def _value(take: Any, depth: int) -> object:
    makers: list[Callable[[], object]] = [
        lambda: None,
        take.ConsumeBool,
        lambda: take.ConsumeInt(8),
        take.ConsumeFloat,
        lambda: str(take.ConsumeIntInRange(-1000, 100000) / 100),
        lambda: take.ConsumeUnicodeNoSurrogates(12),
        lambda: [_value(take, depth + 1) for _ in range(take.ConsumeIntInRange(0, 3))],
        lambda: {take.PickValueInList(NAMES): _value(take, depth + 1) for _ in range(4)},
    ]
    flat = len(makers) - 2
    return makers[take.ConsumeIntInRange(0, len(makers) - 1 if depth < DEPTH else flat - 1)]()


def main() -> None:
    """Fuzz the named target."""
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"which one? {', '.join(TARGETS)}")
    target = TARGETS[name]
    atheris.Setup(sys.argv, (lambda data: target(made_of(data))) if name in SPEAK_JSON else target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

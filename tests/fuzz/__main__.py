"""`make fuzz`: atheris searches for bytes that break a target, guided by what each run reaches.

    python -m tests.fuzz payload -max_total_time=60

What it breaks on is written to a file beside, as libFuzzer does; keep it as a test.
"""

from __future__ import annotations

import sys

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed here (`pip install atheris`); the same targets run under pytest")

with atheris.instrument_imports(include=["bot", "blocks", "handlers"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz the named target."""
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"which one? {', '.join(TARGETS)}")
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""What comes from outside is read in one place: texts, dates, numbers and errors each have one reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("bot", "handlers", "blocks")

READERS = {
    "dates of the wire": (
        r"fromisoformat|strptime|parsedate",
        {
            "bot/domain/away.py",  # a day as a person types it
            "bot/portal/schemas/fields.py",
            "bot/portal/transport.py",  # Retry-After, the only other form of a date
            "blocks/purchase.py",  # what this app has written into its own modal
            "bot/storage/columns.py",  # what this app has stored
        },
    ),
    "numbers of the wire and of people": (
        r"Decimal\((?![0-9(\"\]])(?!\(0)",
        {
            "bot/domain/money.py",
            "bot/domain/policy.py",  # what this app has stored
            # Whole numbers of hours.
            "bot/domain/episode.py",
            "bot/domain/runway.py",
            "blocks/alerts.py",  # what this app has stored
            "bot/portal/transport.py",  # JSON's own numbers
            "bot/portal/schemas/subscription.py",  # cents, already read as a whole number
            "bot/storage/columns.py",  # what this app has stored
            "bot/storage/readings.py",  # the same, quickly
            "handlers/subcommands/auto_reload.py",  # what this app has written into its own modal
        },
    ),
    "signs that are not shown": (r"unicodedata|surrogate|\.isspace\(", {"bot/domain/text.py"}),
    "errors of the portal": (r"get\(\"error|\[\"error\"\]", {"bot/slack/errors.py"}),
    "bodies of the portal": (
        r"answer\.body",
        {"bot/portal/client.py", "bot/portal/error_map.py", "bot/portal/oauth.py"},
    ),
    "JSON of the wire": (
        r"json\.loads",
        {
            "bot/portal/transport.py",
            # What this app has written itself.
            "bot/domain/audit.py",
            "bot/domain/payment.py",
            "bot/domain/policy.py",
            "bot/domain/vote.py",
            "bot/storage/cipher.py",
            "bot/storage/episodes.py",
            "bot/storage/locks.py",
            "bot/storage/pending_confirmations.py",
            "blocks/purchase.py",
            "blocks/request_forms.py",
            "blocks/team.py",
            "handlers/subcommands/alerts.py",
            "handlers/subcommands/auto_reload.py",
            "handlers/subcommands/subscription.py",
        },
    ),
}


@pytest.mark.parametrize("what", READERS)
def test_only_its_reader_reads(what: str) -> None:
    pattern, readers = READERS[what]
    files = [
        file
        for room in ROOMS
        for file in sorted((ROOT / room).rglob("*.py"))
        if "sandbox" not in file.parts and re.search(pattern, file.read_text())
    ]
    assert {str(file.relative_to(ROOT)) for file in files} == readers

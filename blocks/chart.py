"""The last thirty days of a watched balance: as a chart in messages, and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.kit import Block, Json, Message, limit, message, section
from blocks.words import organization
from bot.domain.money import nearest_cents, show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.past import Part

CHART = "data_visualization"
POINTS = 20
TITLE = "The last 30 days, two days each"
_BALANCE, _USED = "Balance", "Used"


def chart(past: Sequence[Part]) -> Block | None:
    """Make the chart; None without enough of a past. Its words are the same numbers."""
    if not past:
        return None
    limit("chart", len(past), POINTS)
    days = [_day(part) for part in past]
    series = {_BALANCE: [part.balance for part in past], _USED: [part.used for part in past]}
    lines = {
        "type": "line",
        "series": [
            {
                "name": name,
                "data": [
                    {"label": day, "value": _number(amount)}
                    for day, amount in zip(days, amounts, strict=True)
                ],
            }
            for name, amounts in series.items()
        ],
        "axis_config": {"categories": days, "y_label": "US dollars"},
    }
    spoken = "; ".join(f"{_day(part)} {show(part.balance)}, used {show(part.used)}" for part in past)
    return Block(json={"type": CHART, "title": TITLE, "chart": lines}, spoken=f"{TITLE}, balance: {spoken}")


def past_message(past: Sequence[Part], name: str | None) -> Message:
    """Make the table of the same numbers."""
    if not past:
        return message(section("There are not enough readings yet."))
    rows = [["From", _BALANCE, _USED]]
    rows += [[_day(part), show(part.balance), show(part.used)] for part in past]
    return message(
        section(f"*{organization(name)}*: {TITLE[:1].lower()}{TITLE[1:]}, as far as was read"),
        _table(rows),
    )


def _table(rows: Sequence[Sequence[str]]) -> Block:
    cells: list[list[Json]] = [[{"type": "raw_text", "text": text} for text in row] for row in rows]
    spoken = "\n".join(", ".join(row) for row in rows)
    settings = [{}, *({"align": "right"} for _ in rows[0][1:])]
    return Block(json={"type": "table", "rows": cells, "column_settings": settings}, spoken=spoken)


def _day(part: Part) -> str:
    return f"{part.first:%b} {part.first.day}"


def _number(amount: Decimal) -> float:
    """Return an amount as Slack takes it, for drawing alone."""
    return float(nearest_cents(amount))

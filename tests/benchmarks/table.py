"""Figures beside figures: alternating runs, medians, ratios, and the table."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

RUNS = 5
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line: ours, the peer or limit, the ratio, and the aim with whether it was met."""

    what: str
    ours: str
    beside: str
    ratio: str = ""
    aim: str = ""
    met: bool | None = None

    def cells(self) -> list[str]:
        """Return the line's cells."""
        met = {True: "met", False: "**missed**", None: ""}[self.met]
        return [self.what, self.ours, self.beside, self.ratio, self.aim, met]


async def alternate(
    ours: Callable[[], Awaitable[T]], peer: Callable[[], Awaitable[T]], runs: int = RUNS
) -> tuple[list[T], list[T]]:
    """Run both in turn, so that what the machine does meanwhile falls on both."""
    own, theirs = [], []
    for _ in range(runs):
        own.append(await ours())
        theirs.append(await peer())
    return own, theirs


def ratio(
    what: str,
    ours: Sequence[float],
    peers: Sequence[float],
    *,
    unit: str,
    peer: str,
    at_most: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
) -> Row:
    """Make a row from the runs. The aim is a ratio of the medians, or a figure to stay below."""
    own, other = median(ours), median(peers)
    found = own / other if other else float("inf")
    aim, met = "", None
    if at_most is not None:
        aim, met = f"≤ {at_most}×", found <= at_most
    if at_least is not None:
        aim, met = f"≥ {at_least}×", found >= at_least
    if below is not None:
        aim, met = f"< {below:g} {unit}", own < below
    return Row(
        what=what,
        ours=f"{own:.3g} {unit}" if own < 1000 else f"{own:,.0f} {unit}",
        beside=f"{other:.3g} {unit} ({peer})" if other < 1000 else f"{other:,.0f} {unit} ({peer})",
        ratio=f"{found:.2f}×",
        aim=aim,
        met=met,
    )


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table."""
    head = ["what", "ours", "beside", "ratio", "aim", ""]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

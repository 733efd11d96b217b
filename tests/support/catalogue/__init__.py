"""Every screen with made-up facts: for golden files, for docs/copy.md, and for the pictures."""

from __future__ import annotations

from tests.support.catalogue import (
    asking,
    budgets,
    buying,
    changing,
    charges,
    connecting,
    errors,
    governing,
    looking,
    team,
    watching,
)
from tests.support.catalogue.screen import Screen

__all__ = ["SCREENS", "SECTIONS", "Screen"]

SECTIONS: dict[str, list[Screen]] = {
    "Looking": looking.screens(),
    "Connecting": connecting.screens(),
    "Buying": buying.screens(),
    "A purchase's message": charges.screens(),
    "Asking for funds": asking.screens(),
    "A team's policy": team.screens(),
    "Monthly budgets": budgets.screens(),
    "Watching the balance": watching.screens(),
    "Auto-reload and the plan": changing.screens(),
    "The operator's rules": governing.screens(),
    "Errors and refusals": errors.screens(),
}
SCREENS = [screen for screens in SECTIONS.values() for screen in screens]

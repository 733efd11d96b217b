"""The parts of a scenario: the outcome of a charge, a refusal at a gate, and the row itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.portal.burn import Use
    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.models import Organization

SOON_SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a charge: its final status, and the seconds until then.

    A charge with the status `pending` stays pending.
    """

    status: str = "settled"
    after: float = SOON_SECONDS
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A refusal that the scenario forces, at its place in the order (docs/portal.md, section 9.2)."""

    error: str
    actor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A behavior of the portal that a test or a page can select for an organization.

    Attributes:
        name: The name in `set_scenario` and in the control API.
        title: A short title for people.
        hint: One sentence for people that says what to try.
        keywords: Other words under which people look for it.
        outcome: The result of charges. None selects it by the amount.
        charge: The fault of `POST /charge` and of upgrades, after all gates.
        poll: The fault of `GET /charge/{id}`.
        state: The fault of `GET /state`.
        account: The fault of the account call.
        billing: The fault of every billing call.
        refresh: The fault of a token refresh.
        upgrade_status: The status of a failed upgrade. None selects it by the reason.
        upgrade_after: The seconds until an upgrade is visible.
        gate: A gate that always refuses.
        use: How the balance is being used. None leaves it alone.
        prepare: A function that changes the organization and returns a function that undoes this.
    """

    name: str
    title: str
    hint: str
    keywords: str = ""
    outcome: Outcome | None = None
    charge: Fault | None = None
    poll: Fault | None = None
    state: Fault | None = None
    account: Fault | None = None
    billing: Fault | None = None
    refresh: Fault | None = None
    upgrade_status: str | None = None
    upgrade_after: float = 0
    gate: Gate | None = None
    use: Use | None = None
    prepare: Callable[[Organization], Callable[[], None]] | None = None

    @property
    def leaves_charges_to_amount(self) -> bool:
        """Return whether a charge's amount selects its scenario."""
        return self.outcome is None and self.charge is None


SETTLES = Outcome()

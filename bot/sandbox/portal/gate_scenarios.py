"""Scenarios in which a gate refuses: no card, a reached limit, a missing permission."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.scenario import Gate, Scenario
from bot.sandbox.portal.wire import sum_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.portal.models import Organization

CAP_LEFT = Decimal("12.500382917406")
LATE_UPGRADE_SECONDS = 30


def _remove_card(organization: Organization) -> Callable[[], None]:
    card, other = organization.card, organization.other_method
    organization.card = organization.other_method = None

    def restore() -> None:
        if not organization.has_payment_method:
            organization.card, organization.other_method = card, other

    return restore


def _switch_off(organization: Organization) -> Callable[[], None]:
    was, organization.cli_billing_enabled = organization.cli_billing_enabled, False

    def restore() -> None:
        organization.cli_billing_enabled = organization.cli_billing_enabled or was

    return restore


def _use_up_cap(organization: Organization) -> Callable[[], None]:
    cap = organization.cap
    if cap is None:
        return lambda: None
    spent_elsewhere = max(Decimal(0), sum_of(cap.limit, -CAP_LEFT, -cap.spent))
    cap.spent = sum_of(cap.spent, spent_elsewhere)

    def restore() -> None:
        cap.spent = sum_of(cap.spent, -spent_elsewhere)

    return restore


GATE_SCENARIOS = (
    Scenario(
        name="no-card",
        title="No card on file",
        hint="Buy, add a card on the billing page, then check again.",
        prepare=_remove_card,
    ),
    Scenario(
        name="switch-off",
        title="Remote Spending switched off",
        hint="The organization's switch is off; turn it on on the billing page.",
        prepare=_switch_off,
    ),
    Scenario(
        name="spending-disabled-error",
        title="Remote Spending off, by its newer name",
        hint="The charge is refused with the error remote_spending_disabled.",
        gate=Gate(error="remote_spending_disabled"),
    ),
    Scenario(
        name="cap-exceeded",
        title="Monthly limit nearly used up",
        hint="$12.50 of the month is left: $25 is refused, $10 goes through.",
        keywords="monthly cap",
        prepare=_use_up_cap,
    ),
    Scenario(
        name="role-required",
        title="Role not sufficient",
        hint="The portal says that the person may not charge, whatever the role.",
        keywords="permission forbidden",
        gate=Gate(error="role_required"),
    ),
    Scenario(
        name="consent-required",
        title="Card needs a confirmation",
        hint="The card has to be confirmed once in the portal before it can be charged from here.",
        gate=Gate(error="consent_required"),
    ),
    Scenario(
        name="card-paused",
        title="Card paused",
        hint="Charges are refused because the portal paused the card, and its message says so.",
        gate=Gate(error="card_paused"),
    ),
    Scenario(
        name="card-expired",
        title="Card refused as expired",
        hint="The charge itself is refused because the card has expired; nothing is charged.",
        gate=Gate(error="card_expired"),
    ),
    Scenario(
        name="card-mismatch",
        title="Card mismatch, without a message",
        hint="The charge is refused with an error code and no message for people.",
        gate=Gate(error="card_mismatch"),
    ),
    Scenario(
        name="upgrade-cap",
        title="Five upgrades today already",
        hint="Upgrades are refused until tomorrow; charges go through.",
        keywords="rate limit",
        gate=Gate(error="upgrade_cap_exceeded"),
    ),
    Scenario(
        name="upgrade-applies-late",
        title="Upgrade shows after 30 s",
        hint="The upgrade is answered at once, and the old plan is shown for 30 seconds more.",
        upgrade_after=LATE_UPGRADE_SECONDS,
    ),
    Scenario(
        name="insufficient-scope",
        title="Permission missing for good",
        hint="Even a new approval does not bring the permission: nothing may go round in circles.",
        gate=Gate(error="insufficient_scope"),
    ),
    Scenario(
        name="remote-spending-revoked",
        title="Spending revoked by an admin",
        hint="An admin cut this client's spending; the overview still opens.",
        gate=Gate(error="remote_spending_revoked", actor="admin"),
    ),
    Scenario(
        name="session-revoked",
        title="Logged out everywhere",
        hint="Every call says that the session is over; only a new link could help.",
        keywords="signed out session_revoked",
        gate=Gate(error="session_revoked"),
    ),
    Scenario(
        name="org-access-denied",
        title="Organization not accessible",
        hint="The token is not bound to an organization that the person manages.",
        gate=Gate(error="org_access_denied"),
    ),
    Scenario(
        name="auto-reload-failures",
        title="Auto-reload switched off after failures",
        hint="Turning auto-reload on is refused until somebody looks in the portal.",
        gate=Gate(error="auto_top_up_disabled_failures"),
    ),
)

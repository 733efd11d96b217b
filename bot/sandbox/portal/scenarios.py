"""What the portal can be made to do: a table of scenarios, and the amounts that start them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.sandbox.portal.faults import FIREWALL, FIREWALL_DENIES, Fault, refusing
from bot.sandbox.portal.wire import sum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.sandbox.portal.world import Organisation

BY_AMOUNT = "by-amount"
CAP_LEFT = Decimal("12.500382917406")
SOON_SECONDS = 3
SLOW_SECONDS = 40
LATE_UPGRADE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What becomes of a charge: the status it reaches, and after how many seconds.

    `pending` is never left.
    """

    status: str = "settled"
    after: float = SOON_SECONDS
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A refusal that the scenario makes certain, at its place in the contract's gate order."""

    error: str
    actor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the table.

    Attributes:
        name: What `set_scenario` and the control API take.
        title: For people, a few words.
        hint: For people, one sentence: what to try.
        outcome: What becomes of charges; None leaves it to their amount.
        charge: What goes wrong with `POST /charge` and upgrades, once every gate has let them by.
        poll: What goes wrong with `GET /charge/{id}`.
        state: What goes wrong with `GET /state`.
        account: What goes wrong with the account call.
        billing: What goes wrong with every billing call.
        refresh: What goes wrong when a token is refreshed.
        upgrade_status: How an upgrade that fails is answered; None leaves it to the reason.
        upgrade_after: How many seconds after the answer an upgrade shows.
        gate: A gate that refuses whatever the organisation looks like.
        prepare: Changes the organisation when switched on; what it returns changes it back.
    """

    name: str
    title: str
    hint: str
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
    prepare: Callable[[Organisation], Callable[[], None]] | None = None

    @property
    def leaves_charges_to_amount(self) -> bool:
        """Whether a charge's amount still says what becomes of it."""
        return self.outcome is None and self.charge is None


def _take_card(organisation: Organisation) -> Callable[[], None]:
    card, other = organisation.card, organisation.other_method
    organisation.card = organisation.other_method = None

    def give_back() -> None:
        if not organisation.has_payment_method:
            organisation.card, organisation.other_method = card, other

    return give_back


def _switch_off(organisation: Organisation) -> Callable[[], None]:
    was, organisation.cli_billing_enabled = organisation.cli_billing_enabled, False

    def switch_back() -> None:
        organisation.cli_billing_enabled = organisation.cli_billing_enabled or was

    return switch_back


def _use_up_cap(organisation: Organisation) -> Callable[[], None]:
    cap = organisation.cap
    if cap is None:
        return lambda: None
    spent_elsewhere = max(Decimal(0), sum_of(cap.limit, -CAP_LEFT, -cap.spent))
    cap.spent = sum_of(cap.spent, spent_elsewhere)

    def free() -> None:
        cap.spent = sum_of(cap.spent, -spent_elsewhere)

    return free


_HTML = "<!doctype html><title>Nous Portal</title><p>We'll be right back."
_SETTLES = Outcome()
_BROKEN = refusing(500, "internal_error", "Something went wrong on our side.", portal_url=None)
_BROKEN_ONCE = Fault(status=500, body=_BROKEN.body, first_try_only=True)

_CHARGES = (
    Scenario(
        name="settles",
        title="Settles in 3 s",
        hint="Buy anything: the message turns from pending to added after about three seconds.",
        outcome=_SETTLES,
    ),
    Scenario(
        name="settles-slowly",
        title="Settles slowly",
        hint="The charge takes 40 seconds: long enough to close the window and be told in a DM.",
        outcome=Outcome(after=SLOW_SECONDS),
    ),
    Scenario(
        name="pending-for-ever",
        title="Never settles",
        hint="The charge stays pending: after five minutes it is a timeout, not a failure.",
        outcome=Outcome(status="pending"),
    ),
    Scenario(
        name="declined",
        title="Card declined",
        hint="The bank says no after three seconds.",
        outcome=Outcome(status="failed", reason="card_declined"),
    ),
    Scenario(
        name="expired-card",
        title="Card expired",
        hint="The card on file is out of date, which shows after three seconds.",
        outcome=Outcome(status="failed", reason="payment_method_expired"),
    ),
    Scenario(
        name="authentication-required",
        title="3D Secure needed",
        hint="The bank wants the cardholder to confirm in the portal.",
        outcome=Outcome(status="failed", reason="authentication_required"),
    ),
    Scenario(
        name="3ds-behind-payment-failed",
        title="3D Secure, called a failed payment",
        hint="Upgrade: the answer says payment_failed, and only its reason says what to do.",
        outcome=Outcome(status="failed", reason="authentication_required"),
        upgrade_status="payment_failed",
    ),
    Scenario(
        name="processing-error",
        title="Processing error",
        hint="The payment processor fails without saying why.",
        outcome=Outcome(status="failed", reason="processing_error"),
    ),
)
_REFUSALS = (
    Scenario(
        name="rate-limited",
        title="429, too many charges",
        hint="The charge is refused for two minutes; nothing is charged and nothing is retried.",
        outcome=_SETTLES,
        charge=refusing(429, "rate_limited", "Too many charges. Try again in 2 minutes.", "120"),
    ),
    Scenario(
        name="temporarily-unavailable",
        title="503, gate closed",
        hint="The charge gate is closed for a minute; nothing is charged.",
        outcome=_SETTLES,
        charge=refusing(
            503, "temporarily_unavailable", "Charges are paused for a moment. Try again soon.", "60"
        ),
    ),
    Scenario(
        name="stripe-unavailable",
        title="503, processor down",
        hint="The payment processor is down: nobody made too many charges.",
        outcome=_SETTLES,
        charge=refusing(
            503, "stripe_unavailable", "Our payment processor is not available right now.", "30"
        ),
    ),
)
_AMBIGUITIES = (
    Scenario(
        name="server-error-once",
        title="500, then works",
        hint="The first try answers 500 and charges nothing; asking again with its key settles.",
        outcome=_SETTLES,
        charge=_BROKEN_ONCE,
    ),
    Scenario(
        name="server-error",
        title="500 on every try",
        hint="Every try answers 500 and nothing is ever charged; the outcome stays unknown.",
        outcome=_SETTLES,
        charge=_BROKEN,
    ),
    Scenario(
        name="non-json",
        title="200 that is not JSON",
        hint="The card is charged, but every try is answered with a web page.",
        outcome=_SETTLES,
        charge=Fault(after_work=True, status=200, body=_HTML, content_type="text/html"),
    ),
    Scenario(
        name="no-charge-id",
        title="202 without a charge id",
        hint="The card is charged, but no try ever tells which charge to ask about.",
        outcome=_SETTLES,
        charge=Fault(after_work=True, status=202, body="{}"),
    ),
    Scenario(
        name="drop-before-once",
        title="Connection lost before the charge",
        hint="The first try is cut off and charges nothing; asking again with its key settles.",
        outcome=_SETTLES,
        charge=Fault(drop=True, first_try_only=True),
    ),
    Scenario(
        name="drop-after-once",
        title="Connection lost after the charge",
        hint="The card is charged and the answer lost; asking again with its key charges no more.",
        outcome=_SETTLES,
        charge=Fault(drop=True, after_work=True, first_try_only=True),
    ),
    Scenario(
        name="drop-before",
        title="Connection lost on every try",
        hint="Every try is cut off and nothing is ever charged; the outcome stays unknown.",
        outcome=_SETTLES,
        charge=Fault(drop=True),
    ),
    Scenario(
        name="drop-after",
        title="Answer lost on every try",
        hint="The card is charged once, and every answer is lost; the outcome stays unknown.",
        outcome=_SETTLES,
        charge=Fault(drop=True, after_work=True),
    ),
    Scenario(
        name="slow-answer",
        title="Charged, answers too late",
        hint="The card is charged at once, but the first answer takes longer than anyone waits.",
        outcome=_SETTLES,
        charge=Fault(hangs=True, after_work=True, first_try_only=True),
    ),
)
_SWITCHES = (
    Scenario(
        name="no-card",
        title="No card on file",
        hint="Buy, add a card on the billing page, then check again.",
        prepare=_take_card,
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
        prepare=_use_up_cap,
    ),
    Scenario(
        name="role-required",
        title="Role not sufficient",
        hint="The portal says that the person may not charge, whatever the role.",
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
        gate=Gate(error="session_revoked"),
    ),
    Scenario(
        name="org-access-denied",
        title="Organisation not accessible",
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
_OUTAGES = (
    Scenario(
        name="polls-unavailable",
        title="Polls answer 503",
        hint="Charges settle, but asking for them fails until another scenario is switched on.",
        poll=refusing(503, "temporarily_unavailable", "Try again in a few seconds.", "3"),
    ),
    Scenario(
        name="polls-rate-limited",
        title="Polls answer 429",
        hint="Asking for a charge is told to wait three seconds each time.",
        poll=refusing(429, "rate_limited", "Too many requests.", "3"),
    ),
    Scenario(
        name="polls-dropped",
        title="Polls are cut off",
        hint="Every question about a charge loses its connection; following it must go on.",
        poll=Fault(drop=True),
    ),
    Scenario(
        name="firewall-polls",
        title="Firewall before the polls",
        hint="Asking for a charge meets the firewall's challenge; following it must go on.",
        poll=FIREWALL,
    ),
    Scenario(
        name="portal-hangs",
        title="Portal hangs",
        hint="Every billing call waits 20 seconds before anything happens.",
        billing=Fault(hangs=True),
    ),
    Scenario(
        name="portal-down",
        title="Portal down",
        hint="Every billing call loses its connection before anything happens.",
        billing=Fault(drop=True),
    ),
    Scenario(
        name="state-non-json",
        title="Overview is not JSON",
        hint="The overview answers with a web page: unavailable, which is not logged out.",
        state=Fault(status=200, body=_HTML, content_type="text/html"),
    ),
    Scenario(
        name="account-unavailable",
        title="Usage unavailable",
        hint="The account call answers 503: the usage bars go, the overview stays.",
        account=refusing(503, "temporarily_unavailable", "Try again in a few seconds.", "5"),
    ),
    Scenario(
        name="refresh-unavailable",
        title="Token refresh unavailable",
        hint="Refreshing a token answers 503: an outage, so nobody is logged out.",
        refresh=refusing(503, "temporarily_unavailable", "Try again in a few seconds.", "5"),
    ),
    Scenario(
        name="firewall-refresh",
        title="Firewall before the token refresh",
        hint="Refreshing a token meets the firewall's 403: an outage, so the login stays.",
        refresh=FIREWALL_DENIES,
    ),
    Scenario(
        name="refresh-forbidden",
        title="Token refresh refused without an error code",
        hint="Refreshing a token answers 401 and no error code: the login is dead.",
        refresh=Fault(status=401, body='{"message":"Unauthorized"}'),
    ),
)

_ROWS = (
    Scenario(
        name=BY_AMOUNT,
        title="By amount",
        hint="Everything settles in three seconds, except $10.01 to $10.18.",
    ),
    *_CHARGES,
    *_REFUSALS,
    *_AMBIGUITIES,
    *_SWITCHES,
    *_OUTAGES,
)
SCENARIOS: Mapping[str, Scenario] = MappingProxyType({row.name: row for row in _ROWS})
"""Every scenario by its name, in the order in which a page lists them."""

AMOUNT_SCENARIOS: Mapping[Decimal, str] = MappingProxyType(
    {
        Decimal("10.01"): "declined",
        Decimal("10.02"): "expired-card",
        Decimal("10.03"): "authentication-required",
        Decimal("10.04"): "processing-error",
        Decimal("10.05"): "settles-slowly",
        Decimal("10.06"): "pending-for-ever",
        Decimal("10.07"): "rate-limited",
        Decimal("10.08"): "temporarily-unavailable",
        Decimal("10.09"): "stripe-unavailable",
        Decimal("10.10"): "server-error-once",
        Decimal("10.11"): "non-json",
        Decimal("10.12"): "drop-before-once",
        Decimal("10.13"): "drop-after-once",
        Decimal("10.14"): "no-charge-id",
        Decimal("10.15"): "drop-before",
        Decimal("10.16"): "server-error",
        Decimal("10.17"): "drop-after",
        Decimal("10.18"): "slow-answer",
    }
)
"""US dollars, and the scenario that a charge of exactly so much goes through."""


def scenario_of_charge(organisation: Organisation, amount: Decimal) -> Scenario:
    """The row that says what becomes of a charge: the organisation's, else its amount's."""
    switched = SCENARIOS[organisation.scenario]
    if not switched.leaves_charges_to_amount:
        return switched
    return SCENARIOS[AMOUNT_SCENARIOS.get(amount, "settles")]


def scenario_of(organisation: Organisation | None) -> Scenario:
    """The row that the organization is switched to; without an organization, the usual one."""
    return SCENARIOS[BY_AMOUNT if organisation is None else organisation.scenario]


def amount_of(name: str) -> Decimal | None:
    """The amount that starts the scenario, in US dollars, if one does."""
    return next((amount for amount, started in AMOUNT_SCENARIOS.items() if started == name), None)

"""Every screen with made-up facts: for golden files, for docs/copy.md, and for the pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from blocks import connect
from blocks.auto_reload import auto_reload_confirm_modal, auto_reload_done_modal, auto_reload_modal
from blocks.charge import (
    charge_message,
    charge_modal,
    charge_reply,
    permission_missing_message,
    resumed_message,
)
from blocks.errors import (
    NO_ORGANIZATION,
    error_copy,
    error_message,
    error_modal,
    refusal_copy,
    rule_words,
    stranger_message,
)
from blocks.help import amount_help_message, help_message
from blocks.history import history_message, no_trace_message, several_message, trace_message
from blocks.kit import Message
from blocks.limit import limit_modal
from blocks.loading import loading_message, loading_modal, message_modal
from blocks.lock import locked_message, unlocked_message
from blocks.overview import overview_home, overview_message
from blocks.purchase import (
    AmountForm,
    add_card_modal,
    amount_modal,
    closed_modal,
    confirm_modal,
    processing_modal,
)
from blocks.subscription import (
    blocked_modal,
    cancel_modal,
    schedule_modal,
    subscription_modal,
    upgrade_modal,
)
from blocks.usage import usage_message
from blocks.words import switch_off
from bot.domain.billing import (
    AccessReason,
    AccountInfo,
    AutoReload,
    AutoReloadChoice,
    BillingState,
    MemberCap,
    MonthlyCap,
    Overview,
    PlanUsage,
    Role,
    Usage,
)
from bot.domain.charge import Charge, ChargeKind, ChargeState, FailureReason
from bot.domain.delivery import Delivery
from bot.domain.errors import (
    CannotAskError,
    ChargeNotFoundError,
    GrantRefusedError,
    NoOrganizationError,
    NotAllowedError,
    NotInstalledError,
    NotLinkedError,
    NotReadyError,
    PortalUnavailableError,
    RefusalCode,
    StaleError,
    StoreUnavailableError,
    TooFastError,
)
from bot.domain.identity import Account, Connection, Identity
from bot.domain.money import Bounds
from bot.domain.offer import AmountOffer
from bot.domain.payment import PaymentMethod
from bot.domain.rules import Lock, Rule, RuleError, Rules
from bot.domain.subscription import CurrentPlan, Effect, Preview, Subscription, Tier
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.fields import read
from handlers.registry import usage_rows
from tests.support.live import PLUS_WITH_ROLLOVER, PLUS_WITH_THE_PLAN_SPENT

if TYPE_CHECKING:
    from blocks.kit import Json

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
PORTAL = "https://portal.nousresearch.com"
VISA = PaymentMethod(brand="visa", last4="4242", resolved_via="subPin")
STATE = BillingState(
    organization_id="org_acme",
    organization_name="Acme Research",
    role=Role.OWNER,
    balance=Decimal("142.50183461729"),
    billing_enabled=True,
    can_change_plan=None,
    presets=(Decimal(25), Decimal(50), Decimal(100)),
    bounds=Bounds(minimum=Decimal(5), maximum=Decimal(1000)),
    payment_method=VISA,
    monthly_cap=MonthlyCap(limit=Decimal(1000), spent=Decimal("179.9999583417"), is_default_ceiling=True),
    auto_reload=AutoReload(enabled=True, threshold=Decimal(20), reload_to=Decimal(100)),
    portal_url=f"{PORTAL}/billing?topup=open",
)
LOCK = Lock(
    locked_by=Identity(enterprise="", team="T0ACME", user="U0GRACE"), locked_at=NOW, reason="Audit week"
)
LOCKED = RuleError(Rule.LOCKED, lock=LOCK)
MEMBER = replace(STATE, role=Role.MEMBER, payment_method=None, monthly_cap=None, auto_reload=None)
PLAN = PlanUsage(
    name="Plus", monthly=Decimal(22), left=Decimal("13.2041766003"), renews_on=date(2026, 12, 1)
)
USAGE = Usage(plan=PLAN, topped_up=Decimal("142.50183461729"), allowed=True, reason=AccessReason.USABLE)
PLUS_SPENT = read(AccountWire, PLUS_WITH_THE_PLAN_SPENT).to_domain()
PLUS_ROLLOVER = read(AccountWire, PLUS_WITH_ROLLOVER).to_domain()
ACCOUNT = Account(
    account_id="did:ada",
    email="ada@acme.example",
    organization_id="org_acme",
    organization_name="Acme Research",
)
CONNECTION = Connection(account=ACCOUNT, may_bill=True, ends_at=NOW + timedelta(days=20))
LINK = PaymentMethod(kind="link", email="ada@acme.example", resolved_via="customerDefault")
WALLET = PaymentMethod(brand="visa", last4="4242", wallet="apple_pay")
CHARGE = Charge(
    id="3f9a5c0e71d2b846",
    identity=Identity(enterprise="", team="T0ACME", user="U0ADA"),
    state=ChargeState.CONFIRMED,
    amount=Decimal("50.00"),
    idempotency_key="11111111-2222-4333-8444-555555555555",
    account_id="did:ada",
    organization_id="org_acme",
    organization_name="Acme Research",
    account_email="ada@acme.example",
    payment_method=VISA,
    created_at=NOW - timedelta(seconds=20),
    confirmed_at=NOW,
    portal_url=f"{PORTAL}/billing?topup=open",
)
UPGRADE = replace(CHARGE, kind=ChargeKind.UPGRADE, amount=Decimal("30.00"), tier_id="max", tier_name="Max")
TIERS = (
    Tier(
        id="free", name="Free", order=0, price="$0", monthly=Decimal(0), is_current=False, is_enabled=True
    ),
    Tier(
        id="plus", name="Plus", order=1, price="$20", monthly=Decimal(22), is_current=True, is_enabled=True
    ),
    Tier(
        id="max", name="Max", order=2, price="$50", monthly=Decimal(60), is_current=False, is_enabled=True
    ),
)
CURRENT = CurrentPlan(
    tier_id="plus",
    name="Plus",
    monthly=Decimal(22),
    left=Decimal("13.2"),
    cycle_ends=date(2026, 12, 1),
)
SUBSCRIPTION = Subscription(
    organization_id="org_acme",
    organization_name="Acme Research",
    role=Role.OWNER,
    can_change_plan=None,
    is_team=False,
    current=CURRENT,
    tiers=TIERS,
    manage_url=f"{PORTAL}/manage-subscription?org_id=org_acme",
)
PREVIEW = Preview(
    effect=Effect.CHARGE_NOW,
    reason=None,
    current_name="Plus",
    target_id="max",
    target_name="Max",
    due_now=Decimal(30),
    effective_on=None,
)
FORM = AmountForm.of(STATE, AmountOffer.of(STATE), read_at=NOW, account=ACCOUNT)
SPENT_UP = replace(STATE, monthly_cap=MonthlyCap(limit=Decimal(1000), spent=Decimal("996.8")))
TIGHT = replace(STATE, monthly_cap=MonthlyCap(limit=Decimal(1000), spent=Decimal("987.4999")))
ON = AutoReloadChoice(enabled=True, threshold=Decimal(20), reload_to=Decimal(100))
NOTE = connect.connected_note(ACCOUNT, may_bill=True)


@dataclass(frozen=True, kw_only=True)
class Screen:
    """A message or a view (modal or home), and when it is seen."""

    name: str
    when: str
    shown: Message | Json

    @property
    def json(self) -> dict[str, Any]:
        """The whole of it, as Slack gets it."""
        if isinstance(self.shown, Message):
            return {"text": self.shown.text, "blocks": list(self.shown.blocks)}
        return self.shown


def _charge(state: ChargeState, **facts: Any) -> Charge:
    return replace(CHARGE, state=state, **facts)


def _screen(name: str, when: str, shown: Message | Json) -> Screen:
    return Screen(name=name, when=when, shown=shown)


def _overview(state: BillingState = STATE, usage: Usage | None = USAGE, **facts: Any) -> Overview:
    return Overview(**{"state": state, "usage": usage, "connection": CONNECTION, "read_at": NOW, **facts})


def _usage(usage: Usage) -> Message:
    return usage_message(AccountInfo(account=ACCOUNT, usage=usage), NOW)


def _of_account(info: AccountInfo) -> Overview:
    """The overview of somebody with a live account: their balance is their top-ups."""
    state = replace(STATE, balance=info.usage.topped_up, organization_name=info.account.organization_name)
    return _overview(state, info.usage, connection=replace(CONNECTION, account=info.account))


def _portals() -> list[Screen]:
    """What the live portal sends and a kind sandbox did not."""
    capped = Usage(
        allowed=False,
        reason=AccessReason.MEMBER_CAP,
        topped_up=Decimal("142.50183461729"),
        member_cap=MemberCap(
            exceeded=True, limit=Decimal(25), spent=Decimal("25.3061984"), left=Decimal("-0.3061984")
        ),
    )
    unknown = Usage(plan=PlanUsage(name="Plus"), allowed=True, reason=AccessReason.USABLE)
    later = datetime(2027, 1, 10, 14, 3, tzinfo=UTC)
    ending = replace(CONNECTION, ends_at=later + timedelta(days=2))
    not_enabled = replace(CONNECTION, may_bill=False)
    return [
        _screen(
            "overview-plus-spent",
            "Plus with the plan spent (live)",
            overview_message(_of_account(PLUS_SPENT)),
        ),
        _screen("usage-plus-spent", "the same in `/billing usage`", usage_message(PLUS_SPENT, NOW)),
        _screen("home-plus-spent", "the same in App Home", overview_home(_of_account(PLUS_SPENT), [])),
        _screen(
            "overview-plus-rollover",
            "Plus with rollover (live)",
            overview_message(_of_account(PLUS_ROLLOVER)),
        ),
        _screen("usage-plus-rollover", "the same in `/billing usage`", usage_message(PLUS_ROLLOVER, NOW)),
        _screen(
            "home-plus-rollover", "the same in App Home", overview_home(_of_account(PLUS_ROLLOVER), [])
        ),
        _screen(
            "overview-member-capped",
            "a member over their own spending limit",
            overview_message(_overview(MEMBER, capped)),
        ),
        _screen(
            "overview-unknown-numbers",
            "a plan without its numbers",
            overview_message(_overview(MEMBER, unknown)),
        ),
        _screen("overview-link", "Link", overview_message(_overview(replace(STATE, payment_method=LINK)))),
        _screen(
            "overview-wallet",
            "a wallet",
            overview_message(_overview(replace(STATE, payment_method=WALLET))),
        ),
        _screen(
            "overview-new-kind",
            "a payment method that is not known here",
            overview_message(_overview(replace(STATE, payment_method=PaymentMethod(kind="sepa_debit")))),
        ),
        _screen(
            "overview-not-enabled",
            "a connection without the billing permission",
            overview_message(_overview(connection=not_enabled)),
        ),
        _screen(
            "overview-ends-soon",
            "the connection ends in two days",
            overview_message(_overview(connection=ending, read_at=later)),
        ),
        _screen(
            "overview-applying",
            "an upgrade was paid a moment ago",
            overview_message(_overview(applying="Max")),
        ),
        _screen(
            "overview-extreme",
            "amounts beyond reason",
            overview_message(_overview(replace(STATE, balance=Decimal("1e25")))),
        ),
    ]


def _errors() -> list[Screen]:
    known = {
        "not-linked": NotLinkedError(),
        "no-organization": NoOrganizationError(),
        "grant-refused": GrantRefusedError("invalid_scope"),
        "member-may-not": NotAllowedError(RefusalCode.ROLE_REQUIRED, STATE.portal_url, role=Role.MEMBER),
        "admin-may-not": NotAllowedError(RefusalCode.ROLE_REQUIRED, STATE.portal_url, role=Role.ADMIN),
        "switch-off-admin": NotAllowedError(
            RefusalCode.BILLING_DISABLED, STATE.portal_url, role=Role.ADMIN
        ),
        "switch-off-finance-admin": NotAllowedError(
            RefusalCode.BILLING_DISABLED, STATE.portal_url, role=Role.FINANCE_ADMIN
        ),
        "portal-away": PortalUnavailableError("x"),
        "used-up": StaleError(),
        "starting": NotReadyError(),
        "not-installed": NotInstalledError(),
        "too-fast": TooFastError(),
        "cannot-ask": CannotAskError("https://portal.nousresearch.com/billing?topup=open"),
        "records-away": StoreUnavailableError(),
        "not-yours": ChargeNotFoundError(),
        "unexpected": RuntimeError("x"),
    }
    screens = []
    for name, error in known.items():
        copy, url = error_copy(error, now=NOW, incident="5f0c2a9e")
        screens.append(
            _screen(f"error-{name}", "an error in answer to a command", error_message(copy, url))
        )
    for code in RefusalCode:
        if code is RefusalCode.SPENDING_STOPPED:
            continue  # ours, and said of a charge alone
        detail = {
            RefusalCode.MONTHLY_CAP_EXCEEDED: "12.5",
            RefusalCode.VALIDATION_FAILED: "The portal's own words.",
        }.get(code)
        copy = refusal_copy(code, detail=detail)
        view = error_modal("Billing", copy, STATE.portal_url)
        screens.append(_screen(f"refusal-{code.value}", f"the portal said {code.value}", view))
    return screens


def _governing() -> list[Screen]:
    rules = {
        "read-only": (RuleError(Rule.READ_ONLY), "spending anything in read-only mode"),
        "locked": (LOCKED, "spending anything while it is locked"),
        "users": (RuleError(Rule.USERS), "anything, by somebody who is not on the list"),
        "channels": (RuleError(Rule.CHANNELS, channels=("C0FINANCE",)), "`/billing` in another channel"),
        "lockers": (RuleError(Rule.LOCKERS), "`/billing lock` by somebody who may not"),
    }
    too_much = RuleError(Rule.MAX_CHARGE, limit=Decimal(100))
    day = RuleError(Rule.MAX_DAILY, limit=Decimal(200), left=Decimal("49.99"))
    return [
        *(
            _screen(f"rule-{name}", when, error_message(error_copy(error, now=NOW, incident="")[0]))
            for name, (error, when) in rules.items()
        ),
        _screen(
            "amount-over-limit",
            "more than one charge may be",
            amount_modal(
                AmountForm.of(STATE, AmountOffer.of(STATE, Rules(max_charge=Decimal(100)))),
                typed="$150",
                problem=rule_words(too_much).removesuffix("."),
            ),
        ),
        _screen(
            "amount-over-day",
            "more than one person may charge in a day",
            amount_modal(FORM, typed="$50", problem=rule_words(day).removesuffix(".")),
        ),
        _screen("lock", "`/billing lock Audit week`", locked_message(LOCK, already=False)),
        _screen("lock-already", "locked before", locked_message(LOCK, already=True)),
        _screen("unlock", "`/billing unlock`", unlocked_message(LOCK)),
        _screen("unlock-nothing", "it was not locked", unlocked_message(None)),
        _screen(
            "overview-locked", "`/billing` while locked", overview_message(_overview(), stopped=LOCKED)
        ),
        _screen(
            "home-read-only",
            "App Home in read-only mode",
            overview_home(_overview(), [], stopped=RuleError(Rule.READ_ONLY)),
        ),
        _screen(
            "charge-stopped",
            "a confirmed purchase that was not sent any more",
            charge_message(_charge(ChargeState.REFUSED, refusal=RefusalCode.SPENDING_STOPPED)),
        ),
    ]


def _charges() -> list[Screen]:
    failures = {reason.value: _charge(ChargeState.FAILED, failure=reason) for reason in FailureReason}
    states = {
        "pending": CHARGE,
        "settled": _charge(ChargeState.SETTLED),
        **failures,
        "refused": _charge(ChargeState.REFUSED, refusal=RefusalCode.RATE_LIMITED, retry_at=NOW),
        "needs-scope": _charge(ChargeState.NEEDS_SCOPE),
        "permitted": _charge(ChargeState.NEEDS_SCOPE, permitted_at=NOW),
        "declined-link": _charge(
            ChargeState.FAILED, failure=FailureReason.CARD_DECLINED, payment_method=LINK
        ),
        "refused-default-ceiling": _charge(
            ChargeState.REFUSED,
            refusal=RefusalCode.MONTHLY_CAP_EXCEEDED,
            refusal_detail="12.5 default",
        ),
        "overdue": _charge(ChargeState.OVERDUE),
        "overdue-checking": _charge(ChargeState.OVERDUE, check_asked_at=NOW),
        "overdue-checked": _charge(ChargeState.OVERDUE, check_asked_at=NOW, checked_at=NOW),
        "unconfirmed": _charge(ChargeState.UNCONFIRMED),
        "unconfirmed-access-lost": _charge(ChargeState.UNCONFIRMED, refusal=RefusalCode.SESSION_REVOKED),
        "setup-expired": _charge(ChargeState.EXPIRED),
        "upgrade-pending": UPGRADE,
        "upgrade-done": replace(UPGRADE, state=ChargeState.SETTLED),
        "upgrade-declined": replace(UPGRADE, state=ChargeState.FAILED, failure=FailureReason.CARD_DECLINED),
    }
    return [
        *(
            _screen(f"charge-{name}", "the one message of a purchase", charge_message(c))
            for name, c in states.items()
        ),
        _screen("charge-reply", "its thread, when it took long", charge_reply(states["overdue"])),
        _screen(
            "charge-permission-missing",
            "Resume while the permission is missing",
            permission_missing_message(states["needs-scope"]),
        ),
        _screen("charge-resumed", "after Resume", resumed_message(CHARGE)),
        _screen("modal-settled", "the open modal, in the end", charge_modal(states["settled"])),
        _screen("modal-needs-scope", "the open modal, in the end", charge_modal(states["needs-scope"])),
        _screen("modal-unconfirmed", "the open modal, in the end", charge_modal(states["unconfirmed"])),
    ]


def _buying() -> list[Screen]:
    return [
        _screen("amount", "Add funds", amount_modal(FORM)),
        _screen("amount-another", "another amount", amount_modal(FORM, chosen="custom")),
        _screen(
            "amount-problem",
            "`/billing buy 4`",
            amount_modal(FORM, typed="$4", problem="The smallest amount is $5"),
        ),
        _screen(
            "amount-tight",
            "the monthly limit leaves less than a preset",
            amount_modal(
                AmountForm.of(TIGHT, AmountOffer.of(TIGHT), read_at=NOW, account=ACCOUNT), chosen="custom"
            ),
        ),
        _screen(
            "amount-closed",
            "the monthly limit leaves less than the smallest purchase",
            closed_modal(
                AmountForm.of(SPENT_UP, AmountOffer.of(SPENT_UP), read_at=NOW, account=ACCOUNT), SPENT_UP
            ),
        ),
        _screen(
            "amount-unreadable",
            "`/billing buy ten`",
            amount_help_message("ten", "Enter a dollar amount, e.g. 100"),
        ),
        _screen(
            "confirm",
            "an amount was chosen",
            confirm_modal(CHARGE, open_equal=None),
        ),
        _screen(
            "confirm-link",
            "the same with Link",
            confirm_modal(replace(CHARGE, payment_method=LINK), open_equal=None),
        ),
        _screen(
            "confirm-wallet",
            "the same with a wallet",
            confirm_modal(replace(CHARGE, payment_method=WALLET), open_equal=None),
        ),
        _screen(
            "confirm-new-kind",
            "the same with a method that is not known here",
            confirm_modal(
                replace(CHARGE, payment_method=PaymentMethod(kind="sepa_debit")), open_equal=None
            ),
        ),
        _screen(
            "confirm-buy-again",
            "an equal purchase has an open end",
            confirm_modal(CHARGE, open_equal=_charge(ChargeState.OVERDUE)),
        ),
        _screen(
            "confirm-buy-again-settled",
            "an equal purchase has settled, and the message is still to come",
            confirm_modal(CHARGE, open_equal=_charge(ChargeState.SETTLED)),
        ),
        _screen("processing", "after the yes", processing_modal(CHARGE)),
        _screen("add-card", "there is no card", add_card_modal(STATE, typed="$50")),
        _screen(
            "add-card-still", "checked, still none", add_card_modal(STATE, typed="$50", still_missing=True)
        ),
        _screen("loading", "while the portal is asked", loading_modal("Add funds")),
        _screen("waiting", "an answer takes longer than a moment", loading_message()),
    ]


def _looking() -> list[Screen]:
    depleted = Usage(
        plan=replace(PLAN, left=Decimal("-3.5")),
        topped_up=Decimal(0),
        total=Decimal(0),
        allowed=False,
        reason=AccessReason.NOTHING_USABLE,
    )
    low = Usage(topped_up=Decimal("3.2"), allowed=True)
    needs_plan = Usage(topped_up=Decimal("32.08"), allowed=False, reason=AccessReason.NO_SUBSCRIPTION)
    blocked = Usage(topped_up=Decimal("32.08"), allowed=False)
    free = Usage(topped_up=Decimal(0), allowed=False, reason=AccessReason.NO_SUBSCRIPTION)
    recent = [_charge(ChargeState.SETTLED), _charge(ChargeState.FAILED, amount=Decimal("10.01"))]
    return [
        _screen("welcome", "`/billing`, not connected", connect.welcome_message()),
        _screen("overview", "`/billing`", overview_message(_overview())),
        _screen("overview-no-usage", "the account call failed", overview_message(_overview(usage=None))),
        _screen("overview-member", "a member", overview_message(_overview(MEMBER))),
        _screen(
            "overview-switch-off",
            "the organization's switch is off",
            overview_message(_overview(replace(STATE, billing_enabled=False))),
        ),
        _screen(
            "overview-no-card",
            "no payment method",
            overview_message(_overview(replace(STATE, payment_method=None))),
        ),
        *_portals(),
        _screen("home", "App Home", overview_home(_overview(), recent)),
        _screen("home-welcome", "App Home, not connected", connect.welcome_home()),
        _screen("usage", "`/billing usage`", _usage(USAGE)),
        _screen("usage-overdrawn", "overdrawn and depleted", _usage(depleted)),
        _screen("usage-low", "running low", _usage(low)),
        _screen("usage-free", "nothing yet", _usage(free)),
        _screen("usage-needs-plan", "top-ups, and no plan", _usage(needs_plan)),
        _screen("usage-blocked", "refused, and the portal does not say why", _usage(blocked)),
        _screen("limit", "`/billing limit`", limit_modal(STATE, ACCOUNT, NOW)),
        _screen("limit-none", "no limit", limit_modal(replace(STATE, monthly_cap=None), ACCOUNT, NOW)),
        _screen("limit-member", "a member", limit_modal(MEMBER, ACCOUNT, NOW)),
        _screen("history", "`/billing history`", history_message(recent, page=0, more=True)),
        _screen("history-empty", "nothing bought yet", history_message([], page=0, more=False)),
        _screen(
            "trace",
            "`/billing trace`",
            trace_message(
                _charge(
                    ChargeState.SETTLED,
                    posts=1,
                    first_post_at=NOW,
                    last_post_at=NOW,
                    submitted_at=NOW,
                    polls=4,
                    first_poll_at=NOW + timedelta(seconds=2),
                    last_poll_at=NOW + timedelta(seconds=8),
                    ended_at=NOW + timedelta(seconds=8),
                    portal_charge_id="ch_1",
                ),
                Delivery(
                    id="3f9a5c0e71d2b846",
                    subject_kind="charge",
                    subject_id="3f9a5c0e71d2b846",
                    recipient=Identity(enterprise="", team="T0ACME", user="U0ADA"),
                    created_at=NOW,
                    channel="D0ADA",
                    ts="1795356181.000100",
                    posting_since=NOW,
                    posted_at=NOW + timedelta(seconds=1),
                    edited_at=NOW + timedelta(seconds=9),
                ),
                key_fingerprint="0a1b2c3d4e",
            ),
        ),
        _screen("trace-several", "a beginning of several purchases", several_message()),
        _screen("trace-none", "no such purchase", no_trace_message()),
        _screen("help", "`/billing help`", help_message(usage_rows())),
        _screen(
            "help-near-miss",
            "`/billing conect`",
            help_message(usage_rows(), unknown="conect", near="connect"),
        ),
    ]


def _plan(subscription: Subscription) -> Json:
    return subscription_modal(subscription, ACCOUNT, NOW)


def _changing() -> list[Screen]:
    scheduled = replace(CURRENT, becomes="Free", becomes_on=date(2026, 12, 1))
    ending = replace(CURRENT, cancels=True, cancels_on=date(2026, 12, 1))
    later = replace(PREVIEW, effect=Effect.SCHEDULED, target_id="free", target_name="Free", due_now=None)
    blocked = replace(PREVIEW, effect=Effect.BLOCKED, reason="Settle the open invoice first.")
    return [
        _screen("auto-reload", "`/billing auto-reload`", auto_reload_modal(STATE)),
        _screen("auto-reload-member", "a member", auto_reload_modal(MEMBER)),
        _screen(
            "auto-reload-confirm",
            "before it is switched on",
            auto_reload_confirm_modal(ON, STATE, ACCOUNT, confirmation_id="i1"),
        ),
        _screen(
            "auto-reload-off",
            "before it is switched off",
            auto_reload_confirm_modal(replace(ON, enabled=False), STATE, ACCOUNT, confirmation_id="i1"),
        ),
        _screen(
            "auto-reload-never-set-up",
            "an owner who never set it up",
            auto_reload_modal(replace(STATE, auto_reload=None)),
        ),
        _screen(
            "auto-reload-no-method",
            "no payment method",
            auto_reload_modal(replace(STATE, auto_reload=None, payment_method=None)),
        ),
        _screen(
            "auto-reload-confirm-link",
            "before it is switched on, with Link",
            auto_reload_confirm_modal(
                ON, replace(STATE, payment_method=LINK), ACCOUNT, confirmation_id="i1"
            ),
        ),
        _screen("auto-reload-done", "saved", auto_reload_done_modal(ON)),
        _screen("plan", "`/billing subscription`", _plan(SUBSCRIPTION)),
        _screen(
            "plan-scheduled",
            "a change is scheduled",
            _plan(replace(SUBSCRIPTION, current=scheduled)),
        ),
        _screen("plan-ending", "it was cancelled", _plan(replace(SUBSCRIPTION, current=ending))),
        _screen("plan-free", "no plan", _plan(replace(SUBSCRIPTION, current=None))),
        _screen(
            "plan-team",
            "a team, for which the portal names a plan and offers others",
            _plan(replace(SUBSCRIPTION, is_team=True)),
        ),
        _screen(
            "plan-applying",
            "an upgrade was paid a moment ago",
            _plan(replace(SUBSCRIPTION, applying="Max")),
        ),
        _screen(
            "plan-unknown-numbers",
            "a plan without its numbers",
            _plan(
                replace(SUBSCRIPTION, current=replace(CURRENT, monthly=None, left=None, cycle_ends=None))
            ),
        ),
        _screen("plan-member", "a member", _plan(replace(SUBSCRIPTION, role=Role.MEMBER))),
        _screen("plan-upgrade", "an upgrade charges now", upgrade_modal(UPGRADE, PREVIEW)),
        _screen(
            "plan-schedule",
            "a change without a charge",
            schedule_modal(later, ACCOUNT, confirmation_id="i1"),
        ),
        _screen(
            "plan-cancel", "before it is cancelled", cancel_modal(CURRENT, ACCOUNT, confirmation_id="i1")
        ),
        _screen("plan-blocked", "not possible", blocked_modal(blocked, SUBSCRIPTION)),
        _screen("upgrade-processing", "after the yes", processing_modal(UPGRADE)),
    ]


def _connecting() -> list[Screen]:
    url = f"{PORTAL}/device?user_code=WXYZ-1234"
    downscoped = connect.connected_note(ACCOUNT, may_bill=False)
    not_enabled = connect.connected_note(ACCOUNT, may_bill=False, for_purchase=True)
    return [
        _screen("connect", "`/billing connect`", connect.link_message(url, "WXYZ-1234", NOW)),
        _screen("connect-already", "connected already", connect.already_connected_message(CONNECTION, NOW)),
        _screen("connected", "approved", connect.connected_message(NOTE)),
        _screen(
            "connected-permitted",
            "billing was enabled for a purchase, in place of the link",
            connect.permitted_message(NOTE, CHARGE, in_thread=True),
        ),
        _screen(
            "connected-permitted-obstacle",
            "the same while the organization's switch is off",
            connect.permitted_message(
                NOTE, CHARGE, in_modal=True, obstacle=switch_off(Role.OWNER, "Acme Research")
            ),
        ),
        _screen(
            "connected-permitted-modal",
            "the same where the link stood in a modal",
            message_modal("Connect", connect.permitted_message(NOTE, CHARGE, in_modal=True)),
        ),
        _screen(
            "connected-still-missing",
            "a command needs billing, and it was not allowed",
            connect.connected_message(downscoped, enable="auto-reload"),
        ),
        _screen("connect-approved", "approved, and the portal is away", connect.approved_message()),
        _screen(
            "connect-no-organization",
            "the login belongs to no organization",
            connect.not_connected_message(why=NO_ORGANIZATION),
        ),
        _screen(
            "connect-unusable",
            "the account cannot be kept",
            connect.not_connected_message(why=connect.UNUSABLE),
        ),
        _screen(
            "connect-already-ends-soon",
            "connected already, and the connection ends soon",
            connect.already_connected_message(replace(CONNECTION, ends_at=NOW + timedelta(days=2)), NOW),
        ),
        _screen(
            "connected-go-on",
            "a command was waiting",
            connect.connected_message(NOTE, go_on="buy 50"),
        ),
        _screen("connected-downscoped", "billing was not allowed", connect.connected_message(downscoped)),
        _screen("connect-not-enabled", "nor for a purchase", connect.connected_message(not_enabled)),
        _screen("connect-denied", "turned down", connect.not_connected_message(why=connect.DENIED)),
        _screen("connect-expired", "too late", connect.not_connected_message(why=connect.EXPIRED)),
        _screen("connect-failed", "refused", connect.not_connected_message(why=connect.FAILED)),
        _screen("connect-mismatch", "another account", connect.not_connected_message(why=connect.MISMATCH)),
        _screen("connect-superseded", "a newer link was asked for", connect.superseded_message()),
        _screen("connect-used", "used before Slack said where it stands", connect.used_message()),
        _screen("connect-cancelled", "Cancel", connect.cancelled_message()),
        _screen("disconnected", "`/billing disconnect`", connect.disconnected_message(ACCOUNT)),
        _screen("disconnected-nothing", "not connected", connect.disconnected_message(None)),
        _screen("stranger", "somebody of another workspace", stranger_message()),
    ]


SECTIONS: dict[str, list[Screen]] = {
    "Looking": _looking(),
    "Connecting": _connecting(),
    "Buying": _buying(),
    "A purchase's message": _charges(),
    "Auto-reload and the plan": _changing(),
    "The operator's rules": _governing(),
    "Errors and refusals": _errors(),
}
SCREENS = [screen for screens in SECTIONS.values() for screen in screens]

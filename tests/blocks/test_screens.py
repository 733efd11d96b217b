from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks import ids
from blocks.charge import charge_message, charge_modal, charge_reply
from blocks.connect import connected_note
from blocks.errors import error_copy
from blocks.kit import Message, moment
from blocks.overview import overview_message
from blocks.purchase import AmountForm, add_card_modal, amount_modal, amount_problem, confirm_modal
from blocks.refusals import refusal_copy
from blocks.request import requests_message
from blocks.request_forms import AskedFor, ask_modal, asked_words
from blocks.usage import parts_line, to_use, usage_message
from blocks.words import auto_reload_line, method_name, squares, why_this_method
from bot.domain.billing import (
    AccessReason,
    AccountInfo,
    AutoReload,
    AutoReloadCardKind,
    Overview,
    PlanUsage,
    Usage,
)
from bot.domain.charge import ChargeState, FailureReason
from bot.domain.errors import NotLinkedError, PortalRefusalError, PortalUnavailableError, RefusalCode
from bot.domain.money import AmountError, AmountProblem, Bounds, show
from bot.domain.offer import AmountOffer
from bot.domain.payment import PaymentMethod
from bot.domain.request import RequestState, Withdrawal
from bot.domain.request_views import Approvers
from bot.sandbox.slack.validation import validate_blocks, validate_view
from tests.support.catalogue import SCREENS, Screen
from tests.support.samples import ACCOUNT, CHARGE, CONNECTION, NOW, PLAN, PORTAL, REQUEST, STATE, USAGE
from tests.support.shown import Shown

NASTY = "<!channel> *Evil* & Co\n" + "x" * 200


def acceptable(message: Message) -> None:
    assert validate_blocks(list(message.blocks)) is None
    assert message.text


@pytest.mark.behavior(61)
@pytest.mark.parametrize("state", ChargeState)
@pytest.mark.parametrize("refusal", [None, *RefusalCode])
def test_every_state_of_a_charge_has_a_message_a_modal_and_a_reply(
    state: ChargeState, refusal: RefusalCode | None
) -> None:
    charge = replace(CHARGE, state=state, refusal=refusal, organization_name=NASTY)
    acceptable(charge_message(charge))
    acceptable(charge_reply(charge))
    assert validate_view(charge_modal(charge)) is None
    assert "<!channel>" not in charge_message(charge).text


OUTCOMES: list[tuple[dict[str, Any], str]] = [
    ({"state": ChargeState.SETTLED}, "*$50 added to your balance*"),
    ({"state": ChargeState.SETTLED, "settled_amount": Decimal("49.5")}, "*$49.50 added to your balance*"),
    ({"state": ChargeState.FAILED, "failure": FailureReason.CARD_DECLINED}, "was declined"),
    ({"state": ChargeState.FAILED, "failure": FailureReason.PAYMENT_METHOD_EXPIRED}, "has expired"),
    (
        {"state": ChargeState.FAILED, "failure": FailureReason.AUTHENTICATION_REQUIRED},
        "requires verification",
    ),
    ({"state": ChargeState.FAILED, "failure": FailureReason.PROCESSING_ERROR}, "didn't go through"),
    ({"state": ChargeState.OVERDUE}, "a timeout, not a failure"),
    ({"state": ChargeState.UNCONFIRMED}, "may or may not have been charged"),
]


@pytest.mark.behavior(31)
@pytest.mark.parametrize(("changed", "words"), OUTCOMES, ids=lambda value: str(value)[:40])
def test_each_outcome_says_its_words(changed: dict[str, Any], words: str) -> None:
    assert words in charge_message(replace(CHARGE, **changed)).text


@pytest.mark.behavior(26)
def test_a_charge_without_a_clear_end_is_never_called_a_failure() -> None:
    for state in (ChargeState.UNCONFIRMED, ChargeState.OVERDUE):
        for refusal in (None, *RefusalCode):
            text = charge_message(replace(CHARGE, state=state, refusal=refusal)).text
            assert "was not charged" not in text
            assert "declined" not in text


@pytest.mark.behavior(61)
def test_a_check_shows_that_it_runs_and_when_it_ran() -> None:
    asked = replace(CHARGE, state=ChargeState.OVERDUE, check_asked_at=NOW)
    assert "Checking now…" in charge_message(asked).text
    checked = replace(asked, checked_at=NOW + timedelta(seconds=1))
    assert "nothing new yet" in charge_message(checked).text


@pytest.mark.behavior(10)
@pytest.mark.parametrize("code", RefusalCode)
def test_no_refusal_speaks_of_credits_scopes_or_codes(code: RefusalCode) -> None:
    for detail in (None, "12.5", "admin"):
        words = refusal_copy(code, detail=detail).words
        assert "credit" not in words.lower()
        assert "billing:manage" not in words
        assert code.value not in words or code is RefusalCode.OTHER
        assert words.endswith(".") or detail


def test_the_portals_message_is_shown_unchanged_and_escaped() -> None:
    assert (
        refusal_copy(RefusalCode.OTHER, detail="Only <b> & on Mondays").words
        == "Only &lt;b&gt; &amp; on Mondays"
    )


@pytest.mark.parametrize("code", [RefusalCode.RATE_LIMITED, RefusalCode.STRIPE_UNAVAILABLE])
@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "You can try again now."),
        (1, "Try again in about 10 seconds."),
        (28, "Try again in about 30 seconds."),
        (90, "Try again in about 2 min."),
        (599, "Try again in about 10 min."),
        (600, f"<!date^{int(NOW.timestamp()) + 600}^"),
    ],
)
def test_a_refusal_with_a_wait_says_when_to_try_again(code: RefusalCode, seconds: int, words: str) -> None:
    copy, _ = error_copy(PortalRefusalError(code, retry_after=seconds), now=NOW, incident="x")
    assert words in copy.words
    assert ("Too many" in copy.words) is (code is RefusalCode.RATE_LIMITED)


NO_BUYING = (
    RefusalCode.ROLE_REQUIRED,
    RefusalCode.BILLING_DISABLED,
    RefusalCode.CONSENT_REQUIRED,
    RefusalCode.MONTHLY_CAP_EXCEEDED,
    RefusalCode.SPENDING_STOPPED,
    RefusalCode.RULE_FORBIDS,
    RefusalCode.NOT_SENT_IN_TIME,
    RefusalCode.NOT_VERIFIED,
)


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refused_purchase_offers_to_buy_only_where_buying_helps(code: RefusalCode) -> None:
    shown = Shown(charge_message(replace(CHARGE, state=ChargeState.REFUSED, refusal=code)).json)
    offers = {label for label in shown.buttons if label in {"Add funds", "Try $50 again"}}
    if code in NO_BUYING:
        assert offers == set()
    else:
        assert len(offers) <= 1


@pytest.mark.behavior(31)
def test_a_payment_that_needs_verification_leads_to_the_portal_first() -> None:
    failure = FailureReason.AUTHENTICATION_REQUIRED
    shown = Shown(charge_message(replace(CHARGE, state=ChargeState.FAILED, failure=failure)).json)
    assert shown.buttons == ["Verify in portal", "Try $50 again"]
    assert shown.links == [CHARGE.portal_url]
    assert shown.styles["Verify in portal"] == "primary"


@pytest.mark.behavior(6)
def test_a_missing_connection_and_an_outage_have_different_messages() -> None:
    linked, _ = error_copy(NotLinkedError(), now=NOW, incident="x")
    down, _ = error_copy(PortalUnavailableError("boom"), now=NOW, incident="x")
    assert linked.connect
    assert not down.connect
    assert down.words.startswith("Couldn't load billing: ")
    assert "boom" not in down.words


def test_an_unknown_error_shows_the_incident_and_nothing_of_itself() -> None:
    copy, _ = error_copy(ZeroDivisionError("secret detail"), now=NOW, incident="ab12cd34")
    assert "ab12cd34" in copy.words
    assert "secret detail" not in copy.words


@pytest.mark.behavior(16)
@pytest.mark.parametrize(
    ("card", "name"),
    [
        (PaymentMethod(brand="visa", last4="4242"), "Visa ····4242"),
        (PaymentMethod(brand="Link"), "Link"),
        (PaymentMethod(brand="AMEX", last4="0005"), "AMEX ····0005"),
    ],
)
def test_the_screen_names_the_card(card: PaymentMethod, name: str) -> None:
    assert method_name(card) == name


@pytest.mark.behavior(17)
@pytest.mark.parametrize(
    ("via", "words"),
    [
        ("subPin", "the card on your subscription"),
        ("customerDefault", "your default card saved in the portal"),
        ("autoRefill", "your auto-reload card"),
        ("somethingNew", None),
        (None, None),
    ],
)
def test_the_screen_says_why_this_card_is_charged(via: str | None, words: str | None) -> None:
    assert why_this_method(PaymentMethod(brand="visa", resolved_via=via)) == words


@pytest.mark.behavior(18)
@pytest.mark.parametrize(
    ("kind", "card", "words"),
    [
        (AutoReloadCardKind.CANONICAL, None, "on, below $5 reload to $25"),
        (AutoReloadCardKind.NONE, None, "on, below $5 reload to $25"),
        (None, PaymentMethod(brand="visa", last4="1"), "on, below $5 reload to $25"),
        (AutoReloadCardKind.DISTINCT, None, "on, below $5 reload to $25, with a different card"),
        (
            AutoReloadCardKind.DISTINCT,
            PaymentMethod(brand="visa", last4="1111"),
            "on, below $5 reload to $25, with Visa ····1111",
        ),
    ],
)
def test_auto_reload_fits_in_one_line(
    kind: AutoReloadCardKind | None, card: PaymentMethod | None, words: str
) -> None:
    setting = AutoReload(
        enabled=True, threshold=Decimal(5), reload_to=Decimal(25), card_kind=kind, card=card
    )
    assert auto_reload_line(setting) == words


@pytest.mark.behavior(7)
def test_the_overview_reads_from_the_balance_to_the_buttons() -> None:
    state = replace(
        STATE,
        monthly_cap=None,
        auto_reload=AutoReload(enabled=False, threshold=None, reload_to=None),
        portal_url=f"{PORTAL}/billing",
    )
    made = overview_message(Overview(state=state, usage=USAGE, connection=CONNECTION, read_at=NOW))
    acceptable(made)
    assert made.text.splitlines() == [
        "*$155.70 to use*",
        "$13.20 of your plan until Dec 1, 2026 · $142.50 balance (top-ups)",
        "Acme Research · Owner · ada@acme.example",
        moment("As of", NOW),
        "*Plus plan* · 60% left · $13.20 of $22 · renews Dec 1, 2026",
        "*Auto-reload:* off",
        "*Card:* Visa ····4242, the card on your subscription",
        "Manage on portal: https://portal.nousresearch.com/billing",
    ]
    shown = Shown(made.json)
    assert shown.buttons == ["Refresh", "Add funds", "Auto-reload", "Plan", "Usage"]
    more = ["Monthly limit", "History", "Account", "Help", "Manage on portal"]
    assert list(shown.fields[ids.MORE].options) == more


def test_what_helps_stands_beside_a_low_balance_and_nowhere_else() -> None:
    low = replace(USAGE, plan=None, topped_up=Decimal("3.2"))
    made = Shown(
        overview_message(Overview(state=STATE, usage=low, connection=CONNECTION, read_at=NOW)).json
    )
    assert made.content["blocks"][0]["accessory"]["text"]["text"] == "Add funds"
    assert made.text.startswith(":warning: *Running low:*")
    assert made.buttons.count("Add funds") == 1


@pytest.mark.parametrize(
    ("reason", "plan"), [(AccessReason.NO_SUBSCRIPTION, None), (AccessReason.ACCOUNT_MISSING, PLAN)]
)
def test_funds_are_not_offered_beside_a_warning_that_they_do_not_mend(
    reason: AccessReason, plan: PlanUsage | None
) -> None:
    usage = Usage(plan=plan, topped_up=Decimal(32), allowed=False, reason=reason)
    made = Shown(
        overview_message(Overview(state=STATE, usage=usage, connection=CONNECTION, read_at=NOW)).json
    )
    assert made.text.startswith(":warning:")
    assert "accessory" not in made.content["blocks"][0]


@given(
    plan=st.decimals(min_value=0, max_value=1000, places=12),
    topped_up=st.decimals(min_value=5, max_value=1000, places=12),
)
def test_the_parts_add_up_to_the_whole_to_the_cent(plan: Decimal, topped_up: Decimal) -> None:
    usage = replace(USAGE, plan=replace(PLAN, left=plan), topped_up=topped_up)
    found = re.findall(r"\$([0-9.,]+)", "\n".join(parts_line(usage)))
    whole = sum((Decimal(each.replace(",", "")) for each in found), Decimal(0))
    assert not found or to_use(usage) == f"{show(whole)} to use"


@pytest.mark.behavior(9)
def test_an_overdrawn_plan_shows_nothing_left_and_the_overage() -> None:
    plan = PlanUsage(name=None, monthly=Decimal(20), left=Decimal("-3.5"))
    made = usage_message(AccountInfo(account=ACCOUNT, usage=Usage(plan=plan)), NOW)
    assert "0% left · $0 of $20, $3.50 over" in made.text


@given(st.decimals(min_value=0, max_value=1))
def test_there_are_always_ten_squares_and_none_is_full_only_if_nothing_is_left(left: Decimal) -> None:
    drawing = squares(left)
    assert drawing.count("_square:") == 10
    assert (":large_" in drawing) is (left > 0)


@given(
    st.lists(st.decimals(min_value="0.01", max_value=99999, places=2), max_size=30), st.text(max_size=30)
)
def test_any_presets_and_anything_typed_make_an_acceptable_modal(
    presets: list[Decimal], typed: str
) -> None:
    unique = list(dict.fromkeys(presets))
    offer = AmountOffer(presets=tuple(unique[:9]), bounds=Bounds(maximum=Decimal(9)))
    form = AmountForm(offer=offer, balance=None)
    assert validate_view(amount_modal(form, typed=typed or None)) is None
    assert AmountForm.recall(form.remember()) == form


def test_the_confirmation_and_the_card_modal_are_acceptable() -> None:
    state = replace(STATE, organization_name=NASTY)
    method = PaymentMethod(brand=NASTY, last4=NASTY)
    charge = replace(CHARGE, organization_name=NASTY, payment_method=method, account_email=NASTY)
    assert validate_view(confirm_modal(charge, open_equal=charge)) is None
    assert validate_view(add_card_modal(state, typed="$50", still_missing=True)) is None


@pytest.mark.parametrize("problem", AmountProblem)
def test_every_problem_with_an_amount_is_one_sentence(problem: AmountProblem) -> None:
    words = amount_problem(AmountError(problem, Decimal(5)))
    assert words
    assert "\n" not in words


@pytest.mark.behavior(39)
def test_a_connection_without_the_permission_says_who_can_give_it() -> None:
    note = connected_note(ACCOUNT, may_bill=False, for_purchase=True)
    assert "an org admin or owner has to approve it; your card was not charged" in note


MESSAGES = [each for each in SCREENS if isinstance(each.shown, Message)]


@pytest.mark.parametrize("screen", MESSAGES, ids=lambda screen: screen.name)
def test_what_a_push_message_shows_has_no_address_in_its_first_line(screen: Screen) -> None:
    assert "://" not in screen.json["text"].split("\n")[0]


@pytest.mark.parametrize(
    "screen", [each for each in MESSAGES if each.name.startswith("charge-")], ids=lambda screen: screen.name
)
def test_a_purchases_message_begins_with_what_happened_to_the_money(screen: Screen) -> None:
    first = screen.json["text"].split("\n")[0]
    money = ("$", "Upgrad", "view-only, so nothing was charged")
    assert any(words in first for words in money)


def test_the_form_to_ask_keeps_what_it_must_with_the_longest_name_and_nine_amounts() -> None:
    presets = tuple(Decimal(99999999999999999999) + number for number in range(9))
    state = replace(STATE, presets=presets, bounds=Bounds(maximum=Decimal("9" * 21)))
    name = "\N{TEST TUBE}" * 100
    form = AskedFor(
        amounts=AmountForm.of(state, AmountOffer.of(state)),
        account="a" * 255,
        organization=name,
        asked=asked_words(Approvers(told=()), name),
    )
    view = ask_modal(form, typed="$50", reason="r" * 200)
    assert AskedFor.recall(view["private_metadata"]).organization == name


def test_the_list_of_requests_holds_as_many_as_there_may_be() -> None:
    long = replace(REQUEST, organization_name="W" * 100, reason="r" * 200)
    left = replace(long, state=RequestState.WITHDRAWN, withdrawn_why=Withdrawal.LEFT)
    many = [replace(long, id=f"w{number}") for number in range(20)]
    others = [replace(left, id=f"l{number}") for number in range(20)]
    shown = requests_message(many, [replace(long, id=f"o{number}") for number in range(20)], others, NOW)
    assert len(shown.blocks) <= 50

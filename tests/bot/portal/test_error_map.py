from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import (
    OURS,
    AmbiguousAnswerError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
)
from bot.portal.error_map import error_for
from bot.portal.transport import Answer, parse_retry_after

BASE = "https://portal.nousresearch.com"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

ROWS: list[tuple[int, dict[str, Any], RefusalCode]] = [
    (401, {"error": "invalid_token"}, RefusalCode.UNAUTHORIZED),
    (401, {"error": "session_revoked"}, RefusalCode.SESSION_REVOKED),
    (403, {"error": "insufficient_scope"}, RefusalCode.INSUFFICIENT_SCOPE),
    (403, {"error": "remote_spending_revoked", "actor": "admin"}, RefusalCode.REMOTE_SPENDING_REVOKED),
    (403, {"error": "cli_billing_disabled"}, RefusalCode.BILLING_DISABLED),
    (403, {"error": "whatever", "code": "remote_spending_disabled"}, RefusalCode.BILLING_DISABLED),
    (403, {"error": "role_required"}, RefusalCode.ROLE_REQUIRED),
    (403, {"error": "remote_spending_disabled"}, RefusalCode.BILLING_DISABLED),
    (403, {"error": "no_payment_method"}, RefusalCode.NO_PAYMENT_METHOD),
    (403, {"error": "card_paused", "message": "Paused."}, RefusalCode.CARD_PAUSED),
    (403, {"error": "card_expired", "message": "Expired."}, RefusalCode.CARD_EXPIRED),
    (403, {"error": "card_mismatch"}, RefusalCode.CARD_MISMATCH),
    (403, {"error": "consent_required"}, RefusalCode.CONSENT_REQUIRED),
    (403, {"error": "org_access_denied"}, RefusalCode.ORG_ACCESS_DENIED),
    (403, {"error": "monthly_cap_exceeded", "remainingUsd": "12.5"}, RefusalCode.MONTHLY_CAP_EXCEEDED),
    (400, {"error": "amount_out_of_bounds"}, RefusalCode.AMOUNT_OUT_OF_BOUNDS),
    (400, {"error": "validation_failed"}, RefusalCode.VALIDATION_FAILED),
    (409, {"error": "idempotency_conflict"}, RefusalCode.IDEMPOTENCY_CONFLICT),
    (429, {"error": "rate_limited"}, RefusalCode.RATE_LIMITED),
    (429, {"error": "upgrade_cap_exceeded"}, RefusalCode.UPGRADE_CAP_EXCEEDED),
    (503, {"error": "temporarily_unavailable"}, RefusalCode.TEMPORARILY_UNAVAILABLE),
    (503, {"error": "stripe_unavailable"}, RefusalCode.STRIPE_UNAVAILABLE),
    (403, {"error": "auto_top_up_disabled_failures"}, RefusalCode.AUTO_TOP_UP_DISABLED_FAILURES),
    (400, {"error": "subscription_mutation_rejected"}, RefusalCode.SUBSCRIPTION_MUTATION_REJECTED),
    (400, {"error": "preview_rejected"}, RefusalCode.PREVIEW_REJECTED),
    (418, {"error": "something_new", "message": "Try a kettle."}, RefusalCode.OTHER),
]


@pytest.mark.parametrize("money", [True, False])
@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("body", [None, {}, {"error": {"code": "403"}}, {"error": "rate_limited"}])
def test_a_request_that_the_firewall_blocks_never_reached_the_portal(
    money: bool, status: int, body: dict[str, Any] | None
) -> None:
    answer = Answer(status=status, body=body, retry_after=300, mitigated=True)
    error = error_for(answer, base=BASE, money=money)
    assert isinstance(error, PortalRefusalError)
    assert (error.code, error.retry_after) == (RefusalCode.TEMPORARILY_UNAVAILABLE, 300)


@pytest.mark.behavior(28)
@pytest.mark.parametrize("money", [True, False])
@pytest.mark.parametrize(("status", "body", "code"), ROWS, ids=lambda value: str(value)[:40])
def test_every_row_of_the_contract_is_one_typed_refusal(
    status: int, body: dict[str, Any], code: RefusalCode, money: bool
) -> None:
    error = error_for(Answer(status=status, body=body), base=BASE, money=money)
    assert isinstance(error, PortalRefusalError)
    assert error.code is code
    assert error.message == body.get("message")
    assert error.actor == body.get("actor")


def test_every_refusal_code_has_its_row() -> None:
    assert {code for _, _, code in ROWS} == set(RefusalCode) - OURS


def test_a_refusal_keeps_what_is_left_and_a_safe_link() -> None:
    body = {"error": "monthly_cap_exceeded", "remainingUsd": "12.5", "portalUrl": "//evil.example"}
    error = error_for(Answer(status=403, body=body), base=BASE, money=True)
    assert isinstance(error, PortalRefusalError)
    assert error.remaining == Decimal("12.5")
    assert error.portal_url == f"{BASE}/billing?topup=open"


@pytest.mark.behavior(28)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": "internal"}),
        (502, None),
        (503, None),
        (503, {"error": "something_new"}),
        (504, {}),
        (302, {}),
        (404, None),
        (408, {"error": "timeout"}),
        (403, None),
    ],
)
def test_an_unclear_answer_is_ambiguous_for_money_and_unavailable_elsewhere(
    status: int, body: dict[str, Any] | None
) -> None:
    answer = Answer(status=status, body=body)
    assert isinstance(error_for(answer, base=BASE, money=True), AmbiguousAnswerError)
    assert isinstance(error_for(answer, base=BASE, money=False), PortalUnavailableError)


@pytest.mark.behavior(55)
def test_a_401_that_is_not_json_is_not_a_revoked_session() -> None:
    error = error_for(Answer(status=401, body=None), base=BASE, money=True)
    assert isinstance(error, PortalRefusalError)
    assert error.code is RefusalCode.UNAUTHORIZED


def test_a_429_that_is_not_json_is_a_rate_limit_all_the_same() -> None:
    error = error_for(Answer(status=429, body=None, retry_after=7), base=BASE, money=True)
    assert isinstance(error, PortalRefusalError)
    assert (error.code, error.retry_after) == (RefusalCode.RATE_LIMITED, 7)


@pytest.mark.behavior(36)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5),
        (" 120 ", 120),
        ("0", 0),
        ("-5", None),
        ("1e3", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("999999999999", None),
        ("9" * 5000, None),
        ("５", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 11:59:30 GMT", None),
        ("Sun, 22 Nov 2099 12:00:00 GMT", None),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_counts_as_absent(value: str | None, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_no_retry_after_raises(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 86_400

"""Every refusal of docs/portal.md, section 9.3, wherever it can occur: what the person sees next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.domain.charge import ChargeState
from bot.domain.errors import ACCESS_LOST, OURS, RefusalCode
from bot.sandbox.portal import Fault
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import bought


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: what the portal answers, the words that follow, and the button that leads on."""

    status: int
    error: str
    words: str
    button: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    retry_after: str | None = None

    @property
    def fault(self) -> Fault:
        body = json.dumps({"error": self.error, **self.extra})
        return Fault(status=self.status, body=body, retry_after=self.retry_after)

    @property
    def code(self) -> RefusalCode:
        if self.error == "expired":
            return RefusalCode.UNAUTHORIZED
        if self.error == "remote_spending_disabled":
            return RefusalCode.BILLING_DISABLED
        known = {code.value for code in RefusalCode}
        return RefusalCode(self.error) if self.error in known else RefusalCode.OTHER


PORTAL = "Manage on portal"
CONNECT = "Connect"
ROWS = (
    Row(status=401, error="expired", words="Your connection to Nous Portal has ended", button=CONNECT),
    Row(status=401, error="session_revoked", words="You were logged out", button=CONNECT),
    Row(status=403, error="insufficient_scope", words="is view-only", button="Enable billing"),
    Row(
        status=403,
        error="remote_spending_revoked",
        words="Remote Spending was turned off",
        button=CONNECT,
    ),
    Row(
        status=403,
        error="remote_spending_revoked",
        extra={"actor": "admin"},
        words="An admin turned off Remote Spending",
        button=CONNECT,
    ),
    Row(status=403, error="cli_billing_disabled", words="the Hermes Agent page", button=PORTAL),
    Row(
        status=403,
        error="remote_spending_disabled",
        words="Remote Spending is turned off",
        button=PORTAL,
    ),
    Row(status=403, error="role_required", words="role in the portal does not allow this", button=PORTAL),
    Row(
        status=403,
        error="card_paused",
        extra={"message": "Paused until Friday."},
        words="Paused until Friday.",
        button=PORTAL,
    ),
    Row(status=403, error="card_expired", words="Your card has expired", button=PORTAL),
    Row(status=403, error="card_mismatch", words="not the one the portal expects", button=PORTAL),
    Row(status=403, error="no_payment_method", words="There is no payment method on file", button=PORTAL),
    Row(status=403, error="consent_required", words="one-time confirmation", button=PORTAL),
    Row(status=403, error="org_access_denied", words="does not cover this organization", button=CONNECT),
    Row(
        status=403,
        error="monthly_cap_exceeded",
        extra={"remainingUsd": "12.5"},
        words="$12.50 is left this month",
        button=PORTAL,
    ),
    Row(
        status=403,
        error="monthly_cap_exceeded",
        extra={"remainingUsd": "12.5000417", "isDefaultCeiling": True},
        words="you can set another there",
        button=PORTAL,
    ),
    Row(
        status=400,
        error="amount_out_of_bounds",
        extra={"message": "At most $70."},
        words="At most $70.",
        button=PORTAL,
    ),
    Row(
        status=400,
        error="validation_failed",
        extra={"message": "Not like that."},
        words="Not like that.",
        button=PORTAL,
    ),
    Row(status=409, error="idempotency_conflict", words="Start a new one"),
    Row(status=429, error="rate_limited", retry_after="120", words="Too many charges", button=PORTAL),
    Row(status=503, error="temporarily_unavailable", retry_after="60", words="not available in the portal"),
    Row(status=503, error="stripe_unavailable", words="The payment processor is not available"),
    Row(status=429, error="upgrade_cap_exceeded", words="Try again tomorrow"),
    Row(status=403, error="auto_top_up_disabled_failures", words="after failed payments", button=PORTAL),
    Row(status=400, error="subscription_mutation_rejected", words="did not change the plan", button=PORTAL),
    Row(status=400, error="preview_rejected", words="could not preview", button=PORTAL),
    Row(
        status=418,
        error="brand_new",
        extra={"message": "Tea & <biscuits>."},
        words="Tea &amp; &lt;biscuits&gt;.",
        button=PORTAL,
    ),
)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.error}{''.join(row.extra)}")


def test_every_refusal_code_has_a_row() -> None:
    assert {row.code for row in ROWS} == set(RefusalCode) - OURS


def shows(shown: Shown, row: Row) -> bool:
    return row.words in shown.text and (row.button is None or row.button in shown.buttons)


@pytest.mark.behavior(28)
@each_row
async def test_the_overview_shows_each_refusal(house: House, row: Row) -> None:
    await house.link()
    house.portal.fail("/api/billing/state", row.fault, times=2)
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: shows(house.answer(), row))


@pytest.mark.behavior(28)
@each_row
async def test_the_purchase_modal_shows_each_refusal(house: House, row: Row) -> None:
    await house.link()
    house.portal.fail("/api/billing/state", row.fault, times=2)
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: shows(house.modal(), row))


@pytest.mark.behavior(24)
@pytest.mark.behavior(28)
@each_row
async def test_a_confirmed_charge_shows_each_refusal(house: House, row: Row) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    house.portal.fail("/api/billing/charge", row.fault, times=2, method="POST")
    await house.slack.submit(ADA)
    needs_scope = row.code is RefusalCode.INSUFFICIENT_SCOPE
    await house.told("One-time setup" if needs_scope else row.words)
    assert shows(house.last_message(), row)
    text = house.dm()[-1]["text"]
    assert "was not charged" in text
    assert "may or may not" not in text
    (charge,) = await house.charges()
    assert charge.state is (ChargeState.NEEDS_SCOPE if needs_scope else ChargeState.REFUSED)
    assert house.portal.charges == []
    sent = [
        each.headers["idempotency-key"]
        for each in house.portal.requests
        if each.path == "/api/billing/charge"
    ]
    assert set(sent) == {charge.idempotency_key}
    assert len(sent) == (2 if row.error == "expired" else 1)


@pytest.mark.behavior(34)
@each_row
async def test_a_refusal_while_polling_is_never_called_a_failure(house: House, row: Row) -> None:
    await bought(house, "10.06")
    polls = house.polls()
    house.portal.fail("/api/billing/charge/", row.fault, times=2, method="GET")
    if row.code in ACCESS_LOST:
        message = await house.told("may or may not have been charged")
        assert "was not charged" not in message["text"]
        assert "Check again" in Shown(message).buttons
    else:
        await house.until(lambda: house.polls() > polls)
        assert "Adding" in house.dm()[-1]["text"]
        assert (await house.charges())[0].state is ChargeState.SUBMITTED


@pytest.mark.behavior(28)
@each_row
async def test_the_auto_reload_modal_shows_each_refusal(house: House, row: Row) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload 5 25")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("callback_id") == "auto_reload_confirm")
    house.portal.fail("/api/billing/auto-top-up", row.fault, times=2)
    await house.slack.submit(ADA)
    await house.until(lambda: shows(house.modal(), row))

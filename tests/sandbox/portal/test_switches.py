from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import Fault
from tests.sandbox.portal.desk import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk


async def test_no_card_takes_the_card_away_until_one_is_added(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "no-card")
    assert (await desk.state())["card"] is None
    assert error_of(await desk.charge()) == (403, "no_payment_method")

    await desk.http.post("/billing", data={"org": "acme", "action": "add-card"})

    assert (await desk.charge()).status_code == 202


async def test_switch_off_shows_in_the_state_and_can_be_turned_on_again(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "switch-off")
    assert (await desk.state())["cliBillingEnabled"] is False
    assert error_of(await desk.charge()) == (403, "cli_billing_disabled")

    await desk.http.post("/billing", data={"org": "acme", "action": "switch-on"})

    assert (await desk.charge()).status_code == 202


async def test_cap_exceeded_leaves_twelve_dollars_fifty(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "cap-exceeded")
    refusal = await desk.charge(25)
    assert error_of(refusal) == (403, "monthly_cap_exceeded")
    body = exact(refusal)
    assert (body["remainingUsd"], body["isDefaultCeiling"]) == ("12.500382917406", True)
    assert body["message"] == "This would go over the monthly limit: $12.50 is left."
    assert (await desk.charge(10)).status_code == 202


@pytest.mark.parametrize("name", ["no-card", "switch-off", "cap-exceeded"])
async def test_what_a_switch_changed_is_changed_back_by_the_next(desk: Desk, name: str) -> None:
    before = await desk.state()
    desk.portal.set_scenario("acme", name)
    assert await desk.state() != before
    desk.portal.set_scenario("acme", "by-amount")
    assert await desk.state() == before


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("role-required", 403, "role_required"),
        ("consent-required", 403, "consent_required"),
        ("card-paused", 403, "card_paused"),
        ("card-expired", 403, "card_expired"),
        ("card-mismatch", 403, "card_mismatch"),
        ("spending-disabled-error", 403, "remote_spending_disabled"),
        ("insufficient-scope", 403, "insufficient_scope"),
        ("remote-spending-revoked", 403, "remote_spending_revoked"),
        ("session-revoked", 401, "session_revoked"),
        ("org-access-denied", 403, "org_access_denied"),
    ],
)
async def test_a_gate_that_is_switched_on_refuses_the_charge(
    desk: Desk, name: str, status: int, error: str
) -> None:
    desk.portal.set_scenario("acme", name)
    assert error_of(await desk.charge()) == (status, error)
    assert desk.portal.charges == []


@pytest.mark.parametrize(
    ("name", "recovery"),
    [
        ("switch-off", "enable_account_toggle"),
        ("spending-disabled-error", "enable_account_toggle"),
        ("remote-spending-revoked", "reconnect"),
        ("session-revoked", "login"),
        ("org-access-denied", "login"),
        ("role-required", None),
        ("no-card", None),
        ("cap-exceeded", None),
    ],
)
async def test_a_refusal_names_the_recovery_and_where_to_go(
    desk: Desk, name: str, recovery: str | None
) -> None:
    desk.portal.set_scenario("acme", name)
    refusal = exact(await desk.charge())
    assert refusal.get("recovery") == recovery
    assert refusal["portalUrl"].startswith("/billing")


@pytest.mark.parametrize(
    ("name", "has_message"), [("card-paused", True), ("card-expired", True), ("card-mismatch", False)]
)
async def test_a_card_that_is_refused_may_come_without_a_message(
    desk: Desk, name: str, has_message: bool
) -> None:
    desk.portal.set_scenario("acme", name)
    assert ("message" in exact(await desk.charge())) is has_message


@pytest.mark.parametrize(
    ("name", "status"),
    [("session-revoked", 401), ("org-access-denied", 403), ("remote-spending-revoked", 200)],
)
async def test_only_a_lost_login_takes_the_overview_too(desk: Desk, name: str, status: int) -> None:
    desk.portal.set_scenario("acme", name)
    assert (await desk.get("/api/billing/state")).status_code == status


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("polls-unavailable", (503, "temporarily_unavailable")),
        ("polls-rate-limited", (429, "rate_limited")),
    ],
)
async def test_failing_polls_ask_for_patience_while_the_charge_goes_on(
    desk: Desk, name: str, expected: tuple[int, str]
) -> None:
    desk.portal.set_scenario("acme", name)
    charged = await desk.charge()
    answer = await desk.get(f"/api/billing/charge/{exact(charged)['chargeId']}")
    assert error_of(answer) == expected
    assert answer.headers["retry-after"] == "3"
    desk.clock.tick(3)
    desk.portal.set_scenario("acme", "by-amount")
    assert (await desk.poll(charged))["status"] == "settled"


async def test_the_firewall_answers_polls_with_a_challenge_that_is_not_json(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "firewall-polls")
    charged = await desk.charge()
    answer = await desk.get(f"/api/billing/charge/{exact(charged)['chargeId']}")
    assert (answer.status_code, answer.headers["x-vercel-mitigated"]) == (429, "challenge")
    assert answer.headers["content-type"].startswith("text/html")


async def test_no_card_takes_every_payment_method_away_and_gives_it_back(desk: Desk) -> None:
    desk.sign_in("lena")
    before = await desk.state()
    desk.portal.set_scenario("linkpay", "no-card")
    assert (await desk.state())["paymentMethod"] is None
    desk.portal.set_scenario("linkpay", "by-amount")
    assert await desk.state() == before


async def test_dropped_polls_lose_their_connection(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "polls-dropped")
    charged = await desk.charge()
    with pytest.raises(httpx.TransportError):
        await desk.poll(charged)


async def test_a_hanging_portal_answers_in_the_end(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "portal-hangs")
    started = time.perf_counter()
    assert (await desk.charge()).status_code == 202
    assert time.perf_counter() - started >= desk.portal.hang_seconds


async def test_a_hanging_portal_does_nothing_for_a_client_that_has_left(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "portal-hangs")
    desk.portal.hang_seconds = 0.4
    desk.http.timeout = httpx.Timeout(5, read=0.1)
    with pytest.raises(httpx.ReadTimeout):
        await desk.charge()
    desk.http.timeout = httpx.Timeout(5)
    await desk.get("/api/billing/state")
    assert desk.portal.charges == []


@pytest.mark.parametrize("path", ["/api/billing/state", "/api/billing/subscription"])
async def test_a_portal_that_is_down_drops_every_billing_call(desk: Desk, path: str) -> None:
    desk.portal.set_scenario("acme", "portal-down")
    with pytest.raises(httpx.TransportError):
        await desk.get(path)
    assert (await desk.get("/api/oauth/account")).status_code == 200


async def test_one_organisations_scenario_leaves_the_others_alone(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "portal-down")
    desk.sign_in("theo")
    assert (await desk.state())["org"]["slug"] == "globex"


async def test_an_overview_that_is_not_json_is_a_web_page_with_200(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "state-non-json")
    answer = await desk.get("/api/billing/state")
    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    assert (await desk.charge()).status_code == 202


async def test_usage_can_be_unavailable_while_the_overview_stays(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "account-unavailable")
    assert (await desk.get("/api/oauth/account")).status_code == 503
    assert (await desk.get("/api/billing/state")).status_code == 200


async def test_an_injected_fault_strikes_as_often_as_asked(desk: Desk) -> None:
    broken = Fault(status=502, body="<html>", content_type="text/html", retry_after="-5")
    desk.portal.fail("/api/billing/state", broken, times=2)
    answers = [await desk.get("/api/billing/state") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].headers["retry-after"] == "-5"


async def test_an_unknown_scenario_or_organisation_changes_nothing(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "no-card")
    with pytest.raises(KeyError):
        desk.portal.set_scenario("acme", "sunshine")
    with pytest.raises(KeyError):
        desk.portal.set_scenario("nobody", "settles")
    assert desk.portal.organisations["acme"].card is None

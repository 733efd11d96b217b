from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import Fault
from tests.sandbox.portal.client import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient


async def test_no_card_removes_the_card_until_a_card_is_added(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "no-card")
    assert (await client.state())["card"] is None
    assert error_of(await client.charge()) == (403, "no_payment_method")

    await client.http.post("/billing", data={"org": "acme", "action": "add-card"})

    assert (await client.charge()).status_code == 202


async def test_switch_off_shows_in_the_state_and_can_be_turned_on_again(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "switch-off")
    assert (await client.state())["cliBillingEnabled"] is False
    assert error_of(await client.charge()) == (403, "cli_billing_disabled")

    await client.http.post("/billing", data={"org": "acme", "action": "switch-on"})

    assert (await client.charge()).status_code == 202


async def test_cap_exceeded_leaves_twelve_dollars_fifty(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "cap-exceeded")
    refusal = await client.charge(25)
    assert error_of(refusal) == (403, "monthly_cap_exceeded")
    body = exact(refusal)
    assert (body["remainingUsd"], body["isDefaultCeiling"]) == ("12.500382917406", True)
    assert body["message"] == "This would go over the monthly limit: $12.50 is left."
    assert (await client.charge(10)).status_code == 202


@pytest.mark.parametrize("name", ["no-card", "switch-off", "cap-exceeded"])
async def test_the_next_scenario_undoes_the_changes_of_the_last(client: PortalClient, name: str) -> None:
    before = await client.state()
    client.portal.set_scenario("acme", name)
    assert await client.state() != before
    client.portal.set_scenario("acme", "by-amount")
    assert await client.state() == before


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
    client: PortalClient, name: str, status: int, error: str
) -> None:
    client.portal.set_scenario("acme", name)
    assert error_of(await client.charge()) == (status, error)
    assert client.portal.charges == []


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
async def test_a_refusal_has_the_recovery_and_the_portal_url(
    client: PortalClient, name: str, recovery: str | None
) -> None:
    client.portal.set_scenario("acme", name)
    refusal = exact(await client.charge())
    assert refusal.get("recovery") == recovery
    assert refusal["portalUrl"].startswith("/billing")


@pytest.mark.parametrize(
    ("name", "has_message"), [("card-paused", True), ("card-expired", True), ("card-mismatch", False)]
)
async def test_a_card_that_is_refused_may_come_without_a_message(
    client: PortalClient, name: str, has_message: bool
) -> None:
    client.portal.set_scenario("acme", name)
    assert ("message" in exact(await client.charge())) is has_message


@pytest.mark.parametrize(
    ("name", "status"),
    [("session-revoked", 401), ("org-access-denied", 403), ("remote-spending-revoked", 200)],
)
async def test_only_a_lost_login_blocks_the_overview(client: PortalClient, name: str, status: int) -> None:
    client.portal.set_scenario("acme", name)
    assert (await client.get("/api/billing/state")).status_code == status


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("polls-unavailable", (503, "temporarily_unavailable")),
        ("polls-rate-limited", (429, "rate_limited")),
    ],
)
async def test_failing_polls_send_retry_after_while_the_charge_settles(
    client: PortalClient, name: str, expected: tuple[int, str]
) -> None:
    client.portal.set_scenario("acme", name)
    charged = await client.charge()
    answer = await client.get(f"/api/billing/charge/{exact(charged)['chargeId']}")
    assert error_of(answer) == expected
    assert answer.headers["retry-after"] == "3"
    client.clock.tick(3)
    client.portal.set_scenario("acme", "by-amount")
    assert (await client.poll(charged))["status"] == "settled"


async def test_the_firewall_answers_polls_with_a_challenge_that_is_not_json(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "firewall-polls")
    charged = await client.charge()
    answer = await client.get(f"/api/billing/charge/{exact(charged)['chargeId']}")
    assert (answer.status_code, answer.headers["x-vercel-mitigated"]) == (429, "challenge")
    assert answer.headers["content-type"].startswith("text/html")


async def test_no_card_removes_and_restores_every_payment_method(client: PortalClient) -> None:
    client.sign_in("lena")
    before = await client.state()
    client.portal.set_scenario("linkpay", "no-card")
    assert (await client.state())["paymentMethod"] is None
    client.portal.set_scenario("linkpay", "by-amount")
    assert await client.state() == before


async def test_dropped_polls_lose_their_connection(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "polls-dropped")
    charged = await client.charge()
    with pytest.raises(httpx.TransportError):
        await client.poll(charged)


async def test_a_hanging_portal_answers_after_its_delay(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "portal-hangs")
    started = time.perf_counter()
    assert (await client.charge()).status_code == 202
    assert time.perf_counter() - started >= client.portal.hang_seconds


async def test_a_hanging_portal_skips_the_work_of_a_disconnected_client(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "portal-hangs")
    client.portal.hang_seconds = 0.4
    client.http.timeout = httpx.Timeout(5, read=0.1)
    with pytest.raises(httpx.ReadTimeout):
        await client.charge()
    client.http.timeout = httpx.Timeout(5)
    await client.get("/api/billing/state")
    assert client.portal.charges == []


@pytest.mark.parametrize("path", ["/api/billing/state", "/api/billing/subscription"])
async def test_a_portal_that_is_down_drops_every_billing_call(client: PortalClient, path: str) -> None:
    client.portal.set_scenario("acme", "portal-down")
    with pytest.raises(httpx.TransportError):
        await client.get(path)
    assert (await client.get("/api/oauth/account")).status_code == 200


async def test_one_organizations_scenario_leaves_the_others_alone(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "portal-down")
    client.sign_in("theo")
    assert (await client.state())["org"]["slug"] == "globex"


async def test_an_overview_that_is_not_json_is_a_web_page_with_200(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "state-non-json")
    answer = await client.get("/api/billing/state")
    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    assert (await client.charge()).status_code == 202


async def test_usage_can_be_unavailable_while_the_overview_stays(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "account-unavailable")
    assert (await client.get("/api/oauth/account")).status_code == 503
    assert (await client.get("/api/billing/state")).status_code == 200


async def test_an_injected_fault_occurs_as_often_as_requested(client: PortalClient) -> None:
    broken = Fault(status=502, body="<html>", content_type="text/html", retry_after="-5")
    client.portal.fail("/api/billing/state", broken, times=2)
    answers = [await client.get("/api/billing/state") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].headers["retry-after"] == "-5"


async def test_an_unknown_scenario_or_organization_changes_nothing(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "no-card")
    with pytest.raises(KeyError):
        client.portal.set_scenario("acme", "sunshine")
    with pytest.raises(KeyError):
        client.portal.set_scenario("nobody", "settles")
    assert client.portal.organizations["acme"].card is None

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import AMOUNT_SCENARIOS, SCENARIOS
from tests.sandbox.portal.client import BALANCE, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient


async def test_the_scenarios_and_organizations_can_be_listed(client: PortalClient) -> None:
    listed = exact(await client.http.get("/sandbox/scenarios"))
    acme = listed["organisations"][0]
    assert (acme["slug"], acme["name"], acme["scenario"]) == ("acme", "Acme Research", "by-amount")
    assert (acme["balanceUsd"], acme["card"]) == (BALANCE, "Visa 4242")
    assert [row["name"] for row in listed["scenarios"]] == list(SCENARIOS)
    assert all(row["group"] for row in listed["scenarios"])
    amounts = {row["amount"] for row in listed["scenarios"] if "amount" in row}
    assert amounts == {str(amount) for amount in AMOUNT_SCENARIOS}
    assert {"try", "keywords"} <= set(listed["scenarios"][0])
    failing = [
        row for row in listed["scenarios"] if row["group"] == "How a charge ends" and "amount" in row
    ]
    assert ["decline" in row["keywords"] for row in failing] == [False, False, True, True, True, True]


async def test_the_words_on_the_screens_are_american(client: PortalClient) -> None:
    listed = exact(await client.http.get("/sandbox/scenarios"))["scenarios"]
    pages = [(await client.http.get(path)).text for path in ("/billing", "/manage-subscription", "/device")]
    shown = " ".join([*pages, *(f"{row['group']} {row['title']} {row['try']}" for row in listed)])
    found = re.findall(
        r"\w*(?:ganis|thoris|cognis)\w*|\w*(?:lou|viou|vou|nou)r\b|cancelled", shown, re.IGNORECASE
    )
    assert found == []


async def test_long_names_in_the_list_are_truncated(client: PortalClient) -> None:
    listed = exact(await client.http.get("/sandbox/scenarios"))["organisations"]
    assert max(len(each["name"]) for each in listed) == 60
    assert [each["slug"] for each in listed if each["name"].endswith("…")] == ["extreme"]


async def test_a_scenario_is_switched_by_its_name(client: PortalClient) -> None:
    body = {"organisation": "acme", "scenario": "no-card"}
    switched = exact(await client.http.post("/sandbox/scenario", json=body))
    assert (switched["scenario"], switched["card"]) == ("no-card", None)
    assert error_of(await client.charge()) == (403, "no_payment_method")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"organisation": "acme", "scenario": "sunshine"}, 400),
        ({"organisation": "acme"}, 400),
        ({"organisation": "nobody", "scenario": "settles"}, 404),
        ({"organisation": ["acme"], "scenario": "settles"}, 404),
        ([], 400),
    ],
)
async def test_an_unknown_scenario_or_organization_is_refused(
    client: PortalClient, body: object, status: int
) -> None:
    answer = await client.http.post("/sandbox/scenario", json=body)
    assert answer.status_code == status
    assert exact(answer)["message"]


async def test_the_charge_list_has_charges_and_posts(client: PortalClient) -> None:
    await client.charge(50, "k")
    client.clock.tick(3)
    book = exact(await client.http.get("/sandbox/charges"))
    (charge,) = book["charges"]
    assert (charge["amountUsd"], charge["status"]) == ("50", "settled")
    assert charge["settledAt"] == charge["endedAt"] == "2026-09-17T12:00:03.000Z"
    assert charge["key"] == "k"
    assert [(post["key"], post["answer"]) for post in book["posts"]] == [("k", charge["id"])]


async def test_a_reset_clears_the_charges_and_keeps_the_sessions(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "cap-exceeded")
    await client.charge(10, "k")
    client.clock.tick(3)
    assert exact(await client.http.post("/sandbox/reset")) == {"ok": True}
    assert client.portal.charges == []
    assert (await client.state())["balanceUsd"] == BALANCE
    assert client.portal.organizations["acme"].scenario == "by-amount"
    assert (await client.charge(60, "k")).status_code == 202


async def test_the_list_says_who_may_spend_and_who_is_connected(client: PortalClient) -> None:
    client.clock.tick(1.5)
    people = exact(await client.http.get("/sandbox/scenarios"))["organisations"][0]["people"]
    of = {person["key"]: person for person in people}
    assert (of["ada"]["maySpend"], of["ada"]["connected"]) == (True, True)
    assert (of["linus"]["maySpend"], of["linus"]["connected"]) == (False, False)
    assert (of["ada"]["connectedMs"], of["linus"]["connectedMs"]) == (1500, None)


async def test_starting_over_ends_the_sessions_too(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "no-card")
    client.portal.people["omar"].role = "OWNER"
    client.portal.start_over()
    assert client.portal.organizations["acme"].scenario == "by-amount"
    assert client.portal.people["omar"].role == "MEMBER"
    assert error_of(await client.charge(10, "k"))[0] == 401


async def test_the_clock_is_moved_forward_and_put_back_by_a_reset(client: PortalClient) -> None:
    moved = await client.http.post("/sandbox/clock", json={"advanceSeconds": 90})
    assert exact(moved) == {"now": "2026-09-17T12:01:30.000Z"}
    assert client.portal.now() == client.clock() + 90
    assert client.portal.advance(0.5) == client.clock() + 90.5
    await client.http.post("/sandbox/reset")
    assert client.portal.now() == client.clock()


@pytest.mark.parametrize("seconds", [-1, "90", None, True, 1e12])
async def test_the_clock_refuses_to_move_backward_or_too_far(client: PortalClient, seconds: object) -> None:
    answer = await client.http.post("/sandbox/clock", json={"advanceSeconds": seconds})
    assert error_of(answer) == (400, "validation_failed")
    assert client.portal.now() == client.clock()


async def test_moving_the_clock_settles_charges(client: PortalClient) -> None:
    charged = await client.charge()
    client.portal.advance(3)
    assert (await client.poll(charged))["status"] == "settled"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8765", True),
        ("http://localhost:8765", True),
        ("http://[::1]:8765", True),
        ("https://evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example:80", False),
    ],
)
async def test_only_loopback_origins_may_read_the_control_api(
    client: PortalClient, origin: str, allowed: bool
) -> None:
    answer = await client.http.get("/sandbox/scenarios", headers={"Origin": origin})
    preflight = await client.http.options(
        "/sandbox/scenario",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    expected = origin if allowed else None
    assert answer.headers.get("access-control-allow-origin") == expected
    assert (preflight.status_code == 200) is allowed


async def test_the_billing_api_sends_no_cors_headers(client: PortalClient) -> None:
    answer = await client.http.get("/api/billing/state", headers={"Origin": "http://localhost:1"})
    assert "access-control-allow-origin" not in answer.headers


async def test_every_request_is_recorded_as_it_arrived(client: PortalClient) -> None:
    await client.charge(50, "k")
    (seen,) = client.portal.requests
    assert (seen.method, seen.path, seen.status) == ("POST", "/api/billing/charge", 202)
    assert seen.headers["idempotency-key"] == "k"
    assert seen.body == b'{"amountUsd": 50}'
    assert seen.at == client.clock()


async def test_an_unknown_path_answers_json(client: PortalClient) -> None:
    assert error_of(await client.get("/api/billing/nothing")) == (404, "not_found")
    assert error_of(await client.send("POST", "/api/billing/state")) == (404, "not_found")

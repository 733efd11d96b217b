from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import AMOUNT_SCENARIOS, SCENARIOS
from tests.sandbox.portal.desk import BALANCE, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk


async def test_the_scenarios_and_organisations_can_be_listed(desk: Desk) -> None:
    listed = exact(await desk.http.get("/sandbox/scenarios"))
    acme = listed["organisations"][0]
    assert (acme["slug"], acme["name"], acme["scenario"]) == ("acme", "Acme Research", "by-amount")
    assert (acme["balanceUsd"], acme["card"]) == (BALANCE, "Visa 4242")
    assert [row["name"] for row in listed["scenarios"]] == list(SCENARIOS)
    amounts = {row["amount"] for row in listed["scenarios"] if "amount" in row}
    assert amounts == {str(amount) for amount in AMOUNT_SCENARIOS}
    assert "try" in listed["scenarios"][0]


async def test_names_in_the_list_are_cut_to_what_a_page_has_room_for(desk: Desk) -> None:
    listed = exact(await desk.http.get("/sandbox/scenarios"))["organisations"]
    assert max(len(each["name"]) for each in listed) == 60
    assert [each["slug"] for each in listed if each["name"].endswith("…")] == ["extreme"]


async def test_a_scenario_is_switched_by_its_name(desk: Desk) -> None:
    body = {"organisation": "acme", "scenario": "no-card"}
    switched = exact(await desk.http.post("/sandbox/scenario", json=body))
    assert (switched["scenario"], switched["card"]) == ("no-card", None)
    assert error_of(await desk.charge()) == (403, "no_payment_method")


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
async def test_a_switch_to_nothing_is_refused(desk: Desk, body: object, status: int) -> None:
    answer = await desk.http.post("/sandbox/scenario", json=body)
    assert answer.status_code == status
    assert exact(answer)["message"]


async def test_the_book_lists_charges_and_posts(desk: Desk) -> None:
    await desk.charge(50, "k")
    desk.clock.tick(3)
    book = exact(await desk.http.get("/sandbox/charges"))
    (charge,) = book["charges"]
    assert (charge["amountUsd"], charge["status"]) == ("50", "settled")
    assert charge["settledAt"] == "2026-09-17T12:00:03.000Z"
    assert [(post["key"], post["answer"]) for post in book["posts"]] == [("k", charge["id"])]


async def test_a_reset_forgets_the_books_but_nobody_has_to_sign_in_again(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "cap-exceeded")
    await desk.charge(10, "k")
    desk.clock.tick(3)
    assert exact(await desk.http.post("/sandbox/reset")) == {"ok": True}
    assert desk.portal.charges == []
    assert (await desk.state())["balanceUsd"] == BALANCE
    assert desk.portal.organisations["acme"].scenario == "by-amount"
    assert (await desk.charge(60, "k")).status_code == 202


async def test_the_clock_is_moved_forward_and_put_back_by_a_reset(desk: Desk) -> None:
    moved = await desk.http.post("/sandbox/clock", json={"advanceSeconds": 90})
    assert exact(moved) == {"now": "2026-09-17T12:01:30.000Z"}
    assert desk.portal.now() == desk.clock() + 90
    assert desk.portal.advance(0.5) == desk.clock() + 90.5
    await desk.http.post("/sandbox/reset")
    assert desk.portal.now() == desk.clock()


@pytest.mark.parametrize("seconds", [-1, "90", None, True, 1e12])
async def test_the_clock_moves_forward_and_not_out_of_sight(desk: Desk, seconds: object) -> None:
    answer = await desk.http.post("/sandbox/clock", json={"advanceSeconds": seconds})
    assert error_of(answer) == (400, "validation_failed")
    assert desk.portal.now() == desk.clock()


async def test_a_clock_that_was_moved_settles_charges(desk: Desk) -> None:
    charged = await desk.charge()
    desk.portal.advance(3)
    assert (await desk.poll(charged))["status"] == "settled"


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
async def test_only_pages_on_loopback_may_read_it(desk: Desk, origin: str, allowed: bool) -> None:
    answer = await desk.http.get("/sandbox/scenarios", headers={"Origin": origin})
    preflight = await desk.http.options(
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


async def test_the_api_itself_is_closed_to_pages(desk: Desk) -> None:
    answer = await desk.http.get("/api/billing/state", headers={"Origin": "http://localhost:1"})
    assert "access-control-allow-origin" not in answer.headers


async def test_every_request_is_written_down_as_it_arrived(desk: Desk) -> None:
    await desk.charge(50, "k")
    (seen,) = desk.portal.requests
    assert (seen.method, seen.path, seen.status) == ("POST", "/api/billing/charge", 202)
    assert seen.headers["idempotency-key"] == "k"
    assert seen.body == b'{"amountUsd": 50}'
    assert seen.at == desk.clock()


async def test_what_is_not_there_is_json_too(desk: Desk) -> None:
    assert error_of(await desk.get("/api/billing/nothing")) == (404, "not_found")
    assert error_of(await desk.send("POST", "/api/billing/state")) == (404, "not_found")

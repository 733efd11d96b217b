from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import AMOUNT_SCENARIOS, SCENARIOS
from tests.sandbox.portal.desk import BALANCE, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk

SPLIT = {"drop-before-once", "drop-after-once", "drop-before", "drop-after"}


async def try_charge(desk: Desk, amount: str | int, key: str) -> httpx.Response | None:
    try:
        return await desk.charge(amount, key)
    except httpx.TransportError:
        return None


async def test_everything_settles_after_three_seconds_unless_its_amount_says_otherwise(
    desk: Desk,
) -> None:
    charged = await desk.charge(50)
    assert charged.status_code == 202
    assert await desk.poll(charged) == {"status": "pending", "amountUsd": "50"}
    desk.clock.tick(2.9)
    assert (await desk.poll(charged))["status"] == "pending"
    desk.clock.tick(0.1)
    assert await desk.poll(charged) == {
        "status": "settled",
        "amountUsd": "50",
        "settledAt": "2026-09-17T12:00:03.000Z",
    }


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("declined", "card_declined"),
        ("expired-card", "payment_method_expired"),
        ("authentication-required", "authentication_required"),
        ("processing-error", "processing_error"),
    ],
)
async def test_a_failed_charge_tells_its_reason_and_moves_no_money(
    desk: Desk, scenario: str, reason: str
) -> None:
    desk.portal.set_scenario("acme", scenario)
    charged = await desk.charge(50)
    desk.clock.tick(3)
    answer = await desk.poll(charged)
    assert (answer["status"], answer["reason"]) == ("failed", reason)
    assert (await desk.state())["balanceUsd"] == BALANCE


async def test_a_slow_charge_takes_forty_seconds(desk: Desk) -> None:
    charged = await desk.charge("10.05")
    desk.clock.tick(39)
    assert (await desk.poll(charged))["status"] == "pending"
    desk.clock.tick(1)
    assert (await desk.poll(charged))["status"] == "settled"


async def test_a_charge_can_stay_pending_for_ever(desk: Desk) -> None:
    charged = await desk.charge("10.06")
    desk.clock.tick(800)
    assert (await desk.poll(charged))["status"] == "pending"


@pytest.mark.parametrize(
    ("scenario", "status", "error", "retry_after"),
    [
        ("rate-limited", 429, "rate_limited", "120"),
        ("temporarily-unavailable", 503, "temporarily_unavailable", "60"),
        ("stripe-unavailable", 503, "stripe_unavailable", "30"),
        ("server-error", 500, "internal_error", None),
    ],
)
async def test_a_refusing_portal_refuses_every_try_and_charges_nothing(
    desk: Desk, scenario: str, status: int, error: str, retry_after: str | None
) -> None:
    desk.portal.set_scenario("acme", scenario)
    for _ in range(2):
        answer = await desk.charge(50, "k")
        assert error_of(answer) == (status, error)
        assert answer.headers.get("retry-after") == retry_after
    assert desk.portal.charges == []
    desk.portal.set_scenario("acme", "by-amount")
    assert (await desk.charge(50, "k")).status_code == 202


async def test_a_500_once_charges_nothing_and_the_next_try_with_its_key_works(desk: Desk) -> None:
    assert (await desk.charge("10.10", "k")).status_code == 500
    assert desk.portal.charges == []
    assert (await desk.charge("10.10", "k")).status_code == 202
    assert len(desk.portal.charges) == 1


async def test_an_answer_that_is_not_json_hides_a_charge_that_was_made(desk: Desk) -> None:
    for _ in range(2):
        answer = await desk.charge("10.11", "k")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
    assert len(desk.portal.charges) == 1


async def test_a_202_without_charge_id_hides_a_charge_that_was_made(desk: Desk) -> None:
    for _ in range(2):
        answer = await desk.charge("10.14", "k")
        assert (answer.status_code, exact(answer)) == (202, {})
    assert len(desk.portal.charges) == 1


async def test_a_connection_lost_before_the_charge_charges_on_the_second_try(desk: Desk) -> None:
    assert await try_charge(desk, "10.12", "k") is None
    assert desk.portal.charges == []
    assert (await desk.charge("10.12", "k")).status_code == 202
    assert len(desk.portal.charges) == 1


async def test_a_connection_lost_after_the_charge_charges_no_second_time(desk: Desk) -> None:
    assert await try_charge(desk, "10.13", "k") is None
    (made,) = desk.portal.charges
    assert exact(await desk.charge("10.13", "k"))["chargeId"] == made.id
    assert desk.portal.charges == [made]


async def test_a_connection_lost_on_every_try_never_charges(desk: Desk) -> None:
    assert [await try_charge(desk, "10.15", "k") for _ in range(3)] == [None] * 3
    assert desk.portal.charges == []
    posts = desk.portal.charge_posts
    assert [(post.status, post.answer) for post in posts] == [(None, "dropped")] * 3


async def test_an_answer_lost_on_every_try_charges_once(desk: Desk) -> None:
    assert [await try_charge(desk, "10.17", "k") for _ in range(3)] == [None] * 3
    assert len(desk.portal.charges) == 1


async def test_a_late_answer_hides_a_charge_that_was_made(desk: Desk) -> None:
    desk.portal.hang_seconds = 30
    desk.http.timeout = httpx.Timeout(5, read=0.2)
    with pytest.raises(httpx.ReadTimeout):
        await desk.charge("10.18", "k")
    (made,) = desk.portal.charges
    assert exact(await desk.charge("10.18", "k"))["chargeId"] == made.id


@pytest.mark.parametrize("name", sorted(SPLIT))
async def test_a_dropped_connection_is_a_disconnect_and_never_a_500(
    desk: Desk, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk.portal.set_scenario("acme", name)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await desk.charge(50, "k")
    assert desk.portal.requests[-1].status is None
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_fault_of_a_first_try_waits_until_the_gates_are_open(desk: Desk) -> None:
    desk.sign_in("ada", "inference:invoke")
    assert error_of(await desk.charge("10.12", "k")) == (403, "insufficient_scope")
    desk.sign_in("ada")
    assert await try_charge(desk, "10.12", "k") is None
    assert (await desk.charge("10.12", "k")).status_code == 202


@pytest.mark.parametrize("amount", sorted(AMOUNT_SCENARIOS))
async def test_each_amount_does_what_its_scenario_does_when_switched_on(desk: Desk, amount: str) -> None:
    by_amount = await try_charge(desk, amount, "amount")
    made = len(desk.portal.charges)
    desk.portal.reset()
    desk.portal.set_scenario("acme", AMOUNT_SCENARIOS[amount])  # type: ignore[index]
    switched = await try_charge(desk, 50, "switch")

    assert (by_amount is None) == (switched is None)
    if by_amount is not None and switched is not None:
        assert by_amount.status_code == switched.status_code
    assert len(desk.portal.charges) == made


async def test_an_unknown_or_foreign_charge_is_pending_for_ever(desk: Desk) -> None:
    charged = await desk.charge(50)
    desk.clock.tick(60)
    for unknown in ("ch_unknown", "a%2Fb", "a%00b"):
        answer = await desk.get(f"/api/billing/charge/{unknown}")
        assert (answer.status_code, exact(answer)) == (200, {"status": "pending"})
    desk.sign_in("theo")
    assert await desk.poll(charged) == {"status": "pending"}


def test_every_row_tells_people_what_to_try() -> None:
    for row in SCENARIOS.values():
        assert row.title
        assert row.hint.endswith(".")

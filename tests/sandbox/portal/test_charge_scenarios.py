from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import AMOUNT_SCENARIOS, SCENARIOS
from tests.sandbox.portal.client import BALANCE, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

SPLIT = {"drop-before-once", "drop-after-once", "drop-before", "drop-after"}


async def try_charge(client: PortalClient, amount: str | int, key: str) -> httpx.Response | None:
    try:
        return await client.charge(amount, key)
    except httpx.TransportError:
        return None


async def test_everything_settles_after_three_seconds_unless_its_amount_says_otherwise(
    client: PortalClient,
) -> None:
    charged = await client.charge(50)
    assert charged.status_code == 202
    assert await client.poll(charged) == {"status": "pending", "amountUsd": "50"}
    client.clock.tick(2.9)
    assert (await client.poll(charged))["status"] == "pending"
    client.clock.tick(0.1)
    assert await client.poll(charged) == {
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
async def test_a_failed_charge_reports_its_reason_and_leaves_the_balance(
    client: PortalClient, scenario: str, reason: str
) -> None:
    client.portal.set_scenario("acme", scenario)
    charged = await client.charge(50)
    client.clock.tick(3)
    answer = await client.poll(charged)
    assert (answer["status"], answer["reason"]) == ("failed", reason)
    assert (await client.state())["balanceUsd"] == BALANCE


async def test_a_slow_charge_takes_twenty_five_seconds(client: PortalClient) -> None:
    charged = await client.charge("10.05")
    client.clock.tick(24)
    assert (await client.poll(charged))["status"] == "pending"
    client.clock.tick(1)
    assert (await client.poll(charged))["status"] == "settled"


async def test_a_charge_can_stay_pending_for_ever(client: PortalClient) -> None:
    charged = await client.charge("10.06")
    client.clock.tick(800)
    assert (await client.poll(charged))["status"] == "pending"


@pytest.mark.parametrize(
    ("scenario", "status", "error", "retry_after"),
    [
        ("rate-limited", 429, "rate_limited", "120"),
        ("temporarily-unavailable", 503, "temporarily_unavailable", "60"),
        ("stripe-unavailable", 503, "stripe_unavailable", "30"),
        ("server-error", 500, "internal_error", None),
    ],
)
async def test_a_refusal_scenario_refuses_every_attempt_and_charges_nothing(
    client: PortalClient, scenario: str, status: int, error: str, retry_after: str | None
) -> None:
    client.portal.set_scenario("acme", scenario)
    for _ in range(2):
        answer = await client.charge(50, "k")
        assert error_of(answer) == (status, error)
        assert answer.headers.get("retry-after") == retry_after
    assert client.portal.charges == []
    client.portal.set_scenario("acme", "by-amount")
    assert (await client.charge(50, "k")).status_code == 202


async def test_a_500_once_charges_nothing_and_the_next_try_with_its_key_works(client: PortalClient) -> None:
    assert (await client.charge("10.10", "k")).status_code == 500
    assert client.portal.charges == []
    assert (await client.charge("10.10", "k")).status_code == 202
    assert len(client.portal.charges) == 1


async def test_an_answer_that_is_not_json_hides_a_charge_that_was_made(client: PortalClient) -> None:
    for _ in range(2):
        answer = await client.charge("10.11", "k")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
    assert len(client.portal.charges) == 1


async def test_a_202_without_charge_id_hides_a_charge_that_was_made(client: PortalClient) -> None:
    for _ in range(2):
        answer = await client.charge("10.14", "k")
        assert (answer.status_code, exact(answer)) == (202, {})
    assert len(client.portal.charges) == 1


async def test_a_connection_lost_before_the_charge_charges_on_the_second_try(client: PortalClient) -> None:
    assert await try_charge(client, "10.12", "k") is None
    assert client.portal.charges == []
    assert (await client.charge("10.12", "k")).status_code == 202
    assert len(client.portal.charges) == 1


async def test_a_connection_lost_after_the_charge_charges_no_second_time(client: PortalClient) -> None:
    assert await try_charge(client, "10.13", "k") is None
    (made,) = client.portal.charges
    assert exact(await client.charge("10.13", "k"))["chargeId"] == made.id
    assert client.portal.charges == [made]


async def test_a_connection_lost_on_every_try_never_charges(client: PortalClient) -> None:
    assert [await try_charge(client, "10.15", "k") for _ in range(3)] == [None] * 3
    assert client.portal.charges == []
    posts = client.portal.charge_posts
    assert [(post.status, post.answer) for post in posts] == [(None, "dropped")] * 3


async def test_an_answer_lost_on_every_try_charges_once(client: PortalClient) -> None:
    assert [await try_charge(client, "10.17", "k") for _ in range(3)] == [None] * 3
    assert len(client.portal.charges) == 1


async def test_a_late_answer_hides_a_charge_that_was_made(client: PortalClient) -> None:
    client.portal.hang_seconds = 30
    client.http.timeout = httpx.Timeout(5, read=0.2)
    with pytest.raises(httpx.ReadTimeout):
        await client.charge("10.18", "k")
    (made,) = client.portal.charges
    assert exact(await client.charge("10.18", "k"))["chargeId"] == made.id


@pytest.mark.parametrize("name", sorted(SPLIT))
async def test_a_dropped_connection_is_a_disconnect_and_never_a_500(
    client: PortalClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.portal.set_scenario("acme", name)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.charge(50, "k")
    assert client.portal.requests[-1].status is None
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_first_try_fault_occurs_only_after_all_gates_pass(client: PortalClient) -> None:
    client.sign_in("ada", "inference:invoke")
    assert error_of(await client.charge("10.12", "k")) == (403, "insufficient_scope")
    client.sign_in("ada")
    assert await try_charge(client, "10.12", "k") is None
    assert (await client.charge("10.12", "k")).status_code == 202


@pytest.mark.parametrize("amount", sorted(AMOUNT_SCENARIOS))
async def test_each_amount_does_what_its_scenario_does_when_switched_on(
    client: PortalClient, amount: str
) -> None:
    by_amount = await try_charge(client, amount, "amount")
    made = len(client.portal.charges)
    client.portal.reset()
    client.portal.set_scenario("acme", AMOUNT_SCENARIOS[amount])  # type: ignore[index]
    switched = await try_charge(client, 50, "switch")

    assert (by_amount is None) == (switched is None)
    if by_amount is not None and switched is not None:
        assert by_amount.status_code == switched.status_code
    assert len(client.portal.charges) == made


async def test_an_unknown_or_foreign_charge_is_pending_for_ever(client: PortalClient) -> None:
    charged = await client.charge(50)
    client.clock.tick(60)
    for unknown in ("ch_unknown", "a%2Fb", "a%00b"):
        answer = await client.get(f"/api/billing/charge/{unknown}")
        assert (answer.status_code, exact(answer)) == (200, {"status": "pending"})
    client.sign_in("theo")
    assert await client.poll(charged) == {"status": "pending"}


def test_every_scenario_has_a_title_and_a_hint() -> None:
    for row in SCENARIOS.values():
        assert row.title
        assert row.hint.endswith(".")

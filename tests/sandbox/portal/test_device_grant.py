from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import FIREWALL, DeviceCodeError
from tests.sandbox.portal.desk import EVERYTHING, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk


async def test_a_device_code_comes_with_all_six_fields_and_links_to_the_portal(desk: Desk) -> None:
    started = await desk.ask_for_code()

    assert set(started) == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    }
    assert started["verification_uri"] == f"{desk.portal.public_url}/device"
    assert started["verification_uri_complete"].endswith(f"?user_code={started['user_code']}")


async def test_an_approved_code_gives_tokens_once(desk: Desk) -> None:
    started = await desk.ask_for_code()
    assert error_of(await desk.redeem(started["device_code"])) == (400, "authorization_pending")
    desk.portal.approve(started["user_code"])
    desk.clock.tick(started["interval"])

    granted = exact(await desk.redeem(started["device_code"]))
    again = await desk.redeem(started["device_code"])

    assert granted["scope"] == EVERYTHING
    assert granted["expires_in"] == 900
    assert granted["access_token"].count(".") == 2
    assert error_of(again) == (400, "invalid_grant")
    desk.access = granted["access_token"]
    assert (await desk.state())["org"]["slug"] == "acme"


async def test_a_poll_sooner_than_the_interval_answers_slow_down(desk: Desk) -> None:
    desk.portal.sign_in.interval = 5
    started = await desk.ask_for_code()
    await desk.redeem(started["device_code"])
    desk.clock.tick(4)
    assert error_of(await desk.redeem(started["device_code"])) == (400, "slow_down")
    desk.clock.tick(4)
    assert error_of(await desk.redeem(started["device_code"])) == (400, "slow_down")
    desk.clock.tick(5)
    assert error_of(await desk.redeem(started["device_code"])) == (400, "authorization_pending")


async def test_an_approved_code_is_redeemed_however_fast_the_poll_comes(desk: Desk) -> None:
    started = await desk.ask_for_code()
    await desk.redeem(started["device_code"])
    desk.portal.approve(started["user_code"])
    assert (await desk.redeem(started["device_code"])).status_code == 200


async def test_a_client_that_adds_one_second_for_each_slow_down_gets_through(desk: Desk) -> None:
    started = await desk.ask_for_code()
    interval, answers = 1, []
    for _ in range(6):
        _, error = error_of(await desk.redeem(started["device_code"]))
        answers.append(error)
        interval += error == "slow_down"
        desk.clock.tick(interval)
    assert answers == [
        "authorization_pending",
        "slow_down",
        *["authorization_pending"] * 4,
    ]


async def test_a_denied_code_is_denied_however_fast_the_poll_comes(desk: Desk) -> None:
    started = await desk.ask_for_code()
    await desk.redeem(started["device_code"])
    desk.portal.deny(started["user_code"])
    assert error_of(await desk.redeem(started["device_code"])) == (400, "access_denied")


async def test_the_firewall_can_stand_before_the_polls(desk: Desk) -> None:
    started = await desk.ask_for_code()
    desk.portal.fail("/api/oauth/token", FIREWALL, times=1)
    challenged = await desk.redeem(started["device_code"])
    assert challenged.status_code == 429
    assert challenged.headers["x-vercel-mitigated"] == "challenge"
    assert challenged.headers["content-type"].startswith("text/html")
    assert error_of(await desk.redeem(started["device_code"])) == (400, "authorization_pending")


async def test_a_denied_code_answers_access_denied(desk: Desk) -> None:
    started = await desk.ask_for_code()
    desk.portal.deny(started["user_code"])
    assert error_of(await desk.redeem(started["device_code"])) == (400, "access_denied")


async def test_an_expired_code_answers_expired_token_and_can_no_longer_be_approved(
    desk: Desk,
) -> None:
    started = await desk.ask_for_code()
    desk.clock.tick(float(started["expires_in"]))

    assert error_of(await desk.redeem(started["device_code"])) == (400, "expired_token")
    with pytest.raises(DeviceCodeError, match="expired"):
        desk.portal.approve(started["user_code"])


@pytest.mark.parametrize(
    ("person", "billing", "granted"),
    [
        ("ada", True, EVERYTHING),
        ("grace", True, EVERYTHING),
        ("frida", True, EVERYTHING),
        ("ada", False, "inference:invoke tool:invoke"),
        ("linus", True, "inference:invoke tool:invoke"),
        ("hedy", True, "inference:invoke tool:invoke"),
    ],
)
async def test_the_scope_is_silently_cut_to_what_was_approved(
    desk: Desk, person: str, billing: bool, granted: str
) -> None:
    started = await desk.ask_for_code()
    desk.portal.approve(started["user_code"], person, billing=billing)
    assert exact(await desk.redeem(started["device_code"]))["scope"] == granted


@pytest.mark.parametrize("scope", ["inference:invoke billing:manage-lite", "everything", "billing"])
async def test_an_unknown_scope_is_refused_as_a_whole(desk: Desk, scope: str) -> None:
    form = {"client_id": "hermes-cli", "scope": scope}
    refusal = await desk.http.post("/api/oauth/device/code", data=form)
    assert error_of(refusal) == (400, "invalid_scope")
    assert exact(refusal)["error_description"]


@pytest.mark.parametrize("form", [{}, {"scope": ""}])
async def test_a_login_that_asks_for_no_scope_gets_that_of_a_first_login(
    desk: Desk, form: dict[str, str]
) -> None:
    started = exact(
        await desk.http.post("/api/oauth/device/code", data={"client_id": "hermes-cli", **form})
    )
    desk.portal.approve(started["user_code"])
    assert exact(await desk.redeem(started["device_code"]))["scope"] == "inference:invoke"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("device/code", "client_id=hermes-cli&scope=inference%3Ainvoke&client_id=other"),
        ("token", "grant_type=refresh_token&client_id=hermes-cli&client_id=hermes-cli"),
    ],
)
async def test_a_repeated_parameter_is_refused(desk: Desk, path: str, body: str) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "x-nous-refresh-token": desk.refresh,
    }
    refusal = await desk.http.post(f"/api/oauth/{path}", content=body, headers=headers)
    assert error_of(refusal) == (400, "invalid_request")
    assert (await desk.renew(desk.refresh)).status_code == 200


async def test_a_code_belongs_to_the_client_that_asked_for_it(desk: Desk) -> None:
    started = await desk.ask_for_code()
    desk.portal.approve(started["user_code"])
    stolen = await desk.redeem(started["device_code"], client_id="other")
    assert error_of(stolen) == (400, "invalid_grant")


async def test_a_request_without_client_id_or_known_grant_type_is_refused(desk: Desk) -> None:
    nameless = await desk.http.post("/api/oauth/device/code", data={"scope": EVERYTHING})
    password = await desk.http.post("/api/oauth/token", data={"grant_type": "password"})
    assert error_of(nameless) == (401, "invalid_client")
    assert error_of(password) == (400, "unsupported_grant_type")

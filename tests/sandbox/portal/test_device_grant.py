from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import FIREWALL, DeviceCodeError
from tests.sandbox.portal.client import EVERYTHING, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient


async def test_a_device_code_has_all_six_fields_and_links_to_the_portal(
    client: PortalClient,
) -> None:
    started = await client.ask_for_code()

    assert set(started) == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    }
    assert started["verification_uri"] == f"{client.portal.public_url}/device"
    assert started["verification_uri_complete"].endswith(f"?user_code={started['user_code']}")


async def test_an_approved_code_gives_tokens_once(client: PortalClient) -> None:
    started = await client.ask_for_code()
    assert error_of(await client.redeem(started["device_code"])) == (400, "authorization_pending")
    client.portal.approve(started["user_code"])
    client.clock.tick(started["interval"])

    granted = exact(await client.redeem(started["device_code"]))
    again = await client.redeem(started["device_code"])

    assert granted["scope"] == EVERYTHING
    assert granted["expires_in"] == 900
    assert granted["access_token"].count(".") == 2
    assert error_of(again) == (400, "invalid_grant")
    client.access = granted["access_token"]
    assert (await client.state())["org"]["slug"] == "acme"


async def test_a_poll_sooner_than_the_interval_answers_slow_down(client: PortalClient) -> None:
    client.portal.sign_in.interval = 5
    started = await client.ask_for_code()
    await client.redeem(started["device_code"])
    client.clock.tick(4)
    assert error_of(await client.redeem(started["device_code"])) == (400, "slow_down")
    client.clock.tick(4)
    assert error_of(await client.redeem(started["device_code"])) == (400, "slow_down")
    client.clock.tick(5)
    assert error_of(await client.redeem(started["device_code"])) == (400, "authorization_pending")


async def test_an_approved_code_is_redeemed_however_fast_the_poll_comes(client: PortalClient) -> None:
    started = await client.ask_for_code()
    await client.redeem(started["device_code"])
    client.portal.approve(started["user_code"])
    assert (await client.redeem(started["device_code"])).status_code == 200


async def test_a_client_that_adds_one_second_for_each_slow_down_gets_through(client: PortalClient) -> None:
    started = await client.ask_for_code()
    interval, answers = 1, []
    for _ in range(6):
        _, error = error_of(await client.redeem(started["device_code"]))
        answers.append(error)
        interval += error == "slow_down"
        client.clock.tick(interval)
    assert answers == [
        "authorization_pending",
        "slow_down",
        *["authorization_pending"] * 4,
    ]


async def test_a_denied_code_is_denied_however_fast_the_poll_comes(client: PortalClient) -> None:
    started = await client.ask_for_code()
    await client.redeem(started["device_code"])
    client.portal.deny(started["user_code"])
    assert error_of(await client.redeem(started["device_code"])) == (400, "access_denied")


async def test_the_firewall_can_answer_the_polls(client: PortalClient) -> None:
    started = await client.ask_for_code()
    client.portal.fail("/api/oauth/token", FIREWALL, times=1)
    challenged = await client.redeem(started["device_code"])
    assert challenged.status_code == 429
    assert challenged.headers["x-vercel-mitigated"] == "challenge"
    assert challenged.headers["content-type"].startswith("text/html")
    assert error_of(await client.redeem(started["device_code"])) == (400, "authorization_pending")


async def test_a_denied_code_answers_access_denied(client: PortalClient) -> None:
    started = await client.ask_for_code()
    client.portal.deny(started["user_code"])
    assert error_of(await client.redeem(started["device_code"])) == (400, "access_denied")


async def test_an_expired_code_answers_expired_token_and_can_no_longer_be_approved(
    client: PortalClient,
) -> None:
    started = await client.ask_for_code()
    client.clock.tick(float(started["expires_in"]))

    assert error_of(await client.redeem(started["device_code"])) == (400, "expired_token")
    with pytest.raises(DeviceCodeError, match="expired"):
        client.portal.approve(started["user_code"])


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
async def test_the_scope_is_reduced_to_what_was_approved(
    client: PortalClient, person: str, billing: bool, granted: str
) -> None:
    started = await client.ask_for_code()
    client.portal.approve(started["user_code"], person, billing=billing)
    assert exact(await client.redeem(started["device_code"]))["scope"] == granted


@pytest.mark.parametrize("scope", ["inference:invoke billing:manage-lite", "everything", "billing"])
async def test_an_unknown_scope_is_refused_as_a_whole(client: PortalClient, scope: str) -> None:
    form = {"client_id": "hermes-cli", "scope": scope}
    refusal = await client.http.post("/api/oauth/device/code", data=form)
    assert error_of(refusal) == (400, "invalid_scope")
    assert exact(refusal)["error_description"]


@pytest.mark.parametrize("form", [{}, {"scope": ""}])
async def test_a_login_without_a_scope_gets_the_first_login_scope(
    client: PortalClient, form: dict[str, str]
) -> None:
    started = exact(
        await client.http.post("/api/oauth/device/code", data={"client_id": "hermes-cli", **form})
    )
    client.portal.approve(started["user_code"])
    assert exact(await client.redeem(started["device_code"]))["scope"] == "inference:invoke"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("device/code", "client_id=hermes-cli&scope=inference%3Ainvoke&client_id=other"),
        ("token", "grant_type=refresh_token&client_id=hermes-cli&client_id=hermes-cli"),
    ],
)
async def test_a_repeated_parameter_is_refused(client: PortalClient, path: str, body: str) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "x-nous-refresh-token": client.refresh,
    }
    refusal = await client.http.post(f"/api/oauth/{path}", content=body, headers=headers)
    assert error_of(refusal) == (400, "invalid_request")
    assert (await client.renew(client.refresh)).status_code == 200


async def test_a_code_belongs_to_the_client_that_asked_for_it(client: PortalClient) -> None:
    started = await client.ask_for_code()
    client.portal.approve(started["user_code"])
    stolen = await client.redeem(started["device_code"], client_id="other")
    assert error_of(stolen) == (400, "invalid_grant")


async def test_a_request_without_client_id_or_known_grant_type_is_refused(client: PortalClient) -> None:
    nameless = await client.http.post("/api/oauth/device/code", data={"scope": EVERYTHING})
    password = await client.http.post("/api/oauth/token", data={"grant_type": "password"})
    assert error_of(nameless) == (401, "invalid_client")
    assert error_of(password) == (400, "unsupported_grant_type")

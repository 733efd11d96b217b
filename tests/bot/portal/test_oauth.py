from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.domain.errors import GrantRefusedError, PortalUnavailableError, RelinkRequiredError
from bot.portal.hosts import ForeignHostError, HostRules
from bot.portal.oauth import DeviceGrantError, GrantProblem, OAuthClient, Tokens
from bot.sandbox.portal import FIREWALL, FIREWALL_DENIES, Fault
from bot.system_clock import SystemClock

if TYPE_CHECKING:
    from bot.portal.transport import Transport
    from bot.sandbox.portal import PortalSandbox

SCOPE = "inference:invoke tool:invoke billing:manage"


@pytest_asyncio.fixture
async def oauth(portal: PortalSandbox, transport: Transport) -> OAuthClient:
    hosts = HostRules(environment_base_url=portal.public_url)
    return OAuthClient(transport, hosts, SystemClock(), client_id="hermes-cli")


async def granted(portal: PortalSandbox, oauth: OAuthClient) -> Tokens:
    code = await oauth.request_device_code(SCOPE)
    portal.approve(code.user_code)
    return await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)


async def test_a_device_grant_from_the_code_to_the_tokens(
    portal: PortalSandbox, oauth: OAuthClient
) -> None:
    portal.sign_in.interval = 0
    code = await oauth.request_device_code(SCOPE)
    with pytest.raises(DeviceGrantError) as waiting:
        await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)
    assert waiting.value.problem is GrantProblem.PENDING
    portal.approve(code.user_code)
    tokens = await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)
    assert tokens.scope.split() == SCOPE.split()
    assert tokens.access not in repr(tokens)
    assert code.device_code not in repr(code)


@pytest.mark.behavior(43)
async def test_asking_too_fast_is_told_to_slow_down(oauth: OAuthClient) -> None:
    code = await oauth.request_device_code(SCOPE)
    with pytest.raises(DeviceGrantError):
        await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)
    with pytest.raises(DeviceGrantError) as fast:
        await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)
    assert fast.value.problem is GrantProblem.SLOW_DOWN


async def test_a_denied_login_is_reported_as_denied(portal: PortalSandbox, oauth: OAuthClient) -> None:
    code = await oauth.request_device_code(SCOPE)
    portal.deny(code.user_code)
    with pytest.raises(DeviceGrantError) as denied:
        await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)
    assert denied.value.problem is GrantProblem.DENIED


@pytest.mark.behavior(43)
async def test_a_429_means_back_off_and_not_failure(portal: PortalSandbox, oauth: OAuthClient) -> None:
    portal.fail("/api/oauth/token", Fault(status=429, body="{}", retry_after="7"))
    with pytest.raises(DeviceGrantError) as busy:
        await oauth.exchange_device_code(oauth.base, "code", SCOPE)
    assert (busy.value.problem, busy.value.retry_after) == (GrantProblem.BUSY, 7)


@pytest.mark.behavior(39)
async def test_the_scope_that_was_really_granted_is_kept(portal: PortalSandbox, oauth: OAuthClient) -> None:
    code = await oauth.request_device_code(SCOPE)
    portal.approve(code.user_code, billing=False)
    tokens = await oauth.exchange_device_code(oauth.base, code.device_code, SCOPE)
    assert "billing:manage" not in tokens.scope.split()


@pytest.mark.behavior(44)
async def test_the_refresh_token_travels_in_its_header_only(
    portal: PortalSandbox, oauth: OAuthClient
) -> None:
    tokens = await granted(portal, oauth)
    renewed = await oauth.refresh(oauth.base, tokens)
    assert renewed.refresh != tokens.refresh
    request = portal.requests[-1]
    assert request.headers["x-nous-refresh-token"] == tokens.refresh
    assert str(tokens.refresh) not in str(request.body)


@pytest.mark.behavior(44)
async def test_an_absent_new_refresh_token_keeps_the_old_one(
    portal: PortalSandbox, oauth: OAuthClient
) -> None:
    tokens = await granted(portal, oauth)
    portal.fail("/api/oauth/token", Fault(status=200, body='{"access_token": "a", "expires_in": 900}'))
    renewed = await oauth.refresh(oauth.base, tokens)
    assert (renewed.access, renewed.refresh, renewed.scope) == ("a", tokens.refresh, tokens.scope)


@pytest.mark.behavior(47)
async def test_a_reused_refresh_token_is_a_dead_session(portal: PortalSandbox, oauth: OAuthClient) -> None:
    tokens = await granted(portal, oauth)
    await oauth.refresh(oauth.base, tokens)
    with pytest.raises(RelinkRequiredError):
        await oauth.refresh(oauth.base, tokens)


@pytest.mark.behavior(47)
@pytest.mark.parametrize(
    "body",
    [
        '{"error": "invalid_grant"}',
        '{"error": "invalid_token"}',
        '{"error": "other", "error_description": "Token reuse detected"}',
    ],
)
async def test_each_way_of_saying_that_a_session_is_dead(
    portal: PortalSandbox, oauth: OAuthClient, body: str
) -> None:
    tokens = await granted(portal, oauth)
    portal.fail("/api/oauth/token", Fault(status=400, body=body))
    with pytest.raises(RelinkRequiredError):
        await oauth.refresh(oauth.base, tokens)


FIREWALL_WAITS = replace(FIREWALL, retry_after="300")


@pytest.mark.behavior(47)
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", ["", "{}", '{"message": "no"}', "<html>", '{"error": {}}'])
async def test_a_401_or_403_to_a_refresh_without_an_error_is_a_dead_session(
    portal: PortalSandbox, oauth: OAuthClient, status: int, body: str
) -> None:
    tokens = await granted(portal, oauth)
    portal.fail("/api/oauth/token", Fault(status=status, body=body))
    with pytest.raises(RelinkRequiredError):
        await oauth.refresh(oauth.base, tokens)


@pytest.mark.behavior(48)
@pytest.mark.parametrize("fault", [FIREWALL_WAITS, FIREWALL_DENIES], ids=["challenge", "deny"])
async def test_the_edges_firewall_is_an_outage_with_its_own_wait(
    portal: PortalSandbox, oauth: OAuthClient, fault: Fault
) -> None:
    tokens = await granted(portal, oauth)
    portal.fail("/api/oauth/token", fault, times=2)
    with pytest.raises(PortalUnavailableError) as refreshing:
        await oauth.refresh(oauth.base, tokens)
    assert refreshing.value.retry_after == int(fault.retry_after or 0)
    with pytest.raises(DeviceGrantError) as polling:
        await oauth.exchange_device_code(oauth.base, "code", SCOPE)
    assert (polling.value.problem, polling.value.retry_after) == (
        GrantProblem.BUSY,
        int(fault.retry_after or 0),
    )


async def test_a_200_to_a_refresh_without_a_token_is_a_dead_session(
    portal: PortalSandbox, oauth: OAuthClient
) -> None:
    tokens = await granted(portal, oauth)
    portal.fail("/api/oauth/token", Fault(status=200, body='{"token_type": "Bearer"}'))
    with pytest.raises(RelinkRequiredError):
        await oauth.refresh(oauth.base, tokens)


@pytest.mark.parametrize("lives", [None, '"soon"', "899.5", "-1", "1e15", "1000000000000000", "{}", "true"])
async def test_an_odd_expires_in_loses_no_token(
    portal: PortalSandbox, oauth: OAuthClient, lives: str | None
) -> None:
    tokens = await granted(portal, oauth)
    named = "" if lives is None else f', "expires_in": {lives}'
    body = f'{{"access_token": "a", "refresh_token": "r"{named}}}'
    portal.fail("/api/oauth/token", Fault(status=200, body=body), times=2)
    renewed = await oauth.refresh(oauth.base, tokens)
    assert (renewed.access, renewed.refresh) == ("a", "r")
    assert 0 < (renewed.expires_at - datetime.now(UTC)).total_seconds() <= 300
    assert (await oauth.exchange_device_code(oauth.base, "code", SCOPE)).refresh == "r"


@pytest.mark.parametrize("error", ["invalid_scope", "unauthorized_client", "x" * 3000])
async def test_a_login_that_is_refused_is_no_outage(
    portal: PortalSandbox, oauth: OAuthClient, error: str
) -> None:
    portal.fail("/api/oauth/device/code", Fault(status=400, body=json.dumps({"error": error})))
    with pytest.raises(GrantRefusedError) as refused:
        await oauth.request_device_code(SCOPE)
    assert len(str(refused.value)) <= 80


@pytest.mark.behavior(48)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, body='{"error": "invalid_grant"}'),
        Fault(status=429, body='{"error": "invalid_grant"}'),
        Fault(status=400, body="{}"),
        Fault(status=400, body="<html>"),
        Fault(status=200, body="<html>"),
        Fault(status=200, body=""),
        Fault(drop=True),
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_an_outage_on_refresh_is_not_a_logout(
    portal: PortalSandbox, oauth: OAuthClient, fault: Fault
) -> None:
    tokens = await granted(portal, oauth)
    portal.fail("/api/oauth/token", fault)
    with pytest.raises(PortalUnavailableError):
        await oauth.refresh(oauth.base, tokens)


async def test_a_link_that_leads_to_another_host_is_not_shown(
    portal: PortalSandbox, oauth: OAuthClient
) -> None:
    body = (
        '{"device_code": "d", "user_code": "U", "verification_uri": "https://evil.example/device",'
        ' "verification_uri_complete": "https://evil.example/device?user_code=U",'
        ' "expires_in": 900, "interval": 5}'
    )
    portal.fail("/api/oauth/device/code", Fault(status=200, body=body))
    with pytest.raises(PortalUnavailableError):
        await oauth.request_device_code(SCOPE)


@pytest.mark.parametrize(
    "left_out",
    ["device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval"],
)
async def test_all_six_fields_of_a_device_code_are_required(
    portal: PortalSandbox, oauth: OAuthClient, left_out: str
) -> None:
    fields = {
        "device_code": '"d"',
        "user_code": '"U"',
        "verification_uri": '"/device"',
        "verification_uri_complete": f'"{portal.public_url}/device?user_code=U"',
        "expires_in": "900",
        "interval": "5",
    }
    body = ", ".join(f'"{name}": {value}' for name, value in fields.items() if name != left_out)
    portal.fail("/api/oauth/device/code", Fault(status=200, body="{" + body + "}"))
    with pytest.raises(PortalUnavailableError):
        await oauth.request_device_code(SCOPE)


@pytest.mark.behavior(51)
async def test_a_stored_foreign_deployment_never_gets_a_refresh_token(
    portal: PortalSandbox, transport: Transport, oauth: OAuthClient
) -> None:
    tokens = await granted(portal, oauth)
    strict = OAuthClient(transport, HostRules(), SystemClock(), client_id="hermes-cli")
    with pytest.raises(ForeignHostError):
        await strict.refresh("https://evil.example", tokens)

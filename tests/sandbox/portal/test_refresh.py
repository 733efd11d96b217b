from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import Fault
from tests.sandbox.portal.client import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

MONTH = 30 * 86_400


async def test_an_access_token_lives_fifteen_minutes(client: PortalClient) -> None:
    client.clock.tick(899)
    assert (await client.get("/api/billing/state")).status_code == 200
    client.clock.tick(1)
    assert error_of(await client.get("/api/billing/state")) == (401, "unauthorized")


async def test_each_refresh_gives_the_next_pair_of_tokens(client: PortalClient) -> None:
    client.portal.expire_access_tokens()
    first = exact(await client.renew(client.refresh))
    second = exact(await client.renew(first["refresh_token"]))

    assert len({client.refresh, first["refresh_token"], second["refresh_token"]}) == 3
    client.access = second["access_token"]
    assert (await client.get("/api/billing/state")).status_code == 200


async def test_reusing_a_refresh_token_ends_the_session(client: PortalClient) -> None:
    fresh = exact(await client.renew(client.refresh))

    assert error_of(await client.renew(client.refresh)) == (400, "refresh_token_reused")

    assert error_of(await client.renew(fresh["refresh_token"])) == (400, "invalid_grant")
    client.access = fresh["access_token"]
    assert error_of(await client.get("/api/billing/state")) == (401, "session_revoked")


async def test_reuse_leaves_the_persons_other_sessions_active(client: PortalClient) -> None:
    other, _ = client.portal.issue_tokens("ada")
    await client.renew(client.refresh)
    await client.renew(client.refresh)
    client.access = other
    assert (await client.get("/api/billing/state")).status_code == 200


async def test_a_refresh_with_a_lost_answer_leaves_an_invalid_token(client: PortalClient) -> None:
    client.portal.fail("/api/oauth/token", Fault(drop=True, after_work=True))
    with pytest.raises(httpx.TransportError):
        await client.renew(client.refresh)
    assert error_of(await client.renew(client.refresh)) == (400, "refresh_token_reused")


async def test_an_outage_of_the_token_endpoint_keeps_the_refresh_token(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "refresh-unavailable")
    outage = await client.renew(client.refresh)
    client.portal.set_scenario("acme", "by-amount")

    assert error_of(outage) == (503, "temporarily_unavailable")
    assert outage.headers["retry-after"] == "5"
    assert (await client.renew(client.refresh)).status_code == 200


async def test_the_firewall_before_a_refresh_answers_html_with_retry_after(
    client: PortalClient,
) -> None:
    client.portal.set_scenario("acme", "firewall-refresh")
    answer = await client.renew(client.refresh)
    client.portal.set_scenario("acme", "by-amount")

    assert (answer.status_code, answer.headers["x-vercel-mitigated"]) == (403, "deny")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["retry-after"] == "7"
    assert (await client.renew(client.refresh)).status_code == 200


async def test_a_refresh_can_be_refused_without_an_error_code(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "refresh-forbidden")
    answer = await client.renew(client.refresh)
    assert (answer.status_code, exact(answer)) == (401, {"message": "Unauthorized"})
    assert "x-vercel-mitigated" not in answer.headers


async def test_a_session_ends_thirty_days_after_the_approval_whatever_is_refreshed(
    client: PortalClient,
) -> None:
    started = await client.ask_for_code()
    client.portal.approve(started["user_code"])
    client.clock.tick(600)
    tokens = exact(await client.redeem(started["device_code"]))
    client.clock.tick(MONTH - 600 - 100)
    tokens = exact(await client.renew(tokens["refresh_token"]))
    assert tokens["expires_in"] == 100
    client.access = tokens["access_token"]
    assert (await client.get("/api/billing/state")).status_code == 200

    client.clock.tick(100)

    assert error_of(await client.renew(tokens["refresh_token"])) == (400, "invalid_grant")
    assert error_of(await client.get("/api/billing/state")) == (401, "unauthorized")


async def test_the_refresh_token_is_accepted_only_in_its_header(client: PortalClient) -> None:
    form = {"grant_type": "refresh_token", "client_id": "hermes-cli", "refresh_token": client.refresh}
    in_body = await client.http.post("/api/oauth/token", data=form)
    in_both = await client.http.post(
        "/api/oauth/token", data=form, headers={"x-nous-refresh-token": client.refresh}
    )

    assert error_of(in_body) == (400, "invalid_request")
    assert error_of(in_both) == (400, "invalid_request")
    assert (await client.renew(client.refresh)).status_code == 200


async def test_unknown_tokens_and_other_clients_get_invalid_grant(client: PortalClient) -> None:
    assert error_of(await client.renew("rt_made_up")) == (400, "invalid_grant")
    assert error_of(await client.renew(client.refresh, "other")) == (400, "invalid_grant")


async def test_a_revoked_session_can_neither_call_nor_refresh(client: PortalClient) -> None:
    client.portal.revoke_session("ada")
    assert error_of(await client.get("/api/oauth/account")) == (401, "session_revoked")
    assert error_of(await client.renew(client.refresh)) == (400, "invalid_grant")


async def test_a_person_who_may_no_longer_spend_loses_the_scope_at_the_next_refresh(
    client: PortalClient,
) -> None:
    client.portal.people["ada"].role = "MEMBER"
    renewed = exact(await client.renew(client.refresh))
    assert renewed["scope"] == "inference:invoke tool:invoke"

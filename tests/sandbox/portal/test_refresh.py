from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import Fault
from tests.sandbox.portal.desk import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk

MONTH = 30 * 86_400


async def test_an_access_token_lives_fifteen_minutes(desk: Desk) -> None:
    desk.clock.tick(899)
    assert (await desk.get("/api/billing/state")).status_code == 200
    desk.clock.tick(1)
    assert error_of(await desk.get("/api/billing/state")) == (401, "unauthorized")


async def test_each_refresh_gives_the_next_pair_of_tokens(desk: Desk) -> None:
    desk.portal.expire_access_tokens()
    first = exact(await desk.renew(desk.refresh))
    second = exact(await desk.renew(first["refresh_token"]))

    assert len({desk.refresh, first["refresh_token"], second["refresh_token"]}) == 3
    desk.access = second["access_token"]
    assert (await desk.get("/api/billing/state")).status_code == 200


async def test_reusing_a_refresh_token_kills_the_whole_session(desk: Desk) -> None:
    fresh = exact(await desk.renew(desk.refresh))

    assert error_of(await desk.renew(desk.refresh)) == (400, "refresh_token_reused")

    assert error_of(await desk.renew(fresh["refresh_token"])) == (400, "invalid_grant")
    desk.access = fresh["access_token"]
    assert error_of(await desk.get("/api/billing/state")) == (401, "session_revoked")


async def test_reuse_leaves_the_persons_other_sessions_alone(desk: Desk) -> None:
    other, _ = desk.portal.issue_tokens("ada")
    await desk.renew(desk.refresh)
    await desk.renew(desk.refresh)
    desk.access = other
    assert (await desk.get("/api/billing/state")).status_code == 200


async def test_a_refresh_whose_answer_was_lost_leaves_a_dead_token(desk: Desk) -> None:
    desk.portal.fail("/api/oauth/token", Fault(drop=True, after_work=True))
    with pytest.raises(httpx.TransportError):
        await desk.renew(desk.refresh)
    assert error_of(await desk.renew(desk.refresh)) == (400, "refresh_token_reused")


async def test_an_outage_of_the_token_endpoint_uses_nothing_up(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "refresh-unavailable")
    outage = await desk.renew(desk.refresh)
    desk.portal.set_scenario("acme", "by-amount")

    assert error_of(outage) == (503, "temporarily_unavailable")
    assert outage.headers["retry-after"] == "5"
    assert (await desk.renew(desk.refresh)).status_code == 200


async def test_the_firewall_before_a_refresh_is_a_web_page_that_says_when_to_come_back(
    desk: Desk,
) -> None:
    desk.portal.set_scenario("acme", "firewall-refresh")
    answer = await desk.renew(desk.refresh)
    desk.portal.set_scenario("acme", "by-amount")

    assert (answer.status_code, answer.headers["x-vercel-mitigated"]) == (403, "deny")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["retry-after"] == "7"
    assert (await desk.renew(desk.refresh)).status_code == 200


async def test_a_refresh_can_be_refused_without_an_error_code(desk: Desk) -> None:
    desk.portal.set_scenario("acme", "refresh-forbidden")
    answer = await desk.renew(desk.refresh)
    assert (answer.status_code, exact(answer)) == (401, {"message": "Unauthorized"})
    assert "x-vercel-mitigated" not in answer.headers


async def test_a_session_ends_thirty_days_after_the_approval_whatever_is_refreshed(
    desk: Desk,
) -> None:
    started = await desk.ask_for_code()
    desk.portal.approve(started["user_code"])
    desk.clock.tick(600)
    tokens = exact(await desk.redeem(started["device_code"]))
    desk.clock.tick(MONTH - 600 - 100)
    tokens = exact(await desk.renew(tokens["refresh_token"]))
    assert tokens["expires_in"] == 100
    desk.access = tokens["access_token"]
    assert (await desk.get("/api/billing/state")).status_code == 200

    desk.clock.tick(100)

    assert error_of(await desk.renew(tokens["refresh_token"])) == (400, "invalid_grant")
    assert error_of(await desk.get("/api/billing/state")) == (401, "unauthorized")


async def test_the_refresh_token_travels_in_its_header_only(desk: Desk) -> None:
    form = {"grant_type": "refresh_token", "client_id": "hermes-cli", "refresh_token": desk.refresh}
    in_body = await desk.http.post("/api/oauth/token", data=form)
    in_both = await desk.http.post(
        "/api/oauth/token", data=form, headers={"x-nous-refresh-token": desk.refresh}
    )

    assert error_of(in_body) == (400, "invalid_request")
    assert error_of(in_both) == (400, "invalid_request")
    assert (await desk.renew(desk.refresh)).status_code == 200


async def test_unknown_tokens_and_other_clients_get_invalid_grant(desk: Desk) -> None:
    assert error_of(await desk.renew("rt_made_up")) == (400, "invalid_grant")
    assert error_of(await desk.renew(desk.refresh, "other")) == (400, "invalid_grant")


async def test_a_revoked_session_can_neither_call_nor_refresh(desk: Desk) -> None:
    desk.portal.revoke_session("ada")
    assert error_of(await desk.get("/api/oauth/account")) == (401, "session_revoked")
    assert error_of(await desk.renew(desk.refresh)) == (400, "invalid_grant")


async def test_a_person_who_may_no_longer_spend_loses_the_scope_at_the_next_refresh(
    desk: Desk,
) -> None:
    desk.portal.people["ada"].role = "MEMBER"
    renewed = exact(await desk.renew(desk.refresh))
    assert renewed["scope"] == "inference:invoke tool:invoke"

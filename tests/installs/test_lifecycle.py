"""Slack takes the app or a person away: tokens and links go at once, charges stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.domain.charge import ChargeState
from bot.sandbox.portal import Fault
from tests.installs.test_oauth import ACME, OTHER, install_url, installed
from tests.support.house import ADA, GRACE, House

if TYPE_CHECKING:
    from tests.installs.browser import Browser


async def linked(house: House) -> set[str]:
    """Who has a link, by user."""
    accounts = house.app.runtime.accounts
    return {user for user in (ADA, GRACE) if await accounts.former_link(house.identity(user)) is not None}


async def results(house: House, action: str) -> list[str]:
    audit = house.app.runtime.audit
    await audit.seal()
    return [seal.entry.result async for seal in audit.sealed() if seal.entry.action == action]


@pytest.mark.parametrize("tokens_first", [True, False])
async def test_uninstalling_forgets_tokens_and_links_and_keeps_charges(
    house: House, browser: Browser, *, tokens_first: bool
) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.slack.uninstall(ACME, tokens_first=tokens_first)
    await house.until_async(lambda: _gone(house))
    assert await linked(house) == set()
    (kept,) = await house.charges(ADA)
    assert kept.state is ChargeState.SETTLED
    assert await results(house, "uninstall") == ["removed"]
    assert (await results(house, "disconnect"))[-1] in {"app_uninstalled", "tokens_revoked"}


async def _gone(house: House) -> bool:
    return await installed(house) == set()


async def test_the_other_workspace_goes_on(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await browser.install(install_url(house), OTHER)
    await house.connect(ADA)
    await house.slack.uninstall(OTHER)
    await house.until_async(lambda: _only(house, f":{ACME}"))
    assert await linked(house) == {ADA}
    await house.buy("50")
    await house.told("$50 added to your balance")


async def _only(house: House, key: str) -> bool:
    return await installed(house) == {key}


async def test_uninstalling_stops_an_open_charge_at_a_safe_point(house: House, browser: Browser) -> None:
    house.portal_clock.speed = 0.01
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.buy("50")
    await house.submitted()
    await house.slack.uninstall(ACME)
    await house.state(ChargeState.UNCONFIRMED)
    assert len(house.portal.charge_posts) == 1
    await house.until(lambda: house.app.engine.in_flight == 0)
    polls = house.polls()
    await house.restart()
    await house.until_async(lambda: _idle(house))
    assert house.polls() == polls


async def _idle(house: House) -> bool:
    return house.app.engine.beat_at is not None and house.app.engine.in_flight == 0


async def test_an_outcome_without_a_message_is_posted_after_a_new_installation(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    house.worker = False
    await house.restart()
    await house.buy("50")
    await house.until_async(lambda: house.charges(ADA))
    await house.slack.uninstall(ACME)
    await house.until_async(lambda: _gone(house))
    house.worker = True
    await house.restart()
    await house.state(ChargeState.REFUSED)
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert house.dm(ADA) == []
    await browser.install(install_url(house), ACME)
    await house.told("$50 was not charged")
    assert house.portal.charge_posts == []


async def test_a_new_installation_says_nothing_of_connections_that_were_delivered_before(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.until(lambda: house.app.engine.in_flight == 0)
    await house.slack.uninstall(ACME)
    await house.until_async(lambda: _gone(house))
    seen = len(house.slack.ephemerals(ADA))
    await browser.install(install_url(house), ACME)
    await house.connect(GRACE)
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert house.dm(ADA) == []
    assert len(house.slack.ephemerals(ADA)) == seen
    assert "*Connected*" in house.last_ephemeral(ADA)["text"]


async def test_an_event_that_comes_after_a_new_installation_ends_nothing(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.slack.event({"type": "app_uninstalled"}, team_id=ACME)
    await house.slack.event({"type": "tokens_revoked", "tokens": {"bot": ["U0BILLBOT"]}}, team_id=ACME)
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "to use" in house.last_ephemeral()["text"])
    await house.app.runtime.open_requests.finish(2)
    assert (await installed(house), await linked(house)) == ({f":{ACME}"}, {ADA})


async def test_a_revoked_token_ends_the_installation(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.slack.revoke_token(ACME)
    await house.until_async(lambda: _gone(house))
    assert await linked(house) == set()


async def test_only_the_deactivated_persons_connection_is_deleted(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.connect(GRACE, "grace")
    await house.slack.event(
        {
            "type": "user_change",
            "user": {"id": GRACE, "team_id": ACME, "deleted": False, "name": "amazing"},
        },
        team_id=ACME,
    )
    assert await linked(house) == {ADA, GRACE}
    await house.slack.deactivate(GRACE)

    async def forgotten() -> bool:
        return await linked(house) == {ADA}

    await house.until_async(forgotten)
    assert (await results(house, "disconnect")) == ["deactivated"]


async def test_a_deactivated_persons_open_connect_link_is_dropped(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: house.answer().code)
    code = house.answer().code
    await house.slack.deactivate(ADA)

    async def dropped() -> bool:
        return await house.app.runtime.device_grants.leases.next_due() is None

    await house.until_async(dropped)
    house.portal.approve(code, person="ada")
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert await linked(house) == set()


@pytest.mark.parametrize("error", ["internal_error", "ratelimited", "org_login_required"])
async def test_an_event_that_slack_does_not_confirm_deletes_nothing_and_comes_again(
    house: House, browser: Browser, error: str
) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    house.slack.faults.add("auth.test", "error", error, times=2)
    delivery = await house.slack.event({"type": "app_uninstalled"}, team_id=ACME)
    assert delivery.status == 503
    await house.app.runtime.open_requests.finish(2)
    assert (await installed(house), await linked(house)) == ({f":{ACME}"}, {ADA})
    await house.slack.uninstall(ACME)
    await house.until_async(lambda: _gone(house))


async def test_an_outage_of_slack_ends_no_installation(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    house.slack.faults.add("auth.test", "drop_before", times=2)
    delivery = await house.slack.event({"type": "app_uninstalled"}, team_id=ACME)
    assert delivery.status == 503
    await house.app.runtime.open_requests.finish(2)
    assert (await installed(house), await linked(house)) == ({f":{ACME}"}, {ADA})


async def test_an_uninstallation_without_an_event_is_found(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    url, house.slack.app_url = house.slack.app_url, "http://127.0.0.1:9/"
    await house.slack.uninstall(ACME)
    house.slack.app_url = url
    await house.restart()
    await house.until_async(lambda: _gone(house))
    assert await linked(house) == set()


async def test_a_person_who_connects_during_the_removal_leaves_no_connection(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    house.portal.fail("/api/oauth/account", Fault(seconds=1), times=1)
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: house.answer().code)
    house.portal.approve(house.answer().code, person="ada")
    await house.until(lambda: any(each.path == "/api/oauth/account" for each in house.portal.requests))
    await house.slack.uninstall(ACME)
    await house.until_async(lambda: _gone(house))
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert await linked(house) == set()


async def test_a_foreign_workspaces_event_ends_nothing_here(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    await house.connect(ADA)
    await house.slack.event({"type": "app_uninstalled"}, team_id=OTHER)
    await house.slack.event(
        {"type": "user_change", "user": {"id": ADA, "team_id": OTHER, "deleted": True}}, team_id=ACME
    )
    await house.app.runtime.open_requests.finish(2)
    assert (await installed(house), await linked(house)) == ({f":{ACME}"}, {ADA})

"""Installing by OAuth: over Slack's own page, into several workspaces, each with its own token."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from freezegun import freeze_time
from sqlalchemy import text

from bot.domain.installation import Place
from tests.installs.conftest import CLIENT_SECRET
from tests.support.house import ADA, House

if TYPE_CHECKING:
    from tests.installs.browser import Browser

ACME, OTHER = "T0ACME", "T0OTHER"
STRANGER = "U0STRANGER"


def install_url(house: House) -> str:
    return house.slack.app_url.replace("/slack/events", "/slack/install")


async def installed(house: House) -> set[str]:
    async with house.app.runtime.database.transaction() as connection:
        return set((await connection.execute(text("SELECT owner FROM installations"))).scalars())


async def test_an_admin_adds_the_app_and_people_use_it(house: House, browser: Browser) -> None:
    page = await browser.install(install_url(house), ACME)
    assert page.status_code == 200
    assert "Billing is installed in <strong>Acme Research</strong>" in page.text
    await house.connect(ADA)
    await house.buy("50")
    await house.told("$50 added to your balance")
    audit = house.app.runtime.audit
    await audit.seal()
    first, *_ = [seal.entry async for seal in audit.sealed()]
    assert (first.action, first.subject, first.actor) == ("install", f":{ACME}", "T0ACME:U0ADA")
    assert first.origin == "browser, installing"


async def test_two_workspaces_use_it_side_by_side_each_with_its_own_token(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    await browser.install(install_url(house), OTHER)
    assert await installed(house) == {f":{ACME}", f":{OTHER}"}
    await house.connect(ADA)
    await house.slack.command(STRANGER, "/billing connect", house.slack.dm(STRANGER))
    await house.until(lambda: house.answer(STRANGER).code)
    house.portal.approve(house.answer(STRANGER).code, person="grace")
    await house.until(lambda: "*Connected*" in house.last_ephemeral(STRANGER)["text"])
    for user, amount in ((ADA, "50"), (STRANGER, "25")):
        await house.slack.command(user, f"/billing buy {amount}", house.slack.dm(user))
        await house.confirm_shown(user)
        await house.slack.submit(user)
        await house.told(f"${amount} added to your balance", user)
        assert len(house.dm(user)) == 1
    assert await house.charges(ADA) != []


async def test_slack_is_asked_who_it_is_once_an_installation_and_not_on_requests(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    for _ in range(3):
        await house.slack.command(ADA, "/billing help")
    await house.until(lambda: "What you can type" in house.last_ephemeral()["text"])
    assert [each.method for each in house.slack.api_calls].count("auth.test") == 1


async def test_a_command_says_that_the_app_is_not_installed(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), OTHER)
    body = "command=%2Fbilling&text=help&team_id=T0NEW&user_id=U1"
    answer = await house.send_signed(body)
    assert "not installed in your workspace" in str(answer.response)


async def test_an_installation_with_missing_scopes_is_refused(house: House, browser: Browser) -> None:
    await browser.install(install_url(house), ACME)
    target = await browser.begin(install_url(house))
    fewer = str(httpx.URL(target).copy_set_param("scope", "commands"))
    page = await browser.get(await browser.decide(fewer, ACME))
    assert page.status_code == 400
    assert "did not grant what this app asks for" in page.text
    found = await house.app.runtime.installations.find(Place(enterprise="", team=ACME))
    assert found is not None
    assert "chat:write" in found.scopes


async def test_too_many_requests_for_a_page_are_refused(house: House, browser: Browser) -> None:
    answers = [(await browser.get(install_url(house))).status_code for _ in range(70)]
    assert answers[0] == 200
    assert answers[-1] == 429


async def test_an_address_cannot_choose_the_words_on_a_page(house: House, browser: Browser) -> None:
    page = await browser.get(
        install_url(house).replace("install", "oauth_redirect") + "?error=token_rotation"
    )
    assert "Slack ended this without saying why" in page.text


async def test_an_oauth_state_works_once(house: House, browser: Browser) -> None:
    back = await browser.decide(await browser.begin(install_url(house)), ACME)
    cookies = dict(browser.cookies)
    assert (await browser.get(back)).status_code == 200
    browser.cookies = cookies
    again = await browser.get(back)
    assert again.status_code == 401
    assert "was finished already" in again.text
    assert "Start again" in again.text


async def test_an_oauth_state_works_for_ten_minutes(house: House, browser: Browser) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        back = await browser.decide(await browser.begin(install_url(house)), ACME)
        frozen.tick(601)
        late = await browser.get(back)
    assert (late.status_code, await installed(house)) == (401, set())


async def test_an_installation_cannot_be_finished_in_another_browser(
    house: House, browser: Browser
) -> None:
    back = await browser.decide(await browser.begin(install_url(house)), ACME)
    browser.cookies.clear()
    page = await browser.get(back)
    assert page.status_code == 400
    assert "another browser" in page.text
    assert await installed(house) == set()


@pytest.mark.parametrize("change", ["state", "code", "nothing"])
async def test_an_answer_that_slack_did_not_give_installs_nothing(
    house: House, browser: Browser, change: str
) -> None:
    back = await browser.decide(await browser.begin(install_url(house)), ACME)
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    if change == "nothing":
        query = {"state": query["state"]}
    else:
        query[change] = "made-up"
    page = await browser.get(str(httpx.URL(back).copy_with(params=query)))
    assert page.status_code in {400, 401}
    assert "Nothing was installed" in page.text
    assert "made-up" not in page.text
    assert await installed(house) == set()


async def test_the_page_after_cancel_says_that_nothing_was_installed(
    house: House, browser: Browser
) -> None:
    page = await browser.install(install_url(house), ACME, "cancel")
    assert "Nothing was installed: it was cancelled in Slack" in page.text
    assert await installed(house) == set()


async def test_an_error_that_slack_names_is_never_put_on_the_page(house: House, browser: Browser) -> None:
    page = await browser.get(install_url(house).replace("install", "oauth_redirect") + "?error=<script>x")
    assert "<script>" not in page.text
    assert "Slack ended this without saying why" in page.text


async def test_a_page_says_that_slack_is_away_and_links_back(house: House, browser: Browser) -> None:
    back = await browser.decide(await browser.begin(install_url(house)), ACME)
    house.slack.faults.add("oauth.v2.access", "drop_before")
    page = await browser.get(back)
    assert page.status_code == 503
    assert "could not be reached. Nothing was installed" in page.text
    assert "Start again" in page.text


async def test_a_new_installation_takes_the_place_of_the_former_one(house: House, browser: Browser) -> None:
    for _ in range(2):
        await browser.install(install_url(house), ACME)
    assert await installed(house) == {f":{ACME}"}
    await house.connect(ADA)


async def test_neither_token_nor_secret_stands_readable_in_the_database(
    house: House, browser: Browser
) -> None:
    await browser.install(install_url(house), ACME)
    async with house.app.runtime.database.transaction() as connection:
        stored = str((await connection.execute(text("SELECT * FROM installations"))).all())
        states = str((await connection.execute(text("SELECT * FROM oauth_states"))).all())
    token = house.slack.bot_token
    assert token.startswith("xoxb-")
    assert token not in stored
    assert CLIENT_SECRET not in stored + states
    found = await house.app.runtime.installations.find(Place(enterprise="", team=ACME))
    assert found is not None
    assert found.token == token
    assert token not in repr(found)


async def test_a_page_for_people_is_not_framed_or_kept(house: House, browser: Browser) -> None:
    page = await browser.get(install_url(house))
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    cookie = page.headers["set-cookie"].lower()
    assert "secure" in cookie
    assert "httponly" in cookie


async def flood(url: str, times: int = 80, address: str = "") -> set[int]:
    """Ask for the page faster than anyone installs; returns the statuses."""
    headers = {"X-Forwarded-For": address} if address else {}
    async with httpx.AsyncClient() as http:
        return {(await http.get(url, headers=headers)).status_code for _ in range(times)}


FEW = 5
"""More than a second allows, and fewer than are allowed at once."""


async def test_an_asker_without_end_shuts_out_nobody_who_comes_back_from_slack(
    house: House, browser: Browser
) -> None:
    back = await browser.decide(await browser.begin(install_url(house)), ACME)
    assert 429 in await flood(install_url(house))
    assert 429 in await flood(f"{back.partition('?')[0]}?code=x&state=forged", FEW)
    page = await browser.get(back)
    assert page.status_code == 200
    assert "Billing is installed" in page.text


async def test_behind_a_trusted_proxy_each_asker_has_a_pace_of_their_own(house: House) -> None:
    await house.restart(trusted_proxies=("127.0.0.0/8",))
    assert 429 in await flood(install_url(house), address="203.0.113.7")
    assert await flood(install_url(house), address="203.0.113.8") >= {200}
    async with httpx.AsyncClient() as http:
        other = await http.get(install_url(house), headers={"X-Forwarded-For": "2001:db8:1::1"})
    assert other.status_code == 200


async def test_without_trusted_proxies_a_named_address_is_not_believed(house: House) -> None:
    assert 429 in await flood(install_url(house), address="203.0.113.7")
    assert 429 in await flood(install_url(house), FEW, address="203.0.113.8")

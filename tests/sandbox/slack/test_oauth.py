"""Installation by OAuth: the page, the redirect, the exchange of the code."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth import AuthorizeUrlGenerator

from bot.sandbox.slack import GRID, AuthorizationError, Directory, SlackApp, SlackSandbox
from tests.sandbox.slack.installing import REDIRECT, client_of, exchanged, served

Json = dict[str, Any]

STATE = "a state & <more> of it"
SCOPES = ("chat:write", "commands")


@pytest.fixture
async def slack(clock: Callable[[], float]) -> AsyncIterator[SlackSandbox]:
    """Yield a sandbox without an installation."""
    async with served(SlackSandbox(now=clock, bot_token=None)) as sandbox:
        yield sandbox


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


class Browser:
    """Open the page and press its buttons. Do not follow redirects."""

    def __init__(self, slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
        self._url = f"{slack.public_url}/oauth/v2/authorize"
        self._http = http
        self._asked = {
            "client_id": slack.client_id,
            "scope": ",".join(SCOPES),
            "user_scope": "",
            "state": STATE,
            "redirect_uri": REDIRECT,
        }
        self.text = ""

    async def open(self, **changed: str | None) -> int:
        asked = {**self._asked, **changed}
        params = {name: value for name, value in asked.items() if value is not None}
        async with self._http.get(self._url, params=params) as response:
            self.text = await response.text()
            return response.status

    def places(self) -> list[str]:
        return re.findall(r'name="place" value="(\w+)"', self.text)

    async def press(self, decision: str, place: str = "T0ACME", **headers: str) -> tuple[int, str]:
        """Submit the open form. Return the status and the location."""
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.text)
        form = {name: unescape(value) for name, value in hidden}
        form |= {"decision": decision, "place": place}
        async with self._http.post(
            self._url, data=form, headers=headers, allow_redirects=False
        ) as response:
            self.text = await response.text()
            return response.status, response.headers.get("Location", "")


@pytest.fixture
def browser(slack: SlackSandbox, http: aiohttp.ClientSession) -> Browser:
    return Browser(slack, http)


def query_of(location: str) -> dict[str, str]:
    query = parse_qs(urlsplit(location).query, keep_blank_values=True)
    return {name: value for name, (value,) in query.items()}


async def test_the_page_shows_the_app_its_scopes_and_the_places(browser: Browser) -> None:
    assert await browser.open() == 200
    assert "Billing wants to be installed" in browser.text
    assert "Send messages as the app" in browser.text
    assert "<code>commands</code>" in browser.text
    assert browser.places() == ["T0ACME", "T0OTHER"]
    assert 'value="T0ACME" checked' in browser.text


async def test_the_app_may_suggest_a_workspace(browser: Browser) -> None:
    await browser.open(team="T0OTHER")
    assert 'value="T0OTHER" checked' in browser.text


async def test_allow_redirects_with_a_code_and_the_state(
    slack: SlackSandbox, http: aiohttp.ClientSession, browser: Browser
) -> None:
    await browser.open()
    status, location = await browser.press("allow", "T0OTHER")
    assert (status, location.partition("?")[0]) == (302, REDIRECT)
    query = query_of(location)
    assert query.keys() == {"code", "state"}
    assert query["state"] == STATE
    assert list(slack.installations) == []
    answer = await exchanged(slack, http, query["code"], redirect_uri=REDIRECT)
    assert answer == {
        "ok": True,
        "app_id": "A0BILLING",
        "authed_user": {"id": "U0STRANGER"},
        "scope": "chat:write,commands",
        "token_type": "bot",
        "access_token": answer["access_token"],
        "bot_user_id": "U0BILLBOTOTHER",
        "team": {"id": "T0OTHER", "name": "Other Labs"},
        "enterprise": None,
        "is_enterprise_install": False,
    }
    assert answer["access_token"].startswith("xoxb-")
    (installation,) = slack.installations
    assert (installation.id, installation.token) == ("T0OTHER", answer["access_token"])


async def test_the_authorize_url_of_the_sdk_is_accepted(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    generator = AuthorizeUrlGenerator(
        client_id=slack.client_id,
        scopes=SCOPES,
        redirect_uri=REDIRECT,
        authorization_url=f"{slack.public_url}/oauth/v2/authorize",
    )
    async with http.get(generator.generate("state-1", team="T0OTHER")) as response:
        assert response.status == 200
        assert 'value="T0OTHER" checked' in await response.text()


async def test_cancel_redirects_without_a_code(slack: SlackSandbox, browser: Browser) -> None:
    await browser.open()
    status, location = await browser.press("cancel")
    assert (status, query_of(location)) == (302, {"error": "access_denied", "state": STATE})
    assert slack.installations == ()


async def test_without_a_redirect_uri_the_first_registered_one_is_used(
    slack: SlackSandbox, http: aiohttp.ClientSession, browser: Browser
) -> None:
    slack.redirect_urls = ("http://127.0.0.1:3000/first?x=1", REDIRECT)
    await browser.open(redirect_uri=None, state=None)
    _, location = await browser.press("allow")
    assert location.startswith("http://127.0.0.1:3000/first?x=1&code=")
    assert query_of(location)["state"] == ""
    assert (await exchanged(slack, http, query_of(location)["code"]))["ok"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_id": "9.9"}, "invalid_client_id"),
        ({"client_id": None}, "invalid_client_id"),
        ({"redirect_uri": "http://127.0.0.1:3000/elsewhere"}, "bad_redirect_uri"),
        ({"redirect_uri": f"{REDIRECT}.evil"}, "bad_redirect_uri"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "commands,chat:sing"}, "invalid_scope"),
        ({"user_scope": "chat:write"}, "invalid_scope"),
    ],
)
async def test_an_invalid_request_shows_an_error_page_and_does_not_redirect(
    browser: Browser, changed: dict[str, str | None], code: str
) -> None:
    assert await browser.open(**changed) == 400
    assert f"<code>{code}</code>" in browser.text
    assert "<form" not in browser.text


async def test_a_request_is_refused_when_no_redirect_uri_is_registered(
    slack: SlackSandbox, browser: Browser
) -> None:
    slack.redirect_urls = ()
    assert await browser.open(redirect_uri=None) == 400
    assert "bad_redirect_uri" in browser.text


async def test_a_redirect_uri_may_lie_below_a_registered_one(browser: Browser) -> None:
    assert await browser.open(redirect_uri=f"{REDIRECT}/of/mine") == 200
    assert await browser.open(redirect_uri=f"{REDIRECT}?next=1") == 200


async def test_parameters_of_the_app_are_escaped_on_the_page(browser: Browser) -> None:
    await browser.open(state='"><script>alert(1)</script>')
    assert "<script>" not in browser.text


async def test_the_form_is_refused_from_another_site(slack: SlackSandbox, browser: Browser) -> None:
    await browser.open()
    status, location = await browser.press("allow", Origin="http://evil.example.com")
    assert (status, location) == (403, "")
    await browser.open()
    assert (await browser.press("allow", Origin=slack.public_url))[0] == 302


async def test_an_unknown_place_shows_the_question_again(browser: Browser) -> None:
    await browser.open()
    assert await browser.press("allow", "T0NOWHERE") == (400, "")
    assert browser.places() == ["T0ACME", "T0OTHER"]


async def test_an_organization_is_offered_only_to_an_org_ready_app(
    http: aiohttp.ClientSession,
) -> None:
    async with served(SlackSandbox(directory=GRID)) as ready:
        browser = Browser(ready, http)
        await browser.open()
        assert browser.places() == ["T0NORTH", "T0SOUTH", "T0OTHER", "E0GRID"]
    unready = Directory(teams=GRID.teams, people=GRID.people, channels=GRID.channels)
    async with served(SlackSandbox(directory=unready)) as sandbox:
        browser = Browser(sandbox, http)
        await browser.open()
        assert browser.places() == ["T0NORTH", "T0SOUTH", "T0OTHER"]
        with pytest.raises(LookupError, match="cannot be installed in E0GRID"):
            sandbox.install("T0NORTH", org=True)


async def test_a_code_is_exchanged_once(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    code = slack.install("T0ACME")
    await exchanged(slack, http, code)
    assert await refusal_of(exchanged(slack, http, code)) == "code_already_used"


async def test_a_code_expires_after_ten_minutes(
    slack: SlackSandbox, http: aiohttp.ClientSession, move: Callable[[float], None]
) -> None:
    early, late = slack.install("T0ACME"), slack.install("T0ACME")
    move(10 * 60)
    assert (await exchanged(slack, http, early))["ok"]
    move(1)
    assert await refusal_of(exchanged(slack, http, late)) == "invalid_code"
    assert await refusal_of(exchanged(slack, http, "made-up")) == "invalid_code"


async def test_a_redirect_uri_of_the_request_must_be_repeated_in_the_exchange(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    code = slack.install("T0ACME", redirect_uri=REDIRECT)
    assert await refusal_of(exchanged(slack, http, code)) == "bad_redirect_uri"
    other = exchanged(slack, http, code, redirect_uri=f"{REDIRECT}/other")
    assert await refusal_of(other) == "bad_redirect_uri"
    assert (await exchanged(slack, http, code, redirect_uri=REDIRECT))["ok"]


@pytest.mark.parametrize(
    ("client_id", "secret", "error"),
    [("9.9", None, "invalid_client_id"), (None, "wrong", "bad_client_secret")],
)
async def test_a_code_exchange_requires_the_client_credentials(
    slack: SlackSandbox,
    http: aiohttp.ClientSession,
    client_id: str | None,
    secret: str | None,
    error: str,
) -> None:
    code = slack.install("T0ACME")
    wrong = {"client_id": client_id or slack.client_id, "client_secret": secret or slack.client_secret}
    assert await refusal_of(exchanged(slack, http, code, **wrong)) == error
    assert (await exchanged(slack, http, code))["ok"]


# slack-sdk still uses aiohttp's deprecated BasicAuth.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_the_client_may_use_basic_authentication(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    code = slack.install("T0ACME")
    answer = await client_of(slack, http).oauth_v2_access(
        client_id=slack.client_id, client_secret=slack.client_secret, code=code
    )
    assert answer["team"] == {"id": "T0ACME", "name": "Acme Research"}
    for header in ("Basic nonsense!", ""):
        url, headers = f"{slack.api_url}oauth.v2.access", {"Authorization": header}
        async with http.post(url, headers=headers) as response:
            assert (await response.json())["error"] == "invalid_client_id"


async def test_a_refresh_is_refused_because_tokens_do_not_expire(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    call = exchanged(slack, http, "", grant_type="refresh_token", refresh_token="xoxe-1")
    assert await refusal_of(call) == "invalid_grant_type"


async def test_the_inspector_shows_no_secret_of_the_exchange(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    code = slack.install("T0ACME")
    answer = await exchanged(slack, http, code)
    shown = str(slack.inspector.entries[-1])
    assert "oauth.v2.access" in shown
    assert not [one for one in (code, slack.client_secret, answer["access_token"]) if one in shown]


async def test_installing_again_with_the_same_scopes_keeps_the_token(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    first = await exchanged(slack, http, slack.install("T0ACME"))
    again = await exchanged(slack, http, slack.install("T0ACME"))
    assert again["access_token"] == first["access_token"]


async def test_installing_again_with_other_scopes_revokes_the_old_token(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    first = await exchanged(slack, http, slack.install("T0ACME", scopes=["commands"]))
    more = await exchanged(slack, http, slack.install("T0ACME", scopes=["commands", "chat:write"]))
    old, new = (client_of(slack, http, one["access_token"]) for one in (first, more))
    assert await refusal_of(old.auth_test()) == "token_revoked"
    assert (await new.auth_test())["team_id"] == "T0ACME"
    assert [one.scopes for one in slack.installations] == [{"commands", "chat:write"}]


async def test_a_test_may_choose_the_installing_person(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    answer = await exchanged(slack, http, slack.install("T0ACME", user="U0GRACE"))
    assert answer["authed_user"] == {"id": "U0GRACE"}


async def test_installing_without_the_page_applies_the_same_rules(slack: SlackSandbox) -> None:
    with pytest.raises(AuthorizationError, match="bad_redirect_uri"):
        slack.install("T0ACME", redirect_uri="https://elsewhere.example.com")
    with pytest.raises(LookupError, match="T0NOWHERE"):
        slack.install("T0NOWHERE")
    with pytest.raises(LookupError, match="T0ACME"):
        slack.install("T0ACME", org=True)


async def test_the_manifest_registers_the_redirect_uris() -> None:
    slack = SlackSandbox(directory=Directory(app=SlackApp(redirect_urls=(REDIRECT,))))
    assert slack.redirect_urls == (REDIRECT,)
    assert SlackSandbox(redirect_urls=["http://127.0.0.1/other"]).redirect_urls == (
        "http://127.0.0.1/other",
    )

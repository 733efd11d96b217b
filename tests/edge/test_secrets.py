"""After a whole run, with every log on: nothing secret stands readable anywhere it might have got to."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from tests.crash.test_kill import confirm, connect, secrets_of, told
from tests.installs.browser import Browser
from tests.installs.conftest import CLIENT_ID, CLIENT_SECRET, oauth_slack
from tests.support.house import ADA, DIRECTORY, SIGNING_SECRET
from tests.support.process import AppProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from bot.sandbox.slack import SlackSandbox


def said_to_people(slack: SlackSandbox) -> str:
    """Everything that Slack showed to somebody, or was given to show."""
    return str([call.args for call in slack.api_calls if call.method != "oauth.v2.access"])


async def use_it(app: AppProcess, portal: PortalSandbox, slack: SlackSandbox) -> list[str]:
    """Install, connect, buy, refresh, fail, look: everything that handles a secret. Returns pages seen."""
    pages: list[str] = []
    async with httpx.AsyncClient() as http:
        browser = Browser(http=http)
        pages.append((await browser.install(f"{app.url}/slack/install", "T0ACME")).text)
        pages.append((await browser.get(f"{app.url}/slack/oauth_redirect?code=made-up&state=none")).text)
        await connect(portal, slack)
        await confirm(slack, "50")
        await until(lambda: told(slack, "$50 added to your balance"), 20)
        portal.expire_access_tokens()
        await slack.command(ADA, "/billing")
        await until(lambda: "$205.70 to use" in slack.ephemerals(ADA)[-1]["text"], 20)
        await slack.send_raw("token=x", {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=0"})
        await slack.command(ADA, "/billing trace")
        await slack.command(ADA, "/billing connect")
        pages += [(await http.get(f"{app.url}{path}")).text for path in ("/metrics", "/readyz", "/nowhere")]
    return pages


async def told_by_commands(app: AppProcess) -> list[str]:
    """What the program's own commands print."""
    exported = await app.run("audit", "export")
    charge = next(word for word in exported.split('"') if len(word) == 16 and word.isalnum())
    return [
        exported,
        await app.run("trace", charge),
        await app.run("check"),
        await app.run("audit", "verify"),
        await app.run("serve", "--help"),
    ]


async def test_no_secret_is_readable_in_logs_pages_meters_commands_arguments_or_the_database(
    tmp_path: Path,
) -> None:
    portal, slack = PortalSandbox(seed=1), oauth_slack(DIRECTORY)
    portal.sign_in.interval = 1
    async with AsyncExitStack() as stack:
        portal.public_url = await stack.enter_async_context(serve(portal.app))
        slack.public_url = await stack.enter_async_context(serve(slack.app))
        app = AppProcess(folder=tmp_path, portal=portal, slack=slack, by_itself=True)
        app.extra = {
            "SLACK_BOT_TOKEN": "",
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": CLIENT_SECRET,
            "LOG_LEVEL": "DEBUG",
        }
        slack.redirect_urls = (f"{app.url}/slack/oauth_redirect",)
        stack.push_async_callback(app.kill)
        await app.start()
        seen: dict[str, Any] = {"a page": "\n".join(await use_it(app, portal, slack))}
        seen["the process's arguments"] = Path(f"/proc/{app.pid}/cmdline").read_text()
        seen["what people saw"] = said_to_people(slack)
        await app.terminate()
        seen["a command"] = "\n".join(await told_by_commands(app))
        seen["the files"] = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())).decode(
            "latin-1"
        )
        secrets = {SIGNING_SECRET, CLIENT_SECRET, app.key, slack.bot_token, *secrets_of(portal, slack)}
        secrets |= {part for part in _codes(slack) if part}
        assert len(secrets) >= 10
        shown_on_purpose = {code for code in secrets if f"user_code={code}" in seen["what people saw"]}
        for place, words in seen.items():
            allowed = shown_on_purpose if place == "what people saw" else set()
            for secret in secrets - allowed:
                assert secret not in words, f"{secret[:6]}… stands readable in {place}"
        assert "charge.post" in seen["the files"]
        assert "settled" in seen["a command"]


def _codes(slack: SlackSandbox) -> set[str]:
    """The OAuth codes that were exchanged."""
    return {str(each.args.get("code")) for each in slack.api_calls if each.method == "oauth.v2.access"} - {
        "none",
        "made-up",
    }

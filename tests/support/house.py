"""The whole house in one process: both sandbox servers, the app, real HTTP between them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from bot.app import BillingApp, Listener, open_app
from bot.domain.identity import Identity
from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from bot.sandbox.slack import Delivery, Directory, SlackSandbox, app_of
from bot.storage.charges.permits import permit
from bot.storage.cipher import generate_key
from bot.storage.links import Link
from bot.system_clock import SystemClock
from handlers.manifest import make_manifest
from tests.support.given_settings import GivenSettings
from tests.support.lengths import too_long
from tests.support.shown import Shown
from tests.support.sqlite import new_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from bot.domain.charge import Charge, ChargeState
    from bot.runtime import Runtime
    from bot.settings import Settings

ADA = "U0ADA"
GRACE = "U0GRACE"
LINUS = "U0LINUS"
TEAM = "T0ACME"
BOT_TOKEN = "xoxb-test-0000-billing"
SIGNING_SECRET = "7e57" * 8
DIRECTORY = Directory(app=app_of(make_manifest("https://bot.example.com")))
"""The workspace, with the app as its manifest describes it."""

FORM = "application/x-www-form-urlencoded"


def make_slack(directory: Directory = DIRECTORY) -> SlackSandbox:
    """A sandbox Slack whose secrets the app under test knows."""
    return SlackSandbox(signing_secret=SIGNING_SECRET, bot_token=BOT_TOKEN, directory=directory)


class PortalClock:
    """The portal's time, ten times as fast as ours so that a charge settles in 0.3 s."""

    def __init__(self) -> None:
        self.speed = 10.0
        self.origin = time.time()

    def __call__(self) -> float:
        return self.origin + (time.time() - self.origin) * self.speed


class OwnClock(SystemClock):
    """The computer's clock, which freezegun moves; it does without PostgreSQL's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def correct(self, ahead: timedelta) -> None:
        pass


@dataclass(kw_only=True)
class House:
    """The servers, the settings, and the app while it runs."""

    portal: PortalSandbox
    portal_clock: PortalClock
    slack: SlackSandbox
    settings: Settings
    clock: SystemClock = field(default_factory=OwnClock)
    worker: bool = True
    listener: Listener = Listener.HTTP
    _app: BillingApp | None = None
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def app(self) -> BillingApp:
        assert self._app is not None, "the app is not running"
        return self._app

    async def start(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._app = await self._stack.enter_async_context(
            open_app(self.settings, listener=self.listener, worker=self.worker, clock=self.clock)
        )
        url = await self._stack.enter_async_context(serve(self._app.asgi))
        self.slack.app_url = f"{url}/slack/events"
        self.slack.redirect_urls = (f"{url}/slack/oauth_redirect",)

    async def stop(self) -> None:
        await self._stack.aclose()
        self._app = None

    async def restart(self, **changed: Any) -> None:
        await self.stop()
        self.settings = self.settings.model_copy(update=changed)
        await self.start()

    async def until(self, condition: Callable[[], object], seconds: float = 8) -> None:
        """Wait for something to come true anywhere in the house."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s"
            await asyncio.sleep(0.005)

    async def until_async(self, condition: Callable[[], Awaitable[object]], seconds: float = 8) -> None:
        """The same for what has to be asked for."""
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.05)

    async def link(
        self, user: str = ADA, person: str = "ada", *, billing: bool = True, minutes: float = 15
    ) -> None:
        """Start connected, without the clicks, with an access token that is good for so long."""
        await store_link(self.app.runtime, self.portal, user, person, billing=billing, minutes=minutes)

    async def connect(self, user: str = ADA, person: str = "ada", *, billing: bool = True) -> None:
        """Connect as a person would: type it, approve on the portal, see the outcome."""
        seen = len(self.slack.ephemerals(user))
        await self.slack.command(user, "/billing connect")
        await self.until(lambda: len(self.slack.ephemerals(user)) > seen)
        self.portal.approve(self.answer(user).code, person=person, billing=billing)
        await self.until(lambda: "*Connected*" in self.last_ephemeral(user)["text"])

    async def enable_billing(self, user: str = ADA) -> str:
        """Click Enable billing in the purchase's message; returns the code of the link in its thread."""
        await self.slack.close(user, everything=True)
        await self.slack.click_text(user, "Enable billing", in_="message")
        await self.until(lambda: self.last_reply(user).code)
        return self.last_reply(user).code

    def last_ephemeral(self, user: str = ADA) -> dict[str, Any]:
        ephemerals = self.slack.ephemerals(user)
        return ephemerals[-1] if ephemerals else {"text": "", "blocks": []}

    def dm(self, user: str = ADA) -> list[dict[str, Any]]:
        """The app's messages to this person, without thread replies."""
        found = self.slack.messages(self.slack.dm(user))
        return [each for each in found if each.get("thread_ts", each["ts"]) == each["ts"]]

    def replies(self, user: str = ADA) -> list[dict[str, Any]]:
        channel = self.slack.dm(user)
        return [
            each for each in self.slack.messages(channel) if each.get("thread_ts", each["ts"]) != each["ts"]
        ]

    def modal(self, user: str = ADA) -> Shown:
        """The front modal."""
        return Shown(self.slack.view(user) or {})

    def home(self, user: str = ADA) -> Shown:
        """App Home."""
        return Shown(self.slack.home(user) or {})

    def answer(self, user: str = ADA) -> Shown:
        """The newest message that only this person sees."""
        return Shown(self.last_ephemeral(user))

    def last_message(self, user: str = ADA) -> Shown:
        """The newest message in the app's conversation with this person, thread replies aside."""
        return Shown(self.dm(user)[-1] if self.dm(user) else {})

    def last_reply(self, user: str = ADA) -> Shown:
        """The newest reply in a thread of that conversation."""
        return Shown(self.replies(user)[-1] if self.replies(user) else {})

    async def buy(self, amount: str, user: str = ADA) -> None:
        """Buy by typing the amount, up to and including the yes."""
        await self.slack.command(user, f"/billing buy {amount}")
        await self.until(lambda: self.modal(user).submit)
        await self.slack.submit(user)

    def identity(self, user: str = ADA) -> Identity:
        return identity(user)

    async def confirm_shown(self, user: str = ADA) -> dict[str, Any]:
        """Wait for the confirmation, and return it."""
        await self.until(lambda: "Pay" in self.modal(user).submit)
        return self.slack.view(user) or {}

    def polls(self) -> int:
        prefix = "/api/billing/charge/"
        return sum(each.path.startswith(prefix) for each in self.portal.requests)

    async def submitted(self) -> None:
        """Wait until the portal has taken the charge and the app has asked about it."""
        await self.until(lambda: self.polls() >= 1)

    async def submit_again(
        self, view: dict[str, Any], user: str = ADA, *, values: dict[str, Any] | None = None
    ) -> Any:
        """Send the submission of a view that is gone, as a late or repeated request would.

        What comes back is what the modal becomes in the end: on a slow machine the answer in time may
        only say that the work goes on, and the view that says how it ended follows.
        """
        payload = {
            "type": "view_submission",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "view": {**view, "state": {"values": values or {}}},
        }
        before = len(self.slack.api_calls)
        response = (await self.send_signed("payload=" + quote(json.dumps(payload)))).response
        if "Saving your confirmation" not in str(response):
            return response

        def followed() -> list[Any]:
            calls = self.slack.api_calls[before:]
            updates = [call.args for call in calls if call.method == "views.update"]
            return [args["view"] for args in updates if args.get("view_id") == view["id"]]

        await self.until(followed)
        return {"response_action": "update", "view": followed()[-1]}

    async def click_again(self, action: dict[str, Any], ephemeral: dict[str, Any], user: str = ADA) -> None:
        """Click a button that an ephemeral no longer shows, as a slow screen would."""
        command = next(each for each in self.slack.deliveries if each.kind == "command")
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "actions": [action],
            "container": {"type": "message", "is_ephemeral": True, "message_ts": ephemeral["ts"]},
            "response_url": command.body["response_url"],
        }
        await self.send_signed("payload=" + quote(json.dumps(payload)))

    async def click_in(self, message: dict[str, Any], words: str, user: str = ADA) -> None:
        """Click a button as it stood in a message that has changed since."""
        button = next(
            element
            for block in message["blocks"]
            for element in block.get("elements", [])
            if element.get("type") == "button" and element["text"]["text"] == words
        )
        action = {name: button[name] for name in ("type", "action_id", "value") if name in button}
        await self.click_again(action, message, user)

    async def send_signed(self, body: str, *, age: int = 0, content_type: str = FORM) -> Delivery:
        """Send a body with a good signature that is `age` seconds old."""
        timestamp = str(int(time.time()) - age)
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": self.slack.sign(body, timestamp),
        }
        return await self.slack.send_raw(body, headers)

    async def charges(self, user: str = ADA) -> list[Charge]:
        """The ledger's confirmed charges of a person, newest first."""
        return list(await self.app.runtime.purchases.history(identity(user)))

    async def state(self, wanted: ChargeState, user: str = ADA) -> None:
        """Wait until the person's newest charge is in a state."""
        async with asyncio.timeout(8):
            while (await self.charges(user))[0].state is not wanted:
                await asyncio.sleep(0.01)

    async def readyz(self) -> tuple[int, dict[str, Any]]:
        """Ask the running app how it is: the status and the body."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(self.slack.app_url.replace("/slack/events", "/readyz"))
        return answer.status_code, answer.json()

    async def unanswered(self, user: str = ADA) -> None:
        """Wait until the app knows that the request for the person's newest charge got no answer."""
        async with asyncio.timeout(8):
            while not (found := await self.charges(user)) or found[0].ambiguous_since is None:
                await asyncio.sleep(0.01)

    async def replied(self, words: str, user: str = ADA) -> dict[str, Any]:
        """Wait until the last message in a thread says these words."""
        await self.until(lambda: self.replies(user) and words in self.replies(user)[-1]["text"])
        return self.replies(user)[-1]

    async def told(self, words: str, user: str = ADA, seconds: float = 8) -> dict[str, Any]:
        """Wait until the person's newest message says these words."""
        await self.until(lambda: self.dm(user) and words in self.dm(user)[-1]["text"], seconds)
        return self.dm(user)[-1]


async def store_link(
    runtime: Runtime,
    portal: PortalSandbox,
    user: str = ADA,
    person: str = "ada",
    *,
    billing: bool = True,
    minutes: float = 15,
) -> None:
    """Connect somebody without the clicks, with an access token that is good for so long."""
    scope = "inference:invoke tool:invoke" + (" billing:manage" if billing else "")
    access, refresh = portal.issue_tokens(person, scope=scope)
    info = await runtime.accounts.portal_with(portal.public_url, access).account()
    now = runtime.clock.now()
    link = Link(
        identity=identity(user),
        account=info.account,
        base_url=portal.public_url,
        scope=scope,
        expires_at=now + timedelta(minutes=minutes),
        access=access,
        refresh=refresh,
        linked_at=now,
    )
    async with runtime.database.transaction() as connection:
        await runtime.links.put(link, within=connection)
        await runtime.charges.look_again(link.identity.key, within=connection)
        account = link.account if billing else None
        await permit(connection, account, link.identity.key)


def identity(user: str) -> Identity:
    return Identity(enterprise="", team=TEAM, user=user)


def make_settings(
    portal: PortalSandbox, slack: SlackSandbox, database_url: str, **changed: Any
) -> Settings:
    values: dict[str, Any] = {
        "slack_bot_token": SecretStr(BOT_TOKEN),
        "slack_signing_secret": SecretStr(SIGNING_SECRET),
        "slack_api_url": slack.api_url,
        "hermes_portal_base_url": portal.public_url,
        "database_url": database_url,
        "billing_bot_keys": generate_key(),
        "poll_interval_seconds": 0.05,
        "poll_cap_seconds": 300,
        **changed,
    }
    return GivenSettings(**values)


@asynccontextmanager
async def open_house(
    folder: Path,
    *,
    slack: SlackSandbox | None = None,
    clock: SystemClock | None = None,
    worker: bool = True,
    listener: Listener = Listener.HTTP,
    **changed: Any,
) -> AsyncIterator[House]:
    """Run everything; on leaving, what the app sent has kept Slack's rules and every ack was prompt."""
    portal_clock = PortalClock()
    portal = PortalSandbox(seed=1, now=portal_clock)
    portal.sign_in.interval = 1
    slack = slack or make_slack()
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        database_url = changed.pop("database_url", None) or new_ledger(folder / "test.db")
        settings = make_settings(portal, slack, database_url, **changed)
        house = House(
            portal=portal,
            portal_clock=portal_clock,
            slack=slack,
            settings=settings,
            clock=clock or OwnClock(),
            worker=worker,
            listener=listener,
        )
        await house.start()
        try:
            yield house
        finally:
            await house.stop()
            await asyncio.sleep(0)
        assert slack.violations == []
        assert too_long(settings.database_url) == []
        slow = [each for each in slack.deliveries if each.ack_ms > 1500]
        assert slow == [], "an acknowledgement took longer than a second"

"""The sandbox as one object: what tests and the demo hold in their hands."""

import copy
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.applications import Starlette

from bot.sandbox.slack.acks import Acks
from bot.sandbox.slack.block_kit import TYPED, Verdict
from bot.sandbox.slack.delivery import Courier, Delivery
from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.interactions import Interactions, Slack
from bot.sandbox.slack.page_api import PageRoutes, Restart, Surroundings
from bot.sandbox.slack.people import Cast
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.server import ApiCall, SlackRoutes
from bot.sandbox.slack.surfaces import Sight, Target, chosen, label
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import WebApi
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import MessageClock, Sequence, Workspace

Json = dict[str, Any]
T = TypeVar("T")

SIGNING_SECRET = "sandbox-signing-secret"  # noqa: S105 guards nothing outside the sandbox
BOT_TOKEN = "xoxb-sandbox-0000-billing"  # noqa: S105 same
APP_URL = "http://127.0.0.1:3000/slack/events"
PUBLIC_URL = "http://127.0.0.1:8765"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A limit of Slack that the app broke."""

    where: str
    error: str
    messages: tuple[str, ...]


class SlackSandbox:
    """A workspace with people, channels and one app, served over real HTTP by `app`.

    Args:
        app_url: Where the app takes requests.
        signing_secret: Signs every request to the app.
        bot_token: What the app must present.
        now: The clock of triggers, response_urls and message timestamps, in seconds.
        portal_url: Shown as a link on the page.
        restart_app: Kills and starts the app anew; None hides the button.
        cast: Who and what stands in the workspace.
        ack_deadline: How long an acknowledgement may take, in real seconds.
        enforce_rate_limits: Whether a second message per second and channel is refused.

    Attributes:
        app: The ASGI app; ending its lifespan closes what the sandbox opened.
        faults: Outages on order.
        violations: Every limit that the app broke.
        inspector: What passed, with a teaching sentence each.
    """

    def __init__(
        self,
        app_url: str = APP_URL,
        signing_secret: str = SIGNING_SECRET,
        bot_token: str = BOT_TOKEN,
        now: Callable[[], float] = time.time,
        portal_url: str | None = None,
        restart_app: Restart | None = None,
        *,
        cast: Cast | None = None,
        ack_deadline: float = 3.0,
        enforce_rate_limits: bool = False,
    ) -> None:
        self.violations: list[Violation] = []
        self.faults = Faults()
        self._surroundings = Surroundings(portal_url=portal_url, restart_app=restart_app)
        self._wiring = Wiring(
            app_url=app_url,
            public_url=PUBLIC_URL,
            signing_secret=signing_secret,
            bot_token=bot_token,
            now=now,
            ack_deadline=ack_deadline,
            enforce_rate_limits=enforce_rate_limits,
        )
        clock, ids, stands = MessageClock(now), Sequence(), cast or Cast()
        self._workspace = Workspace(stands, clock, ids)
        self._views = Views(stands, clock, ids, now)
        self._feed = Feed(self._workspace, self._views)
        self._sight = Sight(self._workspace, self._views)
        self.inspector = Inspector(self._feed)
        self._response_urls = ResponseUrls(self._workspace, self._feed, self._report, self._wiring)
        self._courier = Courier(self._wiring)
        self._interactions = Interactions(self._parts())
        self._slack_routes = self._answering()
        self.app = self._built()

    def _parts(self) -> Slack:
        return Slack(
            workspace=self._workspace,
            views=self._views,
            feed=self._feed,
            sight=self._sight,
            acks=Acks(self._views, self._response_urls, self._report),
            response_urls=self._response_urls,
            courier=self._courier,
            inspector=self.inspector,
            wiring=self._wiring,
        )

    def _answering(self) -> SlackRoutes:
        web_api = WebApi(self._workspace, self._views, self._feed, self._report, self._wiring)
        return SlackRoutes(web_api, self._response_urls, self.faults, self.inspector, self._wiring)

    def _built(self) -> Starlette:
        page = PageRoutes(
            self._workspace,
            self._views,
            self._sight,
            self._feed,
            self.inspector,
            self._interactions,
            self._surroundings,
        )

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await self.aclose()

        return Starlette(routes=[*self._slack_routes.routes(), *page.routes()], lifespan=lifespan)

    def _report(self, where: str, verdict: Verdict) -> None:
        self.violations.append(Violation(where=where, error=verdict.error, messages=verdict.messages))

    async def aclose(self) -> None:
        """Ends the streams and closes the HTTP session; the app's lifespan calls it too."""
        self._feed.close()
        await self._interactions.stop()
        await self._courier.close()

    @property
    def public_url(self) -> str:
        """This server's address, the base of response_urls; set it once the port is known."""
        return self._wiring.public_url

    @public_url.setter
    def public_url(self, url: str) -> None:
        self._wiring.public_url = url.rstrip("/")

    @property
    def api_url(self) -> str:
        """What the app takes as the base URL of the Web API."""
        return f"{self.public_url}/api/"

    @property
    def app_url(self) -> str:
        """Where the app takes requests."""
        return self._wiring.app_url

    @app_url.setter
    def app_url(self, url: str) -> None:
        self._wiring.app_url = url

    @property
    def ack_deadline(self) -> float:
        """How long an acknowledgement may take, in real seconds."""
        return self._wiring.ack_deadline

    @ack_deadline.setter
    def ack_deadline(self, seconds: float) -> None:
        self._wiring.ack_deadline = seconds

    @property
    def enforce_rate_limits(self) -> bool:
        """Whether a second message per second and channel is refused."""
        return self._wiring.enforce_rate_limits

    @enforce_rate_limits.setter
    def enforce_rate_limits(self, enforce: bool) -> None:
        self._wiring.enforce_rate_limits = enforce

    @property
    def command_urls_replace(self) -> bool:
        """Whether `replace_original` on a command's response_url replaces the last message.

        Reports from Slack itself say that it posts a new one; False behaves so.
        """
        return self._wiring.command_urls_replace

    @command_urls_replace.setter
    def command_urls_replace(self, replace: bool) -> None:
        self._wiring.command_urls_replace = replace

    @property
    def portal_url(self) -> str | None:
        """The portal's address, shown as a link on the page."""
        return self._surroundings.portal_url

    @portal_url.setter
    def portal_url(self, url: str | None) -> None:
        self._surroundings.portal_url = url

    @property
    def restart_app(self) -> Restart | None:
        """Kills and starts the app anew; None hides the button."""
        return self._surroundings.restart_app

    @restart_app.setter
    def restart_app(self, restart: Restart | None) -> None:
        self._surroundings.restart_app = restart

    @property
    def signing_secret(self) -> str:
        """Shared with the app."""
        return self._wiring.signing_secret

    @property
    def bot_token(self) -> str:
        """What the app must present."""
        return self._wiring.bot_token

    @property
    def workspace(self) -> Workspace:
        """The conversations themselves, for a test that arranges them."""
        return self._workspace

    async def command(self, user: str, text: str, channel: str = "C0GENERAL") -> Delivery:
        """Types a slash command and carries out the acknowledgement.

        Raises:
            NotACommandError: the app has no such command.
            LookupError: the person does not exist or is not in the channel.
        """
        return await self._interactions.command(user, channel, text)

    async def say(self, user: str, text: str, channel: str | None = None) -> Json:
        """Posts a person's own words, into the app's DM unless a channel is named."""
        said = await self._interactions.say(user, channel or self.dm(user), text)
        return copy.deepcopy(said)

    async def click(
        self, user: str, action_id: str, block_id: str | None = None, in_: str | None = None
    ) -> Delivery:
        """Clicks the button (and confirms) on the newest surface that has it.

        Args:
            user: Who clicks.
            action_id: Which button.
            block_id: In which block; None is any.
            in_: "message", "ephemeral", "view", "home", a ts or a view id; None is any.

        Raises:
            LookupError: the person sees no such button; the message lists what they see.
        """

        def fits(block: Json, element: Json) -> bool:
            in_block = block_id is None or block["block_id"] == block_id
            return in_block and bool(element["action_id"] == action_id)

        return await self._interactions.act(user, self._sight.find(user, fits, in_=in_), {})

    async def click_text(self, user: str, text: str, in_: str | None = None) -> Delivery:
        """Clicks the button on which this is written.

        Raises:
            LookupError: the person sees no such button; the message lists what they see.
        """

        def fits(_block: Json, element: Json) -> bool:
            return element["type"] == "button" and label(element) == text

        return await self._interactions.act(user, self._sight.find(user, fits, in_=in_), {})

    async def select(
        self, user: str, action_id: str, value: object, in_: str | None = None
    ) -> Delivery | None:
        """Makes a choice: the option's value or visible text, a list of them, or a date.

        Args:
            user: Who chooses.
            action_id: Which element, or the block_id around it.
            value: The choice; None clears it.
            in_: As for `click`.

        Returns:
            The delivery; None for an input that does not dispatch, which only fills the form.

        Raises:
            LookupError: no such element, or no such option.
        """

        def fits(block: Json, element: Json) -> bool:
            named = action_id in (element["action_id"], block["block_id"])
            return named and element["type"] not in {"button", *TYPED}

        target = self._sight.find(user, fits, in_=in_)
        return await self._fill(user, target, chosen(target.element, value))

    async def type(self, user: str, name: str, text: str) -> Delivery | None:
        """Types into an input of the front modal.

        Args:
            user: Who types.
            name: The action_id or block_id.
            text: What the field holds afterwards; empty clears it.

        Returns:
            The delivery of an input that dispatches, otherwise None.

        Raises:
            LookupError: no such input.
        """

        def fits(block: Json, element: Json) -> bool:
            return name in (element["action_id"], block["block_id"]) and element["type"] in TYPED

        target = self._sight.find(user, fits, in_="view")
        return await self._fill(user, target, {"value": text or None})

    async def _fill(self, user: str, target: Target, value: Json) -> Delivery | None:
        block, element = target.block, target.element
        if block["type"] != "input" or block.get("dispatch_action"):
            return await self._interactions.act(user, target, value)
        entry = {"type": element["type"], **value}
        self._views.fill(target.surface.content, {block["block_id"]: {element["action_id"]: entry}})
        return None

    async def submit(self, user: str) -> Delivery:
        """Submits the front modal as filled in.

        Returns:
            The delivery; one with `errors` and no status was stopped by the client's checks.

        Raises:
            LookupError: no modal is open.
        """
        return await self._interactions.submit(user, self._front(user))

    async def close(self, user: str, *, everything: bool = False) -> Delivery | None:
        """Closes the front modal, or all of them.

        Returns:
            The notice to the app, or None when the view did not ask for one.

        Raises:
            LookupError: no modal is open.
        """
        view_id = self._front(user)["id"]
        return await self._interactions.close(user, view_id, everything=everything)

    def _front(self, user: str) -> Json:
        stack = self._views.stack(user)
        if not stack:
            raise LookupError(f"{user} has no modal open")
        return stack[-1]

    async def open_home(self, user: str) -> Delivery | None:
        """Opens App Home; None when the app did not subscribe to `app_home_opened`."""
        return await self._interactions.open_home(user)

    async def event(self, event: Json, team_id: str | None = None) -> Delivery:
        """Delivers any event, `{"type": "app_uninstalled"}` for example."""
        return await self._interactions.event(event, team_id=team_id)

    async def send_raw(self, body: str | bytes, headers: Mapping[str, str]) -> Delivery:
        """Sends a body and headers as they are; nothing is signed or carried out."""
        raw = body.encode() if isinstance(body, str) else body
        return await self._interactions.raw(raw, headers)

    def sign(self, body: str, timestamp: str | int) -> str:
        """The `X-Slack-Signature` of a body sent at a time."""
        return self._courier.sign(body, timestamp)

    def view(self, user: str) -> Json | None:
        """The front modal as it stands now (a copy), or None."""
        stack = self.views(user)
        return stack[-1] if stack else None

    def views(self, user: str) -> list[Json]:
        """The open modals (copies), the front one last."""
        return copy.deepcopy(self._views.stack(user))

    def home(self, user: str) -> Json | None:
        """App Home as it stands now (a copy), or None."""
        return copy.deepcopy(self._views.home(user))

    def dm(self, user: str) -> str:
        """The app's direct message with a person."""
        return self._workspace.dm(user)

    def messages(self, channel: str) -> list[Json]:
        """The messages of a conversation (copies), oldest first; replies have another thread_ts."""
        return copy.deepcopy(self._workspace.messages(channel))

    def thread(self, channel: str, ts: str) -> list[Json]:
        """The replies to a message (copies), oldest first."""
        return copy.deepcopy(self._workspace.thread(channel, ts)[1:])

    def ephemerals(self, user: str) -> list[Json]:
        """A person's ephemerals (copies), oldest first."""
        return copy.deepcopy(self._workspace.ephemerals(user))

    def forget_ephemerals(self, user: str) -> None:
        """Loses a person's ephemerals, as a reload of Slack may."""
        self._workspace.forget_ephemerals(user)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every request to the app, oldest first."""
        return self._interactions.deliveries

    @property
    def api_calls(self) -> list[ApiCall]:
        """Every call of the app, response_urls included, oldest first."""
        return self._slack_routes.calls

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5) -> T:  # noqa: ASYNC109
        """Returns the predicate's first true value; it is asked anew after each change.

        Raises:
            TimeoutError: it did not become true within `timeout` real seconds.
        """
        try:
            return await self._feed.wait_for(predicate, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"not within {timeout:g} s; {self._lately()}") from error

    def _lately(self) -> str:
        calls = [f"{call.method}: {call.answer.get('error', 'ok')}" for call in self.api_calls]
        sent = [f"{one.kind} {one.name}: {one.failure or one.status}" for one in self.deliveries]
        return f"the app lately called {calls[-5:]}; Slack lately sent {sent[-5:]}"

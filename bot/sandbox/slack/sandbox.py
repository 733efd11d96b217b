"""The sandbox as one object: what tests and the demo hold in their hands."""

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.sandbox.slack.assembly import assemble, served
from bot.sandbox.slack.block_kit import Verdict
from bot.sandbox.slack.deeds import Deeds
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.dials import Dials
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.page_api import Restart, Surroundings
from bot.sandbox.slack.people import Cast
from bot.sandbox.slack.server import ApiCall
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
T = TypeVar("T")

SIGNING_SECRET = "sandbox-signing-secret"  # noqa: S105 guards nothing outside the sandbox
BOT_TOKEN = "xoxb-sandbox-0000-billing"  # noqa: S105 same
APP_TOKEN = "xapp-1-A0BILLING-0000-sandbox"  # noqa: S105 same
CLIENT_ID = "1111.2222"
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 same
APP_URL = "http://127.0.0.1:3000/slack/events"
PUBLIC_URL = "http://127.0.0.1:8765"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A limit of Slack that the app broke."""

    where: str
    error: str
    messages: tuple[str, ...]


class SlackSandbox(Dials, Deeds):
    """Workspaces with people, channels and one app, served over real HTTP by `app`.

    Args:
        app_url: Where the app takes requests.
        signing_secret: Signs every request to the app.
        bot_token: The token of the home workspace's installation; with None nothing is installed
            until somebody does it by OAuth.
        now: The clock of triggers, response_urls, codes and message timestamps, in seconds.
        portal_url: Shown as a link on the page.
        restart_app: Kills and starts the app anew; None hides the button.
        cast: Who and what stands in the workspace.
        ack_deadline: How long an acknowledgement may take, in real seconds.
        enforce_rate_limits: Whether a second message per second and channel is refused.
        client_id: The app's OAuth client.
        client_secret: Its secret.
        redirect_urls: Where an installation may send the browser back to; None is what the app's
            manifest says.
        app_token: The app-level token, for Socket Mode.

    Attributes:
        app: The ASGI app; ending its lifespan closes what the sandbox opened.
        faults: Outages on order.
        violations: Every limit that the app broke.
        inspector: What passed, with a teaching sentence each.
    """

    def __init__(  # noqa: PLR0913 a test names the few that matter to it
        self,
        app_url: str = APP_URL,
        signing_secret: str = SIGNING_SECRET,
        bot_token: str | None = BOT_TOKEN,
        now: Callable[[], float] = time.time,
        portal_url: str | None = None,
        restart_app: Restart | None = None,
        *,
        cast: Cast | None = None,
        ack_deadline: float = 3.0,
        enforce_rate_limits: bool = False,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        redirect_urls: Iterable[str] | None = None,
        app_token: str = APP_TOKEN,
    ) -> None:
        self.violations: list[Violation] = []
        stands = cast or Cast()
        wiring = Wiring(
            app_url=app_url,
            public_url=PUBLIC_URL,
            signing_secret=signing_secret,
            client_id=client_id,
            client_secret=client_secret,
            redirect_urls=tuple(stands.app.redirect_urls if redirect_urls is None else redirect_urls),
            app_token=app_token,
            socket_mode=stands.app.socket_mode,
            now=now,
            ack_deadline=ack_deadline,
            enforce_rate_limits=enforce_rate_limits,
        )
        surroundings = Surroundings(portal_url=portal_url, restart_app=restart_app)
        self._parts = assemble(stands, wiring, surroundings, self._report)
        if bot_token is not None:
            self._parts.installations.install(stands.home_team, stands.app.scopes, bot_token)
        self.faults, self.inspector = self._parts.faults, self._parts.inspector
        self.app = served(self._parts)

    def _report(self, where: str, verdict: Verdict) -> None:
        self.violations.append(Violation(where=where, error=verdict.error, messages=verdict.messages))

    async def aclose(self) -> None:
        """Ends streams and WebSockets and closes the HTTP session; the app's lifespan calls it too."""
        await self._parts.aclose()

    @property
    def workspace(self) -> Workspace:
        """The conversations themselves, for a test that arranges them."""
        return self._parts.workspace

    @property
    def bot_token(self) -> str:
        """What the app must present for the home workspace; empty while it is not installed there."""
        home = self._parts.installations.get(self.workspace.cast.home_team.id)
        return home.token if home else ""

    @property
    def installations(self) -> tuple[Installation, ...]:
        """Where the app is installed, the oldest first."""
        return self._parts.installations.live

    def installation(self, place: str) -> Installation | None:
        """The installation in the workspace or organisation with this id, or None."""
        return self._parts.installations.get(place)

    def install(
        self,
        team: str,
        *,
        org: bool = False,
        scopes: Iterable[str] | None = None,
        redirect_uri: str = "",
        user: str | None = None,
    ) -> str:
        """Presses Allow without the page.

        Args:
            team: The workspace.
            org: Whether to install for its whole organisation instead.
            scopes: What the app asks for; None is what its manifest says.
            redirect_uri: The redirect URI that the app names; empty names none.
            user: Who allows it; None is the first person there.

        Returns:
            The code, which the app exchanges by `oauth.v2.access`.

        Raises:
            AuthorizationError: Slack would refuse what the app asks for.
            LookupError: the app cannot be installed there.
        """
        cast = self.workspace.cast
        place = cast.team(team).enterprise if org else None
        if team not in {one.id for one in cast.teams} or (org and place is None):
            raise LookupError(f"no workspace of {'an organisation' if org else 'ours'} is {team}")
        asked = self._parts.authorization.requested(
            {
                "client_id": self.client_id,
                "scope": ",".join(cast.app.scopes if scopes is None else scopes),
                "redirect_uri": redirect_uri,
            }
        )
        return self._parts.authorization.allow(asked, place.id if place else team, user)

    async def uninstall(
        self, team: str | None = None, *, tokens_first: bool = True
    ) -> tuple[Delivery, ...]:
        """Takes the app out of a workspace, or out of an organisation when `team` is its id.

        Args:
            team: Where; None is the home workspace.
            tokens_first: Whether `tokens_revoked` comes before `app_uninstalled`; Slack promises
                neither order.

        Returns:
            The deliveries of the events that the app subscribed to.

        Raises:
            LookupError: the app is not installed there.
        """
        place = team or self.workspace.cast.home_team.id
        return await self._parts.administration.uninstall(place, tokens_first=tokens_first)

    async def revoke_token(self, team: str | None = None) -> Delivery | None:
        """Revokes the bot token and leaves the app installed, as while a person's token is left.

        Raises:
            LookupError: the app is not installed there.
        """
        return await self._parts.administration.revoke_token(team or self.workspace.cast.home_team.id)

    async def revoke_team_access(self, team_id: str) -> Delivery | None:
        """Takes one workspace out of an org-wide installation.

        Raises:
            LookupError: no org-wide installation reaches the workspace.
        """
        return await self._parts.administration.revoke_team_access(team_id)

    async def deactivate(self, user: str) -> Delivery | None:
        """Ends a person's account: they can do nothing more, and what they said stays.

        Raises:
            LookupError: nobody has this id.
        """
        return await self._parts.administration.deactivate(user)

    @property
    def connections(self) -> int:
        """How many WebSockets the app has open."""
        return self._parts.socket_mode.connections

    async def refresh_sockets(self) -> None:
        """Asks the app to renew its WebSockets, as Slack does every few hours.

        Each old one is closed once a new one is open, or after a short while.
        """
        await self._parts.socket_mode.refresh()

    async def drop_sockets(self) -> None:
        """Cuts the app's WebSockets without a word."""
        await self._parts.socket_mode.drop()

    async def event(self, event: Json, team_id: str | None = None) -> Delivery:
        """Delivers any event, `{"type": "app_uninstalled"}` for example."""
        return await self._parts.events.deliver_in(team_id or self.workspace.cast.home_team.id, event)

    async def send_raw(self, body: str | bytes, headers: Mapping[str, str]) -> Delivery:
        """Sends a body and headers as they are; nothing is signed or carried out."""
        raw = body.encode() if isinstance(body, str) else body
        return await self._parts.deliveries.send_raw(raw, headers)

    def sign(self, body: str, timestamp: str | int) -> str:
        """The `X-Slack-Signature` of a body sent at a time."""
        return self._parts.courier.sign(body, timestamp)

    def view(self, user: str) -> Json | None:
        """The front modal as it stands now (a copy), or None."""
        stack = self.views(user)
        return stack[-1] if stack else None

    def views(self, user: str) -> list[Json]:
        """The open modals (copies), the front one last."""
        return copy.deepcopy(self._parts.views.stack(user))

    def home(self, user: str) -> Json | None:
        """App Home as it stands now (a copy), or None."""
        return copy.deepcopy(self._parts.views.home(user))

    def dm(self, user: str) -> str:
        """The app's direct message with a person."""
        return self.workspace.dm(user)

    def messages(self, channel: str) -> list[Json]:
        """The messages of a conversation (copies), oldest first; replies have another thread_ts."""
        return copy.deepcopy(self.workspace.messages(channel))

    def thread(self, channel: str, ts: str) -> list[Json]:
        """The replies to a message (copies), oldest first."""
        return copy.deepcopy(self.workspace.thread(channel, ts)[1:])

    def ephemerals(self, user: str) -> list[Json]:
        """A person's ephemerals (copies), oldest first."""
        return copy.deepcopy(self.workspace.ephemerals(user))

    def forget_ephemerals(self, user: str) -> None:
        """Loses a person's ephemerals, as a reload of Slack may."""
        self.workspace.forget_ephemerals(user)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every request to the app, oldest first."""
        return self._parts.deliveries.kept

    @property
    def api_calls(self) -> list[ApiCall]:
        """Every call of the app, response_urls included, oldest first."""
        return self._parts.slack_routes.calls

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5) -> T:  # noqa: ASYNC109
        """Returns the predicate's first true value; it is asked anew after each change.

        Raises:
            TimeoutError: it did not become true within `timeout` real seconds.
        """
        try:
            return await self._parts.feed.wait_for(predicate, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"not within {timeout:g} s; {self._lately()}") from error

    def _lately(self) -> str:
        calls = [f"{call.method}: {call.answer.get('error', 'ok')}" for call in self.api_calls]
        sent = [f"{one.kind} {one.name}: {one.failure or one.status}" for one in self.deliveries]
        return f"the app lately called {calls[-5:]}; Slack lately sent {sent[-5:]}"

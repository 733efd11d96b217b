"""The Slack sandbox: the object that tests and the demo use."""

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.sandbox.slack.assembly import assemble, create_app
from bot.sandbox.slack.controls import Controls
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.directory import Directory
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.page_api import PageOptions, Restart
from bot.sandbox.slack.server import ApiCall
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.user_actions import UserActions
from bot.sandbox.slack.validation import ValidationFailure
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
T = TypeVar("T")

SIGNING_SECRET = "5a4db0c5" * 4
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


class SlackSandbox(Controls, UserActions):
    """Workspaces with people, channels and one app, served over real HTTP by `app`.

    Args:
        app_url: The URL of the app to which requests are sent.
        signing_secret: The secret that signs every request to the app.
        bot_token: The token of the home workspace's installation. None starts without an
            installation.
        now: The clock of triggers, response_urls, codes and message timestamps, in seconds.
        portal_url: The portal's URL, which the page shows as a link.
        restart_app: The function that kills and restarts the app. None hides the button.
        directory: The people, teams, channels and app of the sandbox.
        ack_deadline: The time limit of an acknowledgement, in real seconds.
        enforce_rate_limits: Whether a second message in a channel within a second is refused.
        client_id: The id of the app's OAuth client.
        client_secret: The secret of the app's OAuth client.
        redirect_urls: The registered redirect URIs. None takes the URIs of the app's manifest.
        app_token: The app-level token, for Socket Mode.

    Attributes:
        app: The ASGI app. The end of its lifespan closes the sandbox.
        faults: The injected outages.
        violations: The limits that the app broke.
        inspector: The recorded traffic, with an explanation of each entry.
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
        directory: Directory | None = None,
        ack_deadline: float = 3.0,
        enforce_rate_limits: bool = False,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        redirect_urls: Iterable[str] | None = None,
        app_token: str = APP_TOKEN,
    ) -> None:
        self.violations: list[Violation] = []
        directory = directory or Directory()
        settings = Settings(
            app_url=app_url,
            public_url=PUBLIC_URL,
            signing_secret=signing_secret,
            client_id=client_id,
            client_secret=client_secret,
            redirect_urls=tuple(directory.app.redirect_urls if redirect_urls is None else redirect_urls),
            app_token=app_token,
            socket_mode=directory.app.socket_mode,
            now=now,
            ack_deadline=ack_deadline,
            enforce_rate_limits=enforce_rate_limits,
        )
        page_options = PageOptions(portal_url=portal_url, restart_app=restart_app)
        self._parts = assemble(directory, settings, page_options, self._report)
        if bot_token is not None:
            self._parts.installations.install(directory.home_team, directory.app.scopes, bot_token)
        self.faults, self.inspector = self._parts.faults, self._parts.inspector
        self.app = create_app(self._parts)

    def _report(self, where: str, failure: ValidationFailure) -> None:
        self.violations.append(Violation(where=where, error=failure.error, messages=failure.messages))

    async def aclose(self) -> None:
        """End streams and WebSockets and close the HTTP session. The app's lifespan also calls this."""
        await self._parts.aclose()

    @property
    def workspace(self) -> Workspace:
        """Return the conversations, for tests that prepare them."""
        return self._parts.workspace

    @property
    def bot_token(self) -> str:
        """Return the bot token of the home workspace, or an empty string without an installation."""
        home = self._parts.installations.get(self.workspace.directory.home_team.id)
        return home.token if home else ""

    @property
    def installations(self) -> tuple[Installation, ...]:
        """Return the active installations, oldest first."""
        return self._parts.installations.active

    def installation(self, place: str) -> Installation | None:
        """Return the installation in the workspace or organization with this id, or None."""
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
        """Allow an installation without the page.

        Args:
            team: The workspace.
            org: Whether to install for the whole organization of the workspace.
            scopes: The requested scopes. None takes the scopes of the manifest.
            redirect_uri: The redirect URI of the request, or an empty string.
            user: The person who allows the installation. None is the first person of the place.

        Returns:
            The code, which the app exchanges by `oauth.v2.access`.

        Raises:
            AuthorizationError: Slack would refuse the request.
            LookupError: the app cannot be installed there.
        """
        directory = self.workspace.directory
        place = directory.team(team).enterprise if org else None
        if team not in {one.id for one in directory.teams} or (org and place is None):
            raise LookupError(f"no workspace of {'an organization' if org else 'ours'} is {team}")
        asked = self._parts.authorization.requested(
            {
                "client_id": self.client_id,
                "scope": ",".join(directory.app.scopes if scopes is None else scopes),
                "redirect_uri": redirect_uri,
            }
        )
        return self._parts.authorization.allow(asked, place.id if place else team, user)

    async def uninstall(
        self, team: str | None = None, *, tokens_first: bool = True
    ) -> tuple[Delivery, ...]:
        """Uninstall the app from a workspace or organization.

        Args:
            team: The id of the workspace or organization. None is the home workspace.
            tokens_first: Whether `tokens_revoked` comes before `app_uninstalled`. Slack guarantees
                no order.

        Returns:
            The deliveries of the events that the app subscribed to.

        Raises:
            LookupError: the app is not installed there.
        """
        place = team or self.workspace.directory.home_team.id
        return await self._parts.administration.uninstall(place, tokens_first=tokens_first)

    async def revoke_token(self, team: str | None = None) -> Delivery | None:
        """Revoke the bot token and leave the app installed, as Slack does while a user token remains.

        Raises:
            LookupError: the app is not installed there.
        """
        return await self._parts.administration.revoke_token(team or self.workspace.directory.home_team.id)

    async def revoke_team_access(self, team_id: str) -> Delivery | None:
        """Remove one workspace from an org-wide installation.

        Raises:
            LookupError: no org-wide installation reaches the workspace.
        """
        return await self._parts.administration.revoke_team_access(team_id)

    async def deactivate(self, user: str) -> Delivery | None:
        """Deactivate a person. The person's messages remain, and the person can no longer act.

        Raises:
            LookupError: no person has this id.
        """
        return await self._parts.administration.deactivate(user)

    async def clear(self) -> None:
        """Return to the first state: no messages, modals, App Homes, traffic or pending retries.

        The installations remain. Call `tell_started_over` when the page can be used again.
        """
        await self._parts.events.stop()
        self._parts.views.clear_all()
        self.workspace.clear()
        self.inspector.clear()

    def tell_started_over(self) -> None:
        """Make every open page load itself again."""
        self._parts.feed.started_over()

    @property
    def connections(self) -> int:
        """Return how many WebSockets the app has open."""
        return self._parts.socket_mode.connections

    async def refresh_sockets(self) -> None:
        """Ask the app to renew its WebSockets, as Slack does every few hours.

        Each old WebSocket is closed once a new one is open, or after a short timeout.
        """
        await self._parts.socket_mode.refresh()

    async def drop_sockets(self) -> None:
        """Drop the app's WebSockets without a close frame."""
        await self._parts.socket_mode.drop()

    async def event(self, event: Json, team_id: str | None = None) -> Delivery:
        """Deliver an event, for example `{"type": "app_uninstalled"}`."""
        return await self._parts.events.deliver_in(team_id or self.workspace.directory.home_team.id, event)

    async def send_raw(self, body: str | bytes, headers: Mapping[str, str]) -> Delivery:
        """Send a body and headers unchanged. Do not sign the body or apply the answer."""
        raw = body.encode() if isinstance(body, str) else body
        return await self._parts.deliveries.send_raw(raw, headers)

    def sign(self, body: str, timestamp: str | int) -> str:
        """Return the `X-Slack-Signature` of a body and a timestamp."""
        return self._parts.sender.sign(body, timestamp)

    def view(self, user: str) -> Json | None:
        """Return a copy of the front modal, or None."""
        stack = self.views(user)
        return stack[-1] if stack else None

    def views(self, user: str) -> list[Json]:
        """Return copies of the open modals, the front one last."""
        return copy.deepcopy(self._parts.views.stack(user))

    def home(self, user: str) -> Json | None:
        """Return a copy of App Home, or None."""
        return copy.deepcopy(self._parts.views.home(user))

    def dm(self, user: str) -> str:
        """Return the id of the app's direct message with a person."""
        return self.workspace.dm(user)

    def messages(self, channel: str) -> list[Json]:
        """Return copies of the messages and replies of a conversation, oldest first."""
        return copy.deepcopy(self.workspace.messages(channel))

    def thread(self, channel: str, ts: str) -> list[Json]:
        """Return copies of the replies to a message, oldest first."""
        return copy.deepcopy(self.workspace.thread(channel, ts)[1:])

    def file(self, file_id: str) -> bytes:
        """Return the content of a file that a message shows.

        Raises:
            LookupError: there is no such file.
        """
        return self._parts.files.content(file_id)

    def ephemerals(self, user: str) -> list[Json]:
        """Return copies of a person's ephemeral messages, oldest first."""
        return copy.deepcopy(self.workspace.ephemerals(user))

    def forget_ephemerals(self, user: str) -> None:
        """Remove a person's ephemeral messages, as a reload of Slack may do."""
        self.workspace.forget_ephemerals(user)

    @property
    def deliveries(self) -> list[Delivery]:
        """Return every request to the app, oldest first."""
        return self._parts.deliveries.kept

    @property
    def api_calls(self) -> list[ApiCall]:
        """Return every call of the app, including posts to response_urls, oldest first."""
        return self._parts.slack_routes.calls

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5) -> T:  # noqa: ASYNC109
        """Return the predicate's first true value. Each change evaluates it again.

        Raises:
            TimeoutError: the predicate was not true within `timeout` real seconds.
        """
        try:
            return await self._parts.feed.wait_for(predicate, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"not within {timeout:g} s; {self._recent_traffic()}") from error

    def _recent_traffic(self) -> str:
        calls = [f"{call.method}: {call.answer.get('error', 'ok')}" for call in self.api_calls]
        sent = [f"{one.kind} {one.name}: {one.failure or one.status}" for one in self.deliveries]
        return f"the app lately called {calls[-5:]}; Slack lately sent {sent[-5:]}"

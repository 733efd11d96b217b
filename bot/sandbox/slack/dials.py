"""What can be turned on a running sandbox: addresses, deadlines, rules."""

from collections.abc import Iterable

from bot.sandbox.slack.assembly import Parts
from bot.sandbox.slack.page_api import Restart


class Dials:
    """The settings, most of which may change while the sandbox runs."""

    _parts: Parts

    @property
    def public_url(self) -> str:
        """This server's address, the base of response_urls; set it once the port is known."""
        return self._parts.wiring.public_url

    @public_url.setter
    def public_url(self, url: str) -> None:
        self._parts.wiring.public_url = url.rstrip("/")

    @property
    def api_url(self) -> str:
        """What the app takes as the base URL of the Web API."""
        return f"{self.public_url}/api/"

    @property
    def app_url(self) -> str:
        """Where the app takes requests."""
        return self._parts.wiring.app_url

    @app_url.setter
    def app_url(self, url: str) -> None:
        self._parts.wiring.app_url = url

    @property
    def ack_deadline(self) -> float:
        """How long an acknowledgement may take, in real seconds."""
        return self._parts.wiring.ack_deadline

    @ack_deadline.setter
    def ack_deadline(self, seconds: float) -> None:
        self._parts.wiring.ack_deadline = seconds

    @property
    def enforce_rate_limits(self) -> bool:
        """Whether a second message per second and channel is refused."""
        return self._parts.wiring.enforce_rate_limits

    @enforce_rate_limits.setter
    def enforce_rate_limits(self, enforce: bool) -> None:
        self._parts.wiring.enforce_rate_limits = enforce

    @property
    def command_urls_replace(self) -> bool:
        """Whether `replace_original` on a command's response_url replaces the last message.

        Reports from Slack itself say that it posts a new one; False behaves so.
        """
        return self._parts.wiring.command_urls_replace

    @command_urls_replace.setter
    def command_urls_replace(self, replace: bool) -> None:
        self._parts.wiring.command_urls_replace = replace

    @property
    def portal_url(self) -> str | None:
        """The portal's address, shown as a link on the page."""
        return self._parts.surroundings.portal_url

    @portal_url.setter
    def portal_url(self, url: str | None) -> None:
        self._parts.surroundings.portal_url = url

    @property
    def restart_app(self) -> Restart | None:
        """Kills and starts the app anew; None hides the button."""
        return self._parts.surroundings.restart_app

    @restart_app.setter
    def restart_app(self, restart: Restart | None) -> None:
        self._parts.surroundings.restart_app = restart

    @property
    def signing_secret(self) -> str:
        """Shared with the app."""
        return self._parts.wiring.signing_secret

    @property
    def client_id(self) -> str:
        """The app's OAuth client."""
        return self._parts.wiring.client_id

    @property
    def client_secret(self) -> str:
        """The OAuth client's secret."""
        return self._parts.wiring.client_secret

    @property
    def app_token(self) -> str:
        """The app-level token, with which the app opens its WebSockets."""
        return self._parts.wiring.app_token

    @property
    def socket_mode(self) -> bool:
        """Whether the app is reached over its WebSockets, and not over HTTP at all."""
        return self._parts.wiring.socket_mode

    @socket_mode.setter
    def socket_mode(self, on: bool) -> None:
        self._parts.wiring.socket_mode = on

    @property
    def redirect_urls(self) -> tuple[str, ...]:
        """Where an installation may send the browser back to; the first is the default."""
        return self._parts.wiring.redirect_urls

    @redirect_urls.setter
    def redirect_urls(self, urls: Iterable[str]) -> None:
        self._parts.wiring.redirect_urls = tuple(urls)

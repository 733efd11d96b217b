"""The settings of a running sandbox: URLs, deadlines, credentials, rules."""

from collections.abc import Iterable

from bot.sandbox.slack.assembly import Parts
from bot.sandbox.slack.page_api import Restart


class Controls:
    """Read and change settings while the sandbox runs."""

    _parts: Parts

    @property
    def public_url(self) -> str:
        """Return this server's URL, the base of response_urls. Set it once the port is known."""
        return self._parts.settings.public_url

    @public_url.setter
    def public_url(self, url: str) -> None:
        self._parts.settings.public_url = url.rstrip("/")

    @property
    def api_url(self) -> str:
        """Return the base URL of the Web API."""
        return f"{self.public_url}/api/"

    @property
    def app_url(self) -> str:
        """Return the URL of the app to which requests are sent."""
        return self._parts.settings.app_url

    @app_url.setter
    def app_url(self, url: str) -> None:
        self._parts.settings.app_url = url

    @property
    def ack_deadline(self) -> float:
        """Return the time limit of an acknowledgement, in real seconds."""
        return self._parts.settings.ack_deadline

    @ack_deadline.setter
    def ack_deadline(self, seconds: float) -> None:
        self._parts.settings.ack_deadline = seconds

    @property
    def enforce_rate_limits(self) -> bool:
        """Return whether a second message in a channel within a second is refused."""
        return self._parts.settings.enforce_rate_limits

    @enforce_rate_limits.setter
    def enforce_rate_limits(self, enforce: bool) -> None:
        self._parts.settings.enforce_rate_limits = enforce

    @property
    def command_urls_replace(self) -> bool:
        """Return whether `replace_original` on a command's response_url replaces the last message.

        False posts a new message instead, which is what some reports say of Slack.
        """
        return self._parts.settings.command_urls_replace

    @command_urls_replace.setter
    def command_urls_replace(self, replace: bool) -> None:
        self._parts.settings.command_urls_replace = replace

    @property
    def portal_url(self) -> str | None:
        """Return the portal's URL, which the page shows as a link."""
        return self._parts.page_options.portal_url

    @portal_url.setter
    def portal_url(self, url: str | None) -> None:
        self._parts.page_options.portal_url = url

    @property
    def restart_app(self) -> Restart | None:
        """Return the function that kills and restarts the app. None hides the button."""
        return self._parts.page_options.restart_app

    @restart_app.setter
    def restart_app(self, restart: Restart | None) -> None:
        self._parts.page_options.restart_app = restart

    @property
    def start_over(self) -> Restart | None:
        """Return the function behind the page's button **Start over**. None hides the button."""
        return self._parts.page_options.start_over

    @start_over.setter
    def start_over(self, start_over: Restart | None) -> None:
        self._parts.page_options.start_over = start_over

    @property
    def signing_secret(self) -> str:
        """Return the signing secret, which the app also has."""
        return self._parts.settings.signing_secret

    @property
    def client_id(self) -> str:
        """Return the id of the app's OAuth client."""
        return self._parts.settings.client_id

    @property
    def client_secret(self) -> str:
        """Return the secret of the app's OAuth client."""
        return self._parts.settings.client_secret

    @property
    def app_token(self) -> str:
        """Return the app-level token, which the app needs to open WebSockets."""
        return self._parts.settings.app_token

    @property
    def socket_mode(self) -> bool:
        """Return whether requests go to the app over WebSockets instead of HTTP."""
        return self._parts.settings.socket_mode

    @socket_mode.setter
    def socket_mode(self, on: bool) -> None:
        self._parts.settings.socket_mode = on

    @property
    def redirect_urls(self) -> tuple[str, ...]:
        """Return the registered redirect URIs. The first is the default."""
        return self._parts.settings.redirect_urls

    @redirect_urls.setter
    def redirect_urls(self, urls: Iterable[str]) -> None:
        self._parts.settings.redirect_urls = tuple(urls)

"""The settings that the parts share: URLs, secrets and deadlines."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(kw_only=True)
class Settings:
    """The settings of the sandbox. They may change while it runs.

    Attributes:
        app_url: The URL of the app to which requests are sent.
        public_url: This server's URL, without a trailing slash.
        signing_secret: The secret that signs every request. The app has it too.
        client_id: The id of the app's OAuth client.
        client_secret: The secret of the app's OAuth client.
        app_token: The app-level token, for Socket Mode.
        socket_mode: Whether requests go over WebSockets instead of HTTP.
        redirect_urls: The registered redirect URIs of an installation.
        now: The clock of triggers, response_urls and message timestamps, in seconds.
        ack_deadline: The time limit of an acknowledgement, in real seconds.
        enforce_rate_limits: Whether a second message in a channel within a second is refused.
        command_urls_replace: Whether `replace_original` on a command's response_url replaces the
            last message posted through it. False posts a new message, which is what some reports
            say of Slack.
    """

    app_url: str
    public_url: str
    signing_secret: str
    client_id: str
    client_secret: str
    redirect_urls: tuple[str, ...]
    app_token: str
    socket_mode: bool
    now: Callable[[], float]
    ack_deadline: float
    enforce_rate_limits: bool
    command_urls_replace: bool = True

"""Where the parts find each other: addresses, secrets and deadlines, settable after binding."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(kw_only=True)
class Wiring:
    """What the sandbox was told about itself and the app.

    Attributes:
        app_url: Where the app takes requests.
        public_url: This server's own address, without a slash at its end.
        signing_secret: Shared with the app; signs every request.
        client_id: The app's OAuth client.
        client_secret: Its secret.
        app_token: The app-level token, for Socket Mode.
        socket_mode: Whether the app is reached over its WebSockets instead of HTTP.
        redirect_urls: Where an installation may send the browser back to.
        now: The clock of triggers, response_urls and message timestamps, in seconds.
        ack_deadline: How long Slack waits for an acknowledgement, in real seconds.
        enforce_rate_limits: Whether a second message per second and channel is refused.
        command_urls_replace: Whether `replace_original` on a command's response_url replaces
            the last message posted through it; reports from Slack itself say it posts anew.
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

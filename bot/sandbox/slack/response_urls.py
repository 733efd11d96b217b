"""response_urls: each accepts five answers within 30 minutes to one interaction."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError, Report, content_of
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

USES = 5
LIFETIME_SECONDS = 30 * 60
_TRUE = (True, "true")


@dataclass(kw_only=True)
class ResponseUrl:
    """One response_url: the installation, the person, and the message that an answer may replace."""

    via: Installation
    user: str
    channel: str
    at: float
    target: str | None
    from_command: bool
    uses: int = 0


class ResponseUrls:
    """Issue response_urls and apply the answers that are posted to them."""

    def __init__(self, workspace: Workspace, feed: Feed, report: Report, settings: Settings) -> None:
        self._workspace = workspace
        self._feed = feed
        self._report = report
        self._settings = settings
        self._by_secret: dict[str, ResponseUrl] = {}

    def issue(self, user: str, channel: str, via: Installation, target: str | None = None) -> str:
        """Issue a URL. `target` is the ts of the message in which the interaction happened."""
        secret = secrets.token_hex(16)
        self._by_secret[secret] = ResponseUrl(
            via=via,
            user=user,
            channel=channel,
            at=self._settings.now(),
            target=target,
            from_command=target is None,
        )
        return f"{self._settings.public_url}/response/{secret}"

    def user_of(self, secret: str) -> str | None:
        """Return the person of a URL, or None for an unknown URL."""
        issued = self._by_secret.get(secret)
        return issued.user if issued else None

    def use(self, secret: str, body: Mapping[str, Any]) -> None:
        """Apply the answer that the app posted to a URL.

        Raises:
            RefusedError: `used_url`, `expired_url`, or an error of the content.
        """
        issued = self._usable(secret)
        issued.uses += 1
        if body.get("delete_original") in _TRUE:
            self._delete(issued)
            return
        content = content_of(body, "response_url", self._report)
        content.pop("metadata", None)
        replaces = not issued.from_command or self._settings.command_urls_replace
        if body.get("replace_original") in _TRUE and replaces and self._replace(issued, content):
            return
        self._say(issued, content, body)

    def answer_command(self, response_url: str, body: Mapping[str, Any]) -> None:
        """Post the content of a command's acknowledgement. It does not count as one of the five answers.

        Raises:
            RefusedError: the content is invalid.
        """
        issued = self._by_secret[response_url.rpartition("/")[2]]
        self._say(issued, content_of(body, "ack", self._report), body)

    def _usable(self, secret: str) -> ResponseUrl:
        issued = self._by_secret.get(secret)
        if issued is None or self._settings.now() - issued.at > LIFETIME_SECONDS:
            raise RefusedError("expired_url")
        if issued.uses >= USES:
            raise RefusedError("used_url")
        return issued

    def _say(self, issued: ResponseUrl, content: Json, body: Mapping[str, Any]) -> None:
        message = issued.via.message(content, body.get("thread_ts"))
        if body.get("response_type") == "in_channel":
            posted = self._workspace.post(issued.channel, message)
        else:
            posted = self._workspace.post_ephemeral(issued.user, issued.channel, message)
        if issued.from_command:
            issued.target = posted["ts"]
        self._feed.conversation(issued.channel)

    def _find(self, issued: ResponseUrl) -> Json | None:
        if issued.target is None:
            return None
        return self._workspace.ephemeral(issued.user, issued.target) or self._workspace.message(
            issued.channel, issued.target
        )

    def _replace(self, issued: ResponseUrl, content: Json) -> bool:
        original = self._find(issued)
        if original is None:
            return False
        changes = {"text": "", "blocks": [], **content}
        if not original.get("ephemeral"):
            at = self._workspace.clock.ts()
            changes["edited"] = {"user": issued.via.bot_user_id, "ts": at}
        self._workspace.edit(original, changes)
        self._feed.conversation(issued.channel)
        return True

    def _delete(self, issued: ResponseUrl) -> None:
        if issued.target is not None:
            self._workspace.delete_ephemeral(issued.user, issued.target)
            self._workspace.delete(issued.channel, issued.target)
        self._feed.conversation(issued.channel)

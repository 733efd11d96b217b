"""response_urls: five answers within 30 minutes to one thing a person did."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError, Report, content_of
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

USES = 5
LIFETIME_SECONDS = 30 * 60
_TRUE = (True, "true")


@dataclass(kw_only=True)
class Reply:
    """One response_url: who answers whom, and the message that it would replace."""

    via: Installation
    user: str
    channel: str
    at: float
    target: str | None
    from_command: bool
    uses: int = 0


class ResponseUrls:
    """Gives out response_urls and does what is posted to them."""

    def __init__(self, workspace: Workspace, feed: Feed, report: Report, wiring: Wiring) -> None:
        self._workspace = workspace
        self._feed = feed
        self._report = report
        self._wiring = wiring
        self._replies: dict[str, Reply] = {}

    def issue(self, user: str, channel: str, via: Installation, target: str | None = None) -> str:
        """A new url; `target` is the ts of the message the interaction came from."""
        secret = secrets.token_hex(16)
        self._replies[secret] = Reply(
            via=via,
            user=user,
            channel=channel,
            at=self._wiring.now(),
            target=target,
            from_command=target is None,
        )
        return f"{self._wiring.public_url}/response/{secret}"

    def user_of(self, secret: str) -> str | None:
        """The person that a url answers, or None when it never existed."""
        reply = self._replies.get(secret)
        return reply.user if reply else None

    def use(self, secret: str, body: Mapping[str, Any]) -> None:
        """Does what the app posted to a url.

        Raises:
            RefusedError: `used_url`, `expired_url`, or what is wrong with the content.
        """
        reply = self._usable(secret)
        reply.uses += 1
        if body.get("delete_original") in _TRUE:
            self._delete(reply)
            return
        content = content_of(body, "response_url", self._report)
        content.pop("metadata", None)
        replaces = not reply.from_command or self._wiring.command_urls_replace
        if body.get("replace_original") in _TRUE and replaces and self._replace(reply, content):
            return
        self._say(reply, content, body)

    def answer_command(self, response_url: str, body: Mapping[str, Any]) -> None:
        """Posts what a command's acknowledgement carries; it uses up none of the five.

        Raises:
            RefusedError: what is wrong with the content.
        """
        reply = self._replies[response_url.rpartition("/")[2]]
        self._say(reply, content_of(body, "ack", self._report), body)

    def _usable(self, secret: str) -> Reply:
        reply = self._replies.get(secret)
        if reply is None or self._wiring.now() - reply.at > LIFETIME_SECONDS:
            raise RefusedError("expired_url")
        if reply.uses >= USES:
            raise RefusedError("used_url")
        return reply

    def _say(self, reply: Reply, content: Json, body: Mapping[str, Any]) -> None:
        message = reply.via.message(content, body.get("thread_ts"))
        if body.get("response_type") == "in_channel":
            posted = self._workspace.post(reply.channel, message)
        else:
            posted = self._workspace.post_ephemeral(reply.user, reply.channel, message)
        if reply.from_command:
            reply.target = posted["ts"]
        self._feed.conversation(reply.channel)

    def _find(self, reply: Reply) -> Json | None:
        if reply.target is None:
            return None
        return self._workspace.ephemeral(reply.user, reply.target) or self._workspace.message(
            reply.channel, reply.target
        )

    def _replace(self, reply: Reply, content: Json) -> bool:
        original = self._find(reply)
        if original is None:
            return False
        changes = {"text": "", "blocks": [], **content}
        if not original.get("ephemeral"):
            at = self._workspace.clock.ts()
            changes["edited"] = {"user": reply.via.bot_user_id, "ts": at}
        self._workspace.edit(original, changes)
        self._feed.conversation(reply.channel)
        return True

    def _delete(self, reply: Reply) -> None:
        if reply.target is not None:
            self._workspace.delete_ephemeral(reply.user, reply.target)
            self._workspace.delete(reply.channel, reply.target)
        self._feed.conversation(reply.channel)

"""The Web API's `chat.*` methods: posting, changing and deleting messages."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.access import Access
from bot.sandbox.slack.block_kit import MESSAGE_TEXT, UPDATE_TEXT
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError, Report, content_of
from bot.sandbox.slack.web_api import Method
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class ChatMethods:
    """Post, change and delete an installation's messages."""

    def __init__(self, workspace: Workspace, access: Access, feed: Feed, report: Report) -> None:
        self._workspace = workspace
        self._access = access
        self._feed = feed
        self._report = report

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "chat.postMessage": Method(scope="chat:write", perform=self._post),
            "chat.update": Method(scope="chat:write", perform=self._update),
            "chat.delete": Method(scope="chat:write", perform=self._delete),
            "chat.postEphemeral": Method(scope="chat:write", perform=self._post_ephemeral),
        }

    def _writable(self, via: Installation, channel: object) -> str:
        """Return the conversation to write into. A person's id means the app's DM with the person."""
        name = str(channel or "")
        if self._workspace.directory.person(name) is not None:
            name = self._workspace.dm(name)
        if not self._workspace.exists(name) or not self._access.can_see(via, name):
            raise RefusedError("channel_not_found")
        found = self._workspace.channel(name)
        if found is not None and found.archived:
            raise RefusedError("is_archived")
        if found is not None and not found.has_app:
            raise RefusedError("not_in_channel")
        return name

    def _post(self, via: Installation, args: Json) -> Json:
        # Slack also accepts a message to a deactivated person, because the conversation remains.
        channel = self._writable(via, args.get("channel"))
        if self._workspace.owner(channel) and not self._workspace.directory.app.messages_tab:
            raise RefusedError("messages_tab_disabled")
        thread_ts = args.get("thread_ts")
        if thread_ts and self._workspace.message(channel, str(thread_ts)) is None:
            raise RefusedError("thread_not_found")
        content = content_of(args, "chat.postMessage", self._report, text_limit=MESSAGE_TEXT)
        message = self._workspace.post(channel, via.message(content, thread_ts))
        self._feed.conversation(channel)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _own(self, via: Installation, args: Json, refusal: str) -> tuple[str, str, Json]:
        """Return the bot's own message with this `channel` and `ts`. A person's id is not accepted."""
        channel, ts = str(args.get("channel")), str(args.get("ts"))
        if not self._workspace.exists(channel) or not self._access.can_see(via, channel):
            raise RefusedError("channel_not_found")
        found = self._workspace.channel(channel)
        if found is not None and found.archived:
            raise RefusedError("is_inactive")
        message = self._workspace.message(channel, ts)
        if message is None:
            raise RefusedError("message_not_found")
        if message.get("bot_id") != via.bot_id:
            raise RefusedError(refusal)
        return channel, ts, message

    def _delete(self, via: Installation, args: Json) -> Json:
        channel, ts, _ = self._own(via, args, "cant_delete_message")
        self._workspace.delete(channel, ts)
        self._feed.conversation(channel)
        return {"channel": channel, "ts": ts}

    def _update(self, via: Installation, args: Json) -> Json:
        channel, ts, message = self._own(via, args, "cant_update_message")
        content = content_of(args, "chat.update", self._report, text_limit=UPDATE_TEXT)
        if "text" in content:
            # An update with a text alone removes the blocks.
            content.setdefault("blocks", [])
        at = self._workspace.clock.ts()
        self._workspace.edit(message, {**content, "edited": {"user": via.bot_user_id, "ts": at}})
        self._feed.conversation(channel)
        return {"channel": channel, "ts": ts, "text": message["text"], "message": message}

    def _post_ephemeral(self, via: Installation, args: Json) -> Json:
        channel, user = self._writable(via, args.get("channel")), str(args.get("user"))
        absent = user not in self._workspace.viewers(channel) or self._workspace.is_deactivated(user)
        if absent or self._workspace.directory.person(user) is None:
            raise RefusedError("user_not_in_channel")
        content = content_of(args, "chat.postEphemeral", self._report)
        message = via.message(content, args.get("thread_ts"))
        posted = self._workspace.post_ephemeral(user, channel, message)
        self._feed.conversation(channel)
        return {"message_ts": posted["ts"]}

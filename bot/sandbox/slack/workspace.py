"""The conversations and their messages, threads, ephemeral messages and direct messages."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from bot.sandbox.slack.block_elements import elements_of
from bot.sandbox.slack.directory import Channel, Directory

Json = dict[str, Any]

_MICROSECONDS = 1_000_000


class MessageClock:
    """Create message timestamps in the form "seconds.micros", each greater than the last."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0

    def ts(self) -> str:
        """Return a new, unique timestamp."""
        self._last = max(round(self._now() * _MICROSECONDS), self._last + 1)
        seconds, micros = divmod(self._last, _MICROSECONDS)
        return f"{seconds}.{micros:06d}"


class IdSequence:
    """Create unique ids in the form of Slack's ids."""

    def __init__(self) -> None:
        self._count = 0

    def next(self, prefix: str) -> str:
        """Return the next id with this prefix."""
        self._count += 1
        return f"{prefix}{self._count:08X}"


def with_ids(blocks: list[Json], ids: IdSequence) -> list[Json]:
    """Copy blocks and add the missing block_ids and action_ids, as Slack does."""
    copied = copy.deepcopy(blocks)
    for block in copied:
        block.setdefault("block_id", ids.next("b"))
        for element in elements_of(block):
            if element.get("type") != "image":
                element.setdefault("action_id", ids.next("a"))
    return copied


class Workspace:
    """The conversations, their messages, and the deactivated people."""

    def __init__(self, directory: Directory, clock: MessageClock, ids: IdSequence) -> None:
        self.directory = directory
        self.clock = clock
        self.ids = ids
        self._channels: dict[str, Channel] = {channel.id: channel for channel in directory.channels}
        self._dms: dict[str, str] = {f"D0{person.id[2:]}": person.id for person in directory.people}
        self._messages: dict[str, dict[str, Json]] = {}
        self._ephemerals: dict[str, dict[str, Json]] = {}
        self._deactivated: set[str] = set()

    def deactivate(self, user: str) -> None:
        """Deactivate a person. The person's messages remain."""
        self._deactivated.add(user)

    def is_deactivated(self, user: str) -> bool:
        """Return whether a person is deactivated."""
        return user in self._deactivated

    def clear(self) -> None:
        """Delete every message. Deactivated people are active again, and channels are as at the start."""
        for kept in (self._messages, self._ephemerals, self._deactivated):
            kept.clear()
        self._channels = {channel.id: channel for channel in self.directory.channels}

    def channel(self, channel: str) -> Channel | None:
        """Return the channel with this id. Return None for an unknown id or a direct message."""
        return self._channels.get(channel)

    def replace_channel(self, channel: Channel) -> None:
        """Add a channel, or replace the channel with the same id."""
        self._channels[channel.id] = channel

    def exists(self, conversation: str) -> bool:
        """Return whether a conversation has this id."""
        return conversation in self._channels or conversation in self._dms

    def dm(self, user: str) -> str:
        """Return the id of the app's direct message with a person."""
        return next(dm for dm, owner in self._dms.items() if owner == user)

    def owner(self, conversation: str) -> str | None:
        """Return the person of a direct message, or None for a channel."""
        return self._dms.get(conversation)

    def name(self, conversation: str) -> str:
        """Return the name of a conversation in payloads."""
        channel = self._channels.get(conversation)
        return channel.name if channel else "directmessage"

    def conversations(self, user: str) -> Iterator[str]:
        """Yield the conversations that a person sees, channels first."""
        for channel in self._channels.values():
            if user in channel.members:
                yield channel.id
        yield self.dm(user)

    def viewers(self, conversation: str) -> frozenset[str]:
        """Return the people who see a conversation."""
        channel = self._channels.get(conversation)
        return channel.members if channel else frozenset({self._dms[conversation]})

    def post(self, channel: str, message: Json) -> Json:
        """Store a message with a new timestamp and return it."""
        stored = {"type": "message", **copy.deepcopy(message), "ts": self.clock.ts()}
        if stored.get("blocks"):
            stored["blocks"] = with_ids(stored["blocks"], self.ids)
        self._messages.setdefault(channel, {})[stored["ts"]] = stored
        return stored

    def post_ephemeral(self, user: str, channel: str, message: Json) -> Json:
        """Store an ephemeral message for one person and return it."""
        stored = {
            "type": "message",
            **copy.deepcopy(message),
            "ts": self.clock.ts(),
            "channel": channel,
            "ephemeral": True,
        }
        if stored.get("blocks"):
            stored["blocks"] = with_ids(stored["blocks"], self.ids)
        self._ephemerals.setdefault(user, {})[stored["ts"]] = stored
        return stored

    def edit(self, message: Json, changes: Json) -> Json:
        """Change a message or an ephemeral message in place."""
        changes = copy.deepcopy(changes)
        if changes.get("blocks"):
            changes["blocks"] = with_ids(changes["blocks"], self.ids)
        message.update(changes)
        return message

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message, if it exists."""
        self._messages.get(channel, {}).pop(ts, None)

    def delete_ephemeral(self, user: str, ts: str) -> None:
        """Delete an ephemeral message, if it exists."""
        self._ephemerals.get(user, {}).pop(ts, None)

    def forget_ephemerals(self, user: str) -> None:
        """Remove a person's ephemeral messages, as a reload of Slack may do."""
        self._ephemerals.pop(user, None)

    def message(self, channel: str, ts: str) -> Json | None:
        """Return a message, or None."""
        return self._messages.get(channel, {}).get(ts)

    def ephemeral(self, user: str, ts: str) -> Json | None:
        """Return an ephemeral message of a person, or None."""
        return self._ephemerals.get(user, {}).get(ts)

    def messages(self, channel: str) -> list[Json]:
        """Return all messages and replies of a conversation, oldest first."""
        return list(self._messages.get(channel, {}).values())

    def ephemerals(self, user: str) -> list[Json]:
        """Return all ephemeral messages of a person, oldest first."""
        return list(self._ephemerals.get(user, {}).values())

    def thread(self, channel: str, ts: str) -> list[Json]:
        """Return a parent message and its replies, oldest first, or an empty list without a parent."""
        parent = self.message(channel, ts)
        if parent is None:
            return []
        replies = [one for one in self.messages(channel) if is_reply(one) and one["thread_ts"] == ts]
        return [parent, *replies]

    def as_seen_by(self, user: str, channel: str) -> list[Json]:
        """Return a conversation's messages, replies and ephemeral messages for a person, oldest first."""
        mine = [one for one in self.ephemerals(user) if one["channel"] == channel]
        return sorted([*self.messages(channel), *mine], key=lambda one: one["ts"])


def is_reply(message: Json) -> bool:
    """Return whether a message is a reply in a thread."""
    return bool(message.get("thread_ts", message["ts"]) != message["ts"])


def with_thread(message: Json, thread: list[Json], *, metadata: bool) -> Json:
    """Return a message as in the Web API, with thread counts and, on request, with metadata."""
    shown = copy.deepcopy(message)
    if not metadata:
        shown.pop("metadata", None)
    replies = thread[1:]
    if replies and not is_reply(message):
        shown["thread_ts"] = message["ts"]
        shown["reply_count"] = len(replies)
        shown["reply_users"] = sorted({reply["user"] for reply in replies})
        shown["latest_reply"] = replies[-1]["ts"]
    return shown

"""Conversations and what stands in them: messages, threads, ephemerals, direct messages."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from bot.sandbox.slack.block_kit import elements_of
from bot.sandbox.slack.people import Cast, Channel

Json = dict[str, Any]

_MICROSECONDS = 1_000_000


class MessageClock:
    """Mints message timestamps: "seconds.micros", each greater than the one before."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0

    def ts(self) -> str:
        """A timestamp never given out before."""
        self._last = max(round(self._now() * _MICROSECONDS), self._last + 1)
        seconds, micros = divmod(self._last, _MICROSECONDS)
        return f"{seconds}.{micros:06d}"


class Sequence:
    """Mints ids that look like Slack's and never repeat."""

    def __init__(self) -> None:
        self._count = 0

    def next(self, prefix: str) -> str:
        """The next id with this prefix."""
        self._count += 1
        return f"{prefix}{self._count:08X}"


def with_ids(blocks: list[Json], ids: Sequence) -> list[Json]:
    """Copies blocks and names what the app left unnamed, as Slack does."""
    copied = copy.deepcopy(blocks)
    for block in copied:
        block.setdefault("block_id", ids.next("b"))
        for element in elements_of(block):
            if element.get("type") != "image":
                element.setdefault("action_id", ids.next("a"))
    return copied


class Workspace:
    """The conversations and everything said in them, and whose account has ended."""

    def __init__(self, cast: Cast, clock: MessageClock, ids: Sequence) -> None:
        self.cast = cast
        self.clock = clock
        self.ids = ids
        self._channels: dict[str, Channel] = {channel.id: channel for channel in cast.channels}
        self._dms: dict[str, str] = {f"D0{person.id[2:]}": person.id for person in cast.people}
        self._messages: dict[str, dict[str, Json]] = {}
        self._ephemerals: dict[str, dict[str, Json]] = {}
        self._deactivated: set[str] = set()

    def deactivate(self, user: str) -> None:
        """Ends a person's account; what was said stays."""
        self._deactivated.add(user)

    def is_deactivated(self, user: str) -> bool:
        """Whether a person's account was ended."""
        return user in self._deactivated

    def channel(self, channel: str) -> Channel | None:
        """The channel with this id, or None (also for a direct message)."""
        return self._channels.get(channel)

    def replace_channel(self, channel: Channel) -> None:
        """Adds a channel, or puts another state of it in place (archived, app removed…)."""
        self._channels[channel.id] = channel

    def exists(self, conversation: str) -> bool:
        """Whether a conversation has this id."""
        return conversation in self._channels or conversation in self._dms

    def dm(self, user: str) -> str:
        """The id of the app's direct message with a person; KeyError for a stranger."""
        return next(dm for dm, owner in self._dms.items() if owner == user)

    def owner(self, conversation: str) -> str | None:
        """The person of a direct message; None for a channel."""
        return self._dms.get(conversation)

    def name(self, conversation: str) -> str:
        """What Slack calls a conversation in payloads."""
        channel = self._channels.get(conversation)
        return channel.name if channel else "directmessage"

    def conversations(self, user: str) -> Iterator[str]:
        """The conversations that a person sees, channels first."""
        for channel in self._channels.values():
            if user in channel.members:
                yield channel.id
        yield self.dm(user)

    def viewers(self, conversation: str) -> frozenset[str]:
        """The people who see a conversation."""
        channel = self._channels.get(conversation)
        return channel.members if channel else frozenset({self._dms[conversation]})

    def post(self, channel: str, message: Json) -> Json:
        """Stores a message with the next timestamp and returns it."""
        stored = {"type": "message", **copy.deepcopy(message), "ts": self.clock.ts()}
        if stored.get("blocks"):
            stored["blocks"] = with_ids(stored["blocks"], self.ids)
        self._messages.setdefault(channel, {})[stored["ts"]] = stored
        return stored

    def post_ephemeral(self, user: str, channel: str, message: Json) -> Json:
        """Stores an ephemeral message that one person sees and returns it."""
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
        """Changes a message or an ephemeral in place."""
        changes = copy.deepcopy(changes)
        if changes.get("blocks"):
            changes["blocks"] = with_ids(changes["blocks"], self.ids)
        message.update(changes)
        return message

    def delete(self, channel: str, ts: str) -> None:
        """Removes a message, if it is there."""
        self._messages.get(channel, {}).pop(ts, None)

    def delete_ephemeral(self, user: str, ts: str) -> None:
        """Removes an ephemeral, if it is there."""
        self._ephemerals.get(user, {}).pop(ts, None)

    def forget_ephemerals(self, user: str) -> None:
        """Loses a person's ephemerals, as a reload of Slack may."""
        self._ephemerals.pop(user, None)

    def message(self, channel: str, ts: str) -> Json | None:
        """A message, or None."""
        return self._messages.get(channel, {}).get(ts)

    def ephemeral(self, user: str, ts: str) -> Json | None:
        """An ephemeral of a person, or None."""
        return self._ephemerals.get(user, {}).get(ts)

    def messages(self, channel: str) -> list[Json]:
        """All messages and replies of a conversation, oldest first."""
        return list(self._messages.get(channel, {}).values())

    def ephemerals(self, user: str) -> list[Json]:
        """All ephemerals of a person, oldest first."""
        return list(self._ephemerals.get(user, {}).values())

    def thread(self, channel: str, ts: str) -> list[Json]:
        """A parent message and its replies, oldest first; empty when there is no parent."""
        parent = self.message(channel, ts)
        if parent is None:
            return []
        replies = [one for one in self.messages(channel) if is_reply(one) and one["thread_ts"] == ts]
        return [parent, *replies]

    def as_seen_by(self, user: str, channel: str) -> list[Json]:
        """Messages, replies and this person's ephemerals of a conversation, oldest first."""
        mine = [one for one in self.ephemerals(user) if one["channel"] == channel]
        return sorted([*self.messages(channel), *mine], key=lambda one: one["ts"])


def is_reply(message: Json) -> bool:
    """Whether a message is a reply in a thread."""
    return bool(message.get("thread_ts", message["ts"]) != message["ts"])


def with_thread(message: Json, thread: list[Json], *, metadata: bool) -> Json:
    """A message as the Web API shows it: thread counts added, metadata only when asked for."""
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

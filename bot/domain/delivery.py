"""A durable message to a person: its subject, its recipient, and what Slack has confirmed of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

    from bot.domain.identity import Identity

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownAt:
    """A place that can be replaced: an answer only the person sees, or a modal.

    `response_url` works for half an hour and is a secret.
    """

    response_url: str | None = field(default=None, repr=False)
    view_id: str | None = None


LONGEST_NAME = 32
"""How long the name of a subject, and the key of a reply, may be."""


def require_fitting(name: str) -> None:
    """Check that a name fits its column.

    Raises:
        ValueError: it is longer: always a bug.
    """
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{name!r} is longer than {LONGEST_NAME}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message about one subject to one recipient, and its progress.

    A method named after an event returns the delivery after that event. Times are UTC.
    """

    id: str
    subject_kind: str
    subject_id: str
    recipient: Identity
    created_at: datetime
    place: ShownAt | None = None
    """What the message replaces, instead of being posted."""
    channel: str | None = None
    ts: str | None = None
    """The message's address. `channel` alone is where to post it; without it, post a direct message."""
    posting_since: datetime | None = None
    """Since when a post may have been sent without a known answer."""
    drawn: int | None = None
    """The version of the subject that the message shows; versions are counted by wakes."""
    digest: str | None = None
    """A hash of the message's content; None if that is unknown."""
    reply_key: str | None = None
    """The key of the thread reply that may have been posted."""
    replied_key: str | None = None
    """The key of the thread reply that was certainly posted."""
    view_id: str | None = None
    """An open modal that shows the outcome too."""
    posted_at: datetime | None = None
    edited_at: datetime | None = None
    replied_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a subject that does not fit its column."""
        require_fitting(self.subject_id)

    @property
    def metadata(self) -> Json:
        """The metadata by which the message is found in Slack."""
        kind = self.subject_kind
        return {"event_type": f"billing_{kind}", "event_payload": {kind: self.subject_id}}

    def reply_metadata(self, key: str) -> Json:
        """Return the metadata by which a thread reply is found in Slack."""
        kind = self.subject_kind
        return {
            "event_type": f"billing_{kind}_reply",
            "event_payload": {kind: self.subject_id, "state": key},
        }

    def posting(self, now: datetime) -> Delivery:
        """Record that a post is about to be sent; its arrival is unknown until Slack answers."""
        return replace(self, posting_since=self.posting_since or now)

    def posted(self, *, channel: str, ts: str, digest: str | None, now: datetime) -> Delivery:
        """The message exists; `digest` is None if its content is unknown."""
        return replace(self, channel=channel, ts=ts, digest=digest, posted_at=now)

    def edited(self, digest: str, *, now: datetime) -> Delivery:
        """The message was edited."""
        return replace(self, digest=digest, edited_at=now)

    def gone(self) -> Delivery:
        """The message was deleted, so a new one will be posted: to the person, or in the same channel."""
        channel = None if is_direct(self.channel or "") else self.channel
        return replace(self, channel=channel, ts=None, posting_since=None, digest=None, reply_key=None)

    def place_gone(self) -> Delivery:
        """The place that was to be replaced no longer exists."""
        return replace(self, place=None)

    def replying(self, key: str) -> Delivery:
        """A thread reply is about to be sent."""
        return replace(self, reply_key=key)

    def replied(self, key: str, *, now: datetime) -> Delivery:
        """The thread reply exists."""
        return replace(self, replied_key=key, replied_at=now)

    def modal_finished(self) -> Delivery:
        """The app must not change the modal any more: the person may have opened something else there."""
        return replace(self, view_id=None)

    def shown_in_modal(self, key: str) -> Delivery:
        """The open modal shows this outcome, so there is no thread reply about it."""
        return replace(self, replied_key=key)


def is_direct(channel: str) -> bool:
    """Tell whether a conversation is the app's direct messages with one person, by Slack's id."""
    return channel.startswith("D")


def is_channel(recipient: Identity) -> bool:
    """Tell whether a message is for a channel, which then has its reader's place."""
    return recipient.user.startswith(("C", "G"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A short message in the thread, posted once per key. Slack notifies people of it, not of an edit."""

    key: str
    message: Json

    def __post_init__(self) -> None:
        """Refuse a key that does not fit its column: SQLite would take it, and PostgreSQL never."""
        require_fitting(self.key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What a subject's delivery shows now.

    `modal` is what an open modal shows now, `modal_ends` whether that is its last word, and `modal_at`
    (UTC) the moment before which Slack may overwrite it. There is no `reply` where the open modal shows it.
    `posts_anew`: where the place that the message should replace is gone, it is posted to the person.
    `look_again`: when to look again by itself whether the subject has changed. `after` brings up to date
    what else shows the subject; it is called each time the message was brought up to date. `otherwise` is
    called when Slack takes no message there.
    """

    message: Json
    reply: Reply | None = None
    modal: Json | None = None
    modal_at: datetime | None = None
    modal_ends: bool = True
    posts_anew: bool = True
    look_again: timedelta | None = None
    after: Callable[[], Awaitable[None]] | None = None
    otherwise: Callable[[], Awaitable[None]] | None = None

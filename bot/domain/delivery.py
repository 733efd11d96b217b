"""A durable message to a person: about which subject, to whom, and what of it is surely there."""

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
    """Where a person sees something that can be replaced: an answer to them alone, or a modal.

    `response_url` is good for half an hour and a secret.
    """

    response_url: str | None = field(default=None, repr=False)
    view_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message about one subject to one recipient, and how far it is.

    The methods that are named after what happened return the delivery as it is after that. Times are UTC.
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
    """Where the message is; `channel` alone is where it is to be posted, else to the person directly."""
    posting_since: datetime | None = None
    """A post may have left whose answer is unknown."""
    digest: str | None = None
    """What the message says; None when that is unknown."""
    reply_key: str | None = None
    """The thread reply that may have been posted."""
    replied_key: str | None = None
    """The thread reply that was surely posted."""
    view_id: str | None = None
    """An open modal that is to show the outcome too."""
    posted_at: datetime | None = None
    edited_at: datetime | None = None
    replied_at: datetime | None = None

    @property
    def metadata(self) -> Json:
        """What the message is found by in Slack."""
        kind = self.subject_kind
        return {"event_type": f"billing_{kind}", "event_payload": {kind: self.subject_id}}

    def reply_metadata(self, key: str) -> Json:
        """Return what a thread reply is found by in Slack."""
        kind = self.subject_kind
        return {
            "event_type": f"billing_{kind}_reply",
            "event_payload": {kind: self.subject_id, "state": key},
        }

    def posting(self, now: datetime) -> Delivery:
        """A post may have left, and nobody knows whether it arrived."""
        return replace(self, posting_since=self.posting_since or now)

    def posted(self, *, channel: str, ts: str, digest: str | None, now: datetime) -> Delivery:
        """The message is there; `digest` is None when it is unknown what it says."""
        return replace(self, channel=channel, ts=ts, digest=digest, posted_at=now)

    def edited(self, digest: str, *, now: datetime) -> Delivery:
        """The message says something else now."""
        return replace(self, digest=digest, edited_at=now)

    def gone(self) -> Delivery:
        """The message was deleted: another one will be posted."""
        return replace(self, channel=None, ts=None, posting_since=None, digest=None, reply_key=None)

    def place_gone(self) -> Delivery:
        """What was to be replaced is no longer there."""
        return replace(self, place=None)

    def replying(self, key: str) -> Delivery:
        """A thread reply is about to leave."""
        return replace(self, reply_key=key)

    def replied(self, key: str, *, now: datetime) -> Delivery:
        """The thread reply is there."""
        return replace(self, replied_key=key, replied_at=now)

    def modal_finished(self) -> Delivery:
        """The open modal shows the outcome: what the person opens there next is theirs."""
        return replace(self, view_id=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A short message in the thread, once for each key. Slack notifies people of it, not of an edit."""

    key: str
    message: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What a subject's delivery shows now.

    `is_news`: there is more to say than that it is under way. `modal` is the last word of an open modal,
    and `modal_at` (UTC) the moment before which Slack may overwrite it. `posts_anew`: where the place that
    the message should replace is gone, it is posted to the person. `look_again`: when to look again by
    itself whether the subject has changed. `after` brings up to date what else shows the subject; it is
    called each time the message was brought up to date.
    """

    message: Json
    is_news: bool = True
    reply: Reply | None = None
    modal: Json | None = None
    modal_at: datetime | None = None
    posts_anew: bool = True
    look_again: timedelta | None = None
    after: Callable[[], Awaitable[None]] | None = None

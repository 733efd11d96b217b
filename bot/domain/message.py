"""The one message about a charge: where it is, and what of it is surely there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingMessage:
    """Where a charge's message stands.

    `posting_since` (UTC) is set before a post leaves: without a `ts` beside it, the post may or may not
    have arrived. `shown` is a digest of what it says. `reply_state` is the state whose thread reply may
    have been posted, `replied_state` the one whose reply surely was. `view_id` is an open modal to update.
    `posted_at`, `edited_at` and `replied_at` (UTC) tell when that was last recorded.
    """

    id: str
    channel: str | None
    ts: str | None
    posting_since: datetime | None
    shown: str | None
    reply_state: str | None
    replied_state: str | None
    view_id: str | None
    posted_at: datetime | None = None
    edited_at: datetime | None = None
    replied_at: datetime | None = None

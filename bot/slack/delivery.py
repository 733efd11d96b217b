"""Delivers a durable message: post it once, edit it, reply to it, delete duplicates.

Slack has no idempotency key for posts. So the row records that a post may have been sent, and the message
carries its subject as metadata. Before a second attempt the app searches the conversation for that
metadata. Edits are idempotent.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import simplejson
import structlog

from bot.domain.delivery import is_direct
from bot.domain.errors import NotInstalledError, StoreUnavailableError
from bot.engine import LeaseLostError
from bot.slack.errors import (
    MessageGoneError,
    RateLimitedError,
    RecipientUnreachableError,
    SlackError,
    SlackRefusedError,
    SlackUnavailableError,
    UserDeactivatedError,
    ViewGoneError,
)
from bot.timing import SLACK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bot.domain.clock import Clock
    from bot.domain.delivery import Delivery, Drawing, Json, Reply, ShownAt
    from bot.domain.identity import Identity
    from bot.engine import Lease, Released
    from bot.slack.client import DirectMessages, SlackClient
    from bot.slack.response_url import ResponseUrls
    from bot.storage.deliveries import DeliveryStore

LATER = timedelta(hours=1)
"""When to try again after a refusal that an admin may fix."""

LOOK_BACK = 200
OTHER_SECONDS = 30
LOOK_EVERY_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Deliverer:
    """Updates Slack to show the current state of a delivery's subject."""

    def __init__(
        self,
        slack_of: Callable[[Identity], Awaitable[SlackClient]],
        direct_messages: DirectMessages,
        responses: ResponseUrls,
        clock: Clock,
        deactivated: Callable[[Identity], Awaitable[None]],
    ) -> None:
        """`deactivated` is called with a person whose Slack account is gone."""
        self.slack_of = slack_of
        self.direct_messages = direct_messages
        self.responses = responses
        self.clock = clock
        self.deactivated = deactivated

    async def deliver(
        self, store: DeliveryStore, lease: Lease[Delivery], drawing: Drawing | None
    ) -> Released:
        """Post, edit or replace the message, its thread reply and its modal, and give the row back.

        `drawing` is what the message shows now; None if there is nothing to show (any more). If the app is
        not installed, the message waits until it is installed again.

        Raises:
            SlackUnavailableError: Slack gave no answer; the next run first checks what has arrived.
            LeaseLostError: another run holds the row.
        """
        run = _Run(self, store, lease)
        try:
            return await run.deliver(drawing)
        except Exception:
            await run.forget_edit()
            raise

    async def replace(self, identity: Identity, place: ShownAt, message: Json, modal: Json) -> bool:
        """Replace what a person sees by a message or modal; return False if it is gone."""
        if place.response_url and await self.responses.post(place.response_url, message, replace=True):
            return True
        if place.view_id is None:
            return False
        slack = await self.slack_of(identity)
        try:
            await slack.views_update(view_id=place.view_id, view=modal)
        except ViewGoneError:
            return False
        return True


class _Run:
    """One run for one delivery. `delivery` is its current value, and `stored` the value of its row."""

    slack: SlackClient

    def __init__(self, deliverer: Deliverer, store: DeliveryStore, lease: Lease[Delivery]) -> None:
        self._deliverer = deliverer
        self._clock = deliverer.clock
        self._store = store
        self._lease = lease
        self.delivery = self.stored = lease.load()
        self._attempts = lease.claim.attempts
        self._is_shown = False
        self._new_reply: tuple[str, str] | None = None
        """The key and ts of a thread reply that this run has posted; it is stored with the row."""

    async def deliver(self, drawing: Drawing | None) -> Released:
        if drawing is None:
            self._is_shown = True
            return await self._give_back()
        again = drawing.look_again if self._store.keeps_versions else None
        due_at = None if again is None else self._clock.now() + again
        if self._is_up_to_date(drawing):
            self._is_shown = True
            return await self._give_back(due_at)
        try:
            self.slack = await self._deliverer.slack_of(self.delivery.recipient)
            await self._show(drawing)
            self._is_shown = True
        except NotInstalledError:
            log.warning("delivery.not_installed", subject=self.delivery.subject_id)
        except SlackRefusedError as error:
            if drawing.otherwise is not None and isinstance(error, RecipientUnreachableError):
                await drawing.otherwise()
            due_at = self._clock.now() + await self._wait(error)
            log.warning("delivery.later", subject=self.delivery.subject_id, error=error.code)
        return await self._give_back(due_at)

    async def forget_edit(self) -> None:
        """Have the next run edit again, as an edit of this one may arrive after it."""
        if self.stored.ts is not None and self.delivery.digest != self.stored.digest:
            await self._store.forget_digest(self._lease.id)

    def _is_up_to_date(self, drawing: Drawing) -> bool:
        """Tell whether nothing has changed since the last run that showed everything."""
        is_same = self.delivery.digest == _digest(drawing.message)
        is_modal_same = drawing.modal_ends or self.delivery.view_id is None
        return is_same and is_modal_same and self.delivery.drawn == self._lease.claim.wakes

    async def _show(self, drawing: Drawing) -> None:
        try:
            await self._show_message(drawing)
        except SlackRefusedError:
            # Slack takes no message to this person now; an open modal shows the outcome nonetheless.
            await self._show_modal(drawing)
            await self._after(drawing)
            raise
        await self._show_modal(drawing)
        if drawing.reply is not None and self.delivery.ts is not None:
            await self._or_anew(drawing, self._reply(drawing.reply))
        await self._after(drawing)

    async def _after(self, drawing: Drawing) -> None:
        if drawing.after is not None:
            await drawing.after()

    async def _show_message(self, drawing: Drawing) -> None:
        """Update the message; post it again if it is gone."""
        if self.delivery.place is not None:
            if await self._replace(self.delivery.place, drawing):
                return
            self.delivery = self.delivery.place_gone()
        if self.delivery.ts is None and not drawing.posts_anew:
            return
        await self._post(drawing)
        await self._or_anew(drawing, self._edit(drawing))

    async def _or_anew(self, drawing: Drawing, change: Awaitable[None]) -> None:
        """Change the message; post it again if it is gone."""
        try:
            await change
        except MessageGoneError as error:
            log.warning("delivery.gone", subject=self.delivery.subject_id, error=error.code)
            if not drawing.posts_anew:
                if drawing.otherwise is not None:
                    await drawing.otherwise()
                return
            self._attempts = 1
            self.delivery = self.delivery.gone()
            await self._save()
            await self._post(drawing)

    async def _replace(self, place: ShownAt, drawing: Drawing) -> bool:
        digest = _digest(drawing.message)
        if self.delivery.digest == digest:
            return True
        await self._lease.ensure(SLACK_TIMEOUT_SECONDS)
        modal = drawing.modal or {}
        if not await self._deliverer.replace(self.delivery.recipient, place, drawing.message, modal):
            return False
        self.delivery = self.delivery.edited(digest, now=self._clock.now())
        return True

    @property
    def _maybe_posted(self) -> bool:
        """Whether a post may have been sent without an answer; then search before posting again."""
        unknown = self._attempts > 1 or self.delivery.posting_since is not None
        return self.delivery.ts is None and unknown

    async def _post(self, drawing: Drawing) -> None:
        """Post the message unless it exists; store its address."""
        if self.delivery.ts is not None:
            return
        user = self.delivery.recipient.user
        channel = self.delivery.channel or await self._deliverer.direct_messages.channel(self.slack, user)
        found = await self._find_message(channel) if self._maybe_posted else None
        digest = None if found else _digest(drawing.message)
        ts = found or await self._send(channel, drawing.message, metadata=self.delivery.metadata)
        self.delivery = self.delivery.posted(channel=channel, ts=ts, digest=digest, now=self._clock.now())
        more = drawing.reply or drawing.after or (drawing.modal and self.delivery.view_id)
        if found or more:  # otherwise it is stored at once, when the row is given back
            try:
                await self._save()
            except LeaseLostError:
                await self._take_back(channel, ts, self._posted_by_another)
                raise

    async def _edit(self, drawing: Drawing) -> None:
        digest = _digest(drawing.message)
        if self.delivery.digest == digest:
            return
        await self._lease.ensure(SLACK_TIMEOUT_SECONDS)
        try:
            await self.slack.chat_update(
                channel=str(self.delivery.channel),
                ts=str(self.delivery.ts),
                metadata=self.delivery.metadata,
                **drawing.message,
            )
        except SlackUnavailableError:
            # This edit may arrive late, after another run's, so the next run must edit again.
            await self._store.forget_digest(self._lease.id)
            raise
        self.delivery = self.delivery.edited(digest, now=self._clock.now())

    async def _reply(self, reply: Reply) -> None:
        """Post the thread reply unless it exists."""
        if self.delivery.replied_key == reply.key:
            return
        channel, thread = str(self.delivery.channel), str(self.delivery.ts)
        metadata = self.delivery.reply_metadata(reply.key)
        if self.delivery.reply_key == reply.key and await self._find_reply(reply.key):
            self.delivery = self.delivery.replied(reply.key, now=self._clock.now())
            return
        self.delivery = self.delivery.replying(reply.key)
        await self._save()
        ts = await self._send(channel, reply.message, thread_ts=thread, metadata=metadata)
        self._new_reply = reply.key, ts
        self.delivery = self.delivery.replied(reply.key, now=self._clock.now())

    async def _show_modal(self, drawing: Drawing) -> None:
        """Show in the open modal what the message shows already."""
        if self.delivery.view_id is None or drawing.modal is None:
            return
        if drawing.modal_at is not None:
            wait = (drawing.modal_at - self._clock.now()).total_seconds()
            await self._lease.sleep(max(0.0, wait))
        if await self._store.open_modal_of(self._lease.id) != self.delivery.view_id:
            return  # the person has opened something else there meanwhile
        try:
            await self.slack.views_update(view_id=self.delivery.view_id, view=drawing.modal)
        except RateLimitedError:
            raise
        except SlackRefusedError as error:
            log.info("delivery.modal_gone", subject=self.delivery.subject_id, error=error.code)
            self.delivery = self.delivery.modal_finished()
            return
        if drawing.reply is not None:
            self.delivery = self.delivery.shown_in_modal(drawing.reply.key)
        if drawing.modal_ends:
            self.delivery = self.delivery.modal_finished()

    async def _wait(self, error: SlackRefusedError) -> timedelta:
        """Return how long to wait before the next attempt."""
        if isinstance(error, RateLimitedError):
            return timedelta(seconds=error.retry_after)
        if isinstance(error, UserDeactivatedError):
            await self._deliverer.deactivated(self.delivery.recipient)
        self._deliverer.direct_messages.forget(self.delivery.recipient.user)
        return LATER

    async def _save(self) -> None:
        after = await self._store.save(self._lease, self.stored, self.delivery)
        self.delivery = self.stored = after

    async def _give_back(self, due_at: datetime | None = None) -> Released:
        if self._maybe_posted:
            # The next run's count of attempts starts again, so store that a post may have been sent.
            self.delivery = self.delivery.posting(self._clock.now())
        channel, ts = self.delivery.channel, self.delivery.ts
        try:
            return await self._store.finish(
                self._lease, self.stored, self.delivery, is_shown=self._is_shown, due_at=due_at
            )
        except LeaseLostError:
            if ts is not None and self.stored.ts is None:
                await self._take_back(str(channel), ts, self._posted_by_another)
            if self._new_reply is not None:
                key, reply_ts = self._new_reply
                await self._take_back(str(channel), reply_ts, lambda: self._replied_by_another(key))
            raise

    async def _send(self, channel: str, message: Json, **arguments: Any) -> str:  # noqa: ANN401 - as slack-sdk has it
        await self._lease.ensure(SLACK_TIMEOUT_SECONDS)
        answer = await self.slack.chat_postMessage(
            channel=channel, unfurl_links=False, unfurl_media=False, **message, **arguments
        )
        return str(answer["ts"])

    async def _find_message(self, channel: str) -> str | None:
        """Return the ts of a post whose answer was lost; None if it did not arrive.

        The app may not read a channel: there a notice is posted again, as twice is better than never.
        """
        if not is_direct(channel):
            return None
        oldest = f"{(self.delivery.created_at - timedelta(minutes=5)).timestamp():.6f}"
        cursor: str | None = None
        while True:
            answer = await self.slack.conversations_history(
                channel=channel, oldest=oldest, limit=LOOK_BACK, include_all_metadata=True, cursor=cursor
            )
            for message in answer["messages"]:
                if _carries(message, self.delivery.metadata):
                    return str(message["ts"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None

    async def _find_reply(self, key: str) -> str | None:
        """Return the ts of the first thread reply with this key; None if there is none, as above."""
        if not is_direct(str(self.delivery.channel)):
            return None
        answer = await self.slack.conversations_replies(
            channel=str(self.delivery.channel),
            ts=str(self.delivery.ts),
            limit=LOOK_BACK,
            include_all_metadata=True,
        )
        metadata = self.delivery.reply_metadata(key)
        return next((str(each["ts"]) for each in answer["messages"] if _carries(each, metadata)), None)

    async def _posted_by_another(self) -> str | None:
        found = await self._store.get(self._lease.id)
        return found.ts if found else None

    async def _replied_by_another(self, key: str) -> str | None:
        found = await self._store.get(self._lease.id)
        if found is None or found.replied_key != key:
            return None
        return await self._find_reply(key)

    async def _take_back(self, channel: str, ts: str, others: Callable[[], Awaitable[str | None]]) -> None:
        """Delete a late duplicate, once the other run's post is known."""
        for _ in range(int(OTHER_SECONDS / LOOK_EVERY_SECONDS)):
            with suppress(SlackError, StoreUnavailableError):
                other = await others()
                if other == ts or (other is not None and await self._deleted(channel, ts)):
                    return
            await self._clock.sleep(LOOK_EVERY_SECONDS)
        log.error("delivery.not_taken_back", channel=channel)

    async def _deleted(self, channel: str, ts: str) -> bool:
        """Delete a post; return False if Slack refuses for now."""
        try:
            await self.slack.chat_delete(channel=channel, ts=ts)
        except MessageGoneError:
            pass
        except SlackRefusedError as error:
            log.warning("delivery.delete_refused", error=error.code)
            return False
        log.warning("delivery.taken_back", channel=channel)
        return True


def _carries(message: dict[str, Any], metadata: Json) -> bool:
    theirs: dict[str, Any] = message.get("metadata") or {}
    return all(theirs.get(name) == value for name, value in metadata.items())


def _digest(message: Json) -> str:
    return hashlib.sha256(simplejson.dumps(message, sort_keys=True).encode()).hexdigest()

"""The ways to answer a request: by the acknowledgement, by an ephemeral message, or in a modal."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bot.slack.errors import SlackRefusedError, SlackUnavailableError, ViewGoneError
from bot.timing import ACK_WITHIN_SECONDS, AFTER_ACK_SECONDS, SLACK_WAITS_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_slack_response import AsyncSlackResponse

    from bot.domain.delivery import Json
    from bot.slack.client import DirectMessages, SlackClient
    from bot.slack.request import SlackRequest
    from bot.slack.response_url import ResponseUrls

PATIENCE_SECONDS = 1.5

acknowledgement_sent: ContextVar[asyncio.Event | None] = ContextVar("acknowledgement_sent", default=None)
"""Set by whoever takes the request from Slack: when its acknowledgement has left this process."""

log = structlog.get_logger(__name__)


class Message(Protocol):
    """A message that can be sent."""

    @property
    def json(self) -> Json:
        """The message as arguments of Slack's methods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingScreens:
    """The screens to show while an answer is slow, and the conversion of a message to a modal."""

    message: Message
    modal: Callable[[str], Json]
    message_modal: Callable[[str, Any], Json]


class Reply:
    """Answers one request. `view_id` is the id of the answer's modal, if there is one."""

    def __init__(
        self,
        request: SlackRequest,
        ack: AsyncAck,
        slack: SlackClient,
        responses: ResponseUrls,
        direct_messages: DirectMessages,
        screens: WaitingScreens,
    ) -> None:
        """`slack` acts in the workspace from which the request came."""
        self._request = request
        self._responses = responses
        self._direct_messages = direct_messages
        self._screens = screens
        self._wait_shown = False
        self.ack = ack
        self.slack = slack
        self.answers_by_ack = False
        """Whether the acknowledgement itself is the answer."""
        self.may_replace = True
        """Whether an answer may replace the ephemeral message with the clicked button."""
        self.replaced: Callable[[], Awaitable[None]] | None = None
        """Called when an answer has replaced the ephemeral message with the clicked button."""
        self.taken_over: Callable[[str], Awaitable[None]] | None = None
        """Called with the clicked modal's id before the answer is shown there."""
        self.title = "Billing"
        self.view_id: str | None = None
        self._view_hash: str | None = None

    async def message(self, message: Message, *, is_last: bool = True) -> None:
        """Answer only this person, and replace the clicked ephemeral message or modal.

        If the response_url fails, the answer goes to the person's direct messages, unless another answer
        follows (`is_last`).
        """
        if self.answers_by_ack:
            await self.ack({**message.json, "response_type": "ephemeral"})
            return
        url = self._request.response_url
        if url is None:
            if self.view_id is None:
                await self.open_modal(self.title)
            await self.show(self._screens.message_modal(self.title, message))
            return
        in_ephemeral = self._request.in_ephemeral and self.may_replace
        # Replace only messages that this person alone sees, never a permanent one.
        own_wait = self._wait_shown and self._request.own_response_url is not None
        if not await self._post(url, message, replace=in_ephemeral or own_wait):
            if is_last:
                await self._post_directly(message)
        elif in_ephemeral and self.replaced is not None:
            await self.replaced()

    async def _post(self, url: str, message: Message, *, replace: bool) -> bool:
        """Post to the response_url; return False if that failed and there is another way."""
        try:
            return await self._responses.post(url, message.json, replace=replace)
        except SlackUnavailableError as error:
            log.warning("reply.response_url_away", problem=error.code)
            return False

    async def _post_directly(self, message: Message) -> None:
        """Answer in the person's direct messages, because the response_url failed.

        Raises:
            SlackError: that fails too.
        """
        channel = await self._direct_messages.channel(self.slack, self._request.identity.user)
        await self.slack.chat_postMessage(
            channel=channel, unfurl_links=False, unfurl_media=False, **message.json
        )

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Show a waiting message if the block takes longer than PATIENCE_SECONDS.

        Not after a click in a permanent message: the waiting message could not be replaced there.
        """

        async def show_wait() -> None:
            await asyncio.sleep(PATIENCE_SECONDS)
            if self._request.clicked_message is not None:
                return
            self._wait_shown = True
            await self.message(self._screens.message, is_last=False)

        showing_wait = asyncio.create_task(show_wait())
        try:
            yield
        finally:
            # A waiting message that is being sent must arrive before the answer, which also needs its view.
            if not self._wait_shown:
                showing_wait.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await showing_wait

    def in_modal(self, title: str) -> None:
        """Answer in the submitted or clicked modal.

        Raises:
            StaleError: the request has no view.
        """
        view = self._request.view
        self.view_id, self._view_hash, self.title = view.id, view.hash, title

    def in_submitted_modal(self, title: str) -> None:
        """Answer in the submitted modal; the acknowledgement may have changed it since.

        Raises:
            StaleError: the request has no view.
        """
        self.view_id, self.title = self._request.view.id, title

    async def open_modal(self, title: str) -> None:
        """Open a modal immediately, or take over the clicked one.

        A trigger is valid for three seconds and for one view.

        Raises:
            TriggerExpiredError: the trigger has expired.
        """
        self.title = title
        modal = self._request.modal
        if modal is not None:
            self.view_id = modal.id
            if self.taken_over is not None:
                await self.taken_over(modal.id)
            # Without the hash: the app may have brought the modal up to date since the click.
            await self.show(self._screens.modal(title))
            return
        answer = await self.slack.views_open(
            trigger_id=self._request.payload.trigger_id or "", view=self._screens.modal(title)
        )
        self._answer_in(answer)

    def _answer_in(self, opened: AsyncSlackResponse) -> None:
        """Answer from now on in the modal that Slack has opened."""
        view: dict[str, Any] = opened.get("view") or {}
        self.view_id, self._view_hash = view.get("id"), view.get("hash")

    async def push_modal(self, title: str) -> None:
        """Open a modal on top of the clicked one, with Slack's own way back; elsewhere do nothing.

        A stack of three modals is full: then the clicked one is taken over.

        Raises:
            TriggerExpiredError: the trigger has expired.
        """
        self.title = title
        if self._request.modal is None:
            return
        try:
            answer = await self.slack.views_push(
                trigger_id=self._request.payload.trigger_id or "", view=self._screens.modal(title)
            )
        except SlackRefusedError as error:
            if error.code != "push_limit_reached":
                raise
            await self.open_modal(title)
            return
        self._answer_in(answer)

    async def await_outcome(self, view: Json, title: str) -> None:
        """Show `view` in the clicked modal until an outcome is shown there, unless one already is.

        Raises:
            StaleError: the request has no view.
        """
        self.in_modal(title)
        await self.show(view)

    async def become(self, waiting: Json, work: Awaitable[Json]) -> None:
        """Acknowledge a submission with the modal's next view, or with `waiting` if the work is slow.

        Slack applies an acknowledgement some time after it was sent, and would overwrite a view that
        follows too soon. So the result of slow work is shown only after a pause.
        """
        working = asyncio.ensure_future(work)
        await asyncio.wait({working}, timeout=ACK_WITHIN_SECONDS)
        if working.done():
            await self.ack(response_action="update", view=working.result())
            return
        await self.ack(response_action="update", view=waiting)
        if (sent := acknowledgement_sent.get()) is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(sent.wait(), SLACK_WAITS_SECONDS)
        await asyncio.sleep(AFTER_ACK_SECONDS)
        await self.show(await working)

    async def show(self, view: Json) -> bool:
        """Replace the open view; return False if the person has closed or left it."""
        if self.view_id is None:
            raise RuntimeError("no view is open")
        try:
            answer = await self.slack.views_update(view_id=self.view_id, hash=self._view_hash, view=view)
        except ViewGoneError as error:
            log.info("reply.view_gone", error=error.code)
            return False
        updated: dict[str, Any] = answer.get("view") or {}
        self._view_hash = updated.get("hash")
        return True

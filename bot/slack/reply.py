"""The ways to answer a request: in the acknowledgement, to the person alone, or in a modal."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bot.slack.errors import ViewGoneError
from bot.slack.response_url import post_response
from bot.timing import ACK_WITHIN_SECONDS, AFTER_ACK_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import aiohttp
    from slack_bolt.context.ack.async_ack import AsyncAck

    from bot.domain.delivery import Json
    from bot.slack.client import SlackClient
    from bot.slack.request import SlackRequest

PATIENCE_SECONDS = 1.5

log = structlog.get_logger(__name__)


class Message(Protocol):
    """What can be said."""

    @property
    def json(self) -> Json:
        """The message as Slack's methods take it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingScreens:
    """What is shown while an answer takes its time, and how a message looks as a modal."""

    message: Message
    modal: Callable[[str], Json]
    message_modal: Callable[[str, Any], Json]


class Reply:
    """Answers one request. `view_id` is the modal that it concerns, once there is one."""

    def __init__(
        self,
        request: SlackRequest,
        ack: AsyncAck,
        slack: SlackClient,
        http: aiohttp.ClientSession,
        screens: WaitingScreens,
    ) -> None:
        """`slack` acts in the workspace from which the request came."""
        self._request = request
        self._http = http
        self._screens = screens
        self._told_to_wait = False
        self.ack = ack
        self.slack = slack
        self.answers_by_ack = False
        """The answer is the acknowledgement itself."""
        self.may_replace = True
        """Whether an answer may take the place of the ephemeral message that was clicked in."""
        self.replaced: Callable[[], Awaitable[None]] | None = None
        """Called when an answer has replaced the ephemeral message that was clicked in."""
        self.title = "Billing"
        self.view_id: str | None = None
        self._view_hash: str | None = None

    async def message(self, message: Message) -> None:
        """Answer the person alone, in place of the ephemeral message or the modal that was clicked in."""
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
        # Only what is the person's own: an answer never replaces a message that stays.
        own_wait = self._told_to_wait and self._request.own_response_url is not None
        await post_response(self._http, url, message.json, replace=in_ephemeral or own_wait)
        if in_ephemeral and self.replaced is not None:
            await self.replaced()

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Tell the person that it takes a moment, if it does.

        Not beside a message that stays: the line could never be taken away again.
        """

        async def tell() -> None:
            await asyncio.sleep(PATIENCE_SECONDS)
            if self._request.clicked_message is not None:
                return
            self._told_to_wait = True
            await self.message(self._screens.message)

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            # What has left is waited for: the answer must come after it, and know the view it left.
            if not self._told_to_wait:
                telling.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await telling

    def in_modal(self, title: str) -> None:
        """Answer in the modal that was submitted or clicked in.

        Raises:
            StaleError: there is none.
        """
        view = self._request.view
        self.view_id, self._view_hash, self.title = view.id, view.hash, title

    def in_submitted_modal(self, title: str) -> None:
        """Answer in the modal that was submitted; the acknowledgement may have changed it since.

        Raises:
            StaleError: there is none.
        """
        self.view_id, self.title = self._request.view.id, title

    async def open_modal(self, title: str) -> None:
        """Open a modal at once, or take over the one that was clicked in.

        A trigger is good for three seconds and for one view.

        Raises:
            TriggerExpiredError: it came too late.
        """
        self.title = title
        modal = self._request.modal
        if modal is not None:
            self.view_id, self._view_hash = modal.id, modal.hash
            await self.show(self._screens.modal(title))
            return
        answer = await self.slack.views_open(
            trigger_id=self._request.payload.trigger_id or "", view=self._screens.modal(title)
        )
        view: dict[str, Any] = answer.get("view") or {}
        self.view_id, self._view_hash = view.get("id"), view.get("hash")

    async def become(self, waiting: Json, work: Awaitable[Json]) -> None:
        """Acknowledge a submission with what the modal becomes, or with `waiting` if that takes long.

        Slack applies an acknowledgement some time after it was sent; a view that follows too closely
        would be overwritten by it. So quick work is waited for, and slow work keeps a distance.
        """
        working = asyncio.ensure_future(work)
        await asyncio.wait({working}, timeout=ACK_WITHIN_SECONDS)
        if working.done():
            await self.ack(response_action="update", view=working.result())
            return
        await self.ack(response_action="update", view=waiting)
        await asyncio.sleep(AFTER_ACK_SECONDS)
        await self.show(await working)

    async def show(self, view: Json) -> bool:
        """Put a view in the place of the open one; False when the person has closed or left it."""
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

"""One request from Slack: who asks, what for, and the ways to answer."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from blocks.loading import loading_message, loading_modal, message_modal
from bot.domain.errors import StaleError, StoreUnavailableError
from bot.domain.identity import Identity
from bot.domain.installation import Place
from bot.slack import SLACK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from slack_bolt.context.ack.async_ack import AsyncAck

    from blocks.kit import Json, Message
    from bot.runtime import Runtime
    from bot.slack import SlackClient

PATIENCE_SECONDS = 1.5
ACK_WITHIN_SECONDS = 0.8
AFTER_ACK_SECONDS = 0.5
GONE_VIEW = frozenset({"not_found", "hash_conflict", "view_not_found"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClickedMessage:
    """Where a message stands; `ts` is its thread's where it is in one."""

    channel: str
    ts: str


@dataclass(kw_only=True, slots=True)
class Call:
    """A command, click, submission or event. `view` is the modal it concerns, once there is one.

    `text` is what was typed after the subcommand, `wanted` the whole of it, to go on with after connecting.
    `slack` acts in the workspace from which it came. `answers_by_ack`: the answer is the acknowledgement.
    """

    runtime: Runtime
    identity: Identity
    slack: SlackClient
    body: dict[str, Any]
    ack: AsyncAck
    text: str = ""
    wanted: str | None = None
    view_id: str | None = None
    view_hash: str | None = None
    view_title: str = "Billing"
    told_to_wait: bool = False
    answers_by_ack: bool = False

    @property
    def action(self) -> dict[str, Any]:
        """The clicked element's payload."""
        actions: list[dict[str, Any]] = self.body.get("actions") or [{}]
        return actions[0]

    @property
    def origin(self) -> str:
        """From where it came, for the audit log: the kind of request, and the channel if it names one."""
        channel: Any = self.body.get("channel_id") or self.body.get("channel")
        kind = "command" if "command" in self.body else str(self.body.get("type") or "request")
        return f"slack {kind} {_id(channel)}".strip()[:120]

    @property
    def view(self) -> dict[str, Any]:
        """The submitted or clicked view.

        Raises:
            StaleError: there is none, as in a click in a message that only a view's button sends.
        """
        view: Any = self.body.get("view")
        if not isinstance(view, dict):
            raise StaleError
        return view

    @property
    def metadata(self) -> str:
        """The submitted or clicked view's private metadata."""
        view: dict[str, Any] = self.body.get("view") or {}
        return str(view.get("private_metadata") or "")

    @property
    def in_ephemeral(self) -> bool:
        """Tell whether the click came from a message that only the person sees."""
        container: dict[str, Any] = self.body.get("container") or {}
        return bool(container.get("is_ephemeral"))

    @property
    def clicked_message(self) -> ClickedMessage | None:
        """The message of the app's own that was clicked in, None for a view or an ephemeral answer."""
        container: dict[str, Any] = self.body.get("container") or {}
        channel, ts = container.get("channel_id"), container.get("thread_ts") or container.get("message_ts")
        if container.get("type") != "message" or self.in_ephemeral:
            return None
        if not (isinstance(channel, str) and isinstance(ts, str)):
            return None
        return ClickedMessage(channel=channel, ts=ts)

    @property
    def in_home(self) -> bool:
        """Tell whether the click came from App Home."""
        view: dict[str, Any] = self.body.get("view") or {}
        return view.get("type") == "home"

    @property
    def clicked_modal(self) -> str | None:
        """The id of the modal that was clicked in."""
        view: dict[str, Any] = self.body.get("view") or {}
        return view.get("id") if view.get("type") == "modal" else None

    @property
    def response_url(self) -> str | None:
        """Where the answer goes, None for clicks in a view."""
        url = self.body.get("response_url")
        return url if isinstance(url, str) and url else None

    @property
    def own_response_url(self) -> str | None:
        """The response_url, if replacing its message replaces nothing but this call's own answer."""
        return self.response_url if "command" in self.body or self.in_ephemeral else None

    @property
    def inputs(self) -> dict[str, Any]:
        """What was entered in the submitted or clicked view, by the ids of its inputs."""
        state: dict[str, Any] = self.view.get("state") or {}
        return state.get("values") or {}

    def typed(self, block_id: str) -> str | None:
        """Return what was typed or chosen in an input of the submitted view."""
        values: dict[str, Any] = self.inputs.get(block_id) or {}
        element: dict[str, Any] = next(iter(values.values()), {})
        option: dict[str, Any] = element.get("selected_option") or {}
        value = element.get("value") or option.get("value")
        return value if isinstance(value, str) else None

    async def reply(self, message: Message) -> None:
        """Answer the person alone, in place of the ephemeral or the modal that was clicked in."""
        if self.answers_by_ack:
            await self.ack({**message.json, "response_type": "ephemeral"})
            return
        if self.response_url is None:
            if self.view_id is None:
                await self.open_loading(self.view_title)
            await self.show(message_modal(self.view_title, message))
            return
        # Nothing but the person's own: a message that stays is never replaced by an answer.
        replace = self.in_ephemeral or (self.told_to_wait and self.own_response_url is not None)
        await post_response(self.runtime, self.response_url, message, replace=replace)
        if self.in_ephemeral:
            with contextlib.suppress(StoreUnavailableError):
                await self.runtime.overviews.forget(self.identity)

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Tell the person that it takes a moment, if it does.

        Not beside a message that stays: the line could never be taken away again.
        """

        async def tell() -> None:
            await asyncio.sleep(PATIENCE_SECONDS)
            if self.clicked_message is not None:
                return
            self.told_to_wait = True
            await self.reply(loading_message())

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            # What has left is waited for: the answer must come after it, and know the view it left.
            if not self.told_to_wait:
                telling.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await telling

    async def open_loading(self, title: str) -> None:
        """Open a modal at once, or take over the one that was clicked in.

        A trigger is good for three seconds and for one view.
        """
        self.view_title = title
        clicked: dict[str, Any] = self.body.get("view") or {}
        if clicked.get("type") == "modal":
            self.view_id, self.view_hash = clicked.get("id"), clicked.get("hash")
            await self.show(loading_modal(title))
            return
        answer = await self.slack.views_open(
            trigger_id=self.body.get("trigger_id", ""), view=loading_modal(title)
        )
        view: dict[str, Any] = answer.get("view") or {}
        self.view_id, self.view_hash = view.get("id"), view.get("hash")

    async def become(self, loading: Json, work: Awaitable[Json]) -> None:
        """Acknowledge a submission with what the modal becomes, or with `loading` if that takes long.

        Slack applies an acknowledgement some time after it was sent; a view that follows too closely
        would be overwritten by it. So quick work is waited for, and slow work keeps a distance.
        """
        working = asyncio.ensure_future(work)
        await asyncio.wait({working}, timeout=ACK_WITHIN_SECONDS)
        if working.done():
            await self.ack(response_action="update", view=working.result())
            return
        await self.ack(response_action="update", view=loading)
        await asyncio.sleep(AFTER_ACK_SECONDS)
        await self.show(await working)

    async def show(self, view: Json) -> bool:
        """Put a view in the place of the open one; False when the person has closed or left it."""
        if self.view_id is None:
            raise RuntimeError("no view is open")
        try:
            answer = await self.slack.views_update(view_id=self.view_id, hash=self.view_hash, view=view)
        except SlackApiError as error:
            if error.response.get("error") in GONE_VIEW:
                log.info("call.view_gone", error=error.response.get("error"))
                return False
            raise
        updated: dict[str, Any] = answer.get("view") or {}
        self.view_hash = updated.get("hash")
        return True


async def post_response(runtime: Runtime, url: str, message: Message, *, replace: bool) -> bool:
    """Post to a response_url, to the person alone; False when Slack no longer takes it."""
    client = AsyncWebhookClient(
        url,
        session=runtime.http,
        timeout=SLACK_TIMEOUT_SECONDS,
        retry_handlers=[],
    )
    answer = await client.send_dict(
        {
            **message.json,
            "response_type": "ephemeral",
            "replace_original": replace,
            "unfurl_links": False,
            "unfurl_media": False,
        }
    )
    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's OK
        log.warning("call.response_url_refused", status=answer.status_code)
    return answer.status_code == 200  # noqa: PLR2004 - HTTP's OK


def place_of(body: dict[str, Any]) -> Place:
    """Return through which installation a request came."""
    private = _is_private(body)
    authorizations: Any = body.get("authorizations")
    if isinstance(authorizations, list) and authorizations and isinstance(authorizations[0], dict):
        body = {"team_id": body.get("team_id"), **authorizations[0]}
    enterprise = body.get("enterprise_id") or body.get("enterprise")
    team = body.get("team_id") or body.get("team")
    return Place(enterprise=_id(enterprise), team=_id(team), private=private)


def _is_private(body: dict[str, Any]) -> bool:
    """Tell whether one person alone can see what was clicked: a view, an ephemeral, a direct message."""
    container = body.get("container")
    ephemeral = isinstance(container, dict) and container.get("is_ephemeral") is True
    return "view" in body or "event" in body or ephemeral or _id(body.get("channel")).startswith("D")


def identity_of(body: dict[str, Any]) -> Identity:
    """Return who acts, as the request says; in a shared channel that may be somebody from elsewhere."""
    event: Any = body.get("event")
    user: Any = body.get("user") or body.get("user_id")
    if user is None and isinstance(event, dict):
        user = event.get("user")
    team: Any = user.get("team_id") if isinstance(user, dict) else None
    place = place_of(body)
    return Identity(
        enterprise=place.enterprise,
        team=_id(team or body.get("team_id")) or place.team,
        user=_id(user),
    )


def _id(value: object) -> str:
    """Return an id, of an object or bare; what is neither names nothing."""
    found: object = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""

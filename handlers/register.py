"""Registers all listeners with Bolt. Each acknowledges, admits, and runs within the error boundary."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import structlog
from slack_bolt import BoltResponse
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.middleware.async_middleware import AsyncMiddleware

from blocks import ids
from bot.domain.audit import acting
from bot.domain.errors import NotReadyError, StaleError, StoreUnavailableError
from bot.services.lifecycle import NotSureError
from bot.timing import ACK_WITHIN_SECONDS
from handlers import lifecycle
from handlers.admission import admitted
from handlers.context import Context
from handlers.errors import run_guarded
from handlers.home import handle_home_opened
from handlers.registry import SUBCOMMANDS
from handlers.slash import answered_from_memory, handle_command, handle_go_on, handle_more

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from slack_bolt.app.async_app import AsyncApp
    from slack_bolt.request.async_request import AsyncBoltRequest

    from bot.runtime import Runtime
    from handlers.registry import Handle

    Listener = Callable[[AsyncAck, dict[str, Any]], Awaitable[None]]

COMMAND = "/billing"

log = structlog.get_logger(__name__)


def register(app: AsyncApp, runtime: Runtime) -> None:
    """Register the listeners of the registry, and those of App Home."""
    # One listener per kind of request, because Bolt tries its listeners one after another.
    submissions = {name: handle for row in SUBCOMMANDS for name, handle in row.submissions.items()}
    closings = {name: handle for row in SUBCOMMANDS for name, handle in row.closings.items()}
    actions = {name: handle for row in SUBCOMMANDS for name, handle in row.actions.items()}
    actions[ids.GO_ON] = actions[ids.SHOW_HELP] = handle_go_on
    actions[ids.MORE] = handle_more
    app.command(COMMAND)(_command(runtime))
    app.view_submission(_any_of(submissions))(_submission(runtime, _by_view(submissions)))
    app.action(_any_of(actions))(_acknowledged(runtime, _by_action(actions)))
    app.view_closed(_any_of(closings))(_decided(runtime, _by_view(closings)))
    app.event("app_home_opened")(_acknowledged(runtime, handle_home_opened))
    app.middleware(_AboutTheApp(runtime))
    app.error(_unhandled(runtime))


def _any_of(handles: Mapping[str, Handle]) -> re.Pattern[str]:
    return re.compile(rf"\A(?:{'|'.join(map(re.escape, handles))})\Z")


def _by_view(handles: Mapping[str, Handle]) -> Handle:
    async def handle(context: Context) -> None:
        await handles[context.request.view.callback_id or ""](context)

    return handle


def _by_action(handles: Mapping[str, Handle]) -> Handle:
    async def handle(context: Context) -> None:
        await handles[context.request.action.action_id or ""](context)

    return handle


def _command(runtime: Runtime) -> Listener:
    """Answer in the acknowledgement if no server is needed; acknowledge any other command at once."""
    listen = _acknowledged(runtime, handle_command)

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        context = Context.of(runtime, ack, body)
        if not answered_from_memory(context.request):
            await listen(ack, body)
            return
        context.reply.answers_by_ack = True
        await run_guarded(context, admitted(handle_command), acked=True)
        if ack.response is None:
            await ack()

    return listener


def _acknowledged(runtime: Runtime, handle: Handle) -> Listener:
    """Acknowledge at once, then work: the portal may take longer than Slack waits."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        context = Context.of(runtime, ack, body)
        runtime.open_requests.start(_answer(context, admitted(handle), acked=True))

    return listener


def _decided(runtime: Runtime, handle: Handle) -> Listener:
    """Work, then acknowledge, so that later requests see the result; wait only briefly for the work."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        context = Context.of(runtime, ack, body)
        work = runtime.open_requests.start(_answer(context, admitted(handle), acked=True))
        await asyncio.wait({work}, timeout=ACK_WITHIN_SECONDS)
        await ack()

    return listener


def _submission(runtime: Runtime, handle: Handle) -> Listener:
    """Let the handler acknowledge with the modal's next view; before that it may only use the database."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        given = _GivenAck()
        context = Context.of(runtime, given, body)
        answer = runtime.open_requests.start(_answer(context, admitted(handle), acked=False))
        answer.add_done_callback(given.over)
        await given.wait()
        ack.response = given.response

    return listener


class _GivenAck(AsyncAck):
    """An acknowledgement that another task can wait for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = asyncio.Event()

    async def __call__(self, *args: Any, **kwargs: Any) -> BoltResponse:  # noqa: ANN401 - Bolt's own
        """Acknowledge."""
        response = await super().__call__(*args, **kwargs)
        self._given.set()
        return response

    def over(self, _work: object) -> None:
        """End the wait, because the work ended without an acknowledgement."""
        self._given.set()

    async def wait(self) -> None:
        """Return when the acknowledgement was given."""
        await self._given.wait()


class _AboutTheApp(AsyncMiddleware):
    """Handles events about the app before it acknowledges them, so that Slack retries after a failure.

    It is a middleware because Bolt acknowledges events before their listeners run.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002 - Bolt's protocol
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002 - Bolt's protocol
    ) -> BoltResponse | None:
        """Answer an event about the app; pass everything else on."""
        event = req.body.get("event")
        kind = event.get("type") if isinstance(event, dict) else None
        handle = lifecycle.EVENTS.get(kind) if isinstance(kind, str) else None
        if handle is None:
            return await next()
        ack = AsyncAck()  # type: ignore[no-untyped-call]
        with self._runtime.open_requests.one(), acting(f"slack event {kind}"):
            try:
                await handle(Context.of(self._runtime, ack, req.body))
            except (NotReadyError, StoreUnavailableError, NotSureError) as error:
                log.warning("register.again_later", problem=type(error).__name__)
                return BoltResponse(status=503, body="again later")
        return BoltResponse(status=200, body="")


def _unhandled(runtime: Runtime) -> Callable[..., Awaitable[BoltResponse]]:
    """Answer requests without a listener: from another release's screens, or not from Slack."""

    async def handle_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
        if not isinstance(error, BoltUnhandledRequestError):
            log.error("register.failed", exc_info=error)
            return BoltResponse(status=400, body="cannot be read")
        log.info("register.unhandled", payload=str(body.get("type") or body.get("command"))[:40])
        ack = AsyncAck()  # type: ignore[no-untyped-call]
        context = Context.of(runtime, ack, body)
        if context.request.is_submission:
            await run_guarded(context, admitted(_say_stale), acked=False)
        elif context.request.is_command or body.get("type") == "block_actions":
            runtime.open_requests.start(run_guarded(context, admitted(_say_stale), acked=True))
        return ack.response or BoltResponse(status=200, body="")

    return handle_error


async def _say_stale(_context: Context) -> None:
    raise StaleError


async def _answer(context: Context, handle: Handle, *, acked: bool) -> None:
    with acting(context.request.origin):
        await run_guarded(context, handle, acked=acked)

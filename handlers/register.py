"""Every listener, hung on the Bolt app: acknowledge, know who asks, run inside the error boundary."""

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
from blocks.errors import error_modal, stranger_copy, stranger_message
from bot.domain.audit import acting
from bot.domain.errors import (
    NotInstalledError,
    NotReadyError,
    StaleError,
    StoreUnavailableError,
    TooFastError,
)
from bot.services.lifecycle import NotSureError
from handlers import lifecycle
from handlers.call import ACK_WITHIN_SECONDS, Call, identity_of, place_of
from handlers.errors import run_guarded
from handlers.home import handle_home_opened
from handlers.payload import is_well_made
from handlers.registry import SUBCOMMANDS
from handlers.slash import handle_command, handle_go_on, needs_nobody

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
    """Register what the registry lists, and the App Home."""
    submissions = {name: handle for row in SUBCOMMANDS for name, handle in row.submissions.items()}
    actions = {name: handle for row in SUBCOMMANDS for name, handle in row.actions.items()}
    actions[ids.GO_ON] = handle_go_on
    closings = {name: handle for row in SUBCOMMANDS for name, handle in row.closings.items()}
    # One listener for all of a kind: Bolt asks each listener in turn, at a price.
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
    async def handle(call: Call) -> None:
        await handles[call.body["view"]["callback_id"]](call)

    return handle


def _by_action(handles: Mapping[str, Handle]) -> Handle:
    async def handle(call: Call) -> None:
        await handles[call.action["action_id"]](call)

    return handle


def _command(runtime: Runtime) -> Listener:
    """Answer in the acknowledgement itself what needs nobody else; acknowledge the rest at once."""
    listen = _acknowledged(runtime, handle_command)

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        if not needs_nobody(body):
            await listen(ack, body)
            return
        call = _call(runtime, ack, body)
        call.answers_by_ack = True
        await run_guarded(call, _admitted(handle_command, _refuse_stranger), acked=True)
        if ack.response is None:
            await ack()

    return listener


def _acknowledged(runtime: Runtime, handle: Handle) -> Listener:
    """Acknowledge at once, then work: the portal may take longer than Slack waits."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        call = _call(runtime, ack, body)
        runtime.calls.start(_answer(call, _admitted(handle, _refuse_stranger), acked=True))

    return listener


def _decided(runtime: Runtime, handle: Handle) -> Listener:
    """Work, then acknowledge: what comes later finds it decided. A slow database delays it little."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        call = _call(runtime, ack, body)
        work = runtime.calls.start(_answer(call, _admitted(handle, _refuse_stranger), acked=True))
        await asyncio.wait({work}, timeout=ACK_WITHIN_SECONDS)
        await ack()

    return listener


class _AboutTheApp(AsyncMiddleware):
    """Does what Slack says of the app itself before it is acknowledged: Slack repeats what was not.

    A middleware, since Bolt acknowledges events before their listeners run.
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
        """Answer an event about the app; let everything else pass."""
        event = req.body.get("event")
        kind = event.get("type") if isinstance(event, dict) else None
        handle = lifecycle.EVENTS.get(kind) if isinstance(kind, str) else None
        if handle is None:
            return await next()
        with self._runtime.calls.one(), acting(f"slack event {kind}"):
            try:
                await handle(_call(self._runtime, AsyncAck(), req.body))  # type: ignore[no-untyped-call]
            except (NotReadyError, StoreUnavailableError, NotSureError) as error:
                log.warning("register.again_later", problem=type(error).__name__)
                return BoltResponse(status=503, body="again later")
        return BoltResponse(status=200, body="")


def _unhandled(runtime: Runtime) -> Callable[..., Awaitable[BoltResponse]]:
    """Answer what nobody answers: a button or modal of another release, or what is none of Slack's."""

    async def handle_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
        if not isinstance(error, BoltUnhandledRequestError):
            log.error("register.failed", exc_info=error)
            return BoltResponse(status=400, body="cannot be read")
        log.info("register.unhandled", payload=str(body.get("type") or body.get("command"))[:40])
        ack = AsyncAck()  # type: ignore[no-untyped-call]
        call = _call(runtime, ack, body)
        if body.get("type") == "view_submission":
            await run_guarded(call, _admitted(_say_stale, _refuse_submission), acked=False)
        elif body.get("type") == "block_actions" or "command" in body:
            runtime.calls.start(run_guarded(call, _admitted(_say_stale, _refuse_stranger), acked=True))
        return ack.response or BoltResponse(status=200, body="")

    return handle_error


async def _say_stale(_call: Call) -> None:
    raise StaleError


def _submission(runtime: Runtime, handle: Handle) -> Listener:
    """Let the handler acknowledge with what the modal becomes; it asks nobody but the database first."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        given = _Given()
        call = _call(runtime, given, body)
        answer = runtime.calls.start(_answer(call, _admitted(handle, _refuse_submission), acked=False))
        answer.add_done_callback(given.over)
        await given.wait()
        ack.response = given.response

    return listener


class _Given(AsyncAck):
    """An acknowledgement to wait for, while the one that gives it goes on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = asyncio.Event()

    async def __call__(self, *args: Any, **kwargs: Any) -> BoltResponse:  # noqa: ANN401 - Bolt's own
        """Acknowledge."""
        response = await super().__call__(*args, **kwargs)
        self._given.set()
        return response

    def over(self, _work: object) -> None:
        """Let nobody wait for what has ended without an acknowledgement."""
        self._given.set()

    async def wait(self) -> None:
        """Return once it is given."""
        await self._given.wait()


async def _answer(call: Call, handle: Handle, *, acked: bool) -> None:
    with acting(call.origin):
        await run_guarded(call, handle, acked=acked)


def _call(runtime: Runtime, ack: AsyncAck, body: dict[str, Any]) -> Call:
    # Until it is known which installation this is, the app's own token answers, if it has one.
    return Call(runtime=runtime, identity=identity_of(body), slack=runtime.slack, body=body, ack=ack)


def _admitted(handle: Handle, refuse: Handle) -> Handle:
    """Let only those through who belong where the app is installed, at a person's pace."""

    async def admit(call: Call) -> None:
        if not is_well_made(call.body):
            raise StaleError
        runtime, place = call.runtime, place_of(call.body)
        installation = await runtime.workspaces.find(place)
        if installation is None:
            raise NotInstalledError
        member = installation.member(call.identity, place)
        if member is None:
            await refuse(call)
            return
        call.identity, call.slack = member, runtime.workspaces.slack(installation)
        if not (runtime.person_pace.allows(member.key) and runtime.workspace_pace.allows(installation.key)):
            raise TooFastError
        _require_allowed(call)
        await handle(call)

    return admit


def _require_allowed(call: Call) -> None:
    """Let those through whom the operator lets use the app; App Home is no channel."""
    rules = call.runtime.permission.rules
    if "event" in call.body:
        return  # App Home says by itself what may be done
    rules.require_person(call.identity)
    if call.in_home and call.action.get("action_id") not in ids.LINKS:
        rules.require_no_channels()


async def _refuse_stranger(call: Call) -> None:
    log.warning("call.stranger", identity=call.identity.key)
    if call.response_url is not None:
        call.body["container"] = {}  # a stranger's click replaces nothing
        await call.reply(stranger_message())


async def _refuse_submission(call: Call) -> None:
    log.warning("call.stranger", identity=call.identity.key)
    await call.ack(response_action="update", view=error_modal("Billing", stranger_copy()))

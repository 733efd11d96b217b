"""Every listener, hung on the Bolt app: acknowledge, know who asks, run inside the error boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from blocks import ids
from blocks.errors import error_modal, stranger_copy, stranger_message
from bot.domain.errors import BillingError, NotReadyError, TooFastError
from handlers.call import Call, identity_of
from handlers.errors import run_guarded
from handlers.home import handle_home_opened
from handlers.registry import SUBCOMMANDS
from handlers.slash import handle_command, handle_go_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_bolt.app.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck

    from bot.runtime import Runtime
    from handlers.registry import Handle

    Listener = Callable[[AsyncAck, dict[str, Any]], Awaitable[None]]

COMMAND = "/billing"

log = structlog.get_logger(__name__)


def register(app: AsyncApp, runtime: Runtime) -> None:
    """Register what the registry lists, and the App Home."""
    app.command(COMMAND)(_acknowledged(runtime, handle_command))
    for row in SUBCOMMANDS:
        for action_id, handle in row.actions.items():
            app.action(action_id)(_acknowledged(runtime, handle))
        for callback_id, handle in row.submissions.items():
            app.view_submission(callback_id)(_submission(runtime, handle))
        for callback_id, handle in row.closings.items():
            app.view_closed(callback_id)(_acknowledged(runtime, handle))
    app.action(ids.GO_ON)(_acknowledged(runtime, handle_go_on))
    app.event("app_home_opened")(_acknowledged(runtime, handle_home_opened))


def _acknowledged(runtime: Runtime, handle: Handle) -> Listener:
    """Acknowledge at once, then work: the portal may take longer than Slack waits."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        call = _call(runtime, ack, body)
        with runtime.calls.one():
            await run_guarded(call, _admit(call, handle, _refuse_stranger), acked=True)

    return listener


def _submission(runtime: Runtime, handle: Handle) -> Listener:
    """Let the handler acknowledge with what the modal becomes; it asks nobody but the database first."""

    async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
        call = _call(runtime, ack, body)
        with runtime.calls.one():
            await run_guarded(call, _admit(call, handle, _refuse_submission), acked=False)

    return listener


def _call(runtime: Runtime, ack: AsyncAck, body: dict[str, Any]) -> Call:
    return Call(runtime=runtime, identity=identity_of(body, runtime.workspace), body=body, ack=ack)


def _admit(call: Call, handle: Handle, refuse: Handle) -> Handle:
    """Choose who answers. Before Slack has said which workspace this is, nobody can be told apart."""
    workspace = call.runtime.workspace
    if not workspace.known:
        return _raising(NotReadyError())
    if not workspace.has(call.identity):
        return refuse
    runtime = call.runtime
    if not (
        runtime.person_pace.allows(call.identity.key) and runtime.workspace_pace.allows(workspace.team)
    ):
        return _raising(TooFastError())
    return handle


def _raising(error: BillingError) -> Handle:
    async def handle(_call: Call) -> None:
        raise error

    return handle


async def _refuse_stranger(call: Call) -> None:
    log.warning("call.stranger", identity=call.identity.key)
    if call.response_url is not None:
        call.body["container"] = {}  # a stranger's click replaces nothing
        await call.reply(stranger_message())


async def _refuse_submission(call: Call) -> None:
    log.warning("call.stranger", identity=call.identity.key)
    await call.ack(response_action="update", view=error_modal("Billing", stranger_copy()))

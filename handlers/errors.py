"""The one error boundary: every listener runs inside it, every failure ends in words."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

import structlog
from slack_sdk.errors import SlackApiError

from blocks.errors import error_copy, error_message, error_modal
from bot.domain.errors import BillingError, StaleError
from bot.domain.money import AmountError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from handlers.call import Call

_LOST_TRIGGER = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"})

log = structlog.get_logger(__name__)


async def run_guarded(call: Call, handle: Callable[[Call], Awaitable[None]], *, acked: bool) -> None:
    """Run a listener; tell the person what went wrong, if it did. Nothing escapes."""
    try:
        await handle(call)
    except Exception as error:  # noqa: BLE001 - the boundary
        incident = secrets.token_hex(4)
        with structlog.contextvars.bound_contextvars(incident=incident):
            await _tell(call, _expected(error), incident, acked=acked)


def _expected(error: Exception) -> Exception:
    if isinstance(error, SlackApiError) and error.response.get("error") in _LOST_TRIGGER:
        return StaleError()
    return error


async def _tell(call: Call, error: Exception, incident: str, *, acked: bool) -> None:
    if isinstance(error, BillingError | AmountError):
        log.info("call.refused", problem=type(error).__name__, facts=str(error))
    else:
        log.error("call.failed", exc_info=error)
    copy, portal_url = error_copy(error, now=call.runtime.clock.now(), incident=incident)
    view = error_modal(call.view_title, copy, portal_url, wanted=call.wanted)
    with contextlib.suppress(Exception):
        if not acked and call.ack.response is None:
            await call.ack(response_action="update", view=view)
        elif call.view_id is not None:
            await call.show(view)
        else:
            await call.reply(error_message(copy, portal_url, wanted=call.wanted))

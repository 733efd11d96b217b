"""The only error boundary: every listener runs within it, and every failure ends in a message."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from blocks.errors import error_copy, error_message, error_modal
from bot.domain.errors import BillingError, GivenUpError, ReplayedError, StaleError
from bot.domain.money import AmountError
from bot.slack.errors import RateLimitedError, SlackUnavailableError, TriggerExpiredError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from handlers.context import Context

log = structlog.get_logger(__name__)


async def run_guarded(
    context: Context, handle: Callable[[Context], Awaitable[None]], *, acked: bool
) -> None:
    """Run a listener; if it fails, show the person what went wrong. It never raises."""
    try:
        await handle(context)
    except (ReplayedError, GivenUpError) as error:
        log.warning("request.dropped", why=type(error).__name__)
        if not acked and context.reply.ack.response is None:
            with contextlib.suppress(Exception):
                await context.reply.ack()
    except Exception as error:  # noqa: BLE001 - the boundary
        incident = secrets.token_hex(4)
        with structlog.contextvars.bound_contextvars(incident=incident):
            await _report(context, _expected(error), incident, acked=acked)


def _expected(error: Exception) -> Exception:
    return StaleError() if isinstance(error, TriggerExpiredError) else error


async def _report(context: Context, error: Exception, incident: str, *, acked: bool) -> None:
    if isinstance(error, BillingError | AmountError):
        log.info("request.refused", problem=type(error).__name__, facts=str(error))
    elif isinstance(error, SlackUnavailableError | RateLimitedError):
        log.warning("request.slack_away", problem=error.code)
    else:
        log.error("request.failed", exc_info=error)
    copy, portal_url = error_copy(error, now=context.runtime.clock.now(), incident=incident)
    copy = replace(copy, ask=copy.ask and context.runtime.requests.are_on)
    view = error_modal(context.reply.title, copy, portal_url, wanted=context.wanted)
    with contextlib.suppress(Exception):
        if not acked and context.reply.ack.response is None:
            await context.reply.ack(response_action="update", view=view)
        elif context.reply.view_id is not None:
            await context.reply.show(view)
        else:
            await context.reply.message(error_message(copy, portal_url, wanted=context.wanted))

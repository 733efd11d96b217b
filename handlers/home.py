"""App Home: the overview in a permanent place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import structlog

from blocks.connect import welcome_home
from blocks.errors import error_copy, error_home
from blocks.overview import overview_home, overview_message
from bot.domain.errors import BillingError, NotLinkedError
from bot.domain.rules import Rule, RuleError
from bot.slack.errors import SlackError
from bot.storage.overviews import ShownOverview

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Json
    from bot.domain.identity import Identity
    from bot.runtime import Runtime
    from handlers.context import Context

RECENT = 3

log = structlog.get_logger(__name__)


async def handle_home_opened(context: Context) -> None:
    """Record that the person uses App Home, and publish it."""
    await context.runtime.app_home_viewers.opened(context.identity)
    await publish_home(context.runtime, context.identity)


async def refresh_home(runtime: Runtime, identity: Identity) -> None:
    """Publish a person's App Home again, if they have ever opened it."""
    if await runtime.app_home_viewers.has_app_home(identity):
        await publish_home(runtime, identity)


async def publish_home(runtime: Runtime, identity: Identity) -> None:
    """Publish a person's App Home, with or without a connection. A failure is only logged."""
    try:
        view = await _home(runtime, identity)
        slack = await runtime.workspaces.slack_of(identity)
        await slack.views_publish(user_id=identity.user, view=view)
    except (BillingError, SlackError) as error:
        log.info("home.not_published", problem=str(error)[:200])


async def remember_overview(context: Context) -> None:
    """Store the clicked overview's response_url, to update it after a purchase."""
    if not context.request.in_ephemeral or context.request.response_url is None:
        return
    with contextlib.suppress(BillingError):  # without it, the overview is only not updated
        link = await context.runtime.accounts.link(context.identity)
        shown = ShownOverview(response_url=context.request.response_url, account=link.account)
        await context.runtime.overviews.remember(context.identity, shown)


async def refresh_overview(runtime: Runtime, identity: Identity, *, since: datetime) -> None:
    """Update a person's overview if they bought from it and it was drawn before `since`."""
    shown = await runtime.overviews.take_stale(identity, since=since)
    if shown is None:
        return
    try:
        overview = await runtime.billing.overview(identity)
        if overview.connection.account.grant != shown.account.grant:
            return
        stopped = await runtime.permission.stopped(identity)
        message = overview_message(overview, stopped=stopped).json
        await runtime.responses.post(shown.response_url, message, replace=True)
    except (BillingError, SlackError) as error:
        log.info("home.overview_not_refreshed", problem=type(error).__name__)


async def _home(runtime: Runtime, identity: Identity) -> Json:
    try:
        runtime.permission.rules.require_person(identity)
        stopped = await runtime.permission.stopped(identity)
        overview = await runtime.billing.overview(identity)
    except NotLinkedError:
        return welcome_home()
    except BillingError as error:
        copy, portal_url = error_copy(error, now=runtime.clock.now(), incident="")
        return error_home(copy, portal_url)
    recent = await runtime.purchases.history(identity, limit=RECENT)
    listed = await runtime.requests.listed(identity, everything=False) if runtime.requests.are_on else None
    channels = runtime.permission.rules.channels
    elsewhere = RuleError(Rule.CHANNELS, channels=channels) if channels else None
    return overview_home(overview, recent, stopped=stopped or elsewhere, listed=listed)

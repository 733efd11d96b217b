"""Who may come in: people who belong where the app is installed, at a person's rate, under the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from blocks import ids
from blocks.errors import error_modal, stranger_copy, stranger_message
from bot.domain.errors import NotInstalledError, StaleError, TooFastError

if TYPE_CHECKING:
    from handlers.context import Context
    from handlers.registry import Handle

log = structlog.get_logger(__name__)


def admitted(handle: Handle) -> Handle:
    """Let only those requests through that may come in; a stranger is told so."""

    async def admit(context: Context) -> None:
        if await _belongs(context):
            _require_rate(context)
            _require_rules(context)
            await handle(context)
        else:
            await _refuse_stranger(context)

    return admit


async def _belongs(context: Context) -> bool:
    """Find the installation through which a request came, and who acts as that installation knows them.

    Raises:
        StaleError: the request has not the shape of Slack's own.
        NotInstalledError: there is no such installation.
    """
    request, runtime = context.request, context.runtime
    if not request.is_well_made:
        raise StaleError
    place = request.place
    installation = await runtime.workspaces.find(place)
    if installation is None:
        raise NotInstalledError
    member = installation.member(context.identity, place)
    if member is None:
        return False
    context.identity, context.installation = member, installation.key
    context.reply.slack = runtime.workspaces.slack(installation)
    context.reply.replaced = context.forget_overview
    return True


def _require_rate(context: Context) -> None:
    """Let a request pass that does not come too fast for its person and its workspace.

    Raises:
        TooFastError: it does.
    """
    runtime = context.runtime
    person, workspace = context.identity.key, context.installation
    if not (runtime.person_rate.allows(person) and runtime.workspace_rate.allows(workspace)):
        raise TooFastError


def _require_rules(context: Context) -> None:
    """Let those through whom the operator lets use the app; App Home is no channel.

    Raises:
        RuleError: the operator's rules say no.
    """
    request, rules = context.request, context.runtime.permission.rules
    if request.event is not None:
        return  # App Home says by itself what may be done
    rules.require_person(context.identity)
    if request.in_home and request.action.action_id not in ids.LINKS:
        rules.require_no_channels()


async def _refuse_stranger(context: Context) -> None:
    log.warning("admission.stranger", identity=context.identity.key)
    reply, request = context.reply, context.request
    if request.is_submission:
        await reply.ack(response_action="update", view=error_modal("Billing", stranger_copy()))
    elif request.response_url is not None:
        reply.may_replace = False
        await reply.message(stranger_message())

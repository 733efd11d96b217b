"""Admission: the person must belong to an installation, within the rate limits and operator's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from blocks import ids
from blocks.errors import error_modal, stranger_copy, stranger_message
from bot.domain.errors import NotInstalledError, StaleError, TooFastError

if TYPE_CHECKING:
    from bot.slack.request import SlackRequest
    from handlers.context import Context
    from handlers.registry import Handle

log = structlog.get_logger(__name__)


def admitted(handle: Handle) -> Handle:
    """Wrap a handler so that only admitted requests reach it; an outsider gets a message."""

    async def admit(context: Context) -> None:
        if await _belongs(context):
            _require_rate(context)
            _require_rules(context)
            await handle(context)
        else:
            await _refuse_stranger(context)

    return admit


async def _belongs(context: Context) -> bool:
    """Find the request's installation and the person's identity in it; return False for an outsider.

    Raises:
        StaleError: the request is malformed.
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
    context.reply.taken_over = context.leave_modal
    return True


def _require_rate(context: Context) -> None:
    """Check the rate limits of the person and the workspace.

    Raises:
        TooFastError: a limit is exceeded.
    """
    runtime = context.runtime
    person, workspace = context.identity.key, context.installation
    if not (runtime.person_rate.allows(person) and runtime.workspace_rate.allows(workspace)):
        raise TooFastError


def _require_rules(context: Context) -> None:
    """Check the operator's rules about people, and about channels for App Home's buttons.

    Raises:
        RuleError: a rule forbids the request.
    """
    request, rules = context.request, context.runtime.permission.rules
    if request.event is not None:
        return  # App Home itself shows what is allowed
    if _disconnects(request):
        return  # whoever was taken off the list must be able to take their account back
    rules.require_person(context.identity)
    if request.in_home and not _is_link(request):
        rules.require_no_channels()


def _is_link(request: SlackRequest) -> bool:
    """Tell whether the click has only opened a page."""
    action_id = request.action.action_id
    return action_id in ids.LINKS or (action_id == ids.MORE and request.value == ids.PORTAL)


def _disconnects(request: SlackRequest) -> bool:
    """Tell whether the request is to disconnect, typed or clicked."""
    if request.is_command:
        return (request.payload.text or "").strip().lower() == "disconnect"
    return any(each.action_id == ids.DISCONNECT for each in request.payload.actions or ())


async def _refuse_stranger(context: Context) -> None:
    log.warning("admission.stranger", identity=context.identity.key)
    reply, request = context.reply, context.request
    if request.is_submission:
        await reply.ack(response_action="update", view=error_modal("Billing", stranger_copy()))
    elif request.response_url is not None:
        reply.may_replace = False
        await reply.message(stranger_message())

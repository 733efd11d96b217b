"""The words for errors and refusals: what happened, who can act, and the next step.

Those for failed payments are in `blocks.charge`, for failed connections in `blocks.connect`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from blocks import ids
from blocks.budget import how_far
from blocks.kit import (
    Block,
    Json,
    Message,
    actions,
    button,
    escape,
    header,
    home,
    message,
    modal,
    moment,
    portal_button,
    section,
)
from blocks.lock import lock_line
from blocks.refusals import REFUSALS, Copy, refusal_copy
from blocks.second_person import LET_IN_FIRST
from blocks.words import MANAGERS, SUPPORT, manages, switch_off
from bot.domain.errors import (
    AskedTooSoonError,
    CannotAskError,
    ChargeNotFoundError,
    GrantRefusedError,
    NoLoginError,
    NoOrganizationError,
    NotAllowedError,
    NotInstalledError,
    NotLinkedError,
    NotReadyError,
    PermissionMissingError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
    SeveralChargesError,
    StaleError,
    StoreUnavailableError,
    TooFastError,
)
from bot.domain.money import AmountError, parse_typed, show
from bot.domain.request_errors import NotFullMemberError, RequestNotFoundError
from bot.domain.rules import Rule, RuleError

NO_ORGANIZATION = (
    "Your portal login does not belong to an organization, so there is no balance to show. "
    f"Ask an admin of your organization to invite you, or write to {SUPPORT}."
)
PERMISSION_MISSING = (
    "Your connection is still view-only, so nothing was charged. Choose *Enable billing* first, "
    "then finish this purchase here."
)

_ERRORS: dict[type[Exception], Copy] = {
    NoOrganizationError: Copy(words=NO_ORGANIZATION),
    PermissionMissingError: Copy(words=PERMISSION_MISSING),
    GrantRefusedError: Copy(
        words=(
            "Nous Portal does not grant this app what it asks for, so it can't connect. "
            f"Ask your app manager, or write to {SUPPORT}."
        )
    ),
    NotLinkedError: Copy(words="Connect your Nous Portal account first.", connect=True),
    RelinkRequiredError: REFUSALS[RefusalCode.UNAUTHORIZED],
    ChargeNotFoundError: Copy(words="This purchase is not yours, or it no longer exists.", overview=True),
    RequestNotFoundError: Copy(words="There is no such request here, or it is not yours.", overview=True),
    NotFullMemberError: Copy(words="Only full members of this workspace can do this."),
    StaleError: Copy(words="This has expired. Nothing was charged; start again.", overview=True),
    SeveralChargesError: Copy(words="Several purchases begin with that. Type more of it."),
    CannotAskError: Copy(
        words=(
            "This app can no longer ask about this purchase. The portal lists what was charged; "
            f"{SUPPORT} can help."
        ),
        portal=True,
    ),
    TooFastError: Copy(words="You're going a bit fast. Try again in a minute."),
    NotInstalledError: Copy(
        words="This app is not installed in your workspace. An admin there can add it."
    ),
    NotReadyError: Copy(words="Billing is just starting. Try again in a moment.", overview=True),
    StoreUnavailableError: Copy(
        words=(
            "Something's wrong on our side. Try again in a few minutes. "
            "If you just paid, check `/billing history` before paying again."
        ),
        overview=True,
    ),
    NoLoginError: Copy(
        words=(
            "Nous Portal did not answer, so there is no link to connect with yet. "
            "Nothing was changed; try again in a minute."
        ),
        connect=True,
    ),
    PortalUnavailableError: Copy(
        words=(
            "Couldn't load billing: Nous Portal did not answer. "
            "You are still connected; try again in a minute."
        ),
        overview=True,
    ),
}

_RULES = {
    Rule.READ_ONLY: "Purchases and changes are turned off in this workspace. Ask your app manager.",
    Rule.LOCKED: ":lock: Spending from Slack is paused. {lock}",
    Rule.USERS: "Only certain people can use billing here. Ask your app manager to add you.",
    Rule.CHANNELS: "`/billing` works in {channels} only. Type it there.",
    Rule.MAX_CHARGE: "The largest single charge here is {limit}. Your app manager set this limit.",
    Rule.MAX_DAILY: ("Your limit is {limit} per 24 hours. You can add up to {left} now."),
    Rule.MAX_AT_ONCE: "Auto-reload can reload to {limit} at most here, because it charges without asking.",
    Rule.NOT_LET_IN: LET_IN_FIRST,
    Rule.REQUESTS_OFF: "Asking for funds is switched off here. Your app manager can switch it on.",
    Rule.TWO_PEOPLE: (
        "From {limit} on, two people of your organization decide. "
        "Ask for funds with `/billing request`, or do this in the portal."
    ),
    Rule.TWO_ELSEWHERE: (
        "From {limit} on, two people of your organization decide, and asking is switched off here. "
        "Do it in the portal."
    ),
    Rule.BUDGET: "{budget}. A policy admin can raise it: `/billing team`.",
    Rule.BUDGET_ASKS: "{budget}. For more, two people decide: ask with `/billing request`.",
    Rule.POLICY_USERS: "You can't change who decides here. Ask your app manager.",
    Rule.LOCKERS: "You can't pause or resume spending here. Ask your app manager.",
}

_UNEXPECTED = "Something went wrong on our side. If it keeps happening, send support this code: `{}`"


def error_copy(error: Exception, *, now: datetime, incident: str) -> tuple[Copy, str | None]:
    """Return the words for any error, and the portal link that came with it.

    An unexpected error shows `incident`, an id that the log entry has too.
    """
    if isinstance(error, NotAllowedError):
        return _not_allowed(error), error.portal_url
    if isinstance(error, CannotAskError):
        return _ERRORS[CannotAskError], error.portal_url
    if isinstance(error, AskedTooSoonError):
        return _asked_too_soon(error), None
    if isinstance(error, RuleError):
        return Copy(words=rule_words(error), waiting=error.rule is Rule.NOT_LET_IN), None
    if isinstance(error, PortalRefusalError):
        return _refusal(error, now), error.portal_url
    known = next((copy for kind, copy in _ERRORS.items() if isinstance(error, kind)), None)
    return known or Copy(words=_UNEXPECTED.format(incident), overview=True), None


def error_message(copy: Copy, portal_url: str | None = None, *, wanted: str | None = None) -> Message:
    """Make the answer to a command or click that failed.

    `wanted` is the typed command; it continues once the person has connected.
    """
    return message(section(copy.words), _steps(copy, portal_url, wanted))


def error_modal(
    title: str, copy: Copy, portal_url: str | None = None, *, wanted: str | None = None
) -> Json:
    """Make the modal that replaces one that could not be shown; `wanted` as in `error_message`."""
    again = button("Try again", ids.GO_ON, value=wanted) if copy.overview and wanted else None
    # The overview is a message, and a modal would hide it.
    steps = _steps(replace(copy, overview=False), portal_url, wanted)
    return modal(title, section(copy.words), steps or actions(again), callback_id=ids.INFO_VIEW)


def error_home(copy: Copy, portal_url: str | None = None) -> Json:
    """Make the App Home for a person whose billing could not be loaded."""
    return home(header("Billing"), section(copy.words), _steps(replace(copy, overview=False), portal_url))


def rule_words(error: RuleError) -> str:
    """Return the words (mrkdwn, escaped) for a violated operator rule."""
    return _RULES[error.rule].format(
        limit=show(error.limit),
        left=show(error.left),
        lock=lock_line(error.lock) if error.lock else "",
        channels=", ".join(f"<#{escape(channel)}>" for channel in error.channels),
        budget=how_far(error.over) if error.over else "",
    )


def stranger_copy() -> Copy:
    """Return the words for a person from another workspace."""
    return Copy(words="This app belongs to another workspace, so it can't act for you here.")


def stranger_message() -> Message:
    """Make the answer to a person from another workspace."""
    return error_message(stranger_copy())


def not_allowed_words(error: NotAllowedError) -> str:
    """Return the words for an action that the billing state does not allow."""
    return _not_allowed(error).words


def _not_allowed(error: NotAllowedError) -> Copy:
    """Return the words for a local refusal. They name no requirement that the reader already meets."""
    copy = REFUSALS[error.code]
    if error.code is RefusalCode.BILLING_DISABLED:
        return replace(copy, words=switch_off(error.role))
    if error.code is RefusalCode.ROLE_REQUIRED and not manages(error.role):
        words = f"Only {MANAGERS} of your organization can do this. Ask one of them."
        return replace(copy, words=words, ask=True)
    return copy


def _asked_too_soon(error: AskedTooSoonError) -> Copy:
    when = moment("We'll check again by ourselves", error.at)
    return Copy(words=f"The portal takes only a few requests like this one. {when}.")


def _refusal(error: PortalRefusalError, now: datetime) -> Copy:
    retry_at = None if error.retry_after is None else now + timedelta(seconds=error.retry_after)
    return refusal_copy(error.code, detail=error.detail, retry_at=retry_at, now=now)


def _steps(copy: Copy, portal_url: str | None, wanted: str | None = None) -> Block | None:
    return actions(
        button("Connect", ids.CONNECT, value=wanted, style="primary") if copy.connect else None,
        button("Enable billing", ids.ENABLE_FOR_COMMAND, value=wanted, style="primary")
        if copy.enable
        else None,
        button("Show who", ids.SHOW_WAITING) if copy.waiting else None,
        _ask(wanted) if copy.ask else None,
        portal_button(portal_url) if copy.portal and portal_url else None,
        button("Try again", ids.SHOW_OVERVIEW) if copy.overview else None,
    )


def _ask(wanted: str | None) -> Json | None:
    """Make the button to ask others for what the person wanted to buy; None for anything else."""
    command, _, amount = (wanted or "").partition(" ")
    if command != "buy":
        return None
    try:
        words = f"Ask for {show(parse_typed(amount))}"
    except AmountError:
        words = "Ask for funds"
    return button(words, ids.GO_ON, value=f"request {amount}".strip(), style="primary")

"""The words for errors and refusals: what happened, who can act, and the next step.

Those for failed payments are in `blocks.charge`, for failed connections in `blocks.connect`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from blocks import ids
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
from blocks.second_person import LET_IN_FIRST
from blocks.words import MANAGERS, SUPPORT, SWITCH, manages, switch_off
from bot.domain.errors import (
    DEFAULT_CEILING,
    WAIT,
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
from bot.domain.money import CENT, parse_wire, show, whole_cents
from bot.domain.rules import Rule, RuleError


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """The words to show (mrkdwn, escaped) and the next steps to offer."""

    words: str
    connect: bool = False
    enable: bool = False
    portal: bool = False
    overview: bool = False
    waiting: bool = False
    again: bool = True
    """Whether the person can try again, with another amount or later."""


NO_ORGANIZATION = (
    "Your portal login does not belong to an organization, so there is no balance to show. "
    f"Ask an admin of your organization to invite you, or write to {SUPPORT}."
)
PERMISSION_MISSING = (
    "Your connection is still view-only, so nothing was charged. Choose *Enable billing* first, "
    "then finish this purchase here."
)

_REFUSALS = {
    RefusalCode.UNAUTHORIZED: Copy(
        words="Your connection to Nous Portal has ended. Connect again to continue.", connect=True
    ),
    RefusalCode.SESSION_REVOKED: Copy(
        words="You were logged out of Nous Portal. Connect again to continue.", connect=True
    ),
    RefusalCode.INSUFFICIENT_SCOPE: Copy(
        words="Your connection is view-only. Choose *Enable billing* once to continue.",
        enable=True,
    ),
    RefusalCode.REMOTE_SPENDING_REVOKED: Copy(
        words=f"{SWITCH} was turned off for your account. Connect again to turn it on.",
        connect=True,
    ),
    RefusalCode.BILLING_DISABLED: Copy(words=switch_off(None), portal=True),
    RefusalCode.ROLE_REQUIRED: Copy(
        words=("Your role in the portal does not allow this. Check your role there."),
        portal=True,
    ),
    RefusalCode.NO_PAYMENT_METHOD: Copy(
        words="There is no payment method on file. Add a card in the portal, then try again.", portal=True
    ),
    RefusalCode.CARD_PAUSED: Copy(
        words="Your card is paused in the portal. Check it there, or use another one.", portal=True
    ),
    RefusalCode.CARD_EXPIRED: Copy(
        words="Your card has expired. Update it in the portal, then try again.", portal=True
    ),
    RefusalCode.CARD_MISMATCH: Copy(
        words="The card on file is not the one the portal expects. Check it there.", portal=True
    ),
    RefusalCode.CONSENT_REQUIRED: Copy(
        words="Your payment method needs a one-time confirmation in the portal before you can use it here.",
        portal=True,
    ),
    RefusalCode.ORG_ACCESS_DENIED: Copy(
        words="Your connection does not cover this organization. Connect again and choose the right one.",
        connect=True,
    ),
    RefusalCode.MONTHLY_CAP_EXCEEDED: Copy(
        words="This would go over your organization's monthly limit. Choose a smaller amount.", portal=True
    ),
    RefusalCode.AMOUNT_OUT_OF_BOUNDS: Copy(words="The portal does not take this amount.", portal=True),
    RefusalCode.VALIDATION_FAILED: Copy(words="The portal does not take this request.", portal=True),
    RefusalCode.IDEMPOTENCY_CONFLICT: Copy(
        words="This purchase was already started with a different amount. Start a new one.", overview=True
    ),
    RefusalCode.RATE_LIMITED: Copy(words="Too many charges in a short time.", portal=True),
    RefusalCode.TEMPORARILY_UNAVAILABLE: Copy(words="Payments are not available in the portal right now."),
    RefusalCode.STRIPE_UNAVAILABLE: Copy(words="The payment processor is not available right now."),
    RefusalCode.UPGRADE_CAP_EXCEEDED: Copy(
        words="Your plan was changed five times today. Try again tomorrow."
    ),
    RefusalCode.AUTO_TOP_UP_DISABLED_FAILURES: Copy(
        words="Auto-reload is off after failed payments. Update your card in the portal first.",
        portal=True,
    ),
    RefusalCode.SUBSCRIPTION_MUTATION_REJECTED: Copy(
        words="The portal did not change the plan.", portal=True
    ),
    RefusalCode.PREVIEW_REJECTED: Copy(words="The portal could not preview this change.", portal=True),
    RefusalCode.SPENDING_STOPPED: Copy(
        words="Spending from Slack was paused before this was sent to the portal."
    ),
    RefusalCode.RULE_FORBIDS: Copy(
        words="A limit that your app manager set no longer allows this purchase.", again=False
    ),
    RefusalCode.NOT_SENT_IN_TIME: Copy(
        words="This app has no record of sending it; check the portal before you pay again.",
        portal=True,
        again=False,
    ),
    RefusalCode.PRICE_CHANGED: Copy(
        words="The price of this plan has changed in the portal. Review the plan again."
    ),
    RefusalCode.ALREADY_ON_TIER: Copy(
        words="Your organization already has this plan, so there was nothing to pay.", again=False
    ),
    RefusalCode.NOT_VERIFIED: Copy(
        words=(
            "This app's record of it is not what you confirmed, so nothing more is sent. "
            "Tell your app manager, and check the portal."
        ),
        portal=True,
        again=False,
    ),
    RefusalCode.NOT_RENEWED: Copy(
        words=(
            "Nous Portal refused to renew your connection, without ending it, so nothing was sent. "
            "Try again later, or connect again."
        ),
        connect=True,
        overview=True,
    ),
    RefusalCode.OTHER: Copy(
        words="Nous Portal declined this and gave no reason. Try again or open the portal.", portal=True
    ),
}

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
    RelinkRequiredError: _REFUSALS[RefusalCode.UNAUTHORIZED],
    ChargeNotFoundError: Copy(words="This purchase is not yours, or it no longer exists.", overview=True),
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
    Rule.LOCKERS: "You can't pause or resume spending here. Ask your app manager.",
}

_UNEXPECTED = "Something went wrong on our side. If it keeps happening, send support this code: `{}`"

_SERVER_SPEAKS = frozenset(
    {
        RefusalCode.AMOUNT_OUT_OF_BOUNDS,
        RefusalCode.VALIDATION_FAILED,
        RefusalCode.SUBSCRIPTION_MUTATION_REJECTED,
        RefusalCode.PREVIEW_REJECTED,
        RefusalCode.CARD_PAUSED,
        RefusalCode.CARD_EXPIRED,
        RefusalCode.CARD_MISMATCH,
        RefusalCode.OTHER,
    }
)


def refusal_copy(code: RefusalCode, *, detail: str | None = None, retry_at: datetime | None = None) -> Copy:
    """Return the words for the portal's refusal. `detail` is the fact stored with it."""
    copy = _REFUSALS[code]
    if code in _SERVER_SPEAKS and detail:
        return Copy(words=escape(detail), portal=copy.portal)
    if code is RefusalCode.MONTHLY_CAP_EXCEEDED and detail:
        return _cap_copy(copy, detail)
    if code is RefusalCode.PRICE_CHANGED and detail:
        price = show(parse_wire(detail))
        words = f"This plan now costs {price} in the portal. Review the plan again to pay that."
        return replace(copy, words=words)
    if code is RefusalCode.REMOTE_SPENDING_REVOKED and detail == "admin":
        words = f"An admin turned off {SWITCH} for your account. Ask them, then connect again."
        return Copy(words=words, connect=True)
    if code in WAIT:
        again = f"{moment('Try again', retry_at)}." if retry_at else "Try again in a few minutes."
        return Copy(words=f"{copy.words} {again}", portal=copy.portal)
    return copy


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
    copy = _REFUSALS[error.code]
    if error.code is RefusalCode.BILLING_DISABLED:
        return replace(copy, words=switch_off(error.role))
    if error.code is RefusalCode.ROLE_REQUIRED and not manages(error.role):
        words = f"Only {MANAGERS} of your organization can do this. Ask one of them."
        return replace(copy, words=words)
    return copy


def _asked_too_soon(error: AskedTooSoonError) -> Copy:
    when = moment("We'll check again by ourselves", error.at)
    return Copy(words=f"The portal takes only a few requests like this one. {when}.")


def _refusal(error: PortalRefusalError, now: datetime) -> Copy:
    retry_at = None if error.retry_after is None else now + timedelta(seconds=error.retry_after)
    return refusal_copy(error.code, detail=error.detail, retry_at=retry_at)


def _cap_copy(copy: Copy, detail: str) -> Copy:
    """Say what is left of the monthly limit, and that the portal's default limit can be changed."""
    left, _, ceiling = detail.partition(" ")
    amount = parse_wire(left)
    words = copy.words
    if amount is not None and amount < CENT:
        words = "Nothing is left of your organization's monthly limit."
    elif amount is not None:
        words += f" {show(whole_cents(amount))} is left this month."
    if DEFAULT_CEILING in (left, ceiling):
        words += " This is the portal's default limit; you can set another there."
    return replace(copy, words=words, again=amount is None or amount >= CENT)


def _steps(copy: Copy, portal_url: str | None, wanted: str | None = None) -> Block | None:
    return actions(
        button("Connect", ids.CONNECT, value=wanted, style="primary") if copy.connect else None,
        button("Enable billing", ids.ENABLE_FOR_COMMAND, value=wanted, style="primary")
        if copy.enable
        else None,
        button("Show who", ids.SHOW_WAITING) if copy.waiting else None,
        portal_button(portal_url) if copy.portal and portal_url else None,
        button("Try again", ids.SHOW_OVERVIEW) if copy.overview else None,
    )

"""The words for the portal's refusals: what happened, who can act, and the next step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from blocks.kit import escape, moment
from blocks.words import SWITCH, mention, reason_words, switch_off
from bot.domain.errors import DEFAULT_CEILING, WAIT, RefusalCode
from bot.domain.money import CENT, parse_wire, show, whole_cents

SOON = timedelta(minutes=10)
A_MINUTE_AND_A_HALF = 90


class Again(Enum):
    """Whether the person can try a refused purchase again."""

    SAME = auto()
    """The same one, at once or when something is mended."""
    OTHER = auto()
    """With another amount or plan."""
    NO = auto()
    """Buying does not help: another person decides, or it may have been charged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """The words to show (mrkdwn, escaped) and the next steps to offer."""

    words: str
    connect: bool = False
    enable: bool = False
    portal: bool = False
    overview: bool = False
    waiting: bool = False
    ask: bool = False
    """Whether the person may ask others to pay what they wanted to buy."""

    again: Again = Again.SAME


REFUSALS = {
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
    RefusalCode.BILLING_DISABLED: Copy(words=switch_off(None), portal=True, again=Again.NO),
    RefusalCode.REQUEST_ENDED: Copy(
        words="The request that it was to pay was withdrawn. Nothing was sent.", again=Again.NO
    ),
    RefusalCode.LEFT_TO_OTHERS: Copy(words="You left it to others. Nothing was sent.", again=Again.NO),
    RefusalCode.TAKEN_OVER: Copy(
        words="Somebody else pays the request that it was to pay. Nothing was sent.", again=Again.NO
    ),
    RefusalCode.VOTE_LOST: Copy(
        words=(
            "Two people decide on this, and the first one's yes could not be confirmed just before. "
            "Nothing was sent."
        ),
        again=Again.NO,
    ),
    RefusalCode.ROLE_REQUIRED: Copy(
        words=("Your role in the portal does not allow this. Check your role there."),
        portal=True,
        again=Again.NO,
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
        again=Again.NO,
    ),
    RefusalCode.ORG_ACCESS_DENIED: Copy(
        words="Your connection does not cover this organization. Connect again and choose the right one.",
        connect=True,
    ),
    RefusalCode.MONTHLY_CAP_EXCEEDED: Copy(
        words="This would go over your organization's monthly limit.", portal=True, again=Again.NO
    ),
    RefusalCode.AMOUNT_OUT_OF_BOUNDS: Copy(
        words="The portal does not take this amount.", portal=True, again=Again.OTHER
    ),
    RefusalCode.VALIDATION_FAILED: Copy(
        words="The portal does not take this request.", portal=True, again=Again.OTHER
    ),
    RefusalCode.IDEMPOTENCY_CONFLICT: Copy(
        words="This purchase was already started with a different amount. Start a new one.", overview=True
    ),
    RefusalCode.RATE_LIMITED: Copy(words="Too many charges in a short time.", portal=True),
    RefusalCode.TEMPORARILY_UNAVAILABLE: Copy(words="Payments are not available in the portal right now."),
    RefusalCode.STRIPE_UNAVAILABLE: Copy(words="The payment processor is not available right now."),
    RefusalCode.UPGRADE_CAP_EXCEEDED: Copy(
        words="Your plan was changed five times today. Try again tomorrow.", again=Again.NO
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
        words="Spending from Slack was paused before this was sent to the portal.", again=Again.NO
    ),
    RefusalCode.RULE_FORBIDS: Copy(
        words="A limit that your app manager set no longer allows this purchase.", again=Again.NO
    ),
    RefusalCode.NOT_SENT_IN_TIME: Copy(
        words="This app has no record of sending it; check the portal before you pay again.",
        portal=True,
        again=Again.NO,
    ),
    RefusalCode.PRICE_CHANGED: Copy(
        words="The price of this plan has changed in the portal. Review the plan again.",
        again=Again.OTHER,
    ),
    RefusalCode.ALREADY_ON_TIER: Copy(
        words="Your organization already has this plan, so there was nothing to pay.", again=Again.NO
    ),
    RefusalCode.NOT_VERIFIED: Copy(
        words=(
            "This app's record of it is not what you confirmed, so nothing more is sent. "
            "Tell your app manager, and check the portal."
        ),
        portal=True,
        again=Again.NO,
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


def refusal_copy(
    code: RefusalCode,
    *,
    detail: str | None = None,
    retry_at: datetime | None = None,
    now: datetime | None = None,
) -> Copy:
    """Return the words for the portal's refusal.

    `detail` is the fact stored with it. `retry_at` is when to try again, and `now` when the words are read
    (both UTC).
    """
    copy = REFUSALS[code]
    if code in _SERVER_SPEAKS and detail:
        return replace(copy, words=escape(detail))
    if detail and code in _FROM_DETAIL:
        return _FROM_DETAIL[code](copy, detail)
    if code is RefusalCode.REMOTE_SPENDING_REVOKED and detail == "admin":
        words = f"An admin turned off {SWITCH} for your account. Ask them, then connect again."
        return Copy(words=words, connect=True)
    if code in WAIT:
        return replace(copy, words=f"{copy.words} {_when_again(retry_at, now)}")
    return copy


def _when_again(retry_at: datetime | None, now: datetime | None) -> str:
    """Say when to try again: within ten minutes in how long, later at what time."""
    if retry_at is None:
        return "Try again in a few minutes."
    if now is None or retry_at - now >= SOON:
        return f"{moment('Try again', retry_at)}."
    if retry_at <= now:
        return "You can try again now."
    seconds = math.ceil((retry_at - now).total_seconds() / 10) * 10
    span = f"{seconds} seconds" if seconds < A_MINUTE_AND_A_HALF else f"{math.ceil(seconds / 60)} min"
    return f"Try again in about {span}."


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
    return replace(copy, words=words)


def _stopped_copy(copy: Copy, detail: str) -> Copy:
    """Say who paused spending, and why."""
    by, _, reason = detail.partition(" ")
    words = f"{mention(by)} paused spending from Slack before this was sent to the portal."
    return replace(copy, words=words + reason_words(reason))


def _price_copy(copy: Copy, detail: str) -> Copy:
    """Say what a plan costs now."""
    price = show(parse_wire(detail))
    return replace(
        copy, words=f"This plan now costs {price} in the portal. Review the plan again to pay that."
    )


_FROM_DETAIL = {
    RefusalCode.MONTHLY_CAP_EXCEEDED: _cap_copy,
    RefusalCode.SPENDING_STOPPED: _stopped_copy,
    RefusalCode.PRICE_CHANGED: _price_copy,
}

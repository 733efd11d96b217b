"""The modals in which a person decides on a request: pay it, agree as the first of two, deny it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.budget import left_line
from blocks.charge import buy_again
from blocks.inputs import text_input
from blocks.kit import (
    Block,
    Json,
    actions,
    button,
    context,
    escape,
    fields,
    fitting,
    modal,
    moment,
    next_button,
    portal_button,
    portal_line,
    quoted,
    section,
)
from blocks.purchase import balance_after, method_field
from blocks.request_forms import REVIEW
from blocks.request_words import obstacle_words, why
from blocks.words import consent, mention, method_label, method_name, method_word, organization
from bot.domain.charge import ChargeState
from bot.domain.deciding import Obstacle
from bot.domain.money import show
from bot.domain.request import REASON_LENGTH
from bot.domain.vote import VoteKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.billing import BillingState
    from bot.domain.budget import BudgetUse
    from bot.domain.charge import Charge
    from bot.domain.request import FundsRequest
    from bot.domain.request_errors import RequestError
    from bot.domain.request_views import FirstReview, Known, OtherMethod, Review
    from bot.domain.vote import Vote

DENIAL_NEEDED = "Say in one line why"
AGREEING = "Agreeing…"
CHANGED = "It has changed since you opened it. Look again."
MOST_NOTES = 3
BUTTON_SEEN = 40
"""How many characters of a button people see."""


def approve_modal(review: Review, now: datetime, *, again: bool = False) -> Json:
    """Make the modal in which a person pays another's request: an ordinary confirmation, and what is known.

    `again`: the person wanted to agree as the first of two, and another was faster. Its metadata is that of
    every confirmation.
    """
    charge = review.proposal.charge
    return approval(
        review.request,
        charge,
        open_equal=review.proposal.open_equal,
        state=review.state,
        notes=_notes(review.known, now, but=charge.id),
        faster=again,
        granted=_granted(review.request, review.known),
        first=review.first,
    )


def approval(
    request: FundsRequest,
    charge: Charge,
    *,
    open_equal: Charge | None,
    state: BillingState | None,
    notes: Sequence[Block | None] = (),
    granted: str | None = None,
    first: Vote | None = None,
    faster: bool = False,
) -> Json:
    """Make the confirmation of a charge that pays a request; `first` is the vote of the first of two.

    `faster`: that vote came while this person was about to agree.
    """
    amount = show(charge.amount)
    pay = f"Pay {amount} now"
    return modal(
        titles.POSSIBLE_DUPLICATE if open_equal else titles.APPROVE_REQUEST,
        section(buy_again(charge, open_equal)) if open_equal else None,
        section(_faster(first)) if faster and first else None,
        section(f"{mention(request.requester.key)} asks for *{amount}*"),
        quoted(request.reason) if request.reason else None,
        section(f"Add *{amount}* to the balance of *{organization(charge.organization_name)}*."),
        fields([("Total", amount), method_field(charge), *(balance_after(charge, state) if state else [])]),
        context(f"You act as {escape(charge.account_email)}.") if charge.account_email else None,
        context(_agreed(request, first)) if first and not faster else None,
        context(granted) if granted else None,
        *notes,
        section(consent(charge.payment_method)),
        actions(button("Deny…", ids.DENY, value=request.id)),
        portal_line(charge.portal_url),
        callback_id=ids.CONFIRM_VIEW,
        submit=fitting(f"Pay {amount} again", pay) if open_equal else pay,
        close="Cancel",
        private_metadata=f"{charge.id} {open_equal.id}" if open_equal else charge.id,
        notify_on_close=True,
    )


def _faster(first: Vote) -> str:
    return f"*{mention(first.person.key)} agreed a moment ago. You would pay.*"


def _agreed(request: FundsRequest, first: Vote) -> str:
    """Say who was the first of two."""
    who = mention(first.person.key)
    if first.person.key == request.requester.key:
        return f"Two people decide here: {who} may pay too, so you are the second."
    return f"{who} agreed, {moment('1 of 2,', first.at)}. You pay."


def agree_modal(review: FirstReview, now: datetime, *, again: bool = False) -> Json:
    """Make the modal in which the first of two agrees; `again`: it has changed since they looked.

    Its metadata is the request's id, the version shown, and the payment method shown.
    """
    request, method = review.request, review.method
    amount = show(request.amount)
    name = escape(method_name(method))
    return modal(
        titles.APPROVE_REQUEST,
        section(f"*{CHANGED}*") if again else None,
        section(f"{mention(request.requester.key)} asks for *{amount}*"),
        quoted(request.reason) if request.reason else None,
        section(f"Add *{amount}* to the balance of *{organization(request.organization_name)}*."),
        fields([("Total", amount), (method_label(method), name)]),
        section(
            f"*You don't pay.* A second person looks after you, and pays with this: {name}. "
            "If the amount or the payment method changes, you are asked again."
        ),
        context(granted) if (granted := _granted(request, review.known)) else None,
        *_notes(review.known, now),
        actions(button("Deny…", ids.DENY, value=request.id)),
        portal_line(review.state.portal_url),
        callback_id=ids.AGREE_VIEW,
        submit="Agree, 1 of 2",
        close="Cancel",
        private_metadata=f"{request.id} {request.version} {review.vote.method}",
    )


def agreed_modal(request: FundsRequest, *, following: str | None = None) -> Json:
    """Make what follows the first yes of two; `following` is the next request that waits for the reader."""
    return modal(
        titles.APPROVE_REQUEST,
        section(f":white_check_mark: *Agreed: {show(request.amount)}, 1 of 2*"),
        context("Nothing is charged until a second person pays. Your card of this request shows it."),
        next_button(following),
        callback_id=ids.INFO_VIEW,
    )


def other_method_modal(look: OtherMethod, name: str | None) -> Json:
    """Make the modal of a second person who would pay with another payment method than was agreed to.

    `name` is the first person's, for a button.
    """
    request, who = look.request, mention(look.first.person.key)
    about = f"about this {method_word(look.method)}"
    label = fitting(f"Ask {name} {about}", f"Ask {about}", BUTTON_SEEN) if name else f"Ask {about}"
    is_own = look.first.kind is VoteKind.ASKED
    then = "Another person has to agree to yours first." if is_own else f"{who} can, with one more look."
    return modal(
        titles.APPROVE_REQUEST,
        section(f"{mention(request.requester.key)} asks for *{show(request.amount)}*"),
        quoted(request.reason) if request.reason else None,
        section(
            f"{who} agreed to another payment method than the one that you would pay with: "
            f"{escape(method_name(look.method))}. {then}"
        ),
        actions(
            None if is_own else button(label, ids.ASK_ABOUT_CARD, value=request.id, style="primary"),
            button("Deny…", ids.DENY, value=request.id),
        ),
        callback_id=ids.INFO_VIEW,
    )


def asked_about_modal(request: FundsRequest) -> Json:
    """Make what follows when the first of two is asked about another payment method."""
    asked = "your payment method" if request.wanted is None else escape(method_name(request.wanted))
    return modal(
        titles.APPROVE_REQUEST,
        section(f"*Asked about {asked}.*"),
        context(f"You can pay the {show(request.amount)} once it was agreed to. The card says when."),
        callback_id=ids.INFO_VIEW,
    )


def _notes(known: Known, now: datetime, *, but: str = "") -> list[Block | None]:
    """Warn of what the organization has just bought or is buying, and of an earlier denial."""
    others = [each for each in known.others if each.id != but][:MOST_NOTES]
    notes: list[Block | None] = [section(f":warning: {_other_charge(each, now)}") for each in others]
    denied = known.denied
    if denied is not None and denied.decided_at is not None:
        who = mention(denied.decided_by or "")
        said = moment(f"denied {show(denied.amount)}", denied.decided_at)
        words = f":warning: {who} {said}."
        notes += [section(words), quoted(why(denied.deny_reason or ""))]
    return notes


def _other_charge(charge: Charge, now: datetime) -> str:
    who, amount = mention(charge.identity.key), show(charge.amount)
    if charge.state is not ChargeState.SETTLED:
        return f"{who} is adding {amount} right now."
    minutes = max(1, int((now - charge.expected_since).total_seconds() // 60))
    ago = "a minute ago" if minutes == 1 else f"{minutes} minutes ago"
    return f"{who} added {amount} here {ago}."


def _granted(request: FundsRequest, known: Known) -> str | None:
    """Say what the requester was granted, and what is left of the budgets that count the request."""
    lines = [f"{left_line(use)}{_over(use, request)}." for use in known.uses]
    if known.granted:
        lines.insert(0, f"{mention(request.requester.key)} was granted {show(known.granted)} in 30 days.")
    return "\n".join(lines) or None


def _over(use: BudgetUse, request: FundsRequest) -> str:
    return ": this goes over it" if use.is_over_with(request.amount) else ""


def blocked_modal(request: FundsRequest | None, reason: str, portal_url: str | None) -> Json:
    """Make the modal of a person who cannot pay a request now; with `request`, they can deny it."""
    asked: list[Block | None] = []
    if request is not None:
        asked.append(section(f"{mention(request.requester.key)} asks for *{show(request.amount)}*"))
        asked.append(quoted(request.reason) if request.reason else None)
    return modal(
        titles.APPROVE_REQUEST,
        *asked,
        section(reason),
        actions(
            button("Deny…", ids.DENY, value=request.id) if request is not None else None,
            portal_button(portal_url) if portal_url else None,
        ),
        callback_id=ids.INFO_VIEW,
    )


def add_card_for_modal(request: FundsRequest, state: BillingState) -> Json:
    """Make the modal of a person who can pay a request once there is a payment method."""
    return modal(
        titles.ADD_CARD,
        section(
            f"To pay *{show(request.amount)}* for {mention(request.requester.key)} you need a card or "
            "another payment method. You add it in the portal; this app never sees it."
        ),
        actions(
            portal_button(state.portal_url, style="primary"),
            button("I've added it, check again", ids.REVIEW, value=request.id),
            button("Deny…", ids.DENY, value=request.id),
        ),
        callback_id=ids.INFO_VIEW,
    )


def obstacle_modal(error: RequestError, now: datetime) -> Json:
    """Make the modal of a person who cannot decide on a request, or came too late."""
    request = error.request
    look = error.why in {Obstacle.VERSION, Obstacle.TWO} and request.is_open(now)
    is_theirs = error.why is Obstacle.DECIDED
    return modal(
        titles.REQUEST,
        section(obstacle_words(error, now)),
        # Not to a person of another organization.
        quoted(why(request.deny_reason)) if request.deny_reason and is_theirs else None,
        actions(
            button("Look again", ids.REVIEW, value=request.id, style="primary") if look else None,
            button("Connect another account", ids.CONNECT, value=f"{REVIEW} {request.id}")
            if error.why is Obstacle.ORGANIZATION
            else None,
        ),
        callback_id=ids.INFO_VIEW,
    )


def deny_modal(request: FundsRequest) -> Json:
    """Make the form to deny a request. Its metadata is the request's id and the version shown."""
    return modal(
        titles.DENY,
        section(f"{mention(request.requester.key)} asks for *{show(request.amount)}*"),
        quoted(request.reason) if request.reason else None,
        text_input(
            "Reason",
            block_id=ids.REASON,
            action_id=ids.REASON,
            hint="One line. The requester sees it, and whoever else was asked.",
            most=REASON_LENGTH,
            focused=True,
        ),
        callback_id=ids.DENY_VIEW,
        submit="Deny",
        close="Cancel",
        private_metadata=f"{request.id} {request.version}",
    )


def denied_modal(request: FundsRequest, *, following: str | None = None) -> Json:
    """Make what follows a denial; `following` is the next request that waits for the reader."""
    return modal(
        titles.DENY,
        section(f"*Denied: {show(request.amount)}.* {mention(request.requester.key)} is told why."),
        next_button(following),
        callback_id=ids.INFO_VIEW,
    )

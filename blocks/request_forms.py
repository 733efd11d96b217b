"""The modals about requests for funds: ask, approve, deny, and why somebody cannot decide."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.charge import buy_again
from blocks.kit import (
    Block,
    Json,
    Message,
    actions,
    button,
    context,
    escape,
    fields,
    fitting,
    message,
    modal,
    moment,
    portal_button,
    portal_line,
    quoted,
    section,
    text_input,
)
from blocks.purchase import AmountForm, amount_inputs, balance_after, method_field
from blocks.request_words import nobody_words, obstacle_words, told_words, why
from blocks.words import consent, mention, organization
from bot.domain.charge import ChargeState
from bot.domain.money import show
from bot.domain.request import REASON_LENGTH, Obstacle, RequestState
from bot.domain.request_errors import (
    AskedAlreadyError,
    MemberCapError,
    NotFullMemberError,
    TooMany,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.errors import BillingError
    from bot.domain.request import FundsRequest
    from bot.domain.request_errors import RequestError
    from bot.domain.request_views import Approvers, Review

REASON_NEEDED = "Say in one line what it is for"
DENIAL_NEEDED = "Say in one line why"
ASKING = "Asking…"
_TOO_MANY = {
    TooMany.OWN: "You have three open requests already. Withdraw one, or wait for a decision.",
    TooMany.ORGANIZATION: "Twenty requests wait in your organization already. Wait until some are decided.",
    TooMany.DAY: "You have asked ten times in 24 hours. Wait before you ask again.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedFor:
    """What the form keeps between requests: the amounts, whose form it is, and the request to edit."""

    amounts: AmountForm
    account: str
    organization: str | None
    asked: str
    """Who is asked, as `asked_words` writes it."""

    edits: str = ""
    version: int = 0

    def remember(self) -> str:
        """Serialize it for a view's private metadata."""
        return json.dumps(
            {
                "amounts": self.amounts.remember(),
                "account": self.account,
                "organization": self.organization,
                "asked": self.asked,
                "edits": self.edits,
                "version": self.version,
            },
            ensure_ascii=False,  # Slack counts characters
        )

    @classmethod
    def recall(cls, remembered: str) -> AskedFor:
        """Read it; unreadable text belongs to no account."""
        try:
            found = json.loads(remembered)
            return cls(
                amounts=AmountForm.recall(found["amounts"]),
                account=str(found["account"]),
                organization=found["organization"],
                asked=str(found["asked"]),
                edits=str(found["edits"]),
                version=int(found["version"]),
            )
        except (ValueError, KeyError, TypeError):
            return cls(amounts=AmountForm.recall(""), account="", organization=None, asked="")


def ask_modal(
    form: AskedFor,
    *,
    typed: str | None = None,
    chosen: str | None = None,
    reason: str = "",
    problem: str | None = None,
    already: FundsRequest | None = None,
) -> Json:
    """Make the form to ask for funds, or to change a request.

    `problem` is why it cannot be filed as it is; `already` the equal request that goes on.
    """
    inputs, kept = amount_inputs(form.amounts, chosen=chosen, typed=typed)
    ask = f"Ask for {typed}" if typed and not form.edits else "Ask"
    return modal(
        titles.ASK_FOR_FUNDS,
        section(f"*{problem}*") if problem else None,
        _already_buttons(already) if already is not None else None,
        section(f"For *{organization(form.organization)}*."),
        *inputs,
        text_input(
            "Reason",
            block_id=ids.REASON,
            action_id=ids.REASON,
            initial=reason[:REASON_LENGTH],
            hint="One line. Whoever decides sees it.",
            most=REASON_LENGTH,
        ),
        context(form.asked),
        callback_id=ids.ASK_VIEW,
        submit="Save" if form.edits else fitting(ask, "Ask"),
        close="Cancel",
        private_metadata=replace(form, amounts=kept).remember(),
    )


def asked_words(approvers: Approvers, name: str | None) -> str:
    """Say in the form who will be asked."""
    if not approvers.told:
        return f"{nobody_words(name)}. Whoever connects and may pay gets your request then."
    who = told_words(approvers.told, approvers.more)
    return f"Asked: {who}. Nothing is charged until one of them confirms it with their own payment method."


def _already_buttons(request: FundsRequest) -> Block | None:
    remind = button("Remind", ids.REMIND, value=request.id)
    return actions(
        button("Show it", ids.SHOW_REQUEST, value=request.id),
        remind if request.state is RequestState.OPEN else None,
    )


def filing_problem(error: BillingError) -> str | None:
    """Say why a request cannot be filed; None if the error is about something else."""
    if isinstance(error, AskedAlreadyError):
        amount = show(error.request.amount)
        if error.request.state is RequestState.CHARGING:
            return f"{mention(error.request.decided_by or '')} is paying {amount} for you already."
        return f"You asked for {amount} already."
    if isinstance(error, TooManyRequestsError):
        return _TOO_MANY[error.which]
    if isinstance(error, NotFullMemberError):
        return "Only full members of this workspace can ask for funds."
    return None


def asked_modal(request: FundsRequest, *, edited: bool) -> Json:
    """Make what follows the form: the request is filed, and where it is followed."""
    did = "Changed" if edited else "Asked"
    return modal(
        titles.ASK_FOR_FUNDS,
        section(f":white_check_mark: *{did}: {show(request.amount)}*"),
        quoted(request.reason),
        context("You can close this. Your direct message from this app shows what becomes of it."),
        callback_id=ids.INFO_VIEW,
    )


def reminded_message(request: FundsRequest) -> Message:
    """Make the answer to Remind."""
    return message(section(f"Those who were asked for {show(request.amount)} are reminded."))


def too_soon_message(at: datetime | None) -> Message:
    """Make the answer to a reminder that is too much; the next is possible at `at` (UTC), if any is."""
    if at is None:
        return message(section("They were reminded three times. Ask one of them in person."))
    return message(section(f"You reminded them a short time ago. {moment('You can again', at)}."))


def may_add_modal(typed: str, reason: str) -> Json:
    """Make the answer to a person who asks for what they may add themselves."""
    add = fitting(f"Add {typed}", "Add funds") if typed else "Add funds"
    value = f"buy {typed}"[:LONGEST_VALUE] if typed else "buy"
    return modal(
        titles.ASK_FOR_FUNDS,
        section("*You may add it yourself.* You need not ask anybody."),
        actions(
            button(add, ids.GO_ON, value=value, style="primary"),
            button("Ask somebody else", ids.ASK_ANYWAY, value=f"{typed} {reason}".strip()[:LONGEST_VALUE]),
        ),
        callback_id=ids.INFO_VIEW,
    )


def member_cap_modal(error: MemberCapError, typed: str, reason: str) -> Json:
    """Make the answer to a person whom more funds do not help."""
    return modal(
        titles.ASK_FOR_FUNDS,
        section(
            "*Your own limit at the portal is used up.* "
            "More funds won't lift it; an admin changes it there."
        ),
        actions(
            portal_button(error.portal_url, style="primary"),
            button("Ask anyway", ids.ASK_ANYWAY, value=f"{typed} {reason}".strip()[:LONGEST_VALUE]),
        ),
        callback_id=ids.INFO_VIEW,
    )


def approve_modal(review: Review, now: datetime) -> Json:
    """Make the modal in which a person pays another's request: an ordinary confirmation, and what is known.

    Its metadata is that of every confirmation.
    """
    return approval(
        review.request,
        review.proposal.charge,
        open_equal=review.proposal.open_equal,
        state=review.state,
        notes=_notes(review, now),
        granted=_granted(review),
    )


def approval(
    request: FundsRequest,
    charge: Charge,
    *,
    open_equal: Charge | None,
    state: BillingState | None,
    notes: Sequence[Block | None] = (),
    granted: str | None = None,
) -> Json:
    """Make the confirmation of a charge that pays a request."""
    amount = show(charge.amount)
    pay = f"Pay {amount} now"
    return modal(
        titles.POSSIBLE_DUPLICATE if open_equal else titles.APPROVE_REQUEST,
        section(buy_again(charge, open_equal)) if open_equal else None,
        section(f"{mention(request.requester.key)} asks for *{amount}*"),
        quoted(request.reason) if request.reason else None,
        section(f"Add *{amount}* to the balance of *{organization(charge.organization_name)}*."),
        fields([("Total", amount), method_field(charge), *(balance_after(charge, state) if state else [])]),
        context(f"You act as {escape(charge.account_email)}.") if charge.account_email else None,
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


def _notes(review: Review, now: datetime) -> list[Block | None]:
    """Warn of what the organization has just bought or is buying, and of an earlier denial."""
    mine = review.proposal.charge.id
    others = [each for each in review.others if each.id != mine][:MOST_NOTES]
    notes: list[Block | None] = [section(f":warning: {_other_charge(each, now)}") for each in others]
    denied = review.denied
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


def _granted(review: Review) -> str | None:
    if not review.granted:
        return None
    who = mention(review.request.requester.key)
    return f"{who} was granted {show(review.granted)} in 30 days."


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
    look = error.why is Obstacle.VERSION and request.is_open(now)
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


def denied_modal(request: FundsRequest) -> Json:
    """Make what follows a denial."""
    return modal(
        titles.DENY,
        section(f"*Denied: {show(request.amount)}.* {mention(request.requester.key)} is told why."),
        callback_id=ids.INFO_VIEW,
    )


REVIEW = "review"
"""The command that leads back to a request after connecting; it is not typed."""

MOST_NOTES = 3
LONGEST_VALUE = 500
"""Long enough for an amount and a reason, in a button's value."""

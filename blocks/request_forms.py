"""The modals about requests for funds: ask, approve, deny, and why somebody cannot decide."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.budget import how_far
from blocks.inputs import channel_select, text_input
from blocks.kit import (
    Block,
    Json,
    Message,
    actions,
    button,
    context,
    escape,
    fitting,
    message,
    modal,
    moment,
    portal_button,
    quoted,
    section,
)
from blocks.purchase import AmountForm, amount_inputs
from blocks.request_words import nobody_words, told_words
from blocks.words import mention, organization
from bot.domain.money import show
from bot.domain.policy import Policy
from bot.domain.request import REASON_LENGTH, RequestState
from bot.domain.request_errors import (
    AboveMostError,
    AskedAlreadyError,
    MemberCapError,
    NotFullMemberError,
    TooMany,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.errors import BillingError
    from bot.domain.next_step import AskInstead
    from bot.domain.request import FundsRequest
    from bot.domain.request_views import Approvers

REASON_NEEDED = "Say in one line what it is for"
ASKING = "Asking…"
NO_POLICY = Policy()
_ONLY_THEN = "Nothing is charged until one of them confirms it with their own payment method."
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

    needs_reason: bool = True

    edits: str = ""
    version: int = 0
    channel: str | None = None
    """The channel in which the form was asked for."""
    has_channels: bool = False
    """Whether some channels have budgets, so that the form asks for which one this is."""

    def remember(self) -> str:
        """Serialize it for a view's private metadata."""
        return json.dumps(
            {
                "amounts": self.amounts.remember(),
                "account": self.account,
                "organization": self.organization,
                "asked": self.asked,
                "needs_reason": self.needs_reason,
                "edits": self.edits,
                "version": self.version,
                "channel": self.channel,
                "has_channels": self.has_channels,
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
                needs_reason=bool(found.get("needs_reason", True)),
                edits=str(found["edits"]),
                version=int(found["version"]),
                channel=found.get("channel"),
                has_channels=bool(found.get("has_channels")),
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
            optional=not form.needs_reason,
        ),
        _for_team(form) if form.has_channels and not form.edits else None,
        context(form.asked),
        callback_id=ids.ASK_VIEW,
        submit="Save" if form.edits else fitting(ask, "Ask"),
        close="Cancel",
        private_metadata=replace(form, amounts=kept).remember(),
    )


def _for_team(form: AskedFor) -> Block:
    return channel_select(
        "For team",
        block_id=ids.ASK_TEAM,
        action_id=ids.ASK_TEAM,
        chosen=form.channel,
        placeholder="No channel",
        hint="The channel whose monthly budget counts it.",
        private_only=False,
    )


def asked_words(approvers: Approvers, name: str | None, policy: Policy = NO_POLICY) -> str:
    """Say in the form who will be asked, and when two people decide."""
    words = _who_is_asked(approvers, name)
    line = policy.two_people_from
    if line is None:
        return words
    return f"{words} From {show(line)} in 24 hours on, two people decide: a second one pays."


def _who_is_asked(approvers: Approvers, name: str | None) -> str:
    if approvers.channel is not None:
        return f"Asked: <#{escape(approvers.channel)}>. {_ONLY_THEN}"
    if not approvers.told:
        return f"{nobody_words(name)}. Whoever connects and may pay gets your request then."
    return f"Asked: {told_words(approvers.told, approvers.more)}. {_ONLY_THEN}"


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
    if isinstance(error, AboveMostError):
        return f"Your organization lets nobody ask for more than {show(error.most)}."
    if isinstance(error, NotFullMemberError):
        return "Only full members of this workspace can ask for funds."
    return None


def asked_modal(request: FundsRequest, *, edited: bool) -> Json:
    """Make what follows the form: the request is filed, and where it is followed."""
    did = "Changed" if edited else "Asked"
    return modal(
        titles.ASK_FOR_FUNDS,
        section(f":white_check_mark: *{did}: {show(request.amount)}*"),
        quoted(request.reason) if request.reason else None,
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


def ask_instead_modal(step: AskInstead) -> Json:
    """Make the answer to a person who would buy so much that two people decide."""
    amount, name = show(step.amount), organization(step.state.organization_name)
    over = step.hold.over
    why = f"From {show(step.hold.line)} on" if over is None else f"{how_far(over)}. For more"
    return modal(
        titles.ADD_FUNDS,
        section(
            f"*{why}, two people of {name} decide.* Ask for {amount}: you count as one, and another person "
            "pays."
        ),
        actions(
            button(f"Ask for {amount}", ids.GO_ON, value=f"request {amount}", style="primary"),
            button("Another amount", ids.BACK_TO_AMOUNT),
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


REVIEW = "review"
"""The command that leads back to a request after connecting; it is not typed."""

LONGEST_VALUE = 500
"""Long enough for an amount and a reason, in a button's value."""

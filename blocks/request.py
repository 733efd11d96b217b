"""A request's cards: one message for each reader, the replies in its thread, and the lists of requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import (
    Block,
    Message,
    actions,
    button,
    confirmed,
    context,
    divider,
    escape,
    header,
    message,
    moment,
    quoted,
    section,
)
from blocks.request_words import (
    Say,
    first_words,
    nobody_words,
    own_status_words,
    problem_words,
    status_words,
    told_words,
    why,
)
from blocks.words import mention, organization
from bot.domain.charge import ChargeState
from bot.domain.money import show
from bot.domain.request import RequestState
from bot.domain.request_views import Event, last_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from blocks.kit import Json
    from bot.domain.charge import Charge
    from bot.domain.request import FundsRequest
    from bot.domain.request_views import Approvers, FirstOfTwo

HOME_WAITING = 5
HOME_OWN = 3
LISTED = 15
"""How many requests of a kind a message lists: Slack takes 50 blocks."""

TOGETHER = 5
_TOO_FEW = (
    ":warning: Two people decide on this, and too few who may pay are connected here. Ask another to type "
    "`/billing connect`."
)
_REPLIES = {
    RequestState.DONE.value: ":white_check_mark: {payer} has added {added}.",
    RequestState.DENIED.value: "{payer} said no.",
    RequestState.EXPIRED.value: "{ended}. Nothing was charged.",
    RequestState.FAILED.value: "Three payments of {amount} didn't go through. Nothing was added.",
    RequestState.UNRESOLVED.value: (
        "{amount} may or may not have been paid. Please don't ask for it again yet."
    ),
    "reopened": "{problem} It is still open for others.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Whoever reads a card besides the requester: a person who can decide, or a channel.

    In a channel nobody is mentioned, and nothing is said of what was in the way of a payment.
    """

    is_connected: bool = True
    in_channel: bool = False
    say: Say = mention


PERSON = Reader()


def approver_card(
    request: FundsRequest,
    charge: Charge | None,
    now: datetime,
    *,
    more: int = 0,
    first: FirstOfTwo | None = None,
    reader: Reader = PERSON,
) -> Message:
    """Make the card of those who can decide; `more` people may decide who have no card."""
    if not request.is_open(now):
        waits = charge is not None and charge.state is ChargeState.NEEDS_SCOPE
        return message(
            section(status_words(request, charge, now, reader.say)),
            _asked(request) if request.state is not RequestState.DONE else None,
            _denial(request),
            actions(_review(request)) if waits and not request.is_over else None,
        )
    name = organization(request.organization_name)
    problem = problem_words(request, reader.say, briefly=reader.in_channel)
    others = f" · {more} more may decide" if more and not reader.in_channel else ""
    return message(
        section(f"*{reader.say(request.requester.key)} asks for {show(request.amount)}* for {name}"),
        _asked(request),
        section(f"*Open again:* {problem}") if request.tries else None,
        section(first_words(request, first, reader.say)) if first else None,
        actions(
            _review(request, style="primary")
            if reader.is_connected
            else button("Connect to decide", ids.REVIEW, value=request.id, style="primary"),
            button("Deny", ids.DENY, value=request.id) if reader.is_connected else None,
        ),
        context(
            f"{_why_asked(name, reader)} · {moment('until', request.expires_at)} · only the buttons count"
            f"{others}"
        ),
    )


def _why_asked(name: str, reader: Reader) -> str:
    if reader.in_channel:
        return f"Whoever may pay for {name} decides"
    if reader.is_connected:
        return f"You are asked because you may pay for {name}"
    return f"You are asked because you were named as one who decides at {name}"


def requester_card(
    request: FundsRequest,
    charge: Charge | None,
    now: datetime,
    approvers: Approvers,
    *,
    first: FirstOfTwo | None = None,
) -> Message:
    """Make the requester's own card: how it stands, and what they can do."""
    amount = show(request.amount)
    if not request.is_open(now):
        ended = request.is_over or request.state is RequestState.OPEN
        return message(
            section(own_status_words(request, charge, now)),
            _asked(request) if request.state is not RequestState.DONE else None,
            _denial(request),
            actions(
                button("Withdraw", ids.WITHDRAW_REQUEST, value=request.id)
                if charge is not None and charge.state is ChargeState.NEEDS_SCOPE and not ended
                else None,
                button("Ask again", ids.ASK, value=request.id)
                if ended and request.state is not RequestState.DONE
                else None,
            ),
        )
    is_told = bool(approvers.told or approvers.channel)
    return message(
        section(f":hourglass_flowing_sand: *You asked for {amount}*"),
        _asked(request),
        section(f"*Still open:* {problem_words(request)}") if request.tries else None,
        section(first_words(request, first)) if first else None,
        context(
            f"{_who_was_told(request, approvers)} · {moment('until', request.expires_at)} · "
            "nothing is charged until one pays"
        ),
        None if is_told else context(_share(request)),
        context(_TOO_FEW) if is_told and approvers.is_short else None,
        actions(
            button("Edit", ids.EDIT_REQUEST, value=request.id),
            confirmed(
                button("Withdraw", ids.WITHDRAW_REQUEST, value=request.id),
                title="Withdraw it?",
                words=f"Nobody can pay {amount} for you then. You can ask again.",
                confirm="Withdraw",
                deny="Keep it",
            ),
            button("Remind", ids.REMIND, value=request.id)
            if is_told and not request.is_reminded_enough
            else None,
        ),
    )


def _who_was_told(request: FundsRequest, approvers: Approvers) -> str:
    told, more = approvers.told, approvers.more
    if approvers.channel is not None:
        beside = f" and {told_words(told, 0)}" if told else ""
        return f"Asked: <#{escape(approvers.channel)}>{beside}"
    if not told:
        return nobody_words(request.organization_name)
    return f"{told_words(told, more)} {'was' if len(told) + more == 1 else 'were'} told"


def requester_reply(
    request: FundsRequest, charge: Charge | None, first: FirstOfTwo | None = None
) -> Message | None:
    """Make the reply in the requester's thread about the last decision; None if there was none."""
    stage = request.state.value
    if request.state is RequestState.OPEN:
        # A reminder is the requester's own.
        event = last_event(replace(request, reminded_at=None), first)
        if event is not None and event[0] in {Event.AGREED, Event.LOST} and first is not None:
            return message(section(f"{first_words(request, first)}."))
        stage = "reopened" if request.tries else stage
    if stage not in _REPLIES:
        return None
    words = _REPLIES[stage].format(
        payer=mention(request.decided_by or ""),
        amount=show(request.amount),
        added=show(request.amount if charge is None else charge.display_amount),
        ended=moment("Nobody decided until", request.expires_at),
        problem=problem_words(request),
    )
    ask_again = button("Ask again", ids.ASK, value=request.id)
    return message(
        section(words),
        _denial(request),
        actions(ask_again) if request.state is RequestState.EXPIRED else None,
    )


def approver_reply(
    request: FundsRequest, first: FirstOfTwo | None = None, reader: Reader = PERSON
) -> Message | None:
    """Make the reply in the thread of those who can decide, about the last event of an open request."""
    event = last_event(request, first)
    if request.state is not RequestState.OPEN or event is None:
        return None
    match event[0]:
        case Event.REMINDED:
            who = f"{reader.say(request.requester.key)} asks for {show(request.amount)}"
            return message(section(f"Reminder: {who}, and nobody has decided yet."))
        case Event.REOPENED:
            problem = problem_words(request, reader.say, briefly=reader.in_channel)
            return message(section(f"Open again: {problem}"))
    return None if first is None else message(section(f"{first_words(request, first, reader.say)}."))


def requests_message(
    waiting: Sequence[FundsRequest],
    own: Sequence[FundsRequest],
    organization_wide: Sequence[FundsRequest] | None,
    now: datetime,
) -> Message:
    """Make the answer to `/billing requests`."""
    nothing = not (waiting or own or organization_wide)
    others = [each for each in organization_wide or () if each not in waiting and each not in own]
    return message(
        header("Requests"),
        *waiting_blocks(waiting, most=LISTED),
        *own_blocks(own, now, most=HOME_WAITING),
        divider() if others else None,
        section("*In the organization, last 30 days*") if others else None,
        *_lines(others[:LISTED], now),
        section("Nothing is waiting, and you have not asked for funds yet.") if nothing else None,
        actions(button("Ask for funds", ids.ASK), button("Back", ids.BACK_TO_OVERVIEW)),
    )


def waiting_blocks(waiting: Sequence[FundsRequest], *, most: int = HOME_WAITING) -> list[Block | None]:
    """Make the list of what waits for the reader's decision."""
    if not waiting:
        return []
    shown: list[Block | None] = [section("*Waiting for you*")]
    for request in waiting[:most]:
        until = moment("until", request.expires_at)
        who = f"{mention(request.requester.key)} asks for *{show(request.amount)}* · {until}"
        label = f"Review {show(request.amount)}"
        review = button("Review", ids.REVIEW, value=request.id, label=label)
        shown += [
            section(who, accessory=review),
            _asked(request),
        ]
    if len(waiting) > most and most < LISTED:
        shown.append(actions(button(f"All {len(waiting)}", ids.REQUESTS)))
    return shown


def own_blocks(own: Sequence[FundsRequest], now: datetime, *, most: int = HOME_OWN) -> list[Block | None]:
    """Make the list of the reader's own requests."""
    if not own:
        return []
    shown: list[Block | None] = [section("*Your requests*")]
    for request in own[:most]:
        look = button("Show", ids.SHOW_REQUEST, value=request.id, label=f"Show {show(request.amount)}")
        shown.append(section(own_status_words(request, None, now), accessory=look))
    return shown


def _lines(requests: Sequence[FundsRequest], now: datetime) -> list[Block | None]:
    """List requests, a few in each section: one holds 3,000 characters."""
    lines = [_line(each, now) for each in requests]
    return [section("\n".join(lines[at : at + TOGETHER])) for at in range(0, len(lines), TOGETHER)]


def _line(request: FundsRequest, now: datetime) -> str:
    return f"• {status_words(request, None, now)}"


def _asked(request: FundsRequest) -> Block | None:
    return quoted(request.reason) if request.reason else None


def _denial(request: FundsRequest) -> Block | None:
    return quoted(why(request.deny_reason)) if request.deny_reason else None


def _review(request: FundsRequest, *, style: str | None = None) -> Json:
    return button("Review", ids.REVIEW, value=request.id, style=style)


def _share(request: FundsRequest) -> str:
    return (
        "Ask somebody who may pay to type `/billing connect`. "
        f"They get this request as soon as they are connected to {organization(request.organization_name)}."
    )

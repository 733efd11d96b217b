"""Phrases about requests for funds that cards, forms and lists share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from blocks.budget import filled_up
from blocks.kit import escape, moment
from blocks.words import mention, mentions, organization, some
from bot.domain.charge import ChargeState, FailureReason
from bot.domain.deciding import Obstacle
from bot.domain.errors import RefusalCode
from bot.domain.money import show
from bot.domain.request import SETUP, RequestState, Withdrawal
from bot.domain.vote import Voided, VoteKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.charge import Charge
    from bot.domain.identity import Identity
    from bot.domain.policy import Policy
    from bot.domain.request import FundsRequest
    from bot.domain.request_errors import RequestError
    from bot.domain.request_views import FirstOfTwo

_UNSURE = {ChargeState.OVERDUE, ChargeState.UNCONFIRMED}
_STATUS = {
    RequestState.OPEN.value: "*Open* · {amount} for {who}, {until}",
    RequestState.CHARGING.value: ":hourglass_flowing_sand: *{payer} is paying {amount}* for {who}",
    SETUP: ":lock: *{payer} is enabling billing* to pay {amount} for {who}",
    RequestState.UNRESOLVED.value: (
        ":warning: *{amount} for {who} may or may not have been paid* · please don't pay it again yet"
    ),
    RequestState.DONE.value: ":white_check_mark: *{added} added* for {who} · paid by {payer}{when}",
    RequestState.DENIED.value: ":x: *Denied* by {payer} · {amount} for {who}",
    RequestState.EXPIRED.value: "*Ended without a decision* · {amount} for {who}, nothing was charged",
    RequestState.FAILED.value: ":x: *Failed:* three payments of {amount} didn't go through",
    Withdrawal.BY_REQUESTER.value: "*Withdrawn* by {who} · {amount}",
    Withdrawal.LEFT.value: "*Withdrawn:* {who} is not at {organization} here any more · {amount}",
    Withdrawal.SWITCHED_OFF.value: "*Withdrawn:* requests were switched off · {amount} for {who}",
    Withdrawal.RESTORED.value: (
        "*Ended:* this app's records were restored from a copy; it may have been paid · {amount} for {who}"
    ),
}
_OWN_STATUS = {
    RequestState.OPEN.value: "*Open* · {amount}, {until}",
    RequestState.DENIED.value: ":x: *Denied* by {payer} · the {amount} you asked for",
    RequestState.EXPIRED.value: "*Ended without a decision* · your {amount}, nothing was charged",
    RequestState.CHARGING.value: ":hourglass_flowing_sand: *{payer} is paying {amount} for you*",
    SETUP: ":lock: *{payer} is enabling billing* to pay {amount} for you",
    RequestState.DONE.value: ":white_check_mark: *{added} added for you* · paid by {payer}{when}",
    RequestState.UNRESOLVED.value: (
        ":warning: *{amount} may or may not have been paid for you* · please don't ask for it again yet"
    ),
    Withdrawal.BY_REQUESTER.value: "*Withdrawn* · the {amount} you asked for, nothing was charged",
}
_OBSTACLES = {
    Obstacle.SELF: "You asked for this yourself, so somebody else decides.",
    Obstacle.ACCOUNT: "That is the same portal account as {who}'s. Somebody else decides.",
    Obstacle.ORGANIZATION: "This is for *{organization}*. You are connected to another organization.",
    Obstacle.VERSION: (
        "{who} has changed this since you opened it: it is {amount} now. Nothing was charged."
    ),
    Obstacle.EXPIRED: "{ended} without a decision. Nothing was charged.",
    Obstacle.ROLE: "Your role at {organization} does not let you decide.",
    Obstacle.LIST: "At {organization} only certain people decide on requests: {deciders}.",
    Obstacle.LIMIT: "{organization} lets nobody be granted so much by now. Nothing was charged.",
    Obstacle.TWO: (
        "Two people decide on this, and another person has to agree or pay beside you. Nothing was charged."
    ),
}
_OVER = {
    Obstacle.LIMIT: "{budget}. Nothing was charged. A policy admin can raise it: `/billing team`.",
    Obstacle.TWO: "{budget}: a second person is needed now. Nothing was charged.",
}
_PROBLEMS = {
    FailureReason.CARD_DECLINED.value: "{payer}'s card was declined.",
    FailureReason.PAYMENT_METHOD_EXPIRED.value: "{payer}'s card has expired.",
    FailureReason.AUTHENTICATION_REQUIRED.value: "{payer}'s bank wants a verification in the portal.",
    RefusalCode.MONTHLY_CAP_EXCEEDED.value: "The monthly limit doesn't leave {amount} now.",
    RefusalCode.ROLE_REQUIRED.value: "{payer} may not pay at {organization} any more.",
    RefusalCode.SPENDING_STOPPED.value: "Spending was stopped before this was sent.",
    RefusalCode.RATE_LIMITED.value: "The portal takes no more payments for a while.",
    RefusalCode.TEMPORARILY_UNAVAILABLE.value: "The portal takes no payments right now.",
    RefusalCode.LEFT_TO_OTHERS.value: "{payer} leaves it to others.",
    RefusalCode.VOTE_LOST.value: (
        "{payer}'s payment was not sent: the first person's yes could not be confirmed."
    ),
    SETUP: "{payer} did not enable billing in time.",
}
_UNKNOWN_PROBLEM = "{payer}'s payment didn't go through."


Say: TypeAlias = Callable[[str], str]
"""Names a person by their key (escaped): by a mention, or where that would call them, by their name."""


def problem_words(request: FundsRequest, say: Say = mention, *, briefly: bool = False) -> str:
    """Say why the last payment added nothing. It names no decline code and no digits of a card.

    `briefly`: not even what was in the way.
    """
    payer = say(request.decided_by or "")
    words = _UNKNOWN_PROBLEM if briefly else _PROBLEMS.get(request.problem or "", _UNKNOWN_PROBLEM)
    return words.format(
        payer=payer, amount=show(request.amount), organization=organization(request.organization_name)
    )


def status_words(request: FundsRequest, charge: Charge | None, now: datetime, say: Say = mention) -> str:
    """Say in one line how a request stands at `now` (UTC), for whoever reads it."""
    return _STATUS[_stage(request, charge, now)].format(**_facts(request, charge, say))


def own_status_words(request: FundsRequest, charge: Charge | None, now: datetime) -> str:
    """Say the same to the requester."""
    stage = _stage(request, charge, now)
    return _OWN_STATUS.get(stage, _STATUS[stage]).format(**_facts(request, charge))


def _stage(request: FundsRequest, charge: Charge | None, now: datetime) -> str:
    """Return the key of the words for how a request stands."""
    match request.state:
        case RequestState.OPEN if now >= request.expires_at:
            return RequestState.EXPIRED.value
        case RequestState.WITHDRAWN:
            return (request.withdrawn_why or Withdrawal.BY_REQUESTER).value
        case RequestState.CHARGING if charge is not None and charge.state in _UNSURE:
            return RequestState.UNRESOLVED.value
        case RequestState.CHARGING if charge is not None and charge.state is ChargeState.NEEDS_SCOPE:
            return SETUP
    return request.state.value


def _facts(request: FundsRequest, charge: Charge | None, say: Say = mention) -> dict[str, str]:
    return {
        "amount": show(request.amount),
        "added": show(request.amount if charge is None else charge.display_amount),
        "who": say(request.requester.key),
        "payer": say(request.decided_by or ""),
        "until": moment("until", request.expires_at),
        "when": "" if request.decided_at is None else moment(",", request.decided_at),
        "organization": organization(request.organization_name),
    }


def first_words(request: FundsRequest, first: FirstOfTwo, say: Say = mention) -> str:
    """Say how far the two who decide have come."""
    if first.vote is not None:
        who = say(first.vote.person.key)
        if first.vote.kind is VoteKind.ASKED:
            return f"{who} may pay too and counts as one of two, so one more person is enough"
        return f"*1 of 2:* {who} agrees; a second person pays"
    if first.lost is None:
        return "*Two people decide:* one agrees, another pays"
    who = say(first.lost.person.key)
    match first.lost.void_why:
        case Voided.CARD if request.wanted_method is not None:
            words = "A second person would pay with another payment method: {who} looks again"
        case Voided.CARD:
            words = "*The payment method has changed:* {who} looks again, or another person agrees"
        case None:
            words = "{who} has to connect again before their yes counts, or another person agrees"
        case _:
            words = "*{who} can no longer decide;* one more is needed"
    return words.format(who=who)


def obstacle_words(error: RequestError, now: datetime) -> str:
    """Say why a person cannot decide on a request, and what became of it."""
    request = error.request
    if error.why not in _OBSTACLES:
        return _decided(error, now)
    if error.over is not None and error.why in _OVER:
        return _OVER[error.why].format(budget=filled_up(error.over))
    ended = moment("This ended", request.expires_at)
    deciders = "; ".join(deciders_words(each) for each in error.policies if each.is_limited)
    return _OBSTACLES[error.why].format(**_facts(request, None), ended=ended, deciders=deciders or "others")


def deciders_words(policy: Policy) -> str:
    """Name who decides by a policy (escaped)."""
    if not policy.is_limited:
        return "whoever the portal lets pay"
    parts = [some(policy.approvers)] if policy.approvers else []
    if policy.approver_group is not None:
        parts.append(f"the user group <!subteam^{escape(policy.approver_group)}>")
    if policy.approver_channel is not None:
        parts.append(f"the members of <#{escape(policy.approver_channel)}>")
    return ", ".join(parts)


def _decided(error: RequestError, now: datetime) -> str:
    """Say what somebody else has decided, to a person who came too late."""
    request = error.request
    who, payer = mention(request.requester.key), mention(request.decided_by or "")
    match request.state:
        case RequestState.CHARGING if error.take_over_at is not None:
            return f"{payer} is enabling billing. {moment('You can take over', error.take_over_at)}."
        case RequestState.CHARGING if error.charge is None or error.charge.state not in _UNSURE:
            return f"{payer} is paying this already. Nothing was charged to you."
        case RequestState.WITHDRAWN if request.withdrawn_why is Withdrawal.BY_REQUESTER:
            return f"{who} has withdrawn this. Nothing was charged."
        case RequestState.DENIED:
            said = (
                "denied this" if request.decided_at is None else moment("denied this", request.decided_at)
            )
            return f"{payer} {said}. Nothing was charged."
    return f"{status_words(request, error.charge, now)}."


def why(reason: str) -> str:
    """Say, as plain text, why a request was denied."""
    return f"Why: {reason}"


def nobody_words(name: str | None) -> str:
    """Say that there is nobody to ask yet."""
    return f"Nobody who may pay for {organization(name)} is connected here yet"


def told_words(told: Sequence[Identity], more: int) -> str:
    """Name those who are asked."""
    shown = [each.key for each in told]
    if more or len(shown) > SHOWN:
        rest = len(shown) + more - FEW
        return f"{', '.join(map(mention, shown[:FEW]))} and {rest} others who may decide"
    return mentions(shown)


SHOWN = 3
FEW = 2
"""How many people are named where there are more than SHOWN."""

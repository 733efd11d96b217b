"""Phrases about requests for funds that cards, forms and lists share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.kit import moment
from blocks.words import mention, mentions, organization
from bot.domain.charge import ChargeState, FailureReason
from bot.domain.errors import RefusalCode
from bot.domain.money import show
from bot.domain.request import SETUP, Obstacle, RequestState, Withdrawal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.charge import Charge
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest
    from bot.domain.request_errors import RequestError

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
    SETUP: "{payer} did not enable billing in time.",
}


def problem_words(request: FundsRequest) -> str:
    """Say why the last payment added nothing. It names no decline code and no digits of a card."""
    payer = mention(request.decided_by or "")
    words = _PROBLEMS.get(request.problem or "", "{payer}'s payment didn't go through.")
    return words.format(
        payer=payer, amount=show(request.amount), organization=organization(request.organization_name)
    )


def status_words(request: FundsRequest, charge: Charge | None, now: datetime) -> str:
    """Say in one line how a request stands at `now` (UTC), for whoever reads it."""
    return _STATUS[_stage(request, charge, now)].format(**_facts(request, charge))


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


def _facts(request: FundsRequest, charge: Charge | None) -> dict[str, str]:
    return {
        "amount": show(request.amount),
        "added": show(request.amount if charge is None else charge.display_amount),
        "who": mention(request.requester.key),
        "payer": mention(request.decided_by or ""),
        "until": moment("until", request.expires_at),
        "when": "" if request.decided_at is None else moment(",", request.decided_at),
        "organization": organization(request.organization_name),
    }


def obstacle_words(error: RequestError, now: datetime) -> str:
    """Say why a person cannot decide on a request, and what became of it."""
    request = error.request
    if error.why not in _OBSTACLES:
        return _decided(error, now)
    ended = moment("This ended", request.expires_at)
    return _OBSTACLES[error.why].format(**_facts(request, None), ended=ended)


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

"""Requests for funds: the form, the cards of both sides, and deciding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from blocks.away import away_help_message, away_message, back_message, not_away_message
from blocks.charge import charge_message
from blocks.deciding import (
    add_card_for_modal,
    agree_modal,
    agreed_modal,
    approval,
    approve_modal,
    asked_about_modal,
    blocked_modal,
    denied_modal,
    deny_modal,
    obstacle_modal,
    other_method_modal,
)
from blocks.errors import error_copy, error_modal
from blocks.history import request_trace_message
from blocks.overview import overview_home, overview_message
from blocks.purchase import AmountForm
from blocks.request import (
    Reader,
    approver_card,
    approver_reply,
    requester_card,
    requester_reply,
    requests_message,
)
from blocks.request_forms import (
    AskedFor,
    ask_modal,
    asked_modal,
    asked_words,
    filing_problem,
    may_add_modal,
    member_cap_modal,
    reminded_message,
    too_soon_message,
)
from blocks.request_words import status_words
from bot.domain.away import Away
from bot.domain.charge import ChargeState, FailureReason
from bot.domain.deciding import Obstacle
from bot.domain.errors import NotAllowedError, RefusalCode
from bot.domain.next_step import Proposal
from bot.domain.offer import AmountOffer
from bot.domain.request import SETUP, RequestState, Withdrawal
from bot.domain.request_errors import (
    AskedAlreadyError,
    MemberCapError,
    RequestError,
    TooMany,
    TooManyRequestsError,
)
from bot.domain.request_views import (
    Approvers,
    FirstOfTwo,
    FirstReview,
    Known,
    OtherMethod,
    RequestList,
    Review,
)
from bot.domain.rules import Rule, RuleError
from bot.domain.vote import Voided, VoteKind
from tests.support.catalogue.screen import Screen, charge, overview, screen
from tests.support.samples import (
    ADA,
    CHARGE,
    GRACE,
    LINK,
    LINUS,
    MEMBER,
    NOW,
    PORTAL,
    REQUEST,
    STATE,
    VISA,
    sample_vote,
)

if TYPE_CHECKING:
    from bot.domain.request import FundsRequest

TOLD = Approvers(told=(ADA, GRACE))
NOBODY = Approvers(told=())
FORM = AskedFor(
    amounts=AmountForm.of(MEMBER, AmountOffer.of(MEMBER)),
    account="did:linus",
    organization="Acme Research",
    asked=asked_words(TOLD, "Acme Research"),
)
NAMES = {ADA.key: "Ada Lovelace", GRACE.key: "Grace Hopper", LINUS.key: "Linus"}
CHANNEL = Reader(in_channel=True, say=lambda key: NAMES.get(key, "A person"))
PAID = replace(CHARGE, request_id=REQUEST.id, request_version=1)
YOUNG = replace(
    CHARGE,
    id="young",
    identity=GRACE,
    state=ChargeState.SETTLED,
    amount=Decimal(100),
    confirmed_at=NOW - timedelta(minutes=4),
)


def asked(state: RequestState = RequestState.OPEN, **facts: Any) -> FundsRequest:
    decided = {} if state is RequestState.OPEN else {"decided_by": ADA.key, "decided_at": NOW}
    return replace(REQUEST, **{"state": state, **decided, **facts})


def screens() -> list[Screen]:
    return [*_forms(), *_deciding(), *_cards(), *_lists()]


def _forms() -> list[Screen]:
    typed: dict[str, Any] = {"typed": "$50", "reason": REQUEST.reason}
    nobody = asked_words(NOBODY, "Acme Research")
    already = AskedAlreadyError(REQUEST)
    return [
        screen("ask", "`/billing request`", ask_modal(FORM)),
        screen("ask-typed", "`/billing request 50 eval runs for the paper`", ask_modal(FORM, **typed)),
        screen("ask-nobody", "nobody who may pay is connected", ask_modal(replace(FORM, asked=nobody))),
        screen(
            "ask-already",
            "the same amount was asked for before",
            ask_modal(FORM, **typed, problem=filing_problem(already), already=REQUEST),
        ),
        screen(
            "ask-too-many",
            "three requests are open already",
            ask_modal(FORM, **typed, problem=filing_problem(TooManyRequestsError(TooMany.OWN))),
        ),
        screen("asked", "the form was sent", asked_modal(REQUEST, edited=False)),
        screen(
            "ask-edit",
            "Edit on the card",
            ask_modal(replace(FORM, edits=REQUEST.id, version=1), **typed),
        ),
        screen("ask-may-add", "whoever asks may add funds", may_add_modal("$50", REQUEST.reason)),
        screen(
            "ask-capped",
            "the member's own limit at the portal is used up",
            member_cap_modal(MemberCapError(f"{PORTAL}/billing"), "$50", REQUEST.reason),
        ),
        screen(
            "buy-member",
            "`/billing buy 50` by a member",
            error_modal(
                "Add funds",
                error_copy(
                    NotAllowedError(RefusalCode.ROLE_REQUIRED, PORTAL, role=MEMBER.role),
                    now=NOW,
                    incident="",
                )[0],
                wanted="buy 50",
            ),
        ),
        screen("overview-asks", "`/billing` by a member", overview_message(overview(MEMBER, may_ask=True))),
        screen(
            "away",
            "`/billing away Dec 24 @grace`",
            away_message(Away(person=ADA, until=NOW + timedelta(days=25), delegate="U0GRACE")),
        ),
        screen("away-not", "`/billing away`", not_away_message()),
        screen("away-back", "`/billing away off`", back_message(was_away=True)),
        screen("away-unreadable", "`/billing away soon`", away_help_message("soon")),
        screen("reminded", "Remind", reminded_message(REQUEST)),
        screen("reminded-too-soon", "Remind a second time", too_soon_message(NOW + timedelta(hours=4))),
    ]


def _deciding() -> list[Screen]:
    review = Review(
        request=REQUEST,
        proposal=Proposal(charge=PAID, open_equal=None),
        state=STATE,
        known=Known(others=[], granted=Decimal(0), denied=None),
    )
    denied = asked(RequestState.DENIED, decided_by=GRACE.key, deny_reason="use the shared key first")
    known = Known(others=[YOUNG], granted=Decimal(150), denied=denied)
    warned = replace(review, known=known)
    large = replace(REQUEST, amount=Decimal(500), needed=2)
    vote = sample_vote(large)
    second = replace(
        review,
        request=large,
        proposal=Proposal(charge=replace(PAID, amount=Decimal(500)), open_equal=None),
        first=vote,
    )
    first = FirstReview(request=large, vote=vote, method=VISA, state=STATE, known=review.known)
    other = OtherMethod(request=large, first=vote, method=LINK)
    locked = RuleError(Rule.MAX_CHARGE, limit=Decimal(25))
    obstacles = {
        "self": (REQUEST, Obstacle.SELF, "the requester's own"),
        "changed": (asked(amount=Decimal(80), version=2), Obstacle.VERSION, "it was changed meanwhile"),
        "late": (asked(RequestState.EXPIRED), Obstacle.EXPIRED, "its time is over"),
        "elsewhere": (REQUEST, Obstacle.ORGANIZATION, "the person is connected to another organization"),
        "same-account": (REQUEST, Obstacle.ACCOUNT, "the requester has the same portal account"),
        "paid-by-another": (asked(RequestState.CHARGING), Obstacle.DECIDED, "somebody else pays it"),
        "withdrawn": (
            asked(RequestState.WITHDRAWN, withdrawn_why=Withdrawal.BY_REQUESTER),
            Obstacle.DECIDED,
            "it was withdrawn",
        ),
        "denied-by-another": (denied, Obstacle.DECIDED, "somebody else denied it"),
    }
    enabling = RequestError(
        asked(RequestState.CHARGING), Obstacle.DECIDED, take_over_at=NOW + timedelta(minutes=7)
    )
    return [
        screen("approve", "Review on the card", approve_modal(review, NOW)),
        screen("approve-warned", "with all there is to know", approve_modal(warned, NOW)),
        screen(
            "approve-equal",
            "an equal purchase of the payer is under way",
            approval(REQUEST, PAID, open_equal=replace(CHARGE, id="other"), state=STATE),
        ),
        screen("agree", "Review on the card by the first of two", agree_modal(first, NOW)),
        screen("agree-changed", "it has changed since", agree_modal(first, NOW, again=True)),
        screen("agreed", "the first of two has agreed", agreed_modal(large, following="next")),
        screen("approve-second", "Review on the card by the second of two", approve_modal(second, NOW)),
        screen(
            "approve-faster",
            "another agreed a moment before",
            approve_modal(second, NOW, again=True),
        ),
        screen("approve-other-card", "the second has another card", other_method_modal(other, "Ada")),
        screen("approve-asked-about", "the first is asked", asked_about_modal(large.asked_about(LINK))),
        screen(
            "approve-blocked",
            "a limit of the operator is smaller",
            blocked_modal(REQUEST, _words(locked), None),
        ),
        screen(
            "approve-no-role",
            "by a member",
            blocked_modal(None, "Only an owner, admin or finance admin can do this.", f"{PORTAL}/billing"),
        ),
        screen("approve-no-card", "there is no payment method", add_card_for_modal(REQUEST, STATE)),
        *(
            screen(f"decide-{name}", when, obstacle_modal(RequestError(request, why), NOW))
            for name, (request, why, when) in obstacles.items()
        ),
        screen("decide-enabling", "another payer enables billing first", obstacle_modal(enabling, NOW)),
        screen("deny", "Deny on the card", deny_modal(REQUEST)),
        screen("denied", "the denial was sent", denied_modal(REQUEST)),
    ]


def _words(error: RuleError) -> str:
    return error_copy(error, now=NOW, incident="")[0].words


def _cards() -> list[Screen]:
    declined: dict[str, Any] = {
        "tries": 1,
        "failures": 1,
        "problem": FailureReason.CARD_DECLINED.value,
        "decided_by": ADA.key,
        "decided_at": NOW,
    }
    states = {
        "paying": (asked(RequestState.CHARGING), PAID),
        "enabling": (asked(RequestState.CHARGING), replace(PAID, state=ChargeState.NEEDS_SCOPE)),
        "unsure": (asked(RequestState.CHARGING), replace(PAID, state=ChargeState.UNCONFIRMED)),
        "done": (asked(RequestState.DONE), replace(PAID, state=ChargeState.SETTLED)),
        "denied": (asked(RequestState.DENIED, deny_reason="use the shared key first"), None),
        "withdrawn": (asked(RequestState.WITHDRAWN, withdrawn_why=Withdrawal.BY_REQUESTER), None),
        "left": (asked(RequestState.WITHDRAWN, withdrawn_why=Withdrawal.LEFT), None),
        "switched-off": (asked(RequestState.WITHDRAWN, withdrawn_why=Withdrawal.SWITCHED_OFF), None),
        "expired": (asked(RequestState.EXPIRED, decided_by=None), None),
        "failed": (asked(RequestState.FAILED, problem="card_declined"), None),
        "unresolved": (asked(RequestState.UNRESOLVED), replace(PAID, state=ChargeState.OVERDUE)),
        "open-again": (asked(**declined), None),
        "setup-not-done": (asked(tries=1, problem=SETUP, decided_by=ADA.key), None),
    }
    made = [
        screen("card", "who may pay", approver_card(REQUEST, None, NOW)),
        screen("card-own", "who asked", requester_card(REQUEST, None, NOW, TOLD)),
        screen("card-own-nobody", "nobody can be asked yet", requester_card(REQUEST, None, NOW, NOBODY)),
    ]
    for name, (request, pays) in states.items():
        made += [
            screen(f"card-{name}", "who may pay", approver_card(request, pays, NOW)),
            screen(f"card-own-{name}", "who asked", requester_card(request, pays, NOW, TOLD)),
        ]
        reply = requester_reply(request, pays)
        if reply is not None:
            made.append(screen(f"card-own-{name}-reply", "in its thread", reply))
    made += _of_two()
    for name, request in {
        "open-again": asked(**declined),
        "reminded": asked(reminders=1, reminded_at=NOW),
    }.items():
        reply = approver_reply(request)
        if reply is not None:
            made.append(screen(f"card-{name}-reply", "in the thread of who may pay", reply))
    needs = replace(PAID, state=ChargeState.NEEDS_SCOPE)
    for name, code in {
        "ended": RefusalCode.REQUEST_ENDED,
        "taken-over": RefusalCode.TAKEN_OVER,
        "left": RefusalCode.LEFT_TO_OTHERS,
        "vote-lost": RefusalCode.VOTE_LOST,
    }.items():
        refused = charge(ChargeState.REFUSED, refusal=code, request_id=REQUEST.id)
        made.append(screen(f"charge-request-{name}", "the payer's own message", charge_message(refused)))
    return [*made, screen("charge-request-setup", "the payer's own message", charge_message(needs))]


def _of_two() -> list[Screen]:
    """The cards of a request on which two people decide, and those in a channel."""
    large = replace(REQUEST, amount=Decimal(500), needed=2)
    vote = sample_vote(large)
    void = replace(vote, void_at=NOW, void_why=Voided.NOT_CONFIRMED)
    firsts = {
        "two": (FirstOfTwo(), "two people decide"),
        "agreed": (FirstOfTwo(vote=vote), "the first has agreed"),
        "lost": (FirstOfTwo(lost=void), "the first cannot decide any more"),
        "other-card": (
            FirstOfTwo(lost=replace(void, void_why=Voided.CARD)),
            "the payment method has changed",
        ),
        "asked-by-one": (
            FirstOfTwo(vote=replace(vote, person=LINUS, kind=VoteKind.ASKED)),
            "whoever asks may pay too",
        ),
    }
    made = []
    for name, (first, when) in firsts.items():
        made.append(screen(f"card-{name}", when, approver_card(large, None, NOW, first=first)))
        reply = approver_reply(large, first)
        if reply is not None:
            made.append(screen(f"card-{name}-reply", f"in the thread: {when}", reply))
    short = replace(TOLD, is_short=True)
    in_channel = Approvers(told=(), channel="C0SPEND", able=2)
    return [
        *made,
        screen(
            "card-own-agreed",
            "who asked, when the first has agreed",
            requester_card(large, None, NOW, TOLD, first=firsts["agreed"][0]),
        ),
        screen(
            "card-own-short",
            "who asked, when too few may pay",
            requester_card(large, None, NOW, short, first=FirstOfTwo()),
        ),
        screen("card-own-channel", "who asked, in a channel", requester_card(large, None, NOW, in_channel)),
        screen(
            "card-connect",
            "who is named in the policy and not connected",
            approver_card(REQUEST, None, NOW, reader=Reader(is_connected=False)),
        ),
        screen(
            "card-channel",
            "the channel that decides",
            approver_card(large, None, NOW, first=firsts["agreed"][0], reader=CHANNEL),
        ),
        screen(
            "card-channel-done",
            "the same, paid",
            approver_card(
                asked(RequestState.DONE), replace(PAID, state=ChargeState.SETTLED), NOW, reader=CHANNEL
            ),
        ),
    ]


def _lists() -> list[Screen]:
    other = asked(RequestState.DONE, id="other", requester=GRACE)
    waiting = [replace(REQUEST, id=f"r{number}") for number in range(7)]
    listed = RequestList(waiting=waiting, own=[])
    own = RequestList(waiting=[], own=[REQUEST])
    return [
        screen("requests", "`/billing requests`", requests_message([REQUEST], [], [REQUEST, other], NOW)),
        screen("requests-own", "by a member", requests_message([], [REQUEST, asked(id="d")], None, NOW)),
        screen(
            "request-details",
            "`/billing trace 7c1d04e9a2b85f36`",
            request_trace_message(REQUEST, status_words(REQUEST, None, NOW), TOLD.told),
        ),
        screen("requests-none", "nothing was asked for yet", requests_message([], [], None, NOW)),
        screen("home-waiting", "App Home of who may pay", overview_home(overview(), [], listed=listed)),
        screen(
            "home-own-requests",
            "App Home of who asked",
            overview_home(overview(MEMBER, may_ask=True), [], listed=own),
        ),
    ]

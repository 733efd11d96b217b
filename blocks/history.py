"""A person's purchases through this app, and the trace of one purchase."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import (
    Block,
    Message,
    actions,
    button,
    context,
    divider,
    escape,
    header,
    message,
    moment,
    quoted,
    section,
)
from blocks.words import mention, mentions, method_name, organization
from bot.domain.charge import Charge, ChargeKind, ChargeState
from bot.domain.money import show
from bot.domain.vote import VoteKind, method_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.delivery import Delivery
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest
    from bot.domain.vote import Vote

PAGE = 5
SHOWN_ID = 120
MOST_VOTES = 6

_OUTCOMES = {
    ChargeState.PROPOSED: (":heavy_minus_sign:", "not confirmed"),
    ChargeState.CANCELLED: (":heavy_minus_sign:", "not confirmed"),
    ChargeState.EXPIRED: (":heavy_minus_sign:", "not confirmed"),
    ChargeState.CONFIRMED: (":hourglass_flowing_sand:", "pending"),
    ChargeState.SUBMITTED: (":hourglass_flowing_sand:", "pending"),
    ChargeState.NEEDS_SCOPE: (":lock:", "needs one-time setup"),
    ChargeState.REFUSED: (":no_entry_sign:", "not charged"),
    ChargeState.SETTLED: (":white_check_mark:", "added"),
    ChargeState.FAILED: (":x:", "failed"),
    ChargeState.OVERDUE: (":hourglass_flowing_sand:", "pending"),
    ChargeState.UNCONFIRMED: (":warning:", "unconfirmed"),
}


def outcome(charge: Charge) -> str:
    """Name a charge's state in a few words, the same everywhere."""
    if charge.kind is ChargeKind.UPGRADE and charge.state is ChargeState.SETTLED:
        return "upgraded"
    return _OUTCOMES[charge.state][1]


def charge_line(charge: Charge) -> str:
    """Describe a charge in one line (escaped), with an icon for its state."""
    icon, _ = _OUTCOMES[charge.state]
    return f"{icon} *{_what(charge)}* · {outcome(charge)}"


def _what(charge: Charge) -> str:
    amount = show(charge.display_amount)
    if charge.kind is ChargeKind.UPGRADE:
        return f"{amount} for {escape(charge.tier_name or 'a plan')}"
    return amount


def history_message(charges: Sequence[Charge], *, page: int, more: bool) -> Message:
    """Make one page of the history; pages count from 0."""
    if not charges:
        words = "No older purchases." if page else "You haven't added funds through this app yet."
        return message(header("Your purchases"), section(words), _pages(page, more=False))
    return message(header("Your purchases"), *map(_entry, charges), _pages(page, more=more))


def recent_blocks(charges: Sequence[Charge]) -> list[Block | None]:
    """Make the list of the latest charges for App Home."""
    if not charges:
        return []
    lines = "\n".join(f"{charge_line(charge)} · {_when(charge)}" for charge in charges)
    return [section(f"*Recent purchases*\n{lines}"), actions(button("All purchases", ids.HISTORY))]


def story(charge: Charge, delivery: Delivery | None) -> list[tuple[str, datetime]]:
    """Return what happened to a charge and its message, oldest first, as (words, moment in UTC)."""
    steps = [
        ("Shown for confirmation", charge.created_at),
        ("Confirmed", charge.confirmed_at),
        *_asked("Sent to the portal", charge.posts, charge.first_post_at, charge.last_post_at),
        ("No clear answer from the portal", charge.ambiguous_since),
        ("Accepted by the portal", charge.submitted_at),
        *_asked("Status checked", charge.polls, charge.first_poll_at, charge.last_poll_at),
        ("Billing enabled", charge.permitted_at),
        ("Check requested", charge.check_asked_at),
        ("Checked", charge.checked_at),
        (f"Ended: {outcome(charge)}", charge.ended_at),
    ]
    if delivery is not None:
        steps += [
            ("Message posted", delivery.posted_at),
            ("Message last updated", delivery.edited_at),
            ("Replied in the thread", delivery.replied_at),
        ]
    return sorted(((words, when) for words, when in steps if when is not None), key=itemgetter(1))


def _asked(
    words: str, times: int, first: datetime | None, last: datetime | None
) -> list[tuple[str, datetime | None]]:
    """Describe a request that was sent once or more. Each repeat used the same idempotency key."""
    if times <= 1:
        return [(words, first)]
    return [(words, first), (f"{words}, {times} times in all, last", last)]


def trace_message(
    charge: Charge,
    delivery: Delivery | None,
    *,
    key_fingerprint: str,
    request: FundsRequest | None = None,
    votes: Sequence[Vote] = (),
) -> Message:
    """Make the trace of one charge for its owner: first how it went, then each event, without secrets.

    `request` is what it pays, with the votes on it; the trace begins with it.
    """
    lines = [f"• {moment(words, when, seconds=True)}" for words, when in story(charge, delivery)]
    if charge.ended_at is None:
        lines.append(f"• Now: {outcome(charge)}")
    ids_shown = f"Key {key_fingerprint} · portal's charge {_shown_id(charge.portal_charge_id)}"
    return message(
        header("Purchase details"),
        *(_asked_for(request, votes) if request is not None else ()),
        section(f"{charge_line(charge)}\n{_way(charge)}\nReference: `{charge.id}`"),
        context(_small_print(charge)),
        divider(),
        context("\n".join(["*Technical details*", *lines, ids_shown])),
        actions(button("All purchases", ids.HISTORY)),
    )


def _asked_for(
    request: FundsRequest, votes: Sequence[Vote], *, with_methods: bool = True
) -> list[Block | None]:
    """Return who asked for a purchase, when, and what for, and who agreed to it."""
    who = f"{mention(request.requester.key)} {moment('asked for it', request.asked_at)}"
    lines = [f"• {_voted(vote, with_methods=with_methods)}" for vote in votes[-MOST_VOTES:]]
    return [
        section(f"{who}\nRequest: `{request.id}`"),
        quoted(request.reason) if request.reason else None,
        context("\n".join(lines)) if lines else None,
    ]


def _voted(vote: Vote, *, with_methods: bool) -> str:
    how = "asked and may pay too" if vote.kind is VoteKind.ASKED else "agreed"
    paid_with = f" to {escape(method_name(method_of(vote.method)))}" if with_methods else ""
    voted = f"{mention(vote.person.key)} {how}{paid_with}, version {vote.version}{moment(',', vote.at)}"
    if vote.void_at is None:
        return voted
    return f"{voted} · {moment('does not count since', vote.void_at)}"


def request_trace_message(
    request: FundsRequest,
    status: str,
    told: Sequence[Identity],
    votes: Sequence[Vote] = (),
    *,
    is_own: bool = False,
) -> Message:
    """Make the trace of a request that has no charge of the reader's; `status` says how it stands.

    `is_own`: its reader asked for it, and does not see with what others pay.
    """
    shown = [each.key for each in told]
    return message(
        header("Request details"),
        *_asked_for(request, votes, with_methods=not is_own),
        section(status),
        context(f"Told: {mentions(shown)}") if shown else None,
        context(f"Version {request.version} · {request.tries} payments without money"),
        actions(button("All requests", ids.REQUESTS)),
    )


def _way(charge: Charge) -> str:
    """Return the steps that matter to the buyer, in one line."""
    steps = [
        ("Confirmed", charge.confirmed_at),
        ("Sent", charge.first_post_at),
        (outcome(charge).capitalize(), charge.ended_at),
    ]
    return " → ".join(moment(words, when) for words, when in steps if when is not None)


def _shown_id(portal_charge_id: str | None) -> str:
    """Shorten the portal's charge id: its beginning is enough to find the charge."""
    if portal_charge_id is None:
        return "not known"
    beginning = portal_charge_id[:SHOWN_ID]
    return escape(beginning) + ("…" if beginning != portal_charge_id else "")


def several_message() -> Message:
    """Make the answer to a trace when several purchases begin with what was typed."""
    words = "Several of your purchases begin with that. Type more of it, or choose *Details* in the list."
    return message(section(words), actions(button("All purchases", ids.HISTORY)))


def no_trace_message() -> Message:
    """Make the answer to a trace of an unknown purchase."""
    return message(
        section("You have no such purchase. `/billing history` lists yours."),
        actions(button("All purchases", ids.HISTORY)),
    )


def _entry(charge: Charge) -> Block:
    details = button(
        "Details", ids.TRACE, value=charge.id, label=f"Details of {_what(charge)}, {outcome(charge)}"
    )
    return section(f"{charge_line(charge)}\n{_small_print(charge)}", accessory=details)


def _small_print(charge: Charge) -> str:
    parts = [organization(charge.organization_name)]
    if charge.payment_method is not None:
        parts.append(escape(method_name(charge.payment_method)))
    return " · ".join([*parts, _when(charge)])


def _when(charge: Charge) -> str:
    return moment("", charge.expected_since)


def _pages(page: int, *, more: bool) -> Block | None:
    return actions(
        button("Back", ids.BACK_TO_OVERVIEW),
        button("Newer", f"{ids.HISTORY_PAGE}_newer", value=str(page - 1)) if page else None,
        button("Older", f"{ids.HISTORY_PAGE}_older", value=str(page + 1)) if more else None,
    )

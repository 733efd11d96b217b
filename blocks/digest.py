"""The weekly digest of a watched balance."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from blocks import ids
from blocks.alerts import span
from blocks.budget import left_line
from blocks.chart import chart
from blocks.kit import Message, actions, button, context, message, moment, section
from blocks.words import left, organization
from bot.domain.money import show
from bot.domain.runway import Lasts, NoUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.digest import Digest
    from bot.domain.past import Part

TOP = 3
_HOUR_SECONDS = 3600
_DOLLAR = Decimal(1)


def digest_message(
    digest: Digest, *, may_charge: bool, watch_id: str, past: Sequence[Part] = ()
) -> Message:
    """Make the digest for one reader; who may not charge sees no names, no limit and no auto-reload."""
    lines = [_used(digest), _added(digest, names=may_charge)]
    if may_charge:
        lines += [
            *(f"Budget: {left_line(use)}" for use in digest.budgets[:TOP]),
            *_limit(digest),
            *_reload(digest),
        ]
    if digest.silent:
        lines.append(f"No readings for {round(digest.silent.total_seconds() / _HOUR_SECONDS)} hours.")
    show_waiting = button("Show", ids.GO_ON, value="requests")
    return message(
        section(f"*{organization(digest.organization_name)}, last week* · {_balance(digest)}"),
        section("\n".join(lines)),
        chart(past),
        actions(button("As a table", ids.PAST_TABLE, value=watch_id)) if past else None,
        section(_waiting(digest), accessory=show_waiting) if may_charge and digest.waiting else None,
        context("Every Monday. `/billing alerts` changes that."),
    )


def _balance(digest: Digest) -> str:
    said = left(digest.look.newest.balance)
    return f"{said} (\N{MINUS SIGN}{show(digest.used)} without purchases)" if digest.used else said


def _about(amount: Decimal) -> str:
    return f"about {show(amount.quantize(_DOLLAR, ROUND_HALF_UP))}"


def _used(digest: Digest) -> str:
    lasts = digest.look.runway
    said = f"Used {_about(digest.used)}: {show((digest.used / 7).quantize(_DOLLAR, ROUND_HALF_UP))} a day."
    if isinstance(lasts, Lasts):
        return f"{said} Lasts {span(lasts.near, lasts.far)}."
    return f"{said} No use seen in the last 24 hours." if isinstance(lasts, NoUse) else said


def _added(digest: Digest, *, names: bool) -> str:
    total = sum((each.amount for each in digest.added), Decimal(0))
    said = f"Added here: {show(total)} ({len(digest.added)}) · elsewhere: {_about(digest.elsewhere)}"
    if not names or not digest.added:
        return said
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for each in digest.added:
        sums[each.requester, each.payer] += each.amount
    largest = sorted(sums.items(), key=lambda each: -each[1])[:TOP]
    return "\n".join([said, *(f"• {_who(*people)}: {show(amount)}" for people, amount in largest)])


def _who(requester: str, payer: str) -> str:
    return f"<@{requester}>" if requester == payer else f"<@{requester}>, paid by <@{payer}>"


def _limit(digest: Digest) -> list[str]:
    latest = digest.look.whole[-1] if digest.look.whole else None
    if latest is None or latest.cap_limit is None or latest.cap_spent is None:
        return []
    return [f"Monthly limit: {show(latest.cap_spent)} of {show(latest.cap_limit)}"]


def _reload(digest: Digest) -> list[str]:
    latest = digest.look.whole[-1] if digest.look.whole else None
    if latest is None:
        return []
    if not latest.is_reload_on:
        return ["Auto-reload off"]
    seen = digest.look.reloads
    return [f"Auto-reload on, {moment('last seen working', seen[-1]) if seen else 'not seen working yet'}"]


def _waiting(digest: Digest) -> str:
    count = len(digest.waiting)
    words = "1 request" if count == 1 else f"{count} requests"
    return f"Waiting: {words}, {moment('the oldest since', digest.waiting[0].asked_at)}"

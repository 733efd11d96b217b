"""A charge's message in each of its states, its thread reply, and the modal that shows its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.errors import PERMISSION_MISSING
from blocks.kit import (
    BUTTON_TEXT,
    Block,
    Json,
    Message,
    actions,
    button,
    context,
    escape,
    message,
    modal,
    moment,
    next_button,
    portal_button,
    section,
)
from blocks.refusals import Again, refusal_copy
from blocks.words import SUPPORT, method_name, method_word, organization
from bot.domain.charge import Charge, ChargeKind, ChargeState, FailureReason
from bot.domain.errors import OURS, RefusalCode
from bot.domain.money import show

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_FAILURES = {
    FailureReason.AUTHENTICATION_REQUIRED: (
        "Your {method} requires verification: {amount} was not paid",
        "{unchanged}. Approve it in the portal; try again only if you can't do it there.",
    ),
    FailureReason.PAYMENT_METHOD_EXPIRED: (
        "Your {method} has expired: {amount} was not paid",
        "{unchanged}. Update it in the portal, then try again.",
    ),
    FailureReason.CARD_DECLINED: (
        "Your {method} was declined: {amount} was not paid",
        "{unchanged}. Try another {method} in the portal, or ask your bank.",
    ),
    FailureReason.PROCESSING_ERROR: (
        "The payment of {amount} didn't go through",
        "{unchanged}. Try again, or pay in the portal.",
    ),
}

_NOT_SENT_AGAIN = {
    RefusalCode.SPENDING_STOPPED: "Spending from Slack was paused since then",
    RefusalCode.RULE_FORBIDS: "A limit that your app manager set forbids sending it again",
    RefusalCode.NOT_SENT_IN_TIME: "The confirmation is more than a day old",
    RefusalCode.NOT_VERIFIED: "This app's record of it is not what you confirmed",
}
REFERENCE_LENGTH = 80
SHORT_REFERENCE = 8
"""Enough of our id for `/billing trace`, and short enough to read aloud."""

SLOW = "This is taking longer than usual."
_UNCHANGED = {
    ChargeKind.TOP_UP: "Nothing was added to your balance",
    ChargeKind.UPGRADE: "The plan was not changed",
}


def charge_message(charge: Charge, now: datetime | None = None, *, is_slow: bool = False) -> Message:
    """Make the charge's message for its current state.

    `now` (UTC) is when it is drawn; without it, the moment of the outcome. `is_slow`: it takes longer than
    usual.
    """
    blocks = _blocks(charge, now)
    return message(*blocks, context(SLOW) if is_slow else None, context(_details(charge)))


def charge_reply(charge: Charge) -> Message:
    """Make the short thread reply. Slack notifies people of a reply, not of an edited message."""
    return message(section(_headline(charge)))


def already_message(charge: Charge) -> Message:
    """Make the answer to a button that was already used: nothing is charged again."""
    return message(context("This was already done. Nothing was charged again."), *_blocks(charge, None))


def permission_missing_message(charge: Charge) -> Message:
    """Make the answer to Resume while the billing permission is missing, with a button to get it."""
    return message(
        section(PERMISSION_MISSING),
        actions(button("Enable billing", ids.ENABLE_BILLING, value=charge.id, style="primary")),
    )


def resumed_message(charge: Charge) -> Message:
    """Make the answer to Resume when the charge's own message is in another place."""
    words = f"*Resumed: {show(charge.amount)}.* We'll update your direct message about it."
    return message(section(words))


def charge_modal(charge: Charge, now: datetime | None = None, *, following: str | None = None) -> Json:
    """Make the modal that replaces "Processing" and shows the outcome. It carries the charge's id.

    `following` is the next request for funds that waits for the reader.
    """
    blocks = _blocks(charge, now)
    if charge.state is ChargeState.SETTLED:
        blocks = [*blocks, context(_details(charge))]
    title = _MODAL_TITLES.get(charge.state, "Add funds")
    return modal(
        title,
        *blocks,
        next_button(following),
        callback_id=ids.INFO_VIEW,
        private_metadata=charge.id,
    )


def buy_again(charge: Charge, other: Charge) -> str:
    """Warn that an equal charge exists, whose outcome the person does not know or has just learned.

    `other` may belong to another person with the same portal account.
    """
    mine = other.identity.key == charge.identity.key
    who = "You have" if mine else "Another person with your portal account has"
    what = f"a {show(other.amount)} purchase"
    if other.kind is ChargeKind.UPGRADE:
        what = f"an upgrade to {_tier(other)}"
    when = moment("confirmed", other.expected_since)
    if other.state is ChargeState.SETTLED:
        just = f":warning: {who} just completed *{what}* ({when})."
        return f"{just} If you pay again, you'll pay twice."
    return f":warning: {who} *{what}* in progress already ({when}). If both go through, you'll pay twice."


def _headline(charge: Charge) -> str:
    first = _blocks(charge, None)[0]
    return "" if first is None else first.spoken.split("\n", maxsplit=1)[0]


def _blocks(charge: Charge, now: datetime | None) -> list[Block | None]:
    """Return what is said of the charge at `now` (UTC); without it, at the moment of the outcome."""
    if charge.state is ChargeState.REFUSED:
        return _refused(charge, now or charge.ended_at)
    return _BLOCKS[charge.state](charge)


def _pending(charge: Charge) -> list[Block | None]:
    if charge.kind is ChargeKind.UPGRADE:
        return [section(f":hourglass_flowing_sand: *Upgrading to {_tier(charge)}…*")]
    return [section(f":hourglass_flowing_sand: *Adding {show(charge.amount)} to your balance…*")]


def _settled(charge: Charge) -> list[Block | None]:
    if charge.kind is ChargeKind.UPGRADE:
        words = "It is paid. The portal shows it within a minute."
        return [section(f":white_check_mark: *Upgraded to {_tier(charge)}*\n{words}")]
    words = f":white_check_mark: *{show(charge.display_amount)} added to your balance*"
    if charge.balance_after is not None:
        whose = organization(charge.organization_name)
        words += f"\nNew balance: *{show(charge.balance_after)}* · {whose}"
    return [section(words), actions(button("Show my balance", ids.SHOW_OVERVIEW))]


def _failed(charge: Charge) -> list[Block | None]:
    title, words = _FAILURES[charge.failure or FailureReason.PROCESSING_ERROR]
    facts = {
        "amount": show(charge.amount),
        "unchanged": _UNCHANGED[charge.kind],
        "method": method_word(charge.payment_method),
    }
    return [
        section(f":x: *{title.format(**facts)}*\n{words.format(**facts)}"),
        actions(*_after_failure(charge)),
        context(_ask_support(charge)),
    ]


def _after_failure(charge: Charge) -> list[Json | None]:
    """Return the buttons after a failed payment: first what mends it."""
    if charge.failure is not FailureReason.AUTHENTICATION_REQUIRED or charge.portal_url is None:
        return [_again(charge), _portal(charge)]
    verify = button("Verify in portal", ids.MANAGE_ON_PORTAL, url=charge.portal_url, style="primary")
    return [verify, _again(charge)]


def _refused(charge: Charge, now: datetime | None) -> list[Block | None]:
    code = charge.refusal or RefusalCode.OTHER
    copy = refusal_copy(code, detail=charge.refusal_detail, retry_at=charge.retry_at, now=now)
    words = f":x: *{show(charge.amount)} was not charged*\n{copy.words}"
    waits = now is not None and charge.must_wait(now) is not None
    again = None if copy.connect or waits else {Again.SAME: _again, Again.OTHER: _other}.get(copy.again)
    return [
        section(words),
        actions(
            button("Connect", ids.CONNECT, style="primary") if copy.connect else None,
            again(charge) if again is not None else None,
            _portal(charge) if copy.portal else None,
        ),
    ]


def _again(charge: Charge) -> Json:
    """Make the button that opens the confirmation of the same purchase, as if it was typed."""
    if charge.kind is ChargeKind.TOP_UP:
        amount = show(charge.amount)
        return button(f"Try {amount} again", ids.GO_ON, value=f"buy {amount}")
    if not charge.tier_name:
        return _other(charge)
    label = f"Try {charge.tier_name} again"[:BUTTON_TEXT]
    return button(label, ids.GO_ON, value=f"subscription {charge.tier_name}")


def _other(charge: Charge) -> Json:
    """Make the button that asks for another amount or plan."""
    if charge.kind is ChargeKind.TOP_UP:
        return button("Add funds", ids.ADD_FUNDS)
    return button("Show plans", ids.GO_ON, value="subscription")


def _needs_scope(charge: Charge) -> list[Block | None]:
    if charge.permitted_at is not None:
        words = (
            f":unlock: *Billing is enabled: {show(charge.amount)} can go on*\n"
            "Nothing was charged yet. Resume this purchase to pay."
        )
        resume = button(f"Resume {show(charge.amount)}", ids.RESUME, value=charge.id, style="primary")
        return [section(words), actions(resume)]
    words = (
        f":lock: *One-time setup: {show(charge.amount)} was not charged yet*\n"
        "Your connection is view-only. Choose *Enable billing* once, then finish this purchase here."
    )
    enable = button("Enable billing", ids.ENABLE_BILLING, value=charge.id, style="primary")
    leave = button("Leave it to others", ids.LEAVE_TO_OTHERS, value=charge.id)
    return [section(words), actions(enable, leave if charge.request_id is not None else None)]


def _overdue(charge: Charge) -> list[Block | None]:
    words = (
        f":hourglass_flowing_sand: *{show(charge.amount)} is still pending*\n"
        "Still waiting for the portal: a timeout, not a failure. The payment may still go through, so "
        "please don't pay again. We'll keep checking for 24 hours and update you here."
    )
    return [section(words), *_check(charge)]


def _unconfirmed(charge: Charge) -> list[Block | None]:
    words = (
        f":warning: *{show(charge.amount)} may or may not have been charged*\n{_why_unconfirmed(charge)}"
    )
    return [section(words), *_check(charge)]


def _why_unconfirmed(charge: Charge) -> str:
    if charge.refusal is None:
        return (
            "The portal gave no clear answer. Please don't pay again yet; we'll keep checking for 24 hours."
        )
    if charge.refusal in OURS:
        why = _NOT_SENT_AGAIN.get(charge.refusal, "This app may not send it again")
        return (
            f"The portal gave no clear answer. {why}, so we can't ask how it ended. "
            "Please check the portal before you pay again."
        )
    copy = refusal_copy(charge.refusal, detail=None, retry_at=charge.retry_at)
    why = "" if charge.refusal is RefusalCode.OTHER else f" {copy.words}"
    return f"The portal stopped answering about it. Please don't pay again yet.{why}"


def _check(charge: Charge) -> list[Block | None]:
    note = None
    if charge.check_pending:
        note = context("Checking now…")
    elif charge.checked_at is not None:
        note = context(f"{moment('Checked', charge.checked_at)}: nothing new yet.")
    copy = None if charge.refusal is None else refusal_copy(charge.refusal)
    return [
        note,
        actions(
            button("Check again", ids.CHECK_AGAIN, value=charge.id),
            button("Connect", ids.CONNECT) if copy is not None and copy.connect else None,
            button("Enable billing", ids.ENABLE_BILLING, value=charge.id)
            if copy is not None and copy.enable
            else None,
            _portal(charge),
        ),
        context(_ask_support(charge)),
    ]


def _ask_support(charge: Charge) -> str:
    """Say whom to ask about a charge that failed or has no certain outcome, and which id to quote."""
    reference = (charge.portal_charge_id or charge.id)[:REFERENCE_LENGTH]
    return f"Questions about this charge: {SUPPORT}. Quote {escape(reference)}."


def _ended_early(charge: Charge) -> list[Block | None]:
    if charge.ambiguous_since is not None:
        words = (
            f"*{show(charge.amount)} may have been charged*\n"
            "This app's records were restored from a copy, so it can't know. "
            "Check the portal before you pay again."
        )
        return [section(words), actions(_portal(charge))]
    why = "The purchase was not confirmed."
    if charge.confirmed_at is not None:
        why = "Billing was not enabled within a day. Start again to buy it."
    return [section(f"*{show(charge.amount)} was not charged*\n{why}")]


def _tier(charge: Charge) -> str:
    return escape(charge.tier_name or "the new plan")


def _portal(charge: Charge) -> Json | None:
    if charge.portal_url is None:
        return None
    return portal_button(charge.portal_url)


def _details(charge: Charge) -> str:
    """Return the receipt: for whom, with which account and payment method, when, and what to quote."""
    method = charge.payment_method
    parts = [
        None if charge.balance_after is not None else organization(charge.organization_name),
        escape(charge.account_email) if charge.account_email else None,
        show(charge.amount) if charge.kind is ChargeKind.UPGRADE else None,
        None if method is None else escape(method_name(method)),
        None if charge.confirmed_at is None else moment("confirmed", charge.confirmed_at),
        f"Reference `{charge.id[:SHORT_REFERENCE]}`" if charge.state is ChargeState.SETTLED else None,
    ]
    return " · ".join(part for part in parts if part)


_BLOCKS: dict[ChargeState, Callable[[Charge], list[Block | None]]] = {
    ChargeState.PROPOSED: _pending,
    ChargeState.CANCELLED: _ended_early,
    ChargeState.EXPIRED: _ended_early,
    ChargeState.CONFIRMED: _pending,
    ChargeState.NEEDS_SCOPE: _needs_scope,
    ChargeState.SUBMITTED: _pending,
    ChargeState.SETTLED: _settled,
    ChargeState.FAILED: _failed,
    ChargeState.OVERDUE: _overdue,
    ChargeState.UNCONFIRMED: _unconfirmed,
}

_MODAL_TITLES = {
    ChargeState.SETTLED: "Done",
    ChargeState.FAILED: "Not paid",
    ChargeState.REFUSED: "Not charged",
    ChargeState.NEEDS_SCOPE: "One-time setup",
    ChargeState.OVERDUE: "Still pending",
    ChargeState.UNCONFIRMED: "No clear answer",
}

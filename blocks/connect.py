"""Connecting and disconnecting a portal account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import (
    Json,
    Message,
    actions,
    button,
    confirmed,
    context,
    escape,
    header,
    home,
    message,
    moment,
    section,
)
from blocks.words import organisation

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Block
    from bot.domain.identity import Account


BUTTON_SHOWN = 60


def welcome_message() -> Message:
    """Make the answer to somebody who has not connected an account."""
    return message(*_welcome())


def welcome_home() -> Json:
    """Make the App Home of somebody who has not connected an account."""
    return home(
        header("Billing"),
        *_welcome(),
        context("Or type `/billing` in any channel. Only you see the answers."),
    )


def link_message(url: str, user_code: str, expires_at: datetime) -> Message:
    """Make the message with the link to approve."""
    return message(*_link(url, user_code, expires_at))


def connected_note(account: Account, *, may_bill: bool, for_purchase: bool = False) -> str:
    """Say whose account is connected now; `for_purchase`: a purchase waits for the permission."""
    who = f"*Connected* as {escape(account.email)}" if account.email else "*Connected*"
    words = f":white_check_mark: {who} in {organisation(account.organisation_name)}."
    if may_bill:
        return words
    words += " Billing was not allowed for this connection, so it can look but not spend"
    if for_purchase:
        return f"{words}: an org admin or owner has to approve it; your card was not charged."
    return f"{words}. To buy from here, connect again and allow billing, or ask an owner or admin."


def connected_message(
    note: str, *, resume: tuple[str, str] | None = None, go_on: str | None = None
) -> Message:
    """Make the outcome of connecting, with what there is to go on with.

    `resume` is (charge id, amount shown) of a purchase that waits, `go_on` a command that was typed.
    """
    balance = button("Show my balance", ids.SHOW_OVERVIEW)
    if resume is not None:
        charge_id, amount = resume
        return message(
            section(note),
            actions(button(f"Resume {amount}", ids.RESUME, value=charge_id, style="primary"), balance),
        )
    if go_on is not None:
        words = f"Continue with /billing {go_on}"[:BUTTON_SHOWN]
        return message(
            section(note), actions(button(words, ids.GO_ON, value=go_on, style="primary"), balance)
        )
    return message(section(note), actions(balance))


def already_connected_message(account: Account) -> Message:
    """Make the answer to `/billing connect` of somebody who is connected."""
    who = f" as {escape(account.email)}" if account.email else ""
    return message(
        section(f"You are connected{who} in *{organisation(account.organisation_name)}*."),
        actions(
            button("Show my balance", ids.SHOW_OVERVIEW, style="primary"),
            button("Connect another account", ids.CONNECT),
            confirmed(
                button("Disconnect", ids.DISCONNECT),
                title="Disconnect?",
                words="This app forgets your portal account and its access. Charges made stay listed.",
                yes="Disconnect",
                no="Keep it",
            ),
        ),
    )


def not_connected_message(*, why: str) -> Message:
    """Make the outcome of a connection that did not come about; `why` is a whole sentence."""
    return message(
        section(f"*Not connected.* {why}"), actions(button("Connect", ids.CONNECT, style="primary"))
    )


DENIED = "The request was turned down on the portal."
EXPIRED = "The link has expired before it was approved. Start again for a new one."
FAILED = "The portal did not accept the request. Start again, or ask your portal's admin."
MISMATCH = "That was another account or organisation than yours here. Nothing was changed or charged."


def disconnected_message(account: Account | None) -> Message:
    """Make the answer to `disconnect`; None: there was nothing to forget."""
    if account is None:
        return message(section("You are not connected, so there is nothing to forget."))
    who = f" {escape(account.email)}" if account.email else ""
    return message(
        section(
            f"*Disconnected.* This app has forgotten your portal account{who} and its access to "
            f"{organisation(account.organisation_name)}. Charges already made stay on the portal."
        ),
        actions(button("Connect", ids.CONNECT)),
    )


def superseded_message() -> Message:
    """Make what a link's message says once the person has asked for a newer link."""
    return message(section("A newer link has taken this one's place."))


def cancelled_message() -> Message:
    """Make the answer to Cancel beside the link."""
    return message(
        section("Connecting was cancelled. Nothing was changed."), actions(button("Connect", ids.CONNECT))
    )


def _welcome() -> list[Block | None]:
    return [
        section(
            "*See and top up your prepaid balance at Nous Portal, without leaving Slack.*\n"
            "Connect your portal account once. Your card stays on the portal: this app never sees it, "
            "and it charges only what you confirm."
        ),
        actions(button("Connect", ids.CONNECT, style="primary")),
    ]


def _link(url: str, user_code: str, expires_at: datetime) -> list[Block | None]:
    return [
        section(
            "*Connect your Nous Portal account*\n"
            "Open the portal and approve, if the code there is this one:\n"
            f"`{escape(user_code)}`"
        ),
        actions(
            button("Open Nous Portal", ids.OPEN_LINK, url=url, style="primary"),
            button("Cancel", ids.CANCEL_CONNECT),
        ),
        context(f"{moment('Good until', expires_at)}. You are told here when it is done."),
    ]

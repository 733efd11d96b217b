"""The screens for connecting and disconnecting a portal account."""

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
    portal_button,
    section,
)
from blocks.words import MANAGERS, SUPPORT, organization
from bot.domain.money import show

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Block
    from bot.domain.charge import Charge
    from bot.domain.identity import Account, Connection


BUTTON_SHOWN = 60
DISCONNECTING = "This app forgets your portal account. Past purchases stay listed."


def welcome_message() -> Message:
    """Make the answer to a person who has not connected an account."""
    return message(*_welcome())


def welcome_home() -> Json:
    """Make the App Home of a person who has not connected an account."""
    return home(
        header("Billing"),
        *_welcome(),
        context("Or type `/billing` in any channel. Only you see the answers."),
    )


def link_message(url: str, user_code: str, expires_at: datetime, *, who: str) -> Message:
    """Make the message with the link that a person, named `who` (escaped), approves on the portal."""
    return message(*_link(url, user_code, expires_at, who))


def connected_note(account: Account, *, may_bill: bool, for_purchase: bool = False) -> str:
    """Say which account is connected now; `for_purchase`: a purchase waits for the billing permission."""
    who = f"*Connected* as {escape(account.email)}" if account.email else "*Connected*"
    words = f":white_check_mark: {who} in {organization(account.organization_name)}."
    if may_bill:
        return words
    if for_purchase:
        return (
            f"{words} It is view-only: an org admin or owner has to approve it; your card was not charged."
        )
    who = MANAGERS.capitalize()
    return f"{words} It is view-only. {who} can connect again and allow billing to add funds."


def connected_message(note: str, *, go_on: str | None = None, enable: str | None = None) -> Message:
    """Make the outcome of connecting, with a button for the next step.

    `go_on` is the command that the person typed. `enable` is a command that needs the billing permission.
    """
    balance = button("Show my balance", ids.SHOW_OVERVIEW)
    first = None
    if go_on is not None:
        is_review = go_on.startswith("review ")
        words = "Review" if is_review else f"Continue with /billing {go_on}"[:BUTTON_SHOWN]
        first = button(words, ids.GO_ON, value=go_on, style="primary")
    if enable is not None:
        first = button("Enable billing", ids.ENABLE_FOR_COMMAND, value=enable, style="primary")
    return message(section(note), actions(first, balance))


def permitted_message(
    note: str,
    charge: Charge,
    *,
    in_modal: bool = False,
    in_thread: bool = False,
    obstacle: str | None = None,
) -> Message:
    """Make the message that replaces the link when a waiting purchase has got the billing permission.

    The purchase's own message has the button to resume it. An open modal hides that message, so with
    `in_modal` this message has the button too. `in_thread`: the link was in that message's thread.
    `obstacle` says what still prevents the purchase.
    """
    amount = show(charge.amount)
    where = "in the message above" if in_thread else "in this app's direct message about it"
    if obstacle is not None:
        words = f"Billing is enabled, but {amount} cannot go on yet. {obstacle}"
        later = f"Once that is fixed, resume it {where}."
        return message(section(f"{note}\n{words}"), context(later), actions(_portal_button(charge)))
    words = f"{note}\nBilling is enabled: {amount} can go on."
    if in_modal:
        resume = button(f"Resume {amount}", ids.RESUME, value=charge.id, style="primary")
        return message(section(words), actions(resume))
    return message(section(f"{words} Resume it {where}."))


def _portal_button(charge: Charge) -> Json | None:
    if charge.portal_url is None:
        return None
    return portal_button(charge.portal_url)


def approved_message() -> Message:
    """Make the message that replaces the link when the person approved but the portal does not answer."""
    return message(
        section(
            ":hourglass_flowing_sand: *Approved.* Nous Portal does not answer about your account yet. "
            "We'll keep checking and update this message when you're connected."
        )
    )


def already_connected_message(connection: Connection, now: datetime) -> Message:
    """Make the answer to `/billing connect` of a person who is already connected."""
    account = connection.account
    who = f" as {escape(account.email)}" if account.email else ""
    return message(
        section(f"You are connected{who} in *{organization(account.organization_name)}*."),
        context(f"{moment('This connection lasts until', connection.ends_at)}."),
        actions(
            button("Show my balance", ids.SHOW_OVERVIEW, style="primary"),
            button(
                "Connect again" if connection.ends_soon(now) else "Connect another account", ids.CONNECT
            ),
            _disconnect(),
        ),
    )


def _disconnect() -> Json:
    return confirmed(
        button("Disconnect", ids.DISCONNECT, style="danger"),
        title="Disconnect?",
        words=DISCONNECTING,
        confirm="Disconnect",
        deny="Keep it",
        danger=True,
    )


def disconnect_question(account: Account) -> Message:
    """Ask a person who typed it whether to disconnect."""
    who = f" {escape(account.email)}" if account.email else ""
    return message(
        section(f"*Disconnect{who}?*\n{DISCONNECTING}"),
        actions(
            button("Disconnect", ids.DISCONNECT, style="danger"),
            button("Keep it", ids.KEEP_CONNECTION),
        ),
    )


def connection_ends_message(connection: Connection) -> Message:
    """Make the direct message of the day before a connection ends."""
    account = connection.account
    who = f" as {escape(account.email)}" if account.email else ""
    return message(
        section(
            f":hourglass_flowing_sand: *Your connection to Nous Portal ends soon*\n"
            f"{moment('You are connected' + who + ' until', connection.ends_at)}. "
            "Nous Portal ends every connection after 30 days. Connect again to avoid a break."
        ),
        actions(button("Connect again", ids.CONNECT, style="primary")),
    )


def not_connected_message(*, why: str) -> Message:
    """Make the outcome of a failed connection attempt; `why` is a whole sentence."""
    return message(
        section(f"*Not connected.* {why}"), actions(button("Connect", ids.CONNECT, style="primary"))
    )


DENIED = "The request was turned down in the portal."
SIGN_IN_FIRST = (
    "Sign in to the portal in that browser first: without that it may open another page, "
    "and the approval is not shown."
)
EXPIRED = (
    "The link has expired before it was approved. If the approval was not shown: sign in to the portal in "
    "that browser first, then open a new link."
)
FAILED = "The portal did not accept the request. Start again, or ask your portal's admin."
MISMATCH = "You approved with a different account or organization. Nothing changed."
OTHER_ORGANIZATION = (
    "Your portal organization is not allowed here. Nothing was stored. Ask your app manager."
)
TAKEN = (
    "Another person in Slack is connected to this portal account, and your app manager allows one person "
    "per account. Nothing was stored."
)
OTHER_EMAIL = (
    "The e-mail addresses in your Slack profile and your portal account differ, and your app manager wants "
    "them to be the same. Nothing was stored."
)
UNUSABLE = (
    "What the portal says of your account can't be used here, so nothing was stored. "
    f"{SUPPORT} can look at it."
)


def disconnected_message(account: Account | None) -> Message:
    """Make the answer to `disconnect`; `account` is None if none was connected."""
    if account is None:
        return message(section("You are not connected, so there is nothing to forget."))
    who = f" {escape(account.email)}" if account.email else ""
    return message(
        section(
            f"*Disconnected.* This app has forgotten your portal account{who} and its access to "
            f"{organization(account.organization_name)}. Charges already made stay in the portal."
        ),
        actions(button("Connect", ids.CONNECT)),
    )


def superseded_message() -> Message:
    """Make the text that replaces a link after the person has asked for a newer one."""
    return message(section("A newer link has taken this one's place."))


def used_message() -> Message:
    """Make the text of a link's message whose link was used before Slack returned the message's address."""
    return message(section("This link has been used."))


def cancelled_message() -> Message:
    """Make the answer to the Cancel button next to the link."""
    return message(
        section("Connecting was cancelled. Nothing was changed."), actions(button("Connect", ids.CONNECT))
    )


def _welcome() -> list[Block | None]:
    return [
        section(
            "*See and top up your prepaid balance at Nous Portal, without leaving Slack.*\n"
            "Connect your portal account once. Your card stays in the portal: this app never sees it, "
            "and it charges only what you confirm."
        ),
        actions(button("Connect", ids.CONNECT, style="primary")),
    ]


def _link(url: str, user_code: str, expires_at: datetime, who: str) -> list[Block | None]:
    return [
        section(
            "*Connect your Nous Portal account*\n"
            "Open Nous Portal, check that it shows this code, then approve:\n"
            f"`{escape(user_code)}`"
        ),
        actions(
            button("Open Nous Portal", ids.OPEN_LINK, url=url, style="primary"),
            button("Cancel", ids.CANCEL_CONNECT),
        ),
        context(
            f":warning: Approving lets {who} see the balance of your portal account and spend with it. "
            "Approve only what you started yourself, and don't forward this link."
        ),
        context(SIGN_IN_FIRST),
        context(f"{moment('Expires', expires_at)}. We'll update this message when you're connected."),
    ]

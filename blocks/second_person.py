"""The screens of several people with one portal account: the question, the wait, and their ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Json, Message, actions, button, confirmed, context, escape, message, moment, section
from blocks.words import person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MOST_SHOWN = 10
END_SESSIONS = "If you did not know about it, end all sessions in the portal too."
LET_IN_FIRST = (
    "Another person in Slack is connected to this portal account, and has to let you in before you can see "
    "or spend anything."
)
_EITHER_ENDED_IT = (
    "Another person who is connected to the same portal account has ended it, or no one let you in within "
    "a day."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherPerson:
    """A person who is connected to the reader's portal account, by the grant of that connection."""

    name: str | None
    workspace: str
    grant_id: str


def question_message(other: OtherPerson, email: str | None) -> Message:
    """Ask the first person of a portal account whether to let a second one in."""
    who = person(other.name, other.workspace)
    return message(
        section(
            f":warning: *{who} wants to use your portal account{_address(email)}*\n"
            "The connection was approved in the portal with this account. If you let them in, they can see "
            "its balance and spend with it in Slack."
        ),
        actions(
            confirmed(
                button("Let them in", ids.LET_IN, value=other.grant_id),
                title="Let them in?",
                words="They can then see the balance of your portal account here, and spend with it.",
                confirm="Let them in",
                deny="Not now",
            ),
            _unknown(other.grant_id, "They can't see or spend with your portal account here."),
        ),
        context(
            "If you did not approve this for them, say that you don't know them, and end all sessions in "
            "the portal. Without an answer their connection ends in a day."
        ),
    )


def beside_message(other: OtherPerson, email: str | None) -> Message:
    """Make the message about a second person who was let in."""
    return message(
        section(
            f"*{person(other.name, other.workspace)} uses your portal account{_address(email)} too*\n"
            "They can see its balance and spend with it in Slack."
        ),
        actions(_unknown(other.grant_id, "They can no longer see or spend with your portal account here.")),
    )


def other_ended_message() -> Message:
    """Make the message about a second person whose connection has ended."""
    return message(section(f"*The other connection to your portal account has ended*\n{END_SESSIONS}"))


def let_in_message(*, is_done: bool) -> Message:
    """Make the answer to the button that lets a second person in."""
    if is_done:
        return message(section("*Done.* They can see and spend with your portal account here now."))
    return message(section("That connection no longer waits for an answer."))


def cut_message(*, is_done: bool, both: bool) -> Message:
    """Make the answer to the button that ends another person's connection; `both`: the reader's own too."""
    if not is_done:
        return message(section("That connection has ended already, or it is not to your portal account."))
    if both:
        return message(
            section("*Both connections have ended*, theirs and yours."),
            context("End all sessions in the portal, so that nothing approved there continues."),
            actions(button("Connect", ids.CONNECT, style="primary")),
        )
    words = "*Their connection has ended.* They can no longer see or spend with your portal account here."
    return message(section(words), context(END_SESSIONS))


def waiting_message(firsts: Sequence[OtherPerson], ends_at: datetime) -> Message:
    """Show a second person who has to let them in."""
    give_up = confirmed(
        button("Disconnect", ids.DISCONNECT, style="danger"),
        title="Disconnect?",
        words="The app forgets what you approved in the portal.",
        confirm="Disconnect",
        deny="Keep waiting",
        danger=True,
    )
    if not firsts:
        return message(
            section(
                "*You are not connected yet.* The person who could let you in is no longer connected. "
                "Connect again to continue."
            ),
            actions(button("Connect", ids.CONNECT, style="primary"), give_up),
        )
    return message(
        section(f":hourglass_flowing_sand: *Approved, but you are not connected yet.*\n{LET_IN_FIRST}"),
        *(
            section(
                person(first.name, first.workspace),
                accessory=_unknown(
                    first.grant_id, "Their connection and yours end, until it is clear whose account it is."
                ),
            )
            for first in firsts[:MOST_SHOWN]
        ),
        actions(give_up),
        context(f"They have been asked. {moment('Without an answer this connection ends', ends_at)}."),
    )


def now_connected_message() -> Message:
    """Tell a second person that they were let in."""
    return message(
        section(
            ":white_check_mark: *You are connected.* A person who uses this portal account let you in."
        ),
        actions(button("Show my balance", ids.SHOW_OVERVIEW, style="primary")),
    )


def connection_ended_message() -> Message:
    """Tell a person that others have ended their connection."""
    return message(
        section(f"*Your connection to Nous Portal has ended.* {_EITHER_ENDED_IT}"),
        context("If the portal account is yours, end all sessions in the portal before you connect again."),
        actions(button("Connect", ids.CONNECT)),
    )


def _address(email: str | None) -> str:
    return f" {escape(email)}" if email else ""


def _unknown(grant_id: str, consequence: str) -> Json:
    return confirmed(
        button("I don't know this person", ids.CUT_CONNECTION, value=grant_id, style="danger"),
        title="End the connection?",
        words=consequence,
        confirm="End it",
        deny="Keep it",
    )

"""Connecting and disconnecting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from blocks import connect, second_person
from blocks.errors import NO_ORGANIZATION, error_copy, error_message, stranger_message
from blocks.loading import message_modal
from blocks.words import switch_off
from bot.domain.billing import Role
from bot.domain.rules import Rule, RuleError
from tests.support.catalogue.screen import Screen, screen
from tests.support.samples import ACCOUNT, CHARGE, CONNECTION, NOW, PORTAL

GRACE = second_person.OtherPerson(name="Grace Hopper", workspace="Acme", grant_id="0" * 32)
NOTE = connect.connected_note(ACCOUNT, may_bill=True)


def screens() -> list[Screen]:
    url = f"{PORTAL}/device?user_code=WXYZ-1234"
    downscoped = connect.connected_note(ACCOUNT, may_bill=False)
    not_enabled = connect.connected_note(ACCOUNT, may_bill=False, for_purchase=True)
    return [
        screen(
            "connect-second-person",
            "another person wants to use the account",
            second_person.question_message(GRACE, "ada@acme.example"),
        ),
        screen(
            "connect-second-person-let-in",
            "they were let in",
            second_person.beside_message(GRACE, "ada@acme.example"),
        ),
        screen(
            "connect-second-person-gone", "that connection has ended", second_person.other_ended_message()
        ),
        screen("connect-let-in", "Let them in", second_person.let_in_message(is_done=True)),
        screen("connect-let-in-before", "no longer waiting", second_person.let_in_message(is_done=False)),
        screen(
            "connect-cut", "I don't know this person", second_person.cut_message(is_done=True, both=False)
        ),
        screen(
            "connect-cut-both",
            "the same by the person who waits",
            second_person.cut_message(is_done=True, both=True),
        ),
        screen(
            "connect-cut-before",
            "it had ended already",
            second_person.cut_message(is_done=False, both=False),
        ),
        screen(
            "connect-waiting",
            "approved, and another person has to let this one in",
            second_person.waiting_message([GRACE], NOW),
        ),
        screen("connect-waiting-alone", "the other is gone", second_person.waiting_message([], NOW)),
        screen("connect-waiting-yes", "let in", second_person.now_connected_message()),
        screen("connect-waiting-no", "not let in", second_person.connection_ended_message()),
        screen(
            "connect-waiting-command",
            "a command of a person who waits",
            error_message(error_copy(RuleError(Rule.NOT_LET_IN), now=NOW, incident="")[0]),
        ),
        screen(
            "connect-other-email",
            "another e-mail address than Slack's",
            connect.not_connected_message(why=connect.OTHER_EMAIL),
        ),
        screen(
            "connect-ends", "the day before a connection ends", connect.connection_ends_message(CONNECTION)
        ),
        screen(
            "connect",
            "`/billing connect`",
            connect.link_message(url, "WXYZ-1234", NOW, who="Ada Lovelace (Acme)"),
        ),
        screen("connect-already", "connected already", connect.already_connected_message(CONNECTION, NOW)),
        screen("connected", "approved", connect.connected_message(NOTE)),
        screen(
            "connected-permitted",
            "billing was enabled for a purchase, in place of the link",
            connect.permitted_message(NOTE, CHARGE, in_thread=True),
        ),
        screen(
            "connected-permitted-obstacle",
            "the same while the organization's switch is off",
            connect.permitted_message(
                NOTE, CHARGE, in_modal=True, obstacle=switch_off(Role.OWNER, "Acme Research")
            ),
        ),
        screen(
            "connected-permitted-modal",
            "the same where the link stood in a modal",
            message_modal("Connect", connect.permitted_message(NOTE, CHARGE, in_modal=True)),
        ),
        screen(
            "connected-still-missing",
            "a command needs billing, and it was not allowed",
            connect.connected_message(downscoped, enable="auto-reload"),
        ),
        screen("connect-approved", "approved, and the portal is away", connect.approved_message()),
        screen(
            "connect-no-organization",
            "the login belongs to no organization",
            connect.not_connected_message(why=NO_ORGANIZATION),
        ),
        screen(
            "connect-unusable",
            "the account cannot be kept",
            connect.not_connected_message(why=connect.UNUSABLE),
        ),
        screen(
            "connect-already-ends-soon",
            "connected already, and the connection ends soon",
            connect.already_connected_message(replace(CONNECTION, ends_at=NOW + timedelta(days=2)), NOW),
        ),
        screen(
            "connected-go-on",
            "a command was waiting",
            connect.connected_message(NOTE, go_on="buy 50"),
        ),
        screen("connected-downscoped", "billing was not allowed", connect.connected_message(downscoped)),
        screen("connect-not-enabled", "nor for a purchase", connect.connected_message(not_enabled)),
        screen("connect-denied", "turned down", connect.not_connected_message(why=connect.DENIED)),
        screen("connect-expired", "too late", connect.not_connected_message(why=connect.EXPIRED)),
        screen("connect-failed", "refused", connect.not_connected_message(why=connect.FAILED)),
        screen("connect-mismatch", "another account", connect.not_connected_message(why=connect.MISMATCH)),
        screen("connect-superseded", "a newer link was asked for", connect.superseded_message()),
        screen("connect-used", "used before Slack said where it stands", connect.used_message()),
        screen("connect-cancelled", "Cancel", connect.cancelled_message()),
        screen("disconnect", "`/billing disconnect`", connect.disconnect_question(ACCOUNT)),
        screen("disconnected", "after it was confirmed", connect.disconnected_message(ACCOUNT)),
        screen("disconnected-nothing", "not connected", connect.disconnected_message(None)),
        screen("stranger", "somebody of another workspace", stranger_message()),
    ]

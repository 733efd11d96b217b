"""What the operator's rules say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from blocks.charge import charge_message
from blocks.errors import error_copy, error_message, rule_words
from blocks.lock import announcement, lock_modal, locked_message, resumed_reply, unlocked_message
from blocks.overview import overview_home, overview_message
from blocks.purchase import AmountForm, amount_modal
from bot.domain.charge import ChargeState
from bot.domain.errors import RefusalCode
from bot.domain.offer import AmountOffer
from bot.domain.rules import Lock, Rule, RuleError, Rules, Unlock
from tests.support.catalogue.screen import FORM, Screen, charge, overview, screen
from tests.support.samples import GRACE, NOW, STATE, UPGRADE

LOCK = Lock(locked_by=GRACE, locked_at=NOW, reason="Audit week")
UNLOCK = Unlock(by="U0ADA", at=NOW + timedelta(hours=2))
LOCKED = RuleError(Rule.LOCKED, lock=LOCK)


def screens() -> list[Screen]:
    rules = {
        "read-only": (RuleError(Rule.READ_ONLY), "spending anything in read-only mode"),
        "locked": (LOCKED, "spending anything while it is locked"),
        "users": (RuleError(Rule.USERS), "anything, by somebody who is not on the list"),
        "channels": (RuleError(Rule.CHANNELS, channels=("C0FINANCE",)), "`/billing` in another channel"),
        "lockers": (RuleError(Rule.LOCKERS), "`/billing lock` by somebody who may not"),
    }
    too_much = RuleError(Rule.MAX_CHARGE, limit=Decimal(100))
    day = RuleError(Rule.MAX_DAILY, limit=Decimal(200), left=Decimal("49.99"))
    return [
        *(
            screen(f"rule-{name}", when, error_message(error_copy(error, now=NOW, incident="")[0]))
            for name, (error, when) in rules.items()
        ),
        screen(
            "amount-over-limit",
            "more than one charge may be",
            amount_modal(
                AmountForm.of(STATE, AmountOffer.of(STATE, Rules(max_charge=Decimal(100)))),
                typed="$150",
                problem=rule_words(too_much).removesuffix("."),
            ),
        ),
        screen(
            "amount-over-day",
            "more than one person may charge in a day",
            amount_modal(FORM, typed="$50", problem=rule_words(day).removesuffix(".")),
        ),
        screen("lock-question", "`/billing lock`", lock_modal()),
        screen("lock-announced", "in ANNOUNCE_CHANNEL", announcement(LOCK, None)),
        screen("lock-announced-end", "the same message, later", announcement(LOCK, UNLOCK)),
        screen("lock-announced-reply", "in its thread, later", resumed_reply(UNLOCK)),
        screen("lock", "`/billing lock Audit week`", locked_message(LOCK, already=False)),
        screen("lock-already", "locked before", locked_message(LOCK, already=True)),
        screen("unlock", "`/billing unlock`", unlocked_message(LOCK, by="U0GRACE")),
        screen("unlock-nothing", "it was not locked", unlocked_message(None, by="U0GRACE")),
        screen("overview-locked", "`/billing` while locked", overview_message(overview(), stopped=LOCKED)),
        screen(
            "home-read-only",
            "App Home in read-only mode",
            overview_home(overview(), [], stopped=RuleError(Rule.READ_ONLY)),
        ),
        screen(
            "charge-stopped",
            "a confirmed purchase that was not sent any more",
            charge_message(
                charge(
                    ChargeState.REFUSED,
                    refusal=RefusalCode.SPENDING_STOPPED,
                    refusal_detail="U0GRACE Audit week",
                )
            ),
        ),
        screen(
            "charge-rule-forbids",
            "an operator's rule forbids a confirmed purchase before it is sent",
            charge_message(charge(ChargeState.REFUSED, refusal=RefusalCode.RULE_FORBIDS)),
        ),
        screen(
            "charge-not-sent-in-time",
            "no process sent a confirmed purchase within a day",
            charge_message(charge(ChargeState.REFUSED, refusal=RefusalCode.NOT_SENT_IN_TIME)),
        ),
        screen(
            "charge-price-changed",
            "the portal wants another amount for a confirmed upgrade",
            charge_message(
                replace(
                    UPGRADE,
                    state=ChargeState.REFUSED,
                    refusal=RefusalCode.PRICE_CHANGED,
                    refusal_detail="480.00",
                )
            ),
        ),
        screen(
            "charge-already-on-tier",
            "the organization has a confirmed upgrade's plan already",
            charge_message(
                replace(UPGRADE, state=ChargeState.REFUSED, refusal=RefusalCode.ALREADY_ON_TIER)
            ),
        ),
    ]

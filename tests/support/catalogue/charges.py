"""A purchase's message, and the modal that it ends in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from blocks.charge import (
    charge_message,
    charge_modal,
    charge_reply,
    permission_missing_message,
    resumed_message,
)
from bot.domain.charge import Charge, ChargeState, FailureReason
from bot.domain.errors import RefusalCode
from tests.support.catalogue.screen import Screen, charge, screen
from tests.support.samples import CHARGE, LINK, NOW, UPGRADE


def _refused(code: RefusalCode, wait: timedelta) -> Charge:
    return charge(ChargeState.REFUSED, refusal=code, ended_at=NOW, retry_at=NOW + wait)


def screens() -> list[Screen]:
    failures = {reason.value: charge(ChargeState.FAILED, failure=reason) for reason in FailureReason}
    states = {
        "pending": CHARGE,
        "settled": charge(ChargeState.SETTLED, balance_after=Decimal("192.50"), ended_at=NOW),
        "settled-alone": charge(ChargeState.SETTLED),
        **failures,
        "refused": _refused(RefusalCode.RATE_LIMITED, timedelta(seconds=28)),
        "refused-for-minutes": _refused(RefusalCode.TEMPORARILY_UNAVAILABLE, timedelta(minutes=3)),
        "refused-for-long": _refused(RefusalCode.STRIPE_UNAVAILABLE, timedelta(minutes=30)),
        "refused-until-now": _refused(RefusalCode.RATE_LIMITED, timedelta(0)),
        "needs-scope": charge(ChargeState.NEEDS_SCOPE),
        "permitted": charge(ChargeState.NEEDS_SCOPE, permitted_at=NOW),
        "declined-link": charge(
            ChargeState.FAILED, failure=FailureReason.CARD_DECLINED, payment_method=LINK
        ),
        "refused-default-ceiling": charge(
            ChargeState.REFUSED,
            refusal=RefusalCode.MONTHLY_CAP_EXCEEDED,
            refusal_detail="12.5 default",
        ),
        "overdue": charge(ChargeState.OVERDUE),
        "overdue-checking": charge(ChargeState.OVERDUE, check_asked_at=NOW),
        "overdue-checked": charge(ChargeState.OVERDUE, check_asked_at=NOW, checked_at=NOW),
        "unconfirmed": charge(ChargeState.UNCONFIRMED),
        "unconfirmed-access-lost": charge(ChargeState.UNCONFIRMED, refusal=RefusalCode.SESSION_REVOKED),
        "setup-expired": charge(ChargeState.EXPIRED),
        "upgrade-pending": UPGRADE,
        "upgrade-done": replace(UPGRADE, state=ChargeState.SETTLED),
        "upgrade-declined": replace(UPGRADE, state=ChargeState.FAILED, failure=FailureReason.CARD_DECLINED),
    }
    return [
        screen("charge-slow", "ten seconds after the confirmation", charge_message(CHARGE, is_slow=True)),
        *(
            screen(f"charge-{name}", "the one message of a purchase", charge_message(c))
            for name, c in states.items()
        ),
        screen("charge-reply", "its thread, when it took long", charge_reply(states["overdue"])),
        screen(
            "charge-permission-missing",
            "Resume while the permission is missing",
            permission_missing_message(states["needs-scope"]),
        ),
        screen("charge-resumed", "after Resume", resumed_message(CHARGE)),
        screen("modal-settled", "the open modal, in the end", charge_modal(states["settled"])),
        screen("modal-needs-scope", "the open modal, in the end", charge_modal(states["needs-scope"])),
        screen("modal-unconfirmed", "the open modal, in the end", charge_modal(states["unconfirmed"])),
    ]

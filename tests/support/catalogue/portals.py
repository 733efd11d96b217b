"""What the live portal sends and a kind sandbox does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from blocks.overview import overview_home, overview_message
from blocks.usage import usage_message
from bot.domain.billing import AccessReason, AccountInfo, MemberCap, Overview, PlanUsage, Usage
from bot.domain.payment import PaymentMethod
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.fields import read
from tests.support.catalogue.screen import Screen, overview, screen
from tests.support.live import PLUS_WITH_ROLLOVER, PLUS_WITH_THE_PLAN_SPENT
from tests.support.samples import CONNECTION, LINK, MEMBER, NOW, STATE, WALLET

PLUS_SPENT = read(AccountWire, PLUS_WITH_THE_PLAN_SPENT).to_domain()
PLUS_ROLLOVER = read(AccountWire, PLUS_WITH_ROLLOVER).to_domain()


def _of_account(info: AccountInfo) -> Overview:
    """The overview of somebody with a live account: their balance is their top-ups."""
    state = replace(STATE, balance=info.usage.topped_up, organization_name=info.account.organization_name)
    return overview(state, info.usage, connection=replace(CONNECTION, account=info.account))


def screens() -> list[Screen]:
    """What the live portal sends and a kind sandbox did not."""
    capped = Usage(
        allowed=False,
        reason=AccessReason.MEMBER_CAP,
        topped_up=Decimal("142.50183461729"),
        member_cap=MemberCap(
            exceeded=True, limit=Decimal(25), spent=Decimal("25.3061984"), left=Decimal("-0.3061984")
        ),
    )
    unknown = Usage(plan=PlanUsage(name="Plus"), allowed=True, reason=AccessReason.USABLE)
    later = datetime(2027, 1, 10, 14, 3, tzinfo=UTC)
    ending = replace(CONNECTION, ends_at=later + timedelta(days=2))
    not_enabled = replace(CONNECTION, may_bill=False)
    return [
        screen(
            "overview-plus-spent",
            "Plus with the plan spent (live)",
            overview_message(_of_account(PLUS_SPENT)),
        ),
        screen("usage-plus-spent", "the same in `/billing usage`", usage_message(PLUS_SPENT, NOW)),
        screen("home-plus-spent", "the same in App Home", overview_home(_of_account(PLUS_SPENT), [])),
        screen(
            "overview-plus-rollover",
            "Plus with rollover (live)",
            overview_message(_of_account(PLUS_ROLLOVER)),
        ),
        screen("usage-plus-rollover", "the same in `/billing usage`", usage_message(PLUS_ROLLOVER, NOW)),
        screen("home-plus-rollover", "the same in App Home", overview_home(_of_account(PLUS_ROLLOVER), [])),
        screen(
            "overview-member-capped",
            "a member over their own spending limit",
            overview_message(overview(MEMBER, capped)),
        ),
        screen(
            "overview-unknown-numbers",
            "a plan without its numbers",
            overview_message(overview(MEMBER, unknown)),
        ),
        screen("overview-link", "Link", overview_message(overview(replace(STATE, payment_method=LINK)))),
        screen(
            "overview-wallet",
            "a wallet",
            overview_message(overview(replace(STATE, payment_method=WALLET))),
        ),
        screen(
            "overview-new-kind",
            "a payment method that is not known here",
            overview_message(overview(replace(STATE, payment_method=PaymentMethod(kind="sepa_debit")))),
        ),
        screen(
            "overview-not-enabled",
            "a connection without the billing permission",
            overview_message(overview(connection=not_enabled)),
        ),
        screen(
            "overview-ends-soon",
            "the connection ends in two days",
            overview_message(overview(connection=ending, read_at=later)),
        ),
        screen(
            "overview-applying",
            "an upgrade was paid a moment ago",
            overview_message(overview(applying="Max")),
        ),
        screen(
            "overview-extreme",
            "amounts beyond reason",
            overview_message(overview(replace(STATE, balance=Decimal("1e25")))),
        ),
    ]

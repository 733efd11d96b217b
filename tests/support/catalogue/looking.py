"""What is shown to somebody who only looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import connect
from blocks.export import (
    exported_message,
    maybe_sent_message,
    no_file_message,
    no_month_message,
    sent_message,
)
from blocks.help import DOES, help_about_message, help_message, ignored_message, unknown_message
from blocks.history import history_message, no_trace_message, several_message, trace_message
from blocks.limit import limit_modal
from blocks.overview import overview_home, overview_message
from blocks.usage import usage_message
from bot.domain.billing import AccessReason, AccountInfo, Usage
from bot.domain.charge import ChargeState
from bot.domain.delivery import Delivery
from bot.domain.watch import WatchState
from bot.domain.watch_views import Watched
from bot.services.exporting import Exported
from bot.storage.exports import Purchase, Sealed
from handlers.registry import usage_rows
from tests.support.catalogue import portals
from tests.support.catalogue.screen import Screen, charge, overview, screen
from tests.support.catalogue.watching import LOOK, WATCH
from tests.support.samples import ACCOUNT, ADA, MEMBER, NOW, PLAN, STATE, USAGE

if TYPE_CHECKING:
    from blocks.kit import Message


NOVEMBER = date(2026, 11, 1)


def _usage(usage: Usage) -> Message:
    return usage_message(AccountInfo(account=ACCOUNT, usage=usage), NOW)


def _exports() -> list[Screen]:
    bought = Purchase(charge=charge(ChargeState.SETTLED), settled_at=NOW)
    exported = Exported(
        month=NOVEMBER,
        zone="Europe/London",
        organization_name="Acme Research",
        everything=True,
        purchases=[bought, bought],
        sealed=Sealed(head="0" * 64, first=None, last=None),
        names={},
    )
    own = replace(exported, everything=False, purchases=[])
    return [
        screen("export", "`/billing export`", sent_message(exported)),
        screen("export-own", "a member without a purchase", sent_message(own)),
        screen("exported", "others who may charge", exported_message("U0GRACE", "Acme Research")),
        screen("export-no-month", "what is no month", no_month_message("November")),
        screen("export-maybe", "Slack gave no answer", maybe_sent_message(NOVEMBER)),
        screen("export-refused", "Slack refuses", no_file_message(NOVEMBER, may_not=False)),
        screen("export-no-scope", "the app may send no files", no_file_message(NOVEMBER, may_not=True)),
    ]


def screens() -> list[Screen]:
    depleted = Usage(
        plan=replace(PLAN, left=Decimal("-3.5")),
        topped_up=Decimal(0),
        total=Decimal(0),
        allowed=False,
        reason=AccessReason.NOTHING_USABLE,
    )
    low = Usage(topped_up=Decimal("3.2"), allowed=True)
    needs_plan = Usage(topped_up=Decimal("32.08"), allowed=False, reason=AccessReason.NO_SUBSCRIPTION)
    blocked = Usage(topped_up=Decimal("32.08"), allowed=False)
    free = Usage(topped_up=Decimal(0), allowed=False, reason=AccessReason.NO_SUBSCRIPTION)
    recent = [charge(ChargeState.SETTLED), charge(ChargeState.FAILED, amount=Decimal("10.01"))]
    ending = replace(USAGE, plan=replace(PLAN, renews_on=None, ends_on=PLAN.renews_on))
    return [
        screen("overview-low", "less than $5 is left", overview_message(overview(usage=low))),
        screen("overview-plan-ends", "the plan was canceled", overview_message(overview(usage=ending))),
        screen("overview-low-member", "the same for a member", overview_message(overview(MEMBER, low))),
        screen("welcome", "`/billing`, not connected", connect.welcome_message()),
        screen("overview", "`/billing`", overview_message(overview())),
        screen(
            "overview-watched",
            "somebody watches the balance",
            overview_message(overview(watched=Watched(watch=WATCH, look=LOOK))),
        ),
        screen(
            "overview-unwatched",
            "nobody's connection reads it any more",
            overview_message(
                overview(watched=Watched(watch=replace(WATCH, state=WatchState.STALE), look=LOOK))
            ),
        ),
        screen("overview-no-usage", "the account call failed", overview_message(overview(usage=None))),
        screen("overview-member", "a member", overview_message(overview(MEMBER))),
        screen(
            "overview-switch-off",
            "the organization's switch is off",
            overview_message(overview(replace(STATE, billing_enabled=False))),
        ),
        screen(
            "overview-no-card",
            "no payment method",
            overview_message(overview(replace(STATE, payment_method=None))),
        ),
        *portals.screens(),
        *_exports(),
        screen("home", "App Home", overview_home(overview(), recent)),
        screen("home-welcome", "App Home, not connected", connect.welcome_home()),
        screen("usage", "`/billing usage`", _usage(USAGE)),
        screen("usage-overdrawn", "overdrawn and depleted", _usage(depleted)),
        screen("usage-low", "running low", _usage(low)),
        screen("usage-free", "nothing yet", _usage(free)),
        screen("usage-needs-plan", "top-ups, and no plan", _usage(needs_plan)),
        screen("usage-blocked", "refused, and the portal does not say why", _usage(blocked)),
        screen("limit", "`/billing limit`", limit_modal(STATE, ACCOUNT, NOW)),
        screen("limit-none", "no limit", limit_modal(replace(STATE, monthly_cap=None), ACCOUNT, NOW)),
        screen("limit-member", "a member", limit_modal(MEMBER, ACCOUNT, NOW)),
        screen("history", "`/billing history`", history_message(recent, page=0, more=True)),
        screen("history-empty", "nothing bought yet", history_message([], page=0, more=False)),
        screen(
            "trace",
            "`/billing trace`",
            trace_message(
                charge(
                    ChargeState.SETTLED,
                    posts=1,
                    first_post_at=NOW,
                    last_post_at=NOW,
                    submitted_at=NOW,
                    polls=4,
                    first_poll_at=NOW + timedelta(seconds=2),
                    last_poll_at=NOW + timedelta(seconds=8),
                    ended_at=NOW + timedelta(seconds=8),
                    portal_charge_id="ch_1",
                ),
                Delivery(
                    id="3f9a5c0e71d2b846",
                    subject_kind="charge",
                    subject_id="3f9a5c0e71d2b846",
                    recipient=ADA,
                    created_at=NOW,
                    channel="D0ADA",
                    ts="1795356181.000100",
                    posting_since=NOW,
                    posted_at=NOW + timedelta(seconds=1),
                    edited_at=NOW + timedelta(seconds=9),
                ),
                key_fingerprint="0a1b2c3d4e",
            ),
        ),
        screen("trace-several", "a beginning of several purchases", several_message()),
        screen("trace-none", "no such purchase", no_trace_message()),
        screen("help", "`/billing help`", help_message(usage_rows())),
        screen(
            "help-about",
            "`/billing help buy`",
            help_about_message("/billing buy [AMOUNT]", DOES["buy"], also=("topup", "add", "pay")),
        ),
        screen(
            "help-ignored",
            "`/billing usage today`, below the answer",
            ignored_message("/billing usage", "today"),
        ),
        screen(
            "help-near-miss",
            "`/billing conect`",
            unknown_message("conect", near="connect"),
        ),
    ]

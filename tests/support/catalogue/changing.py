"""Auto-reload and the plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks.auto_reload import auto_reload_confirm_modal, auto_reload_done_modal, auto_reload_modal
from blocks.purchase import processing_modal
from blocks.subscription import (
    Then,
    blocked_modal,
    cancel_modal,
    schedule_modal,
    subscription_modal,
    upgrade_modal,
)
from bot.domain.billing import AutoReload, AutoReloadChoice, Role
from bot.domain.charge import ChargeState
from bot.domain.subscription import Effect, Subscription

if TYPE_CHECKING:
    from blocks.kit import Json
from tests.support.catalogue.screen import Screen, screen
from tests.support.samples import ACCOUNT, CURRENT, LINK, MEMBER, NOW, PREVIEW, STATE, SUBSCRIPTION, UPGRADE

TURNED_OFF = AutoReload(enabled=False, threshold=Decimal(20), reload_to=Decimal(100))
ON = AutoReloadChoice(enabled=True, threshold=Decimal(20), reload_to=Decimal(100))


def _plan(subscription: Subscription) -> Json:
    return subscription_modal(subscription, ACCOUNT, NOW, due_today={"max": Decimal(30)})


def screens() -> list[Screen]:
    scheduled = replace(CURRENT, becomes="Free", becomes_on=date(2026, 12, 1))
    ending = replace(CURRENT, cancels=True, cancels_on=date(2026, 12, 1))
    later = replace(PREVIEW, effect=Effect.SCHEDULED, target_id="free", target_name="Free", due_now=None)
    blocked = replace(PREVIEW, effect=Effect.BLOCKED, reason="Settle the open invoice first.")
    return [
        screen("auto-reload", "`/billing auto-reload`", auto_reload_modal(STATE)),
        screen(
            "auto-reload-half",
            "`/billing auto-reload 20`",
            auto_reload_modal(replace(STATE, auto_reload=None), below=Decimal(20)),
        ),
        screen(
            "auto-reload-now-off",
            "it was on before",
            auto_reload_modal(replace(STATE, auto_reload=TURNED_OFF)),
        ),
        screen("auto-reload-member", "a member", auto_reload_modal(MEMBER)),
        screen(
            "auto-reload-confirm",
            "before it is switched on",
            auto_reload_confirm_modal(
                ON, replace(STATE, auto_reload=TURNED_OFF), ACCOUNT, confirmation_id="i1"
            ),
        ),
        screen(
            "auto-reload-change",
            "before other amounts are saved",
            auto_reload_confirm_modal(ON, STATE, ACCOUNT, confirmation_id="i1"),
        ),
        screen(
            "auto-reload-off",
            "before it is switched off",
            auto_reload_confirm_modal(replace(ON, enabled=False), STATE, ACCOUNT, confirmation_id="i1"),
        ),
        screen(
            "auto-reload-never-set-up",
            "an owner who never set it up",
            auto_reload_modal(replace(STATE, auto_reload=None)),
        ),
        screen(
            "auto-reload-no-method",
            "no payment method",
            auto_reload_modal(replace(STATE, auto_reload=None, payment_method=None)),
        ),
        screen(
            "auto-reload-confirm-link",
            "before it is switched on, with Link",
            auto_reload_confirm_modal(
                ON, replace(STATE, payment_method=LINK), ACCOUNT, confirmation_id="i1"
            ),
        ),
        screen("auto-reload-done", "saved", auto_reload_done_modal(ON)),
        screen("plan", "`/billing subscription`", _plan(SUBSCRIPTION)),
        screen(
            "plan-scheduled",
            "a change is scheduled",
            _plan(replace(SUBSCRIPTION, current=scheduled)),
        ),
        screen("plan-ending", "it was cancelled", _plan(replace(SUBSCRIPTION, current=ending))),
        screen("plan-free", "no plan", _plan(replace(SUBSCRIPTION, current=None))),
        screen(
            "plan-team",
            "a team, for which the portal names a plan and offers others",
            _plan(replace(SUBSCRIPTION, is_team=True)),
        ),
        screen(
            "plan-applying",
            "an upgrade was paid a moment ago",
            _plan(replace(SUBSCRIPTION, applying="Max")),
        ),
        screen(
            "plan-unknown-numbers",
            "a plan without its numbers",
            _plan(
                replace(SUBSCRIPTION, current=replace(CURRENT, monthly=None, left=None, cycle_ends=None))
            ),
        ),
        screen("plan-member", "a member", _plan(replace(SUBSCRIPTION, role=Role.MEMBER))),
        screen(
            "plan-upgrade",
            "an upgrade charges now",
            upgrade_modal(UPGRADE, open_equal=None, then=Then.of(SUBSCRIPTION, "max")),
        ),
        screen(
            "plan-upgrade-again",
            "an upgrade to the same plan has not ended",
            upgrade_modal(UPGRADE, open_equal=replace(UPGRADE, state=ChargeState.UNCONFIRMED)),
        ),
        screen(
            "plan-schedule",
            "a change without a charge",
            schedule_modal(later, ACCOUNT, confirmation_id="i1"),
        ),
        screen(
            "plan-cancel", "before it is cancelled", cancel_modal(CURRENT, ACCOUNT, confirmation_id="i1")
        ),
        screen("plan-blocked", "not possible", blocked_modal(blocked, SUBSCRIPTION)),
        screen("upgrade-processing", "after the confirmation", processing_modal(UPGRADE)),
    ]

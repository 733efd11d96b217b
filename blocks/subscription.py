"""The plan screens: the plan, a scheduled change, the possible changes, and the consent to each."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.charge import buy_again
from blocks.inputs import select
from blocks.kit import (
    BUTTON_TEXT,
    Block,
    Json,
    actions,
    button,
    confirmed,
    context,
    day,
    escape,
    fields,
    fitting,
    modal,
    moment,
    portal_button,
    portal_line,
    section,
)
from blocks.purchase import method_field
from blocks.usage import applying_block, plan_block
from blocks.words import (
    MANAGERS,
    consent,
    manages,
    organization,
    whose,
)
from bot.domain.money import show
from bot.domain.payment import CARD, PaymentMethod
from bot.domain.subscription import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.identity import Account
    from bot.domain.subscription import CurrentPlan, Preview, Subscription, Tier

TITLE = "Plan"
SHOWN_NAME = 60
PREVIEWING = "Loading the preview…"
SAVING = "Saving…"
NAMED_FOR = frozenset({"subPin", "customerDefault"})


def subscription_modal(
    subscription: Subscription,
    account: Account,
    read_at: datetime,
    *,
    note: str | None = None,
    due_today: Mapping[str, Decimal] = MappingProxyType({}),
) -> Json:
    """Make the plan modal with the state at `read_at` (UTC).

    `due_today` is what larger plans would cost now (US dollars), by their id, as far as it is known.
    """
    current = subscription.current
    may = subscription.may_change_plan and current is not None and not subscription.is_team
    waits = subscription.applying is not None
    choices = () if waits else subscription.choices
    can_cancel = may and not waits and current is not None and not current.cancels
    return modal(
        TITLE,
        section(note) if note else None,
        *_scheduled(subscription),
        *_plan(subscription),
        context(f"{whose(account)}\n{moment('As of', read_at)}"),
        *_rest(subscription),
        select(
            "Change to",
            [(tier.id, _offer(tier, subscription, due_today)) for tier in choices],
            block_id=ids.PLAN_TIER,
            action_id=ids.PLAN_TIER,
        )
        if choices
        else None,
        actions(
            button("Cancel plan", ids.PLAN_CANCEL, style="danger") if can_cancel else None,
            button("Refresh", ids.PLAN_BACK),
            portal_button(subscription.manage_url),
        ),
        callback_id=ids.PLAN_VIEW if choices else ids.INFO_VIEW,
        submit="Review change" if choices else None,
    )


def no_such_plan(name: str) -> str:
    """Say that no plan has the typed name (not escaped)."""
    return f"There is no plan “{name[:SHOWN_NAME]}” to change to here."


def same_plan(name: str) -> str:
    """Say that the typed plan is the current one (not escaped)."""
    return f"You are on {name[:SHOWN_NAME]} already."


@dataclass(frozen=True, kw_only=True, slots=True)
class Then:
    """What an upgrade costs from then on: the price as the portal writes it, and when it renews."""

    price: str
    renews_on: date | None

    @classmethod
    def of(cls, subscription: Subscription, tier_id: str) -> Then | None:
        """Return it for a plan; None if its price is not known."""
        tier = subscription.known(tier_id)
        if tier is None or tier.price is None:
            return None
        return cls(
            price=tier.price,
            renews_on=subscription.current.cycle_ends if subscription.current else None,
        )

    @property
    def words(self) -> str:
        """In words, escaped."""
        renews = f", renews {day(self.renews_on)}" if self.renews_on else ""
        return f"{escape(self.price)} a month{renews}"


def blocked_modal(preview: Preview, subscription: Subscription) -> Json:
    """Make the modal for a change that is not possible here or has no effect."""
    if preview.effect is Effect.NO_OP:
        words = f"You are on {escape(preview.target_name)} already. Nothing would change."
    else:
        reason = escape(preview.reason) if preview.reason else "The portal does not allow this change here."
        words = f"*Not possible here.* {reason}"
    blocked = preview.effect is Effect.BLOCKED
    url = subscription.plan_url(preview.target_id) if blocked else subscription.manage_url
    return modal(
        TITLE,
        section(words),
        actions(
            button("Back", ids.PLAN_BACK),
            portal_button(url),
        ),
        callback_id=ids.INFO_VIEW,
    )


def schedule_modal(preview: Preview, account: Account, *, confirmation_id: str) -> Json:
    """Make the consent modal for a change that charges nothing; it carries `confirmation_id`."""
    since = f" on {day(preview.effective_on)}" if preview.effective_on else " when the billing period ends"
    words = f"Change to *{escape(preview.target_name)}*{since}. Nothing is charged now."
    return _change_modal(words, account, confirmation_id, "Schedule change")


def cancel_modal(current: CurrentPlan, account: Account, *, confirmation_id: str) -> Json:
    """Make the consent modal for a cancellation; it carries `confirmation_id`."""
    until = f" until {day(current.cycle_ends)}" if current.cycle_ends else " until the billing period ends"
    words = f"*{escape(current.name)}* stays{until}; nothing is charged. You can undo this until then."
    return _change_modal(
        words,
        account,
        confirmation_id,
        "Cancel plan",
        title=fitting(f"Cancel {current.name}?", "Cancel this plan?"),
        close=fitting(f"Keep {current.name}", "Keep this plan"),
    )


def charged_method(state: BillingState) -> PaymentMethod | None:
    """Return the method that an upgrade charges; only its kind if the exact method is not certain."""
    method = state.payment_method
    if method is None or method.resolved_via in NAMED_FOR:
        return method
    return PaymentMethod(kind=CARD if method.is_card else "")


def upgrade_modal(charge: Charge, *, open_equal: Charge | None, then: Then | None = None) -> Json:
    """Make the consent modal for a charged upgrade. Pressing Enter must not pay.

    `open_equal` is the unfinished upgrade to the same plan that it warns of; `then` is the price after it.

    Slack submits a modal on Enter. So a button with its own confirmation dialog pays, and the modal has no
    submit button (behavior 57).
    """
    kind, label = method_field(charge)
    amount = show(charge.amount)
    tier = charge.tier_name or "the new plan"
    agreed = f"{charge.id} {open_equal.id}" if open_equal else charge.id
    pay = confirmed(
        button(
            f"Pay {amount} again" if open_equal else f"Pay {amount} now",
            ids.PLAN_UPGRADE_VIEW,
            value=agreed,
            style="primary",
        ),
        title=f"Pay {amount} now?",
        words=f"Your {kind.lower()} is charged, and your plan becomes {tier} right away.",
        confirm=f"Pay {amount}",
        deny="Not now",
    )
    return modal(
        titles.POSSIBLE_DUPLICATE if open_equal else titles.CONFIRM_UPGRADE,
        section(buy_again(charge, open_equal)) if open_equal else None,
        section(f"Upgrade *{organization(charge.organization_name)}* to *{escape(tier)}* now."),
        fields([("Due now", amount), (kind, label), *([("Then", then.words)] if then else [])]),
        context(f"You act as {escape(charge.account_email)}.") if charge.account_email else None,
        section(consent(charge.payment_method)),
        actions(button("Back", ids.PLAN_BACK, value=charge.id), pay),
        portal_line(charge.portal_url),
        callback_id=ids.PLAN_UPGRADE_VIEW,
        close="Cancel",
        private_metadata=charge.id,
        notify_on_close=True,
    )


def _change_modal(
    words: str,
    account: Account,
    confirmation_id: str,
    submit: str,
    *,
    title: str = "Confirm change",
    close: str = "Keep my plan",
) -> Json:
    return modal(
        title,
        section(words),
        context(f"For {whose(account)}."),
        actions(button("Back", ids.PLAN_BACK)),
        callback_id=ids.PLAN_CONFIRM_VIEW,
        submit=submit,
        close=close,
        private_metadata=confirmation_id,
    )


def _scheduled(subscription: Subscription) -> list[Block | None]:
    current = subscription.current
    if current is None or not current.change_scheduled or subscription.is_team:
        return []
    if current.cancels:
        when = current.ends_on
        words = f":warning: *{escape(current.name)} ends*" + (f" on {day(when)}." if when else ".")
    else:
        when = current.becomes_on or current.cycle_ends
        becomes = escape(current.becomes or "another plan")
        words = f":warning: *Changes to {becomes}*" + (f" on {day(when)}." if when else ".")
    keep = button(f"Keep {current.name}"[:BUTTON_TEXT], ids.PLAN_KEEP, style="primary")
    return [section(words), actions(keep) if subscription.may_change_plan else None]


def _plan(subscription: Subscription) -> list[Block | None]:
    current = subscription.current
    if subscription.is_team:
        words = "A team has no personal plan. Its members use the balance; add funds with `/billing buy`."
        return [section(words)]
    if subscription.applying is not None:
        return [applying_block(subscription.applying)]
    if current is None:
        return [section("You are on the free plan. Choose a plan in the portal.")]
    return [plan_block(current.usage)]


def _rest(subscription: Subscription) -> list[Block | None]:
    """Return the rest of the modal: the plans to choose from, or who can change this plan."""
    if subscription.is_team or subscription.applying is not None:
        return []
    if subscription.current is None:
        return _catalog(subscription)
    return [] if subscription.may_change_plan else [context(_who_changes(subscription))]


def _catalog(subscription: Subscription) -> list[Block | None]:
    """List the plans with their prices; each button opens the portal with that plan preselected."""
    return [
        section(
            " · ".join([f"*{escape(tier.name)}*", *map(escape, _terms(tier))]),
            accessory=button(
                "See in portal", f"{ids.OPEN_PLAN}_{number}", url=subscription.plan_url(tier.id)
            ),
        )
        for number, tier in enumerate(subscription.catalog[: ids.MOST_PLANS])
    ]


def _terms(tier: Tier) -> list[str]:
    """Return what a plan costs and what one gets, as far as it is known (not escaped)."""
    price = [f"{tier.price}/mo"] if tier.price else []
    return [*price, f"{show(tier.monthly)} to use"] if tier.monthly else price


def _who_changes(subscription: Subscription) -> str:
    if manages(subscription.role):
        return "The portal does not let your account change the plan."
    return f"{MANAGERS.capitalize()} can change the plan."


def _offer(tier: Tier, subscription: Subscription, due_today: Mapping[str, Decimal]) -> str:
    """Return a plan's menu entry: what it costs, what one gets, and from when; as far as it is known."""
    starts = f"{show(due_today[tier.id])} today" if tier.id in due_today else _starts(tier, subscription)
    return " · ".join([tier.name, *_terms(tier), *([starts] if starts else [])])


def _starts(tier: Tier, subscription: Subscription) -> str | None:
    """Say when a plan would start: a larger one today, a smaller one when the cycle ends."""
    current = subscription.current
    if tier in subscription.larger:
        return "starts today"
    return f"starts {day(current.cycle_ends)}" if current is not None and current.cycle_ends else None

"""Whatever one field of an answer holds, every screen made of it is one that Slack takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from blocks import connect
from blocks.auto_reload import auto_reload_confirm_modal, auto_reload_modal
from blocks.charge import charge_message, charge_modal, charge_reply
from blocks.errors import error_copy, error_home, error_message, error_modal
from blocks.history import history_message, trace_message
from blocks.kit import Message
from blocks.limit import limit_modal
from blocks.overview import overview_home, overview_message
from blocks.purchase import AmountForm, add_card_modal, amount_modal, closed_modal, confirm_modal
from blocks.subscription import (
    blocked_modal,
    cancel_modal,
    charged_method,
    schedule_modal,
    subscription_modal,
    upgrade_modal,
)
from blocks.usage import usage_message
from bot.domain.billing import AutoReload, AutoReloadChoice, Overview
from bot.domain.charge import ChargeState, FailureReason
from bot.domain.errors import NoOrganizationError, PortalRefusalError
from bot.domain.identity import Connection
from bot.domain.offer import AmountOffer
from bot.domain.subscription import Effect
from bot.portal.error_map import error_for
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.billing import BillingStateWire
from bot.portal.schemas.fields import UnusableAnswerError, read
from bot.portal.schemas.subscription import PreviewWire, SubscriptionStateWire, UpgradeWire
from bot.portal.transport import Answer
from bot.sandbox.slack.validation import validate_blocks, validate_view
from tests.support import extremes
from tests.support.samples import ACCOUNT, CHARGE, CONNECTION, NOW, PORTAL, STATE, USAGE
from tests.support.samples import SUBSCRIPTION as KNOWN
from tests.support.samples import UPGRADE as KNOWN_UPGRADE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blocks.kit import Json


def of_state(body: dict[str, Any]) -> Iterator[Message | Json]:
    state = read(BillingStateWire, body).to_domain(PORTAL)
    overview = Overview(state=state, usage=USAGE, connection=CONNECTION, read_at=NOW)
    yield overview_message(overview)
    yield overview_home(overview, [])
    offer = AmountOffer.of(state)
    form = AmountForm.of(state, offer, read_at=NOW, account=ACCOUNT)
    yield closed_modal(form, state) if offer.is_closed else amount_modal(form)
    yield amount_modal(AmountForm.recall(form.remember()), chosen="custom")
    yield add_card_modal(state, typed="$50", still_missing=True)
    yield limit_modal(state, ACCOUNT, NOW)
    yield auto_reload_modal(state)
    choice = AutoReloadChoice.off(
        state.auto_reload or AutoReload(enabled=False, threshold=None, reload_to=None)
    )
    for enabled in (True, False):
        yield auto_reload_confirm_modal(
            replace(choice, enabled=enabled), state, ACCOUNT, confirmation_id="i1"
        )
    charge = replace(
        CHARGE,
        organization_name=state.organization_name,
        payment_method=state.payment_method,
        portal_url=state.portal_url,
    )
    yield confirm_modal(charge, open_equal=charge)
    yield history_message([charge] * 5, page=0, more=True)
    yield trace_message(replace(charge, portal_charge_id="c" * 2000), None, key_fingerprint="0")
    for each in ChargeState:
        told = replace(charge, state=each, portal_charge_id="c" * 2000, failure=FailureReason.CARD_DECLINED)
        yield charge_message(told)
        yield charge_reply(told)
        yield charge_modal(told)


def of_account(body: dict[str, Any]) -> Iterator[Message | Json]:
    info = read(AccountWire, body).to_domain()
    connection = Connection(account=info.account, may_bill=True, ends_at=NOW + timedelta(days=1))
    overview = Overview(state=STATE, usage=info.usage, connection=connection, read_at=NOW)
    yield usage_message(info, NOW)
    yield overview_message(overview, note=connect.connected_note(info.account, may_bill=False))
    yield overview_home(overview, [])
    yield connect.already_connected_message(connection, NOW)
    yield connect.disconnected_message(info.account)


def of_subscription(body: dict[str, Any]) -> Iterator[Message | Json]:
    subscription = read(SubscriptionStateWire, body).to_domain(PORTAL)
    yield subscription_modal(subscription, ACCOUNT, NOW, note="Done.")
    yield subscription_modal(replace(subscription, current=None), ACCOUNT, NOW)
    yield subscription_modal(replace(subscription, applying="Super"), ACCOUNT, NOW)
    if subscription.current is not None:
        yield subscription_modal(
            replace(subscription, current=replace(subscription.current, cancels=True)), ACCOUNT, NOW
        )
        yield cancel_modal(subscription.current, ACCOUNT, confirmation_id="i1")


def of_preview(body: dict[str, Any]) -> Iterator[Message | Json]:
    preview = read(PreviewWire, body).to_domain("super")
    yield blocked_modal(replace(preview, effect=Effect.BLOCKED), KNOWN)
    yield schedule_modal(preview, ACCOUNT, confirmation_id="i1")
    if preview.due_now is not None and preview.effect is Effect.CHARGE_NOW:
        charge = replace(KNOWN_UPGRADE, amount=preview.due_now, tier_name=preview.target_name)
        yield upgrade_modal(replace(charge, payment_method=charged_method(STATE)), open_equal=charge)


def of_upgrade(body: dict[str, Any]) -> Iterator[Message | Json]:
    result = read(UpgradeWire, body).to_domain(PORTAL)
    failure = FailureReason.from_wire(result.reason)
    charge = replace(
        KNOWN_UPGRADE, state=ChargeState.FAILED, failure=failure, portal_url=result.recovery_url
    )
    yield charge_message(charge)
    yield charge_modal(charge)


def of_refusal(body: dict[str, Any]) -> Iterator[Message | Json]:
    error = error_for(Answer(status=403, body=body), base=PORTAL, money=False)
    copy, url = error_copy(error, now=NOW, incident="0")
    yield error_message(copy, url)
    yield error_modal("Billing", copy, url)
    yield error_home(copy, url)
    if isinstance(error, PortalRefusalError):
        refused = replace(
            CHARGE,
            state=ChargeState.REFUSED,
            refusal=error.code,
            refusal_detail=error.detail,
            portal_url=error.portal_url,
        )
        yield charge_message(refused)
        yield charge_modal(refused)


ANSWERS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], Iterator[Message | Json]]]] = {
    "state": (extremes.STATE, of_state),
    "account": (extremes.ACCOUNT, of_account),
    "subscription": (extremes.SUBSCRIPTION, of_subscription),
    "preview": (extremes.PREVIEW, of_preview),
    "upgrade": (extremes.UPGRADE, of_upgrade),
    "refusal": (extremes.REFUSAL, of_refusal),
}


def judged(shown: Message | Json) -> object:
    """What Slack would say against a screen."""
    if isinstance(shown, Message):
        assert shown.text.encode()
        return validate_blocks(list(shown.blocks))
    if shown["type"] == "home":
        return validate_blocks(shown["blocks"])
    return validate_view(shown)


@pytest.mark.parametrize("answer", ANSWERS)
def test_slack_takes_every_screen_with_one_field_at_its_extreme(answer: str) -> None:
    body, screens = ANSWERS[answer]
    wrong = []
    for changed, mutated in extremes.mutations(body):
        try:
            problems = [problem for shown in screens(mutated) if (problem := judged(shown)) is not None]
        except (UnusableAnswerError, NoOrganizationError):
            continue  # said to be so, in words of its own
        except Exception as error:  # noqa: BLE001 - all of them are listed
            problems = [error]
        wrong += [f"{changed}: {problem!r}" for problem in problems]
    assert wrong == []


def test_an_answer_is_unusable_only_without_a_field_that_a_screen_needs() -> None:
    unusable: dict[str, set[str]] = {}
    for answer, (body, screens) in ANSWERS.items():
        for changed, mutated in extremes.mutations(body):
            try:
                list(screens(mutated))
            except (UnusableAnswerError, NoOrganizationError):
                unusable.setdefault(answer, set()).add(changed.partition(" = ")[0])
    assert unusable == {
        "state": {"org", "org.id"},
        "account": {"user", "organisation", "organisation.id"},
        "subscription": {"org", "org.id"},
        "upgrade": {"status"},
    }


def test_presets_are_offered_within_every_limit() -> None:
    tight = replace(STATE, presets=(Decimal(5), Decimal(50), Decimal(500)))
    offer = AmountOffer.of(tight, left_today=Decimal("49.99"))
    assert offer.presets == (Decimal(5),)
    assert offer.bounds.maximum == Decimal("49.99")

"""Each field of docs/portal.md, sections 3 to 9, is read by the client, or is here with why it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel

from bot.domain.errors import PortalRefusalError
from bot.portal.error_map import error_for
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.authorization import DeviceCodeWire, TokenWire
from bot.portal.schemas.billing import BillingStateWire, ChargeAcceptedWire, ChargeStatusWire
from bot.portal.schemas.subscription import MessageWire, PreviewWire, SubscriptionStateWire, UpgradeWire
from bot.portal.transport import Answer
from tests.sandbox.portal import contract

if TYPE_CHECKING:
    from bot.portal.schemas.fields import Wire

CHANGES = {f"{method} {path}": answer for method, path, _, _, answer in reversed(contract.CHANGES)}
PENDING = "/api/billing/subscription/pending-change"
ANSWERS: dict[str, tuple[object, type[Wire]]] = {
    "account": (contract.ACCOUNT, AccountWire),
    "state": (contract.STATE, BillingStateWire),
    "charge": (CHANGES["POST /api/billing/charge"], ChargeAcceptedWire),
    "status": (contract.CHARGE_STATUS, ChargeStatusWire),
    "subscription": (contract.SUBSCRIPTION, SubscriptionStateWire),
    "preview": (CHANGES["POST /api/billing/subscription/preview"], PreviewWire),
    "change": (CHANGES[f"PUT {PENDING}"], MessageWire),
    "keep": (CHANGES[f"DELETE {PENDING}"], MessageWire),
    "upgrade": (CHANGES["POST /api/billing/subscription/upgrade"], UpgradeWire),
    "device code": (contract.DEVICE_CODE, DeviceCodeWire),
    "tokens": (contract.TOKENS, TokenWire),
}
UNREAD = {
    "account.subscription.tier": "a number; the plan has a name",
    "account.subscription.monthly_charge": "the plan modal shows prices",
    "account.paid_service_access.organisation_id": "the organization is read beside it",
    "account.paid_service_access.effective_at_ms": "the screen says as of when it was read",
    "account.paid_service_access.active_subscription_is_paid": "`allowed` and `reason` decide",
    "account.paid_service_access.subscription_tier": "a number; the plan has a name",
    "account.paid_service_access.subscription_monthly_charge": "the plan modal shows prices",
    "account.tool_access": "tools are not this app's",
    "state.autoReload.card.paymentMethodId": "an id of the portal's own",
    "status.settledAt": "the ledger has its own moment",
    "subscription.portalUrl": "the link is made for the grant's own deployment",
    "preview.currentTierId": "what is current is read from the subscription",
    "preview.monthlyCreditsDelta": "the amount due says what it costs",
    "change.effectiveAt": "the subscription is read again after the change",
    "change.rail": "the portal's own word",
    "change.changeType": "the app knows what it asked for",
    "change.targetTierName": "the subscription is read again after the change",
    "change.cancelAtPeriodEnd": "the subscription is read again after the change",
    "keep.rail": "the portal's own word",
    "keep.cancelAtPeriodEnd": "the subscription is read again after the change",
    "tokens.token_type": "always Bearer",
    "tokens.inference_base_url": "ignored (docs/portal.md, section 3.4)",
}


def unread(shape: object, model: type[BaseModel] | None, path: str) -> Iterator[str]:
    """Name the fields of a shape that a model does not read, nested ones too."""
    match shape:
        case Mapping():
            names = {
                field.alias or name: field for name, field in (model.model_fields if model else {}).items()
            }
            for key, inner in shape.items():
                name = key.removesuffix("?")
                if name not in names:
                    yield f"{path}.{name}"
                else:
                    yield from unread(inner, nested(names[name].annotation), f"{path}.{name}")
        case tuple() | list():
            for each in shape:
                yield from unread(each, model, path)


def nested(annotation: Any) -> type[BaseModel] | None:
    """Return the model within an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := nested(each))), None)


def test_each_field_of_the_contract_is_read_or_has_a_reason_not_to_be() -> None:
    found = {name for answer, (shape, model) in ANSWERS.items() for name in unread(shape, model, answer)}
    assert found == set(UNREAD)


@pytest.mark.parametrize(
    "field", [each.removesuffix("?") for each in contract.REFUSAL if each != "recovery?"]
)
def test_each_field_of_a_refusal_makes_a_difference(field: str) -> None:
    body: dict[str, Any] = {
        "error": "monthly_cap_exceeded",
        "message": "No.",
        "portalUrl": "/elsewhere",
        "code": "remote_spending_disabled",
        "actor": "admin",
        "remainingUsd": "12.5",
        "isDefaultCeiling": True,
    }
    if field != "code":
        del body["code"]

    def facts(sent: dict[str, Any]) -> dict[str, Any]:
        error = error_for(Answer(status=403, body=sent), base="https://portal.example", money=False)
        assert isinstance(error, PortalRefusalError)
        return vars(error)

    without = {name: value for name, value in body.items() if name != field}
    assert facts(body) != facts(without)

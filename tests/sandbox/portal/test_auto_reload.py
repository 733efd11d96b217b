from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.portal.client import error_of

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

PATH = "/api/billing/auto-top-up"
WANTED: dict[str, Any] = {"enabled": True, "threshold": 25, "topUpAmount": Decimal("80.50")}


async def test_auto_reload_is_turned_on_with_exactly_three_keys(client: PortalClient) -> None:
    assert (await client.send("PATCH", PATH, WANTED)).status_code == 200
    assert (await client.state())["autoReload"] == {
        "enabled": True,
        "thresholdUsd": "25",
        "reloadToUsd": "80.5",
        "card": {"kind": "canonical"},
    }


@pytest.mark.parametrize(
    "body",
    [
        {**WANTED, "card": "pm_1"},
        {"enabled": False},
        {"enabled": True, "threshold": 25},
        {**WANTED, "enabled": "true"},
        {**WANTED, "threshold": "25"},
        {**WANTED, "topUpAmount": None},
        {**WANTED, "threshold": True},
        {**WANTED, "topUpAmount": 25},
        {**WANTED, "topUpAmount": Decimal("80.505")},
    ],
)
async def test_any_other_body_is_refused_and_changes_nothing(
    client: PortalClient, body: dict[str, Any]
) -> None:
    before = await client.state()
    assert error_of(await client.send("PATCH", PATH, body)) == (400, "validation_failed")
    assert await client.state() == before


@pytest.mark.parametrize("change", [{"threshold": 4}, {"topUpAmount": 1001}])
async def test_amounts_out_of_bounds_are_refused(client: PortalClient, change: dict[str, Any]) -> None:
    refusal = await client.send("PATCH", PATH, {**WANTED, **change})
    assert error_of(refusal) == (400, "amount_out_of_bounds")


async def test_a_stored_value_below_the_minimum_does_not_stop_disabling(client: PortalClient) -> None:
    auto_reload = client.portal.organizations["acme"].auto_reload
    assert auto_reload is not None
    auto_reload.enabled, auto_reload.threshold = True, Decimal(1)
    body = {"enabled": False, "threshold": 1, "topUpAmount": 100}
    assert (await client.send("PATCH", PATH, body)).status_code == 200
    assert (await client.state())["autoReload"]["enabled"] is False


async def test_turning_on_needs_a_card_and_turning_off_does_not(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "no-card")
    assert error_of(await client.send("PATCH", PATH, WANTED)) == (403, "no_payment_method")
    off = {**WANTED, "enabled": False}
    assert (await client.send("PATCH", PATH, off)).status_code == 200


async def test_auto_reload_cannot_be_turned_on_after_failures(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "auto-reload-failures")
    refusal = await client.send("PATCH", PATH, WANTED)
    assert error_of(refusal) == (403, "auto_top_up_disabled_failures")
    assert (await client.charge()).status_code == 202


async def test_auto_reload_checks_the_gates_of_a_charge(client: PortalClient) -> None:
    client.sign_in("linus")
    assert error_of(await client.send("PATCH", PATH, WANTED)) == (403, "role_required")
    client.sign_in("ada", "inference:invoke")
    assert error_of(await client.send("PATCH", PATH, WANTED)) == (403, "insufficient_scope")

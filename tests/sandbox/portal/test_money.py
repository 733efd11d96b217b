from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from bot.sandbox.portal import Card, PortalSandbox
from bot.sandbox.portal.wire import decimal_string, dump_json, load_json
from tests.sandbox.portal.client import BALANCE, error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient


async def test_the_overview_equals_the_contracts_example(client: PortalClient) -> None:
    assert await client.state() == {
        "org": {"id": "org_acme", "slug": "acme", "name": "Acme Research", "role": "OWNER"},
        "balanceUsd": BALANCE,
        "cliBillingEnabled": True,
        "canChangePlan": True,
        "chargePresets": ["25", "50", "100"],
        "bounds": {"minUsd": "5", "maxUsd": "1000"},
        "card": {"brand": "Visa", "last4": "4242", "resolvedVia": "subPin"},
        "paymentMethod": {
            "kind": "card",
            "brand": "Visa",
            "last4": "4242",
            "resolvedVia": "subPin",
        },
        "monthlyCap": {
            "limitUsd": "1000",
            "spentThisMonthUsd": "179.999582671439",
            "isDefaultCeiling": True,
        },
        "autoReload": {
            "enabled": False,
            "thresholdUsd": "20",
            "reloadToUsd": "100",
            "card": {"kind": "canonical"},
        },
        "portalUrl": "/billing?topup=open",
    }


async def test_a_member_sees_the_balance_but_not_how_it_is_paid(client: PortalClient) -> None:
    client.sign_in("linus")
    state = await client.state()
    assert (state["balanceUsd"], state["portalUrl"]) == (BALANCE, "/billing?topup=open")
    for hidden in ("card", "paymentMethod", "monthlyCap", "autoReload"):
        assert state[hidden] is None


@pytest.mark.parametrize(
    ("person", "capability"),
    [
        ("ada", True),
        ("grace", True),
        ("frida", True),
        ("linus", False),
        ("sasha", False),
        ("hedy", False),
        ("vera", False),
        ("theo", None),
    ],
)
async def test_only_an_older_server_omits_the_capability(
    client: PortalClient, person: str, capability: bool | None
) -> None:
    client.sign_in(person)
    assert (await client.state()).get("canChangePlan") is capability


@pytest.mark.parametrize(
    ("person", "method", "card"),
    [
        (
            "lena",
            {"kind": "link", "email": "lena@linkpay.example", "resolvedVia": "customerDefault"},
            None,
        ),
        (
            "wanda",
            {"kind": "card", "brand": "visa", "last4": "4242", "wallet": "apple_pay"},
            {"brand": "visa", "last4": "4242"},
        ),
        ("nils", {"kind": "sepa_debit"}, None),
        ("mara", None, None),
        ("theo", "absent", {"brand": "Link", "last4": "", "resolvedVia": "customerDefault"}),
    ],
)
async def test_the_card_is_a_lossy_view_of_the_payment_method(
    client: PortalClient, person: str, method: object, card: object
) -> None:
    client.sign_in(person)
    state = await client.state()
    assert state.get("paymentMethod", "absent") == method
    assert state["card"] == card


@pytest.mark.parametrize(
    ("person", "status"), [("lena", 202), ("wanda", 202), ("nils", 202), ("theo", 202), ("mara", 403)]
)
async def test_every_payment_method_can_be_charged(client: PortalClient, person: str, status: int) -> None:
    client.sign_in(person)
    assert (await client.charge()).status_code == status


async def test_a_link_card_has_an_empty_last4_and_may_lack_its_label(client: PortalClient) -> None:
    client.portal.organizations["acme"].card = Card(brand="Link", last4="", resolved_via=None)
    assert (await client.state())["card"] == {"brand": "Link", "last4": ""}


async def test_a_settlement_adds_to_the_balance_exactly_once(client: PortalClient) -> None:
    charged = await client.charge("0.1e2", "k")
    client.clock.tick(3)
    for _ in range(3):
        await client.poll(charged)
        await client.state()
    state = await client.state()
    assert state["balanceUsd"] == "152.500213968254"
    assert state["monthlyCap"]["spentThisMonthUsd"] == "189.999582671439"
    assert client.portal.charges[0].status == "settled"


async def test_a_settlement_adds_to_the_balance_without_a_poll(client: PortalClient) -> None:
    await client.charge("33.33")
    client.clock.tick(3)
    assert client.portal.organizations["acme"].balance == Decimal("175.830213968254")


async def test_cents_stay_exact_through_many_charges(client: PortalClient) -> None:
    client.portal.charge_rate_limit = None
    for _ in range(10):
        await client.charge("5.10")
        await client.charge("5.20")
    client.clock.tick(3)
    assert (await client.state())["balanceUsd"] == "245.500213968254"


@pytest.mark.parametrize("amount", ["5", "5.00", "1000", "999.99"])
async def test_amounts_within_the_bounds_are_accepted(client: PortalClient, amount: str) -> None:
    client.portal.organizations["acme"].cap = None
    assert (await client.charge(amount)).status_code == 202


@pytest.mark.parametrize("amount", ["4.99", "1000.01", "0", "-50", "1e400"])
async def test_amounts_out_of_bounds_are_refused_with_a_sentence(client: PortalClient, amount: str) -> None:
    refusal = await client.send("POST", "/api/billing/charge", {"amountUsd": Decimal(amount)}, "k")
    assert error_of(refusal) == (400, "amount_out_of_bounds")
    assert exact(refusal)["message"] == "Enter an amount between $5 and $1000."


@pytest.mark.parametrize(
    "body",
    [
        '{"amountUsd": "50"}',
        '{"amountUsd": true}',
        '{"amountUsd": null}',
        '{"amountUsd": 50.001}',
        '{"amountUsd": NaN}',
        '{"amountUsd": Infinity}',
        '{"amountUsd": 5e99999999999999999999}',
        "{}",
        "[50]",
        "[" * 100_000,
        "50",
        "amountUsd=50",
        "",
    ],
)
async def test_anything_but_a_json_number_of_dollars_and_cents_is_refused(
    client: PortalClient, body: str
) -> None:
    headers = {"Authorization": f"Bearer {client.access}", "Idempotency-Key": "k"}
    refusal = await client.http.post("/api/billing/charge", content=body, headers=headers)
    assert error_of(refusal) == (400, "validation_failed")
    assert client.portal.charges == []


async def test_the_account_call_sends_json_numbers_without_a_float(client: PortalClient) -> None:
    client.portal.organizations["acme"].balance = Decimal("0.10000000000000000000000001")
    answer = await client.get("/api/oauth/account")
    account = exact(answer)
    access = account["paid_service_access"]
    assert account["user"] == {"email": "ada@acme.example", "privy_did": "did:privy:ada"}
    assert account["organisation"]["slug"] == "acme"
    assert account["subscription"] == {
        "plan": "Plus",
        "tier": 1,
        "monthly_charge": 20,
        "monthly_credits": 22,
        "current_period_end": "2026-10-01T00:00:00.000Z",
        "credits_remaining": Decimal("13.199784210017"),
        "rollover_credits": 0,
    }
    assert access["purchased_credits_remaining"] == Decimal("0.10000000000000000000000001")
    assert access["total_usable_credits"] == Decimal("13.29978421001700000000000001")
    assert access["effective_at_ms"] == 1_789_646_400_000


async def test_an_account_without_a_plan_has_no_subscription(client: PortalClient) -> None:
    client.sign_in("mara")
    account = exact(await client.get("/api/oauth/account"))
    assert account["subscription"] is None
    assert account["paid_service_access"]["allowed"] is False
    assert account["paid_service_access"]["subscription_tier"] is None


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("142.50", "142.5"),
        ("1E+2", "100"),
        ("100", "100"),
        ("0.00", "0"),
        ("-3.20", "-3.2"),
        ("1e+25", "1e+25"),
        ("-1e-22", "-1e-22"),
        ("9" * 30, "9" * 30),
        ("0.000001", "0.000001"),
        ("0.00000015", "1.5e-7"),
    ],
)
def test_decimal_strings_have_the_places_they_need(amount: str, written: str) -> None:
    assert decimal_string(Decimal(amount)) == written


def test_json_keeps_every_digit_and_refuses_floats() -> None:
    text = '{"a":0.1,"b":[142.50,3,-1e-22,1e+25]}'
    assert dump_json(load_json(text.encode())) == text
    with pytest.raises(TypeError):
        dump_json({"b": [{"a": 0.5}]})


def test_the_default_clock_is_time_time() -> None:
    portal = PortalSandbox()
    with freeze_time("2026-09-17T12:00:00Z", real_asyncio=True) as frozen:
        assert portal.now() == 1_789_646_400
        frozen.tick(5)
        assert portal.now() == 1_789_646_405


def test_the_same_seed_gives_the_same_identifiers() -> None:
    def tokens(seed: int) -> tuple[str, str]:
        return PortalSandbox(now=lambda: 1e9, seed=seed).issue_tokens("ada")

    assert tokens(1) == tokens(1)
    assert tokens(1) != tokens(2)

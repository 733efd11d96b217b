"""The account call: published answers, the decision about paid use, and token claims."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.portal.client import error_of, exact
from tests.sandbox.portal.contract import (
    PUBLISHED,
    READS,
)

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient


@pytest.mark.parametrize("person", sorted(PUBLISHED))
async def test_a_published_answer_is_sent_exactly(client: PortalClient, person: str) -> None:
    client.sign_in(person)
    answer = await client.get("/api/oauth/account")
    sent = dict(re.findall(r'"(\w+)":([^",{}\[\]]+)', answer.text))
    assert {name: sent[name] for name in PUBLISHED[person]} == PUBLISHED[person]
    assert exact(answer)["subscription"]["plan"] == "Plus"


@pytest.mark.parametrize(("person", "total"), [("pia", "82.0836345329777"), ("rolf", "72.472091793333334")])
async def test_a_purchase_adds_to_a_published_answer(client: PortalClient, person: str, total: str) -> None:
    client.sign_in(person)
    await client.charge(50)
    client.clock.tick(3)
    access = exact(await client.get("/api/oauth/account"))["paid_service_access"]
    assert access["total_usable_credits"] == Decimal(total)


@pytest.mark.parametrize(
    ("person", "allowed", "reason"),
    [
        ("ada", True, "usable_credits"),
        ("linus", True, "usable_credits"),
        ("omar", False, "member_spend_cap_exceeded"),
        ("mara", False, "no_active_subscription"),
        ("uma", True, "usable_credits"),
        ("noah", False, "account_missing"),
    ],
)
async def test_the_portal_decides_about_paid_use_and_gives_the_reason(
    client: PortalClient, person: str, allowed: bool, reason: str
) -> None:
    client.sign_in(person)
    access = exact(await client.get("/api/oauth/account"))["paid_service_access"]
    assert (access["allowed"], access["paid_access"]) == (allowed, allowed)
    assert access["reason"] == reason


async def test_a_plan_without_credits_and_balance_has_no_usable_credits(client: PortalClient) -> None:
    client.portal.organizations["plus-spent"].balance = Decimal(0)
    client.sign_in("pia")
    access = exact(await client.get("/api/oauth/account"))["paid_service_access"]
    assert (access["allowed"], access["reason"]) == (False, "no_usable_credits")


async def test_a_member_over_the_cap_has_all_three_amounts(client: PortalClient) -> None:
    client.sign_in("omar")
    access = exact(await client.get("/api/oauth/account"))["paid_service_access"]
    assert member_cap(access) == (True, "25", "25.318402771953", "0")


async def test_a_member_without_a_cap_has_the_cap_fields(client: PortalClient) -> None:
    client.sign_in("linus")
    access = exact(await client.get("/api/oauth/account"))["paid_service_access"]
    assert member_cap(access) == (False, None, "17.250318446207", None)


def member_cap(access: dict[str, Any]) -> tuple[object, ...]:
    return (
        access["member_spend_cap_exceeded"],
        access["member_spend_cap_usd"],
        access["member_spend_usd"],
        access["member_spend_cap_remaining_usd"],
    )


async def test_hidden_numbers_are_null_beside_the_plans_name(client: PortalClient) -> None:
    client.sign_in("uma")
    account = exact(await client.get("/api/oauth/account"))
    plan = account["subscription"]
    assert plan.pop("plan") == "Plus"
    assert set(plan.values()) == {None}
    assert account["paid_service_access"]["total_usable_credits"] is None


async def test_a_login_without_an_organization_has_an_account_and_no_billing(client: PortalClient) -> None:
    client.sign_in("noah")
    account = exact(await client.get("/api/oauth/account"))
    assert "organisation" not in account
    assert account["subscription"] is None
    for path in READS[1:]:
        assert error_of(await client.get(path)) == (403, "org_access_denied")
    assert error_of(await client.charge()) == (403, "org_access_denied")
    assert [(post.organization, post.person) for post in client.portal.charge_posts] == [(None, "noah")]


async def test_the_access_token_has_the_account_and_its_entitlement(client: PortalClient) -> None:
    assert (
        claims_of(client.access).items()
        >= {
            "org_id": "org_acme",
            "client_id": "hermes-cli",
            "product_id": "hermes",
            "paid_access": True,
            "subscription_tier": 1,
        }.items()
    )
    client.sign_in("noah")
    assert claims_of(client.access)["org_id"] is None
    assert claims_of(client.access)["paid_access"] is False


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.sandbox.portal.client import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient


async def test_the_same_key_and_amount_answer_the_same_charge(client: PortalClient) -> None:
    first = await client.charge(50, "k")
    second = await client.charge("50.00", "k")
    assert (first.status_code, second.status_code) == (202, 202)
    assert exact(first) == exact(second)
    assert len(client.portal.charges) == 1
    assert [post.answer for post in client.portal.charge_posts] == [exact(first)["chargeId"]] * 2


async def test_concurrent_posts_with_one_key_make_one_charge(client: PortalClient) -> None:
    answers = await asyncio.gather(*(client.charge(50, "k") for _ in range(20)))
    assert len({exact(answer)["chargeId"] for answer in answers}) == 1
    assert len(client.portal.charges) == 1


async def test_the_same_key_with_another_amount_is_a_conflict(client: PortalClient) -> None:
    await client.charge(50, "k")
    assert error_of(await client.charge(51, "k")) == (409, "idempotency_conflict")
    assert len(client.portal.charges) == 1


async def test_a_key_is_scoped_to_its_organization(client: PortalClient) -> None:
    await client.charge(50, "k")
    client.sign_in("theo")
    assert (await client.charge(60, "k")).status_code == 202
    assert {charge.organization for charge in client.portal.charges} == {"acme", "globex"}


async def test_a_missing_or_empty_key_is_refused(client: PortalClient) -> None:
    bare = await client.send("POST", "/api/billing/charge", {"amountUsd": 50})
    empty = await client.send("POST", "/api/billing/charge", {"amountUsd": 50}, "")
    assert error_of(bare) == error_of(empty) == (400, "validation_failed")
    assert exact(bare)["code"] == "idempotency_key_required"
    assert client.portal.charges == []


async def test_a_refused_request_does_not_consume_its_key(client: PortalClient) -> None:
    acme = client.portal.organizations["acme"]
    card, acme.card = acme.card, None
    assert (await client.charge(50, "k")).status_code == 403
    acme.card = card
    assert (await client.charge(4, "k")).status_code == 400
    assert (await client.charge(60, "k")).status_code == 202


async def test_an_existing_charge_is_answered_even_when_a_new_one_would_be_refused(
    client: PortalClient,
) -> None:
    first = await client.charge(50, "k")
    acme = client.portal.organizations["acme"]
    acme.card = None
    client.portal.charge_rate_limit = 0
    assert exact(await client.charge(50, "k")) == exact(first)


async def test_every_post_is_recorded_with_its_answer(client: PortalClient) -> None:
    await client.charge("10.07", "a")
    await client.send("POST", "/api/billing/charge", {"amountUsd": "50"}, "b")
    client.access = ""
    await client.charge(50, "c")
    assert [(p.key, p.person, p.status, p.answer) for p in client.portal.charge_posts] == [
        ("a", "ada", 429, "rate_limited"),
        ("b", "ada", 400, "validation_failed"),
        ("c", None, 401, "unauthorized"),
    ]
    assert client.portal.counts()["POST /api/billing/charge"] == 3

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.sandbox.portal.desk import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk


async def test_the_same_key_and_amount_answer_the_same_charge(desk: Desk) -> None:
    first = await desk.charge(50, "k")
    second = await desk.charge("50.00", "k")
    assert (first.status_code, second.status_code) == (202, 202)
    assert exact(first) == exact(second)
    assert len(desk.portal.charges) == 1
    assert [post.answer for post in desk.portal.charge_posts] == [exact(first)["chargeId"]] * 2


async def test_many_questions_at_once_make_one_charge(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.charge(50, "k") for _ in range(20)))
    assert len({exact(answer)["chargeId"] for answer in answers}) == 1
    assert len(desk.portal.charges) == 1


async def test_the_same_key_with_another_amount_is_a_conflict(desk: Desk) -> None:
    await desk.charge(50, "k")
    assert error_of(await desk.charge(51, "k")) == (409, "idempotency_conflict")
    assert len(desk.portal.charges) == 1


async def test_a_key_means_nothing_in_another_organisation(desk: Desk) -> None:
    await desk.charge(50, "k")
    desk.sign_in("theo")
    assert (await desk.charge(60, "k")).status_code == 202
    assert {charge.organisation for charge in desk.portal.charges} == {"acme", "globex"}


async def test_a_missing_or_empty_key_is_refused(desk: Desk) -> None:
    bare = await desk.send("POST", "/api/billing/charge", {"amountUsd": 50})
    empty = await desk.send("POST", "/api/billing/charge", {"amountUsd": 50}, "")
    assert error_of(bare) == error_of(empty) == (400, "validation_failed")
    assert exact(bare)["code"] == "idempotency_key_required"
    assert desk.portal.charges == []


async def test_a_refused_request_does_not_burn_its_key(desk: Desk) -> None:
    acme = desk.portal.organisations["acme"]
    card, acme.card = acme.card, None
    assert (await desk.charge(50, "k")).status_code == 403
    acme.card = card
    assert (await desk.charge(4, "k")).status_code == 400
    assert (await desk.charge(60, "k")).status_code == 202


async def test_a_charge_that_was_made_is_told_even_when_a_new_one_would_be_refused(
    desk: Desk,
) -> None:
    first = await desk.charge(50, "k")
    acme = desk.portal.organisations["acme"]
    acme.card = None
    desk.portal.charge_rate_limit = 0
    assert exact(await desk.charge(50, "k")) == exact(first)


async def test_every_post_is_written_down_with_its_answer(desk: Desk) -> None:
    await desk.charge("10.07", "a")
    await desk.send("POST", "/api/billing/charge", {"amountUsd": "50"}, "b")
    desk.access = ""
    await desk.charge(50, "c")
    assert [(p.key, p.person, p.status, p.answer) for p in desk.portal.charge_posts] == [
        ("a", "ada", 429, "rate_limited"),
        ("b", "ada", 400, "validation_failed"),
        ("c", None, 401, "unauthorized"),
    ]
    assert desk.portal.counts()["POST /api/billing/charge"] == 3

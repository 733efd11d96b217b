"""What an operator's monitoring sees of a purchase, and that it sees nobody's secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.house import ADA, BOT_TOKEN, House
from tests.support.steps import bought

if TYPE_CHECKING:
    from collections.abc import Mapping


async def page(house: House) -> str:
    async with httpx.AsyncClient() as http:
        answer = await http.get(house.slack.app_url.replace("/slack/events", "/metrics"))
    assert answer.headers["Content-Type"].startswith("text/plain")
    return answer.text


async def value(house: House, name: str, **labels: str) -> float:
    """The sum of a meter's samples with these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(await page(house))
        for sample in family.samples
        if sample.name == name and _has(sample.labels, labels)
    )


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


async def test_the_metrics_count_a_purchase_from_its_confirmation_to_its_end(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.until(lambda: house.modal().title == "Done")
    for state in ("proposed", "confirmed", "submitted", "settled"):
        assert await value(house, "billing_charges_total", kind="top_up", state=state) == 1
    assert await value(house, "billing_charge_outcome_seconds_count", state="settled") == 1
    assert await value(house, "billing_charge_polls_total") == house.polls()
    posts = {"route": "POST /api/billing/charge", "status": "202"}
    assert await value(house, "billing_portal_request_seconds_count", **posts) == 1
    polls = {"route": "GET /api/billing/charge/{id}", "status": "200"}
    assert await value(house, "billing_portal_request_seconds_count", **polls) == house.polls()
    sent = {"method": "chat.postMessage", "result": "ok"}
    assert await value(house, "billing_slack_request_seconds_count", **sent) == 1
    acknowledged = sum(each.status == 200 for each in house.slack.deliveries)
    assert await value(house, "billing_ack_seconds_count", status="200") == acknowledged


async def test_the_metrics_show_the_age_of_an_open_charge(house: House) -> None:
    house.portal_clock.speed = 1
    await bought(house, "10.06")
    assert await value(house, "billing_charges_unfinished", state="submitted") == 1
    assert await value(house, "billing_charges_unfinished", state="overdue") == 0
    assert 0 < await value(house, "billing_charges_oldest_unfinished_seconds", state="submitted") < 10
    assert await value(house, "billing_work_in_flight", kind="charge") == 1


async def test_a_restart_does_not_count_as_a_takeover_and_a_refusal_has_its_code(house: House) -> None:
    await bought(house, "50")
    await house.restart()
    house.slack.faults.add("chat.update", "error", error="fatal_error")
    await house.told("$50 added to your balance")
    assert await value(house, "billing_work_takeovers_total") == 0
    assert await value(house, "billing_slack_request_seconds_count", result="fatal_error") == 1
    assert await value(house, "billing_work_retries_total", kind="delivery") == 1


async def test_the_meters_name_no_person_and_no_secret(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    shown = await page(house)
    (charge,) = await house.charges()
    link = await house.app.runtime.accounts.link(house.identity())
    for hidden in (ADA, charge.id, charge.idempotency_key, charge.portal_charge_id, link.access, BOT_TOKEN):
        assert str(hidden) not in shown

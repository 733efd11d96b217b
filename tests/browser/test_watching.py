"""A watched balance that runs low, and a month's purchases as a file, as they are clicked in the page."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import expect

from bot.domain.reading import Reading
from tests.browser.test_accessibility import Inspection
from tests.browser.test_page import browsing, keep, pytestmark, say
from tests.support.asking import connected
from tests.support.house import ADA
from tests.support.watching import read, the_watch, watches

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.house import House

__all__ = ["pytestmark"]


async def test_whoever_watches_is_told_and_adds_funds(house: House, tmp_path: Path) -> None:
    await connected(house)
    async with browsing(house) as page:
        await page.context.add_init_script(AXE_SCRIPT)
        await page.reload()
        await say(page, "/billing alerts")
        modal = page.get_by_test_id("modal")
        await modal.get_by_label("Watch with my connection").check()
        await page.set_viewport_size({"width": 1280, "height": 1100})
        inspection = Inspection()
        await inspection.look(page, "the alerts", '[data-testid="modal"]')
        assert "\n".join(inspection.faults) == ""
        await page.emulate_media(color_scheme="light")
        await keep(page, tmp_path, "alerts-form")
        await page.get_by_test_id("modal-submit").click()
        await expect(modal.get_by_text("Saved.")).to_be_visible()
        await modal.get_by_role("button", name="Close").first.click()
        house.portal.set_scenario("acme", "used-fivefold")
        house.portal.advance(62)
        await read(house)
        await page.get_by_test_id("nav-dm").click()
        alert = page.get_by_test_id("message").filter(has_text="left at Acme Research, below $20")
        await expect(alert).to_be_visible()
        await keep(page, tmp_path, "alert-low")
        house.portal.set_scenario("acme", "by-amount")
        await alert.get_by_role("button", name="Add funds").click()
        await modal.get_by_label("$100").check()
        await page.get_by_test_id("modal-submit").click()
        await expect(modal.get_by_text("Total")).to_be_visible()
        await page.get_by_test_id("modal-submit").click()
        await house.told("$100 added", ADA)
        await read(house)
        await expect(page.get_by_test_id("message").filter(has_text="Back at").first).to_be_visible()
        await modal.get_by_role("button", name="Close").first.click()
        await keep(page, tmp_path, "alert-over")


async def test_a_month_of_purchases_is_a_file(house: House, tmp_path: Path) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added")
    await house.slack.close(ADA, everything=True)
    async with browsing(house) as page:
        await page.emulate_media(color_scheme="light")
        await say(page, "/billing export")
        await expect(page.get_by_text("Sent to your messages with this app").first).to_be_visible()
        await page.get_by_test_id("nav-dm").click()
        file = page.get_by_test_id("file")
        await expect(file).to_have_text(re.compile(r"purchases-\d{4}-\d\d\.csv"))
        await keep(page, tmp_path, "export")
        async with page.expect_download() as opened:
            await file.click()
        download = await opened.value
        path = await download.path()
        assert path.read_text().startswith("purchase,state,amount")


async def test_an_alert_draws_the_last_thirty_days(house: House, tmp_path: Path) -> None:
    await connected(house)
    house.portal.organizations["acme"].balance = Decimal("20.40")
    await watches(house)
    await house.slack.close(ADA, everything=True)
    await lived_through(house, days=30)
    house.portal.organizations["acme"].balance = Decimal("18.20")
    await read(house)
    async with browsing(house) as page:
        await page.context.add_init_script(AXE_SCRIPT)
        await page.reload()
        await page.get_by_test_id("nav-dm").click()
        await page.set_viewport_size({"width": 1280, "height": 1000})
        chart = page.get_by_role("img", name="Balance: ").first
        await expect(chart).to_be_visible()
        inspection = Inspection()
        await inspection.look(page, "a chart", '[data-testid="message"]')
        assert "\n".join(inspection.faults) == ""
        await page.emulate_media(color_scheme="light")
        await keep(page, tmp_path, "alert-chart")
        await page.get_by_role("button", name="As a table").first.click()
        await expect(page.get_by_role("cell", name="$18.20").first).to_be_visible()


async def lived_through(house: House, *, days: int) -> None:
    """Store a reading every six hours: office hours use more, and once somebody added $100."""
    watch, now = await the_watch(house), house.app.runtime.clock.now()
    balance = Decimal(126)
    async with house.app.runtime.database.transaction() as transaction:
        for quarter in range(days * 4, 0, -1):
            at = now - timedelta(hours=6 * quarter)
            balance -= Decimal("4.10") if at.weekday() < 5 and 8 <= at.hour < 20 else Decimal("0.35")
            balance += 100 if quarter == days * 2 else 0
            reading = Reading(at=at, balance=balance)
            await house.app.runtime.watches.readings.add(transaction, watch.id, reading)

"""A watched balance that runs low, and a month's purchases as a file, as they are clicked in the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import expect

from tests.browser.test_accessibility import Inspection
from tests.browser.test_page import browsing, keep, pytestmark, say
from tests.scenarios.test_watching import read
from tests.support.asking import connected
from tests.support.house import ADA

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

"""Two people side by side: one asks for funds, the other pays, and the chapter follows what happens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import expect

from tests.browser.test_accessibility import Inspection
from tests.browser.test_page import SCREENS, browsing, pytestmark
from tests.support.house import ADA, LINUS

if TYPE_CHECKING:
    from playwright.async_api import FrameLocator, Page

    from tests.support.house import House

__all__ = ["pytestmark"]


async def expect_done(page: Page, count: int) -> None:
    for number in range(1, 6):
        state = ", done" if number <= count else ", not done yet"
        step = page.get_by_test_id(f"chapter-{number}")
        await expect(step).to_have_text(re.compile(f"{state}$"), timeout=10_000)


async def type_in(pane: FrameLocator, text: str) -> None:
    composer = pane.get_by_test_id("composer")
    await composer.fill(text)
    await composer.press("Escape")
    await composer.press("Enter")


async def test_a_team_asks_and_pays_side_by_side(house: House) -> None:
    await house.connect(ADA, "ada")
    await house.connect(LINUS, "linus", billing=False)
    async with browsing(house, width=1500) as page:
        await page.context.add_init_script(AXE_SCRIPT)
        await page.get_by_role("link", name="Two people, side by side").click()
        linus, ada = (page.frame_locator(f'[data-testid="pane-{name}"]') for name in ("linus", "ada"))
        await expect_done(page, 2)
        await type_in(linus, "/billing request 50 eval runs for the paper")
        await linus.get_by_test_id("modal").get_by_role("button", name="Ask for $50").click()
        await expect_done(page, 3)
        await ada.get_by_role("button", name="Open").click()
        card = ada.get_by_test_id("message").filter(has_text="asks for $50")
        inspection = Inspection()
        await inspection.look(page, "two people", "#chapter")
        assert inspection.faults == []
        await card.get_by_role("button", name="Review").click()
        confirm = ada.get_by_test_id("modal")
        await expect(confirm).to_contain_text("eval runs for the paper")
        if SCREENS:
            await page.screenshot(path=SCREENS / "side-by-side.png")
        await confirm.get_by_role("button", name="Pay $50 now").click()
        await expect_done(page, 5)
        await linus.get_by_role("button", name="Open").click()
        await expect(linus.get_by_test_id("message").filter(has_text="added for you")).to_be_visible()
        if SCREENS:
            await page.screenshot(path=SCREENS / "side-by-side-paid.png")

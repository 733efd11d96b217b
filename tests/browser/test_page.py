"""The whole purchase in the sandbox's page, in headless Chromium, as a newcomer would do it."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import BrowserContext, Locator, Page, async_playwright, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.house import House

CHROMIUM = shutil.which("chromium")
SCREENS = Path(os.environ.get("SCREENS", "")) if os.environ.get("SCREENS") else None
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium on this machine; CI installs it"
    ),
]


@asynccontextmanager
async def browsing(
    house: House, *, dark: bool = False, width: int = 1280, **options: Any
) -> AsyncIterator[Page]:
    """Open the page; an error in its console fails the test."""
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(
            viewport={"width": width, "height": 860},
            color_scheme="dark" if dark else "light",
            **options,
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        await page.goto(house.slack.public_url)
        await page.get_by_test_id("composer").wait_for()
        yield page
        await browser.close()
    assert errors == []


def balance(page: Page) -> Locator:
    return page.get_by_test_id("message").get_by_role("heading", name="$155.70 to use")


async def say(page: Page, text: str) -> None:
    composer = page.get_by_test_id("composer")
    await composer.fill(text)
    await composer.press("Escape")
    await composer.press("Enter")


async def keep(page: Page, tmp_path: Path, name: str) -> None:
    folder = SCREENS or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"{name}.png", animations="disabled")
    assert (folder / f"{name}.png").stat().st_size > 10_000


async def approve_in_new_tab(context: BrowserContext, page: Page) -> None:
    async with context.expect_page() as opened:
        await (
            page.get_by_role("link", name=re.compile("Open Nous Portal"))
            .or_(page.get_by_role("button", name=re.compile("Open Nous Portal")))
            .last.click()
        )
    portal = await opened.value
    await portal.get_by_role("button", name="Approve", exact=True).click()
    await expect(portal.get_by_text(re.compile("go back to Slack"))).to_be_visible()
    await portal.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_newcomer_connects_buys_and_sees_it_settle(
    house: House, tmp_path: Path, theme: str
) -> None:
    async with browsing(house, dark=theme == "dark") as page:
        await say(page, "/billing")
        await page.get_by_role("button", name="Connect").click()
        await approve_in_new_tab(page.context, page)
        await expect(balance(page)).to_be_visible(timeout=10_000)
        await keep(page, tmp_path, f"overview-{theme}")

        await page.get_by_role("button", name="Add funds").click()
        modal = page.get_by_test_id("modal")
        await modal.get_by_text("$50 → new balance $192.50").click()
        await keep(page, tmp_path, f"amount-{theme}")
        await page.get_by_test_id("modal-submit").click()
        await expect(modal.get_by_text("By confirming, you allow")).to_be_visible()
        await keep(page, tmp_path, f"confirm-{theme}")
        await page.get_by_role("button", name="Pay $50 now").click()
        await expect(modal.get_by_text("$50 added to your balance")).to_be_visible(timeout=10_000)
        await page.keyboard.press("Escape")

        await (
            page.get_by_test_id(f"nav-{house.slack.dm('U0ADA')}").or_(page.get_by_test_id("nav-dm")).click()
        )
        await expect(
            page.get_by_test_id("message").get_by_text("$50 added to your balance")
        ).to_be_visible()
        await keep(page, tmp_path, f"settled-{theme}")
    assert len(house.portal.charges) == 1


async def test_a_wrong_amount_is_said_beside_the_field_and_what_was_typed_stays(house: House) -> None:
    await house.link()
    async with browsing(house) as page:
        await say(page, "/billing buy")
        modal = page.get_by_test_id("modal")
        await modal.get_by_role("textbox").fill("1e3")
        await page.get_by_test_id("modal-submit").click()
        await expect(modal.get_by_text("Enter a dollar amount, e.g. 100")).to_be_visible()
        await expect(modal.get_by_role("textbox")).to_have_value("1e3")


async def test_the_keyboard_alone_is_enough_for_a_purchase(house: House) -> None:
    await house.link()
    async with browsing(house) as page:
        await page.get_by_test_id("composer").focus()
        await page.keyboard.type("/billing buy 50")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Enter")
        pay = page.get_by_role("button", name="Pay $50 now")
        await expect(pay).to_be_visible()
        for _ in range(12):
            if await pay.evaluate("button => button === document.activeElement"):
                break
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        modal = page.get_by_test_id("modal")
        await expect(modal.get_by_text("$50 added to your balance")).to_be_visible(timeout=10_000)


@pytest.mark.parametrize("width", [320, 380])
async def test_on_a_narrow_screen_nothing_runs_out_of_the_window(house: House, width: int) -> None:
    await house.link()
    async with browsing(house, width=width) as page:
        await say(page, "/billing")
        await expect(balance(page)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await page.get_by_role("button", name="Add funds").click()
        await expect(page.get_by_test_id("modal").get_by_text("$50 → new balance $192.50")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_another_person_does_not_see_what_only_one_may(house: House) -> None:
    await house.link()
    async with browsing(house) as page:
        await say(page, "/billing")
        await expect(balance(page)).to_be_visible()
        await page.get_by_test_id("act-as").select_option("U0LINUS")
        await expect(balance(page)).to_have_count(0)

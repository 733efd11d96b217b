"""The policy of a team, and two people who decide, as they are clicked in the page."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import expect

from tests.browser.test_accessibility import Inspection
from tests.browser.test_page import browsing, keep, pytestmark, say
from tests.support.asking import connected, set_policy
from tests.support.house import ADA, GRACE, LINUS

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Page

    from tests.support.house import House

__all__ = ["pytestmark"]


async def act_as(page: Page, house: House, user: str) -> None:
    """Open the page as another person, at the app's messages."""
    if house.slack.view(user) is not None:
        await house.slack.close(user, everything=True)
    await page.goto(f"{house.slack.public_url}/?as={user}")
    await page.get_by_test_id("nav-dm").click()
    await page.get_by_test_id("message").first.wait_for()


async def test_an_admin_sets_the_policy(house: House, tmp_path: Path) -> None:
    await connected(house)
    async with browsing(house) as page:
        await page.context.add_init_script(AXE_SCRIPT)
        await page.reload()
        await say(page, "/billing team")
        modal = page.get_by_test_id("modal")
        await expect(modal.get_by_text("How requests are decided")).to_be_visible()
        await modal.locator('[data-action-id="team_people"]').click()
        await modal.get_by_role("option", name="Ada Lovelace").click()
        await modal.get_by_role("option", name="Grace Hopper").click()
        await page.keyboard.press("Escape")
        await modal.locator('[data-action-id="team_post_to"]').click()
        await modal.get_by_role("option", name="spend-approvers").click()
        await page.keyboard.press("Escape")
        await modal.locator('[data-action-id="team_two"]').fill("500")
        # Axe takes a label that is scrolled away for none.
        await page.set_viewport_size({"width": 1280, "height": 1700})
        inspection = Inspection()
        await inspection.look(page, "the team's policy", '[data-testid="modal"]')
        assert "\n".join(inspection.faults) == ""
        await page.emulate_media(color_scheme="light")
        await keep(page, tmp_path, "team-form")
        await page.get_by_test_id("modal-submit").click()
        await expect(modal.get_by_text("One more person has to agree")).to_be_visible()
        await act_as(page, house, GRACE)
        card = page.get_by_test_id("message").filter(has_text="wants to change how requests are decided")
        await expect(card).to_contain_text("Two people from: off → $500")
        await keep(page, tmp_path, "team-change")
        await card.get_by_role("button", name="Agree").click()
        await expect(page.get_by_test_id("message").filter(has_text="agreed").first).to_be_visible()


async def test_two_people_decide_and_the_requester_follows(house: House, tmp_path: Path) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    async with browsing(house) as page:
        await page.goto(f"{house.slack.public_url}/?as={LINUS}")
        await say(page, "/billing request 50 eval runs for the paper")
        await page.get_by_test_id("modal").get_by_role("button", name="Ask for $50").click()
        await house.told("You asked for $50", LINUS)
        for user, name in ((ADA, "Agree, 1 of 2"), (GRACE, "Pay $50 now")):
            await act_as(page, house, user)
            card = page.get_by_test_id("message").filter(has_text="asks for $50")
            await card.get_by_role("button", name="Review").click()
            button = page.get_by_test_id("modal").get_by_role("button", name=name)
            await expect(button).to_be_visible()
            await keep(page, tmp_path, f"two-people-{'first' if user == ADA else 'second'}")
            await button.click()
            await expect(button).to_be_hidden()
        await act_as(page, house, LINUS)
        done = page.get_by_test_id("message").filter(has_text="added for you").first
        await expect(done).to_be_visible(timeout=10_000)
        await keep(page, tmp_path, "two-people-requester")

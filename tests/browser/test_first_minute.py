"""The guided first minute, the scenarios, and what the page tells of a kill."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.test_page import browsing, pytestmark, say
from tests.support.house import ADA, LINUS

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from tests.support.house import House

__all__ = ["pytestmark"]

FOUND = {
    "3ds": "3D Secure needed",
    "3-d secure": "3D Secure needed",
    "rate limit": "429, too many charges",
    "timeout": "Never settles",
    "declined": "Card declined",
    "decline": "Card expired",
}
"""What people type into the filter of the scenarios, and what they look for."""


def step(page: Page, number: int) -> Locator:
    return page.get_by_test_id(f"guide-{number}")


async def expect_ticked(page: Page, *numbers: int) -> None:
    for number in range(1, 6):
        state = ", done" if number in numbers else ", not done yet"
        await expect(step(page, number)).to_have_text(re.compile(f"{state}$"), timeout=10_000)


async def restart(house: House) -> None:
    await house.stop()
    await house.start()


def killable(house: House) -> None:
    """Let the page kill the app, and charges take as long as the portal says."""
    house.portal_clock.speed = 1
    house.slack.portal_url = house.portal.public_url
    house.slack.restart_app = partial(restart, house)


async def test_each_step_is_ticked_when_it_has_happened_and_a_kill_has_its_story(house: House) -> None:
    killable(house)
    async with browsing(house) as page:
        await expect_ticked(page)
        await house.link()
        await house.buy("50")
        await house.slack.close(ADA, everything=True)
        await house.buy("10.01")
        await house.slack.close(ADA, everything=True)
        await expect_ticked(page, 1, 2, 3)

        story = page.get_by_test_id("kill-story")
        await expect(story).to_be_hidden()
        await house.buy("10.05")
        await house.until(lambda: len(house.portal.charges) == 3)
        await page.get_by_test_id("kill").click()
        await expect(story).to_contain_text("$10.05 is in flight…", timeout=10_000)
        house.portal.advance(30)
        await expect(story).to_contain_text("$10.05 was in flight: it settled once.", timeout=10_000)
        await expect_ticked(page, 1, 2, 3, 4)
        await expect(page.get_by_test_id("modal")).to_be_visible()
        await story.get_by_role("button", name="See its trace").click()
        await expect(page.get_by_test_id("composer")).to_be_focused()
        await page.keyboard.press("Enter")
        details = page.get_by_test_id("message").filter(has_text="Purchase details")
        await expect(details).to_contain_text(house.portal.charges[-1].id)

        guide = page.get_by_test_id("guide")
        await guide.get_by_role("button", name="Act as Linus", exact=True).last.click()
        await expect(page.get_by_test_id("act-as")).to_have_value(LINUS)
        await expect(story.get_by_role("button")).to_have_count(0)
        await say(page, "/billing")
        await expect(guide).to_contain_text("You are Linus. Run /billing, choose Connect")
        await house.connect(LINUS, "linus", billing=False)
        await expect(guide).to_contain_text("Linus is connected. Run /billing again", timeout=10_000)
        await expect_ticked(page, 1, 2, 3, 4)
        await say(page, "/billing")
        await expect_ticked(page, 1, 2, 3, 4, 5)
        await expect(guide).to_contain_text("That was everything.")
        await page.reload()
        await expect(page.get_by_role("option", name="Linus · member, can't buy")).to_be_attached()
        await expect(guide).to_be_hidden()
    assert [charge.status for charge in house.portal.charges] == ["settled", "failed", "settled"]


async def test_a_kills_story_tells_of_each_charge_what_became_of_it(house: House) -> None:
    killable(house)
    async with browsing(house) as page:
        await house.link()
        for amount in ("10.06", "10.06", "10.05"):
            await house.buy(amount)
            await house.slack.close(ADA, everything=True)
        await house.until(lambda: len(house.portal.charges) == 3)
        await step(page, 4).click()
        guide = page.get_by_test_id("guide")
        await expect(guide).to_contain_text("A purchase is in flight. Kill the app now.", timeout=10_000)
        await page.get_by_test_id("kill").click()
        story = page.get_by_test_id("kill-story")
        both = "$10.06 (twice) and $10.05 are in flight… See their traces: $10.06, $10.06, $10.05"
        await expect(story).to_contain_text(both, timeout=10_000)
        await expect(guide).to_contain_text("Killed in mid-purchase.")
        house.portal.advance(30)
        ended = "$10.05 settled once; $10.06 (twice) still pending. See their traces:"
        await expect(story).to_contain_text(ended, timeout=10_000)
        await expect_ticked(page, 1, 4)
        await story.get_by_role("button", name="$10.05").click()
        trace = f"/billing trace {house.portal.charges[-1].id}"
        await expect(page.get_by_test_id("composer")).to_have_value(trace)


async def test_a_purchase_that_never_settles_is_no_reason_to_kill_the_app(house: House) -> None:
    killable(house)
    async with browsing(house) as page:
        await house.link()
        await step(page, 4).click()
        await house.buy("10.06")
        guide = page.get_by_test_id("guide")
        await expect(guide.get_by_role("button", name="Show me the button")).to_be_visible(timeout=10_000)
        await page.clock.set_fixed_time(time.time() + 40)
        await expect(guide.get_by_role("button", name="Type /billing buy 10.05")).to_be_visible()


async def test_a_hidden_guide_stays_away_and_a_scenario_can_be_found_and_ended(house: House) -> None:
    started_over = []

    async def start_over() -> None:
        started_over.append(True)
        house.portal.start_over()
        house.slack.tell_started_over()

    house.slack.portal_url, house.slack.start_over = house.portal.public_url, start_over
    async with browsing(house) as page:
        await page.get_by_role("button", name="Hide the first steps").click()
        await expect(page.get_by_test_id("composer")).to_be_focused()
        await page.reload()
        chip = page.get_by_test_id("scenario-chip")
        await page.get_by_role("tab", name="Scenarios").click()
        await expect(page.get_by_role("radiogroup", name="The portal is in trouble")).to_be_visible()
        await expect(page.get_by_test_id("guide")).to_be_hidden()
        await expect(chip).to_be_hidden()

        await page.get_by_test_id("scenario-filter").fill("PORTAL connection before")
        shown = page.get_by_role("radio")
        await expect(shown).to_have_count(1)
        await shown.press("Space")
        await expect(chip).to_have_text("Portal down")
        assert house.portal.organizations["acme"].scenario == "portal-down"
        await chip.press("Enter")
        await expect(chip).to_be_hidden()
        await expect(page.get_by_test_id("act-as")).to_be_focused()
        assert house.portal.organizations["acme"].scenario == "by-amount"
        await page.get_by_test_id("scenario-filter").fill("timeout")
        await expect(page.get_by_text("In the demo it is a timeout after 30 seconds")).to_be_visible()

        for words, title in FOUND.items():
            await page.get_by_test_id("scenario-filter").fill(words)
            await expect(page.get_by_text(title, exact=True)).to_be_visible()
            await expect(page.get_by_text("Portal down", exact=True)).to_be_hidden()

        note = "Empties the portal and every conversation here. Your app keeps its own database."
        await expect(page.get_by_text(note)).to_be_visible()
        await page.get_by_test_id("nav-dm").click()
        await page.get_by_test_id("act-as").select_option(LINUS)
        other = await page.context.new_page()
        await other.goto(house.slack.public_url)
        await other.get_by_test_id("composer").wait_for()
        await expect(other.get_by_test_id("guide")).to_be_hidden()
        await page.get_by_test_id("start-over").click()
        async with page.expect_navigation():
            await page.get_by_test_id("confirm").get_by_role("button", name="Start over").click()
        await page.get_by_test_id("composer").wait_for()
        await expect(page.get_by_test_id("act-as")).to_have_value(ADA)
        for each in (page, other):
            await expect(each.get_by_test_id("guide")).to_be_visible()
    assert started_over == [True]


async def test_the_person_who_acts_approves_without_scrolling_on_a_phone(house: House) -> None:
    house.slack.portal_url = house.portal.public_url
    async with browsing(house, width=380) as page:
        await page.set_viewport_size({"width": 380, "height": 700})
        await page.get_by_test_id("act-as").select_option("U0GRACE")
        await say(page, "/billing connect")
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name=re.compile("Open Nous Portal")).click()
        portal = await opened.value
        await expect(portal.get_by_label("You are signed in as")).to_have_value("grace")
        approve = portal.get_by_role("button", name="Approve", exact=True)
        box = await approve.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 700
        await approve.press("Enter")
        await expect(portal.get_by_text("Signed in as Grace Hopper")).to_be_visible()

"""Every screen of the sandbox passes axe, light and dark, and is reached and left by keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.async_api import expect

from tests.browser.test_page import balance, browsing, pytestmark, say
from tests.support.house import ADA

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from tests.support.house import House

__all__ = ["pytestmark"]

LOOK = """async ([within, colorsOnly]) => {
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const options = {resultTypes: ["violations"]};
    if (colorsOnly) options.runOnly = ["color-contrast"];
    return axe.run(within, options);
}"""


class Inspection:
    """Let axe look at one screen after another; `faults` has what it found."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    async def look(self, page: Page, screen: str, within: str = "html") -> None:
        """Look at a part of the page in both themes, between which only colors differ."""
        themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for theme in themes:
            await page.emulate_media(color_scheme=theme)
            found = AxeResults(await page.evaluate(LOOK, [within, theme == "dark"]))
            if found.violations_count:
                self.faults.append(f"{screen}, {theme}: {found.generate_report()}")


async def authorize_page(page: Page, house: House) -> None:
    await page.goto(
        f"{house.slack.public_url}/oauth/v2/authorize?client_id={house.slack.client_id}"
        "&scope=commands,chat:write&state=x"
    )


async def approval_page(page: Page, house: House) -> None:
    grant = house.portal.sign_in.start("hermes-cli", "inference:invoke billing:manage")
    await page.goto(f"{house.portal.public_url}/device?user_code={grant.user_code}")


def furnish(house: House) -> None:
    """Give the page everything that it can have."""

    async def nothing() -> None: ...

    house.slack.portal_url, house.slack.restart_app = house.portal.public_url, nothing
    house.slack.start_over = nothing


async def test_axe_finds_nothing_on_any_screen(house: House) -> None:
    furnish(house)
    await house.link()
    house.portal.set_scenario("acme", "declined")
    seen = Inspection()
    async with browsing(house, reduced_motion="reduce") as page:
        await page.context.add_init_script(AXE_SCRIPT)
        await page.reload()
        composer, modal = page.get_by_test_id("composer"), page.get_by_test_id("modal")
        await expect(page.get_by_test_id("guide")).to_be_visible()
        await page.get_by_test_id("kill").click()
        await expect(page.get_by_test_id("kill-story")).to_contain_text("No purchase", timeout=10_000)
        await expect(page.get_by_test_id("guide-4")).to_contain_text("not done yet")
        await say(page, "/billing")
        await expect(balance(page)).to_be_visible()
        await page.get_by_test_id("entry").first.locator("summary").click()
        await composer.fill("/billing b")
        await seen.look(page, "channel")
        await composer.fill("/")
        await expect(page.get_by_role("listbox", name="Commands")).to_be_visible()
        await seen.look(page, "completion", "#composer-area")
        await composer.fill("")
        await page.get_by_role("button", name="Add funds").hover()
        await seen.look(page, "hovered button", ".button.primary")

        await house.buy("50")
        await expect(modal).to_contain_text("declined", timeout=10_000)
        await seen.look(page, "modal with an outcome", "#modal-layer")
        await house.slack.close(ADA, everything=True)
        await say(page, "/billing buy")
        await expect(page.get_by_test_id("modal-submit")).to_be_visible()
        await seen.look(page, "modal with a form")
        await page.keyboard.press("Escape")

        await page.get_by_role("tab", name="Scenarios").click()
        await seen.look(page, "scenarios", "#inspector")
        await page.get_by_test_id("start-over").click()
        await page.get_by_test_id("confirm").get_by_role("button", name="Start over").hover()
        await seen.look(page, "confirm dialog", "dialog")
        await page.keyboard.press("Escape")
        for place in ("nav-dm", "nav-home"):
            await page.get_by_test_id(place).click()
            await seen.look(page, place, "#main")
        await page.get_by_role("link", name="About").click()
        await seen.look(page, "about", "#main")
        await page.set_viewport_size({"width": 380, "height": 700})
        await page.get_by_role("button", name="Conversations").click()
        await seen.look(page, "drawer")
        for other in (approval_page, authorize_page):
            await other(page, house)
            await seen.look(page, other.__name__)
    assert seen.faults == [], "\n".join(seen.faults)


async def tab_to(page: Page, target: Locator, key: str = "Tab", most: int = 60) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(most):
        if await target.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{target} is not reached with {key}")


async def test_every_screen_is_reached_and_left_by_keyboard_alone(house: House) -> None:
    furnish(house)
    await house.link()
    async with browsing(house) as page:
        composer, modal = page.get_by_test_id("composer"), page.get_by_test_id("modal")
        tabs = page.get_by_role("navigation", name="Billing").get_by_role("link")
        await expect(composer).to_be_focused()
        await page.keyboard.type("/billing")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Enter")
        await tab_to(page, page.get_by_role("button", name="Add funds"), "Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(modal.get_by_role("radio").first).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Add funds")).to_be_focused()

        await tab_to(page, page.get_by_test_id("nav-dm"), "Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(tabs.filter(has_text="Messages")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(tabs.filter(has_text="About")).to_be_focused()
        await tab_to(page, tabs.filter(has_text="Home"), "Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("region", name="Home").get_by_role("button").first).to_be_visible()

        await page.keyboard.press("F6")
        await expect(page.get_by_role("tab", name="Traffic")).to_be_focused()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("tabpanel", name="Scenarios")).to_be_visible()
        await tab_to(page, page.get_by_test_id("scenario-filter"))
        await page.keyboard.type("no card on file")
        await tab_to(page, page.get_by_role("radio"))
        await page.keyboard.press("Space")
        await expect(page.get_by_test_id("scenario-chip")).to_be_visible()
        await tab_to(page, page.get_by_test_id("start-over"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("confirm")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("start-over")).to_be_focused()
        await tab_to(page, page.get_by_test_id("kill"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("kill-story")).to_be_visible()
        await tab_to(page, page.get_by_test_id("scenario-chip"), "Shift+Tab", most=90)
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("scenario-chip")).to_be_hidden()
        await expect(page.get_by_test_id("act-as")).to_be_focused()
        await tab_to(page, page.get_by_test_id("theme"), "Tab", most=3)

        for other, button in ((approval_page, "Approve"), (authorize_page, "Allow")):
            await other(page, house)
            await tab_to(page, page.get_by_role("button", name=button, exact=True))


async def test_what_is_read_out_has_the_total_and_the_payment_method(house: House) -> None:
    await house.link()
    async with browsing(house) as page:
        await say(page, "/billing buy 50")
        heard = page.locator("#announcer")
        await expect(heard).to_contain_text(
            re.compile(r"Total: \$50\. (Card|Payment method): Visa ····4242")
        )
        await house.slack.close(ADA, everything=True)
        client = house.slack.workspace
        fields = [
            {"type": "mrkdwn", "text": f"*{name}*\n{value}"}
            for name, value in (("Total", "$7"), ("Card", "Visa"))
        ]
        message = {
            "user": "U0BILLBOT",
            "bot_id": "B0BILLING",
            "text": "You pay with Visa",
            "blocks": [{"type": "section", "fields": fields}],
        }
        client.post("C0GENERAL", message)
        house.slack._parts.feed.conversation("C0GENERAL")
        await expect(heard).to_contain_text("You pay with Visa. Total: $7.")


async def test_forced_colors_show_what_is_current(house: House) -> None:
    color = "(node, name) => getComputedStyle(node)[name]"
    async with browsing(house, forced_colors="active") as page:
        channels = page.get_by_test_id("nav-C0GENERAL"), page.get_by_test_id("nav-C0BILLING")
        tabs = page.get_by_role("tab", name="Traffic"), page.get_by_test_id("filter-all")
        others = page.get_by_test_id("nav-dm"), page.get_by_test_id("filter-to_app")
        shown, other = [await each.evaluate(color, "backgroundColor") for each in channels]
        assert shown != other
        shown, other = [await each.evaluate(color, "backgroundColor") for each in (tabs[1], others[1])]
        assert shown != other
        await others[0].click()
        current, plain = (page.get_by_role("link", name=name, exact=True) for name in ("Messages", "Home"))
        shown, other = [await each.evaluate(color, "borderBottomColor") for each in (current, plain)]
        assert shown != other

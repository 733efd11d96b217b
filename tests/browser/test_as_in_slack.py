"""What the sandbox's page has in common with Slack: tabs, message box, images, silences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect
from slack_sdk.web.async_client import AsyncWebClient

from tests.browser.test_page import browsing, pytestmark, say
from tests.support.house import ADA, BOT_TOKEN

if TYPE_CHECKING:
    from tests.support.house import House

__all__ = ["pytestmark"]


async def test_the_apps_tabs_and_its_read_only_messages_are_as_in_slack(house: House) -> None:
    async with browsing(house) as page:
        await page.get_by_test_id("nav-dm").click()
        tabs = page.get_by_role("navigation", name="Billing").get_by_role("link")
        await expect(tabs).to_have_text(["Home", "Messages", "About"])
        await expect(page.get_by_test_id("composer")).to_be_hidden()
        await expect(page.get_by_text("Sending messages to this app has been turned off.")).to_be_visible()
        await tabs.nth(2).press("Enter")
        await expect(page.get_by_role("region", name="About")).to_contain_text("/billing")
        await expect(tabs.nth(2)).to_be_focused()
        await page.get_by_test_id("act-as").select_option("U0STRANGER")
        await tabs.nth(0).click()
        home = page.get_by_role("region", name="Home")
        await expect(home.get_by_text("Other Labs does not have the app.")).to_be_visible()


async def test_a_home_that_the_app_does_not_draw_says_so(house: House) -> None:
    async with browsing(house) as page:
        await house.stop()
        await page.get_by_test_id("nav-home").click()
        home = page.get_by_role("region", name="Home")
        await expect(home.get_by_role("heading", name="Billing did not answer")).to_be_visible()
        await house.start()
        await home.get_by_role("button", name="Try again").click()
        await expect(home.get_by_role("button", name="Connect")).to_be_visible()


async def test_the_hint_of_a_command_stays_while_its_arguments_are_typed(house: House) -> None:
    async with browsing(house) as page:
        composer, hint = page.get_by_test_id("composer"), page.get_by_test_id("command-hint")
        await composer.press_sequentially("/bill")
        await expect(page.get_by_role("listbox", name="Commands")).to_be_visible()
        await expect(hint).to_be_hidden()
        await composer.press("Tab")
        await composer.press_sequentially("buy 5")
        await expect(hint).to_be_visible()
        await expect(hint).to_contain_text("/billing [buy | request")
        await composer.fill("billing is a word")
        await expect(hint).to_be_hidden()


async def test_images_are_drawn_and_one_from_outside_leaves_what_it_shows(house: House) -> None:
    picture = f"{house.slack.public_url}/page/favicon.svg"
    client = AsyncWebClient(BOT_TOKEN, base_url=house.slack.api_url)

    def image(url: str, words: str) -> dict[str, Any]:
        return {"type": "image", "image_url": url, "alt_text": words}

    text: dict[str, Any] = {"type": "mrkdwn", "text": "Beside the text"}
    blocks: list[dict[str, Any]] = [
        {**image(picture, "A block"), "title": {"type": "plain_text", "text": "A title"}},
        {"type": "section", "text": text, "accessory": image(picture, "An accessory")},
        {"type": "context", "elements": [image(picture, "In context"), text]},
        image("https://pictures.example/outside.png", "From outside"),
    ]
    async with browsing(house) as page:
        await page.get_by_test_id("nav-dm").click()
        await client.chat_postMessage(channel=house.slack.dm(ADA), text="Pictures", blocks=blocks)
        for words in ("A block", "An accessory", "In context"):
            drawn = page.get_by_role("img", name=words)
            await expect(drawn).to_be_visible()
            assert await drawn.evaluate("image => image.complete && image.naturalWidth > 0"), words
        whole, beside = (page.get_by_role("img", name=words) for words in ("A block", "An accessory"))
        above, below = await whole.bounding_box(), await beside.bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]
        await expect(page.get_by_role("img", name="From outside")).to_have_text("From outside")


async def test_an_update_of_a_modal_that_the_person_closed_is_no_failure(house: House) -> None:
    client = AsyncWebClient(BOT_TOKEN, base_url=house.slack.api_url)
    await house.link()
    async with browsing(house) as page:
        await say(page, "/billing buy 50")
        await expect(page.get_by_role("button", name="Pay $50 now")).to_be_visible()
        view = house.slack.view(ADA)
        assert view is not None
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("modal")).to_be_hidden()
        shown = {name: view[name] for name in ("type", "title", "blocks", "submit")}
        for view_id in (view["id"], "V0NEVER"):
            with pytest.raises(Exception, match="not_found"):
                await client.views_update(view_id=view_id, view=shown)
        entries = page.get_by_test_id("entry").and_(page.locator("[data-name='views.update']"))
        closed, unknown = entries.nth(-2), entries.nth(-1)
        await expect(closed).to_contain_text("closed")
        await expect(unknown).to_contain_text("failed")
        await closed.locator("summary").click()
        await expect(closed).to_contain_text("No harm is done.")

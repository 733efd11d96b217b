"""Each screen drawn in the page, light and dark. `make screens` keeps the pictures in docs/screens."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs

import pytest
from playwright.async_api import async_playwright
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bot.sandbox.serving import serve
from tests.browser.test_page import ARGUMENTS, CHROMIUM
from tests.support.catalogue import SCREENS, Screen
from tests.support.house import ADA, BOT_TOKEN, make_slack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page
    from starlette.requests import Request

    from bot.sandbox.slack import SlackSandbox

FOLDER = Path(os.environ["SCREENS"]) if os.environ.get("SCREENS") else None
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
BY_NAME = {screen.name: screen for screen in SCREENS}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium on this machine; CI installs it"
    ),
]


@asynccontextmanager
async def gallery() -> AsyncIterator[tuple[SlackSandbox, AsyncWebClient]]:
    """A sandbox workspace whose app shows, on `/billing NAME`, the modal of that name."""
    slack = make_slack()
    async with serve(slack.app) as url:
        slack.public_url = url
        client = AsyncWebClient(BOT_TOKEN, base_url=slack.api_url)

        async def show(request: Request) -> Response:
            form = parse_qs((await request.body()).decode())
            if "trigger_id" in form:
                view = BY_NAME[form["text"][0]].json
                await client.views_open(trigger_id=form["trigger_id"][0], view=view)
            return Response()

        async with serve(Starlette(routes=[Route("/", show, methods=["POST"])])) as app_url:
            slack.app_url = app_url
            yield slack, client


async def draw(page: Page, slack: SlackSandbox, client: AsyncWebClient, screen: Screen) -> None:
    if "text" in screen.json:
        await client.chat_postMessage(channel=slack.dm(ADA), **screen.json)
        drawn = page.locator(f"[data-ts='{_last_ts(slack)}']")
    elif screen.json["type"] == "home":
        await client.views_publish(user_id=ADA, view=screen.json)
        await page.get_by_test_id("nav-home").click()
        drawn = page.get_by_role("main")
    else:
        await slack.command(ADA, f"/billing {screen.name}")
        drawn = page.get_by_test_id("modal")
    await drawn.wait_for()
    assert await page.get_by_test_id("unknown").count() == 0
    if FOLDER is not None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            await drawn.screenshot(path=FOLDER / f"{screen.name}-{theme}.png", animations="disabled")
    if "text" in screen.json:
        # A long conversation takes ever longer to draw.
        await client.chat_delete(channel=slack.dm(ADA), ts=_last_ts(slack))
        await drawn.wait_for(state="detached")
        return
    if screen.json["type"] == "home":
        await page.get_by_test_id("nav-dm").click()
    else:
        await slack.close(ADA, everything=True)
        await drawn.wait_for(state="detached")


def _last_ts(slack: SlackSandbox) -> str:
    return str(slack.messages(slack.dm(ADA))[-1]["ts"])


async def test_every_screen_is_drawn_without_an_unknown_block() -> None:
    async with gallery() as (slack, client), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 900, "height": 1100})
        await page.goto(slack.public_url)
        await page.get_by_test_id("nav-dm").click()
        for screen in SCREENS:
            await draw(page, slack, client, screen)
        await browser.close()
        await asyncio.sleep(0)
    assert slack.violations == []

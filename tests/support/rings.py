"""Draws the pictures of `bot/slack/rings` anew: python -m tests.support.rings (needs Chromium)."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from playwright.async_api import async_playwright

from bot.slack.pictures import PARTS

FOLDER = Path(__file__).parents[2] / "bot" / "slack" / "rings"
PIXELS = 144
RADIUS = 26
AROUND = 2 * 3.14159265 * RADIUS
COLORS = ((5, "#2eb67d"), (2, "#ecb22e"), (0, "#e01e5a"))
"""From how many twentieths on; as the squares."""

_CIRCLE = f'<circle cx="36" cy="36" r="{RADIUS}" fill="none" stroke-width="13"'


def svg(n: int) -> str:
    """A ring of which n twentieths are full; the rest shows on light and on dark."""
    color = next(color for least, color in COLORS if n >= least)
    full = f'{_CIRCLE} stroke="{color}" stroke-dasharray="{AROUND * n / PARTS} {AROUND}" '
    turned = 'transform="rotate(-90 36 36)"/>'
    track = f'{_CIRCLE} stroke="#8d8d8d" stroke-opacity="0.35"/>'
    return f'<svg viewBox="0 0 72 72" width="72" height="72">{track}{full + turned if n else ""}</svg>'


async def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 72, "height": 72}, device_scale_factor=PIXELS / 72)
        for n in range(PARTS + 1):
            await page.set_content(f'<body style="margin:0;background:transparent">{svg(n)}</body>')
            await page.screenshot(path=str(FOLDER / f"{n}.png"), omit_background=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())

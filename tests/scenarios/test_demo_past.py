"""What a newcomer to the demo sees of watching: a runway before they consent, and a digest after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo_past import live_through
from bot.storage.cipher import generate_key
from tests.support.house import ADA, open_house
from tests.support.steps import shown_in_modal

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_demo_shows_a_runway_at_once_and_a_digest_after_the_consent(tmp_path: Path) -> None:
    key = generate_key()
    async with open_house(tmp_path, billing_bot_keys=key) as house:
        await house.stop()
        (tmp_path / "test.db").unlink()
        settings = {
            "DATABASE_URL": house.settings.database_url,
            "BILLING_BOT_KEYS": key,
            "HERMES_PORTAL_BASE_URL": house.portal.public_url,
        }
        await live_through(settings)
        await house.start()
        await house.link()
        await house.slack.command(ADA, "/billing alerts")
        await house.until(lambda: house.modal().submit == "Save")
        assert "Lasts " in house.modal().text
        await house.slack.select(ADA, "alerts_who", ["watch", "tell"])
        await house.slack.submit(ADA)
        await shown_in_modal(house, "Saved.", ADA)
        await house.told("Acme Research, last week")
        assert "Used about $" in house.last_message().text

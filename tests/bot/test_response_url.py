"""An answer goes to Slack's own response_urls, and nowhere else."""

from __future__ import annotations

import aiohttp
import pytest

from bot.slack.pictures import Pictures
from bot.slack.response_url import ResponseUrls


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/commands/1",
        "https://hooks.slack.com.evil.example/commands/1",
        "https://hooks.slack.com@evil.example/commands/1",
        "https://somebody@hooks.slack.com/commands/1",
        "https://hooks.slack.com:8443/commands/1",
        "http://127.0.0.1:1/secret",
        "https://[::bad/",
        "",
    ],
)
async def test_nothing_is_sent_to_an_address_that_is_not_slacks(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        responses = ResponseUrls(http, "https://slack.com/api/", Pictures(None))
        assert await responses.post(url, {"text": "Balance $142.50"}, replace=False) is False

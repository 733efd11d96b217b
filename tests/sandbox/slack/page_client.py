"""The calls of the page, and an app to click in."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

Json = dict[str, Any]
MODAL: Json = {
    "type": "modal",
    "callback_id": "buy",
    "title": {"type": "plain_text", "text": "Add funds"},
    "submit": {"type": "plain_text", "text": "Pay"},
    "blocks": [
        {
            "type": "input",
            "block_id": "amount",
            "label": {"type": "plain_text", "text": "Amount"},
            "element": {"type": "plain_text_input", "action_id": "typed"},
        }
    ],
}
GO: Json = {
    "type": "actions",
    "block_id": "buttons",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}


class Page:
    """Make the calls of the page."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self._base = base
        self._http = http

    async def get(self, path: str) -> Json:
        async with self._http.get(f"{self._base}/sandbox/{path}") as response:
            body: Json = await response.json()
            return body

    async def post(self, path: str, body: object = None) -> Json:
        async with self._http.post(f"{self._base}/sandbox/{path}", json=body or {}) as response:
            answer: Json = await response.json()
            return answer

    @asynccontextmanager
    async def events(self, user: str) -> AsyncIterator[AsyncIterator[Json]]:
        async with self._http.get(f"{self._base}/sandbox/events?user={user}") as response:
            yield events_of(response)


async def events_of(response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    async for line in response.content:
        if line.startswith(b"data:"):
            yield json.loads(line.removeprefix(b"data:"))


async def next_of(events: AsyncIterator[Json], kind: str) -> Json:
    async for event in events:
        if event["type"] == kind:
            return event
    raise AssertionError(f"the feed ended without {kind}")

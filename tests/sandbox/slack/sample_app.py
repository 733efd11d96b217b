"""Sample blocks and modals, and small apps that answer the sandbox."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]

Handler = Callable[[Request], Awaitable[Response]]


def button(action_id: str, text: str, value: str = "") -> Json:
    return {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": text},
        "value": value,
    }


def buttons(*elements: Json, block_id: str = "buttons") -> Json:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def amount(**more: object) -> Json:
    return {
        "type": "input",
        "block_id": "amount",
        "label": {"type": "plain_text", "text": "Amount"},
        "element": {"type": "plain_text_input", "action_id": "typed"},
        **more,
    }


PRESETS: Json = {
    "type": "input",
    "block_id": "preset",
    "optional": True,
    "label": {"type": "plain_text", "text": "Preset"},
    "element": {
        "type": "radio_buttons",
        "action_id": "chosen",
        "options": [{"text": {"type": "plain_text", "text": f"${n}"}, "value": f"{n}"} for n in (10, 50)],
    },
}


def modal(*blocks: Json, title: str = "Add funds", **more: object) -> Json:
    return {
        "type": "modal",
        "callback_id": "buy",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Pay"},
        "blocks": list(blocks),
        **more,
    }


def opens(bolt: AsyncApp, view: Json) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)


def answers(bolt: AsyncApp, **ack_arguments: object) -> list[Json]:
    """Answer every submission with these arguments. Return the list of submissions."""
    seen: list[Json] = []

    @bolt.view("buy")
    async def handle(ack: AsyncAck, body: Json) -> None:
        seen.append(body)
        await ack({**ack_arguments})

    return seen


@asynccontextmanager
async def plain_app(slack: SlackSandbox, handle: Handler) -> AsyncIterator[None]:
    async with serve(Starlette(routes=[Route("/slack/events", handle, methods=["POST"])])) as url:
        slack.app_url = f"{url}/slack/events"
        yield


async def opened(slack: SlackSandbox) -> Json:
    await slack.command("U0ADA", "/billing")
    await slack.wait_for(lambda: slack.view("U0ADA"))
    view = slack.view("U0ADA")
    assert view is not None
    return view

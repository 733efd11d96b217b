"""A sandbox on a real port with a small real Bolt app at the other end."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox
from tests.sandbox.slack.page_client import GO, MODAL, Json, Page


@dataclass
class Clock:
    """A clock that moves only when a test moves it."""

    at: float

    def __call__(self) -> float:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock(at=1_700_000_000.0)


@pytest.fixture
def move(clock: Clock) -> Callable[[float], None]:
    """Return the function that moves the clock."""
    return clock.move


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(now=clock)
    async with serve(sandbox.app) as url:
        sandbox.public_url = url
        yield sandbox


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(slack: SlackSandbox, http: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=http, retry_handlers=[])


@pytest.fixture
async def bolt(slack: SlackSandbox, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    app = AsyncApp(client=client, signing_secret=slack.signing_secret)
    handler = AsyncSlackRequestHandler(app)

    async def endpoint(request: Request) -> Response:
        return await handler.handle(request)

    routes = [Route("/slack/events", endpoint, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        slack.app_url = f"{url}/slack/events"
        yield app


@pytest.fixture
def page(slack: SlackSandbox, http: aiohttp.ClientSession) -> Page:
    return Page(slack.public_url, http)


@pytest.fixture
def app(bolt: AsyncApp) -> AsyncApp:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @bolt.action("go")
    async def handle_go(ack: AsyncAck) -> None:
        await ack()

    @bolt.view("buy")
    async def handle_buy(ack: AsyncAck, view: Json) -> None:
        if view["state"]["values"]["amount"]["typed"]["value"] == "0":
            await ack(response_action="errors", errors={"amount": "More than nothing."})
        else:
            await ack()

    @bolt.event("app_home_opened")
    async def handle_home(event: Json, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [GO]})

    return bolt

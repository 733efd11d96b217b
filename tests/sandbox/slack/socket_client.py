"""A minimal Socket Mode client, and a sandbox with Socket Mode."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox
from tests.sandbox.slack.installing import client_of

Json = dict[str, Any]


@asynccontextmanager
async def socket_mode_sandbox(clock: Callable[[], float]) -> AsyncIterator[SlackSandbox]:
    """Serve a sandbox with Socket Mode turned on."""
    sandbox = SlackSandbox(now=clock)
    sandbox.socket_mode = True
    async with serve(sandbox.app) as url:
        sandbox.public_url = url
        yield sandbox


class Socket:
    """A Socket Mode connection without slack-sdk."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.hello: Json = {}

    async def next(self) -> Json:
        message: Json = await self.websocket.receive_json()
        return message

    async def acknowledge(self, envelope: Json, **payload: object) -> None:
        answer: Json = {"envelope_id": envelope["envelope_id"]}
        await self.websocket.send_json({**answer, "payload": payload} if payload else answer)

    async def ends(self) -> bool:
        ends = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
        return (await self.websocket.receive()).type in ends


async def url_of(slack: SlackSandbox, http: aiohttp.ClientSession) -> str:
    answer = await client_of(slack, http).apps_connections_open(app_token=slack.app_token)
    return str(answer["url"])


@asynccontextmanager
async def connected(slack: SlackSandbox, http: aiohttp.ClientSession) -> AsyncIterator[Socket]:
    async with http.ws_connect(await url_of(slack, http)) as websocket:
        socket = Socket(websocket)
        socket.hello = await socket.next()
        yield socket

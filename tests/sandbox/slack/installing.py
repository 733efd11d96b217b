"""Helpers for tests of installations: installation by OAuth, and an app that records payloads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_bolt.request.internals import parse_body
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]

REDIRECT = "http://127.0.0.1:3000/slack/oauth_redirect"


@asynccontextmanager
async def served(slack: SlackSandbox) -> AsyncIterator[SlackSandbox]:
    """Serve the sandbox on a free port."""
    slack.redirect_urls = (REDIRECT,)
    async with serve(slack.app) as url:
        slack.public_url = url
        yield slack


def client_of(slack: SlackSandbox, http: aiohttp.ClientSession, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=slack.api_url, session=http, retry_handlers=[])


async def exchanged(slack: SlackSandbox, http: aiohttp.ClientSession, code: str, **more: str) -> Json:
    """Return the answer of `oauth.v2.access`."""
    form = {"client_id": slack.client_id, "client_secret": slack.client_secret, "code": code, **more}
    answer = await client_of(slack, http).api_call("oauth.v2.access", data=form)
    assert isinstance(answer.data, dict)
    return answer.data


async def installed(
    slack: SlackSandbox, http: aiohttp.ClientSession, team: str, *, org: bool = False
) -> AsyncWebClient:
    """Install the app and return a client with the new token."""
    answer = await exchanged(slack, http, slack.install(team, org=org))
    return client_of(slack, http, answer["access_token"])


@asynccontextmanager
async def listening(slack: SlackSandbox) -> AsyncIterator[list[Json]]:
    """Serve an app that acknowledges every request and records the payloads."""
    heard: list[Json] = []

    async def endpoint(request: Request) -> Response:
        body = (await request.body()).decode()
        heard.append(parse_body(body, request.headers["content-type"].partition(";")[0]))
        return PlainTextResponse("")

    async with serve(Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])) as url:
        slack.app_url = f"{url}/slack/events"
        yield heard

"""Ephemeral answers through a response_url, which works for half an hour and five times."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.errors import SlackUnavailableError
from bot.slack.pictures import REFUSALS
from bot.slack.proxy import proxy_for
from bot.timing import SLACK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from slack_sdk.webhook import WebhookResponse

    from bot.domain.delivery import Json
    from bot.slack.pictures import Pictures

SLACKS = ("https", "hooks.slack.com", None)

log = structlog.get_logger(__name__)


class ResponseUrls:
    """Posts to Slack's response_urls, and to no other address."""

    def __init__(self, http: aiohttp.ClientSession, api_url: str, pictures: Pictures) -> None:
        """Besides Slack's own host, the origin of `api_url` is taken: a sandbox serves both."""
        self._http = http
        self._pictures = pictures
        self._origins = {SLACKS, _origin(api_url)}

    async def post(self, url: str, message: Json, *, replace: bool) -> bool:
        """Post to a response_url; return False if Slack no longer accepts it, or it is not Slack's.

        Raises:
            SlackUnavailableError: Slack gave no answer.
        """
        if _origin(url) not in self._origins:
            log.warning("response_url.foreign")
            return False
        client = AsyncWebhookClient(
            url, session=self._http, timeout=SLACK_TIMEOUT_SECONDS, retry_handlers=[]
        )
        client.proxy = proxy_for(url)
        body = {
            **message,
            "response_type": "ephemeral",
            "replace_original": replace,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        pictured = self._pictures.on(body)
        response = await self._send(client, pictured)
        if pictured is not body and any(code in response.body for code in REFUSALS):
            self._pictures.refused()
            response = await self._send(client, body)
        taken = response.status_code == HTTPStatus.OK
        if not taken:
            log.warning("response_url.refused", status=response.status_code)
        return taken

    @staticmethod
    async def _send(client: AsyncWebhookClient, body: Json) -> WebhookResponse:
        try:
            return await client.send_dict(body)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise SlackUnavailableError(type(error).__name__) from None


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Return scheme, host and port; None for a URL that cannot be read or names a user."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if parts.username is not None else (parts.scheme, parts.hostname, port)

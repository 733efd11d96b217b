"""Ephemeral answers through a response_url, which works for half an hour and five times."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.errors import SlackUnavailableError
from bot.timing import SLACK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from bot.domain.delivery import Json

log = structlog.get_logger(__name__)


async def post_response(http: aiohttp.ClientSession, url: str, message: Json, *, replace: bool) -> bool:
    """Post to a response_url; return False if Slack no longer accepts it.

    Raises:
        SlackUnavailableError: Slack gave no answer.
    """
    client = AsyncWebhookClient(url, session=http, timeout=SLACK_TIMEOUT_SECONDS, retry_handlers=[])
    body = {
        **message,
        "response_type": "ephemeral",
        "replace_original": replace,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    try:
        answer = await client.send_dict(body)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise SlackUnavailableError(type(error).__name__) from None
    taken = answer.status_code == HTTPStatus.OK
    if not taken:
        log.warning("response_url.refused", status=answer.status_code)
    return taken

"""Slack's Web API, with every call timed, and Slack's absence remembered."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

if TYPE_CHECKING:
    from slack_sdk.web.async_slack_response import AsyncSlackResponse

    from bot.metrics import Metrics
    from bot.reach import Reach

AWAY = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""What a call raises when Slack gave no whole answer."""

NOT_NOW = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}
)
"""Slack's ways to say that the same call may do later."""

DEAD = frozenset({"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"})
"""Slack's ways to say that a token is of no more use."""

SERVER_FAULT = 500
REMEMBERED = 10_000
REMEMBERED_SECONDS = 600.0
SLACK_TIMEOUT_SECONDS = 10


class SlackClient(AsyncWebClient):
    """slack-sdk's client; repeats nothing by itself: a repeated post would be a second message."""

    def __init__(
        self,
        *,
        token: str | None,
        base_url: str,
        session: aiohttp.ClientSession,
        timeout: int,
        metrics: Metrics,
        reach: Reach,
    ) -> None:
        self._parts: dict[str, Any] = {
            "base_url": base_url,
            "session": session,
            "timeout": timeout,
            "metrics": metrics,
            "reach": reach,
        }
        super().__init__(
            token=token, base_url=base_url, session=session, timeout=timeout, retry_handlers=[]
        )
        self._metrics = metrics
        self._reach = reach

    def acting_as(self, token: str) -> SlackClient:
        """Return a client on the same connections that presents this token."""
        return self if token == self.token else SlackClient(token=token, **self._parts)

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:  # noqa: ANN401 - as slack-sdk has it
        """Call a method; raises SlackApiError for a "no", and one of AWAY without an answer."""
        started = time.perf_counter()
        result = "none"
        try:
            answer = await self._answer(api_method, arguments)
            result = "ok"
        except SlackApiError as error:
            result = str(error.response.get("error") or error.response.status_code)
            self._reach.note(answered=error.response.status_code < SERVER_FAULT)
            raise
        except AWAY:
            self._reach.note(answered=False)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._metrics.slack_seconds.labels(api_method, result).observe(seconds)
        self._reach.note(answered=True)
        return answer

    async def _answer(self, api_method: str, arguments: dict[str, Any]) -> AsyncSlackResponse:
        """Call; what is not Slack's JSON (a proxy's page) counts as no answer."""
        try:
            return await super().api_call(api_method, **arguments)
        except SlackApiError as error:
            if isinstance(getattr(error.response, "data", None), dict):
                raise
            raise aiohttp.ClientPayloadError("not Slack's JSON") from None
        except AttributeError as error:
            # slack-sdk looks for "ok" in a text as if it were an object.
            raise aiohttp.ClientPayloadError("not Slack's JSON") from error


class DirectMessages:
    """The conversations with people. One that was opened stays the same, so it is rarely asked for."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str | None, str], tuple[str, float]] = OrderedDict()

    async def channel(self, slack: SlackClient, user: str) -> str:
        """Return the channel in which an installation writes to a person; opens it.

        Raises:
            SlackApiError: it cannot be opened; and one of AWAY.
        """
        key, now = (slack.token, user), time.monotonic()
        channel, until = self._known.get(key, ("", now))
        if now < until:
            return channel
        answer = await slack.conversations_open(users=user)
        opened: dict[str, Any] = answer["channel"]
        channel = str(opened["id"])
        self._known.pop(key, None)
        self._known[key] = channel, now + REMEMBERED_SECONDS
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return channel

    def forget(self, user: str) -> None:
        """Ask again next time: a channel of theirs was refused."""
        for key in [key for key in self._known if key[1] == user]:
            del self._known[key]

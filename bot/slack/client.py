"""The client for Slack's Web API: it times every call and raises the errors of `bot.slack.errors`."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.errors import SlackRefusedError, SlackUnavailableError, slack_error
from bot.slack.pictures import REFUSALS, with_pictures, without_charts
from bot.slack.proxy import proxy_for

if TYPE_CHECKING:
    from slack_sdk.web.async_slack_response import AsyncSlackResponse

    from bot.availability import Availability
    from bot.metrics import Metrics
    from bot.slack.pictures import Pictures

_NO_ANSWER = (aiohttp.ClientError, asyncio.TimeoutError, OSError)

REMEMBERED = 10_000
REMEMBERED_SECONDS = 600.0


class SlackClient(AsyncWebClient):
    """slack-sdk's client without retries: a retried post could make a second message."""

    def __init__(
        self,
        *,
        token: str | None,
        base_url: str,
        session: aiohttp.ClientSession,
        timeout: int,
        metrics: Metrics,
        availability: Availability,
        pictures: Pictures,
    ) -> None:
        self._parts: dict[str, Any] = {
            "base_url": base_url,
            "session": session,
            "timeout": timeout,
            "metrics": metrics,
            "availability": availability,
            "pictures": pictures,
        }
        super().__init__(
            token=token, base_url=base_url, session=session, timeout=timeout, retry_handlers=[]
        )
        self.proxy = proxy_for(base_url)
        self._metrics = metrics
        self._availability = availability
        self._pictures = pictures

    def acting_as(self, token: str) -> SlackClient:
        """Return a client with this token on the same connections."""
        return self if token == self.token else SlackClient(token=token, **self._parts)

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:  # noqa: ANN401 - as slack-sdk has it
        """Call a method; a screen that Slack refuses with its pictures or charts is sent without them.

        Raises:
            SlackError: Slack refuses, or gives no complete answer; see `bot.slack.errors`.
        """
        drawn, plain = with_pictures(self._pictures, arguments), without_charts(arguments)
        if drawn is plain:
            return await self._call(api_method, plain)
        try:
            return await self._call(api_method, drawn)
        except SlackRefusedError as error:
            if error.code not in REFUSALS:
                raise
            self._pictures.refused()
            return await self._call(api_method, plain)

    async def send_file(self, *, channel: str, name: str, title: str, content: str, comment: str) -> None:
        """Show a text file in a conversation, with a comment beside it.

        Raises:
            SlackRefusedError: Slack takes no file; nothing was sent.
            SlackUnavailableError: it may or may not have arrived.
        """
        try:
            await self.files_upload_v2(
                filename=name,
                content=content.encode(),
                title=title,
                channel=channel,
                initial_comment=comment,
            )
        except SlackRequestError:
            raise SlackUnavailableError("the upload was not taken") from None
        except _NO_ANSWER as error:
            raise self._unanswered(type(error).__name__) from None

    async def _call(self, api_method: str, arguments: dict[str, Any]) -> AsyncSlackResponse:
        started = time.perf_counter()
        result = "none"
        try:
            answer = await super().api_call(api_method, **arguments)
            result = "ok"
        except SlackApiError as error:
            # A body that is not Slack's JSON, e.g. a proxy's page, counts as no answer.
            if not isinstance(getattr(error.response, "data", None), dict):
                raise self._unanswered("not Slack's JSON") from None
            refusal = slack_error(error)
            result = refusal.code
            self._availability.observe(answered=not isinstance(refusal, SlackUnavailableError))
            raise refusal from None
        except AttributeError:
            # slack-sdk treats a text body as an object.
            raise self._unanswered("not Slack's JSON") from None
        except _NO_ANSWER as error:
            raise self._unanswered(type(error).__name__) from None
        finally:
            seconds = time.perf_counter() - started
            self._metrics.slack_seconds.labels(api_method, result).observe(seconds)
        self._availability.observe(answered=True)
        return answer

    def _unanswered(self, problem: str) -> SlackUnavailableError:
        self._availability.observe(answered=False)
        return SlackUnavailableError(problem)


class DirectMessages:
    """A cache of direct message channels: a person's channel does not change once it is open."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str | None, str], tuple[str, float]] = OrderedDict()

    async def channel(self, slack: SlackClient, user: str) -> str:
        """Return the channel in which an installation writes to a person; open it if needed.

        Raises:
            SlackError: the channel cannot be opened.
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
        """Drop a person's channels from the cache, because Slack refused one."""
        for key in [key for key in self._known if key[1] == user]:
            del self._known[key]

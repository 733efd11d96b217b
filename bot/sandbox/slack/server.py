"""The routes that the app calls: the Web API and response_urls, with injected outages."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.sandbox.serving import drop_connection
from bot.sandbox.slack.faults import Fault, Faults
from bot.sandbox.slack.inspector import VIEW_CLOSED, Inspector
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import Answer, WebApi, rate_limited, refusal

Json = dict[str, Any]

_GONE = ("used_url", "expired_url")
DROPPED = "connection_dropped"


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """One call of the app: a Web API method, or `response_url`.

    Attributes:
        installation: The id of the workspace or organization of the call's token.
    """

    method: str
    args: Json
    answer: Json
    at: float
    status: int
    installation: str | None = None


class _NoAnswer(Response):
    """Close the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _ = send
        await drop_connection(scope, receive)


class SlackRoutes:
    """Answer the app's calls. `calls` has each call with its answer."""

    def __init__(
        self,
        web_api: WebApi,
        response_urls: ResponseUrls,
        faults: Faults,
        inspector: Inspector,
        views: Views,
        settings: Settings,
    ) -> None:
        self._web_api = web_api
        self._response_urls = response_urls
        self._faults = faults
        self._inspector = inspector
        self._views = views
        self._settings = settings
        self.calls: list[ApiCall] = []

    def routes(self) -> list[Route]:
        """Return the routes `/api/<method>` and `/response/<secret>`."""
        return [
            Route("/api/{method}", self._api, methods=["GET", "POST"]),
            Route("/response/{secret}", self._response, methods=["POST"]),
        ]

    async def _api(self, request: Request) -> Response:
        method = request.path_params["method"]
        try:
            args = await _arguments(request)
        except RefusedError as error:
            answer = Answer(body=refusal(error))
            return self._answered(method, {}, answer, time.perf_counter(), None)
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            args |= _client(credentials)
        token = credentials if scheme.lower() == "bearer" else args.get("token")
        args.pop("token", None)
        return await self._perform(method, args, lambda: self._web_api.call(method, token, args))

    async def _response(self, request: Request) -> Response:
        secret = request.path_params["secret"]
        try:
            body = _json_object(await request.body())
        except RefusedError as error:
            answer = Answer(body=refusal(error), status=400)
            return self._answered("response_url", {}, answer, time.perf_counter(), None)
        user = self._response_urls.user_of(secret)
        return await self._perform("response_url", body, lambda: self._use(secret, body), user)

    def _use(self, secret: str, body: Json) -> Answer:
        try:
            self._response_urls.use(secret, body)
        except RefusedError as error:
            return Answer(body=refusal(error), status=404 if error.code in _GONE else 400)
        return Answer(body={"ok": True})

    async def _perform(
        self, method: str, args: Json, call: Callable[[], Answer], user: str | None = None
    ) -> Response:
        started = time.perf_counter()
        fault = self._faults.take(method)
        if fault is None:
            return self._answered(method, args, call(), started, user)
        if fault.kind == "late":
            answer = call()
            await asyncio.sleep(fault.seconds)
            return self._answered(method, args, answer, started, user)
        if fault.kind == "drop_after":
            call()
        return self._answered(method, args, _of_fault(fault), started, user)

    def _answered(
        self, method: str, args: Json, answer: Answer, started: float, user: str | None
    ) -> Response:
        at = self._settings.now()
        self.calls.append(
            ApiCall(
                method=method,
                args=args,
                answer=answer.body,
                at=at,
                status=answer.status,
                installation=answer.installation,
            )
        )
        is_reply = method == "response_url"
        error = VIEW_CLOSED if self._is_of_closed_view(method, args, answer) else answer.error
        entry: Json = {
            "at": at,
            "direction": "from_app",
            "kind": "response_url" if is_reply else "api",
            "name": method,
            "ok": answer.error is None,
            "status": answer.status,
            "ms": (time.perf_counter() - started) * 1000,
            "request": args,
            "response": answer.body,
        }
        if user is not None:
            entry["user"] = user
        if error == VIEW_CLOSED:
            entry["closed"] = True
        self._inspector.record(entry, error=error)
        if answer.error == DROPPED:
            return _NoAnswer()
        if is_reply and answer.error is None:
            return PlainTextResponse("ok")
        return JSONResponse(answer.body, status_code=answer.status, headers=answer.headers)

    def _is_of_closed_view(self, method: str, args: Json, answer: Answer) -> bool:
        """Return whether an update only came too late: the person had closed the modal."""
        if (method, answer.error) != ("views.update", "not_found"):
            return False
        return self._views.was_closed(args.get("view_id") or args.get("external_id"))


def _of_fault(fault: Fault) -> Answer:
    if fault.kind == "ratelimited":
        return rate_limited(fault.retry_after)
    if fault.kind in ("drop_before", "drop_after"):
        return Answer(body={"ok": False, "error": DROPPED, "fault": fault.kind}, status=0)
    status = fault.status if fault.kind == "status" else 200
    return Answer(body={"ok": False, "error": fault.error}, status=status)


def _client(credentials: str) -> Json:
    """Return the OAuth client of `Basic` credentials, or an empty object for invalid credentials."""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except ValueError:
        return {}
    client_id, _, client_secret = decoded.partition(":")
    return {"client_id": client_id, "client_secret": client_secret}


def _json_object(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise RefusedError("invalid_json") from error
    if not isinstance(value, dict):
        raise RefusedError("json_not_object")
    return value


async def _arguments(request: Request) -> Json:
    """Return the query, form and JSON arguments of a call as one object."""
    args: Json = dict(request.query_params)
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        return {**args, **(_json_object(body) if body else {})}
    return {**args, **dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))}

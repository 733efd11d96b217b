"""The JSON API of the workspace page: its data, its actions and its live feed."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bot.sandbox.slack.administration import Administration
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.interactions import Interactions, NotACommandError
from bot.sandbox.slack.origin import from_another_site
from bot.sandbox.slack.surfaces import Surface, Visible, targets
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
Restart = Callable[[], Awaitable[object]]

PAGE = Path(__file__).parent / "page"
PING_SECONDS = 15
_CLOSED = "This view is closed."
_NOT_BACK = "The app was not ready in time."


@dataclass(kw_only=True)
class PageOptions:
    """Optional features of the page: a link to the portal, and buttons for what the demo can do.

    Attributes:
        restart_app: Kills the app and starts it again.
        start_over: Brings everything to its first state, the app's database too if the demo has started
            the app.
    """

    portal_url: str | None
    restart_app: Restart | None
    start_over: Restart | None = None


class _BadRequestError(Exception):
    """The request body is invalid."""


class _PageFiles(StaticFiles):
    """Serve the page's files. Not every system knows the media type of a font."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if path.endswith(".woff2") and response.status_code == HTTPStatus.OK:
            response.headers["content-type"] = "font/woff2"
        return response


class PageRoutes:
    """Serve the page and its API."""

    def __init__(
        self,
        workspace: Workspace,
        views: Views,
        visible: Visible,
        feed: Feed,
        inspector: Inspector,
        interactions: Interactions,
        administration: Administration,
        page_options: PageOptions,
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._visible = visible
        self._feed = feed
        self._inspector = inspector
        self._interactions = interactions
        self._administration = administration
        self._page_options = page_options

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the page and of its API."""
        posts = {
            "command": self._command,
            "action": self._action,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "leave": self._leave,
            "channel": self._channel,
            "restart": self._restart,
            "start-over": self._start_over,
        }
        return [
            Route("/", self._index),
            Route("/side", self._side),
            Mount("/page", _PageFiles(directory=PAGE, check_dir=False)),
            Route("/sandbox/bootstrap", self._bootstrap),
            Route("/sandbox/state", self._state),
            Route("/sandbox/events", self._events),
            Route("/sandbox/inspect", self._inspect),
            *(
                Route(f"/sandbox/{name}", _posted(handle), methods=["POST"])
                for name, handle in posts.items()
            ),
        ]

    async def _index(self, _request: Request) -> Response:
        return _page("index.html")

    async def _side(self, _request: Request) -> Response:
        """Two people side by side."""
        return _page("side.html")

    async def _bootstrap(self, _request: Request) -> Response:
        directory = self._workspace.directory
        return JSONResponse(
            {
                "workspace": {"id": directory.home_team.id, "name": directory.home_team.name},
                "teams": {team.id: team.name for team in directory.teams},
                "app": {
                    "id": directory.app.id,
                    "name": directory.app.name,
                    "description": directory.app.description,
                    "bot_user_id": directory.app.bot_user_id,
                    "read_only": directory.app.read_only,
                },
                "commands": [asdict(command) for command in directory.app.commands],
                "people": [asdict(person) for person in directory.people],
                "channels": [
                    {
                        "id": channel.id,
                        "name": channel.name,
                        "shared": channel.shared,
                        "private": channel.private,
                    }
                    for channel in directory.channels
                ],
                "portal_url": self._page_options.portal_url,
                "can_restart": self._page_options.restart_app is not None,
                "can_start_over": self._page_options.start_over is not None,
            }
        )

    async def _state(self, request: Request) -> Response:
        user = request.query_params.get("user", "")
        if self._workspace.directory.person(user) is None:
            return JSONResponse({"ok": False, "error": "user_not_found"}, status_code=404)
        return JSONResponse(
            {
                "conversations": {
                    channel: self._conversation(user, channel)
                    for channel in self._workspace.conversations(user)
                },
                "dm": self._workspace.dm(user),
                "home": self._views.home(user),
                "stack": self._views.stack(user),
            }
        )

    def _conversation(self, user: str, channel: str) -> Json:
        in_channel = self._workspace.channel(channel)
        return {
            "id": channel,
            "kind": "channel" if in_channel else "im",
            "name": in_channel.name if in_channel else self._workspace.directory.app.name,
            "messages": self._feed.conversation_for(user, channel),
        }

    async def _events(self, request: Request) -> Response:
        user = request.query_params.get("user", "")
        if self._workspace.directory.person(user) is None:
            return JSONResponse({"ok": False, "error": "user_not_found"}, status_code=404)
        return EventSourceResponse(self._stream(user), ping=PING_SECONDS)

    async def _stream(self, user: str) -> AsyncIterator[dict[str, str]]:
        async with aclosing(self._feed.listen(user)) as events:
            async for event in events:
                yield {"data": json.dumps(event)}

    async def _inspect(self, _request: Request) -> Response:
        return JSONResponse({"entries": self._inspector.entries})

    async def _command(self, body: Json) -> Json:
        user, channel, text = _texts(body, "user", "channel", "text")
        if not text.startswith("/"):
            await self._interactions.say(user, channel, text)
            return {"ok": True, "ack_ms": 0}
        try:
            return _result_of(await self._interactions.command(user, channel, text))
        except NotACommandError as error:
            self._feed.error(user, "command", str(error))
            return {"ok": False, "error": str(error), "ack_ms": 0}

    async def _action(self, body: Json) -> Json:
        user, block_id, action_id = _texts(body, "user", "block_id", "action_id")
        surface = self._surface(user, _object(body, "container"))
        if surface is None:
            return {"ok": False, "error": "This message or view is gone.", "ack_ms": 0}
        for target in targets(surface):
            if (target.block["block_id"], target.element["action_id"]) == (block_id, action_id):
                value, typed = _object(body, "value"), _object(body, "state")
                return _result_of(await self._interactions.act(user, target, value, typed))
        return {"ok": False, "error": "This control has changed meanwhile.", "ack_ms": 0}

    def _surface(self, user: str, container: Json) -> Surface | None:
        if container.get("type") == "message":
            channel, ts = _texts(container, "channel", "ts")
            return self._visible.message(user, channel, ts)
        home = self._views.home(user)
        if container.get("type") == "home" and home is not None:
            return self._visible.view(user, home["id"])
        return self._visible.view(user, str(container.get("view_id")))

    async def _submit(self, body: Json) -> Json:
        user, view_id = _texts(body, "user", "view_id")
        stack = self._views.stack(user)
        if not stack or stack[-1]["id"] != view_id:
            return {"ok": False, "error": _CLOSED, "ack_ms": 0}
        typed = _object(body, "state")
        return _result_of(await self._interactions.submit(user, stack[-1], typed))

    async def _close(self, body: Json) -> Json:
        user, view_id = _texts(body, "user", "view_id")
        await self._interactions.close(user, view_id, everything=body.get("everything") is True)
        return {"ok": True}

    async def _home(self, body: Json) -> Json:
        (user,) = _texts(body, "user")
        if not self._interactions.has_app_home(user):
            return {"ok": False, "error": "not_installed"}
        delivery = await self._interactions.open_home(user)
        return {"ok": True} if delivery is None else _result_of(delivery)

    async def _leave(self, body: Json) -> Json:
        """Deactivate a person."""
        (user,) = _texts(body, "user")
        await self._administration.deactivate(user)
        return {"ok": True}

    async def _channel(self, body: Json) -> Json:
        """Make a channel private or public."""
        (channel,) = _texts(body, "channel")
        self._administration.change_channel(channel, private=body.get("private") is True)
        return {"ok": True}

    async def _restart(self, _body: Json) -> Json:
        if self._page_options.restart_app is None:
            return {"ok": False, "error": "This sandbox did not start the app."}
        started = time.perf_counter()
        try:
            await self._page_options.restart_app()
        except (RuntimeError, TimeoutError) as error:
            return {"ok": False, "error": str(error) or _NOT_BACK}
        ms = (time.perf_counter() - started) * 1000
        killed: Json = {"direction": "sandbox", "kind": "kill", "name": "kill -9", "status": None}
        at = float(self._workspace.clock.ts())
        self._inspector.record(
            {**killed, "at": at, "ok": True, "ms": ms, "request": None, "response": None}
        )
        return {"ok": True}

    async def _start_over(self, _body: Json) -> Json:
        if self._page_options.start_over is None:
            return {"ok": False, "error": "This sandbox cannot start over."}
        try:
            await self._page_options.start_over()
        except (RuntimeError, TimeoutError) as error:
            return {"ok": False, "error": str(error) or _NOT_BACK}
        return {"ok": True}


def _posted(handle: Callable[[Json], Awaitable[Json]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if from_another_site(request):
            return JSONResponse({"ok": False, "error": "another site's page"}, status_code=403)
        raw = await request.body()
        try:
            body = _object({"body": json.loads(raw or b"{}")}, "body")
            return JSONResponse(await handle(body))
        except (ValueError, LookupError, _BadRequestError) as error:
            return JSONResponse({"ok": False, "error": str(error)}, status_code=400)

    return endpoint


def _result_of(delivery: Delivery) -> Json:
    """Return the JSON of a delivery for the page."""
    failed = delivery.failure or delivery.error or delivery.errors
    result: Json = {"ok": not failed, "ack_ms": round(delivery.ack_ms, 1)}
    if delivery.error or delivery.failure:
        result["error"] = delivery.error or delivery.failure
    if delivery.errors:
        result["errors"] = dict(delivery.errors)
    return result


def _texts(body: Json, *names: str) -> tuple[str, ...]:
    for name in names:
        if not isinstance(body.get(name), str):
            raise _BadRequestError(f"{name} must be a string")
    return tuple(body[name] for name in names)


def _object(body: Json, name: str) -> Json:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise _BadRequestError(f"{name} must be an object")
    return value


def _page(name: str) -> Response:
    page = PAGE / name
    if not page.is_file():
        return PlainTextResponse("The page is not built in.", status_code=404)
    return FileResponse(page)

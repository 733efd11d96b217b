"""Files: `files.getUploadURLExternal`, the upload itself, and `files.completeUploadExternal`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.sandbox.slack.access import Access
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.web_api import Method
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


@dataclass(kw_only=True)
class _File:
    name: str
    length: int
    content: bytes | None = None
    shared_in: list[str] = field(default_factory=list)


class FileMethods:
    """Take files in three steps, as Slack does: an address, the content, and where to show it."""

    def __init__(self, workspace: Workspace, access: Access, feed: Feed, settings: Settings) -> None:
        self._workspace = workspace
        self._access = access
        self._feed = feed
        self._settings = settings
        self._files: dict[str, _File] = {}

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "files.getUploadURLExternal": Method(scope="files:write", perform=self._begin),
            "files.completeUploadExternal": Method(scope="files:write", perform=self._complete),
        }

    def routes(self) -> list[Route]:
        """Return where a file is uploaded to, and where people open it."""
        return [
            Route("/upload/v1/{file}", self._upload, methods=["POST"]),
            Route("/files/{file}/{name}", self._download, methods=["GET"]),
        ]

    def content(self, file_id: str) -> bytes:
        """Return what was uploaded.

        Raises:
            LookupError: there is no such file.
        """
        found = self._files[file_id].content
        if found is None:
            raise LookupError(file_id)
        return found

    def _begin(self, _via: Installation, args: Json) -> Json:
        name, length = str(args.get("filename") or ""), str(args.get("length") or "")
        if not name or not length.isdecimal() or int(length) == 0:
            raise RefusedError("invalid_arguments")
        file_id = f"F0{len(self._files):08d}"
        self._files[file_id] = _File(name=name, length=int(length))
        return {"upload_url": f"{self._settings.public_url}/upload/v1/{file_id}", "file_id": file_id}

    async def _upload(self, request: Request) -> Response:
        found = self._files.get(request.path_params["file"])
        content = await request.body()
        if found is None or len(content) != found.length:
            return PlainTextResponse("Unable to process file\n", status_code=400)
        found.content = content
        return PlainTextResponse(f"OK - {len(content)}")

    def _complete(self, via: Installation, args: Json) -> Json:
        named = [(str(each.get("id")), each.get("title")) for each in _listed(args.get("files"))]
        found = [(file_id, title, self._files.get(file_id)) for file_id, title in named]
        if not found or any(file is None or file.content is None for _, _, file in found):
            raise RefusedError("file_not_found")
        channel = str(args.get("channel_id") or "")
        # Unlike chat.postMessage, the method takes no person's id.
        if not self._workspace.exists(channel) or not self._access.can_see(via, channel):
            raise RefusedError("channel_not_found")
        files = [
            {"id": file_id, "name": file.name, "title": title or file.name, "size": file.length}
            | {"url_private": f"{self._settings.public_url}/files/{file_id}/{quote(file.name)}"}
            for file_id, title, file in found
            if file is not None
        ]
        content = {"text": str(args.get("initial_comment") or ""), "files": files}
        self._workspace.post(channel, via.message(content, args.get("thread_ts")))
        self._feed.conversation(channel)
        return {"files": [{"id": each["id"], "title": each["title"]} for each in files]}

    async def _download(self, request: Request) -> Response:
        found = self._files.get(request.path_params["file"])
        if found is None or found.content is None:
            return PlainTextResponse("There is no such file.", status_code=404)
        return PlainTextResponse(
            found.content, headers={"Content-Disposition": f'attachment; filename="{quote(found.name)}"'}
        )


def _listed(value: object) -> list[Json]:
    """Return the files of an argument.

    Raises:
        RefusedError: `invalid_arguments`.
    """
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise RefusedError("invalid_arguments") from error
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise RefusedError("invalid_arguments")
    return found

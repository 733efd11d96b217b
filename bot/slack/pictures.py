"""Pictures beside what is left, which Slack fetches from this app, if it can reach it; and charts.

A section whose block_id is `ring-N-…` gets the picture N/20 as an accessory. Its address says nothing of
anybody, so that it can be kept for ever. Slack refuses all of a screen with a picture that it cannot fetch,
or with a chart where it draws none: then the screen is sent without them, and for a while every other too.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import structlog
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.elapsed import elapsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from bot.domain.delivery import Json

PARTS = 20
CHART = "data_visualization"
REFUSALS = frozenset({"invalid_blocks", "invalid_arguments"})
"""Slack's codes for a screen with what it cannot fetch or draw (and for a malformed screen)."""

WITHOUT_SECONDS = 600.0
"""For how long no picture is sent after Slack has refused one."""

_RING = re.compile(r"ring-(\d{1,2})-[a-z]+")
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}

log = structlog.get_logger(__name__)


class Pictures:
    """Puts pictures on screens. `public_url` is where Slack reaches this app; without it there are none."""

    def __init__(self, public_url: str | None) -> None:
        self._base = None if public_url is None else public_url.rstrip("/")
        self._without_until = 0.0

    def on(self, screen: Json) -> Json:
        """Return a message or a view with its pictures, for a while after a refusal without charts."""
        is_without = elapsed() < self._without_until
        if is_without:
            return undrawn(screen)
        if self._base is None:
            return screen
        blocks = [self._with_picture(block) for block in screen.get("blocks") or []]
        return {**screen, "blocks": blocks} if blocks != screen.get("blocks", []) else screen

    def refused(self) -> None:
        """Send none for a while, because Slack has refused a screen with one."""
        self._without_until = elapsed() + WITHOUT_SECONDS
        log.warning("pictures.refused")

    def _with_picture(self, block: Json) -> Json:
        ring = _RING.fullmatch(block.get("block_id") or "")
        if ring is None or block.get("type") != "section":
            return block
        share = f"{int(ring[1]) * 100 // PARTS}% left"
        picture = {"type": "image", "image_url": f"{self._base}/ring/{ring[1]}.png", "alt_text": share}
        words = block["text"]["text"].partition("\n")[0]  # the picture takes the place of the squares
        return {**block, "text": {**block["text"], "text": words}, "accessory": picture}


def pictures_route() -> Route:
    """Return the route of the pictures, `/ring/0.png` to `/ring/20.png`: static, and anybody's to see."""

    async def ring(request: Request) -> Response:
        n = request.path_params["n"]
        if n > PARTS:
            return PlainTextResponse("not found", 404)
        return Response(_picture(n), media_type="image/png", headers=_KEPT)

    return Route("/ring/{n:int}.png", ring)


@cache
def _picture(n: int) -> bytes:
    return (files("bot.slack") / "rings" / f"{n}.png").read_bytes()


def undrawn(screen: Json) -> Json:
    """Return a message without its charts; the same object if it has none."""
    blocks = screen.get("blocks") or []
    kept = [block for block in blocks if block.get("type") != CHART]
    return screen if len(kept) == len(blocks) else {**screen, "blocks": kept}


def with_pictures(pictures: Pictures, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call to Slack with the pictures of its message or view."""
    return _changed(arguments, pictures.on)


def without_charts(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call to Slack without the charts of its message."""
    return _changed(arguments, undrawn)


def _changed(arguments: dict[str, Any], change: Callable[[Json], Json]) -> dict[str, Any]:
    sent = arguments.get("json")
    if not isinstance(sent, dict):
        return arguments
    view = sent.get("view")
    screen = change(view if isinstance(view, dict) else sent)
    if screen is view or screen is sent:
        return arguments
    return {**arguments, "json": {**sent, "view": screen} if isinstance(view, dict) else screen}

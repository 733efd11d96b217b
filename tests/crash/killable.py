"""`billing-bot`, with every seam of its work as a named point at which it can be killed.

KILL_AT names the point (TERM_AT one for SIGTERM, PAUSE_AT one for SIGSTOP, once each); POINTS names a file
that gets a line for each point that is passed. They are made here: the program knows nothing of them.
"""

from __future__ import annotations

import os
import signal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.cli import main
from bot.portal.transport import Transport
from bot.slack import SlackClient
from bot.storage.charges import ChargeStore
from bot.storage.device_grants import DeviceGrantStore
from bot.storage.leases import LeaseStore
from bot.storage.links import LinkStore
from bot.storage.messages import MessageStore

if TYPE_CHECKING:
    from collections.abc import Callable

KILL_AT = os.environ.get("KILL_AT")
PAUSE_AT = [os.environ.get("PAUSE_AT")]
TERM_AT = [os.environ.get("TERM_AT")]
POINTS = os.environ.get("POINTS")


def passing(point: str) -> None:
    """Note the point, and die there if it is the one."""
    if POINTS:
        with Path(POINTS).open("a", encoding="utf-8") as file:
            file.write(f"{point}\n")
    if point == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    for names, number in ((PAUSE_AT, signal.SIGSTOP), (TERM_AT, signal.SIGTERM)):
        if point in names:
            names.clear()
            os.kill(os.getpid(), number)


def make_points(owner: type, method: str, name: Callable[..., str | None]) -> None:
    """Put a point before and one after each call of a method; `name` may say that a call is none."""
    original = getattr(owner, method)

    @wraps(original)
    async def pointed(*arguments: Any, **named: Any) -> Any:
        what = name(*arguments, **named)
        if what is None:
            return await original(*arguments, **named)
        passing(f"before {what}")
        result = await original(*arguments, **named)
        passing(f"after {what}")
        return result

    setattr(owner, method, pointed)


def claimed_something() -> None:
    original = LeaseStore.claim

    async def claim(self: LeaseStore, limit: int, seconds: float) -> Any:
        claims = await original(self, limit, seconds)
        if claims:
            passing(f"after the claim of a {self._table.info['kind']}")
        return claims

    LeaseStore.claim = claim  # type: ignore[method-assign]


def slack_name(_self: object, method: str, **named: Any) -> str:
    return f"{method} in the thread" if (named.get("json") or {}).get("thread_ts") else method


def note_name(_store: object, _lease: object, **values: object) -> str:
    return f"the record of the message: {', '.join(sorted(values))}"


def finish_name(
    _store: object, lease: object, _due_at: object, *, modal: str | None = None, **values: object
) -> str:
    return note_name(_store, lease, **values, **({} if modal is None else {"view_id": None}))


make_points(Transport, "send", lambda _self, exchange: exchange.route)
make_points(SlackClient, "api_call", slack_name)
make_points(AsyncWebhookClient, "send_dict", lambda _self, _body: "the answer to a response_url")
make_points(ChargeStore, "add", lambda _self, _charge, **_named: "the proposal is stored")
make_points(ChargeStore, "confirm", lambda *_arguments, **_named: "the yes is stored")
make_points(ChargeStore, "resume", lambda *_arguments, **_named: "the resumption is stored")
make_points(
    ChargeStore, "move", lambda _self, _lease, _before, after, **_named: f"the charge is {after.value}"
)
make_points(MessageStore, "note", note_name)
make_points(MessageStore, "finish", finish_name)
make_points(DeviceGrantStore, "start", lambda *_arguments, **_named: "the grant is stored")
make_points(DeviceGrantStore, "schedule", lambda *_arguments, **_named: "the grant is due")
make_points(
    DeviceGrantStore, "move", lambda _self, _lease, _grant, after, **_named: f"the grant is {after.value}"
)
make_points(
    DeviceGrantStore,
    "note",
    lambda _self, _lease, **values: "the grant is told" if "told_at" in values else None,
)
make_points(LinkStore, "replace_tokens", lambda *_arguments, **_named: "the rotated tokens are stored")
make_points(
    asyncpg.Connection,
    "prepare",
    lambda _self, statement, **_named: (
        "the preparation of an audit entry" if "INTO audit " in statement else None
    ),
)
make_points(
    LeaseStore,
    "release",
    lambda self, *_arguments, **_named: f"the release of a {self._table.info['kind']}",
)
claimed_something()

if __name__ == "__main__":
    main()

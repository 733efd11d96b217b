"""`billing-bot`, with every seam of its work as a named point at which it can be killed.

KILL_AT names the point (TERM_AT one for SIGTERM, PAUSE_AT one for SIGSTOP, once each); POINTS names a file
that gets a line for each point that is passed. They are made here: the program knows nothing of them.
"""

from __future__ import annotations

import os
import signal
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.cli import main
from bot.portal.transport import Transport
from bot.slack.client import SlackClient
from bot.storage.account_people import AccountPeople
from bot.storage.charges.confirmation import ConfirmationStore
from bot.storage.charges.store import ChargeStore
from bot.storage.deliveries import DeliveryStore
from bot.storage.device_grants import DeviceGrantStore
from bot.storage.episodes import EpisodeStore
from bot.storage.leases import LeaseStore
from bot.storage.links import LinkStore
from bot.storage.requests.deciding import Deciding
from bot.storage.requests.store import RequestStore
from bot.storage.watches import WatchStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.domain.charge import Charge
    from bot.domain.delivery import Delivery
    from bot.domain.grant import DeviceGrant
    from bot.storage.links import Link

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
            # Another thread may take the signal: without a pause this one could go on for a moment.
            time.sleep(0.05)


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

    async def claim(self: LeaseStore[Any], limit: int, seconds: float) -> Any:
        claims = await original(self, limit, seconds)
        if claims:
            passing(f"after the claim of a {self.table.info['kind']}")
        return claims

    LeaseStore.claim = claim  # type: ignore[method-assign]


def slack_name(_self: object, method: str, **named: Any) -> str:
    return f"{method} in the thread" if (named.get("json") or {}).get("thread_ts") else method


def charge_name(_store: object, _lease: object, before: Charge, after: Charge) -> str:
    return "the charge's facts" if before.state is after.state else f"the charge is {after.state.value}"


def delivery_name(_store: object, _lease: object, before: Delivery, after: Delivery, **_named: Any) -> str:
    """Name what is stored of a message by what has just happened to it."""
    happened = {
        "posted": before.ts != after.ts,
        "edited": before.edited_at != after.edited_at,
        "to be replied to": before.reply_key != after.reply_key,
        "replied to": before.replied_at != after.replied_at,
        "shown in its modal": before.replied_key != after.replied_key
        and before.replied_at == after.replied_at,
        "done with its modal": before.view_id != after.view_id,
    }
    return f"the message is {', '.join(what for what, true in happened.items() if true) or 'as it was'}"


def grant_name(
    _store: object, _lease: object, before: DeviceGrant, after: DeviceGrant, **_named: Any
) -> str:
    return "the grant's facts" if before.state is after.state else f"the grant is {after.state.value}"


def tokens_name(_store: object, link: Link) -> str:
    return "the rotated tokens are verified" if link.is_verified else "the rotated tokens are stored"


make_points(Transport, "send", lambda _self, exchange: exchange.route)
make_points(SlackClient, "api_call", slack_name)
make_points(AsyncWebhookClient, "send_dict", lambda _self, _body: "the answer to a response_url")
make_points(ChargeStore, "add", lambda *_arguments, **_named: "the proposal is stored")
make_points(ChargeStore, "save", charge_name)
make_points(ConfirmationStore, "confirm", lambda *_arguments, **_named: "the confirmation is stored")
make_points(ConfirmationStore, "resume", lambda *_arguments, **_named: "the resumption is stored")
make_points(RequestStore, "file", lambda *_arguments, **_named: "the request is filed")
make_points(RequestStore, "save", lambda *_arguments, **_named: "the request is over")
make_points(Deciding, "agree", lambda *_arguments: "the first vote is stored")
make_points(DeliveryStore, "save", delivery_name)
make_points(DeliveryStore, "finish", delivery_name)
make_points(DeviceGrantStore, "start", lambda *_arguments, **_named: "the grant is stored")
make_points(DeviceGrantStore, "schedule", lambda *_arguments, **_named: "the grant is due")
make_points(DeviceGrantStore, "save", grant_name)
make_points(DeviceGrantStore, "notify_outcome", lambda *_arguments: "the outcome is handed over")
make_points(LinkStore, "replace_tokens", tokens_name)
make_points(WatchStore, "save", lambda *_arguments, **_named: "the reading is judged")
make_points(EpisodeStore, "open", lambda *_arguments, **_named: "the episode is opened")
make_points(EpisodeStore, "told", lambda *_arguments, **_named: "the episode is told")
make_points(EpisodeStore, "change", lambda *_arguments, **_named: "the episode is worse")
make_points(AccountPeople, "let_in", lambda *_arguments, **_named: "a second person is let in")
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
    lambda self, *_arguments, **_named: f"the release of a {self.table.info['kind']}",
)
claimed_something()

if __name__ == "__main__":
    main()

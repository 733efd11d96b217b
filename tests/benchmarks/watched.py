"""Fills a ledger with watched organizations, each with a consenting person and a past."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from bot.domain.identity import Account, Identity
from bot.domain.reading import Source
from bot.storage.cipher import Cipher
from bot.storage.links import Link, LinkStore
from bot.storage.watch_tables import readings, watch_consents, watches

if TYPE_CHECKING:
    from datetime import datetime

    from bot.runtime import Runtime

USED = Decimal("0.11")
AT_ONCE = 100


async def fill_watches(runtime: Runtime, count: int, past: int, *, token_seconds: float) -> None:
    """Store so many watches, each of a workspace of its own, due over their pace.

    Each has so many readings, 12 minutes apart, then hours.

    Their people's access tokens end after `token_seconds`.
    """
    now, pace = runtime.clock.now(), runtime.settings.pace().most
    links = LinkStore(runtime.database, Cipher(runtime.settings.keys()))
    base_url = str(runtime.settings.portal_base_url)
    people = [
        Identity(enterprise="", team=f"T{number:05}", user=f"W{number:05}") for number in range(count)
    ]
    for first in range(0, count, AT_ONCE):
        some = list(enumerate(people))[first : first + AT_ONCE]
        async with runtime.database.transaction() as transaction:
            for number, person in some:
                await links.put(_link(person, number, base_url, now, token_seconds), within=transaction)
            rows = [
                {
                    **_watch(number, person, base_url),
                    "created_at": now,
                    "due_at": now + pace * number / count,
                }
                for number, person in some
            ]
            await transaction.execute(insert(watches), rows)
            consents = [_consent(number, person, now) for number, person in some]
            await transaction.execute(insert(watch_consents), consents)
            before = [row for number, _ in some for row in _past(number, past, now)]
            await transaction.execute(insert(readings), before)


def _link(person: Identity, number: int, base_url: str, now: datetime, token_seconds: float) -> Link:
    name = f"org_{number}"
    return Link(
        identity=person,
        account=Account(
            account_id=f"did:{person.user}", email=None, organization_id=name, organization_name=name
        ),
        base_url=base_url,
        scope="inference:invoke billing:manage",
        expires_at=now + timedelta(seconds=token_seconds),
        access=name,
        refresh=name,
        linked_at=now,
    )


def _watch(number: int, person: Identity, base_url: str) -> dict[str, Any]:
    return {
        "id": f"{number:016x}",
        "tenant": person.tenant,
        "base_url": base_url,
        "organization_id": f"org_{number}",
        "organization_name": f"org_{number}",
        "enterprise": person.enterprise,
        "team": person.team,
        "zone": "UTC",
        "state": "on",
        "credit": Decimal(0),
    }


def _consent(number: int, person: Identity, now: datetime) -> dict[str, Any]:
    return {
        "watch_id": f"{number:016x}",
        "owner": person.key,
        "enterprise": person.enterprise,
        "team": person.team,
        "user": person.user,
        "watches": True,
        "tells": True,
        "since": now,
        "sees_all": True,
    }


def _past(number: int, count: int, now: datetime) -> list[dict[str, Any]]:
    made, at, balance = [], now - timedelta(minutes=12), Decimal("142.5") + USED
    for _ in range(count):
        made.append(
            {
                "watch_id": f"{number:016x}",
                "at": at,
                "balance": balance,
                "sees_all": True,
                "credit": Decimal(0),
                "source": Source.POLL.value,
                "stands": at.minute < 12 or now - at > timedelta(hours=48),
            }
        )
        at -= timedelta(minutes=12) if now - at < timedelta(hours=48) else timedelta(hours=1)
        balance += USED
    return made

"""Watched balances in a storm: each team's rises and falls, and one person of it is told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.domain.request import OrganizationKey
from bot.domain.watch import Consent, Watch, WatchState
from bot.runtime import open_runtime
from tests.support.house import TEAM, identity, make_settings

if TYPE_CHECKING:
    from random import Random

    from tests.chaos.asking import Team
    from tests.support.cluster import Cluster

PACE = {"WATCH_MIN_MINUTES": "0.05", "WATCH_MAX_MINUTES": "0.05", "WATCH_RATE": "100"}
BALANCES = (Decimal(90), Decimal(18), Decimal(4), Decimal(0))


@dataclass(kw_only=True)
class Alerts:
    """What was counted, and what is not as promised."""

    counts: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


async def watch(cluster: Cluster, team: Team) -> None:
    """Have the balance of a team watched with the connection of one who may pay, who alone is told."""
    settings = make_settings(
        cluster.portal, cluster.slack, cluster.database_url, billing_bot_keys=cluster.key
    )
    who = identity(team.sees.id)
    async with open_runtime(settings, wake=lambda *_kinds: None) as runtime:
        link = await runtime.links.get(who)
        assert link is not None
        organization_id = link.account.organization_id
        made = Watch(
            id=team.sees.id.rjust(16, "0"),
            key=OrganizationKey(tenant=TEAM, base_url=link.base_url, organization_id=organization_id),
            organization_name=link.account.organization_name,
            team=TEAM,
            zone="UTC",
            state=WatchState.ON,
            created_at=runtime.clock.now(),
        )
        consent = Consent(watch_id=made.id, person=who, watches=True, tells=True, since=made.created_at)
        async with runtime.database.transaction() as transaction:
            await runtime.watches.put(transaction, made)
            await runtime.watches.consent(transaction, consent)


async def burn(cluster: Cluster, random: Random, over: asyncio.Event) -> None:
    """Let the balances of the teams rise and fall until the storm is over."""
    teams = [each for slug, each in cluster.portal.organizations.items() if slug.startswith("team")]
    while teams and not over.is_set():
        random.choice(teams).balance = random.choice(BALANCES)
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), 0.4)


async def audit_alerts(cluster: Cluster) -> Alerts:
    """Compare: each episode that is told has one message, which says whether it is over."""
    episodes = await cluster.ask(
        """SELECT e.id, e.kind, e.closed_at IS NOT NULL AS over, c."user" AS reader FROM episodes e
        JOIN watch_consents c ON c.watch_id = e.watch_id WHERE e.told_at IS NOT NULL"""
    )
    alerts = Alerts(counts={"alerts": len(episodes), "of them over": sum(row["over"] for row in episodes)})
    for row in episodes:
        messages = [
            each
            for each in cluster.slack.messages(cluster.slack.dm(row["reader"]))
            if row["id"] in str(each.get("metadata")) and each.get("thread_ts", each["ts"]) == each["ts"]
        ]
        if len(messages) != 1:
            alerts.broken.append(f"{row['kind']} {row['id']} has {len(messages)} messages")
        elif ("actions" in {block["type"] for block in messages[0]["blocks"]}) is row["over"]:
            alerts.broken.append(f"{row['kind']} {row['id']} reads {messages[0]['text'][:60]!r}")
    return alerts

"""Purchases through several replicas in a storm, and the table of what came of them."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from bot.sandbox.slack.directory import Person as SlackPerson
from tests.chaos.asking import Asked, Team, asked, audit_requests, connect, teams
from tests.chaos.books import Report, audit
from tests.chaos.storm import Storm
from tests.chaos.watched import PACE, audit_alerts, burn, watch
from tests.support.cluster import Cluster, open_cluster
from tests.support.person import Person

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path

STEP_SECONDS = 0.25
PORTAL_SPEED = 0.5
"""Three seconds of the portal's, until a charge settles, are six of ours: most harm meets one in flight."""
CALM_SECONDS = 150
DECLINED = 0.5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much, how long, and from which seed everything is drawn."""

    seed: int
    purchases: int
    replicas: int
    seconds: float
    people: int
    asks: bool = False
    """Whether each purchase is asked for by one person, and two click at the same moment to pay it."""


@dataclass(kw_only=True)
class Outcome:
    """What happened."""

    plan: Plan
    report: Report
    storm: Counter[str]
    takeovers: int
    taken_back: int
    seconds: float
    unfinished: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.report.broken and not self.unfinished

    def table(self) -> str:
        """Return the table, as Markdown."""
        plan, seconds = self.plan, self.report.seconds or [0.0]
        rows: list[tuple[str, object]] = [
            ("seed", plan.seed),
            ("replicas", plan.replicas),
            ("requests" if plan.asks else "purchases wanted", plan.purchases),
            ("teams of three" if plan.asks else "people", plan.people),
            ("the storm", f"{plan.seconds:.0f} s"),
            ("then, until all was told", f"{self.seconds - plan.seconds:.0f} s"),
            *sorted(self.storm.items()),
            *self.report.counts.items(),
            ("things taken over", self.takeovers),
            ("late messages taken back", self.taken_back),
            ("from the confirmation to the end, median", f"{statistics.median(seconds):.1f} s"),
            ("from the confirmation to the end, longest", f"{max(seconds):.1f} s"),
            ("**broken promises**", f"**{len(self.report.broken) + len(self.unfinished)}**"),
        ]
        lines = ["| what | how many |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
        return "\n".join([*lines, "", *self.report.broken, *self.unfinished])


async def run(plan: Plan, folder: Path, database_url: str) -> Outcome:
    """Let it happen, then wait until all is told, and compare the books."""
    buyers = tuple(
        SlackPerson(id=f"U0C{number:03}", name=f"c{number}", real_name=f"Customer {number}")
        for number in range(plan.people)
    )
    groups = teams(plan.people) if plan.asks else []
    people = tuple(each for team in groups for each in team.everybody) if plan.asks else buyers
    async with open_cluster(folder, database_url, seed=plan.seed, people=people) as cluster:
        cluster.portal.charge_rate_limit = None
        cluster.portal_clock.speed = PORTAL_SPEED
        for organization in cluster.portal.organizations.values():
            organization.cap = None
        for _ in range(plan.replicas):
            await cluster.start(POLL_INTERVAL_SECONDS="0.5", LOG_LEVEL="INFO", **PACE)
        random = Random(plan.seed)  # noqa: S311 - to be repeated, not to be secret
        if plan.asks:
            for number, team in enumerate(groups):
                await connect(cluster, team, number)
                await watch(cluster, team)
            return await _play(plan, cluster, _asked(plan, cluster, groups), random)
        for person in buyers:
            # Each acts with a portal account of their own: those with one account wait for one another.
            cluster.portal.people[person.id] = replace(
                cluster.portal.people["ada"],
                key=person.id,
                email=f"{person.name}@acme.example",
                account=f"did:{person.name}",
            )
            await cluster.link(person.id, person.id)
        storm_seed = random.random()
        wanted = _wanted(plan, cluster, [person.id for person in buyers], random)
        return await _play(plan, cluster, wanted, random, storm_seed)


async def _play(
    plan: Plan,
    cluster: Cluster,
    wanted: Sequence[Sequence[Person | Asked]],
    random: Random,
    storm_seed: float | None = None,
) -> Outcome:
    storm = Storm(cluster=cluster, random=Random(storm_seed or random.random()))  # noqa: S311
    over, began = asyncio.Event(), time.monotonic()
    blowing = asyncio.create_task(storm.blow(over))
    burning = asyncio.create_task(burn(cluster, storm.random, over))
    crowd = [asyncio.create_task(_go_on(cluster, storm, each, random, plan.seconds)) for each in wanted]
    await asyncio.wait(crowd, timeout=plan.seconds)
    await asyncio.sleep(max(0.0, plan.seconds - (time.monotonic() - began)))
    over.set()
    await asyncio.gather(blowing, burning)
    _, late = await asyncio.wait(crowd, timeout=CALM_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*(set(crowd) - late))
    unfinished = [str(person) for persons in wanted for person in persons if not person.at_end]
    await _quiet(cluster)
    logs = "".join(path.read_text() for path in sorted(cluster.folder.glob("replica*.log")))
    return Outcome(
        plan=plan,
        report=await (_audit_all(cluster) if plan.asks else audit(cluster)),
        storm=storm.done,
        takeovers=logs.count("engine.taken_over"),
        taken_back=logs.count("delivery.taken_back"),
        seconds=time.monotonic() - began,
        unfinished=unfinished,
    )


async def _audit_all(cluster: Cluster) -> Report:
    report, alerts = await audit_requests(cluster), await audit_alerts(cluster)
    return replace(
        report, counts={**report.counts, **alerts.counts}, broken=[*report.broken, *alerts.broken]
    )


def _asked(plan: Plan, cluster: Cluster, groups: Sequence[Team]) -> list[list[Asked]]:
    """Return what is asked for in each team, one after the other; no amount twice."""
    made: list[list[Asked]] = [[] for _ in groups]
    for number in range(plan.purchases):
        place, turn = number % len(groups), number // len(groups)
        made[place].append(asked(cluster, groups[place], str(11 + turn)))
    return made


def _wanted(plan: Plan, cluster: Cluster, users: list[str], random: Random) -> list[list[Person]]:
    """Draw what each of the people buys, one after the other; no amount twice for the same person."""
    wanted: list[list[Person]] = [[] for _ in users]
    for number in range(plan.purchases):
        user = users[number % len(users)]
        turn = number // len(users)
        amount = "10.01" if turn == 1 and random.random() < DECLINED else str(11 + turn)
        person = Person(slack=cluster.slack, portal=cluster.portal, user=user, account=user, amount=amount)
        wanted[number % len(users)].append(person)
    return wanted


async def _go_on(
    cluster: Cluster, storm: Storm, persons: Sequence[Person | Asked], random: Random, seconds: float
) -> None:
    """Do one thing after the other, over all the storm; each click may land on any replica."""
    began = time.monotonic()
    for number, person in enumerate(persons):
        due = seconds * (number + random.uniform(0, 0.8)) / len(persons)
        await asyncio.sleep(max(0.0, due - (time.monotonic() - began)))
        while not person.at_end:
            doors = storm.open_doors() or cluster.replicas
            cluster.slack.app_url = f"{random.choice(doors).url}/slack/events"
            await person.step()
            await asyncio.sleep(STEP_SECONDS)


async def _quiet(cluster: Cluster) -> None:
    """Wait until nothing is due any more, and the late ones have taken back what they must."""
    async with asyncio.timeout(60):
        while await cluster.ask(
            """SELECT 1 FROM charges c JOIN deliveries m ON m.id = c.id
            WHERE m.due_at IS NOT NULL OR m.lease_token IS NOT NULL OR c.lease_token IS NOT NULL
            UNION ALL SELECT 1 FROM deliveries
            WHERE due_at < now() + interval '1 minute' OR lease_token IS NOT NULL"""
        ):
            await asyncio.sleep(0.5)

"""Requests in a storm: one person asks for each, and two click at the same moment to decide on it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.sandbox.slack.directory import Person as SlackPerson
from tests.chaos.books import audit_rows, read_ledger
from tests.support.person import Approver, Asker, Person, cards

if TYPE_CHECKING:
    from tests.chaos.books import Report
    from tests.support.cluster import Cluster

ENDS = {
    "done": "added",
    "failed": "Failed:",
    "expired": "Ended without",
}
"""What the cards of an ended request say."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """A person who asks, two who may pay, and one who watches, in an organization of their own."""

    asks: SlackPerson
    pays: tuple[SlackPerson, SlackPerson]
    sees: SlackPerson

    @property
    def everybody(self) -> tuple[SlackPerson, ...]:
        return self.asks, *self.pays, self.sees


def teams(count: int) -> list[Team]:
    def person(number: int, role: str) -> SlackPerson:
        name = f"{role}{number}"
        return SlackPerson(id=f"U0{name.upper()}", name=name, real_name=f"{role.title()} {number}")

    return [
        Team(
            asks=person(number, "asks"),
            pays=(person(number, "pays"), person(number, "also")),
            sees=person(number, "sees"),
        )
        for number in range(count)
    ]


async def connect(cluster: Cluster, team: Team, number: int) -> None:
    """Give a team an organization of its own, with a member and two who may pay, and connect them.

    In every second team two people decide: whoever is faster agrees, and the other pays.
    """
    portal = cluster.portal
    slug = f"team{number}"
    portal.organizations[slug] = replace(
        portal.organizations["acme"], slug=slug, id=f"org_{slug}", name=f"Team {number}", cap=None
    )
    for each in team.everybody:
        portal.people[each.id] = replace(
            portal.people["linus" if each in {team.asks, team.sees} else "ada"],
            key=each.id,
            email=f"{each.name}@{slug}.example",
            account=f"did:{each.name}",
            organization=slug,
        )
        await cluster.link(each.id, each.id)
    if number % 2:
        await cluster.two_people(team.pays[0].id, 1)


@dataclass(kw_only=True)
class Asked:
    """One request: who asks, and the two who pay it as soon as they can."""

    asker: Asker
    payers: tuple[Approver, Approver]

    def __str__(self) -> str:
        return f"{self.asker.amount}: {self.asker} / {self.payers[0]} / {self.payers[1]}"

    @property
    def at_end(self) -> bool:
        return self.asker.at_end

    async def step(self) -> None:
        """Let each of them do the next thing, at the same moment."""
        people: tuple[Person, ...] = (self.asker, *self.payers)
        await asyncio.gather(*(each.step() for each in people))


def asked(cluster: Cluster, team: Team, amount: str) -> Asked:
    def person(kind: type[Person], each: SlackPerson) -> Person:
        return kind(
            slack=cluster.slack, portal=cluster.portal, user=each.id, account=each.id, amount=amount
        )

    one, other = (person(Approver, each) for each in team.pays)
    asker = person(Asker, team.asks)
    assert isinstance(asker, Asker)
    assert isinstance(one, Approver)
    assert isinstance(other, Approver)
    return Asked(asker=asker, payers=(one, other))


async def audit_requests(cluster: Cluster) -> Report:
    """Compare the books: each request is decided once, paid at most once, and its cards say so."""
    ledger = await read_ledger(cluster)
    report = await audit_rows(cluster, ledger)
    found = await cluster.ask("""SELECT id, "user", amount, state, decided_by, tries FROM requests""")
    paid = await cluster.ask(
        "SELECT request_id, count(*) AS times FROM charges WHERE state = 'settled' GROUP BY request_id"
    )
    payments = {row["request_id"]: row["times"] for row in paid}
    broken = list(report.broken)
    wanted = Counter((row["user"], row["amount"]) for row in found)
    broken += [f"asked once and filed {times} times: {what}" for what, times in wanted.items() if times > 1]
    for row in found:
        times = payments.get(row["id"], 0)
        if times != (1 if row["state"] == "done" else 0):
            broken.append(f"{row['id']} is {row['state']} and was paid {times} times")
        if row["state"] not in ENDS:
            broken.append(f"{row['id']} has no end: {row['state']}")
    readers = await cluster.ask(
        """SELECT d."user" AS reader, r.id, r.state FROM deliveries d
        JOIN requests r ON r.id = d.subject_id AND d.subject_kind = 'request'"""
    )
    for row in readers:
        texts = [
            card["text"]
            for card in cards(cluster.slack, row["reader"])
            if card["metadata"]["event_payload"]["request"] == row["id"]
        ]
        if len(texts) != 1:
            broken.append(f"{row['id']} has {len(texts)} cards for {row['reader']}")
        elif ENDS.get(row["state"], "") not in texts[0]:
            broken.append(f"{row['id']} is {row['state']} and {row['reader']} reads {texts[0][:60]!r}")
    counts = {
        "requests in our ledger": len(found),
        **{f"requests {state}": count for state, count in Counter(row["state"] for row in found).items()},
        "decided more than once, as nothing was charged before": sum(row["tries"] > 0 for row in found),
        "cards": len(readers),
        **report.counts,
    }
    return replace(report, counts=counts, broken=broken)

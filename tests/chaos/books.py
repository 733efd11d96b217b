"""The promise, checked against everybody's own books: the portal's, Slack's, and our ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from blocks import ids

if TYPE_CHECKING:
    from tests.support.cluster import Cluster

UNCHARGED = {"refused", "expired", "cancelled"}
TOLD = {
    "settled": "added to your balance",
    "failed": "was declined",
    "refused": "was not charged",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A confirmed charge in our ledger."""

    id: str
    user: str
    amount: str
    state: str
    key: str
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was counted, and every broken promise in a line each."""

    counts: dict[str, int]
    broken: list[str]
    seconds: list[float]


async def read_ledger(cluster: Cluster) -> list[Row]:
    """Return the confirmed charges."""
    rows = await cluster.ask(
        """SELECT id, "user", amount, state, idempotency_key,
        EXTRACT(EPOCH FROM ended_at - confirmed_at)::float AS seconds
        FROM charges WHERE confirmed_at IS NOT NULL"""
    )
    return [
        Row(
            id=row["id"],
            user=row["user"],
            amount=row["amount"],
            state=row["state"],
            key=row["idempotency_key"],
            seconds=row["seconds"],
        )
        for row in rows
    ]


async def audit(cluster: Cluster) -> Report:
    """Compare the three books: each person wants each amount once."""
    ledger = await read_ledger(cluster)
    report = await audit_rows(cluster, ledger)
    wanted = Counter((row.user, row.amount) for row in ledger)
    twice = [f"wanted once and bought {times} times: {what}" for what, times in wanted.items() if times > 1]
    return replace(report, broken=[*report.broken, *twice])


async def audit_rows(cluster: Cluster, ledger: list[Row]) -> Report:
    """Compare what was confirmed with what was charged and told."""
    charged = Counter(charge.idempotency_key for charge in cluster.portal.charges)
    status = {charge.idempotency_key: charge.status for charge in cluster.portal.charges}
    messages = _messages(cluster, {row.user for row in ledger})
    broken = [
        f"charged without a confirmation: {key}"
        for key in charged
        if key not in {row.key for row in ledger}
    ]
    for row in ledger:
        broken += _broken(row, charged[row.key], status.get(row.key), messages[row.id])
    broken += [
        f"a confirmation was acknowledged and is not stored: {charge}" for charge in await _lost(cluster)
    ]
    broken += [f"Slack's rules: {violation}" for violation in cluster.slack.violations]
    counts = {
        "confirmed in our ledger": len(ledger),
        "charges in the portal's book": sum(charged.values()),
        "messages in Slack's": sum(len(texts) for texts in messages.values()),
        **{f"ended: {state}": count for state, count in Counter(row.state for row in ledger).items()},
        "requests for money": len(cluster.portal.charge_posts),
    }
    seconds = sorted(row.seconds for row in ledger if row.seconds is not None)
    return Report(counts=counts, broken=broken, seconds=seconds)


def _broken(row: Row, charges: int, status: str | None, texts: list[str]) -> list[str]:
    found = []
    if charges != (0 if row.state in UNCHARGED else 1):
        found.append(f"{row.id} is {row.state} and was charged {charges} times")
    if row.state in {"settled", "failed"} and status != row.state:
        found.append(f"{row.id} is {row.state} here and {status} there")
    if row.state not in TOLD:
        found.append(f"{row.id} has no end: {row.state}")
    if len(texts) != 1:
        found.append(f"{row.id} has {len(texts)} messages")
    elif TOLD.get(row.state, "") not in texts[0]:
        found.append(f"{row.id} is {row.state} and was told {texts[0][:60]!r}")
    return found


def _messages(cluster: Cluster, users: set[str]) -> defaultdict[str, list[str]]:
    """Return the texts of the messages about each charge."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for user in users:
        for message in cluster.slack.messages(cluster.slack.dm(user)):
            metadata: dict[str, Any] = message.get("metadata") or {}
            if metadata.get("event_type") == ids.CHARGE_EVENT:
                found[metadata["event_payload"]["charge"]].append(message["text"])
    return found


async def _lost(cluster: Cluster) -> list[str]:
    """Return the charges whose confirmation was acknowledged to Slack, and which are not stored."""
    stored = {row.id for row in await read_ledger(cluster)}
    acknowledged = set()
    for delivery in cluster.slack.deliveries:
        if delivery.kind == "view_submission" and "Processing" in str(delivery.response):
            acknowledged.add(str(delivery.body["view"]["private_metadata"]).partition(" ")[0])
    return sorted(acknowledged - stored)

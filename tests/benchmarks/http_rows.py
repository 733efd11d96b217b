"""What a person waits for: the answer to a command, and the acknowledgement of a stored confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import load, processes
from tests.benchmarks.table import RUNS, Row, alternate, ratio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.benchmarks.databases import Place

HELP_REQUESTS = {1: 400, 32: 3_000, 128: 3_000}
CONFIRM_REQUESTS = {1: 150, 64: 640}
STATEMENTS = 3
NOBODYS = ["x", "U00001", ""]


async def help_rows(folder: Path) -> AsyncIterator[Row]:
    """Signed `/billing help` over HTTP, beside the bare Bolt app."""
    async with (
        processes.wire() as wire,
        processes.bare() as peer,
        processes.ours(wire, f"sqlite:///{folder / 'help.db'}", folder) as (port, _, _),
    ):
        for connections, count in HELP_REQUESTS.items():

            async def measure(target: int, connections: int = connections, count: int = count) -> load.Load:
                requests = [load.help_request(wire, number) for number in range(count)]
                return await load.send(target, requests, connections)

            await measure(port), await measure(peer)
            own, theirs = await alternate(lambda: measure(port), lambda: measure(peer))
            what = f"`/billing help`, {connections} connection{'s' if connections > 1 else ''}"
            for name, value in (("p50", 0.5), ("p99", 0.99)):
                yield ratio(
                    f"{what}: {name}",
                    [each.percentile(value) for each in own],
                    [each.percentile(value) for each in theirs],
                    unit="ms",
                    peer="bare Bolt app",
                    at_most=1.25 if name == "p50" else None,
                )
            yield ratio(
                f"{what}: requests a second",
                [each.per_second for each in own],
                [each.per_second for each in theirs],
                unit="/s",
                peer="bare Bolt app",
                at_least=0.8,
            )


async def confirm_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """A confirmation, stored durably, to its acknowledgement, beside the bare app with one durable insert.

    And beside the same with as many statements as a confirmation has, on the engine that ours uses: the
    charge, its message, and the audit log.
    """
    for at_once, count in CONFIRM_REQUESTS.items():
        async with (
            place.database(folder, empty=True) as bare_url,
            place.database(folder) as url,
            processes.wire() as wire,
            processes.bare(bare_url) as one,
            processes.bare(bare_url, str(STATEMENTS)) as many,
            processes.ours(wire, url, folder, proposals=count * (RUNS + 1), work=False) as (port, plan, _),
        ):
            ids = iter(plan["ids"])
            found: dict[int, list[load.Load]] = {port: [], one: [], many: []}
            for _ in range(RUNS + 1):
                for target, loads in found.items():
                    some = [next(ids) if target == port else NOBODYS for _ in range(count)]
                    requests = [load.pay_request(charge, user) for charge, user, _ in some]
                    loads.append(await load.send(target, requests, at_once))
            what = f"a confirmation stored and acknowledged, {at_once} at once, {place.name}"
            p50 = {name: [each.percentile(0.5) for each in loads[1:]] for name, loads in found.items()}
            p99 = {name: [each.percentile(0.99) for each in loads[1:]] for name, loads in found.items()}
            peer, as_many = (
                "bare Bolt app and one insert",
                f"bare Bolt app and {STATEMENTS} inserts on our engine",
            )
            yield ratio(f"{what}: p50", p50[port], p50[one], unit="ms", peer=peer, at_most=1.5)
            yield ratio(f"{what}: p50", p50[port], p50[many], unit="ms", peer=as_many)
            yield ratio(f"{what}: p99", p99[port], p99[one], unit="ms", peer=peer, below=250)
    yield await _on_one_account(folder, place)


async def _on_one_account(folder: Path, place: Place) -> Row:
    """64 people at once with one portal account, beside 64 with an account each: they wait in turn."""
    at_once, count = 64, CONFIRM_REQUESTS[64]
    found: dict[bool, list[float]] = {True: [], False: []}
    for one_account in (True, False) * RUNS:
        async with (
            place.database(folder) as url,
            processes.wire() as wire,
            processes.ours(wire, url, folder, proposals=count, work=False, one_account=one_account) as (
                port,
                plan,
                _,
            ),
        ):
            requests = [load.pay_request(charge, user) for charge, user, _ in plan["ids"]]
            found[one_account].append((await load.send(port, requests, at_once)).percentile(0.5))
    what = f"a confirmation stored and acknowledged, {at_once} at once on one account, {place.name}: p50"
    return ratio(what, found[True], found[False], unit="ms", peer="an account each")

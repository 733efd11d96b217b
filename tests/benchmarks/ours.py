"""The app as it is, started with work in its ledger; only the pace of requests is lifted.

    python -m tests.benchmarks.ours PLAN.json

The plan says how many proposals and charges in flight the ledger starts with; their ids are written into
it. Settings come from the environment, as always.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from bot.app import Listener, open_app
from bot.domain.charge import Charge, ChargeState
from bot.domain.identity import Account, Identity
from bot.domain.payment import PaymentMethod
from bot.environment import load_settings
from bot.log import configure_logging
from bot.serving import listen, serve_http, settle_memory
from bot.storage.charges.rows import values_of
from bot.storage.cipher import Cipher
from bot.storage.links import Link, LinkStore
from bot.storage.tables import charges, deliveries
from tests.benchmarks.watched import fill_watches

if TYPE_CHECKING:
    from bot.runtime import Runtime

PEOPLE = 5_000


def person(number: int) -> Identity:
    """One of the people who buy."""
    return Identity(enterprise="", team="T0ACME", user=f"U{number % PEOPLE:05}")


def account_of(identity: Identity, *, one_account: bool) -> str:
    """Each person's own portal account, or one for all of them."""
    return "did:bench" if one_account else f"did:{identity.user}"


def charge(runtime: Runtime, number: int, state: ChargeState, *, one_account: bool = False) -> Charge:
    now = runtime.clock.now()
    going = state is ChargeState.SUBMITTED
    return Charge(
        id=uuid.uuid4().hex[:16],
        identity=person(number),
        state=state,
        # No two alike, so that none asks "buy again?".
        amount=Decimal(500 + number % 90_000) / 100,
        idempotency_key=str(uuid.uuid4()),
        account_id=account_of(person(number), one_account=one_account),
        organization_id="org_acme",
        organization_name="Acme Research",
        payment_method=PaymentMethod(brand="visa", last4="4242"),
        created_at=now,
        confirmed_at=now if going else None,
        submitted_at=now if going else None,
        deadline=now + timedelta(hours=1) if going else None,
        portal_charge_id=f"bg_{uuid.uuid4().hex[:12]}" if going else None,
    )


async def link(runtime: Runtime, people: set[Identity], *, one_account: bool = False) -> None:
    store = LinkStore(runtime.database, Cipher(runtime.settings.keys()))
    now = runtime.clock.now()
    async with runtime.database.transaction() as connection:
        for each in people:
            grant = Link(
                identity=each,
                account=Account(
                    account_id=account_of(each, one_account=one_account),
                    email=None,
                    organization_id="org_acme",
                    organization_name="Acme",
                ),
                base_url=str(runtime.settings.portal_base_url),
                scope="billing:manage",
                expires_at=now + timedelta(hours=8),
                access=f"token-{each.user}",
                refresh="r",
                linked_at=now,
            )
            await store.put(grant, within=connection)


async def fill(runtime: Runtime, made: list[Charge], *, due: bool) -> None:
    """Put charges into the ledger as they would stand there, with their deliveries if they go on."""
    now = runtime.clock.now()
    due_at = now if due else now + timedelta(minutes=15)
    cipher = Cipher(runtime.settings.keys())
    signed = [replace(each, offer_signature=cipher.sign(*each.offer)) for each in made]
    rows = [values_of(each) | {"due_at": due_at} for each in signed]
    async with runtime.database.transaction() as connection:
        for start in range(0, len(rows), 500):
            await connection.execute(insert(charges), rows[start : start + 500])
        posted = [
            _posted(each, number) for number, each in enumerate(made) if each.state is ChargeState.SUBMITTED
        ]
        for start in range(0, len(posted), 500):
            await connection.execute(insert(deliveries), posted[start : start + 500])


def _posted(charge: Charge, number: int) -> dict[str, Any]:
    """Return the row of a delivery whose message says that the charge is in progress."""
    person = charge.identity
    return {
        "id": charge.id,
        "subject_kind": "charge",
        "subject_id": charge.id,
        "enterprise": person.enterprise,
        "team": person.team,
        "user": person.user,
        "owner": person.key,
        "created_at": charge.created_at,
        "channel": "D0ADA",
        "ts": f"{number}.1",
        "posting_since": charge.created_at,
        "digest": "x",
    }


async def main(plan_file: Path) -> None:
    plan = json.loads(plan_file.read_text())
    settings = load_settings()
    configure_logging("WARNING", "json")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = Listener.HTTP if plan.get("listen", True) else Listener.NONE
    with listen(settings) as address:
        async with open_app(settings, listener=listener, worker=plan.get("work", True)) as app:
            runtime = app.runtime
            for pace in (runtime.person_rate, runtime.workspace_rate):
                pace.__init__(burst=1e12, per_second=1e12)  # type: ignore[misc]
            if plan.get("watches"):
                await fill_watches(
                    runtime, plan["watches"], plan["past"], token_seconds=plan["token_seconds"]
                )
            if plan.get("fill", "proposals" in plan or "watches" not in plan):
                one = plan.get("one_account", False)
                proposals = [
                    charge(runtime, n, ChargeState.PROPOSED, one_account=one)
                    for n in range(plan.get("proposals", 0))
                ]
                # Other amounts than the proposals', or "buy again?" would be asked.
                others = range(50_000, 50_000 + plan.get("going", 0))
                going = [charge(runtime, n, ChargeState.SUBMITTED) for n in others]
                await link(runtime, {each.identity for each in (*proposals, *going)}, one_account=one)
                await fill(runtime, proposals, due=False)
                await fill(runtime, going, due=True)
                plan["ids"] = [(each.id, each.identity.user, each.idempotency_key) for each in proposals]
                plan_file.write_text(json.dumps(plan))
            settle_memory()
            await serve_http(app.asgi, address, stop)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

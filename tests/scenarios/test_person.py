"""What is stored about a person can be printed, and forgotten."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import String, Text, insert, select, update

from bot.domain.budget import Budget, Mode, Whose
from bot.domain.charge import ChargeState
from bot.domain.identity import Identity
from bot.services.routing import key_of
from bot.storage.columns import metadata
from bot.storage.person import KEYS, LOG, OWNED, TEXTS, USERS, NotForgottenError, forget_person, show_person
from bot.storage.tables import app_home_viewers, audit, away, links
from bot.storage.team_tables import policies
from tests.support.asking import ask, asked, connected, pay, set_budgets, set_policy
from tests.support.house import ADA, GRACE, LINUS, TEAM
from tests.support.steps import answered, money_requests
from tests.support.steps import ask as typed
from tests.support.watching import read, watches

if TYPE_CHECKING:
    from tests.support.house import House

SHORTEST_NAME = 9
"""As many characters as the shortest Slack id has."""

NAME_NOBODY = {
    "audit_seals": {"digest"},
    "charges": {"state"},
    "episodes": {"id", "watch_id", "kind", "closed_why", "facts"},
    "installations": {"owner", "enterprise", "team", "name", "bot_user", "scopes", "sealed_token"},
    "locks": {"tenant", "reason"},
    "messages": {"id", "channel", "ts", "digest", "reply_key", "replied_key", "view_id"},
    "oauth_states": {"digest"},
    "policies": {"id", "tenant", "base_url", "organization_id", "organization_name", "signature"},
    "readings": {"watch_id", "method", "source"},
    "seen_requests": {"signature"},
    "turns": {"name"},
    "watches": {
        *("id", "tenant", "base_url", "organization_id", "organization_name"),
        *("enterprise", "team", "zone", "state", "post_to"),
    },
    "audit": {"action", "result", "origin"},
}
"""Columns of texts that are about an organization, a workspace, a moment or a message."""


async def forget(house: House, user: str = ADA) -> tuple[bool, int]:
    """Forget a person, once no message is on its way to them."""
    forgotten: list[tuple[bool, int]] = []

    async def tried() -> bool:
        try:
            forgotten.append(await forget_now(house, user))
        except NotForgottenError as error:
            if "a message to them" not in str(error):
                raise
        return bool(forgotten)

    await house.until_async(tried)
    return forgotten[0]


async def forget_now(house: House, user: str = ADA) -> tuple[bool, int]:
    """The same, with whatever is going on."""
    cipher = house.app.runtime.links._cipher
    return await forget_person(house.app.runtime.database, cipher, TEAM, user)


async def show(house: House, user: str = ADA) -> dict[str, Any]:
    return await show_person(house.app.runtime.database, TEAM, user)


async def named_in(house: House, user: str) -> set[str]:
    """The tables in which a person's id still stands."""
    found = set()
    async with house.app.runtime.database.read() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(select(table))).all()
            if any(user in str(value) for row in rows for value in row):
                found.add(table.name)
    return found


def test_every_column_that_can_name_a_person_is_known() -> None:
    known = {*KEYS, *USERS, *TEXTS, *LOG}
    unknown = {
        f"{table.name}.{column.key}"
        for table in metadata.sorted_tables
        if table not in OWNED
        for column in table.c
        if isinstance(column.type, String | Text)
        and (column.type.length or SHORTEST_NAME) >= SHORTEST_NAME
        and column not in known
        and column.key not in NAME_NOBODY.get(table.name, set()) | {"lease_token"}
    }
    others = {each for each in unknown if not each.startswith("alembic_version")}
    assert others == set()


async def test_a_person_who_has_done_everything_is_forgotten(house: House) -> None:
    await house.restart(lock_users=(ADA,))
    await asked(house)
    await set_policy(house, approvers=(ADA, GRACE), two_people_from=Decimal(500))
    await set_budgets(
        house, Budget(whose=Whose.PERSON, subject=ADA, amount=Decimal(900), mode=Mode.ASK, set_by=ADA)
    )
    await pay(house, ADA)
    await house.told("$50 added for you", LINUS)
    await watches(house, ADA)
    await read(house)
    await typed(house, f"/billing away 3d <@{ADA}|ada>", GRACE)
    await house.slack.open_home(ADA)
    await house.buy("40", ADA)
    await house.told("$40 added to your balance", ADA)
    await house.slack.command(ADA, "/billing lock Audit week")
    await answered(house, "Spending is paused", ADA)
    await house.until(lambda: house.app.engine.in_flight == 0)
    shown = await show(house)
    assert {"links", "charges", "deliveries", "audit", "watch_consents"} <= shown.keys()
    assert {"requests, decided_by", "policies, facts", "locks, locked_by", "away, delegate"} <= shown.keys()
    assert not {"sealed", "idempotency", "signature"} & set(json.dumps(shown).split("_"))
    assert await show(house, ADA[:-1]) == {}  # an id that begins as hers does
    was_known, entries = await forget(house)
    assert was_known
    assert entries == len(shown["audit"]) + 2  # that they were disconnected, and forgotten
    assert await named_in(house, ADA) == {audit.name}
    assert (await show(house)).keys() == {"audit"}
    charged = [each async for each in _charges(house)]
    assert [str(amount) for amount in charged] == ["50.00", "40.00"]


async def _charges(house: House) -> Any:
    async with house.app.runtime.database.read() as connection:
        for row in await connection.execute(select(metadata.tables["charges"])):
            yield row.amount


async def test_policies_that_named_them_hold_on_and_nobody_decides_in_their_place(house: House) -> None:
    await connected(house)
    await set_policy(house, approvers=(ADA,))
    assert (await forget(house))[0]
    link = await house.app.runtime.links.get(house.identity(GRACE))
    assert link is not None
    policy = await house.app.runtime.policies.newest(key_of(house.identity(GRACE), link))
    assert (policy.is_broken, policy.approvers) == (False, ("forgotten",))


async def test_while_a_purchase_is_under_way_nothing_is_forgotten(house: House) -> None:
    await house.link()
    house.portal_clock.speed = 0.01
    await house.buy("50")
    await house.until_async(lambda: _has_charge(house, ChargeState.SUBMITTED))
    charge = (await house.app.runtime.charges.of_owner(house.identity(ADA).key, limit=1, offset=0))[0]
    with pytest.raises(NotForgottenError, match=f"not forgotten: purchase {charge.id}"):
        await forget_now(house)
    assert await house.app.runtime.links.get(house.identity(ADA)) is not None
    house.portal_clock.speed = 10
    await house.told("$50 added to your balance")
    assert money_requests(house) == 1
    assert (await forget(house))[0]


@pytest.mark.parametrize("ahead", [0, 4, 12, 20, 28, 40])
async def test_of_a_confirmation_and_forgetting_at_once_one_waits_for_the_other(
    house: House, ahead: int
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    confirming = asyncio.create_task(house.slack.submit(ADA))
    for _ in range(ahead):
        await asyncio.sleep(0)
    was_forgotten = False
    try:
        was_forgotten, _ = await forget_now(house)
    except NotForgottenError as error:
        assert "purchase" in str(error) or "a message to them" in str(error)  # noqa: PT017 - either is right
    await confirming
    if was_forgotten:
        await house.until(lambda: house.app.engine.in_flight == 0)
        assert money_requests(house) == 0
    else:
        await house.told("$50 added to your balance")
        assert money_requests(house) == 1


async def _has_charge(house: House, state: ChargeState) -> bool:
    found = await house.app.runtime.charges.of_owner(house.identity(ADA).key, limit=1, offset=0)
    return bool(found) and found[0].state is state


async def test_an_open_request_is_taken_back_and_others_read_that_before_it_is_gone(house: House) -> None:
    await connected(house)
    await ask(house)
    await house.told("asks for $50", ADA)
    await house.until(lambda: house.app.engine.in_flight == 0)
    with pytest.raises(NotForgottenError, match="their connection has ended and request"):
        await forget(house, LINUS)
    await house.until(lambda: "asks for" not in house.last_message(ADA).text)
    await house.until_async(lambda: _is_forgotten(house, LINUS))
    assert await named_in(house, LINUS) == {audit.name}


async def _is_forgotten(house: House, user: str) -> bool:
    try:
        return (await forget(house, user))[0]
    except NotForgottenError:
        return False


async def test_of_a_person_whom_the_app_never_met_nothing_is_stored(house: House) -> None:
    assert await show(house, "U0NOBODY") == {}
    assert await forget(house, "U0NOBODY") == (False, 0)


async def test_a_policy_that_was_changed_in_the_database_stays_as_it_is(house: House) -> None:
    await connected(house)
    await set_policy(house, approvers=(ADA, GRACE))
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(update(policies).values(signature="0" * 64))
    with pytest.raises(NotForgottenError, match="is not what the app stored"):
        await forget(house)
    assert await house.app.runtime.links.get(house.identity(ADA)) is not None


async def test_in_a_grid_the_workspace_and_the_organization_both_lead_to_the_person(house: House) -> None:
    await house.link()
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(update(links).values(enterprise="E0GRID", owner="E0GRID:U0ADA"))
        await transaction.execute(insert(app_home_viewers).values(owner="E0GRID:U0ADA"))
        await transaction.execute(
            insert(away).values(owner="T0ACME:U0ADA", until=transaction.now() + timedelta(days=1))
        )
    for team in (TEAM, "E0GRID"):
        shown = await show_person(house.app.runtime.database, team, ADA)
        assert {"links", "homes", "away"} <= shown.keys()
    assert (await forget(house))[0]
    assert await named_in(house, ADA) == {audit.name}


async def test_a_policy_that_moved_into_a_grid_holds_on(house: House) -> None:
    await connected(house)
    await set_policy(house, approvers=(ADA, GRACE))
    installation = await house.app.runtime.workspaces.all()
    await house.app.runtime.lifecycle.installed(replace(installation[0], enterprise="E0GRID"))
    assert (await forget(house))[0]
    grace = Identity(enterprise="E0GRID", team=TEAM, user=GRACE)
    link = await house.app.runtime.links.get(grace)
    assert link is not None
    policy = await house.app.runtime.policies.newest(key_of(grace, link))
    assert (policy.is_broken, policy.approvers) == (False, (GRACE,))
    assert await named_in(house, ADA) == {audit.name}


async def test_who_had_paused_spending_is_somebody_for_those_whom_it_stopped(house: House) -> None:
    await house.link(GRACE, "grace")
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(insert(app_home_viewers).values(owner=f"{TEAM}:{ADA}"))
    await house.buy("50", GRACE)
    await house.told("$50 added to your balance", GRACE)
    stopped = {"state": "refused", "refusal": "spending_stopped", "refusal_detail": f"{ADA} Audit week"}
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(update(metadata.tables["charges"]).values(**stopped))
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert (await forget(house))[0]
    charge = (await house.app.runtime.charges.of_owner(f"{TEAM}:{GRACE}", limit=1, offset=0))[0]
    assert charge.refusal_detail == "forgotten Audit week"
    assert await named_in(house, ADA) == {audit.name}

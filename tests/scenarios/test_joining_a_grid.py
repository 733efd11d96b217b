"""A workspace joins an Enterprise Grid organization: from then on it names its people."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import insert, select, update

from bot.domain.identity import Identity
from bot.sandbox.serving import serve
from bot.sandbox.slack.directory import Enterprise
from bot.storage.tables import charges, let_in
from tests.support.house import ADA, DIRECTORY, House, make_slack
from tests.support.steps import ask, money_requests, shown_in_modal

GRID = Enterprise(id="E0GRID", name="Grid Works")
JOINED = replace(DIRECTORY, teams=(replace(DIRECTORY.home_team, enterprise=GRID), *DIRECTORY.teams[1:]))
IN_GRID = Identity(enterprise="E0GRID", team="T0ACME", user=ADA)


async def test_connections_limits_and_a_lock_follow_their_workspace_with_one_token_and_a_restart(
    house: House,
) -> None:
    await house.restart(max_charge_per_day=Decimal(100), lock_users=(ADA,))
    await house.link(ADA)
    await house.buy("60")
    await house.told("$60 added to your balance")
    await ask(house, "/billing lock card stolen")
    slack = make_slack(JOINED)
    async with serve(slack.app) as url:
        house.slack, slack.public_url = slack, url
        await house.restart(slack_api_url=f"{url}/api/")
        assert "card stolen" in await ask(house, "/billing")
        await ask(house, "/billing unlock")
        assert "Add funds" in house.last_ephemeral()["text"] or "to use" in await ask(house, "/billing")
        assert "$60" in await ask(house, "/billing history")
        await house.slack.command(ADA, "/billing buy 60")
        await shown_in_modal(house, "The largest amount is $40")
        await house.slack.close(ADA, everything=True)
        await house.buy("40")
        await house.told("$40 added to your balance")
        await house.stop()


async def test_a_charge_that_was_changed_is_not_signed_by_the_move(house: House) -> None:
    await house.link(ADA)
    await house.slack.command(ADA, "/billing buy 50")
    await shown_in_modal(house, "Pay $50 now")
    runtime = house.app.runtime
    async with runtime.database.transaction() as transaction:
        await transaction.execute(update(charges).values(amount=Decimal(500)))
    installation = await runtime.workspaces.all()
    await runtime.lifecycle.installed(replace(installation[0], enterprise="E0GRID"))
    charge = await runtime.charges.find(IN_GRID.key, "")
    assert not runtime.charges.is_agreed(charge)
    assert money_requests(house) == 0


async def test_what_the_organization_knows_already_is_not_moved_twice(house: House) -> None:
    runtime = house.app.runtime
    yes = {"base_url": "https://portal.test", "account_id": "did:grace", "at": runtime.clock.now()}
    async with runtime.database.transaction() as transaction:
        for owner in (f"T0ACME:{ADA}", IN_GRID.key):
            await transaction.execute(insert(let_in).values(owner=owner, **yes))
    installation = await runtime.workspaces.all()
    await runtime.lifecycle.installed(replace(installation[0], enterprise="E0GRID"))
    async with runtime.database.read() as connection:
        assert (await connection.execute(select(let_in.c.owner))).scalars().all() == [IN_GRID.key]

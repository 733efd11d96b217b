"""Enterprise Grid: one installation for the whole organization, or one in a workspace of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.identity import Identity
from tests.installs.test_oauth import install_url, installed

if TYPE_CHECKING:
    from tests.installs.browser import Browser
    from tests.support.house import House

MARY, KATE, STRANGER = "W0MARY", "W0KATE", "U0STRANGER"


async def connect(house: House, user: str, account: str) -> None:
    await house.slack.command(user, "/billing connect")
    await house.until(lambda: house.answer(user).code)
    house.portal.approve(house.answer(user).code, person=account)
    await house.until(lambda: "*Connected*" in house.last_ephemeral(user)["text"])


async def link_of(house: House, user: str, team: str) -> object:
    identity = Identity(enterprise="E0GRID", team=team, user=user)
    return await house.app.runtime.accounts.former_link(identity)


async def home_shows_balance(house: House, user: str) -> None:
    await house.until(lambda: "to use" in house.home(user).text)


async def test_one_installation_serves_every_workspace_of_the_organization(
    grid: House, browser: Browser
) -> None:
    page = await browser.install(install_url(grid), "E0GRID")
    assert "Grid Works" in page.text
    assert await installed(grid) == {"E0GRID:"}
    for user, account, amount in ((MARY, "ada", "50"), (KATE, "grace", "25")):
        await connect(grid, user, account)
        await grid.buy(amount, user)
        await grid.told(f"${amount} added to your balance", user)
        await grid.slack.open_home(user)
        await home_shows_balance(grid, user)


async def test_an_outsider_in_a_shared_channel_is_a_stranger(grid: House, browser: Browser) -> None:
    await browser.install(install_url(grid), "E0GRID")
    await grid.slack.command(STRANGER, "/billing", "C0SHARED")
    await grid.until(lambda: grid.slack.ephemerals(STRANGER))
    assert "not installed in your workspace" in grid.last_ephemeral(STRANGER)["text"]


async def test_people_of_a_workspace_that_leaves_the_grid_are_forgotten(
    grid: House, browser: Browser
) -> None:
    await browser.install(install_url(grid), "E0GRID")
    await connect(grid, MARY, "ada")
    await connect(grid, KATE, "grace")
    await grid.slack.revoke_team_access("T0SOUTH")

    async def left() -> bool:
        return await link_of(grid, KATE, "T0SOUTH") is None

    await grid.until_async(left)
    assert await link_of(grid, MARY, "T0NORTH") is not None
    assert await installed(grid) == {"E0GRID:"}


async def test_uninstalling_the_organization_forgets_everybody(grid: House, browser: Browser) -> None:
    await browser.install(install_url(grid), "E0GRID")
    await connect(grid, MARY, "ada")
    await connect(grid, KATE, "grace")
    await grid.slack.uninstall("E0GRID")

    async def gone() -> bool:
        return await installed(grid) == set()

    await grid.until_async(gone)
    assert await link_of(grid, MARY, "T0NORTH") is None
    assert await link_of(grid, KATE, "T0SOUTH") is None


async def test_the_end_of_the_organizations_installation_keeps_a_workspaces_own(
    grid: House, browser: Browser
) -> None:
    await browser.install(install_url(grid), "T0NORTH")
    await connect(grid, MARY, "ada")
    await browser.install(install_url(grid), "E0GRID")
    await connect(grid, KATE, "grace")
    await grid.slack.uninstall("E0GRID")

    async def gone() -> bool:
        return await link_of(grid, KATE, "T0SOUTH") is None

    await grid.until_async(gone)
    assert await installed(grid) == {"E0GRID:T0NORTH"}
    assert await link_of(grid, MARY, "T0NORTH") is not None


async def test_in_one_workspace_of_a_grid_people_are_known_by_the_grid(
    grid: House, browser: Browser
) -> None:
    await browser.install(install_url(grid), "T0NORTH")
    assert await installed(grid) == {"E0GRID:T0NORTH"}
    await connect(grid, MARY, "ada")
    assert await link_of(grid, MARY, "T0NORTH") is not None
    await grid.buy("50", MARY)
    await grid.told("$50 added to your balance", MARY)

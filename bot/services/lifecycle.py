"""What happens to connections when the app is installed or removed, or a person is deactivated.

Tokens and links are deleted at once. Charges stay in the ledger. A running job finds no link at its next
step and stops there: a charge that may have been sent becomes `unconfirmed`, any other is refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.slack.errors import SlackError, TokenDeadError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.installation import Installation
    from bot.services.accounts import Accounts
    from bot.services.workspaces import Workspaces
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.device_grants import DeviceGrantStore
    from bot.storage.links import LinkStore
    from bot.storage.tenant_move import TenantMoves

UNDELIVERED_FOR = timedelta(days=30)
"""How old an undelivered message may be to be sent after an installation."""

log = structlog.get_logger(__name__)


class NotSureError(Exception):
    """Slack did not say whether an installation still exists. Ask again."""


class Lifecycle:
    """Handles installations and people that are added or removed."""

    def __init__(
        self,
        workspaces: Workspaces,
        accounts: Accounts,
        links: LinkStore,
        grants: DeviceGrantStore,
        deliveries: Sequence[DeliveryStore],
        moves: TenantMoves,
        clock: Clock,
    ) -> None:
        self._moves = moves
        self._workspaces = workspaces
        self._accounts = accounts
        self._links = links
        self._grants = grants
        self._deliveries = deliveries
        self._clock = clock

    async def installed(self, installation: Installation) -> None:
        """Deliver the messages that could not be delivered while the app was not installed.

        What a workspace has left from before it joined a grid follows it.
        """
        log.info("lifecycle.installed", installation=installation.key)
        await self._moves.move_into_grid(installation)
        since = self._clock.now() - UNDELIVERED_FOR
        for store in self._deliveries:
            await store.look_again(enterprise=installation.enterprise, team=installation.team, since=since)

    async def ended(self, installation: Installation, *, why: str) -> None:
        """Delete an installation that Slack says has ended, if its token is dead.

        Slack's events may come late, twice, or after a new installation, so the token decides.

        Raises:
            NotSureError: Slack does not say whether the token is dead.
            StoreUnavailableError: nothing, or only a part, was deleted; it is safe to repeat.
        """
        if await self._is_alive(installation):
            log.info("lifecycle.still_installed", installation=installation.key, why=why)
            return
        # Before, so that a crash in between leaves no link; after, for a person who connected meanwhile.
        await self._forget(installation, why=why)
        await self._workspaces.remove(installation, why=why)
        await self._forget(installation, why=why)
        log.info("lifecycle.uninstalled", installation=installation.key, why=why)

    async def access_revoked(self, installation: Installation, teams: Collection[str]) -> None:
        """Delete the connections of workspaces that left an org-wide installation."""
        await self._forget_people(installation.enterprise, set(teams), why="team_access_revoked")

    async def deactivated(self, identity: Identity) -> None:
        """Delete the connection of a person whose Slack account was deactivated."""
        await self._grants.cancel_pending(identity)
        await self._links.remove(identity, why="deactivated")
        self._accounts.forget_cached(identity.key)
        log.info("lifecycle.deactivated", identity=identity.key)

    async def look_over(self) -> None:
        """Ask Slack about each installation, because the event of its end may have been lost."""
        for installation in await self._workspaces.all():
            try:
                await self.ended(installation, why="found dead")
            except NotSureError:
                log.info("lifecycle.not_sure", installation=installation.key)

    async def _forget(self, installation: Installation, *, why: str) -> None:
        """Delete the connections of people who have no other installation."""
        others = [
            each
            for each in await self._workspaces.all()
            if each.enterprise == installation.enterprise and each.key != installation.key
        ]
        if installation.team:
            if not any(not each.team and each.enterprise for each in others):
                await self._forget_people(installation.enterprise, {installation.team}, why=why)
            return
        kept = {each.team for each in others}
        await self._forget_people(installation.enterprise, set(), but=kept, why=why)

    async def _forget_people(
        self, enterprise: str, teams: Collection[str], *, but: Collection[str] = (), why: str
    ) -> None:
        if not teams and not enterprise:
            return
        await self._grants.cancel_all(enterprise=enterprise, teams=teams, but=but)
        for owner in await self._links.remove_all(enterprise=enterprise, teams=teams, but=but, why=why):
            self._accounts.forget_cached(owner)

    async def _is_alive(self, installation: Installation) -> bool:
        try:
            await self._workspaces.slack(installation).auth_test()
        except TokenDeadError:
            return False
        except SlackError as error:
            raise NotSureError(error.code) from None
        return True

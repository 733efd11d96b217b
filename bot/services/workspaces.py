"""The installations, and a Slack client for each: one by its bot token, or many by OAuth."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bot.domain.audit import Action
from bot.domain.errors import NotInstalledError, NotReadyError, StoreUnavailableError
from bot.domain.installation import Installation, Place
from bot.slack.errors import SlackRefusedError
from bot.storage.cipher import SealBrokenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.slack.client import SlackClient
    from bot.storage.audit import AuditStore
    from bot.storage.connection import Transaction

log = structlog.get_logger(__name__)

FIND_SECONDS = 1.0
"""Slack waits three seconds for an acknowledgement, so a slower database counts as unavailable."""


class Source(Protocol):
    """A source of installations."""

    async def find(self, place: Place) -> Installation | None:
        """Return the installation through which a request came."""

    async def all(self) -> Sequence[Installation]:
        """Return all installations."""

    async def is_installed(self, place: Place, *, within: Transaction) -> bool:
        """Tell whether the app is installed there; lock that until the transaction ends."""

    async def remove(self, installation: Installation, *, why: str) -> None:
        """Delete an installation that Slack has ended."""


class Standing(StrEnum):
    """What kind of person somebody is in a workspace, by Slack's flags in `users.info`."""

    MEMBER = "member"
    """A full member."""
    GUEST = "guest"
    """A guest of one or several channels."""
    OUTSIDER = "outsider"
    """Deleted, a bot, or from another workspace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A Slack person as others see them. `email` needs the scope users:read.email.

    `standing` is None if Slack does not say what kind of person it is. `zone` is the name of a time zone.
    """

    name: str | None
    workspace: str
    email: str | None = field(default=None, repr=False)
    standing: Standing | None = None
    zone: str = "UTC"


class OneWorkspace:
    """The installation of the operator's bot token; Slack names its workspace at the start."""

    def __init__(self, slack: SlackClient, audit: AuditStore, clock: Clock) -> None:
        self._slack = slack
        self._audit = audit
        self._clock = clock
        self._ended = False
        self.installation: Installation | None = None

    async def recognize(self, installed: Callable[[Installation], Awaitable[None]]) -> None:
        """Ask Slack which workspace the token belongs to, and keep it as `installation`.

        `installed` is called before any request is answered.

        Raises:
            SlackError: Slack does not accept the token, or gives no answer.
            StoreUnavailableError: from `installed`.
        """
        answer = await self._slack.auth_test()
        org_wide = bool(answer.get("is_enterprise_install"))
        installation = Installation(
            enterprise=str(answer.get("enterprise_id") or ""),
            team="" if org_wide else str(answer.get("team_id") or ""),
            name=str(answer.get("team") or ""),
            bot_user=str(answer.get("user_id") or ""),
            scopes="",
            token=str(self._slack.token),
            installed_by="",
            installed_at=self._clock.now(),
        )
        await installed(installation)
        self.installation = installation

    async def find(self, place: Place) -> Installation:  # noqa: ARG002 - the installation checks membership
        """Return the installation.

        Raises:
            NotReadyError: Slack has not named the workspace yet.
        """
        if self.installation is None:
            raise NotReadyError
        return self.installation

    async def all(self) -> Sequence[Installation]:
        """Return the installation, unless it has ended or is unknown."""
        return [] if self.installation is None or self._ended else [self.installation]

    async def is_installed(self, place: Place, *, within: Transaction) -> bool:  # noqa: ARG002 - Source's signature
        """Tell whether the installation exists, as far as Slack has said."""
        return not self._ended

    async def remove(self, installation: Installation, *, why: str) -> None:
        """Record that it has ended; only the operator can set another token."""
        if not self._ended:
            self._ended = True
            await self._audit.record(
                Action.UNINSTALL, actor="slack", subject=installation.key, result="removed", why=why
            )


class Workspaces:
    """Finds installations, and provides Slack clients for them."""

    def __init__(self, source: Source, slack: SlackClient) -> None:
        self._source = source
        self._slack = slack

    @property
    def ready(self) -> bool:
        """Whether the installations are known."""
        return not isinstance(self._source, OneWorkspace) or self._source.installation is not None

    async def find(self, place: Place) -> Installation | None:
        """Return the installation through which a request came; None if there is none.

        Raises:
            NotReadyError: the workspace is not known yet.
            StoreUnavailableError: the database is unavailable, or too slow for Slack's time limit.
        """
        if isinstance(self._source, OneWorkspace):
            return await self._source.find(place)
        finding = asyncio.ensure_future(self._source.find(place))
        # Do not cancel it: its connection would be lost, as it is within a statement.
        await asyncio.wait({finding}, timeout=FIND_SECONDS)
        if not finding.done():
            finding.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise StoreUnavailableError("slow")
        try:
            return finding.result()
        except SealBrokenError as error:
            raise StoreUnavailableError("an installation's token cannot be opened") from error

    async def all(self) -> Sequence[Installation]:
        """Return every installation."""
        return await self._source.all()

    async def is_installed(self, identity: Identity, *, within: Transaction) -> bool:
        """Tell whether the app is installed for a person; lock that until the transaction ends."""
        place = Place(enterprise=identity.enterprise, team=identity.team)
        return await self._source.is_installed(place, within=within)

    async def remove(self, installation: Installation, *, why: str) -> None:
        """Delete an installation that Slack has ended."""
        await self._source.remove(installation, why=why)

    def slack(self, installation: Installation) -> SlackClient:
        """Return a client for an installation."""
        return self._slack.acting_as(installation.token)

    async def slack_of(self, identity: Identity) -> SlackClient:
        """Return a client that can reach a person.

        Raises:
            NotInstalledError: the app is no longer installed there.
            NotReadyError, StoreUnavailableError: as `find`.
        """
        return self.slack(await self._installation_of(identity))

    async def profile(self, identity: Identity) -> Profile:
        """Return what Slack says of a person; without a name if Slack refuses to say.

        Raises:
            SlackUnavailableError: Slack does not answer.
            NotInstalledError, NotReadyError, StoreUnavailableError: as `slack_of`.
        """
        installation = await self._installation_of(identity)
        try:
            user = (await self.slack(installation).users_info(user=identity.user)).get("user") or {}
        except SlackRefusedError as error:
            log.warning("workspaces.no_profile", problem=error.code)
            return Profile(name=None, workspace=installation.name)
        known: dict[str, Any] = user.get("profile") or {}
        name = known.get("real_name") or user.get("real_name") or user.get("name")
        return Profile(
            name=name or None,
            workspace=installation.name,
            email=known.get("email") or None,
            standing=_standing(user),
            zone=str(user.get("tz") or "UTC")[:64],
        )

    async def _installation_of(self, identity: Identity) -> Installation:
        installation = await self.find(Place(enterprise=identity.enterprise, team=identity.team))
        if installation is None:
            raise NotInstalledError
        return installation


def _standing(user: dict[str, Any]) -> Standing | None:
    if not user:
        return None
    if user.get("deleted") or user.get("is_bot") or user.get("is_stranger"):
        return Standing.OUTSIDER
    is_guest = user.get("is_restricted") or user.get("is_ultra_restricted")
    return Standing.GUEST if is_guest else Standing.MEMBER

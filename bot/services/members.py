"""Whether somebody is a full member of the workspace: only those ask for funds and decide on them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import NotInstalledError
from bot.domain.request_errors import NotFullMemberError
from bot.services.workspaces import Standing
from bot.slack.errors import SlackError

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.services.workspaces import Profile, Workspaces

KNOWN_FOR = timedelta(seconds=60)
"""How long an answer of `users.info` counts."""

MOST_KNOWN = 10_000

log = structlog.get_logger(__name__)


class Members:
    """What Slack says of people, for a minute."""

    def __init__(self, workspaces: Workspaces, clock: Clock, *, guests_ask: bool) -> None:
        self._workspaces = workspaces
        self._clock = clock
        self._guests_ask = guests_ask
        self._known: dict[str, tuple[Profile, datetime]] = {}

    async def require_asker(self, identity: Identity) -> None:
        """Check that a person may ask for funds.

        Raises:
            NotFullMemberError: they may not, or Slack does not say who they are.
            SlackUnavailableError: Slack does not answer.
        """
        allowed = {Standing.MEMBER, Standing.GUEST} if self._guests_ask else {Standing.MEMBER}
        if await self._standing(identity) not in allowed:
            raise NotFullMemberError

    async def require_full(self, identity: Identity) -> None:
        """Check that a person is a full member.

        Raises:
            NotFullMemberError: they are not, or Slack does not say who they are.
            SlackUnavailableError: Slack does not answer.
        """
        if await self._standing(identity) is not Standing.MEMBER:
            raise NotFullMemberError

    async def is_full(self, identity: Identity) -> bool:
        """Tell whether a person is a full member; no answer is no."""
        try:
            return await self._standing(identity) is Standing.MEMBER
        except (SlackError, NotInstalledError) as error:
            log.info("members.not_known", problem=type(error).__name__)
            return False

    async def is_no_member(self, identity: Identity) -> bool:
        """Tell whether Slack says that a person is no full member; no answer is no."""
        try:
            return await self._standing(identity) not in {None, Standing.MEMBER}
        except (SlackError, NotInstalledError) as error:
            log.info("members.not_known", problem=type(error).__name__)
            return False

    async def zone(self, identity: Identity) -> str:
        """Return the name of a person's time zone; UTC if Slack does not say.

        Raises:
            SlackUnavailableError: Slack does not answer.
        """
        return (await self._profile(identity)).zone

    async def name(self, identity: Identity) -> str | None:
        """Return a person's name; None if Slack does not say.

        Raises:
            SlackUnavailableError: Slack does not answer.
        """
        return (await self._profile(identity)).name

    async def _standing(self, identity: Identity) -> Standing | None:
        return (await self._profile(identity)).standing

    async def _profile(self, identity: Identity) -> Profile:
        now = self._clock.now()
        known = self._known.get(identity.key)
        if known is not None and now < known[1]:
            return known[0]
        profile = await self._workspaces.profile(identity)
        if profile.standing is not None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[identity.key] = profile, now + KNOWN_FOR
        return profile

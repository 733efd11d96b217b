"""What Slack says of channels and user groups: who is in them, and whether a card may go there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from bot.domain.errors import NotInstalledError
from bot.domain.policy_views import ChannelProblem
from bot.slack.errors import SlackError, SlackRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.policy import Policy
    from bot.services.workspaces import Workspaces
    from bot.slack.client import SlackClient

KNOWN_FOR = timedelta(seconds=60)
"""How long an answer of Slack counts."""

MOST_KNOWN = 1_000
MEMBERS_A_PAGE = 500
MOST_PAGES = 10

log = structlog.get_logger(__name__)


_SHARED = ("is_shared", "is_ext_shared", "is_org_shared", "is_pending_ext_shared")
_GONE = frozenset({"channel_not_found", "not_in_channel"})


class Channels:
    """Asks Slack, and remembers each answer for a minute. What is not known is no."""

    def __init__(self, workspaces: Workspaces, clock: Clock) -> None:
        self._workspaces = workspaces
        self._clock = clock
        self._members: dict[tuple[str, str], tuple[frozenset[str], datetime]] = {}
        self._problems: dict[tuple[str, str], tuple[ChannelProblem | None, datetime]] = {}

    async def memberships(self, identity: Identity, policies: Sequence[Policy]) -> Mapping[str, bool]:
        """Return, for each group and channel whose members decide, whether this person is in it."""
        sources = {source for policy in policies for source in policy.sources}
        return {source: identity.user in await self.members(identity, source) for source in sources}

    async def members(self, identity: Identity, source: str) -> frozenset[str]:
        """Return the people of a group or channel of this workspace; none if Slack does not say."""
        now = self._clock.now()
        key = (identity.tenant, source)
        known = self._members.get(key)
        if known is not None and now < known[1]:
            return known[0]
        try:
            found = await self._ask_members(await self._workspaces.slack_of(identity), identity, source)
        except (SlackError, NotInstalledError) as error:
            log.info("channels.members_not_known", source=source, problem=type(error).__name__)
            return frozenset()
        if len(self._members) >= MOST_KNOWN:
            self._members.clear()
        self._members[key] = found, now + KNOWN_FOR
        return found

    async def _ask_members(self, slack: SlackClient, identity: Identity, source: str) -> frozenset[str]:
        if source.startswith("S"):
            answer = await slack.usergroups_users_list(usergroup=source, team_id=_team(identity))
            return frozenset(answer.get("users") or ())
        found: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = await slack.conversations_members(channel=source, limit=MEMBERS_A_PAGE, cursor=cursor)
            found.update(answer.get("members") or ())
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return frozenset(found)

    async def groups(self, identity: Identity) -> Sequence[tuple[str, str]]:
        """Return the user groups of this workspace, as (id, handle); none if Slack does not say."""
        try:
            slack = await self._workspaces.slack_of(identity)
            answer = await slack.usergroups_list(team_id=_team(identity))
        except (SlackError, NotInstalledError) as error:
            log.info("channels.groups_not_known", problem=type(error).__name__)
            return []
        found: list[dict[str, Any]] = answer.get("usergroups") or []
        return [(str(each["id"]), str(each.get("handle") or each.get("name"))) for each in found]

    async def problem(self, identity: Identity, channel: str) -> ChannelProblem | None:
        """Return why no card goes to a channel; None if it is private, internal, and the app is in it."""
        now = self._clock.now()
        key = (identity.tenant, channel)
        known = self._problems.get(key)
        if known is not None and now < known[1]:
            return known[0]
        found = await self._ask_problem(identity, channel)
        if found is not ChannelProblem.UNKNOWN:
            if len(self._problems) >= MOST_KNOWN:
                self._problems.clear()
            self._problems[key] = found, now + KNOWN_FOR
        return found

    async def _ask_problem(self, identity: Identity, channel: str) -> ChannelProblem | None:
        try:
            slack = await self._workspaces.slack_of(identity)
            answer = await slack.conversations_info(channel=channel)
        except SlackRefusedError as error:
            log.info("channels.not_known", channel=channel, problem=error.code)
            if error.code in _GONE:
                return ChannelProblem.NO_APP
            return ChannelProblem.SCOPE if error.code == "missing_scope" else ChannelProblem.UNKNOWN
        except (SlackError, NotInstalledError) as error:
            log.info("channels.not_known", channel=channel, problem=type(error).__name__)
            return ChannelProblem.UNKNOWN
        return _problem(answer.get("channel") or {})


def _problem(info: dict[str, Any]) -> ChannelProblem | None:
    """Read the flags of a channel; a missing one counts as the worse."""
    if info.get("is_private") is not True:
        return ChannelProblem.PUBLIC
    if any(info.get(flag) for flag in _SHARED) or info.get("pending_shared"):
        return ChannelProblem.SHARED
    if info.get("is_archived") is not False:
        return ChannelProblem.ARCHIVED
    return None if info.get("is_member") is True else ChannelProblem.NO_APP


def _team(identity: Identity) -> str | None:
    """Return the workspace to name where the app is installed for a whole grid."""
    return identity.team if identity.enterprise and identity.team else None

"""The Web API's reading methods of user groups: `usergroups.list` and `usergroups.users.list`."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.directory import UserGroup
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.web_api import Method
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class UserGroupMethods:
    """Read the user groups of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "usergroups.list": Method(scope="usergroups:read", perform=self._list),
            "usergroups.users.list": Method(scope="usergroups:read", perform=self._users),
        }

    def _groups(self) -> tuple[UserGroup, ...]:
        """Return the groups; a workspace without a paid plan has none.

        Raises:
            RefusedError: `plan_upgrade_required`.
        """
        if not self._workspace.directory.groups:
            raise RefusedError("plan_upgrade_required")
        return self._workspace.directory.groups

    def _list(self, via: Installation, _args: Json) -> Json:
        return {
            "usergroups": [
                {"id": each.id, "team_id": via.id, "handle": each.handle, "name": each.name}
                for each in self._groups()
            ]
        }

    def _users(self, _via: Installation, args: Json) -> Json:
        found = next((each for each in self._groups() if each.id == args.get("usergroup")), None)
        if found is None:
            raise RefusedError("no_such_subteam")
        return {"users": sorted(found.members)}

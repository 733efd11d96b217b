"""Administration of installations and accounts, and the events that it sends to the app."""

from dataclasses import replace
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.access import Access
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.event_delivery import EventDelivery
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class Administration:
    """Perform an admin's actions and send the events that the app subscribed to."""

    def __init__(
        self,
        workspace: Workspace,
        views: Views,
        feed: Feed,
        installations: Installations,
        access: Access,
        events: EventDelivery,
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._feed = feed
        self._installations = installations
        self._access = access
        self._events = events

    async def uninstall(self, place_id: str, *, tokens_first: bool) -> tuple[Delivery, ...]:
        """Uninstall the app from a workspace or organization and invalidate its token.

        Args:
            place_id: The workspace, or the organization of an org-wide installation.
            tokens_first: Whether `tokens_revoked` comes before `app_uninstalled`. Slack guarantees
                no order.

        Returns:
            The deliveries of the events that the app subscribed to.

        Raises:
            LookupError: the app is not installed there.
        """
        via = self._installations.require(place_id)
        self._installations.uninstall(via)
        for user in self._views.forget_homes(via):
            self._feed.home(user)
        events = [_tokens_revoked(via), {"type": "app_uninstalled"}]
        told = [await self._send_event(via, one) for one in (events if tokens_first else events[::-1])]
        return tuple(one for one in told if one is not None)

    async def revoke_token(self, place_id: str) -> Delivery | None:
        """Revoke a bot token and leave the app installed, as Slack does while a user token remains.

        Raises:
            LookupError: the app is not installed there.
        """
        via = self._installations.require(place_id)
        self._installations.revoke(via)
        return await self._send_event(via, _tokens_revoked(via))

    async def revoke_team_access(self, team_id: str) -> Delivery | None:
        """Remove one workspace from an org-wide installation.

        Raises:
            LookupError: no org-wide installation reaches the workspace.
        """
        via = self._installations.of_team(team_id)
        if via is None or not via.is_enterprise_install:
            raise LookupError(f"no org-wide installation reaches {team_id}")
        self._installations.remove_team(via, team_id)
        return await self._send_event(via, {"type": "team_access_revoked", "team_ids": [team_id]})

    async def deactivate(self, user: str) -> Delivery | None:
        """Deactivate a person. The person's messages remain, and the person can no longer act.

        Raises:
            LookupError: no person has this id.
        """
        person = self._workspace.directory.person(user)
        if person is None:
            raise LookupError(f"nobody here is {user}")
        self._workspace.deactivate(user)
        self._feed.changed()
        via = self._access.installation_for(person)
        if via is None or "users:read" not in via.scopes or not self._events.wanted("user_change"):
            return None
        at = self._workspace.clock.ts()
        event = {
            "type": "user_change",
            "user": payloads.user_object(self._workspace.directory, person, via, deleted=True),
            "cache_ts": int(float(at)),
            "event_ts": at,
        }
        team = self._workspace.directory.team(person.team_id)
        return await self._events.deliver(event, payloads.event_context(via, team))

    def change_channel(self, channel: str, *, private: bool) -> None:
        """Make a channel private or public. Slack sends the app no event of it.

        Raises:
            LookupError: no channel has this id.
        """
        found = self._workspace.channel(channel)
        if found is None:
            raise LookupError(f"no channel here is {channel}")
        self._workspace.replace_channel(replace(found, private=private))
        self._feed.changed()

    async def _send_event(self, via: Installation, event: Json) -> Delivery | None:
        if not self._events.wanted(event["type"]):
            return None
        stamped = {**event, "event_ts": self._workspace.clock.ts()}
        return await self._events.deliver(stamped, payloads.removal_context(via))


def _tokens_revoked(via: Installation) -> Json:
    return {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [via.bot_user_id]}}

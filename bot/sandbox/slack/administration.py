"""What happens to installations and accounts, and the events that tell the app of it."""

from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.coverage import Coverage
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.event_delivery import EventDelivery
from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class Administration:
    """An admin's deeds; the app hears of those that it subscribed to."""

    def __init__(
        self,
        workspace: Workspace,
        views: Views,
        feed: Feed,
        installations: Installations,
        coverage: Coverage,
        events: EventDelivery,
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._feed = feed
        self._installations = installations
        self._coverage = coverage
        self._events = events

    async def uninstall(self, place_id: str, *, tokens_first: bool) -> tuple[Delivery, ...]:
        """Takes the app out of a workspace or organisation; its token is dead from then on.

        Args:
            place_id: The workspace, or the organisation of an org-wide installation.
            tokens_first: Whether `tokens_revoked` comes before `app_uninstalled`; Slack promises
                neither order.

        Returns:
            The deliveries of the events that the app subscribed to.

        Raises:
            LookupError: the app is not installed there.
        """
        via = self._installations.named(place_id)
        self._installations.uninstall(via)
        for user in self._views.forget_homes(via):
            self._feed.home(user)
        events = [_tokens_revoked(via), {"type": "app_uninstalled"}]
        told = [await self._tell_of(via, one) for one in (events if tokens_first else events[::-1])]
        return tuple(one for one in told if one is not None)

    async def revoke_token(self, place_id: str) -> Delivery | None:
        """Revokes a bot token and leaves the app installed, as while a person's token is left.

        Raises:
            LookupError: the app is not installed there.
        """
        via = self._installations.named(place_id)
        self._installations.revoke(via)
        return await self._tell_of(via, _tokens_revoked(via))

    async def revoke_team_access(self, team_id: str) -> Delivery | None:
        """Takes one workspace out of an org-wide installation.

        Raises:
            LookupError: no org-wide installation reaches the workspace.
        """
        via = self._installations.of_team(team_id)
        if via is None or not via.is_enterprise_install:
            raise LookupError(f"no org-wide installation reaches {team_id}")
        self._installations.take_away(via, team_id)
        return await self._tell_of(via, {"type": "team_access_revoked", "team_ids": [team_id]})

    async def deactivate(self, user: str) -> Delivery | None:
        """Ends a person's account: they can do nothing more, and what they said stays.

        Raises:
            LookupError: nobody has this id.
        """
        person = self._workspace.cast.person(user)
        if person is None:
            raise LookupError(f"nobody here is {user}")
        self._workspace.deactivate(user)
        self._feed.changed()
        via = self._coverage.serving(person)
        if via is None or "users:read" not in via.scopes or not self._events.wanted("user_change"):
            return None
        at = self._workspace.clock.ts()
        event = {
            "type": "user_change",
            "user": payloads.user_object(self._workspace.cast, person, via, deleted=True),
            "cache_ts": int(float(at)),
            "event_ts": at,
        }
        team = self._workspace.cast.team(person.team_id)
        return await self._events.deliver(event, payloads.heard_by(via, team))

    async def _tell_of(self, via: Installation, event: Json) -> Delivery | None:
        if not self._events.wanted(event["type"]):
            return None
        stamped = {**event, "event_ts": self._workspace.clock.ts()}
        return await self._events.deliver(stamped, payloads.gone_from(via))


def _tokens_revoked(via: Installation) -> Json:
    return {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [via.bot_user_id]}}

"""The Web API's `views.*` methods: modals and App Home."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack.access import Access
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError, Report, decoded, refuse
from bot.sandbox.slack.validation import validate_view
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import Method
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class ViewMethods:
    """Open, change and publish an installation's views."""

    def __init__(
        self, workspace: Workspace, access: Access, views: Views, feed: Feed, report: Report
    ) -> None:
        self._workspace = workspace
        self._access = access
        self._views = views
        self._feed = feed
        self._report = report

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "views.open": Method(perform=self._open),
            "views.push": Method(perform=self._push),
            "views.update": Method(perform=self._update),
            "views.publish": Method(perform=self._publish),
        }

    def _validated_view(self, args: Json, where: str, *kinds: str) -> Json:
        view = decoded(args.get("view"), "invalid_arguments")
        refuse(validate_view(view, kinds), where, self._report)
        return dict(view)

    def _open(self, via: Installation, args: Json) -> Json:
        view = self._validated_view(args, "views.open", "modal")
        user, shown = self._views.open(str(args.get("trigger_id")), view, via)
        self._feed.stack(user)
        return {"view": shown}

    def _push(self, via: Installation, args: Json) -> Json:
        view = self._validated_view(args, "views.push", "modal")
        user, shown = self._views.push(str(args.get("trigger_id")), view, via)
        self._feed.stack(user)
        return {"view": shown}

    def _update(self, via: Installation, args: Json) -> Json:
        view = self._validated_view(args, "views.update", "modal", "home")
        user, shown = self._views.update(
            view,
            via,
            view_id=args.get("view_id"),
            external_id=args.get("external_id"),
            expected=args.get("hash"),
        )
        if shown["type"] == "home":
            self._feed.home(user)
        else:
            self._feed.stack(user)
        return {"view": shown}

    def _publish(self, via: Installation, args: Json) -> Json:
        if not self._workspace.directory.app.home_tab:
            raise RefusedError("not_enabled")
        view = self._validated_view(args, "views.publish", "home")
        person = self._workspace.directory.person(str(args.get("user_id")))
        if person is None or not self._access.can_message(via, person):
            raise RefusedError("user_not_found")
        shown = self._views.publish(person.id, view, args.get("hash"), via)
        self._feed.home(person.id)
        return {"view": shown}

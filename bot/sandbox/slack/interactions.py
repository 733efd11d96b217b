"""The interactions: messages, commands, clicks, submissions, closed views, opened App Homes.

Each interaction sends a request to the app through the person's installation, applies the
acknowledgement and returns a Delivery.

NotACommandError
    the line starts with "/" and the installed app has no command with that name
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.access import Access
from bot.sandbox.slack.acks import Acks
from bot.sandbox.slack.deliveries import Deliveries
from bot.sandbox.slack.delivery import (
    FAILED,
    TIMEOUT,
    Ack,
    AppRequest,
    Delivery,
    command_request,
    interaction_request,
)
from bot.sandbox.slack.directory import Directory, Person
from bot.sandbox.slack.event_delivery import EventDelivery
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.inputs import State, client_side_errors, state_of
from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.surfaces import Surface, Target, Visible
from bot.sandbox.slack.views import ViewRefusedError, Views
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

TROUBLE = "We had some trouble connecting. Try again?"
NOT_INTERACTIVE = "This app is not configured to handle interactive responses."
NOT_INSTALLED = "This app is not installed any more."


class NotACommandError(ValueError):
    """The app has no command with this name."""


@dataclass(frozen=True, kw_only=True)
class InteractionContext:
    """The parts that an interaction uses."""

    workspace: Workspace
    views: Views
    feed: Feed
    visible: Visible
    acks: Acks
    response_urls: ResponseUrls
    installations: Installations
    access: Access
    deliveries: Deliveries
    events: EventDelivery
    settings: Settings


class Interactions:
    """Perform a person's actions."""

    def __init__(self, context: InteractionContext) -> None:
        self._context = context

    @property
    def _directory(self) -> Directory:
        return self._context.workspace.directory

    def person(self, user: str) -> Person:
        """Return the person with this id.

        Raises:
            LookupError: no person has this id, or the person is deactivated.
        """
        person = self._directory.person(user)
        if person is None:
            raise LookupError(f"nobody here is {user}")
        if self._context.workspace.is_deactivated(user):
            raise LookupError(f"{user} is deactivated")
        return person

    def _place(self, user: str, channel: str) -> tuple[str, str]:
        if channel not in self._context.workspace.conversations(user):
            raise LookupError(f"{user} is not in {channel}")
        return channel, self._context.workspace.name(channel)

    async def say(self, user: str, channel: str, text: str) -> Json:
        """Post a person's message. A message in the app's DM sends `message.im`, if subscribed."""
        person, (place, _) = self.person(user), self._place(user, channel)
        words = {"user": user, "team": person.team_id, "text": payloads.escaped(text)}
        message = self._context.workspace.post(place, words)
        self._context.feed.conversation(place)
        if self._context.workspace.owner(place) and self._context.events.wanted("message.im"):
            heard = {"channel": place, "channel_type": "im", "event_ts": message["ts"]}
            await self._event_of(person, {**message, **heard})
        return message

    async def command(self, user: str, channel: str, typed: str) -> Delivery:
        """Type a slash command.

        Raises:
            NotACommandError: no installed app has this command.
            LookupError: the person is not in the channel.
        """
        person, place = self.person(user), self._place(user, channel)
        name = typed.strip().partition(" ")[0]
        via = self._context.access.installation_for(person, place[0])
        if via is None or name not in {known.command for known in self._directory.app.commands}:
            raise NotACommandError(f"{name} is not a valid command.")
        response_url = self._context.response_urls.issue(user, place[0], via)
        fields = payloads.command_fields(
            self._directory,
            person,
            typed,
            via,
            channel=place,
            trigger_id=self._context.views.issue_trigger(user, via),
            response_url=response_url,
        )
        request = command_request(fields)
        ack = await self._context.deliveries.send(request)
        failure = ack.failure or _refused(
            lambda: self._context.acks.after_command(response_url, ack), "invalid_command_response"
        )
        error = f"{name} failed with the error {failure}" if failure else None
        if error:
            self._context.feed.error(user, "command", error)
        return self._context.deliveries.keep(request, ack, error, failure=failure)

    async def act(self, user: str, target: Target, value: Json, typed: State | None = None) -> Delivery:
        """Click a button or make a choice outside an input block.

        Args:
            user: The id of the person.
            target: The element.
            value: The element's value as in Slack's action object. It is empty for a button.
            typed: The other input values of the surface.

        Returns:
            The delivery. It has an error and no status when there is no app to send it to.
        """
        person, block, element = self.person(user), target.block, target.element
        via = self._owner(target.surface.content, target.surface.channel)
        if via is None or not self._directory.app.interactive:
            return self._not_delivered(user, target, NOT_INSTALLED if via is None else NOT_INTERACTIVE)
        state: State = copy.deepcopy(typed or {})
        if element["type"] not in ("button", "overflow"):
            entry = {"type": element["type"], **value}
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry
        payload = self._action_payload(person, target, value, state, via)
        request = interaction_request(payload, element["action_id"])
        ack = await self._context.deliveries.send(request)
        error = self._action_error(ack)
        if error:
            self._context.feed.error(user, "action", error, _container(target.surface))
        return self._context.deliveries.keep(request, ack, error, failure=ack.failure)

    def _not_delivered(self, user: str, target: Target, error: str) -> Delivery:
        self._context.feed.error(user, "action", error, _container(target.surface))
        return _unsent("block_actions", target.element["action_id"], user, error)

    def _owner(self, content: Json, conversation: str | None = None) -> Installation | None:
        """Return the installation that posted a message or opened a view, or None after its removal."""
        via = self._context.installations.of_bot(content.get("bot_id"))
        if via is None or conversation is None or self._context.access.can_see(via, conversation):
            return via
        return None

    def _action_payload(
        self, person: Person, target: Target, value: Json, typed: State, via: Installation
    ) -> Json:
        surface, context, user = target.surface, self._context, person.id
        payload = payloads.interaction(self._directory, person, "block_actions", via)
        if surface.channel is None:
            context.views.fill(surface.content, typed)
            payload |= payloads.in_view(surface.content)
        else:
            place = self._place(user, surface.channel)
            state = state_of(surface.content["blocks"], typed)
            payload |= payloads.in_message(surface.content, place, state)
            payload["response_url"] = context.response_urls.issue(user, place[0], via, surface.id)
        in_modal = surface.kind == "view"
        payload["trigger_id"] = context.views.issue_trigger(user, via, in_modal=in_modal)
        at = context.workspace.clock.ts()
        payload["actions"] = [payloads.action(target.block, target.element, value, at)]
        return payload

    def _action_error(self, ack: Ack) -> str | None:
        seconds = f"{self._context.settings.ack_deadline:g}"
        if ack.failure == TIMEOUT:
            return f"The app did not answer within {seconds} seconds (operation_timeout)."
        if ack.failure and ack.status is None:
            return "The app could not be reached (dispatch_failed)."
        return f"The app answered with status {ack.status} (dispatch_failed)." if ack.failure else None

    async def submit(self, user: str, view: Json, typed: State | None = None) -> Delivery:
        """Submit a modal with the typed values, after the checks of Slack's client.

        Returns:
            The delivery. It has `errors` and no status when the client's checks failed.
        """
        context, person, via = self._context, self.person(user), self._owner(view)
        context.views.fill(view, typed or {})
        input_errors = client_side_errors(view["blocks"], view["state"]["values"])
        if input_errors:
            context.feed.changed()
            return Delivery(
                kind="view_submission", name=view["callback_id"], user=user, errors=input_errors
            )
        if via is None:
            context.feed.error(user, "modal", TROUBLE, {"type": "view", "view_id": view["id"]})
            return _unsent("view_submission", view["callback_id"], user, TROUBLE)
        payload = {
            **payloads.interaction(self._directory, person, "view_submission", via),
            "trigger_id": context.views.issue_trigger(user, via, in_modal=True),
            "view": copy.deepcopy(view),
            "response_urls": [],
        }
        request = interaction_request(payload, view["callback_id"])
        ack = await context.deliveries.send(request)
        return self._submitted(user, view["id"], request, ack)

    def _submitted(self, user: str, view_id: str, request: AppRequest, ack: Ack) -> Delivery:
        context, errors, failure = self._context, dict[str, str](), ack.failure
        if failure is None:
            try:
                errors = context.acks.after_submission(user, view_id, ack)
            except (RefusedError, ViewRefusedError) as refused:
                failure = refused.code
        context.feed.stack(user)
        if failure:
            container = {"type": "view", "view_id": view_id}
            context.feed.error(user, "modal", TROUBLE, container)
        error = TROUBLE if failure else None
        return context.deliveries.keep(request, ack, error, errors=errors, failure=failure)

    async def close(self, user: str, view_id: str, *, everything: bool = False) -> Delivery | None:
        """Close a modal and send `view_closed` when the view requested it.

        Returns:
            The last delivery, or None when nothing was sent.
        """
        closed = self._context.views.close(user, view_id, everything=everything)
        self._context.feed.stack(user)
        cleared = everything or any(view["clear_on_close"] for view in closed)
        delivery = None
        for view in closed:
            via = self._owner(view)
            if view["notify_on_close"] and via is not None:
                delivery = await self._send_view_closed(user, view, via, cleared=cleared)
        return delivery

    async def _send_view_closed(
        self, user: str, view: Json, via: Installation, *, cleared: bool
    ) -> Delivery:
        payload = {
            **payloads.interaction(self._directory, self.person(user), "view_closed", via),
            "view": copy.deepcopy(view),
            "is_cleared": cleared,
        }
        request = interaction_request(payload, view["callback_id"])
        ack = await self._context.deliveries.send(request)
        return self._context.deliveries.keep(request, ack, failure=ack.failure)

    def has_app_home(self, user: str) -> bool:
        """Return whether Slack shows the app's Home to this person: it is installed in their workspace.

        A person of another workspace meets the app in shared channels only.

        Raises:
            LookupError: no person has this id, or the person is deactivated.
        """
        person = self.person(user)
        via = self._context.access.installation_for(person)
        return via is not None and person.team_id in via.team_ids

    async def open_home(self, user: str) -> Delivery | None:
        """Open App Home and send `app_home_opened` when the app subscribed to it."""
        person = self.person(user)
        self._context.visible.record_home_opened(user)
        if not self._context.events.wanted("app_home_opened"):
            return None
        home = self._context.views.home(user)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": self._context.workspace.dm(user),
            "tab": "home",
            "event_ts": self._context.workspace.clock.ts(),
        }
        if home is not None:
            event["view"] = copy.deepcopy(home)
        return await self._event_of(person, event)

    async def _event_of(self, person: Person, event: Json) -> Delivery | None:
        via = self._context.access.installation_for(person)
        if via is None:
            return None
        team = self._directory.team(person.team_id) if person.team_id in via.team_ids else via.team
        return await self._context.events.deliver(event, payloads.event_context(via, team))


def _refused(apply: Callable[[], None], failure: str) -> str | None:
    try:
        apply()
    except (RefusedError, ViewRefusedError):
        return failure
    return None


def _unsent(kind: str, name: str, user: str, error: str) -> Delivery:
    return Delivery(kind=kind, name=name, user=user, error=error, failure=FAILED)


def _container(surface: Surface) -> Json:
    if surface.channel is None:
        return {"type": surface.kind, "view_id": surface.id}
    return {"type": "message", "channel": surface.channel, "ts": surface.id}

"""What people do: commands, clicks, typing, submissions, closings, opening App Home.

Each tells the app through the installation that the person meets, carries out the acknowledgement
and reports a Delivery.

NotACommandError
    the line starts with "/" and no command of an app installed there has that name
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.acks import Acks
from bot.sandbox.slack.coverage import Coverage
from bot.sandbox.slack.deliveries import Deliveries
from bot.sandbox.slack.delivery import (
    FAILED,
    TIMEOUT,
    Ack,
    Delivery,
    Parcel,
    command_parcel,
    interaction_parcel,
)
from bot.sandbox.slack.event_delivery import EventDelivery
from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.inputs import State, faults_before_submission, state_of
from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.people import Cast, Person
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.surfaces import Sight, Surface, Target
from bot.sandbox.slack.views import ViewRefusedError, Views
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

TROUBLE = "We had some trouble connecting. Try again?"
NOT_INTERACTIVE = "This app is not configured to handle interactive responses."
NOT_INSTALLED = "This app is not installed any more."


class NotACommandError(ValueError):
    """Nobody registered this command."""


@dataclass(frozen=True, kw_only=True)
class Slack:
    """The parts that an interaction touches."""

    workspace: Workspace
    views: Views
    feed: Feed
    sight: Sight
    acks: Acks
    response_urls: ResponseUrls
    installations: Installations
    coverage: Coverage
    deliveries: Deliveries
    events: EventDelivery
    wiring: Wiring


class Interactions:
    """People's deeds."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    @property
    def _cast(self) -> Cast:
        return self._slack.workspace.cast

    def person(self, user: str) -> Person:
        """The person with this id.

        Raises:
            LookupError: nobody has it, or their account has ended.
        """
        person = self._cast.person(user)
        if person is None:
            raise LookupError(f"nobody here is {user}")
        if self._slack.workspace.is_deactivated(user):
            raise LookupError(f"{user} is deactivated")
        return person

    def _place(self, user: str, channel: str) -> tuple[str, str]:
        if channel not in self._slack.workspace.conversations(user):
            raise LookupError(f"{user} is not in {channel}")
        return channel, self._slack.workspace.name(channel)

    async def say(self, user: str, channel: str, text: str) -> Json:
        """Posts a person's own words; in its DM the app hears them if it has `message.im`."""
        person, (place, _) = self.person(user), self._place(user, channel)
        words = {"user": user, "team": person.team_id, "text": payloads.escaped(text)}
        message = self._slack.workspace.post(place, words)
        self._slack.feed.conversation(place)
        if self._slack.workspace.owner(place) and self._slack.events.wanted("message.im"):
            heard = {"channel": place, "channel_type": "im", "event_ts": message["ts"]}
            await self._event_of(person, {**message, **heard})
        return message

    async def command(self, user: str, channel: str, typed: str) -> Delivery:
        """Types a slash command.

        Raises:
            NotACommandError: no app installed there has such a command.
            LookupError: the person is not in the channel.
        """
        person, place = self.person(user), self._place(user, channel)
        name = typed.strip().partition(" ")[0]
        via = self._slack.coverage.serving(person, place[0])
        if via is None or name not in {known.command for known in self._cast.app.commands}:
            raise NotACommandError(f"{name} is not a valid command.")
        response_url = self._slack.response_urls.issue(user, place[0], via)
        fields = payloads.command_fields(
            self._cast,
            person,
            typed,
            via,
            channel=place,
            trigger_id=self._slack.views.issue_trigger(user, via),
            response_url=response_url,
        )
        parcel = command_parcel(fields)
        ack = await self._slack.deliveries.send(parcel)
        failure = ack.failure or _refused(
            lambda: self._slack.acks.after_command(response_url, ack), "invalid_command_response"
        )
        error = f"{name} failed with the error {failure}" if failure else None
        if error:
            self._slack.feed.error(user, "command", error)
        return self._slack.deliveries.keep(parcel, ack, error, failure=failure)

    async def act(self, user: str, target: Target, value: Json, typed: State | None = None) -> Delivery:
        """Clicks a button or makes a choice outside an input block.

        Args:
            user: Who acts.
            target: The element they act on.
            value: The element's value as Slack's action object carries it; empty for a button.
            typed: What else the surface holds at that moment.

        Returns:
            The delivery; one with an error and no status could not be sent to any app.
        """
        person, block, element = self.person(user), target.block, target.element
        via = self._owner(target.surface.content, target.surface.channel)
        if via is None or not self._cast.app.interactive:
            return self._unheard(user, target, NOT_INSTALLED if via is None else NOT_INTERACTIVE)
        state: State = copy.deepcopy(typed or {})
        if element["type"] not in ("button", "overflow"):
            entry = {"type": element["type"], **value}
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry
        payload = self._action_payload(person, target, value, state, via)
        parcel = interaction_parcel(payload, element["action_id"])
        ack = await self._slack.deliveries.send(parcel)
        error = self._action_error(ack)
        if error:
            self._slack.feed.error(user, "action", error, _container(target.surface))
        return self._slack.deliveries.keep(parcel, ack, error, failure=ack.failure)

    def _unheard(self, user: str, target: Target, error: str) -> Delivery:
        self._slack.feed.error(user, "action", error, _container(target.surface))
        return _unsent("block_actions", target.element["action_id"], user, error)

    def _owner(self, content: Json, conversation: str | None = None) -> Installation | None:
        """The installation that posted a message or opened a view; None when it is gone."""
        via = self._slack.installations.of_bot(content.get("bot_id"))
        if via is None or conversation is None or self._slack.coverage.sees(via, conversation):
            return via
        return None

    def _action_payload(
        self, person: Person, target: Target, value: Json, typed: State, via: Installation
    ) -> Json:
        surface, slack, user = target.surface, self._slack, person.id
        payload = payloads.interaction(self._cast, person, "block_actions", via)
        if surface.channel is None:
            slack.views.fill(surface.content, typed)
            payload |= payloads.in_view(surface.content)
        else:
            place = self._place(user, surface.channel)
            state = state_of(surface.content["blocks"], typed)
            payload |= payloads.in_message(surface.content, place, state)
            payload["response_url"] = slack.response_urls.issue(user, place[0], via, surface.id)
        in_modal = surface.kind == "view"
        payload["trigger_id"] = slack.views.issue_trigger(user, via, in_modal=in_modal)
        at = slack.workspace.clock.ts()
        payload["actions"] = [payloads.action(target.block, target.element, value, at)]
        return payload

    def _action_error(self, ack: Ack) -> str | None:
        seconds = f"{self._slack.wiring.ack_deadline:g}"
        if ack.failure == TIMEOUT:
            return f"The app did not answer within {seconds} seconds (operation_timeout)."
        if ack.failure and ack.status is None:
            return "The app could not be reached (dispatch_failed)."
        return f"The app answered with status {ack.status} (dispatch_failed)." if ack.failure else None

    async def submit(self, user: str, view: Json, typed: State | None = None) -> Delivery:
        """Submits a modal with what was typed; the client's own checks come first.

        Returns:
            The delivery; one with `errors` and no status was stopped by the client.
        """
        slack, person, via = self._slack, self.person(user), self._owner(view)
        slack.views.fill(view, typed or {})
        faults = faults_before_submission(view["blocks"], view["state"]["values"])
        if faults:
            slack.feed.changed()
            return Delivery(kind="view_submission", name=view["callback_id"], user=user, errors=faults)
        if via is None:
            slack.feed.error(user, "modal", TROUBLE, {"type": "view", "view_id": view["id"]})
            return _unsent("view_submission", view["callback_id"], user, TROUBLE)
        payload = {
            **payloads.interaction(self._cast, person, "view_submission", via),
            "trigger_id": slack.views.issue_trigger(user, via, in_modal=True),
            "view": copy.deepcopy(view),
            "response_urls": [],
        }
        parcel = interaction_parcel(payload, view["callback_id"])
        ack = await slack.deliveries.send(parcel)
        return self._submitted(user, view["id"], parcel, ack)

    def _submitted(self, user: str, view_id: str, parcel: Parcel, ack: Ack) -> Delivery:
        slack, errors, failure = self._slack, dict[str, str](), ack.failure
        if failure is None:
            try:
                errors = slack.acks.after_submission(user, view_id, ack)
            except (RefusedError, ViewRefusedError) as refused:
                failure = refused.code
        slack.feed.stack(user)
        if failure:
            container = {"type": "view", "view_id": view_id}
            slack.feed.error(user, "modal", TROUBLE, container)
        error = TROUBLE if failure else None
        return slack.deliveries.keep(parcel, ack, error, errors=errors, failure=failure)

    async def close(self, user: str, view_id: str, *, everything: bool = False) -> Delivery | None:
        """Closes a modal; the app is told when the view asked for it.

        Returns:
            The last notice to the app, or None when none was due.
        """
        closed = self._slack.views.close(user, view_id, everything=everything)
        self._slack.feed.stack(user)
        cleared = everything or any(view["clear_on_close"] for view in closed)
        delivery = None
        for view in closed:
            via = self._owner(view)
            if view["notify_on_close"] and via is not None:
                delivery = await self._tell_closed(user, view, via, cleared=cleared)
        return delivery

    async def _tell_closed(self, user: str, view: Json, via: Installation, *, cleared: bool) -> Delivery:
        payload = {
            **payloads.interaction(self._cast, self.person(user), "view_closed", via),
            "view": copy.deepcopy(view),
            "is_cleared": cleared,
        }
        parcel = interaction_parcel(payload, view["callback_id"])
        ack = await self._slack.deliveries.send(parcel)
        return self._slack.deliveries.keep(parcel, ack, failure=ack.failure)

    async def open_home(self, user: str) -> Delivery | None:
        """Opens App Home; the app hears of it when it subscribed to `app_home_opened`."""
        person = self.person(user)
        self._slack.sight.look_at_home(user)
        if not self._slack.events.wanted("app_home_opened"):
            return None
        home = self._slack.views.home(user)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": self._slack.workspace.dm(user),
            "tab": "home",
            "event_ts": self._slack.workspace.clock.ts(),
        }
        if home is not None:
            event["view"] = copy.deepcopy(home)
        return await self._event_of(person, event)

    async def _event_of(self, person: Person, event: Json) -> Delivery | None:
        via = self._slack.coverage.serving(person)
        if via is None:
            return None
        team = self._cast.team(person.team_id) if person.team_id in via.team_ids else via.team
        return await self._slack.events.deliver(event, payloads.heard_by(via, team))


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

"""What people do: commands, clicks, typing, submissions, closings, opening App Home.

Each tells the app by a signed request, carries out the acknowledgement and reports a Delivery.

NotACommandError
    the line starts with "/" and no command of the app has that name
"""

import asyncio
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.acks import Acks
from bot.sandbox.slack.delivery import (
    FAILED,
    TIMEOUT,
    Ack,
    Courier,
    Delivery,
    Parcel,
    command_parcel,
    event_parcel,
    interaction_parcel,
)
from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.inputs import State, faults_before_submission, state_of
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.people import Cast, Person
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.surfaces import Sight, Surface, Target
from bot.sandbox.slack.views import ViewRefusedError, Views
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

RETRY_SECONDS = (0, 60, 300)
TROUBLE = "We had some trouble connecting. Try again?"


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
    courier: Courier
    inspector: Inspector
    wiring: Wiring


class Interactions:
    """People's deeds; `deliveries` keeps every request that went to the app."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._repeats: set[asyncio.Task[None]] = set()
        self.deliveries: list[Delivery] = []

    @property
    def _cast(self) -> Cast:
        return self._slack.workspace.cast

    def person(self, user: str) -> Person:
        """The person with this id.

        Raises:
            LookupError: nobody has it.
        """
        person = self._cast.person(user)
        if person is None:
            raise LookupError(f"nobody here is {user}")
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
        if self._slack.workspace.owner(place) and "message.im" in self._cast.app.events:
            heard = {"channel": place, "channel_type": "im", "event_ts": message["ts"]}
            await self.event({**message, **heard})
        return message

    async def command(self, user: str, channel: str, typed: str) -> Delivery:
        """Types a slash command.

        Raises:
            NotACommandError: the app has no such command.
            LookupError: the person is not in the channel.
        """
        person, place = self.person(user), self._place(user, channel)
        name = typed.strip().partition(" ")[0]
        if name not in {known.command for known in self._cast.app.commands}:
            raise NotACommandError(f"{name} is not a valid command.")
        response_url = self._slack.response_urls.issue(user, place[0])
        fields = payloads.command_fields(
            self._cast,
            person,
            typed,
            channel=place,
            trigger_id=self._slack.views.issue_trigger(user),
            response_url=response_url,
        )
        parcel = command_parcel(fields)
        ack = await self._slack.courier.send(parcel)
        failure = ack.failure or _refused(
            lambda: self._slack.acks.after_command(response_url, ack), "invalid_command_response"
        )
        error = f"{name} failed with the error {failure}" if failure else None
        if error:
            self._slack.feed.error(user, "command", error)
        return self._kept(parcel, ack, error, failure=failure)

    async def act(self, user: str, target: Target, value: Json, typed: State | None = None) -> Delivery:
        """Clicks a button or makes a choice outside an input block.

        Args:
            user: Who acts.
            target: The element they act on.
            value: The element's value as Slack's action object carries it; empty for a button.
            typed: What else the surface holds at that moment.
        """
        block, element = target.block, target.element
        if not self._cast.app.interactive:
            return self._unheard(user, "block_actions", element["action_id"], target.surface)
        state: State = copy.deepcopy(typed or {})
        if element["type"] not in ("button", "overflow"):
            entry = {"type": element["type"], **value}
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry
        payload = self._action_payload(user, target, value, state)
        parcel = interaction_parcel(payload, element["action_id"])
        ack = await self._slack.courier.send(parcel)
        error = self._action_error(ack)
        if error:
            self._slack.feed.error(user, "action", error, _container(target.surface))
        return self._kept(parcel, ack, error, failure=ack.failure)

    def _unheard(self, user: str, kind: str, name: str, surface: Surface) -> Delivery:
        error = "This app is not configured to handle interactive responses."
        self._slack.feed.error(user, "action", error, _container(surface))
        return Delivery(kind=kind, name=name, user=user, error=error, failure=FAILED)

    def _action_payload(self, user: str, target: Target, value: Json, typed: State) -> Json:
        person, surface, slack = self.person(user), target.surface, self._slack
        payload = payloads.interaction(self._cast, person, "block_actions")
        if surface.channel is None:
            slack.views.fill(surface.content, typed)
            payload |= payloads.in_view(surface.content)
        else:
            place = self._place(user, surface.channel)
            state = state_of(surface.content["blocks"], typed)
            payload |= payloads.in_message(surface.content, place, state)
            payload["response_url"] = slack.response_urls.issue(user, place[0], surface.id)
        in_modal = surface.kind == "view"
        payload["trigger_id"] = slack.views.issue_trigger(user, in_modal=in_modal)
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
        slack = self._slack
        slack.views.fill(view, typed or {})
        faults = faults_before_submission(view["blocks"], view["state"]["values"])
        if faults:
            slack.feed.changed()
            return Delivery(kind="view_submission", name=view["callback_id"], user=user, errors=faults)
        payload = {
            **payloads.interaction(self._cast, self.person(user), "view_submission"),
            "trigger_id": slack.views.issue_trigger(user, in_modal=True),
            "view": copy.deepcopy(view),
            "response_urls": [],
        }
        parcel = interaction_parcel(payload, view["callback_id"])
        ack = await slack.courier.send(parcel)
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
        return self._kept(parcel, ack, error, errors=errors, failure=failure)

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
            if view["notify_on_close"]:
                delivery = await self._tell_closed(user, view, cleared=cleared)
        return delivery

    async def _tell_closed(self, user: str, view: Json, *, cleared: bool) -> Delivery:
        payload = {
            **payloads.interaction(self._cast, self.person(user), "view_closed"),
            "view": copy.deepcopy(view),
            "is_cleared": cleared,
        }
        parcel = interaction_parcel(payload, view["callback_id"])
        ack = await self._slack.courier.send(parcel)
        return self._kept(parcel, ack, None, failure=ack.failure)

    async def open_home(self, user: str) -> Delivery | None:
        """Opens App Home; the app hears of it when it subscribed to `app_home_opened`."""
        self.person(user)
        self._slack.sight.look_at_home(user)
        if "app_home_opened" not in self._cast.app.events:
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
        return await self.event(event)

    async def event(self, event: Json, *, team_id: str | None = None) -> Delivery:
        """Delivers an event; a failed delivery is repeated at once, after 1 min, after 5 min.

        Returns:
            The last delivery that was made before this call returned.
        """
        envelope = payloads.event_envelope(
            self._cast,
            event,
            event_id=self._slack.workspace.ids.next("Ev"),
            at=self._slack.wiring.now(),
            team_id=team_id,
        )
        delivery, again = await self._deliver(event_parcel(envelope))
        if again:
            delivery, again = await self._deliver(event_parcel(envelope, 1, again))
        if again:
            self._repeat_later(envelope, again)
        return delivery

    async def _deliver(self, parcel: Parcel) -> tuple[Delivery, str]:
        ack = await self._slack.courier.send(parcel)
        delivery = self._kept(parcel, ack, None, failure=ack.failure)
        unwanted = {name.lower(): value for name, value in ack.headers.items()}
        if ack.failure is None or unwanted.get("x-slack-no-retry") == "1":
            return delivery, ""
        return delivery, _retry_reason(ack)

    def _repeat_later(self, envelope: Json, reason: str) -> None:
        task = asyncio.create_task(self._repeats_of(envelope, reason))
        self._repeats.add(task)
        task.add_done_callback(self._repeats.discard)

    async def _repeats_of(self, envelope: Json, reason: str) -> None:
        for number, seconds in enumerate(RETRY_SECONDS[1:], start=2):
            await asyncio.sleep(seconds)
            _, reason = await self._deliver(event_parcel(envelope, number, reason))
            if not reason:
                return

    async def raw(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Sends bytes and headers as they are, without signing them."""
        ack = await self._slack.courier.post(body, headers)
        text = body.decode(errors="replace")
        parcel = Parcel(kind="raw", name="raw", user=None, body={}, raw=text, content_type="")
        return self._kept(parcel, ack, None, failure=ack.failure)

    async def stop(self) -> None:
        """Gives up events that were to be repeated later."""
        for task in self._repeats:
            task.cancel()
        await asyncio.gather(*self._repeats, return_exceptions=True)

    def _kept(
        self,
        parcel: Parcel,
        ack: Ack,
        error: str | None,
        *,
        errors: Mapping[str, str] | None = None,
        failure: str | None = None,
    ) -> Delivery:
        delivery = Delivery(
            kind=parcel.kind,
            name=parcel.name,
            user=parcel.user,
            status=ack.status,
            ack_ms=ack.ms,
            body=parcel.body,
            raw_body=parcel.raw,
            response=ack.parsed,
            error=error,
            errors=errors or {},
            failure=failure,
        )
        self.deliveries.append(delivery)
        self._slack.inspector.record(
            {
                "at": self._slack.wiring.now(),
                "direction": "to_app",
                "kind": "event" if parcel.kind == "raw" else parcel.kind,
                "name": parcel.name,
                "user": parcel.user,
                "ok": failure is None,
                "status": ack.status,
                "ms": ack.ms,
                "request": parcel.body or parcel.raw,
                "response": ack.parsed,
            },
            error=failure,
        )
        return delivery


def _refused(apply: Callable[[], None], failure: str) -> str | None:
    try:
        apply()
    except (RefusedError, ViewRefusedError):
        return failure
    return None


def _retry_reason(ack: Ack) -> str:
    if ack.failure == TIMEOUT:
        return "http_timeout"
    return "http_error" if ack.status is not None else "connection_failed"


def _container(surface: Surface) -> Json:
    if surface.channel is None:
        return {"type": surface.kind, "view_id": surface.id}
    return {"type": "message", "channel": surface.channel, "ts": surface.id}

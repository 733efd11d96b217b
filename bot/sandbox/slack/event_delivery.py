"""Events, the only requests that Slack repeats when the app did not take them."""

import asyncio
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.deliveries import Deliveries
from bot.sandbox.slack.delivery import TIMEOUT, Ack, Delivery, Parcel, event_parcel
from bot.sandbox.slack.installations import Installations
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

RETRY_SECONDS = (0, 60, 300)


class EventDelivery:
    """Delivers events; a failed delivery is repeated at once, after 1 min, after 5 min."""

    def __init__(
        self,
        deliveries: Deliveries,
        workspace: Workspace,
        installations: Installations,
        wiring: Wiring,
    ) -> None:
        self._deliveries = deliveries
        self._workspace = workspace
        self._installations = installations
        self._wiring = wiring
        self._repeats: set[asyncio.Task[None]] = set()

    def wanted(self, event_type: str) -> bool:
        """Whether the app subscribed to events of this type."""
        return event_type in self._workspace.cast.app.events

    async def deliver(self, event: Json, place: Json) -> Delivery:
        """Delivers an event.

        Args:
            event: The event itself.
            place: The fields around it that say where it happened.

        Returns:
            The last delivery that was made before this call returned.
        """
        envelope = payloads.event_envelope(
            self._workspace.cast.app.id,
            event,
            event_id=self._workspace.ids.next("Ev"),
            at=self._wiring.now(),
            **place,
        )
        delivery, again = await self._send(event_parcel(envelope))
        if again:
            delivery, again = await self._send(event_parcel(envelope, 1, again))
        if again:
            self._repeat_later(envelope, again)
        return delivery

    async def deliver_in(self, team_id: str, event: Json) -> Delivery:
        """Delivers an event of a workspace, as if the app were installed there when it is not."""
        team = self._workspace.cast.team(team_id)
        via = self._installations.of_team(team_id) or self._installations.imagined(team)
        return await self.deliver(event, {**payloads.heard_by(via, team), "team_id": team_id})

    async def _send(self, parcel: Parcel) -> tuple[Delivery, str]:
        ack = await self._deliveries.send(parcel)
        delivery = self._deliveries.keep(parcel, ack, failure=ack.failure)
        unwanted = {name.lower(): value for name, value in ack.headers.items()}
        if ack.failure is None or unwanted.get("x-slack-no-retry") == "1":
            return delivery, ""
        return delivery, _reason(ack)

    def _repeat_later(self, envelope: Json, reason: str) -> None:
        task = asyncio.create_task(self._repeats_of(envelope, reason))
        self._repeats.add(task)
        task.add_done_callback(self._repeats.discard)

    async def _repeats_of(self, envelope: Json, reason: str) -> None:
        for number, seconds in enumerate(RETRY_SECONDS[1:], start=2):
            await asyncio.sleep(seconds)
            _, reason = await self._send(event_parcel(envelope, number, reason))
            if not reason:
                return

    async def stop(self) -> None:
        """Gives up events that were to be repeated later."""
        for task in self._repeats:
            task.cancel()
        await asyncio.gather(*self._repeats, return_exceptions=True)


def _reason(ack: Ack) -> str:
    if ack.failure == TIMEOUT:
        return "http_timeout"
    return "http_error" if ack.status is not None else "connection_failed"

"""The delivery of events. Only failed events are retried; other requests are sent once."""

import asyncio
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.deliveries import Deliveries
from bot.sandbox.slack.delivery import TIMEOUT, Ack, AppRequest, Delivery, event_request
from bot.sandbox.slack.installations import Installations
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

RETRY_SECONDS = (0, 60, 300)


class EventDelivery:
    """Deliver events. A failed delivery is retried at once, after 1 minute and after 5 minutes."""

    def __init__(
        self,
        deliveries: Deliveries,
        workspace: Workspace,
        installations: Installations,
        settings: Settings,
    ) -> None:
        self._deliveries = deliveries
        self._workspace = workspace
        self._installations = installations
        self._settings = settings
        self._retries: set[asyncio.Task[None]] = set()

    def wanted(self, event_type: str) -> bool:
        """Return whether the app subscribed to events of this type."""
        return event_type in self._workspace.directory.app.events

    async def deliver(self, event: Json, place: Json) -> Delivery:
        """Deliver an event.

        Args:
            event: The event.
            place: The fields of the envelope that identify the workspace and the installation.

        Returns:
            The last delivery before this call returned.
        """
        envelope = payloads.event_envelope(
            self._workspace.directory.app.id,
            event,
            event_id=self._workspace.ids.next("Ev"),
            at=self._settings.now(),
            **place,
        )
        delivery, again = await self._send(event_request(envelope))
        if again:
            delivery, again = await self._send(event_request(envelope, 1, again))
        if again:
            self._retry_later(envelope, again)
        return delivery

    async def deliver_in(self, team_id: str, event: Json) -> Delivery:
        """Deliver an event of a workspace, even when the app is not installed there."""
        team = self._workspace.directory.team(team_id)
        via = self._installations.of_team(team_id) or self._installations.hypothetical(team)
        return await self.deliver(event, {**payloads.event_context(via, team), "team_id": team_id})

    async def _send(self, request: AppRequest) -> tuple[Delivery, str]:
        ack = await self._deliveries.send(request)
        delivery = self._deliveries.keep(request, ack, failure=ack.failure)
        unwanted = {name.lower(): value for name, value in ack.headers.items()}
        if ack.failure is None or unwanted.get("x-slack-no-retry") == "1":
            return delivery, ""
        return delivery, _reason(ack)

    def _retry_later(self, envelope: Json, reason: str) -> None:
        task = asyncio.create_task(self._retry(envelope, reason))
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)

    async def _retry(self, envelope: Json, reason: str) -> None:
        for number, seconds in enumerate(RETRY_SECONDS[1:], start=2):
            await asyncio.sleep(seconds)
            _, reason = await self._send(event_request(envelope, number, reason))
            if not reason:
                return

    async def stop(self) -> None:
        """Cancel the pending retries."""
        for task in self._retries:
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)


def _reason(ack: Ack) -> str:
    if ack.failure == TIMEOUT:
        return "http_timeout"
    return "http_error" if ack.status is not None else "connection_failed"

"""The argument of a handler: one request, the ways to answer it, and the app's parts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocks import ids
from blocks.loading import loading_message, loading_modal, message_modal
from bot.domain.errors import StoreUnavailableError
from bot.slack.reply import Reply, WaitingScreens
from bot.slack.request import SlackRequest
from bot.storage.deliveries import leave_modal

if TYPE_CHECKING:
    from typing import Any

    from slack_bolt.context.ack.async_ack import AsyncAck

    from bot.domain.identity import Identity
    from bot.runtime import Runtime

SCREENS = WaitingScreens(message=loading_message(), modal=loading_modal, message_modal=message_modal)


@dataclass(kw_only=True, slots=True)
class Context:
    """One request and its state.

    `identity` is the acting person as the installation knows them; `installation` is its key. `text` is the
    text after the subcommand. `wanted` is the whole command, to continue with after connecting.
    """

    runtime: Runtime
    request: SlackRequest
    reply: Reply
    identity: Identity
    installation: str = ""
    text: str = ""
    wanted: str | None = None

    @classmethod
    def of(cls, runtime: Runtime, ack: AsyncAck, body: dict[str, Any]) -> Context:
        """Parse a request; until its installation is known, replies use the app's own token, if any."""
        request = SlackRequest.parse(body)
        reply = Reply(
            request, ack, runtime.slack, runtime.responses, runtime.deliverer.direct_messages, SCREENS
        )
        return cls(runtime=runtime, request=request, reply=reply, identity=request.identity)

    async def leave_modal(self, view_id: str) -> None:
        """Stop showing outcomes in a modal where the person has just opened something else."""
        charge_id = self.request.metadata
        if charge_id and self.request.view.callback_id == ids.INFO_VIEW:
            with contextlib.suppress(StoreUnavailableError):
                await leave_modal(self.runtime.database, charge_id, view_id)

    async def forget_overview(self) -> None:
        """Stop updating the overview that an answer has just replaced."""
        with contextlib.suppress(StoreUnavailableError):
            await self.runtime.overviews.forget(self.identity)

"""What is to be told about a charge, and what has surely been told: one message per charge, ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.charge import ON_ITS_WAY, Charge, ChargeState

if TYPE_CHECKING:
    from bot.domain.clock import Clock
    from bot.domain.message import OutgoingMessage
    from bot.engine import Lease
    from bot.storage.charges import ChargeStore
    from bot.storage.messages import MessageStore

QUIET_SETTLEMENT = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """A charge and how far its message is."""

    charge: Charge
    message: OutgoingMessage

    @property
    def maybe_posted(self) -> bool:
        """Tell whether a post left whose answer never came: look before posting again."""
        return self.message.ts is None and self.message.posting_since is not None

    @property
    def maybe_replied(self) -> bool:
        """Tell whether this state's reply left and its answer never came."""
        return self.message.reply_state == self.charge.state.value

    @property
    def has_outcome(self) -> bool:
        """Tell whether there is more to say than "on its way"."""
        return self.charge.state not in ON_ITS_WAY

    @property
    def reply_due(self) -> bool:
        """Tell whether the thread gets a reply: any outcome but a settlement within half a minute."""
        if not self.has_outcome or self.message.replied_state == self.charge.state.value:
            return False
        charge = self.charge
        quick = (
            charge.state is ChargeState.SETTLED
            and self.message.replied_state is None
            and charge.ended_at is not None
            and charge.confirmed_at is not None
            and charge.ended_at - charge.confirmed_at <= QUIET_SETTLEMENT
        )
        return not quick


class Outbox:
    """The messages' ledger. Each step is recorded before and after it leaves."""

    def __init__(self, messages: MessageStore, charges: ChargeStore, clock: Clock) -> None:
        self._messages = messages
        self._charges = charges
        self._clock = clock

    async def telling(self, lease: Lease) -> Telling:
        """Return what is to be told; both rows exist since the confirmation."""
        message = await self._messages.get(lease.id)
        charge = await self._charges.get(lease.id)
        if message is None or charge is None:
            raise LookupError(lease.id)
        return Telling(charge=charge, message=message)

    async def about_to_post(self, lease: Lease) -> None:
        """Record that a post leaves now."""
        await self._messages.note(lease, posting_since=self._clock.now())

    async def posted(self, lease: Lease, *, channel: str, ts: str, shown: str | None) -> None:
        """Record where the message is; `shown` is the digest of what it says, None when unknown."""
        now = self._clock.now()
        await self._messages.note(lease, channel=channel, ts=ts, shown=shown, posted_at=now)

    async def gone(self, lease: Lease) -> None:
        """Record that the message is no longer there: another one tells what it would have told."""
        await self._messages.note(
            lease, channel=None, ts=None, posting_since=None, shown=None, reply_state=None
        )

    async def shows(self, lease: Lease, shown: str) -> None:
        """Record what the message says after an edit."""
        await self._messages.note(lease, shown=shown, edited_at=self._clock.now())

    async def shows_something(self, charge_id: str) -> None:
        """Record that nobody knows what the message says now, and have it brought up to date."""
        await self._messages.forget_shown(charge_id)

    async def about_to_reply(self, lease: Lease, state: ChargeState) -> None:
        """Record that this state's thread reply leaves now."""
        await self._messages.note(lease, reply_state=state.value)

    async def replied(self, lease: Lease, state: ChargeState) -> None:
        """Record that this state's thread reply is there."""
        await self._messages.note(lease, replied_state=state.value, replied_at=self._clock.now())

    async def modal_done(self, lease: Lease, view_id: str) -> None:
        """Record that the open modal got its last word, or is gone."""
        await self._messages.close_modal(lease, view_id)

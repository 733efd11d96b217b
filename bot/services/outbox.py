"""What is to be told about a charge, and what has surely been told: one message per charge, ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.domain.charge import ON_ITS_WAY, Charge, ChargeState

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock
    from bot.domain.message import OutgoingMessage
    from bot.engine import Lease
    from bot.storage.messages import FoundMessage, MessageStore

QUIET_SETTLEMENT = timedelta(seconds=30)


@dataclass(kw_only=True, slots=True)
class Telling:
    """A charge and how far its message is. `attempts` are the runs since the last one that ended properly.

    `shown` and `modal` are what this run has brought there and not recorded yet: what the message says,
    and the modal that got its last word.
    """

    charge: Charge
    message: OutgoingMessage
    at_home: bool
    attempts: int
    shown: str | None = None
    modal: str | None = None

    @property
    def maybe_posted(self) -> bool:
        """Tell whether a post may have left whose answer never came: look before posting again."""
        return self.message.ts is None and (self.attempts > 1 or self.message.posting_since is not None)

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

    def __init__(self, messages: MessageStore, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock

    @staticmethod
    def telling(lease: Lease) -> Telling:
        """Return what is to be told, as it was when it was claimed; what came since comes by a wake."""
        found: FoundMessage = lease.claim.found()
        return Telling(
            charge=found.charge,
            message=found.message,
            at_home=found.at_home,
            attempts=lease.claim.attempts,
        )

    async def posted(
        self, lease: Lease, telling: Telling, *, channel: str, ts: str, shown: str | None
    ) -> None:
        """Record where the message is; `shown` is the digest of what it says, None when unknown.

        While there is nothing more to say, that ends the run.
        """
        now = self._clock.now()
        facts: dict[str, Any] = {"channel": channel, "ts": ts, "shown": shown, "posted_at": now}
        if telling.has_outcome or shown is None:
            telling.message = await self._messages.note(lease, **facts)
        else:
            await self._messages.finish(lease, None, **facts)

    async def gone(self, lease: Lease, telling: Telling) -> None:
        """Record that the message is no longer there: another one tells what it would have told."""
        telling.attempts = 1
        telling.message = await self._messages.note(
            lease, channel=None, ts=None, posting_since=None, shown=None, reply_state=None
        )

    async def finish(self, lease: Lease, telling: Telling, due_at: datetime | None) -> None:
        """Record what this run has brought there, and that the next one is due then.

        Raises:
            LeaseLostError: somebody else tells it now.
        """
        facts: dict[str, Any] = {}
        if telling.shown is not None:
            facts = {"shown": telling.shown, "edited_at": self._clock.now()}
        if telling.maybe_posted:
            # The claims are counted anew after this run, which was put off before it could look.
            facts["posting_since"] = telling.message.posting_since or self._clock.now()
        if not lease.is_given_back and (facts or telling.modal is not None):
            await self._messages.finish(lease, due_at, modal=telling.modal, **facts)

    async def modal_finished(self, lease: Lease, telling: Telling) -> None:
        """Record at once that the open modal has its last word: what a person opens there next is theirs.

        Raises:
            LeaseLostError: another run tells it now.
        """
        if telling.modal is not None:
            telling.message = await self._messages.note(lease, view_id=None)
            telling.modal = None

    async def shows_something(self, charge_id: str) -> None:
        """Record that nobody knows what the message says now, and have it brought up to date."""
        await self._messages.forget_shown(charge_id)

    async def about_to_reply(self, lease: Lease, state: ChargeState) -> None:
        """Record that this state's thread reply leaves now."""
        await self._messages.note(lease, reply_state=state.value)

    async def replied(self, lease: Lease, state: ChargeState) -> None:
        """Record that this state's thread reply is there."""
        await self._messages.note(lease, replied_state=state.value, replied_at=self._clock.now())

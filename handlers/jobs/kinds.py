"""The table of durable work. A row names its store, its job, and the content of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bot.domain.errors import PortalUnavailableError, StoreUnavailableError
from bot.engine import Kind
from bot.services.digests import DIGEST
from bot.services.exporting import EXPORTED
from bot.services.lock_announcements import LOCK
from bot.services.reminders import CONNECTION
from bot.services.second_person import SECOND_PERSON, WAITING
from bot.services.watch_worker import STALE
from bot.slack.errors import SlackUnavailableError
from bot.storage.budget_notes import BUDGET
from bot.storage.episodes import EPISODE
from bot.storage.policies import POLICY, POLICY_CHANGE, POLICY_CHANNEL
from handlers.jobs.charge import advance_charge, draw_charge
from handlers.jobs.connection import draw_connection_end, draw_second_person, draw_waiting
from handlers.jobs.device_grant import advance_device_grant, draw_device_grant
from handlers.jobs.exported import draw_exported
from handlers.jobs.lock import draw_lock
from handlers.jobs.policy import draw_budget, draw_policy, draw_policy_change, draw_policy_channel
from handlers.jobs.request import advance_request, draw_request
from handlers.jobs.watch import advance_watch, draw_digest, draw_episode, draw_stale

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from bot.domain.delivery import Delivery, Drawing
    from bot.engine import Lease, Leases, Released
    from bot.runtime import Runtime
    from bot.storage.deliveries import DeliveryStore

    Draw: TypeAlias = Callable[[Runtime, Delivery], Awaitable[Drawing | None]]

ANOTHER_RELEASE = timedelta(minutes=1)
"""How long a message rests that this release cannot draw: a process of a later one takes it meanwhile."""

OUTAGES = (SlackUnavailableError, StoreUnavailableError, PortalUnavailableError)


class Store(Protocol):
    """A store of durable things of one kind."""

    @property
    def leases(self) -> Leases[Any]:
        """Their leases; these also have the kind's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One row: the store, the job, and for a subject with deliveries, its message.

    Deliveries name their subject by the kind's name.
    """

    store: Callable[[Runtime], Store]
    advance: Callable[[Runtime, Lease[Any]], Awaitable[Released | datetime | None]]
    draw: Draw | None = None


WORK = (
    Work(
        store=lambda runtime: runtime.charges,
        advance=advance_charge,
        draw=draw_charge,
    ),
    Work(
        store=lambda runtime: runtime.device_grants,
        advance=advance_device_grant,
        draw=draw_device_grant,
    ),
    Work(
        store=lambda runtime: runtime.request_store,
        advance=advance_request,
        draw=draw_request,
    ),
    Work(
        store=lambda runtime: runtime.watches,
        advance=advance_watch,
    ),
)


NOTICES: dict[str, Draw] = {
    CONNECTION: draw_connection_end,
    SECOND_PERSON: draw_second_person,
    WAITING: draw_waiting,
    LOCK: draw_lock,
    POLICY: draw_policy,
    POLICY_CHANGE: draw_policy_change,
    POLICY_CHANNEL: draw_policy_channel,
    EPISODE: draw_episode,
    STALE: draw_stale,
    DIGEST: draw_digest,
    EXPORTED: draw_exported,
    BUDGET: draw_budget,
}
"""Messages about what is no durable work, by the kind of their subject."""


def kinds(runtime: Runtime, table: tuple[Work, ...] = WORK) -> tuple[Kind[Any], ...]:
    """Return the engine's kinds: those of the table, and their deliveries."""
    works = {work.store(runtime).leases.kind: work for work in table}
    own = (
        Kind(
            leases=work.store(runtime).leases,
            advance=partial(work.advance, runtime),
            outages=OUTAGES,
        )
        for work in table
    )
    deliveries = (
        Kind(leases=store.leases, advance=partial(_deliver, runtime, works, store), outages=OUTAGES)
        for store in (runtime.deliveries, runtime.messages)
    )
    return (*own, *deliveries)


async def _deliver(
    runtime: Runtime, works: Mapping[str, Work], store: DeliveryStore, lease: Lease[Delivery]
) -> Released | datetime:
    """Deliver one message. A kind of subject that only a later release knows is left to that release."""
    delivery = lease.load()
    work = works.get(delivery.subject_kind)
    draw = NOTICES.get(delivery.subject_kind) if work is None else work.draw
    if draw is None:
        return runtime.clock.now() + ANOTHER_RELEASE
    return await runtime.deliverer.deliver(store, lease, await draw(runtime, delivery))

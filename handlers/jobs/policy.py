"""The content of messages about a policy: it was changed, is to be, or its channel gets no cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.team import change_message, channel_problem_message, policy_message
from bot.domain.delivery import Drawing

if TYPE_CHECKING:
    from bot.domain.delivery import Delivery
    from bot.runtime import Runtime


async def draw_policy(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what was changed; None if that is not known any more."""
    step = await runtime.policies.step(delivery.subject_id)
    if step is None:
        return None
    return Drawing(message=policy_message(step, runtime.settings.request_life_hours).json)


async def draw_policy_change(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return a change that waits for a second person, or what became of it."""
    change = await runtime.policies.change(delivery.subject_id)
    if change is None:
        return None
    now, life = runtime.clock.now(), runtime.settings.request_life_hours
    return Drawing(
        message=change_message(change, delivery.recipient, now, life).json,
        look_again=change.expires_at - now if change.is_open(now) else None,
    )


async def draw_policy_channel(runtime: Runtime, delivery: Delivery) -> Drawing:
    """Return why a channel gets no cards."""
    channel = delivery.subject_id.partition("-")[0]
    problem = await runtime.people.channels.problem(delivery.recipient, channel)
    return Drawing(message=channel_problem_message(channel, problem).json)

"""The content of messages about a policy: a change, a channel that gets no cards, a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.budget import budget_note
from blocks.team import change_message, channel_problem_message, policy_message
from bot.domain.budget import note_about
from bot.domain.delivery import Drawing
from bot.services.routing import key_of

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


async def draw_budget(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return how far a budget is used; None if it is another one by now, or its month is over."""
    link = await runtime.links.get(delivery.recipient)
    if link is None:
        return None
    key = key_of(delivery.recipient, link)
    threshold = int(delivery.subject_id.rpartition(" ")[2])
    uses = await runtime.deciding.line.uses_of(key)
    named = (each for each in uses if note_about(key, each, threshold) == delivery.subject_id)
    use = next(named, None)
    return None if use is None else Drawing(message=budget_note(use, threshold).json)


async def draw_policy_channel(runtime: Runtime, delivery: Delivery) -> Drawing:
    """Return why a channel gets no cards."""
    channel = delivery.subject_id.partition("-")[0]
    problem = await runtime.people.channels.problem(delivery.recipient, channel)
    return Drawing(message=channel_problem_message(channel, problem).json)

"""What a person sees who waits to be let in by another with the same portal account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.second_person import OtherPerson, waiting_message
from bot.services.second_person import WAIT_FOR

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.runtime import Runtime
    from bot.storage.links import Link


async def waiting_screen(runtime: Runtime, link: Link) -> Message:
    """Return the screen of a link that waits: who can let its person in, and until when.

    Raises:
        SlackUnavailableError: Slack does not answer who they are.
    """
    firsts = [await other_person(runtime, first) for first in await runtime.second_person.firsts(link)]
    return waiting_message(firsts, (link.waits_since or link.linked_at) + WAIT_FOR)


async def other_person(runtime: Runtime, link: Link) -> OtherPerson:
    """Return who has this link, by the names that Slack gives.

    Raises:
        SlackUnavailableError: Slack does not answer.
    """
    profile = await runtime.workspaces.profile(link.identity)
    return OtherPerson(name=profile.name, workspace=profile.workspace, grant_id=link.grant_id)

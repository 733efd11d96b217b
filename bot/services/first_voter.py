"""Asks once more whether the yes of the first of two still holds, before the second pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import (
    WAIT,
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
)
from bot.domain.request_errors import NotFullMemberError
from bot.domain.vote import Voided, VoteKind, method_key
from bot.slack.errors import SlackError
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.vote import Vote
    from bot.services.people import People
    from bot.storage.requests.deciding import Deciding

log = structlog.get_logger(__name__)


class FirstVoter:
    """Asks with the voter's own connection. Nothing of the payment has been sent."""

    def __init__(self, deciding: Deciding, people: People) -> None:
        self._deciding = deciding
        self._people = people

    async def is_needed(self, charge: Charge) -> bool:
        """Tell whether a charge pays a request on which two people decide."""
        return await self._deciding.needs_two(charge)

    async def ask(self, charge: Charge) -> None:
        """Check the vote with which a charge pays its request.

        Raises:
            PortalRefusalError: VOTE_LOST; the vote is void, unless its person only has to connect again.
            PortalUnavailableError: the portal, or Slack, does not say now.
        """
        vote = await self._deciding.first_vote(charge)
        if vote is None:
            raise PortalRefusalError(RefusalCode.VOTE_LOST)
        lost = None if await self._is_eligible(charge, vote) else Voided.NOT_CONFIRMED
        lost = lost or _lost(charge, vote, await self._state(vote))
        if lost is not None:
            await self.void(vote, lost)
            raise PortalRefusalError(RefusalCode.VOTE_LOST)

    async def _is_eligible(self, charge: Charge, vote: Vote) -> bool:
        """Tell whether a person may still decide, by the operator, Slack and the policy.

        Whoever asked need not be one who decides.
        """
        try:
            await self._people.members.require_full(vote.person)
        except NotFullMemberError:
            return False
        except SlackError as error:
            raise PortalUnavailableError("Slack does not say who the first voter is", sent=False) from error
        if not self._people.permission.rules.allow_person(vote.person):
            return False
        if vote.kind is VoteKind.ASKED:
            return True
        policies = await self._deciding.policies_for(charge)
        memberships = await self._people.channels.memberships(vote.person, policies)
        return all(policy.allows(vote.person.user, memberships) for policy in policies)

    async def _state(self, vote: Vote) -> BillingState | None:
        """Return what the portal says to the voter; None if it refuses them or their account is another."""
        try:
            account, portal = await self._people.accounts.portal(vote.person)
            state = await portal.state(in_background=True)
        except (NotLinkedError, RelinkRequiredError):
            raise PortalRefusalError(RefusalCode.VOTE_LOST) from None
        except PortalRefusalError as error:
            if error.code in WAIT:
                raise PortalUnavailableError(
                    error.code.value, retry_after=error.retry_after, sent=False
                ) from error
            return None
        return state if account.account_id == vote.account_id else None

    async def require_sending(self, charge: Charge, *, is_first: bool) -> None:
        """Check in the ledger that a charge may be sent, as `Deciding.require_sending` says."""
        await self._deciding.require_sending(charge, is_first=is_first)

    async def give_up(self, charge: Charge) -> None:
        """Void the vote, because nobody has answered for it."""
        vote = await self._deciding.first_vote(charge)
        if vote is not None:
            await self.void(vote, Voided.NOT_CONFIRMED)

    async def void(self, vote: Vote, why: Voided) -> None:
        """Void a vote."""
        log.info("first_voter.void", request=vote.request_id, why=why.value)
        await self._deciding.void(why, votes.c.id == vote.id)


def _lost(charge: Charge, vote: Vote, state: BillingState | None) -> Voided | None:
    """Return why a vote does not hold by what the portal says; None if it holds."""
    if state is None or state.organization_id != charge.organization_id or not state.may_charge:
        return Voided.NOT_CONFIRMED
    if state.payment_method is None or method_key(state.payment_method) != vote.seen:
        return Voided.CARD
    return None

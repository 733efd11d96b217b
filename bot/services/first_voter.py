"""Asks the portal whether the yes of the first of two still holds, before the second pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import (
    NotLinkedError,
    PortalRefusalError,
    RefusalCode,
    RelinkRequiredError,
)
from bot.domain.vote import Voided, method_key
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.vote import Vote
    from bot.services.accounts import Accounts
    from bot.storage.requests.deciding import Deciding

log = structlog.get_logger(__name__)


class FirstVoter:
    """Asks with the voter's own connection. Nothing of the payment has been sent."""

    def __init__(self, deciding: Deciding, accounts: Accounts) -> None:
        self._deciding = deciding
        self._accounts = accounts

    async def ask(self, charge: Charge) -> bool:
        """Check the vote with which a charge pays its request; return False if it needs none.

        Raises:
            PortalRefusalError: VOTE_LOST; the vote is void, unless its person only has to connect again.
            PortalUnavailableError: the portal does not say now.
        """
        if charge.request_id is None:
            return False
        is_needed, vote = await self._deciding.first_vote(charge)
        if not is_needed:
            return False
        if vote is None:
            raise PortalRefusalError(RefusalCode.VOTE_LOST)
        try:
            account, portal = await self._accounts.portal(vote.person)
            state = await portal.state(in_background=True)
        except (NotLinkedError, RelinkRequiredError):
            raise PortalRefusalError(RefusalCode.VOTE_LOST) from None
        except PortalRefusalError:
            await self.void(vote, Voided.NOT_CONFIRMED)
            raise PortalRefusalError(RefusalCode.VOTE_LOST) from None
        if account.account_id != vote.account_id or not _may_charge(charge, state):
            await self.void(vote, Voided.NOT_CONFIRMED)
            raise PortalRefusalError(RefusalCode.VOTE_LOST)
        if state.payment_method is None or method_key(state.payment_method) != vote.seen:
            await self.void(vote, Voided.CARD)
            raise PortalRefusalError(RefusalCode.VOTE_LOST)
        return True

    async def require_sending(self, charge: Charge, *, is_first: bool) -> None:
        """Check in the ledger that a charge may be sent, as `Deciding.require_sending` says."""
        await self._deciding.require_sending(charge, is_first=is_first)

    async def give_up(self, charge: Charge) -> bool:
        """Void the vote, because the portal has not answered; return False if the charge needs none."""
        if charge.request_id is None:
            return False
        is_needed, vote = await self._deciding.first_vote(charge)
        if vote is not None:
            await self.void(vote, Voided.NOT_CONFIRMED)
        return is_needed

    async def void(self, vote: Vote, why: Voided) -> None:
        """Void a vote."""
        log.info("first_voter.void", request=vote.request_id, why=why.value)
        await self._deciding.void(why, votes.c.id == vote.id)


def _may_charge(charge: Charge, state: BillingState) -> bool:
    return state.organization_id == charge.organization_id and state.may_charge

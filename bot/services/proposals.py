"""Proposed charges: stored with their idempotency key before they are shown for confirmation."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING

from bot.domain.charge import Charge, ChargeKind, ChargeState
from bot.domain.follow_up import PROPOSAL_LIFE
from bot.domain.money import CENT
from bot.domain.next_step import Proposal

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Identity
    from bot.domain.payment import PaymentMethod
    from bot.domain.request import FundsRequest
    from bot.storage.charges.confirmation import ConfirmationStore
    from bot.storage.charges.store import ChargeStore


class Proposals:
    """Proposes charges. There is no other way to a charge."""

    def __init__(self, charges: ChargeStore, confirmations: ConfirmationStore, clock: Clock) -> None:
        self._charges = charges
        self._confirmations = confirmations
        self._clock = clock

    async def add(
        self,
        identity: Identity,
        account: Account,
        amount: Decimal,
        *,
        organization: tuple[str, str | None],
        payment_method: PaymentMethod | None,
        portal_url: str,
        tier: tuple[str, str] | None = None,
        request: FundsRequest | None = None,
        channel: str | None = None,
    ) -> Proposal:
        """Store a proposed charge of a person, and return it with an equal one that they should know of.

        `request` is what it is to pay, in the version that the person is shown, and `channel` where it was
        asked for if it pays none.
        """
        now = self._clock.now()
        charge = Charge(
            id=secrets.token_hex(8),
            identity=identity,
            kind=ChargeKind.TOP_UP if tier is None else ChargeKind.UPGRADE,
            state=ChargeState.PROPOSED,
            amount=amount.quantize(CENT),
            tier_id=tier[0] if tier else None,
            tier_name=tier[1] if tier else None,
            idempotency_key=str(uuid.uuid4()),
            account_id=account.account_id,
            organization_id=organization[0],
            organization_name=organization[1],
            account_email=account.email,
            payment_method=payment_method,
            created_at=now,
            portal_url=portal_url,
            request_id=None if request is None else request.id,
            request_version=None if request is None else request.version,
            channel=channel,
        )
        open_equal = await self._confirmations.open_equal(charge)
        stored = await self._charges.add(charge, due_at=now + PROPOSAL_LIFE)
        return Proposal(charge=stored, open_equal=open_equal)

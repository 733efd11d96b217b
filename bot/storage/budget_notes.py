"""Telling people how far a month's budget is used, once for each part of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from bot.domain.budget import Whose, note_about
from bot.domain.identity import Identity
from bot.storage.live_links import live_in
from bot.storage.policies import message_about
from bot.storage.tables import links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.budget import Budget, BudgetUse
    from bot.domain.request import OrganizationKey
    from bot.storage.connection import Transaction
    from bot.storage.deliveries import DeliveryStore

BUDGET = "budget"
"""The kind of subject of these messages: as `note_about` names it."""


class BudgetNotes:
    """Writes them in the transaction that uses or changes a budget."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries

    async def tell(
        self, transaction: Transaction, key: OrganizationKey, uses: Sequence[BudgetUse], amount: Decimal
    ) -> None:
        """Tell of the budgets of which so much more (US dollars) reaches a part that is told."""
        for use in uses:
            threshold = use.reached_by(amount)
            if threshold is None:
                continue
            subject = note_about(key, use, threshold)
            for reader in await self._readers(transaction, key, use.budget):
                notice = message_about(BUDGET, subject, reader, transaction.now())
                await self._deliveries.add(transaction, notice)

    async def tell_of_change(
        self, transaction: Transaction, key: OrganizationKey, uses: Sequence[BudgetUse]
    ) -> None:
        """Tell of budgets that are new or changed, as far as they are used already."""
        for use in uses:
            await self.tell(transaction, key, [replace(use, counted=Decimal(0))], use.counted)

    async def _readers(
        self, transaction: Transaction, key: OrganizationKey, budget: Budget
    ) -> Sequence[Identity]:
        """Return its person and who has set it; for a channel's or everybody's also who may charge."""
        row = links.c
        query = select(row.enterprise, row.team, row.user, row.may_charge).where(*live_in(key))
        is_theirs = budget.whose is Whose.PERSON
        return [
            Identity(enterprise=each.enterprise, team=each.team, user=each.user)
            for each in await transaction.execute(query)
            if each.user in {budget.set_by, budget.subject} or (each.may_charge and not is_theirs)
        ]

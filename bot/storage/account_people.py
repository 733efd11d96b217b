"""The people who may be connected to one portal account beside one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select, update

from bot.domain.audit import Action
from bot.storage.charges.permits import permit
from bot.storage.tables import let_in, links

if TYPE_CHECKING:
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.links import Link


class AccountPeople:
    """Who was let in by a person who is connected to the same account; kept until it is taken back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def was_let_in(self, link: Link, *, within: Transaction) -> bool:
        """Tell whether this person was let in before."""
        row = let_in.c
        mine = (
            row.base_url == link.base_url,
            row.account_id == link.account.account_id,
            row.owner == link.identity.key,
        )
        return bool(await within.scalar(select(exists().where(*mine))))

    async def let_in(self, link: Link, *, by: Link, within: Transaction) -> bool:
        """End a link's wait, and keep that for later grants of both; return False if it does not wait."""
        row = links.c
        waits = (row.grant_id == link.grant_id, row.waits_since.is_not(None))
        if not (await within.execute(update(links).where(*waits).values(waits_since=None))).rowcount:
            return False
        for each in (link, by):
            values = {
                "base_url": each.base_url,
                "account_id": each.account.account_id,
                "owner": each.identity.key,
                "at": within.now(),
            }
            insert = self._database.backend.insert(let_in).values(**values)
            await within.execute(insert.on_conflict_do_nothing())
        owner = link.identity.key
        await within.record(Action.CONNECT, actor=by.identity.key, subject=owner, result="let in")
        await permit(within, link.account if link.connection.may_bill else None, owner)
        return True

    async def shut_out(self, owner: str, *, within: Transaction) -> None:
        """Take back that a person, by key, was let in."""
        await within.execute(delete(let_in).where(let_in.c.owner == owner))

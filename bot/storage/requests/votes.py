"""Votes: the yes of the first of two. A transaction casts or voids one under its request's row lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select, update

from bot.domain.audit import Action
from bot.domain.identity import Identity
from bot.domain.vote import Voided, Vote, VoteKind
from bot.storage.deliveries import wake_subject
from bot.storage.live_links import IS_LIVE
from bot.storage.requests.rows import REQUEST, digest
from bot.storage.tables import links, requests
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Row

    from bot.domain.identity import Account
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection, Transaction

COUNTS: tuple[ColumnElement[bool], ...] = (
    votes.c.request_id == requests.c.id,
    votes.c.version == requests.c.version,
    votes.c.void_at.is_(None),
    # A voter whose session has ended has to connect again first.
    select(links.c.owner)
    .where(
        links.c.owner == votes.c.owner,
        links.c.account_id == votes.c.account_id,
        links.c.base_url == requests.c.base_url,
        links.c.organization_id == requests.c.organization_id,
        *IS_LIVE,
    )
    .exists(),
)
"""The conditions under which a vote counts for a row of `requests`; its signature is checked apart."""


class Votes:
    """Casts votes, and finds those that count."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    async def cast(self, transaction: Transaction, vote: Vote) -> None:
        """Store a vote; the same account has none that counts for this version."""
        values = {
            "id": vote.id,
            "request_id": vote.request_id,
            "version": vote.version,
            "enterprise": vote.person.enterprise,
            "team": vote.person.team,
            "user": vote.person.user,
            "owner": vote.person.key,
            "account_id": vote.account_id,
            "kind": vote.kind.value,
            "method": vote.method,
            "seen": vote.seen,
            "at": vote.at,
            "signature": self._cipher.sign(*vote.facts),
        }
        await transaction.execute(insert(votes).values(**values))
        await transaction.record(
            Action.VOTE,
            actor=vote.person.key,
            subject=vote.request_id,
            result=vote.kind.value,
            facts={
                "version": vote.version,
                "method": digest(vote.request_id, vote.method),
                "account": vote.account_id,
            },
        )

    async def counting(self, connection: Connection, request_id: str) -> Sequence[Vote]:
        """Return the votes that count for a request as it is now, oldest first."""
        query = (
            select(votes)
            .join(requests, requests.c.id == votes.c.request_id)
            .where(requests.c.id == request_id, *COUNTS)
            .order_by(votes.c.at)
        )
        rows = (await connection.execute(query)).all()
        found = [(vote_of(row), row.signature) for row in rows]
        return [vote for vote, signature in found if self._cipher.is_signed(signature, *vote.facts)]

    async def all_of(self, connection: Connection, request_id: str) -> Sequence[Vote]:
        """Return every vote on a request, oldest first, for its trace."""
        query = select(votes).where(votes.c.request_id == request_id).order_by(votes.c.at)
        return [vote_of(row) for row in await connection.execute(query)]


def vote_of(row: Row[Any]) -> Vote:
    """Read a vote from its row."""
    return Vote(
        id=row.id,
        request_id=row.request_id,
        version=row.version,
        person=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
        account_id=row.account_id,
        kind=VoteKind(row.kind),
        method=row.method,
        seen=row.seen,
        at=row.at,
        void_at=row.void_at,
        void_why=Voided(row.void_why) if row.void_why else None,
    )


async def void_votes(transaction: Transaction, why: Voided, *which: ColumnElement[bool]) -> int:
    """Void those of the votes that are not; return how many. Their requests are drawn again."""
    row = votes.c
    void = (
        update(votes)
        .where(row.void_at.is_(None), *which)
        .values(void_at=transaction.now(), void_why=why.value)
        .returning(row.request_id, row.owner, row.version)
    )
    voided = (await transaction.execute(void)).all()
    for request_id, owner, version in voided:
        await transaction.record(
            Action.VOTE,
            actor=owner if why is Voided.LEFT else "app",
            subject=request_id,
            result="void",
            facts={"why": why.value, "voter": owner, "version": version},
        )
        await wake_subject(transaction, REQUEST, request_id)
    return len(voided)


async def void_left(
    transaction: Transaction, owner: str, *, but: Account | None = None, base_url: str = ""
) -> None:
    """Void a person's votes, but for those on requests of the organization they are connected to now."""
    left = [votes.c.owner == owner]
    if but is not None:
        mine = (
            select(requests.c.id)
            .where(
                requests.c.id == votes.c.request_id,
                requests.c.organization_id == but.organization_id,
                requests.c.base_url == base_url,
            )
            .exists()
        )
        left.append(or_(votes.c.account_id != but.account_id, ~and_(mine)))
    await void_votes(transaction, Voided.LEFT, *left)


async def sign_votes_again(transaction: Transaction, cipher: Cipher) -> None:
    """Sign with the newest key what verifies with any, so that old keys may go."""
    for row in (await transaction.execute(select(votes).where(votes.c.void_at.is_(None)))).all():
        facts = vote_of(row).facts
        if cipher.is_signed(row.signature, *facts):
            signed = update(votes).where(votes.c.id == row.id)
            await transaction.execute(signed.values(signature=cipher.sign(*facts)))

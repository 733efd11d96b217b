"""All that is stored about one person, and how it is forgotten."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, String, and_, delete, literal, or_, select, update

from bot.domain.audit import Action
from bot.domain.charge import ChargeState
from bot.domain.errors import RefusalCode
from bot.domain.identity import FORGOTTEN, Identity
from bot.domain.policy import Policy
from bot.domain.request import RequestState
from bot.storage.charges.purge import forget_charges
from bot.storage.columns import lease_columns, metadata
from bot.storage.links import LinkStore
from bot.storage.policies import SIGNED
from bot.storage.requests.leaving import withdraw_left
from bot.storage.requests.rows import REQUEST
from bot.storage.tables import audit, away, charges, deliveries, installations, locks, messages, requests
from bot.storage.team_tables import policies, policy_changes, votes
from bot.storage.watch_tables import watches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement, Row, Select, Table

    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database

OWNED = tuple(
    table for table in metadata.sorted_tables if "owner" in table.c and table is not installations
)
"""Tables whose rows are a person's; of an installation the owner is a workspace."""

KEYS: tuple[Column[Any], ...] = (
    requests.c.decided_by,
    policies.c.set_by,
    policies.c.agreed_by,
    policy_changes.c.decided_by,
    locks.c.locked_by,
    watches.c.watcher,
)
"""Columns of others' rows that hold a person's key."""

USERS: tuple[Column[Any], ...] = (installations.c.installed_by, away.c.delegate)
"""Columns of others' rows that hold a person's Slack id; the row says of which workspace or grid."""

TEXTS: tuple[Column[Any], ...] = (policies.c.facts, policy_changes.c.facts)
"""Signed texts in which a person's Slack id may stand."""

LOG = (audit.c.actor, audit.c.subject, audit.c.facts)
"""The sealed log names people, and stays as it is."""

_SIGNED_TABLES = {table for table, _ in SIGNED}
"""Their rows change only together with their signature."""

_SECRETS = {"idempotency_key", "offer_signature", "confirmation_signature", "signature"}
_WORK = {column.name for column in lease_columns()}


class NotForgottenError(Exception):
    """Why a person cannot be forgotten now, in words for the operator."""


async def people_of(connection: Connection, team: str, user: str) -> list[Identity]:
    """Return the names under which a person may be stored: the workspace's and the grid's.

    `team` may be either; a workspace that has joined a grid may have left rows of its own.
    """
    tenants = {team}
    for table in (*OWNED, installations, watches):
        if not {"enterprise", "team"} <= set(table.c.keys()):
            continue
        row = table.c
        here = or_(row.team == team, row.enterprise == team)
        found = await connection.execute(select(row.enterprise, row.team).where(here).distinct())
        tenants |= {name for each in found for name in each if name}
    return [
        Identity(enterprise="" if each.startswith("T") else each, team=each, user=user)
        for each in sorted(tenants)
    ]


async def show_person(database: Database, team: str, user: str) -> dict[str, Any]:
    """Return all that is stored about a person, by place and without secrets; empty if nothing is.

    Of others' rows that name the person, only which ones they are.
    """
    shown: dict[str, Any] = {}
    async with database.read() as connection:
        people = await people_of(connection, team, user)
        for person in people:
            for name, columns, condition in _places(person):
                if rows := await _rows(connection, select(*columns).where(condition)):
                    shown[name] = shown.get(name, []) + rows
        if rows := await _entries(connection, people):
            shown["audit"] = rows
    return shown


async def forget_person(database: Database, cipher: Cipher, team: str, user: str) -> tuple[bool, int]:
    """Point nothing to a person any more outside the sealed log.

    Return whether anything was stored about them besides, and how many entries of the log name them.

    Raises:
        NotForgottenError: something has to end first, or a policy that names them is not what was stored.
            Nothing was changed, unless the words say that their connection has ended.
    """
    waiting: set[str] = set()
    async with database.transaction() as transaction:
        people = await people_of(transaction, team, user)
        for person in people:
            # As a confirmation does, so that none of theirs comes between the check and the end.
            turn = select(literal(f"owner:{person.key}", String))
            await transaction.execute(select(database.backend.take_turns(turn)))
            await _require_ended(transaction, person)
        if broken := await _not_verified(transaction, cipher, people):
            words = f"not forgotten: {broken} names them and is not what the app stored"
            raise NotForgottenError(words)
        known = [person for person in people if await _is_known(transaction, person)]
        for person in known:
            await LinkStore(database, cipher).remove_within(transaction, person.key, why="forgotten")
            await withdraw_left(transaction, person.key)
            waiting |= set(await _told_to_others(transaction, person))
        if known and not waiting:
            await _forget_in_policies(database, transaction, cipher, people)
            for person in known:
                await _forget(transaction, person)
                await transaction.record(
                    Action.PURGE, actor="operator", subject=person.key, result="person forgotten"
                )
    if waiting:
        raise NotForgottenError(
            f"not forgotten yet: their connection has ended and request {', '.join(sorted(waiting))} was "
            "taken back; run this again when the app has told the others"
        )
    async with database.read() as connection:
        return bool(known), len(await _entries(connection, people))


async def _require_ended(transaction: Transaction, person: Identity) -> None:
    row = charges.c
    works = or_(row.due_at.is_not(None), row.lease_token.is_not(None))
    going = select(row.id).where(row.owner == person.key, row.state != ChargeState.PROPOSED.value, works)
    paid = select(requests.c.id).where(
        requests.c.owner == person.key,
        requests.c.state == RequestState.CHARGING.value,
    )
    what = [f"purchase {each}" for each in (await transaction.execute(going)).scalars()]
    what += [f"request {each}" for each in (await transaction.execute(paid)).scalars()]
    sent = select(deliveries.c.id).where(
        deliveries.c.owner == person.key, deliveries.c.lease_token.is_not(None)
    )
    what += ["a message to them" for _ in (await transaction.execute(sent.limit(1))).scalars()]
    if what:
        raise NotForgottenError(
            f"not forgotten: {', '.join(what)} is under way; run this again when it has ended"
        )


async def _is_known(transaction: Transaction, person: Identity) -> bool:
    for _, columns, condition in _places(person):
        if (await transaction.execute(select(*columns).where(condition).limit(1))).first() is not None:
            return True
    return False


async def _told_to_others(transaction: Transaction, person: Identity) -> Sequence[str]:
    """Return those of the person's requests whose end has not been told to the others yet."""
    query = (
        select(requests.c.id)
        .join(
            deliveries, and_(deliveries.c.subject_id == requests.c.id, deliveries.c.subject_kind == REQUEST)
        )
        .where(
            requests.c.owner == person.key,
            deliveries.c.owner != person.key,
            # One that Slack refuses is due again in an hour, for as long as it does.
            or_(deliveries.c.due_at <= transaction.now(), deliveries.c.lease_token.is_not(None)),
        )
        .distinct()
    )
    return (await transaction.execute(query)).scalars().all()


async def _forget(transaction: Transaction, person: Identity) -> None:
    row = charges.c
    theirs = select(row.id, row.confirmed_at).where(row.owner == person.key)
    found = (await transaction.execute(theirs)).all()
    unconfirmed = [each.id for each in found if each.confirmed_at is None]
    await transaction.execute(delete(messages).where(messages.c.id.in_(unconfirmed)))
    await transaction.execute(delete(charges).where(row.id.in_(unconfirmed)))
    await forget_charges(transaction, [each.id for each in found if each.confirmed_at is not None])
    asked = select(requests.c.id).where(requests.c.owner == person.key)
    ids = (await transaction.execute(asked)).scalars().all()
    await transaction.execute(delete(votes).where(votes.c.request_id.in_(ids)))
    cards = (deliveries.c.subject_kind == REQUEST, deliveries.c.subject_id.in_(ids))
    await transaction.execute(delete(deliveries).where(*cards))
    await _forget_who_paused(transaction, person)
    for table in OWNED:
        if table is not charges:
            await transaction.execute(delete(table).where(table.c.owner == person.key))
    for column in (*KEYS, *USERS):
        if column.table not in _SIGNED_TABLES:
            changed = update(column.table).where(_names(column, person))
            await transaction.execute(changed.values({column.key: _instead(column, person)}))


def _instead(column: Column[Any], person: Identity) -> str | None:
    """Return what stands in a column from now on, in place of a person."""
    if column in {watches.c.watcher, away.c.delegate}:
        return None
    return f"{person.tenant}:{FORGOTTEN}" if column is locks.c.locked_by else FORGOTTEN


async def _not_verified(transaction: Transaction, cipher: Cipher, people: Sequence[Identity]) -> str | None:
    """Return which policy or change names a person and is not what this app stored; None if all are."""
    for table, facts_of in SIGNED:
        for row in (await transaction.execute(_of_tenants(table, people))).all():
            try:
                names_them = bool(_without(table, row, people))
            except (ValueError, TypeError, LookupError):
                names_them = people[0].user in row.facts
            if names_them and not cipher.is_signed(row.signature, *facts_of(row)):
                return f"{table.name} {row.id}"
    return None


async def _forget_in_policies(
    database: Database, transaction: Transaction, cipher: Cipher, people: Sequence[Identity]
) -> None:
    """Take a person, by all their names, out of every policy and proposed change there.

    They are signed again; `_not_verified` says whether they may be. Proposals of their own are deleted.
    """
    mine = policy_changes.c.owner.in_([each.key for each in people])
    await transaction.execute(delete(policy_changes).where(mine))
    for table, facts_of in SIGNED:
        query = database.backend.locked(_of_tenants(table, people))
        for row in (await transaction.execute(query)).all():
            if changed := _without(table, row, people):
                whole = {column.key: getattr(row, column.key) for column in table.c} | changed
                signature = cipher.sign(*facts_of(SimpleNamespace(**whole)))
                this = update(table).where(table.c.id == row.id)
                await transaction.execute(this.values({**changed, "signature": signature}))


def _of_tenants(table: Table, people: Sequence[Identity]) -> Select[Any]:
    return select(table).where(table.c.tenant.in_([each.tenant for each in people]))


def _without(table: Table, row: Row[Any], people: Sequence[Identity]) -> dict[str, Any]:
    """Return what changes in a row when a person is taken out."""
    keys = {each.key for each in people}
    changed: dict[str, Any] = {
        column.key: FORGOTTEN for column in table.c if getattr(row, column.key) in keys
    }
    facts = Policy.text_without(row.facts, people[0].user)
    if facts != row.facts:
        changed["facts"] = facts
    return changed


async def _forget_who_paused(transaction: Transaction, person: Identity) -> None:
    """Take out of others' stopped purchases who had paused spending: an id, and then the reason."""
    row = charges.c
    query = select(row.id, row.refusal_detail).where(
        row.refusal == RefusalCode.SPENDING_STOPPED.value,
        row.owner.startswith(f"{person.tenant}:", autoescape=True),
        row.refusal_detail.startswith(f"{person.user} ", autoescape=True),
    )
    for found in (await transaction.execute(query)).all():
        detail = f"{FORGOTTEN} {found.refusal_detail.partition(' ')[2]}"
        await transaction.execute(update(charges).where(row.id == found.id).values(refusal_detail=detail))


def _places(person: Identity) -> list[tuple[str, list[Column[Any]], ColumnElement[bool]]]:
    """Return where a person may be named: how to call it, what to show of it, and which rows name them."""
    own = [(table.name, _readable(table), table.c.owner == person.key) for table in OWNED]
    named = [
        (f"{column.table.name}, {column.name}", list(column.table.primary_key), _names(column, person))
        for column in (*KEYS, *USERS, *TEXTS)
    ]
    return [*own, *named]


def _names(column: Column[Any], person: Identity) -> ColumnElement[bool]:
    """Return the condition that a row names a person in this column."""
    row = column.table.c
    if column in set(KEYS):
        return column == person.key
    if column is away.c.delegate:
        return and_(column == person.user, row.owner.startswith(f"{person.tenant}:", autoescape=True))
    if column is installations.c.installed_by:
        of = or_(row.team == person.tenant, row.enterprise == person.tenant)
        return and_(column == person.user, of)
    return and_(column.contains(f'"{person.user}"', autoescape=True), row.tenant == person.tenant)


async def _entries(connection: Connection, people: Sequence[Identity]) -> list[dict[str, Any]]:
    """Return the entries of the sealed log that name a person, by Slack id, in one of their tenants."""
    user = people[0].user
    found = or_(*(column.contains(user, autoescape=True) for column in LOG))
    rows = await _rows(connection, select(audit).where(found).order_by(audit.c.id))
    # Whole ids, and not the beginning of others.
    theirs = re.compile(rf"\b{re.escape(user)}\b")
    here = re.compile("|".join(rf"\b{re.escape(each.tenant)}\b" for each in people))
    return [row for row in rows if theirs.search(_words(row)) and here.search(_words(row))]


def _words(row: dict[str, Any]) -> str:
    return f"{row['actor']} {row['subject']} {row['facts']}"


def _readable(table: Table) -> list[Column[Any]]:
    hidden = _SECRETS | _WORK
    return [each for each in table.c if not isinstance(each.type, LargeBinary) and each.name not in hidden]


async def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any SELECT
    """Return rows as JSON shows them, without what is not set."""
    found = (await connection.execute(query)).mappings().all()
    return [{key: _plain(each) for key, each in row.items() if each is not None} for row in found]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    return value if isinstance(value, bool | int | str) else str(value)

"""Deliveries: one row per message, with what is needed to post it exactly once."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, case, func, or_, select, update

from bot.domain.delivery import Delivery, ShownAt
from bot.domain.identity import Identity
from bot.engine import LeaseLostError, Released
from bot.storage.cipher import Cipher, SealBrokenError, generate_key
from bot.storage.leases import LeaseStore, wake
from bot.storage.tables import charges, deliveries, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Executable, Row, Table

    from bot.engine import Lease
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database

CHARGE = "charge"
_PLAIN = (
    "channel",
    "ts",
    "posting_since",
    "digest",
    "reply_key",
    "replied_key",
    "view_id",
    "posted_at",
    "edited_at",
    "replied_at",
)
_WHO = select(
    charges.c.id, charges.c.enterprise, charges.c.team, charges.c.user, charges.c.created_at
).where(charges.c.id.in_(bindparam("ids", expanding=True)))


class DeliveryStore:
    """The deliveries of all subjects."""

    table: Table = deliveries
    keeps_versions = True
    """Whether a row says which version of its subject the message shows."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self.leases = LeaseStore(database, self.table, self._loaders)

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return a delivery; a charge's delivery has the charge's id."""
        query = select(self.table).where(self.table.c.id == delivery_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            loaders = await self._read_recipients(connection, rows)
        return loaders[delivery_id]() if rows else None

    async def add(self, transaction: Transaction, delivery: Delivery) -> None:
        """Store a delivery that is due now; if the recipient has one for this subject, wake that one."""
        place = delivery.place
        identity = delivery.recipient
        now = self._database.clock.now()
        values = {
            "id": delivery.id,
            "subject_kind": delivery.subject_kind,
            "subject_id": delivery.subject_id,
            "enterprise": identity.enterprise,
            "team": identity.team,
            "user": identity.user,
            "owner": identity.key,
            "created_at": delivery.created_at,
            "sealed_place": None if place is None else self._cipher.seal(identity.key, _facts(place)),
            "channel": delivery.channel,
            "ts": delivery.ts,
            "view_id": delivery.view_id,
            "due_at": now,
        }
        row = deliveries.c
        statement = self._database.backend.insert(deliveries).values(**values)
        await transaction.execute(
            statement.on_conflict_do_update(
                index_elements=[row.subject_kind, row.subject_id, row.owner],
                set_={"due_at": now, "wakes": row.wakes + 1},
            )
        )
        transaction.announce(deliveries)

    async def save(self, lease: Lease[Delivery], before: Delivery, after: Delivery) -> Delivery:
        """Write the changes under a lease; return the delivery `after`.

        Raises:
            LeaseLostError: another run holds the row.
        """
        changes = self._difference(before, after)
        if changes:
            await self._execute(lease, self._save, changes)
        return after

    async def finish(
        self,
        lease: Lease[Delivery],
        before: Delivery,
        after: Delivery,
        *,
        is_shown: bool,
        due_at: datetime | None = None,
    ) -> Released:
        """Write the changes and release the row, due at `due_at`, or now after a wake.

        `is_shown`: the person sees the version of the subject that was wanted when the row was claimed.

        The open modal is removed from the row if it is still the one of `before` and no wake came. After a
        wake, the person may be waiting in the same modal for something else.

        Raises:
            LeaseLostError: another run holds the row.
        """
        changes = self._difference(before, after)
        modal = before.view_id if "view_id" in changes and after.view_id is None else None
        changes.pop("view_id", None)
        facts = {"modal": modal or "", **self.leases.when_given_back(lease.claim, due_at)}
        if is_shown:
            changes |= self._drawn(lease)
        row = await self._execute(lease, self._finish, {**changes, **facts})
        return Released(row.due_at)

    async def open_modal_of(self, delivery_id: str) -> str | None:
        """Return the open modal in which the outcome is to be shown now; None if there is none."""
        query = select(self.table.c.view_id).where(self.table.c.id == delivery_id)
        async with self._database.read() as connection:
            view_id: str | None = await connection.scalar(query)
        return view_id

    async def forget_digest(self, delivery_id: str) -> None:
        """Force an update of a message, because its content is unknown; needs no lease."""
        async with self._database.transaction() as transaction:
            await transaction.execute(
                update(self.table).where(self.table.c.id == delivery_id).values(digest=None)
            )
            await wake(transaction, self.table, delivery_id)

    async def look_again(self, *, enterprise: str, team: str, since: datetime) -> None:
        """Wake a workspace's unfinished deliveries since then; without `team`, those of an enterprise."""
        row = deliveries.c
        of = row.team == team if team else row.enterprise == enterprise
        is_behind = or_(row.drawn.is_(None), row.drawn < row.wakes)
        await self._wake_where(of, row.created_at >= since, is_behind)

    async def wake_subject(self, subject_kind: str, subject_id: str, *, within: Transaction) -> None:
        """Have every message about this subject drawn again."""
        await wake_subject(within, subject_kind, subject_id)

    async def redraw(self, subject_kind: str, subject_id: str, reader: Identity) -> Delivery | None:
        """Have a reader's message about a subject edited, whatever it shows; return it, None if none is."""
        row = deliveries.c
        mine = (row.subject_kind == subject_kind, row.subject_id == subject_id, row.owner == reader.key)
        async with self._database.transaction() as transaction:
            values = {"digest": None, "due_at": transaction.now(), "wakes": row.wakes + 1}
            changed = update(deliveries).where(*mine).values(**values).returning(deliveries)
            found = (await transaction.execute(changed)).one_or_none()
            transaction.announce(deliveries)
        return None if found is None else self._delivery(found)

    async def readers(self, subject_kind: str, subject_id: str) -> Sequence[Identity]:
        """Return the people who have a message about this subject, or soon will."""
        row = deliveries.c
        query = (
            select(row.enterprise, row.team, row.user)
            .where(row.subject_kind == subject_kind, row.subject_id == subject_id)
            .order_by(row.created_at, row.owner)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
        return [Identity(enterprise=each.enterprise, team=each.team, user=each.user) for each in found]

    async def _wake_where(self, *conditions: Any) -> None:  # noqa: ANN401 - SQLAlchemy's conditions
        async with self._database.transaction() as transaction:
            await self._wake(transaction, *conditions)

    async def _wake(self, transaction: Transaction, *conditions: Any) -> None:  # noqa: ANN401 - the same
        now = self._database.clock.now()
        await transaction.execute(
            update(self.table).where(*conditions).values(due_at=now, wakes=self.table.c.wakes + 1)
        )
        transaction.announce(self.table)

    def _drawn(self, lease: Lease[Delivery]) -> dict[str, Any]:
        """Return the version of the subject that the message shows when this run ends."""
        return {"drawn": lease.claim.wakes}

    def _difference(self, before: Delivery, after: Delivery) -> dict[str, Any]:
        names = (name for name in _PLAIN if getattr(before, name) != getattr(after, name))
        changes = {name: getattr(after, name) for name in names}
        if before.place is not None and after.place is None:
            changes["sealed_place"] = None
        return changes

    @cached_property
    def _save(self) -> Executable:
        return self.leases.held.returning(self.table)

    @cached_property
    def _finish(self) -> Executable:
        row = self.table.c
        finished = func.nullif(row.view_id, bindparam("modal", type_=String))
        modal = case((row.wakes == bindparam("claimed_wakes"), finished), else_=row.view_id)
        return self.leases.held.values(**self.leases.given_back, view_id=modal).returning(self.table)

    async def _execute(
        self, lease: Lease[Delivery], statement: Executable, changes: dict[str, Any]
    ) -> Row[Any]:
        facts = {**changes, "this": lease.id, "token": lease.token}
        async with self._database.autocommit() as connection:
            row: Row[Any] | None = (await connection.execute(statement, facts)).one_or_none()
        if row is None:
            raise LeaseLostError(lease.id)
        return row

    async def _loaders(self, rows: Sequence[Row[Any]]) -> dict[str, Callable[[], Delivery]]:
        return {row.id: partial(self._delivery, row) for row in rows}

    async def _read_recipients(
        self, _connection: Connection, rows: Sequence[Row[Any]]
    ) -> dict[str, Callable[[], Delivery]]:
        return await self._loaders(rows)

    def _delivery(self, row: Row[Any]) -> Delivery:
        return Delivery(
            id=row.id,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            recipient=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
            created_at=row.created_at,
            place=self._place(row),
            drawn=row.drawn,
            **{name: getattr(row, name) for name in _PLAIN},
        )

    def _place(self, row: Row[Any]) -> ShownAt | None:
        if row.sealed_place is None:
            return None
        try:
            return ShownAt(**self._cipher.open(row.owner, row.sealed_place))
        except SealBrokenError:
            return None  # the key is gone, so the message is posted instead


class MessageStore(DeliveryStore):
    """Messages about charges that an older release has stored; they are delivered, and none is added."""

    table = messages
    keeps_versions = False

    async def look_again(self, *, enterprise: str, team: str, since: datetime) -> None:
        """Wake a workspace's messages since then; without `team`, those of an enterprise."""
        of = charges.c.team == team if team else charges.c.enterprise == enterprise
        concerned = select(charges.c.id).where(of, charges.c.confirmed_at >= since)
        await self._wake_where(messages.c.id.in_(concerned))

    def _drawn(self, lease: Lease[Delivery]) -> dict[str, Any]:  # noqa: ARG002 - no column for it
        return {}

    async def _loaders(self, rows: Sequence[Row[Any]]) -> dict[str, Callable[[], Delivery]]:
        async with self._database.read() as connection:
            return await self._read_recipients(connection, rows)

    async def _read_recipients(
        self, connection: Connection, rows: Sequence[Row[Any]]
    ) -> dict[str, Callable[[], Delivery]]:
        found = await connection.execute(_WHO, {"ids": [row.id for row in rows]})
        people = {row.id: row for row in found}
        return {row.id: partial(_message, row, people[row.id]) for row in rows}


def _message(row: Row[Any], charge: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        subject_kind=CHARGE,
        subject_id=row.id,
        recipient=Identity(enterprise=charge.enterprise, team=charge.team, user=charge.user),
        created_at=charge.created_at,
        **{name: getattr(row, name) for name in _PLAIN},
    )


def _facts(place: ShownAt) -> dict[str, Any]:
    return {"response_url": place.response_url, "view_id": place.view_id}


async def wake_delivery(transaction: Transaction, charge_id: str) -> None:
    """Wake the message about a charge, in whichever table it is."""
    if not await wake(transaction, deliveries, charge_id):
        await wake(transaction, messages, charge_id)


async def wake_subject(transaction: Transaction, subject_kind: str, subject_id: str) -> None:
    """Have every message about this subject drawn again."""
    row = deliveries.c
    await transaction.execute(
        update(deliveries)
        .where(row.subject_kind == subject_kind, row.subject_id == subject_id)
        .values(due_at=transaction.now(), wakes=row.wakes + 1)
    )
    transaction.announce(deliveries)


async def watch_in_modal(transaction: Transaction, charge_id: str, view_id: str | None) -> None:
    """Show the charge's outcome in an open modal too."""
    if view_id is None:
        return
    for table in (deliveries, messages):
        await transaction.execute(update(table).where(table.c.id == charge_id).values(view_id=view_id))


async def leave_modal(database: Database, charge_id: str, view_id: str) -> None:
    """Stop showing a charge's outcome in a modal, because the person has opened something else there."""
    async with database.transaction() as transaction:
        for table in (deliveries, messages):
            shown = update(table).where(table.c.id == charge_id, table.c.view_id == view_id)
            await transaction.execute(shown.values(view_id=None))


async def delivery_of(database: Database, charge_id: str) -> Delivery | None:
    """Return the delivery about a charge from either table; it needs no encryption key."""
    no_key = Cipher((generate_key(),))
    found = await DeliveryStore(database, no_key).get(charge_id)
    return found or await MessageStore(database, no_key).get(charge_id)

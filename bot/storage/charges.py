"""Charges: the ledger, which is also the queue. Every state change is a compare-and-set."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    String,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from bot.domain.audit import Action
from bot.domain.charge import (
    NOT_CHARGED,
    ON_ITS_WAY,
    OPEN,
    TERMINAL,
    UNFINISHED,
    Charge,
    ChargeKind,
    ChargeState,
    FailureReason,
    IllegalTransitionError,
    check_transition,
)
from bot.domain.errors import RefusalCode
from bot.domain.identity import Identity
from bot.domain.payment import PaymentMethod
from bot.engine import LeaseLostError
from bot.storage.audit import record
from bot.storage.database import announce
from bot.storage.leases import LeaseStore, wake
from bot.storage.tables import charges, locks, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Executable, Row, Select

    from bot.domain.identity import Account
    from bot.engine import Lease
    from bot.metrics import Metrics
    from bot.storage.connection import Connection
    from bot.storage.database import Database

    Judge = Callable[[Decimal, Decimal | None], None]

FORGOTTEN = "forgotten"
PURGE_BATCH = 200
LATELY = timedelta(days=7)
# Literally: the partial indices of these states are found by their words.
_UNFINISHED: list[ColumnElement[str]] = [literal_column(f"'{state.value}'") for state in UNFINISHED]
_NOBODYS = {
    "enterprise": "",
    "team": "",
    "user": "",
    "owner": FORGOTTEN,
    "account_id": "",
    "organisation_id": "",
    "organisation_name": None,
    "account_email": None,
    "payment_method": None,
    "card": None,
    "refusal_detail": None,
    "portal_url": None,
}

_FIELDS = tuple(field.name for field in fields(Charge) if field.name not in {"identity", "payment_method"})


def _equal_untold(owner: Any, kind: Any, amount: Any) -> tuple[Select[str, datetime], ...]:  # noqa: ANN401 - values or columns
    """Return which of an owner's charges of a kind and just that amount have an end that was not told yet.

    Those without one, and those that have settled lately and are to be told; each finds its own index.
    """
    going, settled = charges.alias("going"), charges.alias("settled")
    # Asked for one by one: joined, PostgreSQL would begin with everybody's messages.
    due_at = select(messages.c.due_at).where(messages.c.id == settled.c.id).scalar_subquery()
    return (
        select(going.c.id, going.c.confirmed_at).where(
            going.c.owner == owner,
            going.c.state.in_(_UNFINISHED),
            going.c.state != literal_column(f"'{ChargeState.NEEDS_SCOPE.value}'"),
            going.c.kind == kind,
            going.c.amount == amount,
        ),
        select(settled.c.id, settled.c.confirmed_at).where(
            settled.c.owner == owner,
            settled.c.created_at > bindparam("lately", type_=settled.c.created_at.type),
            settled.c.state == literal_column(f"'{ChargeState.SETTLED.value}'"),
            settled.c.kind == kind,
            settled.c.amount == amount,
            due_at.is_not(None),
        ),
    )


def _beside_an_equal() -> ColumnElement[bool]:
    """Tell of a charge whether its owner has an equal one without a told end, newer than `warned_of`.

    Whoever was warned of one has said yes beside all that were there before it.
    """
    mine, warned = charges.c, charges.alias("warned")
    return or_(
        *(
            equal.where(
                equal.selected_columns.id != mine.id,
                ~exists()
                .where(
                    warned.c.id == bindparam("warned_of", type_=String),
                    warned.c.owner == mine.owner,
                    warned.c.confirmed_at >= equal.selected_columns.confirmed_at,
                )
                .correlate_except(warned),
            ).exists()
            for equal in _equal_untold(mine.owner, mine.kind, mine.amount)
        )
    )


def _counted() -> dict[str, Any]:
    """Return the changes that write what was counted; nothing was where it is 0 times."""
    changes: dict[str, Any] = {}
    for name in ("post", "poll"):
        first, last = charges.c[f"first_{name}_at"], charges.c[f"last_{name}_at"]
        changes |= {
            f"{name}s": charges.c[f"{name}s"] + bindparam(f"more_{name}s"),
            first.name: func.coalesce(first, bindparam(f"first_{name}", type_=first.type)),
            last.name: func.coalesce(bindparam(f"last_{name}", type_=last.type), last),
        }
    return changes


_BY_ID = select(charges).where(charges.c.id == bindparam("this", type_=String))
# Made once: to make a statement takes longer than to execute it. What else is to be set is given to each.
_ONE = update(charges).where(charges.c.id == bindparam("this", type_=String))
_NEXT = _ONE.where(charges.c.state == bindparam("before", type_=String))
_HELD = charges.c.lease_token == bindparam("token", type_=String)
_THEIRS = charges.c.owner == bindparam("owner_key", type_=String)
_NOTE = _ONE.where(_HELD).values(**_counted()).returning(charges)
_HELD_STEP = _NEXT.where(_HELD).values(**_counted())
_STEP = _HELD_STEP.returning(charges)
_BY_OWNER = _NEXT.where(_THEIRS).returning(charges)
_WAKE_BY_OWNER = _NEXT.where(_THEIRS).values(wakes=charges.c.wakes + 1).returning(charges)
_NEW_MESSAGE = (
    insert(messages)
    .from_select(
        ["id", "view_id", "due_at"],
        select(
            charges.c.id,
            bindparam("view_id", type_=String),
            bindparam("due_at", type_=messages.c.due_at.type),
        ).where(charges.c.id == bindparam("this", type_=String), ~_beside_an_equal()),
    )
    .returning(messages.c.id)
)
_CONFIRM = (
    _NEXT.where(
        _THEIRS,
        charges.c.created_at > bindparam("made_after", type_=charges.c.created_at.type),
        ~exists().where(locks.c.home == bindparam("home_key", type_=String)),
    )
    .values(wakes=charges.c.wakes + 1)
    .returning(charges)
)


@dataclass(slots=True)
class _Asked:
    """How often a run has asked the portal since it last wrote, and when."""

    times: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, moment: datetime) -> None:
        self.times += 1
        self.first = self.first or moment
        self.last = moment

    def facts(self, name: str) -> dict[str, Any]:
        """Return what `_counted` is executed with."""
        return {f"more_{name}s": self.times, f"first_{name}": self.first, f"last_{name}": self.last}


class _EqualError(Exception):
    """There is an equal charge of which the person was not warned: what was done is undone."""


class ChargeStore:
    """Charges of everybody. Who may see which is decided by `owner` in each question.

    What a run asks of the portal is counted in memory and written with the run's next change of its row
    (polling writes nothing), so a killed process may leave the counts too low, never too high.
    """

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._posts: defaultdict[tuple[str, str], _Asked] = defaultdict(_Asked)
        self._polls: defaultdict[tuple[str, str], _Asked] = defaultdict(_Asked)
        self.leases = LeaseStore(database, charges, self._found)

    @cached_property
    def _yes(self) -> Executable:
        return _CONFIRM.where(self._database.turn(charges.c.owner))

    @cached_property
    def _yes_again(self) -> Executable:
        return _WAKE_BY_OWNER.where(self._database.turn(charges.c.owner))

    @cached_property
    def _last_step(self) -> Executable:
        return _HELD_STEP.values(**self.leases.given_back).returning(charges)

    @staticmethod
    async def _found(rows: Sequence[Row[Any]]) -> dict[str, Callable[[], Charge]]:
        return {row.id: partial(charge_of, row) for row in rows}

    def count_post(self, lease: Lease) -> None:
        """Count a request for the money, as it leaves."""
        self._posts[lease.id, lease.token].add(self._database.clock.now())

    def count_poll(self, lease: Lease) -> None:
        """Count a question about how the charge stands, as it leaves."""
        self._metrics.polls.inc()
        self._polls[lease.id, lease.token].add(self._database.clock.now())

    async def store_counts(self, lease: Lease) -> None:
        """Write what is counted and not written yet, at a run's end; nothing when it lost the row."""
        run = (lease.id, lease.token)
        if run in self._posts or run in self._polls:
            facts = {"this": lease.id, "token": lease.token, **self._counts(lease)}
            async with self._database.single() as connection:
                await connection.execute(_NOTE, facts)

    def _counts(self, lease: Lease) -> dict[str, Any]:
        posts = self._posts.pop((lease.id, lease.token), _Asked())
        polls = self._polls.pop((lease.id, lease.token), _Asked())
        return {**posts.facts("post"), **polls.facts("poll")}

    async def add(self, charge: Charge, *, due_at: datetime) -> None:
        """Store a proposed charge; at `due_at` it is looked at, to expire it."""
        values = {name: getattr(charge, name) for name in _FIELDS}
        who = {
            "enterprise": charge.identity.enterprise,
            "team": charge.identity.team,
            "user": charge.identity.user,
            "owner": charge.identity.key,
        }
        method = charge.payment_method and charge.payment_method.to_text()
        async with self._database.single() as connection:
            await connection.execute(
                insert(charges), {**values, **who, "payment_method": method, "due_at": due_at}
            )
        self._entered(charge)

    async def get(self, charge_id: str, *, owner: str | None = None) -> Charge | None:
        """Return a charge; with `owner`, only if it is theirs."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_BY_ID, {"this": charge_id})).one_or_none()
        return None if row is None or owner not in {None, row.owner} else charge_of(row)

    async def of_owner(self, owner: str, *, limit: int, offset: int = 0) -> Sequence[Charge]:
        """Return the owner's charges that were confirmed, newest first."""
        query = (
            select(charges)
            .where(charges.c.owner == owner, charges.c.confirmed_at.is_not(None))
            .order_by(charges.c.created_at.desc())
            .limit(limit)
            .offset(offset)
        )
        async with self._database.reading() as connection:
            return [charge_of(row) for row in await connection.execute(query)]

    async def open_equal(self, charge: Charge) -> Charge | None:
        """Return the owner's last other charge of that kind and just that amount without a told end."""
        equal = union_all(*_equal_untold(charge.identity.key, charge.kind.value, charge.amount)).subquery()
        query = (
            select(charges)
            .join(equal, equal.c.id == charges.c.id)
            .where(charges.c.id != charge.id)
            .order_by(charges.c.confirmed_at.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            lately = {"lately": self._database.clock.now() - LATELY}
            row = (await connection.execute(query, lately)).one_or_none()
        return None if row is None else charge_of(row)

    async def spent(self, owner: str, *, since: datetime) -> Decimal:
        """Return the sum of the owner's charges since then that were or may yet be made."""
        async with self._database.transaction() as connection:
            return await _spent(connection, owner, since)

    async def confirm(
        self,
        charge_id: str,
        identity: Identity,
        *,
        now: datetime,
        view_id: str | None,
        made_after: datetime,
        warned_of: str | None = None,
        since: datetime | None = None,
        judge: Judge = lambda _amount, _spent: None,
    ) -> Charge | None:
        """Turn a person's proposal into a confirmed charge with its message to come, once.

        Only one that was made after `made_after`, where nobody has locked spending, and beside which no
        equal one of theirs is without a told end, but those up to that of which they were `warned_of`.
        `judge` is given its amount and, with `since`, what the person has spent since then; what it raises
        undoes it. A person's confirmations take turns, so that each knows of those before it.

        Returns None when there is no such proposal of theirs (any more).
        """
        facts = {
            "owner_key": identity.key,
            "made_after": made_after,
            "home_key": identity.home,
            "confirmed_at": now,
            "due_at": now,
        }
        message = {
            "this": charge_id,
            "view_id": view_id,
            "due_at": now,
            "warned_of": warned_of or "",
            "lately": now - LATELY,
        }
        with suppress(_EqualError):
            async with self._database.transaction() as connection:
                charge = await self._set(
                    connection, self._yes, charge_id, ChargeState.PROPOSED, ChargeState.CONFIRMED, facts
                )
                if charge is None:
                    return None
                await _judge(connection, charge, since, judge)
                if (await connection.execute(_NEW_MESSAGE, message)).one_or_none() is None:
                    raise _EqualError
                announce(connection, charges)
                announce(connection, messages)
            return self._entered(charge)
        return None

    async def cancel(self, charge_id: str, owner: str, *, now: datetime) -> Charge | None:
        """Turn the owner's proposal down, once; None when it is no proposal of theirs (any more)."""
        async with self._database.transaction() as connection:
            facts = {"owner_key": owner, "ended_at": now, "due_at": None}
            charge = await self._set(
                connection, _BY_OWNER, charge_id, ChargeState.PROPOSED, ChargeState.CANCELLED, facts
            )
        return self._entered(charge)

    async def move(self, lease: Lease, before: ChargeState, after: ChargeState, **values: object) -> Charge:
        """Change the state under a lease, and have its message told, in one transaction.

        A charge that has ended is given back with that.

        Raises:
            LeaseLostError: the row is no longer in `before`, or no longer ours.
            IllegalTransitionError: no such step, or one that only a person takes (`confirm`, `resume`).
        """
        if after is ChargeState.CONFIRMED:
            raise IllegalTransitionError("only a person confirms")
        async with self._database.transaction() as connection:
            facts = {"token": lease.token, **values, **self._counts(lease)}
            if after in TERMINAL:
                facts |= self.leases.when_given_back(lease.claim, None)
            step = self._last_step if after in TERMINAL else _STEP
            charge = await self._set(connection, step, lease.id, before, after, facts)
            if charge is None:
                raise LeaseLostError(lease.id)
            if before not in ON_ITS_WAY or after not in ON_ITS_WAY:  # otherwise there is no news
                await wake(connection, messages, lease.id, self._database.clock.now())
        if after in TERMINAL:
            lease.given_back(None)
        self._entered(charge)
        return charge

    async def note(self, lease: Lease, *, tell: bool = False, **values: object) -> Charge:
        """Record facts under a lease without changing the state; `tell` brings the message up to date.

        Raises:
            LeaseLostError: the row is no longer ours.
        """
        facts = {"this": lease.id, "token": lease.token, **_wire(values), **self._counts(lease)}
        async with self._database.transaction() as connection:
            row = (await connection.execute(_NOTE, facts)).one_or_none()
            if row is None:
                raise LeaseLostError(lease.id)
            if tell:
                await wake(connection, messages, lease.id, self._database.clock.now())
        return charge_of(row)

    async def ask_check(self, charge_id: str, *, now: datetime, view_id: str | None) -> None:
        """Have a charge asked about at once, and its message (and the modal) say so meanwhile."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(charges).where(charges.c.id == charge_id).values(check_asked_at=now)
            )
            await wake(connection, charges, charge_id, now)
            await wake(connection, messages, charge_id, now)
            await _watch(connection, charge_id, view_id)

    async def look_again(self, owner: str, *, within: Connection) -> None:
        """Have the owner's charges with an open end asked about at once: they have access again."""
        waiting = select(charges.c.id).where(
            charges.c.owner == owner, charges.c.state.in_([state.value for state in OPEN])
        )
        for charge_id in (await within.execute(waiting)).scalars().all():
            await wake(within, charges, charge_id, self._database.clock.now())

    async def permit(self, account: Account | None, owner: str, *, within: Connection) -> None:
        """Record that the permission is there for which the owner's charges of that account wait.

        For those of other accounts, and without `account` for all, it is there no more.
        """
        row, now = charges.c, self._database.clock.now()
        await withdraw_permission(within, [owner], now)
        if account is None:
            return
        permitted = (
            update(charges)
            .where(
                row.owner == owner,
                row.state == ChargeState.NEEDS_SCOPE.value,
                row.account_id == account.account_id,
                row.organisation_id == account.organisation_id,
            )
            .values(permitted_at=now)
            .returning(row.id)
        )
        for charge_id in (await within.execute(permitted)).scalars().all():
            await wake(within, messages, charge_id, now)

    async def find(self, owner: str | None, beginning: str) -> Sequence[Charge]:
        """Return at most two charges whose id, or the portal's, begins so; a whole id counts before.

        With `owner` only theirs.
        """
        row = charges.c
        ids = (row.id, row.portal_charge_id)
        theirs = [] if owner is None else [row.owner == owner]
        exact = select(charges).where(or_(*(each == beginning for each in ids)), *theirs).limit(2)
        begins = (
            select(charges)
            .where(or_(*(each.startswith(beginning, autoescape=True) for each in ids)), *theirs)
            .limit(2)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(exact)).all() or (await connection.execute(begins)).all()
        return [charge_of(each) for each in found]

    async def recent_upgrade(self, owner: str, *, since: datetime) -> Charge | None:
        """Return the owner's last upgrade that was paid since then."""
        row = charges.c
        query = (
            select(charges)
            .where(
                row.owner == owner,
                row.created_at > since - LATELY,
                row.kind == ChargeKind.UPGRADE.value,
                row.state == ChargeState.SETTLED.value,
                row.ended_at > since,
            )
            .order_by(row.ended_at.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).one_or_none()
        return None if found is None else charge_of(found)

    async def resume(
        self,
        charge_id: str,
        owner: str,
        *,
        now: datetime,
        view_id: str | None,
        since: datetime | None = None,
        judge: Judge = lambda _amount, _spent: None,
    ) -> Charge | None:
        """Confirm a charge again that waited for the billing permission, once: same row, same key.

        `since` and `judge` as in `confirm`.
        """
        async with self._database.transaction() as connection:
            # The person has just confirmed it again: its day, and its limits, count from now.
            facts = {"owner_key": owner, "due_at": now, "refusal": None, "confirmed_at": now}
            charge = await self._set(
                connection,
                self._yes_again,
                charge_id,
                ChargeState.NEEDS_SCOPE,
                ChargeState.CONFIRMED,
                facts,
            )
            if charge is None:
                return None
            await _judge(connection, charge, since, judge)
            announce(connection, charges)
            await wake(connection, messages, charge_id, now)
            await _watch(connection, charge_id, view_id)
        return self._entered(charge)

    async def forget_people(self, *, before: datetime) -> int:
        """Forget whose some of the charges were that were made before then and go on no more.

        Returns how many were forgotten, 0 when none is left.
        """
        row = charges.c
        old = (
            select(row.id)
            .where(
                row.owner != FORGOTTEN,
                row.created_at < before,
                row.due_at.is_(None),
                row.lease_token.is_(None),
                row.id.not_in(select(messages.c.id).where(messages.c.lease_token.is_not(None))),
            )
            .order_by(row.created_at)
            .limit(PURGE_BATCH)
        )
        async with self._database.transaction() as connection:
            ids = (await connection.execute(old)).scalars().all()
            await connection.execute(update(charges).where(row.id.in_(ids)).values(**_NOBODYS))
            await connection.execute(
                update(messages)
                .where(messages.c.id.in_(ids))
                .values(channel=None, ts=None, view_id=None, due_at=None)
            )
            if ids:
                now = self._database.clock.now()
                count = len(ids)
                await record(
                    connection,
                    now,
                    Action.PURGE,
                    actor="app",
                    subject="charges",
                    result="purged",
                    count=count,
                )
        return len(ids)

    async def unfinished(self) -> dict[str, tuple[int, datetime]]:
        """Return how many confirmed charges have not ended, and since when the oldest, by state."""
        row = charges.c
        query = (
            select(row.state, func.count(), func.min(row.confirmed_at, type_=row.confirmed_at.type))
            .where(row.state.in_(_UNFINISHED))
            .group_by(row.state)
        )
        async with self._database.transaction() as connection:
            return {state: (count, since) for state, count, since in await connection.execute(query)}

    def _entered(self, charge: Charge | None) -> Charge | None:
        """Count the state that a charge has just entered."""
        if charge is not None:
            self._metrics.charges.labels(charge.kind.value, charge.state.value).inc()
            if charge.confirmed_at is not None and charge.state not in ON_ITS_WAY:
                waited = self._database.clock.now() - charge.confirmed_at
                self._metrics.outcome_seconds.labels(charge.state.value).observe(waited.total_seconds())
        return charge

    async def _set(
        self,
        connection: Connection,
        statement: Executable,
        charge_id: str,
        before: ChargeState,
        after: ChargeState,
        facts: dict[str, Any],
    ) -> Charge | None:
        check_transition(before, after)
        step = {"this": charge_id, "before": before.value, "state": after.value}
        row = (await connection.execute(statement, {**_wire(facts), **step})).one_or_none()
        if row is None:
            return None
        charge = charge_of(row)
        await self._record(connection, charge)
        return charge

    async def _record(self, connection: Connection, charge: Charge) -> None:
        """Tell the audit log of the state that a charge enters with this transaction."""
        await record(
            connection,
            self._database.clock.now(),
            Action.CHARGE,
            actor=charge.identity.key,
            subject=charge.id,
            result=charge.state.value,
            kind=charge.kind.value,
            amount=charge.amount,
            settled=charge.settled_amount,
            organisation=charge.organisation_id,
            portal_charge=charge.portal_charge_id,
            failure=charge.failure and charge.failure.value,
            refusal=charge.refusal and charge.refusal.value,
        )


async def _judge(connection: Connection, charge: Charge, since: datetime | None, judge: Judge) -> None:
    """Ask what the limits are, with what the owner has spent since then beside this charge."""
    spent = None
    if since is not None:
        spent = await _spent(connection, charge.identity.key, since, but=charge.id)
    judge(charge.amount, spent)


async def _spent(connection: Connection, owner: str, since: datetime, *, but: str = "") -> Decimal:
    query = select(charges.c.amount).where(
        charges.c.owner == owner,
        # One that waited for the permission counts from when it was sent.
        func.coalesce(charges.c.submitted_at, charges.c.confirmed_at, type_=charges.c.submitted_at.type)
        > since,
        charges.c.id != but,
        charges.c.state.not_in([state.value for state in NOT_CHARGED]),
    )
    return sum((await connection.execute(query)).scalars(), Decimal(0))


async def _watch(connection: Connection, charge_id: str, view_id: str | None) -> None:
    """Have an open modal brought up to date with the charge's outcome."""
    if view_id is not None:
        await connection.execute(update(messages).where(messages.c.id == charge_id).values(view_id=view_id))


def _wire(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.value if isinstance(value, FailureReason | RefusalCode) else value
        for name, value in values.items()
    }


def charge_of(row: Row[Any]) -> Charge:
    """Read a charge from its row."""
    values = {name: getattr(row, name) for name in _FIELDS}
    values["kind"] = ChargeKind(row.kind)
    values["state"] = ChargeState(row.state)
    values["failure"] = FailureReason(row.failure) if row.failure else None
    values["refusal"] = RefusalCode(row.refusal) if row.refusal else None
    values["payment_method"] = _payment_method(row)
    return Charge(identity=Identity(enterprise=row.enterprise, team=row.team, user=row.user), **values)


def _payment_method(row: Row[Any]) -> PaymentMethod | None:
    """Read what a charge was confirmed for; a charge of an earlier release has the name of a card alone."""
    if row.payment_method is not None:
        return PaymentMethod.from_text(row.payment_method)
    return PaymentMethod(brand=row.card) if row.card else None


async def withdraw_permission(connection: Connection, owners: Sequence[str], now: datetime) -> None:
    """Have these people's charges wait for the permission again: the grant that gave it is gone."""
    row = charges.c
    withdrawn = (
        update(charges)
        .where(
            row.owner.in_(owners),
            row.state == literal_column(f"'{ChargeState.NEEDS_SCOPE.value}'"),
            row.permitted_at.is_not(None),
        )
        .values(permitted_at=None)
        .returning(row.id)
    )
    for charge_id in (await connection.execute(withdrawn)).scalars().all():
        await wake(connection, messages, charge_id, now)

"""Watches, and who consents to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, func, select, update

from bot.domain.audit import Action
from bot.domain.episode import Lines, Look
from bot.domain.identity import Identity
from bot.domain.past import past_begins, past_of
from bot.domain.reading import Reading, Source
from bot.domain.request import OrganizationKey
from bot.domain.watch import Consent, QuietHours, Watch, WatchState
from bot.engine import LeaseLostError, Released
from bot.storage.episodes import EpisodeStore
from bot.storage.leases import LeaseStore
from bot.storage.live_links import IS_LIVE, live_in
from bot.storage.readings import ReadingStore
from bot.storage.tables import links
from bot.storage.watch_tables import watch_consents, watches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.identity import Account
    from bot.domain.past import Part
    from bot.engine import Lease
    from bot.storage.connection import Backend, Connection, Transaction
    from bot.storage.database import Database

_STATES = (
    "state",
    "organization_name",
    "watcher",
    "read_at",
    "failed_since",
    "doubted_at",
    "stale_since",
    "stale_told",
    "credit",
    "digest_at",
)
"""What a reading changes."""

_WATCHERS = (
    select(watch_consents)
    .where(
        watch_consents.c.watch_id == bindparam("watch"),
        watch_consents.c.watches,
        exists().where(
            links.c.owner == watch_consents.c.owner,
            links.c.base_url == bindparam("base_url"),
            links.c.organization_id == bindparam("organization"),
            *IS_LIVE,
        ),
    )
    .order_by(watch_consents.c.sees_all.desc(), watch_consents.c.since.desc(), watch_consents.c.owner)
)
"""Made once, as those of the readings: a statement that is made anew costs more than to execute it."""


class WatchStore:
    """The watches of all organizations, with their readings and episodes."""

    def __init__(self, database: Database, *, days: int) -> None:
        """`days`: how long readings are kept."""
        self._database = database
        self.readings = ReadingStore(database, days=days)
        self.episodes = EpisodeStore(database)
        self.leases = LeaseStore(database, watches, _loaders)
        self._held = database.backend.locked(select(watches).where(watches.c.id == bindparam("watch")))
        self._given_back = self.leases.held.values(**self.leases.given_back).returning(watches.c.due_at)

    async def get(self, watch_id: str) -> Watch | None:
        """Return a watch by its id."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(watches).where(watches.c.id == watch_id))).one_or_none()
        return None if row is None else watch_of(row)

    async def of(self, key: OrganizationKey) -> Watch | None:
        """Return the watch of an organization; None if it was never watched."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(watches).where(*_of(key)))).one_or_none()
        return None if row is None else watch_of(row)

    async def look(self, watch: Watch, state: BillingState, now: datetime) -> Look | None:
        """Return what is known now (UTC) with what a state says; None if it names no balance."""
        newest = Reading.of(state, now, method=None, source=Source.VISIT)
        if newest is None:
            return None
        async with self._database.read() as connection:
            history = await self.readings.history(connection, watch.id)
        return Look(readings=[*history, newest], now=now, lines=watch.lines)

    async def past(self, watch: Watch, now: datetime) -> list[Part]:
        """Return what the balance was in the thirty days until now (UTC)."""
        since = past_begins(now, watch.zone)
        async with self._database.read() as connection:
            found = await self.readings.balances(connection, watch.id, since)
        return past_of(found, now, watch.zone)

    async def of_organization(self, tenant: str, organization_id: str) -> Sequence[Watch]:
        """Return the watches of an organization of whatever portal, within a workspace or grid."""
        query = select(watches).where(*_named(tenant, organization_id))
        async with self._database.read() as connection:
            return [watch_of(each) for each in await connection.execute(query)]

    async def held(self, transaction: Transaction, watch_id: str) -> Watch | None:
        """Return a watch, and keep others from changing it until the transaction ends."""
        row = (await transaction.execute(self._held, {"watch": watch_id})).one_or_none()
        return None if row is None else watch_of(row)

    async def put(self, transaction: Transaction, watch: Watch) -> None:
        """Store a watch as a person has set it, due now; one that exists keeps its readings."""
        settings = {
            "zone": watch.zone,
            "state": watch.state.value,
            "low": watch.lines.low,
            "critical": watch.lines.critical,
            "quiet_from": None if watch.quiet is None else f"{watch.quiet.begins:%H:%M}",
            "quiet_until": None if watch.quiet is None else f"{watch.quiet.ends:%H:%M}",
            "organization_name": watch.organization_name,
            "digest_at": watch.digest_at,
            "post_to": watch.post_to,
        }
        fixed = {
            "id": watch.id,
            "tenant": watch.key.tenant,
            "base_url": watch.key.base_url,
            "organization_id": watch.key.organization_id,
            "enterprise": watch.enterprise,
            "team": watch.team,
            "created_at": watch.created_at,
        }
        now = transaction.now()
        statement = self._database.backend.insert(watches).values(**fixed, **settings, due_at=now)
        await transaction.execute(
            statement.on_conflict_do_update(
                index_elements=[watches.c.id],
                set_={**settings, "due_at": now, "wakes": watches.c.wakes + 1},
            )
        )
        transaction.announce(watches)

    async def save(
        self,
        transaction: Transaction,
        before: Watch,
        after: Watch,
        *,
        due_at: datetime,
        lease: Lease[Watch] | None,
    ) -> Released:
        """Write what a reading has changed, due at `due_at`; with a lease, give the row back.

        Raises:
            LeaseLostError: another run holds it.
        """
        changed: dict[str, Any] = {
            name: getattr(after, name) for name in _STATES if getattr(after, name) != getattr(before, name)
        }
        if "state" in changed:
            changed["state"] = after.state.value
        if lease is None:
            values = {**changed, "due_at": due_at, "wakes": watches.c.wakes + 1}
            await transaction.execute(update(watches).where(watches.c.id == before.id).values(**values))
            return Released(due_at)
        facts = {"this": lease.id, "token": lease.token, **self.leases.when_given_back(lease.claim, due_at)}
        row = (await transaction.execute(self._given_back, facts | changed)).one_or_none()
        if row is None:
            raise LeaseLostError(lease.id)
        return Released(row.due_at)

    async def wake(self, transaction: Transaction, *which: ColumnElement[bool]) -> None:
        """Have watches looked at now."""
        values = {"due_at": transaction.now(), "wakes": watches.c.wakes + 1}
        await transaction.execute(update(watches).where(*which).values(**values))
        transaction.announce(watches)

    # Consents.

    async def consent(self, transaction: Transaction, consent: Consent) -> None:
        """Store what a person wants of a watch; who wants nothing is forgotten."""
        mine = (watch_consents.c.watch_id == consent.watch_id, watch_consents.c.owner == consent.person.key)
        await transaction.execute(delete(watch_consents).where(*mine))
        if consent.watches or consent.tells:
            values = {
                "watch_id": consent.watch_id,
                "enterprise": consent.person.enterprise,
                "team": consent.person.team,
                "user": consent.person.user,
                "owner": consent.person.key,
                "watches": consent.watches,
                "tells": consent.tells,
                "since": consent.since,
                "sees_all": consent.sees_all,
            }
            await transaction.execute(self._database.backend.insert(watch_consents).values(**values))
        await transaction.record(
            Action.WATCH,
            actor=consent.person.key,
            subject=consent.watch_id,
            result="consented" if consent.watches else "told" if consent.tells else "ended",
            facts={"watches": consent.watches, "tells": consent.tells},
        )

    async def sees(self, transaction: Transaction, consent: Consent, *, sees_all: bool) -> None:
        """Remember what the portal shows a person."""
        if consent.sees_all is not sees_all:
            row = watch_consents.c
            mine = (row.watch_id == consent.watch_id, row.owner == consent.person.key)
            await transaction.execute(update(watch_consents).where(*mine).values(sees_all=sees_all))

    async def consents(self, watch_id: str) -> Sequence[Consent]:
        """Return who wants something of a watch, newest first."""
        async with self._database.read() as connection:
            return await self._consents(connection, watch_id)

    async def _consents(self, connection: Connection, watch_id: str) -> Sequence[Consent]:
        row = watch_consents.c
        query = select(watch_consents).where(row.watch_id == watch_id).order_by(row.since.desc(), row.owner)
        return [_consent(each) for each in await connection.execute(query)]

    async def readers(
        self, connection: Connection, watch: Watch, *, for_all: bool = True
    ) -> Sequence[Identity]:
        """Return who is told; without `for_all` only those to whom the portal shows everything."""
        found = await self._consents(connection, watch.id)
        return [each.person for each in found if each.tells and (for_all or each.sees_all)]

    async def could_help(self, connection: Connection, watch: Watch) -> Sequence[Identity]:
        """Return who is to know that nobody watches: who was told so far, and who may charge there."""
        consenting = [each.person for each in await self._consents(connection, watch.id)]
        row = links.c
        query = select(row.enterprise, row.team, row.user).where(*live_in(watch.key), row.may_charge)
        found = (await connection.execute(query)).all()
        may = [Identity(enterprise=each.enterprise, team=each.team, user=each.user) for each in found]
        return list({each.key: each for each in (*consenting, *may)}.values())

    async def watchers(self, watch: Watch) -> Sequence[Consent]:
        """Return those whose connection can read it now: who sees all first, the newest first."""
        facts = {
            "watch": watch.id,
            "base_url": watch.key.base_url,
            "organization": watch.key.organization_id,
        }
        async with self._database.read() as connection:
            return [_consent(each) for each in await connection.execute(_WATCHERS, facts)]

    async def others(self, connection: Connection, watch_id: str, *, since: datetime) -> tuple[int, int]:
        """Return how many other watches there are, and how many of them were read since then."""
        row = watches.c
        read = func.count().filter(row.read_at > since)
        query = select(func.count(), read).where(row.id != watch_id, row.state != WatchState.OFF.value)
        count, working = (await connection.execute(query)).one()
        return count, working

    async def changed_here(self, tenant: str, organization_id: str) -> None:
        """Note that somebody changes auto-reload through this app: no alert is due to that."""
        theirs = _named(tenant, organization_id)
        async with self._database.transaction() as transaction:
            changed = update(watches).where(*theirs).values(changed_here_at=transaction.now())
            await transaction.execute(changed)

    async def forget(self, *, before: datetime) -> None:
        """Thin the readings, and delete the episodes that were over before then, with their messages."""
        await self.readings.thin()
        await self.episodes.delete_ended(before=before)

    async def counts(self) -> tuple[dict[str, int], datetime | None]:
        """Return the number of watches in each state, and the oldest last reading of those that are on."""
        row = watches.c
        query = select(row.state, func.count(), func.min(row.read_at, type_=row.read_at.type)).group_by(
            row.state
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
        oldest = next((since for state, _, since in found if state == WatchState.ON.value), None)
        return {state: count for state, count, _ in found}, oldest


async def credit_watches(transaction: Transaction, backend: Backend, charge: Charge) -> None:
    """Note that one of our own charges was settled, and have its organization's balance read now."""
    row = watches.c
    query = select(watches).where(*_named(charge.identity.tenant, charge.organization_id))
    for each in (await transaction.execute(backend.locked(query))).all():
        credit = watch_of(each).credited(charge.display_amount).credit
        values = {"credit": credit, "due_at": transaction.now(), "wakes": row.wakes + 1}
        await transaction.execute(update(watches).where(row.id == each.id).values(**values))
        transaction.announce(watches)


async def end_watching(
    transaction: Transaction, owner: str, *, but: Account | None = None, base_url: str = ""
) -> None:
    """End a person's consents to read with their connection; that of their organization now stays."""
    row, consent = watches.c, watch_consents.c
    ended = [consent.owner == owner, consent.watches]
    if but is not None:
        theirs = select(row.id).where(row.organization_id == but.organization_id, row.base_url == base_url)
        ended.append(consent.watch_id.not_in(theirs))
    changed = update(watch_consents).where(*ended).values(watches=False).returning(consent.watch_id)
    found = (await transaction.execute(changed)).scalars().all()
    if found:
        values = {"due_at": transaction.now(), "wakes": row.wakes + 1}
        await transaction.execute(update(watches).where(row.id.in_(found)).values(**values))
        transaction.announce(watches)


async def move_watches(transaction: Transaction, team: str, enterprise: str) -> int:
    """Give a workspace's watches to its grid; one that the grid has already ends here. Return how many."""
    row = watches.c
    found = (await transaction.execute(select(watches).where(row.tenant == team))).all()
    for each in map(watch_of, found):
        there = select(row.id).where(*_of(replace(each.key, tenant=enterprise)))
        values: dict[str, Any] = {"state": WatchState.OFF.value, "due_at": None}
        if (await transaction.execute(there)).first() is None:
            values = {"tenant": enterprise, "enterprise": enterprise, "watcher": None}
        await transaction.execute(update(watches).where(row.id == each.id).values(**values))
    return len(found)


def _named(tenant: str, organization_id: str) -> tuple[ColumnElement[bool], ...]:
    return (watches.c.tenant == tenant, watches.c.organization_id == organization_id)


def _of(key: OrganizationKey) -> tuple[ColumnElement[bool], ...]:
    row = watches.c
    return (
        row.tenant == key.tenant,
        row.organization_id == key.organization_id,
        row.base_url == key.base_url,
    )


def watch_of(row: Row[Any]) -> Watch:
    """Read a watch from its row."""
    quiet = None
    if row.quiet_from is not None and row.quiet_until is not None:
        quiet = QuietHours(begins=_time(row.quiet_from), ends=_time(row.quiet_until))
    return Watch(
        id=row.id,
        key=OrganizationKey(tenant=row.tenant, base_url=row.base_url, organization_id=row.organization_id),
        organization_name=row.organization_name,
        enterprise=row.enterprise,
        team=row.team,
        zone=row.zone,
        state=WatchState(row.state),
        created_at=row.created_at,
        lines=Lines(low=row.low, critical=row.critical),
        quiet=quiet,
        watcher=row.watcher,
        read_at=row.read_at,
        failed_since=row.failed_since,
        doubted_at=row.doubted_at,
        stale_since=row.stale_since,
        stale_told=row.stale_told,
        credit=row.credit,
        changed_here_at=row.changed_here_at,
        digest_at=row.digest_at,
        post_to=row.post_to,
    )


def _time(text: str) -> time:
    hours, minutes = text.split(":")
    return time(int(hours), int(minutes))


def _consent(row: Row[Any]) -> Consent:
    return Consent(
        watch_id=row.watch_id,
        person=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
        watches=row.watches,
        tells=row.tells,
        since=row.since,
        sees_all=row.sees_all,
    )


async def _loaders(rows: Sequence[Row[Any]]) -> Mapping[str, Callable[[], Watch]]:
    return {row.id: partial(watch_of, row) for row in rows}

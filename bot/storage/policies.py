"""Policies: who decides on an organization's requests. Every version is kept and signed.

The audit log counts too: a person who can write to the database could delete a policy's row. So a policy
counts only if there are as many rows as the log has entries of them.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, literal, select, update

from bot.domain.audit import Action
from bot.domain.delivery import Delivery, is_channel
from bot.domain.identity import Identity
from bot.domain.policy import ChangeState, Policy, PolicyChange, PolicyStep
from bot.domain.request import OrganizationKey
from bot.storage.deliveries import wake_subject
from bot.storage.tables import audit
from bot.storage.team_tables import policies, policy_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Table

    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore

POLICY = "policy"
"""The kind of subject of the messages that tell of a new policy: the id of its row."""

POLICY_CHANGE = "policy_change"
"""The kind of subject of the messages about a proposed change: its id."""

POLICY_CHANNEL = "policy_channel"
"""The kind of subject of the messages that tell of a channel to which no card goes: it, and the day."""

SET = "set"


class PolicyStore:
    """The policies of all organizations."""

    def __init__(self, database: Database, cipher: Cipher, deliveries: DeliveryStore) -> None:
        self._database = database
        self._cipher = cipher
        self._deliveries = deliveries

    async def newest(self, key: OrganizationKey) -> Policy:
        """Return the policy in force; without one, all defaults."""
        async with self._database.read() as connection:
            return (await self.since(connection, key))[-1]

    async def since(
        self, connection: Connection, key: OrganizationKey, version: int | None = None
    ) -> tuple[Policy, ...]:
        """Return the policy in force, and before it those from this version on.

        A policy whose record is not what this app has written is broken: by it nobody decides.
        """
        row = policies.c
        entries = select(func.count()).where(
            # A literal, because the partial index needs it.
            audit.c.action == literal(Action.POLICY.value, literal_execute=True),
            audit.c.subject == subject_of(key),
            audit.c.result == SET,
        )
        query = select(policies).where(*_of(policies, key)).order_by(row.version)
        rows = (await connection.execute(query)).all()
        recorded = await connection.scalar(entries) or 0
        if recorded != (rows[-1].version if rows else 0) or recorded != len(rows):
            return (Policy(version=recorded, is_broken=True),)
        found = [self._policy(each) for each in rows]
        if version is None:
            return (found[-1] if found else Policy(),)
        return tuple(each for each in found if each.version >= version) or (*found[-1:],) or (Policy(),)

    def _policy(self, row: Row[Any]) -> Policy:
        policy = Policy.from_text(row.facts, row.version)
        is_ours = self._cipher.is_signed(row.signature, *_facts_of(row))
        return replace(policy, is_broken=not is_ours)

    async def step(self, policy_id: str) -> PolicyStep | None:
        """Return a policy that was set, by its row's id, with the one before it."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(policies).where(policies.c.id == policy_id))).first()
            if row is None:
                return None
            earlier = select(policies).where(
                *_of(policies, _key(row)), policies.c.version == row.version - 1
            )
            before = (await connection.execute(earlier)).first()
        return PolicyStep(
            key=_key(row),
            organization_name=row.organization_name,
            before=Policy() if before is None else self._policy(before),
            after=self._policy(row),
            set_by=row.set_by,
            agreed_by=row.agreed_by,
            at=row.at,
        )

    async def put(
        self,
        transaction: Transaction,
        key: OrganizationKey,
        name: str | None,
        policy: Policy,
        *,
        by: str,
        agreed_by: str | None = None,
        tell: Sequence[Identity] = (),
    ) -> bool:
        """Store a policy, with a message to each who is told; return False if it is not the next one."""
        if (await self.since(transaction, key))[-1].version + 1 != policy.version:
            return False
        values: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "tenant": key.tenant,
            "base_url": key.base_url,
            "organization_id": key.organization_id,
            "organization_name": name,
            "version": policy.version,
            "facts": policy.to_text(),
            "set_by": by,
            "agreed_by": agreed_by,
            "at": transaction.now(),
        }
        signed = _facts(key, policy.version, values["facts"], by, agreed_by)
        values["signature"] = self._cipher.sign(*signed)
        statement = self._database.backend.insert(policies).values(**values)
        if not (await transaction.execute(statement.on_conflict_do_nothing())).rowcount:
            return False
        await transaction.record(
            Action.POLICY,
            actor=agreed_by or by,
            subject=subject_of(key),
            result=SET,
            facts={
                "organisation": key.organization_id,
                "version": policy.version,
                "policy": values["facts"],
                "proposed_by": by,
            },
        )
        for reader in tell:
            notice = message_about(POLICY, values["id"], reader, transaction.now())
            await self._deliveries.add(transaction, notice)
        return True

    # Looser ones, which a second person agrees to.

    async def propose(self, change: PolicyChange, readers: Sequence[Identity]) -> None:
        """Store a change for a second person; an earlier one of the organization that waits has ended."""
        values: dict[str, Any] = {
            "id": change.id,
            "tenant": change.key.tenant,
            "base_url": change.key.base_url,
            "organization_id": change.key.organization_id,
            "organization_name": change.organization_name,
            "from_version": change.before.version,
            "facts": change.after.to_text(),
            "enterprise": change.proposed_by.enterprise,
            "team": change.proposed_by.team,
            "user": change.proposed_by.user,
            "owner": change.proposed_by.key,
            "account_id": change.account_id,
            "proposed_at": change.proposed_at,
            "expires_at": change.expires_at,
            "state": ChangeState.OPEN.value,
        }
        values["signature"] = self._cipher.sign(*_change_facts(SimpleNamespace(**values)))
        async with self._database.transaction() as transaction:
            row = policy_changes.c
            earlier = (*_of(policy_changes, change.key), row.state == ChangeState.OPEN.value)
            waiting = (await transaction.execute(select(row.id).where(*earlier))).scalars().all()
            ended = {"state": ChangeState.REFUSED.value, "decided_by": change.proposed_by.key}
            await transaction.execute(update(policy_changes).where(*earlier).values(**ended))
            for each in waiting:
                await wake_subject(transaction, POLICY_CHANGE, each)
            await transaction.execute(insert(policy_changes).values(**values))
            await self._record(transaction, change, "proposed", change.proposed_by.key)
            for reader in readers:
                message = message_about(POLICY_CHANGE, change.id, reader, change.proposed_at)
                await self._deliveries.add(transaction, message)

    async def change(self, change_id: str, *, tenant: str | None = None) -> PolicyChange | None:
        """Return a proposed change of this workspace; None if there is none, or it is not ours."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(policy_changes).where(policy_changes.c.id == change_id))
            ).first()
            if row is None or tenant not in {None, row.tenant}:
                return None
            if not self._cipher.is_signed(row.signature, *_change_facts(row)):
                return None
            before = await self._at(connection, _key(row), row.from_version)
        return PolicyChange(
            id=row.id,
            key=_key(row),
            organization_name=row.organization_name,
            before=before,
            after=Policy.from_text(row.facts, row.from_version + 1),
            proposed_by=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
            account_id=row.account_id,
            proposed_at=row.proposed_at,
            expires_at=row.expires_at,
            state=ChangeState(row.state),
            decided_by=row.decided_by,
        )

    async def _at(self, connection: Connection, key: OrganizationKey, version: int) -> Policy:
        query = select(policies).where(*_of(policies, key), policies.c.version == version)
        found = (await connection.execute(query)).first()
        return Policy() if found is None else self._policy(found)

    async def decide(
        self, transaction: Transaction, change: PolicyChange, state: ChangeState, by: Identity, account: str
    ) -> bool:
        """Agree to a change or refuse it, once; a proposer can only take it back.

        Return False if it is not open any more, or this person may not.
        """
        row = policy_changes.c
        conditions: list[ColumnElement[bool]] = [
            row.id == change.id,
            row.tenant == by.tenant,
            row.state == ChangeState.OPEN.value,
            row.expires_at > transaction.now(),
        ]
        if state is ChangeState.AGREED:
            conditions += [row.owner != by.key, row.account_id != account]
        decided = update(policy_changes).where(*conditions).values(state=state.value, decided_by=by.key)
        if not (await transaction.execute(decided)).rowcount:
            return False
        await self._record(transaction, change, state.value, by.key)
        await wake_subject(transaction, POLICY_CHANGE, change.id)
        return True

    async def _record(
        self, transaction: Transaction, change: PolicyChange, result: str, actor: str
    ) -> None:
        await transaction.record(
            Action.POLICY,
            actor=actor,
            subject=subject_of(change.key),
            result=result,
            facts={"change": change.id, "from_version": change.before.version},
        )


async def sign_policies_again(transaction: Transaction, cipher: Cipher) -> None:
    """Sign with the newest key what verifies with any, so that old keys may go."""
    for table, facts_of in SIGNED:
        for row in (await transaction.execute(select(table))).all():
            facts = facts_of(row)
            if cipher.is_signed(row.signature, *facts):
                signed = update(table).where(table.c.id == row.id)
                await transaction.execute(signed.values(signature=cipher.sign(*facts)))


async def move_policies(transaction: Transaction, cipher: Cipher, team: str, enterprise: str) -> int:
    """Give a workspace's policies to its grid, unless that has some of its own; return how many."""
    row, waits = policies.c, policy_changes.c
    ended = update(policy_changes).where(waits.tenant == team, waits.state == ChangeState.OPEN.value)
    await transaction.execute(ended.values(state=ChangeState.REFUSED.value, decided_by=""))
    former = select(policies).where(row.tenant == team).order_by(row.version)
    rows = (await transaction.execute(former)).all()
    taken = await transaction.execute(select(policies).where(row.tenant == enterprise))
    there = {_key(each) for each in taken}
    for found in rows:
        key = replace(_key(found), tenant=enterprise)
        if key in there or not cipher.is_signed(found.signature, *_facts_of(found)):
            continue
        values = {"tenant": enterprise, "signature": cipher.sign(*_facts_of(found, key))}
        await transaction.execute(update(policies).where(row.id == found.id).values(**values))
        await transaction.record(
            Action.POLICY,
            actor=found.set_by,
            subject=subject_of(key),
            result=SET,
            facts={"organisation": key.organization_id, "version": found.version, "policy": found.facts},
        )
    return len(rows)


def subject_of(key: OrganizationKey) -> str:
    """Return how the audit log names an organization's policy."""
    whole = f"{key.tenant} {key.base_url} {key.organization_id}"
    return f"policy {key.tenant} {hashlib.sha256(whole.encode()).hexdigest()[:24]}"


def _of(table: Table, key: OrganizationKey) -> tuple[ColumnElement[bool], ...]:
    row = table.c
    return (
        row.tenant == key.tenant,
        row.organization_id == key.organization_id,
        row.base_url == key.base_url,
    )


def _key(row: Any) -> OrganizationKey:  # noqa: ANN401 - as below
    return OrganizationKey(tenant=row.tenant, base_url=row.base_url, organization_id=row.organization_id)


def _facts(
    key: OrganizationKey, version: int, facts: str, set_by: str, agreed_by: str | None
) -> tuple[str, ...]:
    """Return what is signed of a policy."""
    organization = (key.tenant, key.base_url, key.organization_id)
    return ("policy", *organization, str(version), facts, set_by, agreed_by or "")


def _facts_of(row: Any, key: OrganizationKey | None = None) -> tuple[str, ...]:  # noqa: ANN401 - as below
    return _facts(key or _key(row), row.version, row.facts, row.set_by, row.agreed_by)


def _change_facts(row: Any) -> tuple[str, ...]:  # noqa: ANN401 - a row, or what is to be one
    """Return what is signed of a proposal. A workspace that joins a grid keeps it: not the tenant."""
    return (
        "policy change",
        row.id,
        row.base_url,
        row.organization_id,
        str(row.from_version),
        row.facts,
        row.user,
        row.account_id,
    )


def message_about(kind: str, subject: str, reader: Identity, now: datetime) -> Delivery:
    """Return a new message about a subject of this kind to one reader, or a channel; each has one."""
    return Delivery(
        id=secrets.token_hex(16),
        subject_kind=kind,
        subject_id=subject,
        recipient=reader,
        created_at=now,
        channel=reader.user if is_channel(reader) else None,
    )


SIGNED: tuple[tuple[Table, Callable[[Any], tuple[str, ...]]], ...] = (
    (policies, _facts_of),
    (policy_changes, _change_facts),
)
"""The tables of signed rows, and what is signed of each."""

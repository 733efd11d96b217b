"""Confirming a charge once, in one transaction with all its conditions."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    String,
    bindparam,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from bot.domain.charge import NOT_CHARGED, ChargeState, confirmation_of
from bot.domain.deciding import TAKE_OVER_AFTER
from bot.domain.errors import RefusalCode
from bot.storage.charges.rows import charge_of
from bot.storage.charges.store import (
    LATELY,
    NEXT,
    THEIRS,
    UNFINISHED_STATES,
    end_waiting,
    record_charge,
)
from bot.storage.deliveries import CHARGE, wake_delivery, watch_in_modal
from bot.storage.tables import charges, deliveries, links, locks, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Executable, Row, Select

    from bot.domain.charge import Charge
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest
    from bot.storage.charges.store import Observe
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database
    from bot.storage.requests.deciding import Deciding

    LimitCheck = Callable[[Decimal, Decimal | None], None]


def _equal_without_end(
    owner: Any,  # noqa: ANN401 - values or columns
    account: Any,  # noqa: ANN401 - the same
    kind: Any,  # noqa: ANN401 - the same
    amount: Any,  # noqa: ANN401 - the same
) -> tuple[Select[str, datetime], ...]:
    """Return queries for charges of this kind and amount whose outcome their person does not know.

    They are an owner's, and those of all people with the same portal account: the unfinished charges, and
    the recently settled charges whose message does not show that yet. There is one query for each, so that
    each uses its own index.
    """
    return *_equal_of("owner", owner, kind, amount), *_equal_of("account_id", account, kind, amount)


def _equal_of(column: str, of: Any, kind: Any, amount: Any) -> tuple[Select[str, datetime], ...]:  # noqa: ANN401 - values or columns
    going, settled = charges.alias("going"), charges.alias("settled")
    # Subqueries, because PostgreSQL would start a join with all people's messages.
    due_at = func.coalesce(
        select(deliveries.c.due_at).where(deliveries.c.id == settled.c.id).scalar_subquery(),
        select(messages.c.due_at).where(messages.c.id == settled.c.id).scalar_subquery(),
    )
    return (
        select(going.c.id, going.c.confirmed_at).where(
            going.c[column] == of,
            going.c.state.in_(UNFINISHED_STATES),
            going.c.state != literal_column(f"'{ChargeState.NEEDS_SCOPE.value}'"),
            going.c.kind == kind,
            going.c.amount == amount,
        ),
        select(settled.c.id, settled.c.confirmed_at).where(
            settled.c[column] == of,
            settled.c.created_at > bindparam("lately", type_=settled.c.created_at.type),
            settled.c.state == literal_column(f"'{ChargeState.SETTLED.value}'"),
            settled.c.kind == kind,
            settled.c.amount == amount,
            due_at.is_not(None),
        ),
    )


def _beside_an_equal() -> ColumnElement[bool]:
    """Return whether the owner or the account of a charge has an equal one with an unknown outcome.

    `warned_of` is the equal charge that the person was warned of. Equal charges confirmed no later than
    that one are ignored, because they already existed when the person was warned.
    """
    mine, warned = charges.c, charges.alias("warned")
    return or_(
        *(
            equal.where(
                equal.selected_columns.id != mine.id,
                ~exists()
                .where(
                    warned.c.id == bindparam("warned_of", type_=String),
                    or_(warned.c.owner == mine.owner, warned.c.account_id == mine.account_id),
                    warned.c.confirmed_at >= equal.selected_columns.confirmed_at,
                )
                .correlate_except(warned),
            ).exists()
            for equal in _equal_without_end(mine.owner, mine.account_id, mine.kind, mine.amount)
        )
    )


_CONFIRM = (
    NEXT.where(
        THEIRS,
        charges.c.created_at > bindparam("made_after", type_=charges.c.created_at.type),
        ~exists().where(locks.c.tenant == bindparam("tenant_key", type_=String)),
        ~exists().where(links.c.owner == charges.c.owner, links.c.waits_since.is_not(None)),
    )
    .values(wakes=charges.c.wakes + 1)
    .returning(charges)
)
_RESUME = NEXT.where(THEIRS).values(wakes=charges.c.wakes + 1).returning(charges)
_BESIDE_NONE = select(charges.c.id).where(
    charges.c.id == bindparam("this", type_=String), ~_beside_an_equal()
)
_COPIED = ("id", "enterprise", "team", "user", "owner")
_NEW_DELIVERY = (
    insert(deliveries)
    .from_select(
        [*_COPIED, "subject_kind", "subject_id", "created_at", "view_id", "due_at"],
        select(
            *(charges.c[name] for name in _COPIED),
            literal(CHARGE),
            charges.c.id,
            charges.c.confirmed_at,
            bindparam("view_id", type_=String),
            bindparam("due_at", type_=deliveries.c.due_at.type),
        ).where(charges.c.id == bindparam("this", type_=String), ~_beside_an_equal()),
    )
    .returning(deliveries.c.id)
)


_THIS = charges.c.id == bindparam("this", type_=String)
_NAMES = select(
    union_all(
        select(("account:" + charges.c.account_id).label("name")).where(_THIS),
        select(("owner:" + charges.c.owner).label("name")).where(_THIS),
    ).subquery()
)
"""Whose confirmations run one at a time, in this order: those with an account, and a person's."""


_NOT_KNOWN: Mapping[str, bool] = MappingProxyType({})


class _ConditionError(Exception):
    """There is an equal charge that the person was not warned of, or the request cannot be paid by them.

    The transaction is rolled back.
    """


class ConfirmationStore:
    """Confirms charges, and sums what was spent.

    A person's confirmations run one at a time, and so do those with one portal account.
    """

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        deciding: Deciding,
        entered: Observe = lambda _charge: None,
    ) -> None:
        """`entered` is called as in `ChargeStore`."""
        self._database = database
        self._cipher = cipher
        self._deciding = deciding
        self._entered = entered

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
        check_limits: LimitCheck = lambda _amount, _spent: None,
        memberships: Mapping[str, bool] = _NOT_KNOWN,
    ) -> Charge | None:
        """Confirm a person's proposal and add its delivery, once.

        The charge must have been proposed after `made_after`, and spending must not be locked. The owner
        must not wait to be let in, and must have no equal charge with an unknown outcome, except up to the
        one they were `warned_of`. `check_limits` gets the amount and, with `since`, what the person has
        spent since then; it raises to refuse. A charge for a request takes that request in the same
        transaction, and is not confirmed if this person may not pay it now; `memberships` are the groups
        and channels of this person that a policy names.

        Return None if the person has no such proposal (any more), or a condition fails.

        Raises:
            RuleError: from `check_limits`; or two people decide on so much; or it goes over a budget.
        """
        facts = {
            "this": charge_id,
            "before": ChargeState.PROPOSED.value,
            "state": ChargeState.CONFIRMED.value,
            "owner_key": identity.key,
            "made_after": made_after,
            "tenant_key": identity.tenant,
            "confirmed_at": now,
            "confirmation_signature": self._cipher.sign(*confirmation_of(charge_id, identity, now)),
            "due_at": now,
        }
        message = {
            "this": charge_id,
            "view_id": view_id,
            "due_at": now,
            "warned_of": warned_of or "",
            "lately": now - LATELY,
        }
        request = None
        with suppress(_ConditionError):
            async with self._database.transaction() as transaction:
                row = (await transaction.execute(self._confirm, facts)).one_or_none()
                if row is None:
                    return None
                charge = await _confirmed(transaction, row, since, check_limits)
                if (await transaction.execute(_NEW_DELIVERY, message)).one_or_none() is None:
                    raise _ConditionError
                if charge.request_id is None:
                    await self._require_alone(transaction, charge)
                else:
                    request = await self._decide(transaction, charge, memberships)
                transaction.announce(charges)
                transaction.announce(deliveries)
            self._entered(charge)
            if request is not None:
                self._deciding.requests.entered(request)
            return charge
        return None

    async def _require_alone(self, transaction: Transaction, charge: Charge) -> None:
        hold, before, key = await self._deciding.line.hold_of(transaction, charge)
        if hold is not None:
            raise hold.error()
        await self._deciding.budget_notes.tell(transaction, key, before.uses, charge.amount)

    async def _decide(
        self, transaction: Transaction, charge: Charge, memberships: Mapping[str, bool]
    ) -> FundsRequest:
        """Have a charge pay its request, if need be instead of one that has waited too long."""
        request = await self._deciding.pay(transaction, charge, memberships)
        if request is not None:
            return request
        other = await self._deciding.requests.charge_of(transaction, charge.request_id or "")
        if other is None:
            raise _ConditionError
        before = transaction.now() - TAKE_OVER_AFTER
        # Charges are locked before requests.
        taken = await end_waiting(transaction, other, RefusalCode.TAKEN_OVER, confirmed_before=before)
        if taken is not None:
            request = await self._deciding.pay(transaction, charge, memberships, instead_of=other)
        if request is None:
            raise _ConditionError
        return request

    async def resume(
        self,
        charge_id: str,
        identity: Identity,
        *,
        now: datetime,
        view_id: str | None,
        warned_of: str | None = None,
        since: datetime | None = None,
        check_limits: LimitCheck = lambda _amount, _spent: None,
        memberships: Mapping[str, bool] = _NOT_KNOWN,
    ) -> Charge | None:
        """Confirm again, once, a charge that waited for the billing permission: same row, same key.

        `warned_of`, `since`, `check_limits` and `memberships` are as in `confirm`. Return None if the
        charge does not wait (any more), if its owner has an equal one that they were not warned of, or if
        it may not pay its request any more.
        """
        facts = {
            "this": charge_id,
            "before": ChargeState.NEEDS_SCOPE.value,
            "state": ChargeState.CONFIRMED.value,
            "owner_key": identity.key,
            "due_at": now,
            "refusal": None,
            # The person confirms it again now, so it counts for the limits from now on.
            "confirmed_at": now,
            "confirmation_signature": self._cipher.sign(*confirmation_of(charge_id, identity, now)),
        }
        beside = {"this": charge_id, "warned_of": warned_of or "", "lately": now - LATELY}
        with suppress(_ConditionError):
            async with self._database.transaction() as transaction:
                row = (await transaction.execute(self._resume, facts)).one_or_none()
                if row is None:
                    return None
                charge = await _confirmed(transaction, row, since, check_limits)
                if (await transaction.execute(_BESIDE_NONE, beside)).one_or_none() is None:
                    raise _ConditionError
                transaction.announce(charges)
                await wake_delivery(transaction, charge_id)
                await watch_in_modal(transaction, charge_id, view_id)
                if charge.request_id is not None:
                    if not await self._deciding.allows_resuming(transaction, charge, memberships):
                        raise _ConditionError
                    await self._deciding.requests.follow(transaction, charge)
            self._entered(charge)
            return charge
        return None

    @cached_property
    def _confirm(self) -> Executable:
        return _CONFIRM.where(self._database.backend.take_turns(_NAMES))

    @cached_property
    def _resume(self) -> Executable:
        return _RESUME.where(self._database.backend.take_turns(_NAMES))

    async def open_equal(self, charge: Charge) -> Charge | None:
        """Return the latest other charge of this kind and amount with an unknown outcome.

        It is of the same owner, or of another person with the same portal account.
        """
        equals = _equal_without_end(
            charge.identity.key, charge.account_id, charge.kind.value, charge.amount
        )
        equal = union_all(*equals).subquery()
        query = (
            select(charges)
            .join(equal, equal.c.id == charges.c.id)
            .where(charges.c.id != charge.id)
            .order_by(charges.c.confirmed_at.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            lately = {"lately": self._database.clock.now() - LATELY}
            row = (await connection.execute(query, lately)).one_or_none()
        return None if row is None else charge_of(row)

    async def spent(self, owner: str, account_id: str, *, since: datetime, but: str = "") -> Decimal:
        """Return the sum (US dollars) of the charges since then that were or may yet be charged.

        It is the owner's or the account's sum, whichever is larger. The charge `but` is left out.
        """
        async with self._database.read() as connection:
            return await _spent(connection, owner, account_id, since, but=but)


async def _confirmed(
    transaction: Transaction, row: Row[Any], since: datetime | None, check_limits: LimitCheck
) -> Charge:
    """Record a confirmation, and check the limits with what was spent since then without this charge."""
    charge = charge_of(row)
    await record_charge(transaction, charge)
    spent = None
    if since is not None:
        spent = await _spent(transaction, charge.identity.key, charge.account_id, since, but=charge.id)
    check_limits(charge.amount, spent)
    return charge


async def _spent(
    connection: Connection, owner: str, account_id: str, since: datetime, *, but: str = ""
) -> Decimal:
    row = charges.c
    counts = (
        row.confirmed_at > since,
        row.id != but,
        row.state.not_in([state.value for state in NOT_CHARGED]),
    )
    # One query for each, so that each uses its own index.
    sums = []
    for whose in (row.owner == owner, row.account_id == account_id):
        amounts = (await connection.execute(select(row.amount).where(whose, *counts))).scalars()
        sums.append(sum(amounts, Decimal(0)))
    return max(sums)

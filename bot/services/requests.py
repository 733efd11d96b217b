"""Asking for funds: the form, filing, changing, withdrawing, reminding, and what time brings."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.billing import BalanceLevel
from bot.domain.errors import StaleError
from bot.domain.money import CENT
from bot.domain.offer import AmountOffer
from bot.domain.request import LOOK_AGAIN, REASON_LENGTH, FundsRequest, Obstacle, RequestState, Withdrawal
from bot.domain.request_errors import (
    MayAddItselfError,
    MemberCapError,
    RemindedAlreadyError,
    RequestError,
    RequestNotFoundError,
)
from bot.domain.request_views import AskForm, RequestList
from bot.domain.text import clean
from bot.engine import LeaseLostError
from bot.services.routing import key_of
from bot.storage.requests.store import message_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.request_views import Approvers
    from bot.engine import Lease, Released
    from bot.services.accounts import Accounts
    from bot.services.members import Members
    from bot.services.permission import Permission
    from bot.services.routing import Routing
    from bot.storage.charges.store import ChargeStore
    from bot.storage.requests.lists import RequestLists
    from bot.storage.requests.store import RequestStore

LISTED = 20
LISTED_FOR = timedelta(days=30)

log = structlog.get_logger(__name__)


class Requests:
    """What a requester does, and what a clock does."""

    def __init__(
        self,
        requests: RequestStore,
        lists: RequestLists,
        charges: ChargeStore,
        accounts: Accounts,
        permission: Permission,
        routing: Routing,
        members: Members,
        clock: Clock,
        life: timedelta | None,
    ) -> None:
        """`life` is how long a request is open; None if requests are switched off."""
        self._requests = requests
        self._lists = lists
        self._charges = charges
        self._accounts = accounts
        self._permission = permission
        self._routing = routing
        self._members = members
        self._clock = clock
        self._life = life

    @property
    def are_on(self) -> bool:
        """Whether the operator allows requests."""
        return self._life is not None

    async def form(self, identity: Identity, *, anyway: bool = False) -> AskForm:
        """Return the form to ask for funds, after all that can be checked before.

        With `anyway`, a person may ask whom funds may not help, or who could add them.

        Raises:
            RuleError: spending is stopped.
            NotFullMemberError: a guest, or somebody whom Slack does not know.
            NotLinkedError, RelinkRequiredError: not connected.
            MayAddItselfError, MemberCapError: asking is not what helps.
        """
        self._permission.rules.require_requests()
        await self._permission.require_spending(identity)
        await self._members.require_asker(identity)
        link = await self._accounts.link(identity)
        account, portal = await self._accounts.portal(identity)
        state, info = await asyncio.gather(portal.state(), portal.account())
        await self._routing.observe(identity, link, state)
        if state.may_charge and not anyway:
            raise MayAddItselfError
        if info.usage.level is BalanceLevel.MEMBER_CAPPED and not anyway:
            raise MemberCapError(state.portal_url)
        return AskForm(
            state=state,
            offer=AmountOffer.of(state, self._permission.rules),
            account=account,
            approvers=await self._routing.approvers(
                key_of(identity, link), requester=identity, account_id=account.account_id
            ),
        )

    async def file(self, identity: Identity, amount: Decimal, reason: str, *, account: str) -> FundsRequest:
        """File a request, with a message to each who is told; `account` is whose form it was.

        Raises:
            RuleError: spending is stopped, or the amount exceeds a limit.
            AskedAlreadyError, TooManyRequestsError, NotFullMemberError.
            NotLinkedError, RelinkRequiredError: not connected.
            StaleError: this person has connected another account since the form was opened.
        """
        await self._permission.require_spending(identity)
        self._permission.rules.require(amount, None)
        await self._members.require_asker(identity)
        link = await self._accounts.link(identity)
        if link.account.account_id != account or self._life is None:
            raise StaleError
        now = self._clock.now()
        request = FundsRequest(
            id=secrets.token_hex(8),
            requester=identity,
            base_url=link.base_url,
            account_id=link.account.account_id,
            organization_id=link.account.organization_id,
            organization_name=link.account.organization_name,
            amount=amount.quantize(CENT),
            reason=one_line(reason),
            asked_at=now,
            expires_at=now + self._life,
            zone=await self._members.zone(identity),
        )
        approvers = await self._routing.approvers(
            request.key, requester=identity, account_id=request.account_id
        )
        readers = [identity, *approvers.told]
        await self._requests.file(request, [message_for(request.id, each, now) for each in readers])
        log.info("requests.filed", request=request.id, told=len(approvers.told))
        return request

    async def mine(self, identity: Identity, request_id: str) -> FundsRequest:
        """Return a request of this person.

        Raises:
            RequestNotFoundError: they have no such request.
        """
        found = await self._requests.get(request_id, tenant=identity.tenant)
        if found is None or found.requester.key != identity.key:
            raise RequestNotFoundError
        return found

    async def visible(self, identity: Identity, request_id: str) -> FundsRequest:
        """Return a request that this person may see: their own, or one where they may charge.

        Raises:
            RequestNotFoundError: there is none.
            PortalUnavailableError: the portal does not say whether they may charge.
        """
        found = await self._requests.get(request_id, tenant=identity.tenant)
        if found is not None and found.requester.key == identity.key:
            return found
        link = await self._accounts.former_link(identity)
        if found is None or link is None or link.dead or found.key != key_of(identity, link):
            raise RequestNotFoundError
        _, portal = await self._accounts.portal(identity)
        if not (await portal.state()).may_charge:
            raise RequestNotFoundError
        return found

    async def edit(
        self, identity: Identity, request_id: str, amount: Decimal, reason: str, *, shown: int
    ) -> FundsRequest:
        """Change amount and reason; whoever looks at it must look again.

        Raises:
            RequestNotFoundError, AskedAlreadyError.
            RuleError: spending is stopped, or the amount exceeds a limit.
            RequestError: it is not open any more, or was changed since it was shown.
        """
        await self._permission.require_spending(identity)
        self._permission.rules.require(amount, None)
        before = await self.open_one(identity, request_id)
        if before.version != shown:
            raise RequestError(before, Obstacle.VERSION)
        after = before.edited(amount.quantize(CENT), one_line(reason))
        return await self._change(before, after, "edited")

    async def withdraw(self, identity: Identity, request_id: str) -> FundsRequest:
        """Take a request back: an open one, or one whose charge waits for the billing permission.

        Raises:
            RequestNotFoundError: they have no such request.
            RequestError: somebody has decided already.
        """
        before = await self.mine(identity, request_id)
        if before.state is RequestState.CHARGING:
            return await self._withdraw_charging(before)
        before = await self.open_one(identity, request_id)
        after = before.withdrawn(Withdrawal.BY_REQUESTER, self._clock.now())
        return await self._change(before, after, "withdrawn")

    async def _withdraw_charging(self, before: FundsRequest) -> FundsRequest:
        withdrawn = await self._charges.withdraw_waiting(before, Withdrawal.BY_REQUESTER)
        if withdrawn is None:
            raise RequestError(await self.mine(before.requester, before.id), Obstacle.DECIDED)
        return withdrawn

    async def remind(self, identity: Identity, request_id: str) -> FundsRequest:
        """Remind those who were told, at most every four hours.

        Raises:
            RequestNotFoundError, RequestError: as `withdraw`.
            RemindedAlreadyError: too soon, or often enough.
        """
        before = await self.open_one(identity, request_id)
        if before.is_reminded_enough:
            raise RemindedAlreadyError(None)
        again_at = before.may_remind_at()
        if again_at is not None and self._clock.now() < again_at:
            raise RemindedAlreadyError(again_at)
        return await self._change(before, before.reminded(self._clock.now()), "reminded")

    async def open_one(self, identity: Identity, request_id: str) -> FundsRequest:
        """Return this person's open request.

        Raises:
            RequestNotFoundError: they have no such request.
            RequestError: it is not open any more.
        """
        request = await self.mine(identity, request_id)
        if not request.is_open(self._clock.now()):
            late = request.state in {RequestState.OPEN, RequestState.EXPIRED}
            raise RequestError(request, Obstacle.EXPIRED if late else Obstacle.DECIDED)
        return request

    async def _change(self, before: FundsRequest, after: FundsRequest, result: str) -> FundsRequest:
        if await self._requests.change(before, after, result, actor=before.requester.key):
            return after
        raise RequestError(await self.mine(before.requester, before.id), Obstacle.DECIDED)

    async def listed(self, identity: Identity, *, everything: bool) -> RequestList:
        """Return the requests that concern a person; `everything`: ask the portal who may see the others'.

        Raises:
            PortalUnavailableError: the portal does not answer that.
        """
        own = await self._lists.of_owner(identity.key, limit=LISTED)
        link = await self._accounts.former_link(identity)
        if link is None or link.dead or link.waits_since is not None:
            return RequestList(waiting=(), own=own)
        key = key_of(identity, link)
        if everything:
            _, portal = await self._accounts.portal(identity)
            state = await portal.state()
            await self._routing.observe(identity, link, state)
            may_charge = state.may_charge
        else:
            may_charge = bool(link.may_charge)
        if not may_charge:
            return RequestList(waiting=(), own=own)
        waiting = await self._lists.open_of(key, but=identity.key, limit=LISTED)
        since = self._clock.now() - LISTED_FOR
        return RequestList(
            waiting=[each for each in waiting if each.account_id != link.account.account_id],
            own=own,
            organization=await self._lists.of_all(key, since=since, limit=LISTED) if everything else None,
        )

    async def approvers_of(self, request: FundsRequest) -> Approvers:
        """Return who is told of a request now."""
        return await self._routing.approvers(
            request.key, requester=request.requester, account_id=request.account_id
        )

    async def end_switched_off(self) -> None:
        """Where requests are switched off, have those that are open withdrawn."""
        if self._life is None:
            await self._requests.wake_open()

    async def advance(self, lease: Lease[FundsRequest]) -> Released | datetime | None:
        """Do what time has brought; return when to look again (UTC)."""
        request = lease.load()
        now = self._clock.now()
        if request.state is RequestState.OPEN:
            if self._life is None:
                return await self._save(lease, request.withdrawn(Withdrawal.SWITCHED_OFF, now))
            return await self._wait(lease, request, now)
        if request.is_over or request.charge_id is None:
            return None
        return await self._follow(request)

    async def _wait(
        self, lease: Lease[FundsRequest], request: FundsRequest, now: datetime
    ) -> datetime | None:
        """Do what is due with an open request: end it, tell others as well, remind."""
        if now >= request.expires_at:
            return await self._save(lease, request.expired(now))
        escalates, reminds = request.escalates_at(), request.reminds_at()
        if escalates is not None and now >= escalates:
            others = await self._routing.others(request)
            return await self._save(lease, request.escalated(now), "escalated", tell=others)
        if reminds is not None and now >= reminds:
            return await self._save(lease, request.reminded(now), "reminded")
        return request.due_at()

    async def _save(
        self,
        lease: Lease[FundsRequest],
        after: FundsRequest,
        result: str | None = None,
        *,
        tell: Sequence[Identity] = (),
    ) -> datetime | None:
        """Write it, unless a person was faster; then look again at once."""
        try:
            await self._requests.save(lease, lease.load(), after, result or after.state.value, tell=tell)
        except LeaseLostError:
            return self._clock.now()
        return after.due_at() if after.state is RequestState.OPEN else None

    async def _follow(self, request: FundsRequest) -> datetime | None:
        """Look at the charge: a process of the release before does not move its request."""
        charge = await self._charges.get(request.charge_id or "")
        now = self._clock.now()
        if charge is not None and await self._requests.catch_up(charge):
            return now
        return now + LOOK_AGAIN if request.state is RequestState.CHARGING else None


def one_line(reason: str) -> str:
    """Return a reason on one line, without signs that cannot be seen, at most 200 characters."""
    return clean(reason, REASON_LENGTH) or ""

"""Asking for funds: the form, filing, changing, withdrawing, reminding, and what time brings."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.billing import BalanceLevel
from bot.domain.deciding import Obstacle
from bot.domain.errors import StaleError
from bot.domain.money import CENT
from bot.domain.offer import AmountOffer
from bot.domain.policy import ONE, TWO
from bot.domain.request import REASON_LENGTH, FundsRequest, RequestState, Withdrawal
from bot.domain.request_errors import (
    AboveMostError,
    MayAddItselfError,
    MemberCapError,
    RemindedAlreadyError,
    RequestError,
    RequestNotFoundError,
)
from bot.domain.request_views import AskForm, RequestList
from bot.domain.text import clean
from bot.domain.vote import Vote, VoteKind, method_key
from bot.services.routing import key_of
from bot.storage.requests.line import Who
from bot.storage.requests.store import message_for, message_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.policy import Hold, Policy
    from bot.domain.request import OrganizationKey
    from bot.domain.request_views import Approvers
    from bot.services.people import People
    from bot.services.routing import Routing
    from bot.storage.charges.store import ChargeStore
    from bot.storage.links import Link
    from bot.storage.policies import PolicyStore
    from bot.storage.requests.line import TwoPeopleLine
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
        policies: PolicyStore,
        line: TwoPeopleLine,
        people: People,
        routing: Routing,
        clock: Clock,
        life: timedelta | None,
    ) -> None:
        """`life` is how long a request is open; None if requests are switched off."""
        self._requests = requests
        self._lists = lists
        self._charges = charges
        self._policies = policies
        self._line = line
        self._people = people
        self._routing = routing
        self._clock = clock
        self._life = life

    @property
    def are_on(self) -> bool:
        """Whether the operator allows requests."""
        return self._life is not None

    async def form(
        self, identity: Identity, *, amount: Decimal | None = None, anyway: bool = False
    ) -> AskForm:
        """Return the form to ask for funds, after all that can be checked before.

        `amount` is the one that was typed. With `anyway`, a person may ask whom funds may not help, or who
        could add them.

        Raises:
            RuleError: spending is stopped.
            NotFullMemberError: a guest, or somebody whom Slack does not know.
            NotLinkedError, RelinkRequiredError: not connected.
            MayAddItselfError, MemberCapError: asking is not what helps.
        """
        self._people.permission.rules.require_requests()
        await self._people.permission.require_spending(identity)
        await self._people.members.require_asker(identity)
        link = await self._people.accounts.link(identity)
        account, portal = await self._people.accounts.portal(identity)
        state, info = await asyncio.gather(portal.state(), portal.account())
        await self._routing.observe(identity, link, state)
        key = key_of(identity, link)
        policy = await self._policies.newest(key)
        if state.may_charge and not anyway and not await self._needs_two(identity, link, policy, amount):
            raise MayAddItselfError
        if info.usage.level is BalanceLevel.MEMBER_CAPPED and not anyway:
            raise MemberCapError(state.portal_url)
        return AskForm(
            state=state,
            offer=AmountOffer.of(state, self._people.permission.rules, most=policy.request_max),
            account=account,
            approvers=await self._routing.approvers(key, requester=identity, account_id=account.account_id),
            policy=policy,
            counts=state.may_charge and state.payment_method is not None,
        )

    async def _needs_two(
        self, identity: Identity, link: Link, policy: Policy, amount: Decimal | None
    ) -> bool:
        """Tell whether two people decide on this amount for a person; on any, if it is not known yet."""
        if amount is None:
            return policy.two_people_from is not None or bool(policy.budgets)
        who = Who(person=identity, account_id=link.account.account_id)
        return await self._line.hold(who, key_of(identity, link), amount) is not None

    async def file(
        self,
        identity: Identity,
        amount: Decimal,
        reason: str,
        *,
        account: str,
        form_id: str,
        channel: str | None = None,
    ) -> FundsRequest:
        """File a request, with a message to each who is told; `account` is whose form it was.

        A form files one request: sent again, it returns that one, whatever has become of it. `channel` is
        the one whose budget is to count it.

        Raises:
            RuleError: spending is stopped, or the amount exceeds a limit or a budget.
            AskedAlreadyError, TooManyRequestsError, NotFullMemberError, AboveMostError.
            NotLinkedError, RelinkRequiredError: not connected.
            StaleError: this person has connected another account since the form was opened.
            PortalUnavailableError: two people decide, and the portal does not say whether this is one.
        """
        await self._people.permission.require_spending(identity)
        self._people.permission.rules.require(amount, None)
        await self._people.members.require_asker(identity)
        link = await self._people.accounts.link(identity)
        if link.account.account_id != account or self._life is None:
            raise StaleError
        now = self._clock.now()
        key = key_of(identity, link)
        policy = await self._allowing(key, amount)
        life = self._life if policy.life_hours is None else timedelta(hours=policy.life_hours)
        who = Who(person=identity, account_id=link.account.account_id, channel=channel)
        hold = await self._held(who, key, amount)
        request = FundsRequest(
            id=hashlib.sha256(f"{identity.key} {form_id}".encode()).hexdigest()[:16],
            requester=identity,
            base_url=link.base_url,
            account_id=link.account.account_id,
            organization_id=link.account.organization_id,
            organization_name=link.account.organization_name,
            amount=amount.quantize(CENT),
            reason=one_line(reason),
            asked_at=now,
            expires_at=now + min(life, self._life),
            zone=policy.zone if policy.version else await self._people.members.zone(identity),
            hours=policy.hours,
            needed=ONE if hold is None else TWO,
            policy_version=policy.version,
            channel=channel,
        )
        vote = None if hold is None else await self._own_vote(request)
        approvers = await self._routing.approvers(
            request.key, requester=identity, account_id=request.account_id
        )
        messages = [message_for(request.id, each, now) for each in (identity, *approvers.told)]
        if approvers.channel is not None:
            messages.append(message_in(request, approvers.channel, now))
        filed = await self._requests.file(request, messages, vote)
        log.info("requests.filed", request=request.id, told=len(messages) - 1)
        return filed

    async def _allowing(self, key: OrganizationKey, amount: Decimal) -> Policy:
        """Return the policy in force, if it lets people ask for so much."""
        policy = await self._policies.newest(key)
        if policy.request_max is not None and amount > policy.request_max:
            raise AboveMostError(policy.request_max)
        return policy

    async def _held(self, who: Who, key: OrganizationKey, amount: Decimal, *, but: str = "") -> Hold | None:
        """Return why one person alone cannot add an amount; None if they can."""
        hold = await self._line.hold(who, key, amount, but=but)
        if hold is not None and hold.is_final:
            raise hold.error()
        return hold

    async def _own_vote(self, request: FundsRequest) -> Vote | None:
        """Return the requester's own yes, if the portal says that they may charge; another then pays."""
        _, portal = await self._people.accounts.portal(request.requester)
        state = await portal.state()
        is_same = state.organization_id == request.organization_id
        if not is_same or not state.may_charge or state.payment_method is None:
            return None
        method = method_key(state.payment_method)
        return Vote(
            id=secrets.token_hex(16),
            request_id=request.id,
            version=request.version,
            person=request.requester,
            account_id=request.account_id,
            kind=VoteKind.ASKED,
            method=method,
            seen=method,
            at=self._clock.now(),
        )

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
        link = await self._people.accounts.former_link(identity)
        if found is None or link is None or link.dead or found.key != key_of(identity, link):
            raise RequestNotFoundError
        _, portal = await self._people.accounts.portal(identity)
        if not (await portal.state()).may_charge:
            raise RequestNotFoundError
        return found

    async def edit(
        self, identity: Identity, request_id: str, amount: Decimal, reason: str, *, shown: int
    ) -> FundsRequest:
        """Change amount and reason; whoever looks at it must look again.

        Raises:
            RequestNotFoundError, AskedAlreadyError, AboveMostError.
            RuleError: spending is stopped, or the amount exceeds a limit.
            RequestError: it is not open any more, or was changed since it was shown.
        """
        await self._people.permission.require_spending(identity)
        self._people.permission.rules.require(amount, None)
        before = await self.open_one(identity, request_id)
        if before.version != shown:
            raise RequestError(before, Obstacle.VERSION)
        policy = await self._allowing(before.key, amount)
        cents = amount.quantize(CENT)
        who = Who(person=identity, account_id=before.account_id, channel=before.channel)
        hold = await self._held(who, before.key, cents, but=before.id)
        after = before.edited(cents, one_line(reason), needed=ONE if hold is None else TWO)
        after = replace(after, policy_version=max(before.policy_version, policy.version))
        vote = None if hold is None else await self._own_vote(after)
        return await self._change(before, after, "edited", vote)

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

    async def _change(
        self, before: FundsRequest, after: FundsRequest, result: str, vote: Vote | None = None
    ) -> FundsRequest:
        if await self._requests.change(before, after, result, actor=before.requester.key, vote=vote):
            return after
        raise RequestError(await self.mine(before.requester, before.id), Obstacle.DECIDED)

    async def listed(self, identity: Identity, *, everything: bool) -> RequestList:
        """Return the requests that concern a person; `everything`: ask the portal who may see the others'.

        Raises:
            PortalUnavailableError: the portal does not answer that.
        """
        own = await self._lists.of_owner(identity.key, limit=LISTED)
        link = await self._people.accounts.former_link(identity)
        if link is None or link.dead or link.waits_since is not None:
            return RequestList(waiting=(), own=own)
        key = key_of(identity, link)
        if everything:
            _, portal = await self._people.accounts.portal(identity)
            state = await portal.state()
            await self._routing.observe(identity, link, state)
            may_charge = state.may_charge
        else:
            may_charge = bool(link.may_charge)
        if not may_charge:
            return RequestList(waiting=(), own=own)
        waiting: Sequence[FundsRequest] = ()
        if await self._routing.decides(identity, key):
            waiting = await self._lists.open_of(key, but=identity.key, limit=LISTED)
        since = self._clock.now() - LISTED_FOR
        return RequestList(
            waiting=[each for each in waiting if each.account_id != link.account.account_id],
            own=own,
            organization=await self._lists.of_all(key, since=since, limit=LISTED) if everything else None,
        )

    async def next_waiting(self, identity: Identity, *, but: str | None) -> FundsRequest | None:
        """Return the oldest request that waits for this person's decision, without the one `but`."""
        listed = await self.listed(identity, everything=False)
        return next((each for each in listed.waiting if each.id != but), None)

    async def approvers_of(self, request: FundsRequest) -> Approvers:
        """Return who is told of a request now."""
        return await self._routing.approvers(
            request.key, requester=request.requester, account_id=request.account_id
        )


def one_line(reason: str) -> str:
    """Return a reason on one line, without signs that cannot be seen, at most 200 characters."""
    return clean(reason, REASON_LENGTH) or ""

"""An organization's policy: who may set it, tightening at once, and loosening by a second person."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.budget import MOST_BUDGETS
from bot.domain.errors import BillingError, PortalRefusalError, RefusalCode
from bot.domain.policy import TWO, ChangeState, Policy, PolicyChange, is_looser
from bot.domain.policy_views import PolicyProblem, PolicyProblemError, Saved, TeamPage
from bot.domain.request_errors import RequestNotFoundError
from bot.domain.rules import Rule, RuleError
from bot.services.routing import key_of

if TYPE_CHECKING:
    from bot.domain.billing import BillingState
    from bot.domain.budget import TypedBudget
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.request import OrganizationKey
    from bot.services.people import People
    from bot.services.routing import Routing
    from bot.storage.database import Database
    from bot.storage.links import Link, LinkStore
    from bot.storage.policies import PolicyStore
    from bot.storage.requests.deciding import Deciding

CHANGE_LIFE = timedelta(hours=24)
"""How long a looser policy waits for a second person."""

ASK_SECONDS = 5
"""How long to wait for the portal to say who else may set the policy; who is not known counts."""

log = structlog.get_logger(__name__)


class Team:
    """Shows and sets policies."""

    def __init__(
        self,
        database: Database,
        policies: PolicyStore,
        deciding: Deciding,
        links: LinkStore,
        people: People,
        routing: Routing,
        clock: Clock,
        life_hours: int,
    ) -> None:
        """`life_hours` is how long a request is open at most, by the operator."""
        self._database = database
        self._policies = policies
        self._deciding = deciding
        self._links = links
        self._people = people
        self._routing = routing
        self._clock = clock
        self._life_hours = life_hours

    async def page(self, identity: Identity) -> TeamPage:
        """Return the policy of this person's organization, and whether they may set it.

        Raises:
            NotFullMemberError: a guest, or somebody whom Slack does not know.
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
        """
        self._people.permission.rules.require_requests()
        await self._people.members.require_full(identity)
        link, state = await self._looked_up(identity)
        key = key_of(identity, link)
        rules = self._people.permission.rules
        may_set = state.may_change_plan and rules.allow_policy(identity) and not rules.read_only
        policy = await self._policies.newest(key)
        return TeamPage(
            policy=policy,
            organization_name=link.account.organization_name,
            account_id=link.account.account_id,
            may_set=may_set,
            able=len(await self._routing.able(key, policy)),
            groups=await self._people.channels.groups(identity) if may_set else (),
            life_hours=self._life_hours,
            uses=await self._deciding.line.uses_of(key, only=None if state.may_change_plan else identity),
        )

    async def _looked_up(self, identity: Identity) -> tuple[Link, BillingState]:
        link, state = await self._people.accounts.standing(identity)
        await self._routing.observe(identity, link, state)
        return link, state

    async def _require_admin(self, identity: Identity) -> Link:
        """Check that a person may set the policy of their organization; return their link.

        Raises:
            RuleError: READ_ONLY, or POLICY_USERS.
            PortalRefusalError: ROLE_REQUIRED, or ORG_ACCESS_DENIED.
        """
        rules = self._people.permission.rules
        rules.require_requests()
        self._people.permission.require_changes(identity)
        if not rules.allow_policy(identity):
            raise RuleError(Rule.POLICY_USERS)
        await self._people.members.require_full(identity)
        link, state = await self._looked_up(identity)
        if not state.may_change_plan:
            raise PortalRefusalError(RefusalCode.ROLE_REQUIRED, portal_url=state.portal_url)
        return link

    async def save(self, identity: Identity, policy: Policy, *, account_id: str) -> Saved:
        """Set a policy at once, or propose it if it is looser and there is a second person.

        `policy` has the version that was shown. `account_id` is whose form it was.

        Raises:
            PolicyProblemError: it cannot be set so.
            RuleError, NotFullMemberError, PortalRefusalError, NotLinkedError, RelinkRequiredError.
        """
        link = await self._require_admin(identity)
        key = key_of(identity, link)
        before = await self._policies.newest(key)
        if before.version != policy.version or link.account.account_id != account_id:
            raise PolicyProblemError(PolicyProblem.CHANGED)
        zone = await self._people.members.zone(identity)
        return await self._set(identity, link, before, replace(policy, budgets=before.budgets, zone=zone))

    async def set_budget(self, identity: Identity, typed: TypedBudget) -> Saved:
        """Set or end a budget at once, or propose it if that is looser and there is a second person.

        Raises:
            As `save`.
        """
        link = await self._require_admin(identity)
        before = await self._policies.newest(key_of(identity, link))
        current, budget = before.budget(typed.name), typed.set_by(identity.user)
        if current is not None and budget is not None:
            budget = current if replace(current, set_by=budget.set_by) == budget else budget
        after = before.with_budget(typed.name, budget)
        if len(after.budgets) > MOST_BUDGETS:
            raise PolicyProblemError(PolicyProblem.TOO_MANY)
        if not before.version:
            after = replace(after, zone=await self._people.members.zone(identity))
        return await self._set(identity, link, before, after)

    async def _set(self, identity: Identity, link: Link, before: Policy, wanted: Policy) -> Saved:
        key = key_of(identity, link)
        if replace(before, zone=wanted.zone) == wanted and not before.is_broken:
            return Saved.UNCHANGED
        after = replace(wanted, version=before.version + 1, is_broken=False)
        await self._check(identity, key, before, after)
        loosens = before.is_broken or is_looser(before, after)
        others = await self._other_admins(identity, link, key) if loosens else []
        if not others:
            await self._put(key, link.account.organization_name, after, by=identity.key)
            return Saved.SET
        now = self._clock.now()
        change = PolicyChange(
            id=secrets.token_hex(16),
            key=key,
            organization_name=link.account.organization_name,
            before=before,
            after=after,
            proposed_by=identity,
            account_id=link.account.account_id,
            proposed_at=now,
            expires_at=now + CHANGE_LIFE,
        )
        await self._policies.propose(change, [identity, *others])
        log.info("team.proposed", change=change.id)
        return Saved.PROPOSED

    async def _check(self, identity: Identity, key: OrganizationKey, before: Policy, after: Policy) -> None:
        """Check what can be wrong with a policy beyond its form."""
        most = self._people.permission.rules.max_charge
        if most is not None and after.request_max is not None and after.request_max > most:
            raise PolicyProblemError(PolicyProblem.MAX_CHARGE, most=most)
        if after.life_hours is not None and after.life_hours > self._life_hours:
            raise PolicyProblemError(PolicyProblem.TOO_LONG, hours=self._life_hours)
        for source in set(after.sources) - set(before.sources):
            if not await self._people.channels.members(identity, source):
                raise PolicyProblemError(PolicyProblem.MEMBERS)
        if after.two_people_from is not None and len(await self._routing.able(key, after)) < TWO:
            raise PolicyProblemError(PolicyProblem.TOO_FEW)
        if after.post_to is not None and after.post_to != before.post_to:
            problem = await self._people.channels.problem(identity, after.post_to)
            if problem is not None:
                raise PolicyProblemError(PolicyProblem.CHANNEL, channel=problem)

    async def _other_admins(self, identity: Identity, mine: Link, key: OrganizationKey) -> list[Identity]:
        """Return who else may set the policy; whoever the portal does not say no of counts."""
        others = [
            link
            for link in await self._links.colleagues(key)
            if link.identity.key != identity.key
            and link.account.account_id != mine.account.account_id
            and self._people.permission.rules.allow_person(link.identity)
            and self._people.permission.rules.allow_policy(link.identity)
        ]
        said = await asyncio.gather(*(self._may_set(link) for link in others))
        return [link.identity for link, may_set in zip(others, said, strict=True) if may_set]

    async def _may_set(self, link: Link) -> bool:
        if await self._people.members.is_no_member(link.identity):
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                try:
                    _, portal = await self._people.accounts.portal(link.identity)
                    state = await portal.state(in_background=True)
                except BillingError as error:
                    log.info("team.not_known", problem=type(error).__name__)
                else:
                    is_same = state.organization_id == link.account.organization_id
                    return is_same and state.may_change_plan
        return True

    async def _put(
        self,
        key: OrganizationKey,
        name: str | None,
        policy: Policy,
        *,
        by: str,
        change: tuple[PolicyChange, Identity, str] | None = None,
    ) -> None:
        """Store a policy, hold open requests to it, and tell everybody who may pay.

        With `change`, this person agrees to that change with this account, in the same transaction.
        """
        tell = await self._routing.able(key)
        before = await self._policies.newest(key)
        agreed_by = None if change is None else change[1].key
        async with self._database.transaction() as transaction:
            if change is not None:
                decided = await self._policies.decide(
                    transaction, change[0], ChangeState.AGREED, change[1], change[2]
                )
                if not decided:
                    raise PolicyProblemError(PolicyProblem.DECIDED)
            is_stored = await self._policies.put(
                transaction, key, name, policy, by=by, agreed_by=agreed_by, tell=tell
            )
            if not is_stored:
                raise PolicyProblemError(PolicyProblem.CHANGED)
            life = timedelta(hours=self._life_hours)
            await self._deciding.tighten(transaction, key, policy, life)
            await self._deciding.tell_of_budgets(transaction, key, before, policy)
        log.info("team.set", version=policy.version, by=by, agreed_by=agreed_by)

    async def change(self, identity: Identity, change_id: str) -> PolicyChange:
        """Return a proposed change of this person's workspace.

        Raises:
            RequestNotFoundError: there is none.
        """
        found = await self._policies.change(change_id, tenant=identity.tenant)
        if found is None:
            raise RequestNotFoundError
        return found

    async def agree(self, identity: Identity, change_id: str) -> PolicyChange:
        """Agree to a looser policy that another person has proposed; return the change as it is then.

        Raises:
            PolicyProblemError: DECIDED, it is not open any more; OWN, this person may not agree to it.
            RequestNotFoundError, RuleError, NotFullMemberError, PortalRefusalError, NotLinkedError.
        """
        change = await self.change(identity, change_id)
        link = await self._require_admin(identity)
        if key_of(identity, link) != change.key or not change.is_open(self._clock.now()):
            raise PolicyProblemError(PolicyProblem.DECIDED)
        if change.proposed_by.key == identity.key or change.account_id == link.account.account_id:
            raise PolicyProblemError(PolicyProblem.OWN)
        decided = (change, identity, link.account.account_id)
        await self._put(
            change.key,
            change.organization_name,
            change.after,
            by=change.proposed_by.key,
            change=decided,
        )
        return await self.change(identity, change_id)

    async def refuse(self, identity: Identity, change_id: str) -> PolicyChange:
        """Refuse a proposed change, or take back one's own; return it as it is then.

        Raises:
            As `agree`.
        """
        change = await self.change(identity, change_id)
        link = await self._require_admin(identity)
        if key_of(identity, link) != change.key:
            raise PolicyProblemError(PolicyProblem.DECIDED)
        async with self._database.transaction() as transaction:
            account_id = link.account.account_id
            if not await self._policies.decide(
                transaction, change, ChangeState.REFUSED, identity, account_id
            ):
                raise PolicyProblemError(PolicyProblem.DECIDED)
        return await self.change(identity, change_id)

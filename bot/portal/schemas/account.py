"""The account call (docs/portal.md, section 4)."""

from __future__ import annotations

from typing import Annotated

from bot.domain.billing import (
    AccessReason,
    AccountInfo,
    MemberCap,
    PlanUsage,
    Usage,
)
from bot.domain.errors import NoOrganizationError
from bot.domain.identity import Account
from bot.domain.text import (
    EMAIL,
    IDENTIFIER,
    whole,
)
from bot.portal.schemas.fields import (
    Day,
    Flag,
    Identifier,
    Money,
    Name,
    Optional,
    SnakeWire,
    UnusableAnswerError,
    Word,
    line,
)


class UserWire(SnakeWire):
    """`user` of the account call."""

    email: Annotated[str | None, line(EMAIL)] = None
    privy_did: Identifier = None


class AccountOrganizationWire(SnakeWire):
    """`organisation` of the account call."""

    id: Identifier = None
    name: Name = None
    slug: Identifier = None


class SubscriptionWire(SnakeWire):
    """`subscription` of the account call; the `*_credits` numbers are US dollars."""

    plan: Name = None
    monthly_credits: Money = None
    credits_remaining: Money = None
    rollover_credits: Money = None
    current_period_end: Day = None

    @property
    def is_plan(self) -> bool:
        """Whether there is a plan: it has a name or a monthly allowance."""
        return self.plan is not None or (self.monthly_credits or 0) > 0


class MemberCapWire(SnakeWire):
    """The member's own spending limit; also sent for people without one. Amounts in US dollars."""

    member_spend_cap_exceeded: Flag = None
    member_spend_cap_usd: Money = None
    member_spend_usd: Money = None
    member_spend_cap_remaining_usd: Money = None

    def to_member_cap(self) -> MemberCap | None:
        """Return the limit; None for a person without one."""
        exceeded = self.member_spend_cap_exceeded or False
        if self.member_spend_cap_usd is None and not exceeded:
            return None
        return MemberCap(
            exceeded=exceeded,
            limit=self.member_spend_cap_usd,
            spent=self.member_spend_usd,
            left=self.member_spend_cap_remaining_usd,
        )


class PaidAccessWire(MemberCapWire):
    """`paid_service_access` of the account call; the `*_credits` numbers are US dollars."""

    allowed: Flag = None
    paid_access: Flag = None
    has_active_subscription: Flag = None
    reason: Word = None
    subscription_credits_remaining: Money = None
    purchased_credits_remaining: Money = None
    total_usable_credits: Money = None

    @property
    def domain_reason(self) -> AccessReason | None:
        """The reason; None if it is unknown."""
        known = {each.value for each in AccessReason}
        return AccessReason(self.reason) if self.reason in known else None


class AccountWire(MemberCapWire):
    """`GET /api/oauth/account`."""

    user: UserWire
    organisation: Optional[AccountOrganizationWire] = None
    subscription: Optional[SubscriptionWire] = None
    paid_service_access: Optional[PaidAccessWire] = None

    def to_domain(self) -> AccountInfo:
        """Return the grant's account and its usage.

        Raises:
            NoOrganizationError: the login belongs to no organization.
            UnusableAnswerError: the account has neither an id nor an e-mail address, or the organization's
                id cannot be stored.
        """
        access = self.paid_service_access or PaidAccessWire()
        if self.organisation is None or access.domain_reason is AccessReason.ACCOUNT_MISSING:
            raise NoOrganizationError
        account_id = self.user.privy_did or whole(self.user.email or "", IDENTIFIER)
        if account_id is None or self.organisation.id is None:
            raise UnusableAnswerError("AccountWire: user or organisation")
        account = Account(
            account_id=account_id,
            email=self.user.email,
            organization_id=self.organisation.id,
            organization_name=self.organisation.name or self.organisation.slug,
        )
        return AccountInfo(account=account, usage=self._usage(access))

    def _usage(self, access: PaidAccessWire) -> Usage:
        return Usage(
            plan=self._plan(access),
            topped_up=access.purchased_credits_remaining,
            total=access.total_usable_credits,
            allowed=access.paid_access if access.allowed is None else access.allowed,
            reason=access.domain_reason,
            has_subscription=access.has_active_subscription,
            member_cap=access.to_member_cap() or self.to_member_cap(),
        )

    def _plan(self, access: PaidAccessWire) -> PlanUsage | None:
        wire = self.subscription
        if wire is None or not wire.is_plan:
            return None
        remaining = access.subscription_credits_remaining
        return PlanUsage(
            name=wire.plan,
            monthly=wire.monthly_credits,
            left=wire.credits_remaining if remaining is None else remaining,
            rollover=wire.rollover_credits,
            renews_on=wire.current_period_end,
        )

"""Who decides on an organization's requests, and from which amount two people do.

Every field has a default with which an organization that has set nothing works. An empty list of approvers
means "whoever the portal lets pay", never "whoever sees the card".
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.budget import Budget, Mode, Whose, over
from bot.domain.identity import FORGOTTEN
from bot.domain.rules import Rule, RuleError
from bot.domain.working_hours import USUAL_HOURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.domain.budget import BudgetUse
    from bot.domain.identity import Identity
    from bot.domain.request import OrganizationKey

ONE = 1
TWO = 2
"""How many people who may charge a request needs: the requester counts if they may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """An organization's policy; `version` counts its changes, 0 if nobody has set one.

    Amounts are US dollars, people and channels Slack ids.
    """

    version: int = 0
    approvers: tuple[str, ...] = ()
    """The people who decide."""
    approver_group: str | None = None
    """A user group whose members decide."""
    approver_channel: str | None = None
    """A channel whose members decide."""
    quiet_approvers: tuple[str, ...] = ()
    """Who may decide and is not told."""
    post_to: str | None = None
    """The private channel where cards go; None: direct messages."""
    two_people_from: Decimal | None = None
    request_max: Decimal | None = None
    life_hours: int | None = None
    """How long a request is open; None: as long as the operator says."""
    hours: str = USUAL_HOURS
    zone: str = "UTC"
    is_reason_optional: bool = False
    budgets: tuple[Budget, ...] = ()
    is_broken: bool = field(default=False, compare=False)
    """Its record is not what this app has written, so nobody decides by it. Never stored."""

    @property
    def is_limited(self) -> bool:
        """Whether only certain people decide, of those who may pay."""
        return bool(self.approvers or self.approver_group or self.approver_channel)

    @property
    def sources(self) -> tuple[str, ...]:
        """The groups and channels whose members have to be known."""
        return tuple(each for each in (self.approver_group, self.approver_channel) if each is not None)

    def allows(self, user: str, memberships: Mapping[str, bool]) -> bool:
        """Tell whether a person may decide; `memberships` says for each source whether they are in it.

        What is not known is no.
        """
        if self.is_broken:
            return False
        is_member = any(memberships.get(source, False) for source in self.sources)
        return not self.is_limited or user in self.approvers or is_member

    def people_for(self, amount: Decimal, before: Decimal) -> int:
        """Return how many people add this amount for somebody to whom `before` was added in 24 hours."""
        if self.is_broken:
            return TWO
        line = self.two_people_from
        return TWO if line is not None and amount + before >= line else ONE

    def budget(self, name: str) -> Budget | None:
        """Return the budget of a name; None if there is none."""
        return next((each for each in self.budgets if each.name == name), None)

    def budgets_of(self, user: str, channel: str | None) -> tuple[Budget, ...]:
        """Return the budgets that count what is added for a person in a channel."""
        return tuple(each for each in self.budgets if each.concerns(user, channel))

    def with_budget(self, name: str, budget: Budget | None) -> Policy:
        """Return the policy with this budget in place of the one of that name; None ends it."""
        others = [each for each in self.budgets if each.name != name]
        new = [] if budget is None else [budget]
        return replace(self, budgets=tuple(sorted([*others, *new], key=lambda each: each.name)))

    def to_text(self) -> str:
        """Return the stored form, always the same for the same policy."""
        kept = {name: value for name, value in asdict(self).items() if name not in _NOT_STORED}
        return json.dumps(kept, default=_plain, sort_keys=True)

    def without(self, user: str) -> Policy:
        """Return the policy without a person, by Slack id. Where they alone decided, nobody does then."""
        others = tuple(each for each in self.approvers if each != user)
        return replace(
            self,
            approvers=others or ((FORGOTTEN,) if self.approvers else ()),
            quiet_approvers=tuple(each for each in self.quiet_approvers if each != user),
            budgets=tuple(
                replace(each, set_by=FORGOTTEN) if each.set_by == user else each
                for each in self.budgets
                if each.subject != user
            ),
        )

    @classmethod
    def text_without(cls, text: str, user: str) -> str:
        """Return a stored form without a person, by Slack id; fields of a later release stay."""
        policy = cls.from_text(text, 0)
        without = policy.without(user)
        if without == policy:
            return text
        return json.dumps({**json.loads(text), **json.loads(without.to_text())}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str, version: int) -> Policy:
        """Read the stored form; fields of a later release are ignored."""
        known = {name: value for name, value in json.loads(text).items() if name in _STORED}
        for name in _LISTS & known.keys():
            known[name] = tuple(known[name])
        for name in _AMOUNTS & known.keys():
            known[name] = None if known[name] is None else Decimal(known[name])
        known["budgets"] = tuple(_budget(each) for each in known.get("budgets", ()))
        return cls(version=version, **known)


_NOT_STORED = frozenset({"version", "is_broken"})
_STORED = frozenset(each.name for each in fields(Policy)) - _NOT_STORED
_LISTS = frozenset({"approvers", "quiet_approvers"})
_AMOUNTS = frozenset({"two_people_from", "request_max"})


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def _budget(stored: Mapping[str, str]) -> Budget:
    return Budget(
        whose=Whose(stored["whose"]),
        subject=stored["subject"],
        amount=Decimal(stored["amount"]),
        mode=Mode(stored["mode"]),
        set_by=stored["set_by"],
    )


def is_looser(before: Policy, after: Policy) -> bool:
    """Tell whether a change lets more happen than before: it then needs a second person who may set it.

    Time zone, working hours and who is told are neither looser nor tighter.
    """
    return any(
        (
            _lets_more_decide(before, after),
            _is_higher(before.two_people_from, after.two_people_from),
            _is_higher(before.request_max, after.request_max),
            _is_higher(before.life_hours, after.life_hours),
            after.is_reason_optional and not before.is_reason_optional,
            after.post_to is not None and after.post_to != before.post_to,
            any(_lets_more(each, after.budget(each.name)) for each in before.budgets),
        )
    )


def _lets_more_decide(before: Policy, after: Policy) -> bool:
    if not before.is_limited:
        return False
    if not after.is_limited:
        return True
    is_new_source = any(source not in before.sources for source in after.sources)
    return is_new_source or not set(after.approvers) <= set(before.approvers)


def _lets_more(before: Budget, after: Budget | None) -> bool:
    is_softer = before.mode is Mode.BLOCK and after is not None and after.mode is Mode.ASK
    return after is None or after.amount > before.amount or is_softer


def _is_higher(before: Decimal | int | None, after: Decimal | int | None) -> bool:
    """Compare two limits; None is the highest of all."""
    return before is not None and (after is None or after > before)


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """What was added, or is being added, before an amount (US dollars).

    `day` is the sum for the same person in 24 hours; `uses` are the budgets in force that would count the
    amount too.
    """

    day: Decimal = Decimal(0)
    uses: tuple[BudgetUse, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Why one person alone cannot add an amount: the line of two people (US dollars), or a budget."""

    line: Decimal | None = None
    over: BudgetUse | None = None

    @property
    def is_final(self) -> bool:
        """Whether nobody can add it."""
        return self.over is not None and self.over.budget.mode is Mode.BLOCK

    def error(self, *, requests_off: bool = False) -> RuleError:
        """Return the error for who cannot add it; `requests_off`: nor ask for it."""
        if self.over is not None:
            return RuleError(Rule.BUDGET if self.is_final else Rule.BUDGET_ASKS, over=self.over)
        return RuleError(Rule.TWO_ELSEWHERE if requests_off else Rule.TWO_PEOPLE, limit=self.line)

    @classmethod
    def of(cls, policy: Policy, amount: Decimal, before: Before) -> Hold | None:
        """Return what holds an amount up by the policy in force; None if one person may add it."""
        exceeded = over(before.uses, amount)
        held = None if exceeded is None else cls(over=exceeded)
        if held is not None and held.is_final:
            return held
        if policy.people_for(amount, before.day) == TWO:
            return cls(line=policy.two_people_from or Decimal(0))
        return held


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What the policies ask of one decision: every one since the request was filed, if it is stricter.

    Of budgets only those in force count: a higher one holds at once.
    """

    people: int = ONE
    is_listed: bool = True
    request_max: Decimal | None = None
    over: BudgetUse | None = None
    """The budget over which the amount goes."""
    uses: tuple[BudgetUse, ...] = ()

    @classmethod
    def of(
        cls,
        policies: Sequence[Policy],
        amount: Decimal,
        *,
        before: Before,
        user: str,
        memberships: Mapping[str, bool],
    ) -> Demand:
        """Return the strictest."""
        limits = [each.request_max for each in policies if each.request_max is not None]
        exceeded = over(before.uses, amount)
        people = [each.people_for(amount, before.day) for each in policies]
        return cls(
            people=max([*people, ONE if exceeded is None else TWO], default=ONE),
            is_listed=all(each.allows(user, memberships) for each in policies),
            request_max=min(limits, default=None),
            over=exceeded,
            uses=before.uses,
        )

    def takes(self, amount: Decimal) -> bool:
        """Tell whether a request for so much may be paid."""
        is_blocked = self.over is not None and self.over.budget.mode is Mode.BLOCK
        return not is_blocked and (self.request_max is None or amount <= self.request_max)


_LIFE = re.compile(r"(\d{1,3})\s*([hd])[a-z]*", re.ASCII)
_A_DAY = 24


def read_life(typed: str) -> int | None:
    """Read `3d` or `12h` as hours; None if it is neither, or nothing."""
    found = _LIFE.fullmatch(typed.strip().lower())
    if found is None:
        return None
    return int(found[1]) * (_A_DAY if found[2] == "d" else 1) or None


def life_words(hours: int) -> str:
    """Write hours as `3d` or `12h`."""
    days, rest = divmod(hours, _A_DAY)
    return f"{hours}h" if rest or not days else f"{days}d"


class ChangeState(StrEnum):
    """What became of a proposed change of the policy."""

    OPEN = "open"
    AGREED = "agreed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyChange:
    """A looser policy that waits for a second person who may set it. Times are UTC."""

    id: str
    key: OrganizationKey
    organization_name: str | None
    before: Policy
    after: Policy
    proposed_by: Identity
    account_id: str
    """The proposer's portal account: it cannot agree."""
    proposed_at: datetime
    expires_at: datetime
    state: ChangeState = ChangeState.OPEN
    decided_by: str | None = None

    def is_open(self, now: datetime) -> bool:
        """Tell whether it can still be agreed to."""
        return self.state is ChangeState.OPEN and now < self.expires_at


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyStep:
    """A policy that was set, and the one before it. `set_by` and `agreed_by` are keys of people."""

    key: OrganizationKey
    organization_name: str | None
    before: Policy
    after: Policy
    set_by: str
    agreed_by: str | None
    at: datetime

"""The policy of a team: the form, its changes, and what is wrong with one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from blocks.request_forms import ask_instead_modal, asked_words
from blocks.request_forms import ask_modal as ask
from blocks.team import (
    change_message,
    channel_problem_message,
    policy_message,
    policy_problem,
    problem_message,
    saved_modal,
    team_modal,
)
from bot.domain.next_step import AskInstead
from bot.domain.policy import ChangeState, Hold, Policy, PolicyChange, PolicyStep
from bot.domain.policy_views import ChannelProblem, PolicyProblem, PolicyProblemError, Saved, TeamPage
from bot.domain.request import OrganizationKey
from bot.domain.request_views import Approvers
from tests.support.catalogue.asking import FORM, TOLD
from tests.support.catalogue.screen import Screen, screen
from tests.support.samples import ADA, GRACE, NOW, PORTAL, STATE

ACME = OrganizationKey(tenant="T0ACME", base_url=PORTAL, organization_id="org_acme")
STRICT = Policy(
    version=3,
    approvers=(ADA.user, GRACE.user),
    quiet_approvers=(GRACE.user,),
    post_to="C0SPEND",
    two_people_from=Decimal(500),
    request_max=Decimal(1000),
    life_hours=48,
    zone="Europe/London",
)
PAGE = TeamPage(
    policy=Policy(),
    organization_name="Acme Research",
    account_id="did:ada",
    may_set=True,
    able=2,
    groups=[("S0FINANCE", "finance")],
    life_hours=72,
)
CHANGE = PolicyChange(
    id="0" * 32,
    key=ACME,
    organization_name="Acme Research",
    before=STRICT,
    after=replace(STRICT, version=4, two_people_from=Decimal(1000), approvers=()),
    proposed_by=ADA,
    account_id="did:ada",
    proposed_at=NOW,
    expires_at=NOW + timedelta(hours=24),
)
STEP = PolicyStep(
    key=ACME,
    organization_name="Acme Research",
    before=Policy(),
    after=STRICT,
    set_by=ADA.key,
    agreed_by=None,
    at=NOW,
)


def screens() -> list[Screen]:
    return [*_forms(), *_changes()]


def _forms() -> list[Screen]:
    two = PolicyProblemError(PolicyProblem.TOO_FEW)
    public = PolicyProblemError(PolicyProblem.CHANNEL, channel=ChannelProblem.PUBLIC)
    strict = replace(PAGE, policy=STRICT)
    return [
        screen("team", "`/billing team`, with nothing set", team_modal(PAGE, PAGE.policy)),
        screen("team-set", "with a policy", team_modal(strict, STRICT)),
        screen("team-member", "by a member", team_modal(replace(strict, may_set=False), STRICT)),
        screen("team-too-few", "two people, of one", team_modal(PAGE, STRICT, problem=policy_problem(two))),
        screen("team-public", "a public channel", team_modal(PAGE, STRICT, problem=policy_problem(public))),
        *(
            screen(
                f"team-saved-{saved.name.lower()}",
                f"saved: {saved.name.lower()}",
                saved_modal(saved, strict),
            )
            for saved in Saved
        ),
        screen(
            "ask-two-people",
            "`/billing request 50`, where two people decide from $500 on",
            ask(replace(FORM, asked=asked_words(TOLD, "Acme Research", STRICT)), typed="$50"),
        ),
        screen(
            "ask-channel",
            "the same, in a channel",
            ask(replace(FORM, asked=asked_words(Approvers(told=(), channel="C0SPEND"), "Acme Research"))),
        ),
        screen(
            "buy-two-people",
            "`/billing buy 500`, where two people decide",
            ask_instead_modal(AskInstead(state=STATE, amount=Decimal(500), hold=Hold(line=Decimal(500)))),
        ),
    ]


def _changes() -> list[Screen]:
    ended = {
        "agreed": replace(CHANGE, state=ChangeState.AGREED, decided_by=GRACE.key),
        "refused": replace(CHANGE, state=ChangeState.REFUSED, decided_by=GRACE.key),
        "taken-back": replace(CHANGE, state=ChangeState.REFUSED, decided_by=ADA.key),
        "expired": replace(CHANGE, expires_at=NOW),
    }
    own = PolicyProblemError(PolicyProblem.OWN)
    return [
        screen("policy", "everybody who may pay, after a change", policy_message(STEP, 72)),
        screen(
            "policy-agreed",
            "after a change that two people made",
            policy_message(replace(STEP, agreed_by=GRACE.key), 72),
        ),
        screen("change", "a second person", change_message(CHANGE, GRACE, NOW, 72)),
        screen("change-own", "whoever proposed it", change_message(CHANGE, ADA, NOW, 72)),
        *(
            screen(f"change-{name}", "how it ended", change_message(change, GRACE, NOW, 72))
            for name, change in ended.items()
        ),
        screen("change-own-refused", "Agree to one's own", problem_message(own)),
        screen(
            "policy-channel",
            "whoever set the policy",
            channel_problem_message("C0SPEND", ChannelProblem.PUBLIC),
        ),
    ]

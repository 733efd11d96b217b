"""The screens of `/billing team`: the policy, its changes, and what is wrong with one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.budget import budget_rows, left_line
from blocks.inputs import SELECT_OPTIONS, channel_select, people_select, radios, select, text_input
from blocks.kit import (
    Block,
    Json,
    Message,
    actions,
    button,
    context,
    escape,
    fields,
    message,
    modal,
    moment,
    section,
)
from blocks.request_words import deciders_words
from blocks.words import MANAGERS, mention, organization, some
from bot.domain.budget import Mode
from bot.domain.identity import FORGOTTEN
from bot.domain.money import show
from bot.domain.policy import ChangeState, life_words
from bot.domain.policy_views import ChannelProblem, PolicyProblem, PolicyProblemError, Saved
from bot.domain.working_hours import zone_named

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.budget import BudgetUse
    from bot.domain.identity import Identity
    from bot.domain.policy import Policy, PolicyChange, PolicyStep
    from bot.domain.policy_views import TeamPage

SAVING = "Saving…"
REQUIRED, OPTIONAL = "required", "optional"
NO_GROUP = "none"
AMOUNT_NEEDED = "An amount in dollars, such as 500"
LIFE_NEEDED = "A time such as 3d or 12h"
HOURS_NEEDED = "Hours such as 9-18, or 9-18 Mon-Fri"
ENOUGH = 3
"""With fewer who may pay, one absence stops everything that two people decide."""

_ONLY_HERE = (
    "It holds for funds added through this app in this workspace. What is bought in the portal, or from "
    "another workspace, is outside it."
)
_SAVED = {
    Saved.SET: ":white_check_mark: *Saved.* Everybody here who may pay is told.",
    Saved.PROPOSED: (
        ":hourglass_flowing_sand: *One more person has to agree.* It lets more happen than before, so "
        "another person who may set it is asked. Until then nothing changes."
    ),
    Saved.UNCHANGED: "Nothing was changed.",
}
_PROBLEMS = {
    PolicyProblem.TOO_FEW: "Fewer than two people who decide are connected here, so nothing could be paid.",
    PolicyProblem.TOO_LONG: "Your app manager lets requests be open for {hours} at most.",
    PolicyProblem.MAX_CHARGE: "Your app manager allows {most} at most.",
    PolicyProblem.CHANGED: "Somebody else has changed it meanwhile. This is how it is now.",
    PolicyProblem.MEMBERS: (
        "Slack does not say who is in the channel or user group that is to decide, so nobody could."
    ),
    PolicyProblem.OWN: "You proposed this yourself, so somebody else has to agree.",
    PolicyProblem.TOO_MANY: "There are thirty budgets already. `off` instead of the amount ends one.",
    PolicyProblem.DECIDED: "This does not wait any more. The message shows what became of it.",
}
CHANNEL_PROBLEMS = {
    ChannelProblem.PUBLIC: "it is public, and amounts are shown in private channels only",
    ChannelProblem.SHARED: "it is shared with another organization, or about to be",
    ChannelProblem.ARCHIVED: "it is archived",
    ChannelProblem.NO_APP: "this app is not in it; type `/invite @Billing` there",
    ChannelProblem.SCOPE: "this app may not ask Slack about it; its manager installs it once more",
    ChannelProblem.UNKNOWN: "Slack does not say whether it is private",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamForm:
    """What the form keeps: the version that is shown, and whose account it was opened with."""

    version: int
    account: str

    def remember(self) -> str:
        """Serialize it for a view's private metadata."""
        return json.dumps([self.version, self.account])

    @classmethod
    def recall(cls, remembered: str) -> TeamForm:
        """Read it; unreadable text belongs to no account."""
        try:
            version, account = json.loads(remembered)
            return cls(version=int(version), account=str(account))
        except (ValueError, TypeError):
            return cls(version=-1, account="")


def team_modal(page: TeamPage, policy: Policy, *, problem: str | None = None) -> Json:
    """Make the policy's form for whoever may set it, and show the policy to all others.

    `policy` is what the inputs show: the one in force, or what was filled in before. `problem` is what is
    wrong with that.
    """
    name = organization(page.organization_name)
    if not page.may_set:
        return modal(
            titles.TEAM,
            section(f"*How requests are decided at {name}*"),
            # Of budgets everybody sees their own.
            fields(policy_rows(page.policy, page.life_hours)[:-1]),
            _budgets(page),
            context(f"{_ONLY_HERE} {MANAGERS.capitalize()} can change it."),
            callback_id=ids.INFO_VIEW,
        )
    form = TeamForm(version=page.policy.version, account=page.account_id)
    return modal(
        titles.TEAM,
        section(f":warning: *{problem}*") if problem else None,
        section(f"*How requests are decided at {name}*"),
        *_who(page, policy),
        *_how(policy),
        *_when(page, policy),
        _budgets(page),
        context(f"{_ONLY_HERE} What is stricter holds at once; what is looser needs a second person."),
        callback_id=ids.TEAM_VIEW,
        submit="Save",
        close="Cancel",
        private_metadata=form.remember(),
    )


def _budgets(page: TeamPage) -> Block | None:
    """Say how far the budgets are used in this month, to whoever may see them."""
    lines = [f"• {left_line(use)}{_then(use)}" for use in page.uses]
    if page.may_set:
        lines = ["*Budgets*", *(lines or ["None yet."]), "`/billing team budget @somebody $200` sets one."]
    return section("\n".join(lines)) if lines else None


def _then(use: BudgetUse) -> str:
    return ", then no more" if use.budget.mode is Mode.BLOCK else ", then a second person decides"


def _who(page: TeamPage, policy: Policy) -> list[Block | None]:
    return [
        people_select(
            "Who decides",
            block_id=ids.TEAM_PEOPLE,
            action_id=ids.TEAM_PEOPLE,
            chosen=tuple(each for each in policy.approvers if each != FORGOTTEN),
            hint="Nobody named here, and no channel or group below: whoever the portal lets pay.",
        ),
        channel_select(
            "Who decides: the members of a private channel",
            block_id=ids.TEAM_MEMBERS,
            action_id=ids.TEAM_MEMBERS,
            chosen=policy.approver_channel,
            placeholder="No channel",
        ),
        select(
            "Who decides: a user group",
            _groups(page, policy.approver_group),
            block_id=ids.TEAM_GROUP,
            action_id=ids.TEAM_GROUP,
            chosen=policy.approver_group or NO_GROUP,
        ),
        people_select(
            "May decide, is not told",
            block_id=ids.TEAM_QUIET,
            action_id=ids.TEAM_QUIET,
            chosen=policy.quiet_approvers,
        ),
        channel_select(
            "Where cards go",
            block_id=ids.TEAM_POST_TO,
            action_id=ids.TEAM_POST_TO,
            chosen=policy.post_to,
            placeholder="Direct messages",
            hint="Or one private channel that this app is in. Who reads it sees amounts and reasons.",
        ),
    ]


def _groups(page: TeamPage, current: str | None) -> list[tuple[str, str]]:
    """Return the choices of a user group: always the current one too, which Slack may not name now."""
    named = {group: f"@{handle}" for group, handle in page.groups}
    others = [(group, handle) for group, handle in named.items() if group != current]
    chosen = [] if current is None else [(current, named.get(current, "The user group chosen before"))]
    return [(NO_GROUP, "No user group"), *chosen, *others][:SELECT_OPTIONS]


def _how(policy: Policy) -> list[Block | None]:
    return [
        text_input(
            "Two people from",
            block_id=ids.TEAM_TWO,
            action_id=ids.TEAM_TWO,
            placeholder="Off",
            initial=None if policy.two_people_from is None else show(policy.two_people_from),
            hint="In 24 hours, for one person. One agrees, another pays; whoever asks never pays.",
            optional=True,
        ),
        text_input(
            "At most",
            block_id=ids.TEAM_MOST,
            action_id=ids.TEAM_MOST,
            placeholder="No limit",
            initial=None if policy.request_max is None else show(policy.request_max),
            hint="More than this cannot be asked for.",
            optional=True,
        ),
        radios(
            "Reason",
            [(REQUIRED, "Required"), (OPTIONAL, "Optional")],
            block_id=ids.TEAM_REASON,
            action_id=ids.TEAM_REASON,
            chosen=OPTIONAL if policy.is_reason_optional else REQUIRED,
        ),
    ]


def _when(page: TeamPage, policy: Policy) -> list[Block | None]:
    return [
        text_input(
            "Open for",
            block_id=ids.TEAM_LIFE,
            action_id=ids.TEAM_LIFE,
            placeholder=life_words(page.life_hours),
            initial=None if policy.life_hours is None else life_words(policy.life_hours),
            hint="Then a request ends without a decision, and nothing is charged. 3d, or 12h.",
            optional=True,
        ),
        text_input(
            "Working hours",
            block_id=ids.TEAM_HOURS,
            action_id=ids.TEAM_HOURS,
            initial=policy.hours,
            hint="When people are reminded, in the time zone of whoever saves this.",
        ),
    ]


def policy_rows(policy: Policy, life_hours: int) -> list[tuple[str, str]]:
    """Describe a policy in labeled values (escaped); `life_hours` is the operator's."""
    off = "off" if policy.two_people_from is None else show(policy.two_people_from)
    life = life_hours if policy.life_hours is None else min(policy.life_hours, life_hours)
    hours = escape(policy.hours)
    return [
        ("Who decides", deciders_words(policy)),
        ("May decide, is not told", some(policy.quiet_approvers) or "nobody"),
        ("Where cards go", "direct messages" if policy.post_to is None else f"<#{escape(policy.post_to)}>"),
        ("Two people from", off),
        ("At most", "no limit" if policy.request_max is None else show(policy.request_max)),
        ("Open for", life_words(life)),
        ("Working hours", f"{hours}, {zone_named(policy.zone).key}" if policy.version else hours),
        ("Reason", OPTIONAL if policy.is_reason_optional else REQUIRED),
        ("Budgets", budget_rows(policy.budgets)),
    ]


def _differences(before: Policy, after: Policy, life_hours: int) -> str:
    """Say what changes, a line for each value."""
    pairs = zip(policy_rows(before, life_hours), policy_rows(after, life_hours), strict=True)
    changed = [f"*{label}*: {was} → {will}" for (label, was), (_, will) in pairs if was != will]
    return "\n".join(changed) or "Nothing that is shown here."


def policy_problem(error: PolicyProblemError) -> str:
    """Say why a policy cannot be set."""
    if error.channel is not None:
        return f"No card goes to that channel: {CHANNEL_PROBLEMS[error.channel]}."
    hours = "" if error.hours is None else life_words(error.hours)
    most = "" if error.most is None else show(error.most)
    return _PROBLEMS[error.problem].format(hours=hours, most=most)


def saved_modal(saved: Saved, page: TeamPage) -> Json:
    """Make what follows the form."""
    is_narrow = page.policy.two_people_from is not None and page.able < ENOUGH
    warning = (
        f":warning: Only {page.able} people who decide are connected here. If one of them is away, nothing "
        f"from {show(page.policy.two_people_from)} on can be paid."
        if is_narrow and page.policy.two_people_from is not None
        else None
    )
    return modal(
        titles.TEAM,
        section(_SAVED[saved]),
        section(warning) if warning else None,
        callback_id=ids.INFO_VIEW,
    )


def problem_message(error: PolicyProblemError) -> Message:
    """Make the answer to a click on a change that cannot be decided so."""
    return message(section(policy_problem(error)))


def policy_message(step: PolicyStep, life_hours: int) -> Message:
    """Tell whoever may pay that the policy was changed."""
    agreed = f", and {mention(step.agreed_by)} agreed" if step.agreed_by else ""
    name = organization(step.organization_name)
    return message(
        section(f"*{mention(step.set_by)} has changed how requests are decided at {name}*{agreed}"),
        section(_differences(step.before, step.after, life_hours)),
        context(moment("Since", step.at)),
        actions(button("Show it", ids.TEAM)),
    )


def change_message(change: PolicyChange, reader: Identity, now: datetime, life_hours: int) -> Message:
    """Make the card of a change that waits for a second person, for the proposer or another reader."""
    who, name = mention(change.proposed_by.key), organization(change.organization_name)
    lines = section(_differences(change.before, change.after, life_hours))
    if not change.is_open(now):
        return message(section(_ended(change)), lines)
    is_own = reader.key == change.proposed_by.key
    if is_own:
        return message(
            section(f":hourglass_flowing_sand: *Your change for {name} waits for a second person*"),
            lines,
            context(moment("until", change.expires_at)),
            actions(button("Take it back", ids.REFUSE_CHANGE, value=change.id)),
        )
    return message(
        section(f"*{who} wants to change how requests are decided at {name}*"),
        lines,
        context(
            f"It lets more happen than before, so you are asked · {moment('until', change.expires_at)}"
        ),
        actions(
            button("Agree", ids.AGREE_CHANGE, value=change.id, style="primary"),
            button("No", ids.REFUSE_CHANGE, value=change.id),
        ),
    )


def _ended(change: PolicyChange) -> str:
    who, name = mention(change.proposed_by.key), organization(change.organization_name)
    by = mention(change.decided_by or "")
    match change.state:
        case ChangeState.AGREED:
            return f":white_check_mark: *{by} agreed* to what {who} proposed for {name}"
        case ChangeState.REFUSED if change.decided_by == change.proposed_by.key:
            return f"*{who} has taken this back* · nothing changes at {name}"
        case ChangeState.REFUSED:
            return f":x: *{by} said no* to what {who} proposed for {name}"
    return f"*Ended without a second person* · nothing changes at {name}"


def channel_problem_message(channel: str, problem: ChannelProblem | None) -> Message:
    """Tell whoever may set the policy that cards went to people instead of the channel."""
    why = CHANNEL_PROBLEMS[problem or ChannelProblem.UNKNOWN]
    return message(
        section(
            f":warning: *No request goes to <#{escape(channel)}> now*: {why}. "
            "Those who decide get direct messages instead."
        ),
        actions(button("Show the policy", ids.TEAM)),
    )

"""`/billing team`: who decides on requests, and from which amount two people do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.budget import budget_help_message, budget_message
from blocks.loading import loading_modal
from blocks.team import (
    AMOUNT_NEEDED,
    HOURS_NEEDED,
    LIFE_NEEDED,
    NO_GROUP,
    OPTIONAL,
    SAVING,
    TeamForm,
    policy_problem,
    problem_message,
    saved_modal,
    team_modal,
)
from bot.domain.budget import BudgetError, read_budget
from bot.domain.money import AmountError
from bot.domain.policy import Policy, read_life
from bot.domain.policy_views import PolicyProblem, PolicyProblemError
from bot.domain.working_hours import WorkingHours, WorkingHoursError
from handlers.chosen_amount import optional_amount

if TYPE_CHECKING:
    from blocks.kit import Json
    from bot.slack.request import SlackRequest
    from handlers.context import Context


BUDGET = "budget"


async def handle_team(context: Context) -> None:
    """Set a budget that was typed, or show the policy: as a form to whoever may set it."""
    if context.text:
        await _budget(context, context.text)
        return
    context.wanted = "team"
    await context.reply.open_modal(titles.TEAM)
    page = await context.runtime.team.page(context.identity)
    await context.reply.show(team_modal(page, page.policy))


async def handle_team_form(context: Context) -> None:
    """Read the form, then set the policy or propose it; say what is wrong beside its input."""
    context.reply.in_submitted_modal(titles.TEAM)
    problems: dict[str, str] = {}
    policy = _read(context.request, problems)
    if problems:
        await context.reply.ack(response_action="errors", errors=problems)
        return
    await context.reply.become(loading_modal(titles.TEAM, doing=SAVING), _save(context, policy))


async def _save(context: Context, policy: Policy) -> Json:
    team, form = context.runtime.team, TeamForm.recall(context.request.metadata)
    filled_in = replace(policy, version=form.version)
    try:
        saved = await team.save(context.identity, filled_in, account_id=form.account)
    except PolicyProblemError as error:
        page = await team.page(context.identity)
        shown = page.policy if error.problem is PolicyProblem.CHANGED else filled_in
        return team_modal(page, shown, problem=policy_problem(error))
    return saved_modal(saved, await team.page(context.identity))


async def handle_agree_change(context: Context) -> None:
    """Agree to a looser policy; its messages say so."""
    try:
        await context.runtime.team.agree(context.identity, context.request.value)
    except PolicyProblemError as error:
        await context.reply.message(problem_message(error))


async def handle_refuse_change(context: Context) -> None:
    """Refuse a looser policy, or take one's own back; its messages say so."""
    try:
        await context.runtime.team.refuse(context.identity, context.request.value)
    except PolicyProblemError as error:
        await context.reply.message(problem_message(error))


async def _budget(context: Context, typed: str) -> None:
    """Set or end a budget."""
    try:
        budget = read_budget(typed)
    except (BudgetError, AmountError):
        await context.reply.message(budget_help_message("" if typed.lower() == BUDGET else typed))
        return
    async with context.reply.patience():
        try:
            saved = await context.runtime.team.set_budget(context.identity, budget)
            page = await context.runtime.team.page(context.identity)
        except PolicyProblemError as error:
            answer = problem_message(error)
        else:
            use = next((each for each in page.uses if each.budget.name == budget.name), None)
            answer = budget_message(saved, budget, use)
    await context.reply.message(answer)


def _read(request: SlackRequest, problems: dict[str, str]) -> Policy:
    """Read the form's inputs; `problems` gets what is wrong, by input."""
    hours = request.entered(ids.TEAM_HOURS) or ""
    try:
        hours = WorkingHours.read(hours).to_text()
    except WorkingHoursError:
        problems[ids.TEAM_HOURS] = HOURS_NEEDED
    life = None
    if typed := request.entered(ids.TEAM_LIFE):
        life = read_life(typed)
        if life is None:
            problems[ids.TEAM_LIFE] = LIFE_NEEDED
    group = request.entered(ids.TEAM_GROUP) or ""
    return Policy(
        approvers=request.people(ids.TEAM_PEOPLE),
        approver_group=None if group in {NO_GROUP, ""} else group,
        approver_channel=request.entered(ids.TEAM_MEMBERS) or None,
        quiet_approvers=request.people(ids.TEAM_QUIET),
        post_to=request.entered(ids.TEAM_POST_TO) or None,
        two_people_from=optional_amount(request, ids.TEAM_TWO, problems, AMOUNT_NEEDED),
        request_max=optional_amount(request, ids.TEAM_MOST, problems, AMOUNT_NEEDED),
        life_hours=life,
        hours=hours,
        is_reason_optional=request.entered(ids.TEAM_REASON) == OPTIONAL,
    )


ACTIONS = {
    ids.TEAM: handle_team,
    ids.AGREE_CHANGE: handle_agree_change,
    ids.REFUSE_CHANGE: handle_refuse_change,
}
SUBMISSIONS = {ids.TEAM_VIEW: handle_team_form}

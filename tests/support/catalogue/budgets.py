"""Monthly budgets: set, used up, and in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from blocks.budget import budget_help_message, budget_message, budget_note
from blocks.deciding import approve_modal, obstacle_modal
from blocks.errors import error_copy, error_modal
from blocks.overview import overview_message
from blocks.request_forms import ask_instead_modal, ask_modal
from blocks.team import team_modal
from bot.domain.budget import Budget, BudgetUse, Mode, Month, TypedBudget, Whose
from bot.domain.deciding import Obstacle
from bot.domain.next_step import AskInstead, Proposal
from bot.domain.policy import Hold, Policy
from bot.domain.policy_views import Saved
from bot.domain.request_errors import RequestError
from bot.domain.request_views import Known, Review
from tests.support.catalogue.asking import FORM, PAID
from tests.support.catalogue.screen import Screen, overview, screen
from tests.support.catalogue.team import PAGE
from tests.support.samples import LINUS, NOW, REQUEST, STATE

NOVEMBER = Month.beginning(date(2026, 11, 1), "Europe/London")
OF_LINUS = Budget(whose=Whose.PERSON, subject=LINUS.user, amount=Decimal(200), set_by="U0ADA")
OF_LAB = Budget(whose=Whose.CHANNEL, subject="C0LAB", amount=Decimal(500), set_by="U0ADA")
OF_ALL = Budget(whose=Whose.ALL, amount=Decimal(1000), mode=Mode.BLOCK, set_by="U0ADA")
USES = (
    BudgetUse(budget=OF_LINUS, month=NOVEMBER, counted=Decimal(160)),
    BudgetUse(budget=OF_LAB, month=NOVEMBER, counted=Decimal(160)),
    BudgetUse(budget=OF_ALL, month=NOVEMBER, counted=Decimal("412.50")),
)
USED_UP = replace(USES[2], counted=Decimal(1000))
TYPED = TypedBudget(whose=Whose.PERSON, subject=LINUS.user, amount=Decimal(200), mode=Mode.ASK)
ENDED = replace(TYPED, amount=None)


def screens() -> list[Screen]:
    return [*_set(), *_used(), *_in_the_way()]


def _set() -> list[Screen]:
    budgets = Policy(version=1, budgets=(OF_LAB, OF_LINUS, OF_ALL))
    page = replace(PAGE, policy=budgets, uses=USES)
    answers = {
        "set": (Saved.SET, TYPED, USES[0], "`/billing team budget @Linus $200`"),
        "proposed": (Saved.PROPOSED, TYPED, None, "the same, higher than before"),
        "unchanged": (Saved.UNCHANGED, TYPED, USES[0], "the same once more"),
        "ended": (Saved.SET, ENDED, None, "`/billing team budget @Linus off`"),
        "ending": (Saved.PROPOSED, ENDED, None, "the same, where a second person has to agree"),
        "none": (Saved.UNCHANGED, ENDED, None, "`off`, where there is none"),
    }
    return [
        screen("team-budgets", "`/billing team`, with budgets", team_modal(page, budgets)),
        screen(
            "team-budgets-member",
            "the same, by a member",
            team_modal(replace(page, may_set=False, uses=USES[:1]), budgets),
        ),
        *(
            screen(f"budget-{name}", when, budget_message(saved, typed, use))
            for name, (saved, typed, use, when) in answers.items()
        ),
        screen("budget-help", "`/billing team budget`", budget_help_message()),
        screen("budget-unreadable", "what is no budget", budget_help_message("budget linus 200")),
    ]


def _used() -> list[Screen]:
    return [
        screen("budget-80", "80 % of a person's budget are used", budget_note(USES[0], 80)),
        screen("budget-100", "the budget for all is used up", budget_note(USED_UP, 100)),
        screen(
            "overview-budgets",
            "`/billing`, with budgets",
            overview_message(overview(budgets=(USES[0], USES[2]))),
        ),
    ]


def _in_the_way() -> list[Screen]:
    review = Review(
        request=REQUEST,
        proposal=Proposal(charge=PAID, open_equal=None),
        state=STATE,
        known=Known(others=[], granted=Decimal(160), denied=None, uses=(USES[0], USES[2])),
    )
    over, blocked = Hold(over=USES[0]), Hold(over=USED_UP)
    filled = RequestError(REQUEST, Obstacle.TWO, over=USES[0])
    full = RequestError(REQUEST, Obstacle.LIMIT, over=USED_UP)
    refusal = error_copy(blocked.error(), now=NOW, incident="")[0]
    return [
        screen("approve-budget", "Review, where budgets count the request", approve_modal(review, NOW)),
        screen("decide-budget", "a budget filled up meanwhile", obstacle_modal(filled, NOW)),
        screen("decide-budget-full", "the same, and it lets nobody go over it", obstacle_modal(full, NOW)),
        screen(
            "buy-budget",
            "`/billing buy 80`, over a budget",
            ask_instead_modal(AskInstead(state=STATE, amount=Decimal(80), hold=over)),
        ),
        screen("buy-budget-full", "the same, over one that blocks", error_modal("Add funds", refusal)),
        screen(
            "ask-team",
            "`/billing request 50`, where channels have budgets",
            ask_modal(replace(FORM, has_channels=True, channel="C0LAB"), typed="$50"),
        ),
    ]

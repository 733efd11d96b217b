from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.charge import (
    OPEN,
    TERMINAL,
    TRANSITIONS,
    UNFINISHED,
    ChargeState,
    FailureReason,
    IllegalTransitionError,
    check_transition,
)

states = st.sampled_from(ChargeState)


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(ChargeState)


@given(states, states)
def test_only_the_steps_of_the_table_are_allowed(before: ChargeState, after: ChargeState) -> None:
    if after in TRANSITIONS[before]:
        check_transition(before, after)
    else:
        with pytest.raises(IllegalTransitionError):
            check_transition(before, after)


@given(states)
def test_every_state_reaches_an_end(state: ChargeState) -> None:
    seen: set[ChargeState] = set()
    frontier = {state}
    while frontier:
        seen |= frontier
        frontier = {after for each in frontier for after in TRANSITIONS[each]} - seen
    assert seen & TERMINAL


@pytest.mark.behavior(26)
def test_an_unclear_charge_cannot_become_refused() -> None:
    assert ChargeState.REFUSED not in TRANSITIONS[ChargeState.UNCONFIRMED]
    assert ChargeState.CONFIRMED not in TRANSITIONS[ChargeState.UNCONFIRMED]


def test_open_and_unfinished_states_are_not_terminal() -> None:
    assert not (OPEN | set(UNFINISHED)) & TERMINAL


def test_nothing_leads_back_to_a_proposal() -> None:
    assert all(ChargeState.PROPOSED not in following for following in TRANSITIONS.values())


@pytest.mark.behavior(31)
@pytest.mark.parametrize("wire", ["", None, "something_new", "CARD_DECLINED"])
def test_an_unknown_failure_is_a_processing_error(wire: str | None) -> None:
    assert FailureReason.from_wire(wire) is FailureReason.PROCESSING_ERROR

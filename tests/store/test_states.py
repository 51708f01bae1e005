"""The chart of an experiment's life, as a pure state machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.store.states import ACTIVE, ENDED, RAN, WAITING, IllegalMove, State, check_move, successors

states = st.sampled_from(list(State))


@given(states, states)
def test_a_move_is_allowed_exactly_when_the_chart_has_the_arrow(before: State, after: State) -> None:
    if after in successors(before):
        check_move(before, after)
    else:
        with pytest.raises(IllegalMove):
            check_move(before, after)


def test_every_state_is_waiting_active_or_ended_and_only_one_of_them() -> None:
    groups = [set(WAITING), set(ACTIVE), set(ENDED)]
    assert set().union(*groups) == set(State)
    assert sum(len(group) for group in groups) == len(State)


def test_a_promotion_is_final() -> None:
    assert not successors(State.PROMOTED)


def test_only_what_was_confirmed_or_a_persons_decision_is_promoted() -> None:
    into = {state for state in State if State.PROMOTED in successors(state)}
    assert into == {State.CONFIRMING, State.DISCARDED, State.NOT_CONFIRMED}


@given(states)
def test_every_state_can_still_come_to_an_end(state: State) -> None:
    seen, open_ends = set(), [state]
    while open_ends:
        here = open_ends.pop()
        if here not in seen:
            seen.add(here)
            open_ends.extend(successors(here))
    assert seen & ENDED


class Life(RuleBasedStateMachine):
    """Any walk along the arrows: an experiment that ran has been ready before, whatever the detours."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.PROPOSED
        self.been = {State.PROPOSED}

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        choices = sorted(successors(self.state))
        if choices:
            self.state = data.draw(st.sampled_from(choices))
            self.been.add(self.state)

    @invariant()
    def nothing_runs_that_was_never_ready(self) -> None:
        if self.state in RAN | set(ACTIVE):
            assert State.READY in self.been

    @invariant()
    def nothing_is_promoted_that_was_never_scored(self) -> None:
        if self.state is State.PROMOTED:
            assert State.SCORED in self.been


TestLife = Life.TestCase

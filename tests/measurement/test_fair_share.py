"""Whose turn it is: equal shares of slot time whatever the runs' lengths, weights, and newcomers that begin level."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from orchestrator.measurement.fair_share import Account, credit, in_turn


def served(shares: dict[str, float], lengths: dict[str, float], runs: int) -> dict[str, float]:
    """Slot seconds of each team after so many runs on one slot, when everybody always has something to run."""
    noise = Random(1)
    accounts = [Account(team, share, 0.0) for team, share in shares.items()]
    for _ in range(runs):
        turn = in_turn(accounts)[0]
        took = lengths[turn] * noise.uniform(0.5, 1.5)
        accounts = [replace(one, seconds=one.seconds + took) if one.team == turn else one for one in accounts]
    return {one.team: one.seconds for one in accounts}


def test_teams_get_equal_time_although_their_runs_are_of_unlike_length() -> None:
    had = served({"a": 1, "b": 1, "c": 1}, {"a": 10, "b": 300, "c": 60}, 2000)
    assert max(had.values()) - min(had.values()) <= 450, "never apart by more than the longest run"


def test_a_share_of_two_gets_twice_the_time() -> None:
    had = served({"a": 2, "b": 1}, {"a": 50, "b": 50}, 900)
    assert had["a"] / had["b"] == pytest.approx(2, rel=0.02)


def test_those_alike_keep_their_order_and_who_is_owed_most_comes_first() -> None:
    assert in_turn([Account("b", 1, 5), Account("a", 1, 5), Account("c", 1, 4)]) == ["c", "b", "a"]


def test_a_team_that_had_nothing_to_run_is_owed_its_time() -> None:
    waited, ran = Account("slow", 1, 100), Account("quick", 1, 400)
    assert in_turn([ran, waited]) == ["slow", "quick"]


def test_a_newcomer_begins_level_with_the_lowest() -> None:
    others = [Account("a", 1, 900), Account("b", 2, 1000)]
    assert credit(3, others) == 1500 and credit(1, []) == 0
    late = Account("late", 3, credit(3, others))
    assert late.level == min(one.level for one in others)

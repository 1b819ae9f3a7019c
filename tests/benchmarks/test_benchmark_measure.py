"""Spreads, ratios and exponents on numbers whose answers are known; sides that take turns."""

import pytest

from benchmarks.goals import GOALS, Goal
from benchmarks.measure import Spread, exponent, interleaved, ratios


def test_the_spread_of_known_values() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(median=3, lower=2, upper=4, repeats=5)
    assert Spread.of([1, 2]) == Spread(median=1.5, lower=1.25, upper=1.75, repeats=2)
    assert Spread.of([7]) == Spread(median=7, lower=7, upper=7, repeats=1)


def test_of_nothing_there_is_no_spread() -> None:
    with pytest.raises(ValueError, match="no repetition was measured"):
        Spread.of([])


def test_ratios_are_taken_repetition_by_repetition() -> None:
    assert ratios([2, 9], [1, 3]) == [2, 3]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power(k: float) -> None:
    sizes = [1, 10, 100, 1000]
    assert exponent(sizes, [3 * n**k for n in sizes]) == pytest.approx(k, abs=1e-12)


def test_sides_take_turns_and_the_warm_up_is_discarded() -> None:
    called: list[str] = []
    sides = {name: lambda name=name: called.append(name) for name in "abc"}
    seconds = interleaved(sides, 2, warmup=1)
    assert called == [*"abc", *"cba", *"abc"]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2, "c": 2}


def test_the_device_has_finished_whenever_the_clock_is_read() -> None:
    called: list[str] = []
    interleaved({"a": lambda: called.append("a")}, 1, warmup=0, finish=lambda: called.append("|"))
    assert called == ["|", "a", "|"]


def test_a_goal_includes_its_limits() -> None:
    assert [Goal(most=2).met(x) for x in (1, 2, 2.01)] == [True, True, False]
    assert [Goal(least=2).met(x) for x in (1.99, 2, 9)] == [False, True, True]
    assert [Goal(0.95, 1.05).met(x) for x in (0.9, 1, 1.1)] == [False, True, False]
    assert list(map(str, (Goal(most=2), Goal(least=1.5), Goal(0.95, 1.05)))) == [
        "at most 2",
        "at least 1.5",
        "0.95 to 1.05",
    ]


def test_every_goal_has_a_limit() -> None:
    for key, goal in GOALS.items():
        assert goal != Goal(), key
        assert goal.least <= goal.most, key

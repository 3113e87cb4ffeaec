from __future__ import annotations

import itertools

import numpy as np
import optuna
import pytest

from glyphlab.training.sweep.space import Space, decoded, encoded, flat


def parsed(table: dict[str, object]) -> Space:
    space, mistakes = Space.parse(table)
    assert mistakes == []
    return space


def test_grid_is_the_product_in_order() -> None:
    space = parsed({"a": [1, 2], "b": ["x", "y", "z"]})
    expected = [{"a": a, "b": b} for a, b in itertools.product([1, 2], ["x", "y", "z"])]
    assert list(space.grid()) == expected
    assert space.most_points == 6


def test_nested_tables_are_dotted_keys() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e.f": 3}) == {"a.b": 1, "a.c.d": [2], "e.f": 3}
    assert parsed({"training": {"lr": {"low": 0.1, "high": 0.2}}}).keys == ("training.lr",)


@pytest.mark.parametrize(
    ("table", "listed"),
    [
        ({"low": 20, "high": 100, "step": 20}, (20, 40, 60, 80, 100)),
        ({"low": 0.1, "high": 0.5, "step": 0.2}, (0.1, 0.3, 0.5)),
        ({"low": 2, "high": 5}, (2, 3, 4, 5)),
        ({"low": 0.1, "high": 0.5}, None),
        ({"low": 1, "high": 64, "log": True}, None),
    ],
)
def test_ranges_that_can_be_counted(table: dict[str, object], listed: tuple[float, ...] | None) -> None:
    (dimension,) = parsed({"a": table}).dimensions
    assert dimension.listed == listed


def test_draws_stay_inside_and_log_is_even_by_ratio() -> None:
    space = parsed({"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "n": {"low": 3, "high": 9, "log": True}})
    rng = np.random.default_rng(0)
    points = [space.draw(rng) for _ in range(2_000)]
    rates = np.array([point["lr"] for point in points])
    assert rates.min() >= 1e-4 and rates.max() <= 1e-1
    assert np.mean(rates < 10**-2.5) == pytest.approx(0.5, abs=0.05)
    assert {type(point["n"]) for point in points} == {int}
    assert {point["n"] for point in points} == set(range(3, 10))


def test_when_makes_a_setting_conditional() -> None:
    space = parsed({"opt": ["adam", "sgd"], "momentum": {"values": [0.5, 0.9], "when": {"opt": "sgd"}}})
    assert list(space.grid()) == [
        {"opt": "adam"},
        {"opt": "sgd", "momentum": 0.5},
        {"opt": "sgd", "momentum": 0.9},
    ]
    assert list(parsed(space.to_record()).grid()) == list(space.grid())


def test_sequence_has_no_repeats_ends_with_the_space_and_a_longer_one_begins_with_a_shorter_one() -> None:
    space = parsed({"a": list(range(7)), "b": list(range(5))})
    whole = list(space.sequence(seed=3))
    assert len(whole) == 35
    assert len({tuple(point.values()) for point in whole}) == 35
    assert list(itertools.islice(space.sequence(seed=3), 10)) == whole[:10]
    assert list(space.sequence(seed=4)) != whole
    rest = list(space.sequence(seed=3, without=whole[:30]))
    assert sorted(map(str, rest)) == sorted(map(str, whole[30:]))


def test_optuna_chooses_from_the_same_space() -> None:
    space = parsed(
        {
            "widths": [[8, 16], [32]],
            "hidden": {"low": 20, "high": 100, "step": 20},
            "lr": {"low": 1e-3, "high": 1e-1, "log": True},
        }
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        point = space.suggest(study.ask())
        assert point["widths"] in ([8, 16], [32])
        assert point["hidden"] in (20, 40, 60, 80, 100)
        assert 1e-3 <= point["lr"] <= 1e-1


def test_encoding_goes_there_and_back() -> None:
    for value in (3, 0.5, "adam", True, [8, 32]):
        assert decoded(encoded(value)) == value


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": 3}, "a is 3; expected a list of values, or a range"),
        ({"a": []}, "a has no values; list at least one"),
        ({"a": [1, 2, 1]}, "a lists 1 twice"),
        ({"a": {"low": 1}}, "a needs numbers low and high; found low = 1, high = None"),
        ({"a": {"low": 2, "high": 1}}, "a goes from 2 to 1; low must be below high"),
        ({"a": {"low": 0, "high": 1, "log": True}}, "a with log = true needs low above 0 and no step"),
        ({"a": {"low": 0, "high": 1, "step": 0}}, "a has step = 0; expected a number above 0"),
        ({"a": {"low": 0, "high": 1, "steps": 3}}, "a has 'steps'; a range has low, high, step, log"),
        ({"a": {"values": [1], "low": 0}}, "a has both values and a range; keep one"),
        ({"a": {"values": [1], "when": {"b": 2}}, "b": [2]}, "a depends on 'b', which is no setting of [space] above"),
    ],
)
def test_mistakes_in_words(table: dict[str, object], message: str) -> None:
    _, mistakes = Space.parse(table)
    assert len(mistakes) == 1
    assert message in mistakes[0]

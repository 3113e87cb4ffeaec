from __future__ import annotations

import itertools

import numpy as np
import optuna
import pytest

from glyphlab.evaluation.sweep_report.importance import cell_means, importance, levels_of, nested
from glyphlab.training.sweep.space import Space


def grid(**values: list[float]) -> list[dict[str, float]]:
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


def test_a_complete_grid_is_divided_exactly_as_by_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    points = grid(a=[0, 1, 2], b=[0, 1, 2, 3], c=[0, 1])
    scores = rng.normal(size=len(points))
    table = scores.reshape(3, 4, 2)
    total = np.square(table - table.mean()).sum()
    main_a = 8 * np.square(table.mean((1, 2)) - table.mean()).sum()
    cells = table.mean(2)
    inner = cells - cells.mean(1, keepdims=True) - cells.mean(0, keepdims=True) + cells.mean()
    found = importance(points, scores.tolist(), ["a", "b", "c"])
    assert found is not None
    assert found.of("a") == pytest.approx(main_a / total, abs=1e-12)
    assert found.of("the same in every trial") == 0
    assert dict(found.together)[("a", "b")] == pytest.approx(2 * np.square(inner).sum() / total, abs=1e-12)
    assert found.forest_r2 is None and found.measured == 1
    whole = sum(share for _, share in found.alone) + sum(share for _, share in found.together) + found.rest
    assert whole == pytest.approx(1)


def test_a_sum_has_no_interactions_and_a_product_of_signs_nothing_else() -> None:
    points = grid(a=[-1, 1], b=[-1, 1], c=[-1, 1])
    added = importance(points, [3 * point["a"] + point["b"] for point in points], ["a", "b", "c"])
    assert added is not None
    assert dict(added.alone) == pytest.approx({"a": 0.9, "b": 0.1, "c": 0.0})
    assert max(share for _, share in added.together) == pytest.approx(0)
    multiplied = importance(points, [point["a"] * point["b"] for point in points], ["a", "b", "c"])
    assert multiplied is not None
    assert dict(multiplied.together)[("a", "b")] == pytest.approx(1)
    assert dict(multiplied.alone) == pytest.approx({"a": 0, "b": 0, "c": 0})


def test_a_half_empty_grid_is_filled_in_and_said_so() -> None:
    points = grid(a=list(range(5)), b=list(range(5)))
    chosen = [point for index, point in enumerate(points) if index % 3]
    found = importance(chosen, [5 * point["a"] + point["b"] for point in chosen], ["a", "b"])
    assert found is not None
    assert found.measured == pytest.approx(len(chosen) / 25)
    assert found.forest_r2 is not None and found.forest_r2 > 0.7
    assert found.of("a") > 0.85


def test_optuna_agrees_which_settings_matter() -> None:
    rng = np.random.default_rng(1)
    points = [
        {"lr": float(rng.uniform(0, 1)), "width": int(rng.integers(1, 9)), "noise": float(rng.uniform())}
        for _ in range(60)
    ]
    scores = [-4 * (point["lr"] - 0.3) ** 2 + 0.08 * point["width"] for point in points]
    study = optuna.create_study(direction="maximize")
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        "lr": optuna.distributions.FloatDistribution(0, 1),
        "width": optuna.distributions.IntDistribution(1, 8),
        "noise": optuna.distributions.FloatDistribution(0, 1),
    }
    for point, score in zip(points, scores, strict=True):
        study.add_trial(optuna.trial.create_trial(params=point, distributions=distributions, value=score))
    theirs = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    ours = importance(points, scores, ["lr", "width", "noise"])
    assert ours is not None
    assert [key for key, _ in ours.alone] == list(theirs)


def test_nothing_is_said_where_nothing_can_be() -> None:
    points = grid(a=[0, 1], b=[0, 1], c=[0, 1])
    assert importance(points[:7], list(range(7)), ["a", "b", "c"]) is None
    assert importance(points, [0.5] * 8, ["a", "b", "c"]) is None
    assert importance([{"a": 1}] * 9, list(range(9)), ["a"]) is None


def test_levels_of_lists_words_missing_values_and_many_numbers() -> None:
    points = [{"w": [8, 16], "o": "sgd", "m": 0.9, "x": float(i)} for i in range(20)]
    points += [{"w": [32], "o": "adam", "x": 20.0 + i} for i in range(20)]
    widths, optimizer, momentum, many = levels_of(points, ["w", "o", "m", "x"], most=4)
    assert widths.names == ("8x16", "32")
    assert optimizer.names == ("sgd", "adam")
    assert momentum.names == ("0.9", "none")
    assert len(many) == 4 and many.places[0] == 0 and many.places[-1] == 3
    assert np.bincount(many.places).tolist() == [10, 10, 10, 10]


def test_cell_means() -> None:
    points = [{"a": 1, "b": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 2}]
    first, second = levels_of(points, ["a", "b"])
    means, counts = cell_means(first, second, [1.0, 3.0, 5.0])
    assert means[0, 0] == 2 and means[1, 1] == 5 and np.isnan(means[0, 1])
    assert counts.tolist() == [[2, 0], [0, 1]]


def test_a_setting_under_a_condition_is_no_cause_of_what_its_condition_does() -> None:
    table = {
        "training.optimizer": ["adam", "sgd"],
        "training.momentum": {"values": [0.5, 0.9], "when": {"training.optimizer": "sgd"}},
        "training.batch_size": [16, 32, 64],
    }
    space, mistakes = Space.parse(table)
    assert not mistakes
    points = list(space.grid())
    scores = [0.9 if point["training.optimizer"] == "adam" else 0.8 for point in points]
    told, keys = nested(points, space.dimensions)
    assert keys == ["training.optimizer", "training.batch_size"]
    assert {point["training.optimizer"] for point in told} == {"adam", "sgd, 0.5", "sgd, 0.9"}
    assert "training.momentum" in points[-1]  # which stay as they are
    found = importance(told, scores, keys)
    assert found is not None and found.measured == 1
    assert dict(found.alone) == pytest.approx({"training.optimizer": 1.0, "training.batch_size": 0.0})

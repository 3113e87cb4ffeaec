"""How much of the differences between trials each setting explains, alone and together with another one.

The variance of the objective over all combinations of the settings is divided into parts that belong to one setting
(its main effect), to two (their interaction) and to more: functional analysis of variance (Hooker 2007; for settings
of learning machines Hutter, Hoos and Leyton-Brown 2014). Over a complete grid this is exact, and is the classical
analysis of variance without replicates. Combinations that were not tried are filled in by a random forest.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.training.sweep.space import Dimension

Floats = NDArray[np.float64]

FEWEST_TRIALS = 8
_MOST_CELLS = 20_000
_MOST_LEVELS = 8
_FEW_VALUES = 6
_ABSENT = object()


@dataclass(frozen=True)
class Levels:
    """What one setting was: a few values, or ranges of numbers. names: for display; places: the level of each trial."""

    key: str
    names: tuple[str, ...]
    places: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Importance:
    """Shares of the variance, summing to 1 with `rest`.

    alone: by setting; together: by pair of settings; both the largest first. measured: the share of combinations that
    were tried; forest_r2: how well the forest foretells trials it has not seen (R², out of bag); None where all were.
    """

    alone: tuple[tuple[str, float], ...]
    together: tuple[tuple[tuple[str, str], float], ...]
    rest: float
    measured: float
    forest_r2: float | None

    def of(self, key: str) -> float:
        """A setting's share alone; 0 for one that did not differ between trials."""
        return dict(self.alone).get(key, 0.0)


def levels_of(points: Sequence[Mapping[str, Any]], keys: Sequence[str], most: int = _MOST_LEVELS) -> list[Levels]:
    """The levels of every setting that differs between trials; numbers of more than `most` values become ranges."""
    found = [_levels(key, [point.get(key, _ABSENT) for point in points], most) for key in keys]
    return [levels for levels in found if len(levels) > 1]


def nested(
    points: Sequence[Mapping[str, Any]], dimensions: Sequence[Dimension]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Points and settings in which one that is only there under a condition is part of the setting it depends on.

    So that no combinations are reckoned with that no trial can have. One with more than a few values is left out.
    """
    told: list[dict[str, Any]] = [dict(point) for point in points]
    keys = [dimension.key for dimension in dimensions]
    for dimension in reversed(dimensions):  # what depends on a conditional one goes into it first
        if not dimension.when:
            continue
        keys.remove(dimension.key)
        parent, _ = dimension.when[0]
        few = len({_text(point.get(dimension.key, _ABSENT)) for point in told}) <= _FEW_VALUES
        for point in told:
            value = point.pop(dimension.key, _ABSENT)
            if few and value is not _ABSENT:
                point[parent] = f"{_text(point[parent])}, {_text(value)}"
    return told, keys


def importance(points: Sequence[Mapping[str, Any]], scores: Sequence[float], keys: Sequence[str]) -> Importance | None:
    """Divide the variance of `scores` [N] of trials at `points` [N] among the settings `keys`.

    None where there is nothing to divide: fewer than 8 trials, more settings than trials could tell apart, or equal
    scores throughout.
    """
    values = np.asarray(scores, dtype=np.float64)
    most = _MOST_LEVELS
    dimensions = levels_of(points, keys, most)
    while most > 2 and np.prod([float(len(levels)) for levels in dimensions]) > _MOST_CELLS:
        most -= 1
        dimensions = levels_of(points, keys, most)
    cells = float(np.prod([float(len(levels)) for levels in dimensions]))
    if len(values) < max(FEWEST_TRIALS, 2 * len(dimensions)) or not dimensions or cells > _MOST_CELLS:
        return None
    table, tried, r2 = _complete(dimensions, values)
    total = float(table.var())
    if total <= 1e-15:
        return None
    alone = {levels.key: _main(table, axis) for axis, levels in enumerate(dimensions)}
    together = {
        (dimensions[a].key, dimensions[b].key): _interaction(table, a, b)
        for a, b in itertools.combinations(range(len(dimensions)), 2)
    }
    explained = sum(alone.values()) + sum(together.values())
    return Importance(
        alone=tuple(sorted(((key, part / total) for key, part in alone.items()), key=lambda item: -item[1])),
        together=tuple(sorted(((pair, part / total) for pair, part in together.items()), key=lambda item: -item[1])),
        rest=max(0.0, 1 - explained / total),
        measured=float(tried.mean()),
        forest_r2=r2,
    )


def cell_means(first: Levels, second: Levels, scores: Sequence[float]) -> tuple[Floats, NDArray[np.int64]]:
    """Mean score and number of trials of every pair of levels, both [levels of first, levels of second]; NaN: none."""
    shape = (len(first), len(second))
    sums, counts = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    np.add.at(sums, (first.places, second.places), np.asarray(scores, dtype=np.float64))
    np.add.at(counts, (first.places, second.places), 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), counts


def _levels(key: str, values: Sequence[Any], most: int) -> Levels:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers:
        distinct = sorted({float(value) for value in values})
        if len(distinct) > most:
            return _ranges(key, np.array([float(value) for value in values]), most)
        places = tuple(distinct.index(float(value)) for value in values)
        return Levels(key, tuple(f"{value:g}" for value in distinct), places)
    texts = [_text(value) for value in values]
    names = list(dict.fromkeys(texts))
    return Levels(key, tuple(names), tuple(names.index(text) for text in texts))


def _ranges(key: str, values: Floats, most: int) -> Levels:
    """Ranges with about as many trials in each."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)))
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    names = tuple(f"{low:.3g} to {high:.3g}" for low, high in itertools.pairwise(edges))
    return Levels(key, names, tuple(int(place) for place in places))


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "none"
    if isinstance(value, list):
        return "x".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _complete(dimensions: Sequence[Levels], scores: Floats) -> tuple[Floats, NDArray[np.bool_], float | None]:
    """The score of every combination, which of them were tried, and the forest's R² where it was needed."""
    shape = tuple(len(levels) for levels in dimensions)
    places = np.array([levels.places for levels in dimensions]).T
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, tuple(places.T), scores)
    np.add.at(counts, tuple(places.T), 1)
    tried = counts > 0
    table = sums / np.maximum(counts, 1)
    if tried.all():
        return table, tried, None
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(n_estimators=200, oob_score=True, random_state=0, n_jobs=1)
    forest.fit(places, scores)
    every = np.array(list(np.ndindex(*shape)))
    table = np.where(tried, table, forest.predict(every).reshape(shape))
    return table, tried, float(forest.oob_score_)


def _main(table: Floats, axis: int) -> float:
    others = tuple(other for other in range(table.ndim) if other != axis)
    return float(table.mean(axis=others).var())


def _interaction(table: Floats, a: int, b: int) -> float:
    others = tuple(other for other in range(table.ndim) if other not in (a, b))
    means = table.mean(axis=others)
    effect = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0, keepdims=True) + means.mean()
    return float(np.square(effect).mean())

"""Which pieces of ink make up which characters: the best path through a line's hypotheses.

Each hypothesis is an arc between two cuts; its length is its geometric cost and how little the recogniser knows what
it shows. The shortest path from the line's start to its end is found by dynamic programming (Viterbi), as in LeCun,
Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.segments import Hypothesis

_LEAST_PROBABILITY = 1e-3  # one unreadable character must not pull its neighbours apart


def best_path(hypotheses: Sequence[Hypothesis], confidences: NDArray[np.float64], atoms: int) -> list[int]:
    """The hypotheses that cover a line's atoms, each atom once, at the least cost.

    confidences: float64 [len(hypotheses)], how sure it is that each is one character, 0 to 1. atoms: how many the
    line has; every atom alone is among the hypotheses. Returns indices from left to right.
    """
    doubts = -np.log(np.clip(confidences, _LEAST_PROBABILITY, 1.0))
    costs = np.full(atoms + 1, np.inf)
    costs[0] = 0.0
    arrived_by = np.full(atoms + 1, -1, dtype=np.int64)
    # Arcs in the order of their ends: all ways to an arc's start are known when it is looked at.
    for index in sorted(range(len(hypotheses)), key=lambda place: hypotheses[place].end):
        arc = hypotheses[index]
        cost = costs[arc.first] + arc.cost + doubts[index]
        if cost < costs[arc.end]:
            costs[arc.end], arrived_by[arc.end] = cost, index
    path: list[int] = []
    place = atoms
    while place > 0:
        index = int(arrived_by[place])
        assert index >= 0, f"no hypothesis ends at atom {place}"
        path.append(index)
        place = hypotheses[index].first
    return path[::-1]

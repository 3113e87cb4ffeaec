"""New classes beside the ones a network knows: its own columns stay as they are, new ones are put next to them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.transfer.heads import Floats, Head, Integers, Tuning
from glyphlab.training.transfer.threads import one_thread

# Without pictures of the old classes the new ones may not be surer than this share of their own pictures needs.
SHARE_RECOGNISED = 0.95
# With them, the share of these that may lose their right answer to a new class. The network has learned from them: of
# images it never saw two to three times as many are lost (MNIST and Greek drawings, `benchmarks/greek.py`).
TOLERATED_COST = 0.001
_REHEARSED_A_CLASS, _REHEARSED = 500, 8_000
_ITERATIONS, _TOLERANCE = 100, 1e-6


def refuse_clashes(own: tuple[str, ...], new: tuple[str, ...]) -> None:
    """`DataError` when a class to be added has the name of one that the network knows."""
    both = [name for name in new if name in own]
    if both:
        listed = ", ".join(f"'{name}'" for name in both[:8]) + (", ..." if len(both) > 8 else "")
        raise DataError(
            f"the network knows {'a class' if len(both) == 1 else 'classes'} of that name already: {listed}; rename "
            "the folders of those, leave them out, or leave out --add to learn the pictures' classes alone"
        )


def rehearsal(old: GlyphSet, seed: int) -> GlyphSet:
    """A sample of the old classes' training images, the same number of each. The same for the same seed."""
    most = min(_REHEARSED_A_CLASS, max(1, _REHEARSED // len(old.class_names)))
    rng = np.random.default_rng(derived_seed(seed, Purpose.SPLIT, 1))
    members = (np.flatnonzero(old.targets == target) for target in range(len(old.class_names)))
    return old.subset(np.sort(np.concatenate([rng.permutation(own)[:most] for own in members])))


@one_thread()
def added_columns(
    old: Head, features: Floats, targets: Integers, kept_logits: Floats, classes: int, *, tuning: Tuning
) -> Head:
    """The old columns unchanged, and new ones fitted beside them by regularised logistic regression.

    old: the base's last layer. features: float32 [M, D]. targets: int64 [M], in the numbers of all `classes`.
    kept_logits: float32 [M, K], what the old columns say to those features. Every new class counts the same, every
    old one that occurs `tuning.own_weight` times as much. With pictures of the old classes among them the new columns
    learn to keep away; without, see `restrained`.
    """
    kept = len(old.weight)
    spread = float(np.sqrt(np.mean(features.astype(np.float64) ** 2))) or 1.0
    x = torch.from_numpy(features / np.float32(spread))
    y, fixed = torch.from_numpy(targets), torch.from_numpy(kept_logits)
    counts = np.bincount(targets, minlength=classes)
    weights = torch.from_numpy((len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[targets]).float()
    weights = torch.where(y < kept, weights * tuning.own_weight, weights)
    norm_weight = 1 / (2 * tuning.strength * len(targets))
    columns = torch.zeros(classes - kept, features.shape[1], requires_grad=True)
    offsets = torch.zeros(classes - kept, requires_grad=True)
    learned = [columns] if old.bias is None else [columns, offsets]
    optimizer = torch.optim.LBFGS(
        learned, max_iter=_ITERATIONS, tolerance_change=_TOLERANCE, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = torch.cat([fixed, x @ columns.T + offsets], dim=1)
        loss = (F.cross_entropy(logits, y, reduction="none") * weights).mean() + norm_weight * columns.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    weight = np.concatenate([old.weight, columns.detach().numpy() / np.float32(spread)])
    bias = None if old.bias is None else np.concatenate([old.bias, offsets.detach().numpy()])
    return Head(weight.astype(np.float32), bias)


@one_thread()
def restrained(head: Head, kept: int, features: Floats, surplus: float) -> Head:
    """All new columns lowered together, for want of pictures of the old classes.

    The less sure the new columns are, the fewer old pictures they take. features: float32 [M, D], of new pictures.
    surplus: how much lower the new logits may be, see `trial.surplus_of`. A layer without bias is lowered along the
    direction in which all these features measure about the same, which acts as one.
    """
    if head.bias is not None:
        bias = head.bias.copy()
        bias[kept:] -= surplus
        return Head(head.weight, bias)
    level, *_ = np.linalg.lstsq(features.astype(np.float64), np.ones(len(features)), rcond=1e-3)
    weight = head.weight.copy()
    weight[kept:] -= (surplus * level).astype(np.float32)
    return Head(weight, None)

"""What the peers' pipelines are, as facts; `peers` has them in torch. Nothing here loads torch.

Where a report says nothing:

- A (EMNIST letters, 2024) gives all but what moves in at its pictures' edges: black, torchvision's default.
- C (EMNIST balanced, 2022) names no steps between file and network: pictures become tensors in 0..1 and nothing else,
  each when its turn comes, as torchvision's data sets do it, or all beforehand.
  It kept 12,800 of 112,800 training images for validation and draws their curves: here the same share is judged after
  every epoch. Neither names the number of DataLoader workers: 0, the default.

"Pillow" is nobody's report, but what one writes who wants varied images quickly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pipeline:
    """A training, from pictures to a network.

    title: for tables. data: a known data set. recipe: Glyphlab's recipe of the same run, or of the same network.
    validation: share of the training images that is judged after every epoch. normalised: with mean and standard
    deviation 0.5, else pixels stay in 0..1. transposed: pictures lie on their side, as EMNIST stores them. one_based:
    labels begin at 1, so that there is an output too many. in_memory: all tensors are made before the training begins,
    else each of its picture whenever it is its turn. All use Adam and cross-entropy on shuffled images.
    """

    title: str
    data: str
    recipe: str
    epochs: int
    batch_size: int
    lr: float = 1e-3
    validation: float = 0.0
    normalised: bool = False
    transposed: bool = False
    one_based: bool = False
    in_memory: bool = False


_A = Pipeline(
    "report A's pipeline (torchvision's steps, written out, on Pillow pictures, DataLoader, batch 64, float32, eager)",
    data="emnist-letters",
    recipe="letters-advancednet",
    epochs=10,
    batch_size=64,
    normalised=True,
    transposed=True,
    one_based=True,
)
_C = Pipeline(
    "report C's network, fed as by torchvision's data sets (Pillow pictures to tensors, DataLoader, batch 290, "
    "float32, eager)",
    data="emnist-balanced",
    recipe="balanced-arch2-t1",
    epochs=20,
    batch_size=290,
    validation=12_800 / 112_800,
)
PIPELINES = {
    "A": _A,
    "C": _C,
    "C in memory": replace(_C, title="the same on tensors made beforehand (TensorDataset)", in_memory=True),
    "Pillow": Pipeline(
        "a plain pipeline (one Pillow transform an image, DataLoader, batch 128, float32, eager)",
        data="emnist-balanced",
        recipe="fast",
        epochs=8,
        batch_size=128,
    ),
}

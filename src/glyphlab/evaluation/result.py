"""What an evaluation found: one value from which every table, picture and report is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError
from glyphlab.evaluation import metrics
from glyphlab.evaluation.calibration import calibration_error
from glyphlab.evaluation.metrics import ClassMetrics, Floats, Integers


class ConfusedPair(NamedTuple):
    """How many images of class `truth` were given class `prediction` (both are class indices)."""

    truth: int
    prediction: int
    images: int


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """A network's outputs on one glyph set, and the figures that follow from them, computed when asked for.

    logits: float32 [N, K], finite; the truth of everything below.
    targets: int64 [N].
    class_names: the K classes.
    data, split, remark: name, part and remark of the glyph set.
    data_sha256: digest of the glyph set, which tells whether two evaluations saw the same images.
    """

    logits: NDArray[np.float32]
    targets: Integers
    class_names: tuple[str, ...]
    data: str
    split: str
    remark: str
    data_sha256: str

    @classmethod
    def from_logits(cls, logits: NDArray[np.float32], glyphs: GlyphSet) -> Evaluation:
        """Outputs for all images of `glyphs`, in its order.

        logits: float32 [N, K]. Raises `DataError` when there are no images; `ModelError` when the network
        tells another number of classes apart than the data has, or when outputs are not finite.
        """
        if len(glyphs) == 0:
            raise DataError(f"{glyphs.name} {glyphs.split} holds no images; expected at least one to evaluate")
        assert logits.ndim == 2 and len(logits) == len(glyphs), (logits.shape, len(glyphs))
        if logits.shape[1] != len(glyphs.class_names):
            raise ModelError(
                f"the network tells {logits.shape[1]} classes apart, but {glyphs.name} has "
                f"{len(glyphs.class_names)}; evaluate it on data with the classes it was trained on"
            )
        broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if len(broken):
            raise ModelError(
                f"the network's outputs are not finite for {len(broken):,} of {len(glyphs):,} images of "
                f"{glyphs.name} {glyphs.split} (first: {glyphs.id_of(int(broken[0]))}); expected finite "
                "numbers; its weights have diverged: train again with a lower learning rate"
            )
        return cls(
            logits=np.asarray(logits, dtype=np.float32),
            targets=glyphs.targets,
            class_names=glyphs.class_names,
            data=glyphs.name,
            split=glyphs.split,
            remark=glyphs.remark,
            data_sha256=glyphs.digest(),
        )

    def __len__(self) -> int:
        return len(self.targets)

    # ---- one value an image --------------------------------------------------------------------------------

    @cached_property
    def log_probs(self) -> Floats:
        """Log-probabilities, float64 [N, K]."""
        return metrics.log_softmax(self.logits)

    @cached_property
    def probs(self) -> Floats:
        """Probabilities, float64 [N, K], as the network gives them (not calibrated)."""
        return np.exp(self.log_probs)

    @cached_property
    def predictions(self) -> Integers:
        """The class of largest output, int64 [N]; ties go to the smaller index."""
        best: Integers = self.logits.argmax(axis=1).astype(np.int64)
        return best

    @cached_property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether the prediction is the target, bool [N]."""
        right: NDArray[np.bool_] = self.predictions == self.targets
        return right

    @cached_property
    def confidences(self) -> Floats:
        """Probability of the predicted class, float64 [N], 1/K to 1."""
        return np.take_along_axis(self.probs, self.predictions[:, None], axis=1)[:, 0]

    @cached_property
    def losses(self) -> Floats:
        """Cross-entropy of each image in nats, float64 [N]."""
        return metrics.losses(self.log_probs, self.targets)

    @cached_property
    def margins(self) -> Floats:
        """Probability of the target minus the largest other, float64 [N], -1 to 1; negative: wrong."""
        return metrics.margins(self.probs, self.targets)

    @cached_property
    def mistakes(self) -> Integers:
        """Indices of the misclassified images, int64, the surest mistake first."""
        wrong = np.flatnonzero(~self.is_correct)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")].astype(np.int64)

    # ---- one value for all ---------------------------------------------------------------------------------

    @property
    def correct(self) -> int:
        """Number of images classified correctly."""
        return int(np.count_nonzero(self.is_correct))

    @property
    def accuracy(self) -> float:
        """Share of images classified correctly, 0 to 1."""
        return metrics.accuracy(self.targets, self.predictions)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy, (low, high), 0 to 1."""
        return metrics.wilson_interval(self.correct, len(self))

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return float(self.losses.mean())

    @cached_property
    def calibration_error(self) -> float:
        """Expected calibration error of the probabilities as the network gives them, 0 to 1."""
        return calibration_error(self.probs, self.targets)

    @cached_property
    def top5(self) -> float | None:
        """Share of images whose target is among the five largest outputs; None with five classes or fewer."""
        return metrics.top_k_accuracy(self.logits, self.targets, 5) if len(self.class_names) > 5 else None

    # ---- one value a class ---------------------------------------------------------------------------------

    @cached_property
    def confusion(self) -> Integers:
        """Counts, int64 [K, K]: row = true class, column = predicted class."""
        return metrics.confusion_matrix(self.targets, self.predictions, len(self.class_names))

    @cached_property
    def per_class(self) -> ClassMetrics:
        """Precision, recall, F1 and support of each class."""
        return metrics.per_class(self.confusion)

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur, 0 to 1."""
        return metrics.macro_f1(self.confusion)

    def most_confused(self, limit: int = 5) -> list[ConfusedPair]:
        """The commonest mistakes as directed pairs of classes, most frequent first, ties in class order."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
        cells = [(int(cell) // len(wrong), int(cell) % len(wrong)) for cell in order]
        return [ConfusedPair(i, j, int(wrong[i, j])) for i, j in cells if wrong[i, j] > 0]

    # ---- for machines and for people -----------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """The figures as plain values, ready for JSON. Shares are 0 to 1; `top5_accuracy` may be None."""
        return {
            "data": self.data,
            "split": self.split,
            "data_sha256": self.data_sha256,
            "remark": self.remark,
            "n": len(self),
            "correct": self.correct,
            "misclassified": len(self) - self.correct,
            "accuracy": self.accuracy,
            "accuracy_interval_95": list(self.interval),
            "loss": self.loss,
            "top5_accuracy": self.top5,
            "macro_f1": self.macro_f1,
            "calibration_error": self.calibration_error,
            "class_names": list(self.class_names),
        }

    def describe(self) -> str:
        """A few short lines for the terminal; the remark comes with the figures it belongs to."""
        low, high = self.interval
        lines = [
            f"{self.data} {self.split}: {len(self):,} images, {len(self.class_names)} classes",
            f"accuracy  {self.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}; "
            f"{self.correct:,} right, {len(self) - self.correct:,} wrong)",
            f"loss      {self.loss:.4f}",
            f"macro F1  {self.macro_f1:.4f}",
            f"certainty {self.calibration_error:.2%} expected calibration error, before any temperature",
        ]
        if self.top5 is not None:
            lines.append(f"top-5     {self.top5:.2%}")
        if pairs := self.most_confused(limit=4):
            name = self.class_names
            listed = ", ".join(f"{name[truth]} as {name[seen]} ({count:,})" for truth, seen, count in pairs)
            lines.append(f"mistakes  {listed}")
        if self.remark:
            lines.append(f"remark    {self.remark}")
        return "\n".join(lines)

    __str__ = describe

    def __repr__(self) -> str:
        return f"<Evaluation of {self.data} {self.split}: {self.accuracy:.2%} of {len(self):,} images>"

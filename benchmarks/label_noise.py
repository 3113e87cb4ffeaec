"""Does the search for wrong labels find them? Labels are flipped on purpose, and looked for by `glyphlab labels find`.

    python benchmarks/label_noise.py --data mnist --kind random --percent 2
    python benchmarks/label_noise.py --data emnist-balanced --kind confused --percent 2 5 10
    python benchmarks/label_noise.py --data mnist --limit 5000 --epochs 2          (a quick look)

A share of the training labels is flipped, the same share of each class: to any other class ("random"), or to the class
that each class is most often taken for ("confused", by two networks that were each trained on half of the untouched
images and judged the other half). Then k-fold training, which knows nothing of the flips, ranks all labels.

Reported: how many of the flips stand among the first 1.25 p per cent of the ranking (recall; with p = 2 the target on
MNIST is 95 %), by both scores; and precision and recall of confident learning's set of issues. The set's own wrong
labels count as false alarms, so precision is a lower bound.

Everything lies in --out, and a benchmark that was stopped goes on there. Results are appended to results.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from glyphlab import __version__
from glyphlab.cli.progress import reporter_for
from glyphlab.data.glyphset import GlyphSet, stratified_split
from glyphlab.data.sources import load_dataset
from glyphlab.evaluation.labels.confident import confident_joint
from glyphlab.evaluation.labels.outofsample import OutOfSample, fold_epochs, out_of_sample
from glyphlab.evaluation.labels.search import RANKED_BY, LabelSearch, Score
from glyphlab.training.recipe import Recipe

# Looked at: so many times as many labels as were flipped.
LOOKED_AT = 1.25
TARGET_RECALL = 0.95


def flipped(
    glyphs: GlyphSet, percent: float, into: NDArray[np.float64], seed: int
) -> tuple[GlyphSet, NDArray[np.bool_]]:
    """The set with `percent` of each class's labels flipped, and which they are, bool [N].

    into: float [K, K], the probabilities with which the labels of a class (row) become another (column).
    """
    rng = np.random.default_rng(seed)
    _, chosen = stratified_split(glyphs.targets, percent / 100, seed)
    targets = glyphs.targets.copy()
    for index in chosen:
        targets[index] = rng.choice(len(into), p=into[glyphs.targets[index]])
    assert (targets[chosen] != glyphs.targets[chosen]).all()
    return replace(glyphs, targets=targets), targets != glyphs.targets


def any_other_class(classes: int) -> NDArray[np.float64]:
    """Each other class with the same probability."""
    return (1.0 - np.eye(classes)) / (classes - 1)


def most_confused_class(clean: OutOfSample) -> NDArray[np.float64]:
    """The class that each one is most often taken for, by out-of-sample predictions on the untouched labels."""
    classes = len(clean.glyphs.class_names)
    predictions = clean.probs.argmax(axis=1)
    counts = np.bincount(clean.glyphs.targets * classes + predictions, minlength=classes**2).reshape(classes, classes)
    np.fill_diagonal(counts, -1)
    into: NDArray[np.float64] = np.eye(classes)[counts.argmax(axis=1)]
    return into


def figures(judged: OutOfSample, flips: NDArray[np.bool_], percent: float) -> dict[str, Any]:
    """Recall among the labels ranked first, by each score, and what confident learning's issues are worth."""
    looked_at = round(LOOKED_AT * percent / 100 * len(flips))
    result: dict[str, Any] = {
        "images": len(flips),
        "flips": int(flips.sum()),
        "looked_at": looked_at,
        "out_of_sample_accuracy": judged.accuracy,
    }
    for score in get_args(Score):
        search = LabelSearch(judged.glyphs, judged.probs, ranked_by=score)
        found = flips[search.order[:looked_at]].sum()
        result[score] = {"recall": float(found / flips.sum()), "precision": float(found / looked_at)}
        result[score]["average_precision"] = average_precision(flips[search.order])
    issues = LabelSearch(judged.glyphs, judged.probs).is_issue
    right = int((issues & flips).sum())
    joint = confident_joint(judged.probs, judged.glyphs.targets)
    result["issues"] = {
        "count": int(issues.sum()),
        "recall": right / int(flips.sum()),
        "precision": right / max(int(issues.sum()), 1),
        "off_diagonal_percent": 100 * float(1 - np.trace(joint) / max(joint.sum(), 1)),
    }
    return result


def average_precision(hits: NDArray[np.bool_]) -> float:
    """Mean of the precision at each hit of a ranking, 0 to 1."""
    places = np.flatnonzero(hits) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())


def recipe_for(data: str, arguments: argparse.Namespace) -> Recipe:
    """How the folds are trained, on a saved set's folder."""
    return Recipe.load(arguments.recipe).with_settings({"data.name": data, "training.epochs": arguments.epochs})


def one(arguments: argparse.Namespace, glyphs: GlyphSet, kind: str, percent: float) -> dict[str, Any]:
    """Flip, search and count once."""
    work = arguments.out / f"{glyphs.name}-{len(glyphs)}-{arguments.recipe}-{arguments.epochs}"
    reporter = reporter_for(quiet=arguments.quiet)
    into = any_other_class(len(glyphs.class_names))
    if kind == "confused":
        # Two halves tell the commonest confusion as well as many folds.
        clean = work / "clean"
        save_once(glyphs, clean)
        into = most_confused_class(
            out_of_sample(recipe_for(str(clean), arguments), clean / "kfold", 2, reporter=reporter)
        )
    spoilt, flips = flipped(glyphs, percent, into, arguments.seed)
    folder = work / f"{kind}-{percent:g}-seed{arguments.seed}"
    save_once(spoilt, folder)
    began = time.monotonic()
    judged = out_of_sample(
        recipe_for(str(folder), arguments), folder / f"kfold-{arguments.folds}", arguments.folds, reporter=reporter
    )
    return {
        "data": glyphs.name,
        "remark": glyphs.remark,
        "kind": kind,
        "percent": percent,
        **figures(judged, flips, percent),
        "recipe": arguments.recipe,
        "epochs": arguments.epochs,
        "folds": arguments.folds,
        "seed": arguments.seed,
        "time_seconds": round(time.monotonic() - began, 1),
        "glyphlab": __version__,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
    }


def save_once(glyphs: GlyphSet, folder: Path) -> None:
    """As data that a recipe can name."""
    path = folder / "train.npz"
    if not path.exists():
        glyphs.save(path)


def print_results(results: list[dict[str, Any]]) -> None:
    """A row a result."""
    print(f"\n{'data':<16}{'flips':>16}{'looked at':>11}{'recall: margin':>16}{'self-conf.':>12}", end="")
    print(f"{'issues':>8}{'precision':>11}{'recall':>8}{'accuracy':>10}{'seconds':>9}")
    for row in results:
        flips = f"{row['percent']:g} % {row['kind']}"
        print(f"{row['data']:<16}{flips:>16}{row['looked_at']:>11,}", end="")
        print(f"{row['normalized_margin']['recall']:>16.2%}{row['self_confidence']['recall']:>12.2%}", end="")
        issues = row["issues"]
        print(f"{issues['count']:>8,}{issues['precision']:>11.2%}{issues['recall']:>8.2%}", end="")
        print(f"{row['out_of_sample_accuracy']:>10.2%}{row['time_seconds']:>9.0f}")


def main() -> int:
    """Exit code 1 when random flips are missed more often than the target allows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--kind", choices=["random", "confused"], nargs="+", default=["random"])
    parser.add_argument("--percent", type=float, nargs="+", default=[2.0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="of each network (default: as glyphlab labels find)")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--limit", type=int, help="so many training images, drawn evenly by class")
    parser.add_argument("--seed", type=int, default=1, help="of the flips")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("GLYPHLAB_DATA"))
    parser.add_argument("--out", type=Path, default=Path("runs/label-noise"))
    parser.add_argument("--quiet", action="store_true")
    arguments = parser.parse_args()

    glyphs = load_dataset(arguments.data, "train", arguments.data_dir)
    if arguments.limit and arguments.limit < len(glyphs):
        glyphs = glyphs.subset(stratified_split(glyphs.targets, arguments.limit / len(glyphs), seed=0)[1])
    arguments.epochs = arguments.epochs or fold_epochs(len(glyphs), arguments.folds)
    results = []
    for kind in arguments.kind:
        for percent in arguments.percent:
            results.append(one(arguments, glyphs, kind, percent))
            with (arguments.out / "results.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(results[-1]) + "\n")
    print_results(results)
    missed = [row for row in results if row["kind"] == "random" and row[RANKED_BY]["recall"] < TARGET_RECALL]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

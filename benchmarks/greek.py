"""How well a trained network learns Greek: from photos, from drawings, and beside the digits it knows.

    python benchmarks/greek.py --data-dir DATA --base characters --mnist-net runs/mnist-net-1 --results greek.jsonl

Each measurement is a line in the results file; those that are there already are not made again. At the end, or with
--table at once, a table of what was asked for is printed. Test pictures choose nothing: the way is chosen by
cross-validation on the pictures to learn from.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from measuring import Journal

from glyphlab.evaluation.transfer.report import TransferReport
from glyphlab.evaluation.transfer.transfer import transfer

LETTERS = ("alpha", "beta", "gamma", "delta", "epsilon", "lambda")
DRAWERS, LEARNED = 20, 10


@dataclass(frozen=True)
class Measurement:
    """One transfer to be measured. letters: of the photos. shots: drawings a letter. split: seed of the drawers'."""

    kind: str
    base: str
    way: str
    letters: int = 24
    shots: int = LEARNED
    split: int = 0


def planned(base: str, digits: str, mnist_net: str, way: str, splits: int) -> Iterator[Measurement]:
    """All measurements, quick ones first."""
    for letters in (3, 5, 6):
        yield Measurement("photos", base, way, letters)
        yield Measurement("photos", mnist_net, "frozen", letters)
    for split in range(splits):
        for shots in (1, 5, LEARNED):
            yield Measurement("drawn", base, way, shots=shots, split=split)
        yield Measurement("drawn", mnist_net, "frozen", split=split)
    for split in range(splits):
        yield Measurement("added", digits, "auto", split=split)


def measure(planned: Measurement, data_dir: Path, seconds: float | None) -> dict[str, object]:
    """Make the folder, transfer into a temporary place, and take the figures. seconds: for the way "auto"."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "greek"
        link = _link_photos if planned.kind == "photos" else _link_drawings
        link(planned, data_dir, folder)
        report = transfer(
            planned.base,
            folder,
            way=planned.way,
            add=planned.kind == "added",
            recipe="greek-frozen" if planned.way == "frozen" else "transfer",
            seconds=seconds,
            data_dir=data_dir,
            runs_dir=Path(work) / "runs",
        )
        return _figures(report)


def _figures(report: TransferReport) -> dict[str, object]:
    evaluation = report.evaluation
    figures: dict[str, object] = {
        "chosen": report.way,
        "accuracy": evaluation.accuracy,
        "images": len(evaluation),
        "time_seconds": round(report.time_seconds, 1),
        "ways": {trial.way: round(trial.accuracy, 4) for trial in report.trials},
        "untried": {way.way: way.reason for way in report.untried},
    }
    if report.fresh is not None:
        others = len(evaluation) - len(report.pictures.repeated)
        figures |= {"fresh_accuracy": report.fresh, "fresh_images": others}
    if report.retention is not None:
        figures |= {"accuracy": report.retention.new, **asdict(report.retention)}
    return figures


def _link_photos(planned: Measurement, data_dir: Path, folder: Path) -> None:
    """The first letters' photos, divided as they come."""
    for split in ("train", "test"):
        for letter in LETTERS[: planned.letters]:
            for photo in (data_dir / "greek-photos" / split / letter).glob("*.png"):
                _link(photo, folder / split / letter / photo.name)


def _link_drawings(planned: Measurement, data_dir: Path, folder: Path) -> None:
    """The drawings of some drawers to learn from, and of the ten that are never among them to test."""
    order = np.random.default_rng(planned.split).permutation(np.arange(1, DRAWERS + 1))
    for split, drawers in (("train", order[: planned.shots]), ("test", order[LEARNED:])):
        for letter in sorted((data_dir / "greek-drawn").iterdir()):
            for drawer in drawers:
                name = f"drawer{drawer:02d}.png"
                _link(letter / name, folder / split / letter.name / name)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())


def print_table(results: list[dict[str, object]]) -> None:
    """A row a kind of measurement, over its splits."""
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in results:
        groups.setdefault((row["kind"], row["base"], row["way"], row["letters"], row["shots"]), []).append(row)
    print("kind    base                      way     letters  shots  splits  accuracy           seconds  chosen")
    for (kind, base, way, letters, shots), rows in groups.items():
        accuracies = np.array([row["accuracy"] for row in rows], dtype=np.float64)
        spread = f"{accuracies.mean():.2%} sd {100 * accuracies.std(ddof=1):.2f}" if len(rows) > 1 else ""
        shown = spread or f"{accuracies[0]:.2%} of {rows[0]['images']}"
        longest = max(float(str(row["time_seconds"])) for row in rows)
        chosen = ", ".join(sorted({str(row["chosen"]) for row in rows}))
        name = Path(str(base)).name
        per_class = shots if kind != "photos" else "all"
        print(
            f"{kind:7} {name:25} {way:7} {letters:7} {per_class:>6} {len(rows):7}  {shown:18} {longest:7.0f}  {chosen}"
        )
        if "fresh_accuracy" in rows[0]:
            print(f"        without photos that were learned from: {rows[0]['fresh_accuracy']:.2%} of "
                  f"{rows[0]['fresh_images']}")  # fmt: skip
        if "before" in rows[0]:
            before, after = (np.array([row[key] for row in rows], dtype=np.float64) for key in ("before", "after"))
            worst = 100 * float((after - before).min())
            print(f"        old classes: {before.mean():.2%} before, {after.mean():.2%} after, at worst {worst:+.2f}")


def main() -> None:
    """Measure what is not yet in the results file, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="holds greek-photos, greek-drawn and mnist")
    parser.add_argument("--base", default="characters", help="learns the letters: a model or a run folder")
    parser.add_argument("--digits", default="digits", help="what letters are added to")
    parser.add_argument("--mnist-net", required=True, help="a run of the recipe mnist-net, for report B's own way")
    parser.add_argument(
        "--way", default="auto", help="of the letters that --base learns; auto tries all, and is slower"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for the way auto; 0: no limit")
    parser.add_argument("--only", choices=("photos", "drawn", "added"), help="measure one kind")
    parser.add_argument("--splits", type=int, default=5, help="random divisions of the drawers")
    parser.add_argument("--results", type=Path, default=Path("greek.jsonl"))
    parser.add_argument("--table", action="store_true", help="print what is there, measure nothing")
    options = parser.parse_args()
    journal = Journal(options.results)
    results = []
    for one in planned(options.base, options.digits, options.mnist_net, options.way, options.splits):
        key = asdict(one)
        if options.table or options.only not in (None, one.kind):
            figures = journal.find(key)
        else:
            figures = journal.once(key, partial(measure, one, options.data_dir, options.seconds or None))
        if figures is not None:
            results.append(key | figures)
    print_table(results)


if __name__ == "__main__":
    main()

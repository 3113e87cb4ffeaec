"""How the cost of a training grows with its images: 10 thousand, 100 thousand, 1 million.

    make bench-full
    python benchmarks/growth.py --data-dir DATA
    python benchmarks/growth.py --sizes 5000 20000 --rounds 1 --fewest 20000

The images of emnist-balanced are repeated under the file names and the layout of EMNIST byclass, and the whole command
`glyphlab train` reads and trains on them, with the recipe's warps: one epoch, or as many as make up 100 thousand
images. The narrow network of `mnist-flash` is the quickest, so that what the data themselves cost shows most. The
engine is settled once, without compiling, so that all sizes train in the same way. A process each; its peak of memory
is that of everything, from reading the files to the last weights. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import children
import samples
from children import Finished
from measuring import options, take_turns
from results import counted, goal, provenance, ratios, spread, table, write_section

SIZES = (10_000, 100_000, 300_000, 1_000_000)
# Time an image: what the largest size may take beside a tenth of it.
MOST_GROWTH = 1.1
# Memory: by how much the slope between the larger sizes may exceed that between the smaller ones.
MOST_BEND = 1.2
_ASKED = "emnist-balanced"


def write_images(folder: str, count: int, data_dir: str | None) -> str:
    """Repeat the training images up to `count`, in a folder for --data-dir; what was repeated, in words."""
    samples.write_as_byclass(samples.glyphs(_ASKED, "train", data_dir), "train", count, Path(folder))
    return samples.at_hand(_ASKED, data_dir)["words"]


def settle(folder: str, recipe: str) -> str:
    """The recipe as a file, with the data's name, and the engine chosen by timing; words for the engine."""
    from glyphlab.data.sources import load_dataset
    from glyphlab.training.engine import Engine
    from glyphlab.training.recipe import Recipe
    from glyphlab.training.train import settled

    chosen = Recipe.load(recipe, _ASKED).with_settings({"data.name": samples.BYCLASS, "engine.compile": False})
    whole = settled(chosen, load_dataset(samples.BYCLASS, "train", Path(folder)))
    (Path(folder) / "recipe.toml").write_text(whole.to_toml(), encoding="utf-8")
    return str(Engine(**whole.engine.model_dump()))


@dataclass(frozen=True)
class Trained:
    """One training: microseconds for each image that was trained on, validation included; peak memory; all its time."""

    microseconds: float
    peak_mb: float
    seconds: float

    @classmethod
    def of(cls, finished: Finished) -> Trained:
        """From what the command printed and what it left."""
        run = Path(json.loads(finished.value)["run"])
        row = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        return cls(1e6 * row["time_seconds"] / row["images_seen"], finished.peak_mb, finished.seconds)


def train(size: int, folder: Path, recipe: Path, fewest: int) -> Trained:
    """One training on `size` images, as a user starts it. fewest: so many are seen, in several epochs if need be."""
    command = [sys.executable, "-m", "glyphlab", "train", "--recipe", recipe, "--no-evaluate", "--quiet", "--json"]
    command += ["--data-dir", folder / str(size), "--runs-dir", folder / "runs"]
    command += ["--epochs", str(max(1, fewest // size))]
    return Trained.of(children.run(command))


def measure(chosen: Any, folder: Path) -> tuple[dict[int, list[Trained]], str, str]:
    """All trainings by their sizes, a round after the other; what was repeated, and the engine, in words."""
    for size in chosen.sizes:
        place = folder / str(size)
        words = children.part(__file__, "images", folder=place, count=size, data_dir=chosen.data_dir).value
    smallest = folder / str(chosen.sizes[0])
    engine = children.part(__file__, "settle", folder=smallest, recipe=chosen.recipe).value
    recipe = smallest / "recipe.toml"
    variants = {f"{size:,} images": partial(train, size, folder, recipe, chosen.fewest) for size in chosen.sizes}
    found = take_turns(variants, chosen.rounds)
    return dict(zip(chosen.sizes, found.values(), strict=True)), words, engine


def growth_table(trainings: dict[int, list[Trained]]) -> str:
    """A row a size, with what changes from one to the next."""
    rows = []
    former: list[float] = []
    slopes = ["", *(f"{slope:,.0f}" for slope in slopes_of(trainings))]
    for (size, rounds), slope in zip(trainings.items(), slopes, strict=True):
        times = [one.microseconds for one in rounds]
        grown = spread(ratios(times, former), ".2f") if former else ""
        memory, seconds = ([getattr(one, key) for one in rounds] for key in ("peak_mb", "seconds"))
        rows.append((f"{size:,}", spread(times, ",.1f"), grown, spread(memory), slope, spread(seconds)))
        former = times
    columns = ("images", "µs an image", "times the row above", "peak memory, MB", "bytes for each more", "command, s")
    return table(columns, rows)


def verdict(trainings: dict[int, list[Trained]]) -> str:
    """Whether time an image and memory grow as little as they should."""
    sizes = list(trainings)
    tenth = sizes[-1] // 10 if sizes[-1] // 10 in sizes else sizes[-2]
    last, other = ([one.microseconds for one in trainings[size]] for size in (sizes[-1], tenth))
    grown = ratios(last, other)
    words = f"an image of {sizes[-1]:,} takes at most {MOST_GROWTH:g} times what it takes of {tenth:,}"
    lines = [goal(f"{words} (it takes {spread(grown, '.2f')})", statistics.median(grown) <= MOST_GROWTH)]
    slopes = slopes_of(trainings)
    if len(slopes) > 1:
        words = f"memory grows in proportion, the last slope at most {MOST_BEND:g} times the one before"
        lines.append(goal(words, slopes[-1] <= MOST_BEND * slopes[-2]))
    return "\n\n".join(lines)


def slopes_of(trainings: dict[int, list[Trained]]) -> list[float]:
    """Bytes of memory for each image more, from each size to the next."""
    peaks = [(size, statistics.median(one.peak_mb for one in rounds)) for size, rounds in trainings.items()]
    return [1e6 * (peak - before) / (size - fewer) for (fewer, before), (size, peak) in pairwise(peaks)]


def main() -> None:
    """Measure and write the section."""
    children.serve({"images": write_images, "settle": settle})
    parser = options(__doc__, rounds=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of images, ascending")
    parser.add_argument("--recipe", default="mnist-flash")
    parser.add_argument("--fewest", type=int, default=100_000, help="least images seen in a training, by more epochs")
    chosen = parser.parse_args()
    if len(chosen.sizes) < 2 or chosen.sizes != sorted(set(chosen.sizes)):
        parser.error("--sizes: expected two or more numbers, ascending")
    with tempfile.TemporaryDirectory() as folder:
        trainings, words, engine = measure(chosen, Path(folder))
    repeated = f"{counted(chosen.rounds, 'round')}. Recipe `{chosen.recipe}` on {engine}; an image is 784 bytes."
    parts = [provenance(f"{words}, repeated", repeated), growth_table(trainings), verdict(trainings)]
    write_section("growth", "\n\n".join(parts), chosen.out)


if __name__ == "__main__":
    main()

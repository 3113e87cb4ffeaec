"""How soon Glyphlab reaches what a report's own pipeline reaches in the end, and what it reaches in the same time.

    make bench-full
    python benchmarks/time_to_accuracy.py --data-dir DATA
    python benchmarks/time_to_accuracy.py --only C --peer-epochs 1 --seeds 1 --shares 0.2 --work try --out try/R.md
    python benchmarks/time_to_accuracy.py --table                 the section from what is there, measuring nothing

The peers train whole: report A's pipeline on emnist-letters, 10 epochs, and C's final network on emnist-balanced, 20.
Then Glyphlab trains whole with the recipe `flash`, and with a time budget of some shares of the peer's time. All times
are of whole processes: imports, reading the data, choosing and compiling the engine, validation, files. Accuracy is
that on the test images as they are; report A varied its test images, too, which is noted beside it.

Each finished training is kept in --work, and a stopped benchmark goes on there. Remove that folder to measure anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import children
import samples
from measuring import WORK, Journal, options
from pipelines import PIPELINES
from results import counted, goal, provenance, spread, table, write_section

from glyphlab.training.recipe import Recipe

# Of the peer's time, for the recipe that is to reach its accuracy.
GOALS = {"A": 1 / 10, "C": 1 / 5}
_RATE_SECONDS = 5.0


def train_peer(name: str, data_dir: str | None, seed: int, epochs: int) -> dict[str, Any]:
    """Train a report's pipeline whole; accuracies 0 to 1, and the seconds of its epochs alone."""
    from peers import Peer

    data = PIPELINES[name].data
    peer = Peer(name, samples.glyphs(data, "train", data_dir), seed)
    began, seconds = time.perf_counter(), 0.0
    for epoch in range(1, epochs + 1):
        right = peer.train_epoch()
        judged = f", validation {peer.accuracy(peer.validation):.2%}" if len(peer.validation) else ""
        seconds = time.perf_counter() - began
        print(
            f"  epoch {epoch} of {epochs}: training {right:.2%}{judged}, {seconds:.0f} s", file=sys.stderr, flush=True
        )
    began = time.perf_counter()
    test = samples.glyphs(data, "test", data_dir)
    found = {"accuracy": peer.accuracy(peer.test_images(test)), "epochs": epochs, "epochs_seconds": seconds}
    if name == "A":
        found["accuracy_varied"] = peer.accuracy(peer.test_images(test, varied=True))
    return found | {"test_seconds": time.perf_counter() - began}


def judge(run: str, data_dir: str | None) -> dict[str, Any]:
    """A finished run's accuracy on the test images, and what it recorded."""
    import glyphlab
    from glyphlab.training.run import Run

    opened = Run.open(run)
    evaluation = glyphlab.evaluate(opened, data_dir=Path(data_dir) if data_dir else None, write=False)
    last = opened.history[-1]
    return {
        "accuracy": evaluation.accuracy,
        "training_seconds": last.time_seconds,
        "images_per_second": last.images_seen / last.time_seconds,
        "train_images": opened.environment["data"]["train_images"],
        "epochs": last.epoch,
    }


@dataclass(frozen=True)
class Bench:
    """Measures, or finds in the journal, one report's trainings. data: what its pipeline's data are here."""

    name: str
    data: str
    chosen: argparse.Namespace
    journal: Journal

    def peer(self, seed: int) -> dict[str, Any]:
        """The report's pipeline, trained whole."""
        epochs = self.chosen.peer_epochs or PIPELINES[self.name].epochs

        def measure() -> dict[str, Any]:
            done = children.part(
                __file__, "peer", name=self.name, data_dir=self.chosen.data_dir, seed=seed, epochs=epochs
            )
            seconds = done.seconds - done.value["test_seconds"]
            return done.value | {"seconds": seconds, "peak_mb": done.peak_mb}

        return self._once(measure, training="the report's", code=_digest_of_peers(), epochs=epochs, seed=seed)

    def ours(self, recipe: str, seed: int, **settings: Any) -> dict[str, Any]:
        """A run of Glyphlab, from the start of the command to its end; the test images come afterwards."""

        def measure() -> dict[str, Any]:
            command = [sys.executable, "-m", "glyphlab", "train", self.data, "--recipe", recipe, "--no-evaluate"]
            command += ["--quiet", "--json", "--runs-dir", str(self.chosen.work / "runs")]
            command += [f"--set={key}={value}" for key, value in {"training.seed": seed, **settings}.items()]
            command += ["--data-dir", str(self.chosen.data_dir)] if self.chosen.data_dir else []
            done = children.run(command)
            run = json.loads(done.value)["run"]
            judged = children.part(__file__, "judge", run=run, data_dir=self.chosen.data_dir).value
            return judged | {"seconds": done.seconds, "peak_mb": done.peak_mb, "run": run}

        # A recipe that has changed since is another one.
        digest = hashlib.sha256(Recipe.load(recipe, self.data).to_toml().encode()).hexdigest()[:12]
        return self._once(measure, training=recipe, recipe=digest, seed=seed, **settings)

    def in_time(self, share: float, seed: int) -> dict[str, Any]:
        """The recipe of equal times, with a share of the peer's time as its budget."""
        recipe = self.chosen.budget_recipe
        allowed = round(share * statistics.median(row["seconds"] for row in self.peers), 1)
        # More epochs than the time holds, so that the budget ends the run; not far more, since a training that looks
        # long is worth compiling for.
        short = self.ours(recipe, seed=0, **{"training.time_budget_seconds": _RATE_SECONDS})
        epochs = math.ceil(1.2 * allowed * short["images_per_second"] / short["train_images"])
        budget = {"training.time_budget_seconds": allowed, "training.epochs": epochs}
        return self.ours(recipe, seed, **budget) | {"allowed_seconds": allowed}

    @property
    def peers(self) -> list[dict[str, Any]]:
        """The peer's trainings."""
        return [self.peer(seed) for seed in range(1, self.chosen.peer_seeds + 1)]

    @property
    def seeds(self) -> Iterator[int]:
        """Of Glyphlab's trainings."""
        yield from range(1, self.chosen.seeds + 1)

    def section(self) -> str:
        """The report's part of the section, measured where it is not yet."""
        pipeline, peers, recipe = PIPELINES[self.name], self.peers, self.chosen.recipe
        whole = [self.ours(recipe, seed) for seed in self.seeds]
        rows = [_row(pipeline.title, peers, peers), _row(f"Glyphlab, recipe `{recipe}`", whole, peers)]
        for share in self.chosen.shares:
            runs = [self.in_time(share, seed) for seed in self.seeds]
            words = f"Glyphlab, `{self.chosen.budget_recipe}` with a budget of {share:.0%} of the report's time"
            rows.append(_row(words, runs, peers))
        columns = ("training", "test accuracy, %, mean", "seconds, whole process", "of the report's", "peak memory, MB")
        heading = f"### Report {self.name}, {self.data}, {counted(peers[0]['epochs'], 'epoch')}"
        return "\n\n".join([heading, table(columns, rows), self._verdict(whole, peers)])

    def _verdict(self, whole: list[dict[str, Any]], peers: list[dict[str, Any]]) -> str:
        """Whether the recipe reached the report's accuracy soon enough, and what is to be known beside it."""
        recipe, most, epochs = self.chosen.recipe, GOALS[self.name], _median(peers, "epochs_seconds")
        ratio = _median(whole, "seconds") / _median(peers, "seconds")
        reached = min(row["accuracy"] for row in whole) >= max(row["accuracy"] for row in peers) and ratio <= most
        text = goal(f"every seed of `{recipe}` at least as right, in at most {most:g} of the report's time", reached)
        text += f" It took {ratio:.3f}, and {_median(whole, 'seconds') / epochs:.3f} of the report's epochs alone, "
        text += f"{epochs:.0f} s without imports and reading."
        if self.name == "C":
            text += " The classes have unequally many training images, test images equally many: `flash` balances them "
            text += "(`class_balance`), which is part of its lead."
        if "accuracy_varied" in peers[0]:
            varied = 100 * _median(peers, "accuracy_varied")
            text += f" On test images varied as in training, as the report measures it, its network has {varied:.2f} %."
        return text

    def _once(self, measure: Any, **key: Any) -> dict[str, Any]:
        whole_key = {"report": self.name, "data": self.data, "torch": version("torch"), **key}
        if self.chosen.table and self.journal.find(whole_key) is None:
            raise SystemExit(f"not measured yet: {whole_key}")
        value: dict[str, Any] = self.journal.once(whole_key, measure)
        return value


def _digest_of_peers() -> str:
    """A pipeline whose code has changed since is another one."""
    files = [Path(__file__).parent / f"{name}.py" for name in ("pipelines", "peers", "report_networks")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _median(rows: list[dict[str, Any]], key: str) -> float:
    return statistics.median(row[key] for row in rows)


def _row(title: str, rows: list[dict[str, Any]], peers: list[dict[str, Any]]) -> tuple[str, ...]:
    base = _median(peers, "seconds")
    return (
        title,
        spread([100 * row["accuracy"] for row in rows], ".2f", statistics.fmean),
        spread([row["seconds"] for row in rows], ",.0f"),
        spread([row["seconds"] / base for row in rows], ".3f"),
        spread([row["peak_mb"] for row in rows]),
    )


def main() -> None:
    """Measure what is not yet in the journal, then write the section."""
    children.serve({"peer": train_peer, "judge": judge, "data": samples.at_hand})
    parser = options(__doc__, rounds=None)
    parser.add_argument("--only", choices=GOALS, help="one report alone")
    parser.add_argument("--recipe", default="flash", help="what is to reach the report's accuracy (default: flash)")
    parser.add_argument("--budget-recipe", default="fast", help="what gets a time budget (default: fast)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of Glyphlab of each kind")
    parser.add_argument(
        "--peer-seeds", type=int, default=1, help="trainings of the report's pipeline, 5 to 9 minutes each"
    )
    parser.add_argument("--peer-epochs", type=int, help="of the report's pipeline, for trying (default: the report's)")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.1, 0.2, 1.0], help="of the report's time")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where trainings are kept (default: {WORK})")
    parser.add_argument("--table", action="store_true", help="write the section from what is there")
    chosen = parser.parse_args()

    journal = Journal(chosen.work / "time_to_accuracy.jsonl")
    parts, data = [], []
    for name in [chosen.only] if chosen.only else list(GOALS):
        asked = PIPELINES[name].data
        there = children.part(__file__, "data", name=asked, data_dir=chosen.data_dir).value
        data.append(there["words"])
        parts.append(Bench(name, there["name"], chosen, journal).section())
    repeated = (
        f"{counted(chosen.seeds, 'seed')} of each of Glyphlab's trainings, {chosen.peer_seeds} of the reports', one "
        "after the other, the reports' first; the middle is the mean of the accuracies and the median of all else, and "
        "times are shares of the median of the report's."
    )
    head = provenance(" and ".join(data), repeated, journal.dates)
    write_section("time_to_accuracy", "\n\n".join([head, *parts]), chosen.out)


if __name__ == "__main__":
    main()

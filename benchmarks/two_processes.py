"""Train with one process and with two, and compare the losses of every step.

    python benchmarks/two_processes.py
    python benchmarks/two_processes.py --speed glyphnet

Three networks, each with its recipe's augmentation, on the embedded digits: 50 steps in float32, incomplete batches
included. Told is the greatest relative difference from the curve of one process, of
  two processes; two that stop after half of the steps, and one that goes on; one with another number of threads.
The last one is the measure of what rounding alone does: at the rates of their own recipes, Adam lets differences in the
seventh digit grow tenfold a step. So each network is also trained at a hundredth of its rate, where they hardly grow.
Exits 1 where that is above 1e-4, or at the recipe's own rate above 1e-4 and far above what threads do.

--speed NETWORK: images a second of one process with two threads, and of two processes with one thread each; printed
alone.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import options
from results import goal, provenance, table, write_section

from glyphlab.training import loop
from glyphlab.training.distributed import World
from glyphlab.training.images import load_images
from glyphlab.training.progress import Silent, StepNews
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import assist, resume
from glyphlab.training.run import Run
from glyphlab.training.train import train_glyphs

RECIPES = {"glyphnet": "fast", "advancednet": "letters-advancednet", "mnist-net": "mnist-net"}
STEPS = 50
TOLERANCE = 1e-4
TAMING = 100
# Two curves that rounding has driven apart differ by chance, so by several times what two others do.
CHANCE = 10
ENGINE = {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 2}


class Recorder(Silent):
    """Writes the mean loss of the epoch so far after every step: {step: mean}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.means = means(path) if path.exists() else {}

    def step(self, news: StepNews) -> None:
        """Note the mean."""
        self.means[news.step] = news.train_loss

    def stop(self) -> None:
        """Write what was noted."""
        self.path.write_text(json.dumps(self.means), encoding="utf-8")


def means(path: Path) -> dict[int, float]:
    """What a recorder has written."""
    return {int(step): mean for step, mean in json.loads(path.read_text(encoding="utf-8")).items()}


def train_part(folder: Path, stop_after: int) -> None:
    """One process's part of the training in `folder`, from its beginning or from where it was stopped."""
    loop._LOOK_EVERY_STEPS = 1
    world = World.of_torchrun()
    if not world.is_first:
        assist(world)
        return
    recorder = Recorder(folder / "means.json")
    rest = {"reporter": recorder, "world": world, "stop": lambda: max(recorder.means, default=0) >= stop_after}
    if runs := Run.all_in(folder):
        resume(runs[0], **rest)
    else:
        recipe = Recipe.load(folder / "recipe.toml")
        train_glyphs(recipe, load_images(recipe, "train", None), runs_dir=folder, **rest)


def trained(folder: Path, recipe: str, settings: dict[str, object], *sittings: tuple[int, int]) -> Path:
    """Train in `folder`. sittings: how many processes, and after which step they stop."""
    folder.mkdir(parents=True)
    engine = {f"engine.{key}": value for key, value in ENGINE.items()}
    whole = Recipe.load(recipe).with_settings({"data.name": "digits", **engine, **settings})
    (folder / "recipe.toml").write_text(whole.to_toml(), encoding="utf-8")
    for processes, stop_after in sittings:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, __file__, "--part", str(folder), str(stop_after)]
        ours = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
        started = [subprocess.Popen(command, env=os.environ | ours | {"RANK": str(rank)}) for rank in range(processes)]
        codes = [process.wait() for process in started]
        if any(codes):
            sys.exit(f"processes ended with {codes}")
    return folder


def losses(folder: Path) -> list[float]:
    """The loss of each of the first steps, from the means of the epochs so far."""
    run = Run.all_in(folder)[0]
    images, batch = run.environment["data"]["train_images"], run.recipe.training.batch_size
    steps_per_epoch = -(-images // batch)
    noted = means(folder / "means.json")
    found, total, count = [], 0.0, 0
    for step in range(1, STEPS + 1):
        place = (step - 1) % steps_per_epoch + 1
        former_total, former_count = (total, count) if place > 1 else (0.0, 0)
        count = min(place * batch, images)
        total = noted[step] * count
        found.append((total - former_total) / (count - former_count))
    return found


def greatest_difference(folder: Path, reference: Path) -> float:
    """Of the losses in one folder from those in the other, relative to these."""
    pairs = zip(losses(folder), losses(reference), strict=True)
    return max(abs(ours - theirs) / abs(theirs) for ours, theirs in pairs)


def compare_curves(place: Path, out: Path) -> bool:
    """Write the section; whether all is within the bounds."""
    fine = tame = True
    rows = []
    for network, recipe in RECIPES.items():
        own = Recipe.load(recipe).training.lr
        for name, lr in (("a hundredth", own / TAMING), ("its own", own)):
            print(f"{network}, learning rate {lr:g} ({name})", file=sys.stderr, flush=True)
            settings: dict[str, object] = {"training.epochs": 5, "training.lr": lr}
            base = place / network / name
            one = trained(base / "one", recipe, settings, (1, STEPS))
            two = trained(base / "two", recipe, settings, (2, STEPS))
            mixed = trained(base / "mixed", recipe, settings, (2, STEPS // 2), (1, STEPS))
            threads = trained(base / "threads", recipe, settings | {"engine.threads": 1}, (1, STEPS))
            found = [greatest_difference(other, one) for other in (two, mixed, threads)]
            if lr == own:
                fine &= max(found[:2]) <= max(TOLERANCE, CHANCE * found[2])
            else:
                tame &= max(found[:2]) <= TOLERANCE
            rows.append((network, f"{lr:g}, {name}", *(f"{value:.1e}" for value in found)))
    columns = ("network", "learning rate", "two processes", "two, then one", "one, another number of threads")
    words = (
        f"{STEPS} steps in float32 with the recipe's augmentation; the greatest relative difference of a step's loss "
        "from that of one process with two threads. Two, then one: one goes on where two were stopped half-way. At "
        "the rates of their own recipes batch norm and Adam let rounding in the seventh digit grow tenfold a step, "
        "whether a second process rounds otherwise or a second thread; at a hundredth of them it hardly grows."
    )
    aim = goal(f"losses within {TOLERANCE:g} of one process's, at a hundredth of the learning rate", tame)
    write_section(
        "two_processes", f"{provenance('the embedded digits', words)}\n\n{table(columns, rows)}\n\n{aim}", out
    )
    return fine and tame


def compare_speed(network: str, place: Path) -> None:
    """Print images a second, the median of epochs."""
    rates = []
    for processes in (1, 2):
        settings: dict[str, object] = {"training.epochs": 12, "data.validation": 0.0}
        folder = trained(place / str(processes), RECIPES[network], settings, (processes, 10**9))
        rates.append(statistics.median(row.images_per_second for row in Run.all_in(folder)[0].history[2:]))
    one, two = rates
    print(f"{network:12} 1 process x 2 threads {one:,.0f}; 2 x 1 {two:,.0f} images/s; ratio {two / one:.2f}")


def main() -> None:
    """Choose what is asked for."""
    parser = options(__doc__, rounds=None)
    parser.add_argument("--speed", choices=RECIPES, help="images a second instead of curves")
    parser.add_argument("--part", nargs=2, metavar=("FOLDER", "STOP"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        folder, stop = arguments.part
        train_part(Path(folder), int(stop))
        return
    with tempfile.TemporaryDirectory() as place:
        if arguments.speed:
            compare_speed(arguments.speed, Path(place))
        elif not compare_curves(Path(place), arguments.out):
            sys.exit(1)


if __name__ == "__main__":
    main()

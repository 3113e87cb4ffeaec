"""What a training step costs, and what it must cost at least on this machine.

    python benchmarks/step.py

The arithmetic floor: all multiply-adds of the convolutions and linear layers (one pass forwards, two backwards; the
first layer needs only one of these) at the speed at which torch multiplies large matrices in the same precision, here,
now. The memory floor: each layer reads its input and writes its output once, and backwards reads the gradient of the
output and its input and writes the gradient of its input, at the speed at which large arrays are copied; layers whose
maps stay in the processor's caches may beat it. Where the time goes is torch's own profile of the same steps.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import samples
import torch
import torch.nn.functional as F
from measuring import options, take_turns
from results import counted, provenance, spread, table, write_section
from torch.profiler import ProfilerActivity, profile

from glyphlab.networks.describe import LayerRow, describe
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine, settle
from glyphlab.training.images import Parts
from glyphlab.training.optimizer import build_optimizer
from glyphlab.training.outset import new_classifier, new_job
from glyphlab.training.recipe import Recipe

_STEPS = 40
_BYTES = {"bf16": 2, "float32": 4}
# Parts of a step by the names of torch's operations; the first that fits counts, the rest is "other".
_KINDS = {
    "convolutions, linear": ("conv", "addmm", "linear", "aten::mm"),
    "batch norm": ("batch_norm",),
    "pooling": ("pool", "amax", "max_"),
    "activation": ("relu", "clamp_min", "threshold", "silu", "gelu"),
    "augmentation": ("grid_sampler", "bmm", "maximum", "minimum", "index"),
    "optimiser": ("Optimizer", "adam", "sgd"),
}


def main() -> None:
    """Measure, and write the section."""
    parser = options(__doc__, rounds=3)
    chosen = parser.parse_args()
    machine: dict[str, Callable[[], float]] = {
        "copied": copied_per_second,
        "bf16": lambda: operations_per_second(torch.bfloat16),
        "float32": lambda: operations_per_second(torch.float32),
    }
    speeds = {name: max(values) for name, values in take_turns(machine, chosen.rounds).items()}
    rows, shares = [], []
    for name, batch_size in (("fast", 128), ("letters-advancednet", 256)):
        recipe = Recipe.load(name).with_settings(
            {"data.name": "mnist", "training.batch_size": batch_size, "training.epochs": 1}
        )
        work = _Work(recipe, chosen.data_dir)
        arithmetic = work.operations / speeds[work.precision]
        memory = work.bytes_moved / speeds["copied"]
        taken = take_turns({name: work.seconds_per_step}, chosen.rounds)[name]
        rows.append(
            (
                f"{recipe.network.name}, {work.precision}",
                f"{batch_size}",
                f"{work.operations / 1e9:.1f}",
                f"{1e3 * arithmetic:.1f}",
                f"{1e3 * memory:.1f}",
                spread([1e3 * seconds for seconds in taken], ".1f"),
                spread([arithmetic / seconds for seconds in taken], ".0%"),
                spread([(arithmetic + memory) / seconds for seconds in taken], ".0%"),
            )
        )
        shares.append((recipe.network.name, *(f"{share:.0%}" for share in work.shares().values())))
    columns = (
        "network", "batch", "10^9 operations", "arithmetic floor, ms", "memory floor, ms", "step, ms",
        "arithmetic / step", "both floors / step",
    )  # fmt: skip
    facts = (
        f"Large matrices: {speeds['bf16'] / 1e9:,.0f} GFLOP/s in bf16, {speeds['float32'] / 1e9:,.0f} in float32; "
        f"arrays of 256 MB are read and written at {speeds['copied'] / 1e9:.0f} GB/s."
    )
    repeated = (
        f"{counted(chosen.rounds, 'round')} of {_STEPS} steps, one process, all threads. The arithmetic floor is all "
        "multiplications and additions of a step at the speed of large matrices; the memory floor, what the layers "
        "must read and write at the speed of large arrays, which layers beat whose maps stay in the processor's caches."
    )
    body = "\n\n".join(
        [
            provenance(samples.at_hand("mnist", chosen.data_dir)["words"], repeated),
            facts,
            table(columns, rows),
            "Where the time of a step goes:",
            table(("network", *_KINDS, "other"), shares),
        ]
    )
    write_section("step", body, chosen.out)


class _Work:
    """The steps of a recipe on MNIST, with the engine that the probe chooses."""

    def __init__(self, recipe: Recipe, data_dir: Path | None) -> None:
        glyphs = samples.glyphs("mnist", "train", data_dir)
        parts = Parts.carve(glyphs, recipe)
        self._classifier = new_classifier(recipe, glyphs, parts)
        trial = new_job(recipe, Engine(), glyphs, parts, World.alone())
        self._order = trial.epoch_order(0)
        # For no images at all, for which compiling cannot pay: the profile names torch's own operations.
        engine, _ = settle(
            recipe.engine, recipe.training, self._classifier, lambda: trial.batch(0, self._order), total_images=0
        )
        engine.place(self._classifier.train())
        self._job = new_job(recipe, engine, glyphs, parts, World.alone())
        self._optimizer = build_optimizer(self._classifier, recipe.training)
        self._forward = engine.forward(self._classifier, recipe.training.batch_size)
        self.precision = engine.precision
        self._layers = describe(self._classifier, glyphs.image_shape)

    @property
    def operations(self) -> float:
        """Multiplications and additions of a step."""
        first, *others = [row for row in self._layers if row.multiply_adds]
        per_image = 2 * first.multiply_adds + 3 * sum(row.multiply_adds for row in others)
        return 2.0 * per_image * self._job.batch_size

    @property
    def bytes_moved(self) -> float:
        """What the layers of a step read and write at least, each by itself."""
        size, images = _BYTES[self.precision], self._job.batch_size
        return float(sum(_numbers_moved(row) for row in self._layers) * size * images)

    def step(self, number: int) -> None:
        """One step as the training loop does it."""
        pixels, targets = self._job.batch(number, self._order)
        loss = F.cross_entropy(self._forward(pixels), targets)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def seconds_per_step(self) -> float:
        """Over some steps, after a few that do not count."""
        return _seconds_of(self.step)

    def shares(self) -> dict[str, float]:
        """Part of the time by kind of operation, sum 1."""
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            for number in range(_STEPS):
                self.step(number)
        spent: Counter[str] = Counter()
        for event in profiled.key_averages():
            kind = next((kind for kind, words in _KINDS.items() if any(word in event.key for word in words)), "other")
            spent[kind] += event.self_cpu_time_total
        return {kind: spent[kind] / spent.total() for kind in (*_KINDS, "other")}


def operations_per_second(dtype: torch.dtype) -> float:
    """Multiplications and additions a second, of large matrices."""
    side = 1536
    left, right = torch.rand(side, side).to(dtype), torch.rand(side, side).to(dtype)
    return 2.0 * side**3 / _seconds_of(lambda number: torch.mm(left, right))


def copied_per_second() -> float:
    """Bytes read and written a second, of arrays that no cache holds."""
    source = torch.zeros(256 << 20, dtype=torch.uint8)
    target = torch.zeros_like(source)
    return 2.0 * source.nbytes / _seconds_of(lambda number: target.copy_(source))


def _numbers_moved(row: LayerRow) -> int:
    """Input and output forwards; backwards the output's gradient, the input, and the input's gradient."""
    taken, given = math.prod(row.input_shape), math.prod(row.output_shape)
    return 3 * taken + 2 * given


def _seconds_of(work: Callable[[int], object]) -> float:
    """Mean of some repetitions, after a few that do not count."""
    for number in range(5):
        work(number)
    began = time.perf_counter()
    for number in range(_STEPS):
        work(number)
    return (time.perf_counter() - began) / _STEPS


if __name__ == "__main__":
    main()

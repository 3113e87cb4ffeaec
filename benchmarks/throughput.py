"""Training speed of report A's network: Glyphlab's engine beside the report's own per-image pipeline.

    make bench                                    emnist-letters from --data-dir or GLYPHLAB_DATA, else digits
    python benchmarks/throughput.py --rounds 5

The peer does what the report does: each image is a Pillow picture that is rotated, shifted, mirrored, jittered and
turned into a tensor by itself, in a DataLoader with batches of 64, float32, eager. All variants take turns, several
rounds over, in one process run, and ratios are taken round by round, so that a machine whose speed drifts does not
favour anyone. Writes benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import glyphlab
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.networks import registry
from glyphlab.training.environment import describe_environment

RESULTS = Path(__file__).parent / "RESULTS.md"
RECIPE = "letters-advancednet"


class PerImage(Dataset[tuple[Tensor, int]]):
    """The report's pipeline: one Pillow picture at a time."""

    def __init__(self, glyphs: GlyphSet) -> None:
        self.glyphs = glyphs

    def __len__(self) -> int:
        return len(self.glyphs)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.glyphs.images[index])
        picture = picture.rotate(random.uniform(-15, 15), resample=Image.Resampling.NEAREST)
        if random.random() < 0.5:
            picture = ImageOps.mirror(picture)
        picture = ImageEnhance.Brightness(picture).enhance(random.uniform(0.9, 1.1))
        picture = ImageEnhance.Contrast(picture).enhance(random.uniform(0.9, 1.1))
        dx, dy = (random.randint(-2, 2) for _ in range(2))
        picture = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy))
        pixels = torch.from_numpy(np.asarray(picture, dtype=np.uint8).copy()).unsqueeze(0)
        return (pixels.float().div(255) - 0.5) / 0.5, int(self.glyphs.targets[index])


def peer_rate(glyphs: GlyphSet, workers: int, seconds: float) -> float:
    """Images a second of the report's pipeline; the first ten batches do not count."""
    network = registry.create("advancednet", glyphs.image_shape, len(glyphs.class_names))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    done, began = 0, 0.0
    for step, (images, targets) in enumerate(
        DataLoader(PerImage(glyphs), batch_size=64, shuffle=True, num_workers=workers)
    ):
        if step == 10:
            began = time.perf_counter()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), targets)
        loss.backward()
        optimizer.step()
        if step >= 10:
            done += len(images)
            if time.perf_counter() - began > seconds:
                break
    return done / (time.perf_counter() - began)


def engine_rate(data: str, data_dir: Path | None, seconds: float, settings: dict[str, Any]) -> tuple[float, str]:
    """Images a second that a real run records for itself, and the engine it used."""
    changes = {"training.time_budget_seconds": seconds, "training.epochs": 1000, "data.validation": 0, **settings}
    with tempfile.TemporaryDirectory() as folder:
        run = glyphlab.train(RECIPE, data, settings=changes, data_dir=data_dir, runs_dir=folder)
        row = run.history[-1]
        engine = run.recipe.engine
        words = [
            engine.precision,
            "channels_last" if engine.channels_last else "",
            "compiled" if engine.compile else "",
        ]
        return row.images_seen / row.time_seconds, ", ".join(filter(None, words))


def main() -> None:
    """Measure, print and write RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each variant in each round")
    options = parser.parse_args()
    try:
        glyphs = glyphlab.load_dataset("emnist-letters", "train", options.data_dir)
        data = "emnist-letters"
    except DataError:
        glyphs, data = glyphlab.load_dataset("digits", "train"), "digits"
        print("emnist-letters is not at hand; measuring on digits")

    fixed = {"engine.precision": "float32", "engine.channels_last": False, "engine.compile": False}
    rates: dict[str, list[float]] = {}
    chosen = ""
    for number in range(options.rounds):
        rates.setdefault("peer", []).append(peer_rate(glyphs, 0, options.seconds))
        rates.setdefault("peer-2", []).append(peer_rate(glyphs, 2, options.seconds))
        rates.setdefault("same", []).append(engine_rate(data, options.data_dir, options.seconds, fixed)[0])
        rate, chosen = engine_rate(data, options.data_dir, options.seconds, {"training.batch_size": 256})
        rates.setdefault("probe", []).append(rate)
        print(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in rates.items()))

    titles = {
        "peer": "report A's pipeline (Pillow, DataLoader, batch 64, float32, eager)",
        "peer-2": "the same with 2 DataLoader workers",
        "same": "Glyphlab, batch 64, float32",
        "probe": f"Glyphlab, batch 256, the probe's choice ({chosen})",
    }
    machine = describe_environment("cpu", torch.get_num_threads())
    lines = [
        "# Benchmarks",
        "",
        "## Training throughput, `advancednet`",
        "",
        f"`make bench`, {date.today()}, on {data}; {machine['processor']}, {machine['cores']} cores, "
        f"{platform.system()}, Python {machine['python']}, torch {machine['torch']}, Glyphlab {machine['glyphlab']}. "
        f"{options.rounds} rounds of {options.seconds:g} s each, variants in turn; median (lowest to highest).",
        "",
        "| variant | images/s | times the report's pipeline |",
        "|---|---|---|",
    ]
    for name, values in rates.items():
        ratios = [value / peer for value, peer in zip(values, rates["peer"], strict=True)]
        lines.append(f"| {titles[name]} | {spread(values, ',.0f')} | {spread(ratios, '.2f')} |")
    text = "\n".join(lines) + "\n"
    print(text)
    RESULTS.write_text(text, encoding="utf-8")


def spread(values: list[float], form: str) -> str:
    """Median with the range."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()

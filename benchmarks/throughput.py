"""Training speed of report A's network: Glyphlab's engine beside the report's own per-image pipeline.

    make bench                                    emnist-letters from --data-dir or GLYPHLAB_DATA, else digits
    python benchmarks/throughput.py --rounds 5

The peer does what the report does: each image is a Pillow picture that is rotated, mirrored, jittered, shifted and
turned into a tensor by itself, in a DataLoader with batches of 64, float32, eager. All variants take turns, several
rounds over, in one process run, and ratios are taken round by round, so that a machine whose speed drifts does not
favour anyone. Writes benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import glyphlab
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.training.environment import describe_environment

RESULTS = Path(__file__).parent / "RESULTS.md"
RECIPE = "letters-advancednet"


class PerImage(Dataset[tuple[Tensor, int]]):
    """The report's pipeline: one Pillow picture at a time, through torchvision's transforms.

    torchvision is no dependency of ours, so its steps stand here as it does them: parameters drawn as torch scalars,
    Pillow for the geometry and the colours, then ToTensor and Normalize.
    """

    def __init__(self, glyphs: GlyphSet) -> None:
        self.images, self.targets = torch.from_numpy(glyphs.images), torch.from_numpy(glyphs.targets)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        picture = picture.rotate(uniform(-15, 15), resample=Image.Resampling.NEAREST)  # RandomRotation(15)
        if torch.rand(1) < 0.5:  # RandomHorizontalFlip()
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        brightness, contrast = uniform(0.9, 1.1), uniform(0.9, 1.1)  # ColorJitter(0.1, 0.1), in random order
        for change in torch.randperm(4):
            if change == 0:
                picture = ImageEnhance.Brightness(picture).enhance(brightness)
            elif change == 1:
                picture = ImageEnhance.Contrast(picture).enhance(contrast)
        uniform(0, 0)  # RandomAffine(0, translate=(0.1, 0.1)): the angle, then the shift
        dx, dy = round(uniform(-2.8, 2.8)), round(uniform(-2.8, 2.8))
        picture = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy))
        pixels = torch.from_numpy(np.array(picture, dtype=np.uint8, copy=True))  # ToTensor()
        pixels = pixels.view(28, 28, 1).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        mean, std = torch.as_tensor([0.5]), torch.as_tensor([0.5])  # Normalize((0.5,), (0.5,))
        pixels = pixels.clone().sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
        return pixels, int(self.targets[index])


def uniform(low: float, high: float) -> float:
    """One random number, drawn as torchvision draws it."""
    return float(torch.empty(1).uniform_(low, high).item())


def report_network(classes: int) -> nn.Module:
    """Report A's network as it is written there, with torch's own layers throughout."""
    blocks: list[nn.Module] = []
    for maps, width, pool in ((1, 32, nn.MaxPool2d(2)), (32, 64, nn.MaxPool2d(2)), (64, 128, nn.AdaptiveAvgPool2d(1))):
        blocks += [nn.Conv2d(maps, width, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(width), pool]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.5), nn.Linear(128, classes))


def peer_rate(glyphs: GlyphSet, workers: int, seconds: float) -> float:
    """Images a second of the report's pipeline; the first ten batches do not count."""
    network = report_network(len(glyphs.class_names))
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
        "peer": "report A's pipeline (torchvision's steps on Pillow pictures, DataLoader, batch 64, float32, eager)",
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

"""From a photo to a glyph, and from a glyph to a varied one: Glyphlab beside what one writes with OpenCV or Pillow.

    make bench
    python benchmarks/preparation.py --data-dir DATA --rounds 5 --seconds 5

Preparation: pictures of 1200x900 with one character each, from the file to 28x28, one after the other. The plain ways
threshold, crop, scale and centre. How many of the glyphs the model "characters" then reads as what they are, all 62
classes counted as EMNIST's 47, is part of the comparison, for a quick preparation that spoils characters is none.

Augmentation: images a second in one process, Glyphlab's over a batch at a time, the others an image at a time. The same
strengths stand beside each other; the last row is the default recipe with its elastic distortion and strokes, for which
Pillow has no step. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import children
import numpy as np
import samples
from measuring import options, take_turns
from numpy.typing import NDArray
from results import counted, provenance, ratios, spread, table, write_section

Glyph = NDArray[np.uint8]
SIDE, BOX = 28, 20
_CHARACTERS = "characters"
_BATCH = 256


def with_opencv(path: Path) -> Glyph:
    """Otsu's threshold, the box around all ink, scaled to 20 pixels, centred in 28; uint8 [28, 28], light on dark."""
    import cv2

    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    left, top, width, height = cv2.boundingRect(ink)
    scale = BOX / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(ink[top : top + height, left : left + width], size, interpolation=cv2.INTER_AREA)
    return _centred(np.asarray(small, dtype=np.uint8))


def with_pillow(path: Path) -> Glyph:
    """The same with Pillow, and a fixed threshold at half."""
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        ink = ImageOps.invert(picture.convert("L")).point([0] * 128 + [255] * 128)
    character = ink.crop(ink.getbbox())
    scale = BOX / max(character.size)
    width, height = (max(1, round(side * scale)) for side in character.size)
    return _centred(np.asarray(character.resize((width, height), Image.Resampling.BOX)))


def _centred(small: Glyph) -> Glyph:
    glyph = np.zeros((SIDE, SIDE), np.uint8)
    top, left = ((SIDE - side) // 2 for side in small.shape)
    glyph[top : top + small.shape[0], left : left + small.shape[1]] = small
    return glyph


def with_glyphlab() -> Callable[[Path], Glyph]:
    """What the model "characters" asks for."""
    from glyphlab.recognition.preparation import preparation_of
    from glyphlab.recognition.recognizer import Recognizer

    return preparation_of(Recognizer.load(_CHARACTERS, threads=1).info)


def prepare(way: str, paths: Sequence[str], characters: Sequence[str], seconds: float) -> dict[str, Any]:
    """Pictures a second from file to glyph, and the share of glyphs that are read as what they are, in words."""
    from glyphlab.evaluation.metrics import wilson_interval
    from glyphlab.recognition.recognizer import Recognizer

    to_glyph = {"glyphlab": with_glyphlab, "opencv": lambda: with_opencv, "pillow": lambda: with_pillow}[way]()
    files = [Path(path) for path in paths]
    to_glyph(files[0])
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        to_glyph(files[done % len(files)])
        done += 1
    rate = done / (time.perf_counter() - began)
    recognizer = Recognizer.load(_CHARACTERS)
    answers = recognizer.predict_glyphs(np.stack([to_glyph(path) for path in files])).argmax(1)
    right = sum(recognizer.class_names[answer] == one for answer, one in zip(answers, characters, strict=True))
    low, high = wilson_interval(right, len(files))
    return {"rate": rate, "accuracy": f"{100 * right / len(files):.1f} ({100 * low:.1f} to {100 * high:.1f})"}


def augment(way: str, data_dir: str | None, seconds: float) -> dict[str, Any]:
    """Images a second from uint8 to varied float32."""
    import torch
    from peers import VARIED, PerImage
    from pipelines import PIPELINES

    from glyphlab.networks.classifier import to_pixels
    from glyphlab.training.augment import augment
    from glyphlab.training.recipe import Recipe

    kind, name = way.split()
    glyphs = samples.glyphs("emnist-balanced", "test", data_dir)
    settings = Recipe.load("fast" if name == "default" else PIPELINES[name].recipe).augment
    if name == "Pillow":  # what Pillow has a step for
        settings = settings.model_copy(update={"elastic": 0.0, "stroke": 0.0})
    images, stream = torch.from_numpy(glyphs.images), torch.Generator().manual_seed(1)
    one_by_one = None
    if kind == "images":
        one_by_one = PerImage(glyphs, replace(PIPELINES[name], normalised=False), VARIED[name])
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        chosen = torch.arange(done, done + _BATCH) % len(images)
        if one_by_one is not None:
            torch.stack([one_by_one[index][0] for index in chosen.tolist()])
        else:
            augment(to_pixels(images[chosen]), settings, stream)
        done += _BATCH
    return {"rate": done / (time.perf_counter() - began)}


def preparation_table(data_dir: Path | None, count: int | None, rounds: int, seconds: float) -> tuple[str, str]:
    """The table, and what the pictures are."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = samples.pictures(data_dir, count, Path(folder))
        measure = partial(
            children.part, __file__, "prepare", paths=pictures.paths, characters=pictures.characters, seconds=seconds
        )
        titles = {
            "opencv": "OpenCV: threshold, box, scale",
            "pillow": "Pillow: the same",
            "glyphlab": "Glyphlab's preparation",
        }
        found = take_turns({way: partial(measure, way=way) for way in titles}, rounds)
    rates = {way: [one.value["rate"] for one in outcomes] for way, outcomes in found.items()}
    rows = [
        (
            titles[way],
            spread(values, ",.1f"),
            spread(ratios(values, rates["opencv"]), ".2f"),
            found[way][0].value["accuracy"],
        )
        for way, values in rates.items()
    ]
    return table(("from file to glyph", "pictures/s", "times OpenCV", "then read rightly, %"), rows), pictures.words


def augmentation_table(data_dir: Path | None, rounds: int, seconds: float) -> str:
    """The table; each pair is compared within itself."""
    pairs = {
        "A": ("report A's steps", "an image at a time, as torchvision does it"),
        "Pillow": ("rotation, scale, slant, shift", "an image at a time, one Pillow transform"),
    }
    measure = partial(children.part, __file__, "augment", data_dir=data_dir, seconds=seconds)
    ways = [f"{kind} {name}" for name in pairs for kind in ("images", "batch")] + ["batch default"]
    found = take_turns({way: partial(measure, way=way) for way in ways}, rounds)
    rates = {way: [one.value["rate"] for one in outcomes] for way, outcomes in found.items()}
    rows = []
    for name, (steps, peer) in pairs.items():
        theirs, ours = rates[f"images {name}"], rates[f"batch {name}"]
        rows.append((f"{steps}: {peer}", spread(theirs), "1.00"))
        rows.append((f"{steps}: Glyphlab, {_BATCH} at a time", spread(ours), spread(ratios(ours, theirs), ".1f")))
    rows.append(("all that the recipe `fast` does, elastic distortion included", spread(rates["batch default"]), ""))
    return table(("augmentation", "images/s", "times the peer"), rows)


def main() -> None:
    """Measure and write the section."""
    children.serve({"prepare": prepare, "augment": augment, "data": samples.at_hand})
    parser = options(__doc__, rounds=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each variant in each round")
    parser.add_argument("--pictures", type=int, help="how many (default: all)")
    chosen = parser.parse_args()
    prepared, pictures = preparation_table(chosen.data_dir, chosen.pictures, chosen.rounds, chosen.seconds)
    augmented = augmentation_table(chosen.data_dir, chosen.rounds, chosen.seconds)
    there = children.part(__file__, "data", name="emnist-balanced", data_dir=chosen.data_dir).value["words"]
    data = f"{pictures}, and {there}"
    repeated = (
        f"{counted(chosen.rounds, 'round')} of {chosen.seconds:g} s each. Glyphlab's preparation was tuned on the "
        "odd-numbered writers' pictures; what is read rightly has its 95 % interval."
    )
    write_section("preparation", "\n\n".join([provenance(data, repeated), prepared, augmented]), chosen.out)


if __name__ == "__main__":
    main()

"""What worse pictures cost: drawn characters, spoilt in five ways, read beside the clean ones.

    python benchmarks/robustness.py --data-dir DATA                  the shipped model "characters"
    python benchmarks/robustness.py --data-dir DATA --model digits --kinds digit
    python benchmarks/robustness.py --data-dir DATA --writers odd --every 3

Reads drawn-characters/ (Chars74K: 62 classes x 27 writers, black on white, 1200x900) from --data-dir or
GLYPHLAB_DATA. The 62 classes count as EMNIST's 47: a lower-case letter that looks like its capital is one with it.
"Merged" also counts as equal what cannot be told apart without its neighbours: {0,O} {1,I,L} {9,g,q} {2,Z} {5,S}
{F,f}. The same spoiling for the same picture every time. Of all pictures, with the model "characters", a section of
RESULTS.md is written; other figures are printed alone. Exits 1 when a kind of spoiling costs more than 3 points.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from measuring import options
from numpy.typing import NDArray
from results import goal, provenance, table, write_section

from glyphlab.imaging.picture import load_picture

Picture = NDArray[np.uint8]
Spoil = Callable[[Picture, np.random.Generator], Picture]
# Pictures in, the character of each out; None where it refuses to answer.
Reader = Callable[[Sequence[Picture]], Sequence[str | None]]

MODEL, KINDS = "characters", ("digit", "upper", "lower")
# Per cent of the clean pictures.
GOALS = {"strict": 90.0, "merged": 96.0}
MOST_POINTS_LOST = 3.0
LIKE_THEIR_CAPITALS = frozenset("cijklmopsuvwxyz")
LOOK_ALIKE = ("0O", "1IL", "9gq", "2Z", "5S", "Ff")


@dataclass(frozen=True)
class Drawn:
    """A drawn character: its file, and its class among the 47."""

    path: Path
    character: str


def list_drawn(folder: Path, kinds: Sequence[str], writers: str) -> list[Drawn]:
    """The pictures of drawn-characters/, in order. writers: "odd", "even" or "all"."""
    drawn = []
    for path in sorted(folder.glob("*_*/writer*.png")):
        kind, character = path.parent.name.split("_")
        number = int(path.stem.removeprefix("writer"))
        if kind in kinds and writers in ("all", "odd" if number % 2 else "even"):
            merged = kind == "lower" and character in LIKE_THEIR_CAPITALS
            drawn.append(Drawn(path, character.upper() if merged else character))
    return drawn


def shrunk(picture: Picture, rng: np.random.Generator) -> Picture:
    """64 pixels on the longer side."""
    height, width = picture.shape[:2]
    scale = 64 / max(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def compressed(picture: Picture, rng: np.random.Generator) -> Picture:
    """JPEG of quality 30."""
    written, content = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 30))
    assert written
    return load_picture(content.tobytes())


def inverted(picture: Picture, rng: np.random.Generator) -> Picture:
    """White on black."""
    return 255 - picture


def rotated(picture: Picture, rng: np.random.Generator) -> Picture:
    """Turned by up to 8 degrees either way."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-8, 8), 1)
    turned = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def on_paper(picture: Picture, rng: np.random.Generator) -> Picture:
    """As if photographed: warm paper with grain and fibres, ink of a pen, light from one side, a camera's noise."""
    height, width = picture.shape[:2]
    grain = sum(
        cv2.resize(rng.normal(0, 1, (height // step + 1, width // step + 1)).astype(np.float32), (width, height))
        for step in (2, 6, 40)
    )
    fibres = cv2.blur(rng.normal(0, 1, (height, width)).astype(np.float32), (25, 1)) * 3
    paper = np.array([236, 230, 216], np.float32) * (1 + 0.012 * (grain + fibres))[..., None]
    covered = cv2.GaussianBlur(1 - picture.astype(np.float32) / 255, (0, 0), 1.5)[..., None]
    seen = paper * (1 - covered) + np.array([38, 42, 70], np.float32) * covered
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (columns / width - 0.5) * np.cos(angle) + (rows / height - 0.5) * np.sin(angle)
    light = np.clip(0.75 - 0.5 * along, 0.3, 1.1)  # about twice as bright on one side as on the other
    lit = seen * light[..., None] + rng.normal(0, 3, seen.shape)
    return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)


SPOILT: dict[str, Spoil] = {
    "clean": lambda picture, rng: picture,
    "shrunk to 64 px": shrunk,
    "JPEG quality 30": compressed,
    "inverted": inverted,
    "on paper, uneven light": on_paper,
    "rotated up to 8 degrees": rotated,
}


def merge(character: str | None) -> str | None:
    """One name for characters that look alike."""
    return next((group for group in LOOK_ALIKE if character and character in group), character)


def measure(read: Reader, drawn: Sequence[Drawn], spoil: Spoil, batch_size: int = 64) -> tuple[float, float]:
    """Strict and merged accuracy in per cent over pictures that were spoilt first."""
    strict = merged = 0
    for start in range(0, len(drawn), batch_size):
        batch = drawn[start : start + batch_size]
        pictures = [
            spoil(
                load_picture(one.path),
                np.random.default_rng(zlib.crc32(f"{one.path.parent.name}/{one.path.name}".encode())),
            )
            for one in batch
        ]
        for one, answer in zip(batch, read(pictures), strict=True):
            strict += answer == one.character
            merged += merge(answer) == merge(one.character)
    return 100 * strict / len(drawn), 100 * merged / len(drawn)


def recognizer_reader(name: str) -> Reader:
    """A model file, or a shipped model by its name."""
    from glyphlab.errors import ImageError
    from glyphlab.recognition.recognizer import Recognizer

    recognizer = Recognizer.load(name)

    def read(pictures: Sequence[Picture]) -> Sequence[str | None]:
        answers = [answer for _, answer in recognizer.predict_many(list(pictures))]
        return [None if isinstance(answer, ImageError) else answer.character for answer in answers]

    return read


def report(read: Reader, drawn: Sequence[Drawn], out: Path | None) -> bool:
    """Print the figures and, given a file, write the section; whether every spoiling stays within the allowed loss."""
    print(f"{len(drawn):,} pictures\n{'pictures':24} {'strict':>7} {'lost':>6} {'merged':>7} {'lost':>6}")
    clean = measure(read, drawn, SPOILT["clean"])
    within, rows = True, []
    for name, spoil in SPOILT.items():
        figures = clean if name == "clean" else measure(read, drawn, spoil)
        lost = [before - after for before, after in zip(clean, figures, strict=True)]
        print(f"{name:24} {figures[0]:7.2f} {lost[0]:6.2f} {figures[1]:7.2f} {lost[1]:6.2f}", flush=True)
        rows.append((name, f"{figures[0]:.2f}", f"{lost[0]:.2f}", f"{figures[1]:.2f}", f"{lost[1]:.2f}"))
        within &= lost[0] <= MOST_POINTS_LOST
    if out is not None:
        alike = "; ".join(f"{', '.join(group[:-1])} and {group[-1]}" for group in LOOK_ALIKE)
        words = (
            "The 62 classes count as EMNIST's 47. Merged: what cannot be told apart without its neighbours is equal, "
            f"{alike}. Lost: points fewer than of the clean ones."
        )
        facts = provenance(f"{len(drawn):,} pictures of `drawn-characters`, by 27 writers, never trained on", words)
        columns = ("pictures", "read rightly, strict, %", "lost", "merged, %", "lost")
        goals = [
            goal(f"{aim:g} % of the clean pictures, {kind}", reached >= aim)
            for (kind, aim), reached in zip(GOALS.items(), clean, strict=True)
        ]
        goals.append(goal(f"no kind of spoiling costs more than {MOST_POINTS_LOST:g} points, strict", within))
        write_section("robustness", "\n\n".join([facts, table(columns, rows), *goals]), out)
    return within


def main() -> None:
    """Parse and measure."""
    parser = options(__doc__, rounds=None)
    parser.add_argument("--model", default=MODEL, help="a shipped model's name, or an .onnx file")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--writers", choices=["all", "odd", "even"], default="all")
    parser.add_argument("--every", type=int, default=1, help="only every n-th picture")
    arguments = parser.parse_args()
    if arguments.data_dir is None:
        parser.error("name the folder that holds drawn-characters/ with --data-dir or GLYPHLAB_DATA")
    drawn = list_drawn(arguments.data_dir / "drawn-characters", arguments.kinds, arguments.writers)
    if not drawn:
        parser.error(f"no pictures in {arguments.data_dir}/drawn-characters")
    asked = (arguments.model, {*arguments.kinds}, arguments.writers, arguments.every)
    out = arguments.out if asked == (MODEL, {*KINDS}, "all", 1) else None
    raise SystemExit(0 if report(recognizer_reader(arguments.model), drawn[:: arguments.every], out) else 1)


if __name__ == "__main__":
    main()

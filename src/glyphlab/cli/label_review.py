"""Suspicious labels, one image at a time, in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from glyphlab.cli.console import stdout
from glyphlab.errors import did_you_mean
from glyphlab.evaluation.labels.corrections import Correction, read_corrections, write_corrections
from glyphlab.evaluation.labels.search import decision, require_same_images
from glyphlab.evaluation.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.text import Text

    from glyphlab.data.glyphset import GlyphSet
    from glyphlab.evaluation.labels.search import Suspicion

_HELP = "\\[Enter] keep   r relabel as suggested   r CLASS relabel   d discard   b back   q stop"
_WIDEST = 56  # columns of the terminal


def ask_one_by_one(glyphs: GlyphSet, suspicions: Sequence[Suspicion], path: Path) -> list[Correction]:
    """Show each image that `path` holds no decision on, and ask; every answer is written at once.

    Returns all decisions, former ones included. Ends with the list, at "q", at Ctrl-C or at the end of input. Raises
    `DataError` for a table that cannot be read, and for images that are no longer those of the suspicions.
    """
    from rich.markup import escape

    # The image is taken by its index and the decision kept by its id: they must mean the same one.
    require_same_images(suspicions, glyphs)
    console = stdout()
    decided = {row.id: row for row in read_corrections(path)} if path.exists() else {}
    waiting = [row for row in suspicions if row.id not in decided]
    console.print(f"{counted(len(waiting), 'image')} to look at, {len(decided):,} decided before")
    place = 0
    while place < len(waiting):
        row = waiting[place]
        console.print(picture(glyphs.images[row.index]))
        console.print(
            f"{place + 1}/{len(waiting)}  {escape(row.id)}   label [bold]{escape(row.given)}[/], "
            f"suggested [bold]{escape(row.suggested)}[/]   p({escape(row.given)}) {row.self_confidence:.4f}"
        )
        answer = _ask(console, row, glyphs.class_names)
        if answer is None:
            break
        if isinstance(answer, Correction):
            decided[row.id] = answer
            write_corrections(decided.values(), path)
            place += 1
        else:
            place = max(0, place - 1)
    return list(decided.values())


def _ask(console: Console, row: Suspicion, class_names: Sequence[str]) -> Correction | Literal["back"] | None:
    """The decision; None: stop."""
    from rich.markup import escape

    while True:
        try:
            words = console.input(f"{_HELP} > ").split(maxsplit=1)
        except (EOFError, KeyboardInterrupt):
            console.print()
            return None
        command, label = (words[0].lower() if words else "k"), (words[1].strip() if len(words) > 1 else "")
        if command in ("k", "keep"):
            return decision(row, "keep")
        if command in ("d", "discard"):
            return decision(row, "discard")
        if command in ("b", "back"):
            return "back"
        if command in ("q", "quit"):
            return None
        if command in ("r", "relabel"):
            label = label or row.suggested
            if label in class_names and label != row.given:
                return decision(row, "relabel", label)
            known = [name for name in class_names if name != row.given]
            console.print(f"no other class '{escape(label)}'; {escape(did_you_mean(label, known))}")
        else:
            console.print(f"'{escape(command)}' is none of: Enter, r, r CLASS, d, b, q")


def picture(image: NDArray[np.uint8]) -> Text:
    """An image as half-blocks, two pixels in a character: the upper in the letter's colour, the lower behind it.

    image: uint8 [H, W] or [H, W, 3]. Larger ones are thinned to 56 columns.
    """
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    step = -(-image.shape[1] // _WIDEST)
    pixels = image[::step, ::step]
    if pixels.ndim == 2:
        pixels = pixels[:, :, None].repeat(3, axis=2)
    if len(pixels) % 2:
        pixels = pixels[:-1]
    text = Text()
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        text.append("\n")
    return text

"""What drawings share: a sheet of paper measured in inches, colours, and words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glyphlab.drawing import drawable
from glyphlab.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 150
RED, DARK, QUIET = "#c00000", "#222222", "#666666"


class Sheet:
    """A figure on which places and sizes are given in inches from the lower left corner.

    It stands outside pyplot: nothing global changes and no window is needed.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI)
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """A drawing area."""
        unit = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(unit)

    def head(self, left: float, title: str, lines: Sequence[str]) -> None:
        """A title and small lines below it, at the upper edge."""
        for inches_down, text, size, colour in ((0.1, title, 11, DARK), (0.35, "\n".join(lines), 8, QUIET)):
            x, y = left / self.width, 1 - inches_down / self.height
            self.figure.text(x, y, drawable(text), fontsize=size, color=colour, va="top")

    def save(self, path: Path) -> None:
        """Write it; the format follows the suffix. Raises `RunError` when the file cannot be written."""
        with whole_file(path) as temporary:
            self.figure.savefig(temporary)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of about `width` characters, but never of very few."""
    return textwrap.wrap(text, max(width, 24))

"""Charts as inline SVG: a plotting area with round numbers on its axes, drawn with the page's own colours.

Nothing is coloured here: elements carry classes (`line-a`, `grid`), which the style sheet colours for light, dark and
paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from markupsafe import Markup


class Chart:
    """A plotting area with linear axes; `add` elements, then `markup`.

    x, y: (low, high) of the data. title: for those who cannot see it. Sizes are those of the view box, which the page
    scales; text is 12 units high.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        title: str,
        *,
        size: tuple[int, int] = (440, 270),
        margins: tuple[int, int, int, int] = (14, 14, 40, 48),
    ) -> None:
        self.x_range, self.y_range, self.title = x, y, title
        self.width, self.height = size
        self.top, right, bottom, self.left = margins
        self.right, self.bottom = self.width - right, self.height - bottom
        self._parts: list[str] = []

    def x(self, value: float) -> float:
        """Place of a data value across."""
        low, high = self.x_range
        return round(self.left + (value - low) / (high - low) * (self.right - self.left), 2)

    def y(self, value: float) -> float:
        """Place of a data value down."""
        low, high = self.y_range
        return round(self.bottom - (value - low) / (high - low) * (self.bottom - self.top), 2)

    def add(self, element: str) -> None:
        """Append an element; text in it must be escaped already."""
        self._parts.append(element)

    def axes(
        self,
        x_label: str,
        y_label: str,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        x_text: Callable[[float], str] = "{:g}".format,
        y_text: Callable[[float], str] = "{:g}".format,
    ) -> None:
        """Grid lines, numbers and names of both axes."""
        for value in y_ticks:
            place = self.y(value)
            self.add(f'<path class="grid" d="M{self.left} {place}H{self.right}"/>')
            self.text(self.left - 7, place + 4, y_text(value), "end")
        for value in x_ticks:
            place = self.x(value)
            self.add(f'<path class="grid" d="M{place} {self.bottom}v4"/>')
            self.text(place, self.bottom + 17, x_text(value), "middle")
        self.add(f'<path class="axis" d="M{self.left} {self.bottom}H{self.right}"/>')
        self.text((self.left + self.right) / 2, self.height - 5, x_label, "middle", "label")
        middle = (self.top + self.bottom) / 2
        self.add(
            f'<text class="label" text-anchor="middle" transform="translate(11 {middle:g}) rotate(-90)">'
            f"{escape(y_label)}</text>"
        )

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "number") -> None:
        """Text at a place of the view box."""
        self.add(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str, dots: bool = False) -> None:
        """A line through data points, with dots where they are few."""
        points = [(self.x(a), self.y(b)) for a, b in zip(xs, ys, strict=True)]
        path = " ".join(f"{a:g},{b:g}" for a, b in points)
        self.add(f'<polyline class="line {kind}" points="{path}"/>')
        if dots:
            self.dots(xs, ys, kind)

    def dots(self, xs: Sequence[float], ys: Sequence[float], kind: str, radius: float = 3) -> None:
        """Filled circles."""
        for a, b in zip(xs, ys, strict=True):
            self.add(f'<circle class="dot {kind}" cx="{self.x(a):g}" cy="{self.y(b):g}" r="{radius:g}"/>')

    def bar(self, x: tuple[float, float], y: tuple[float, float], kind: str, note: str = "") -> None:
        """A rectangle between data values; `note` is shown when pointed at."""
        left, right, top, bottom = self.x(x[0]), self.x(x[1]), self.y(max(y)), self.y(min(y))
        title = f"<title>{escape(note)}</title>" if note else ""
        self.add(
            f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{max(right - left, 0.5):.4g}" '
            f'height="{max(bottom - top, 0):.4g}">{title}</rect>'
        )

    def markup(self) -> Markup:
        """The whole <svg> element."""
        head = (
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.title)}">'
        )
        return Markup(head + "".join(self._parts) + "</svg>")


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, `about` of them: steps of 1, 2 or 5 times a power of ten."""
    assert high > low, (low, high)
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def epoch_ticks(last: float) -> list[float]:
    """Round whole numbers of epochs up to the last one."""
    return [tick for tick in round_ticks(0, last, 7) if tick >= 1 and tick == int(tick)] or [1.0]


def span(values: Sequence[float]) -> tuple[float, float]:
    """The values' range with some room at either end; at least one value."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room

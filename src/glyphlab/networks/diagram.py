"""A picture of a network as papers draw it: feature maps as boxes, vectors as bars, the layers below them.

A box's height and slanted depth stand for the maps' height and width, its breadth for their number, each on a
scale that is compressed so that 1 and 2,048 fit one picture. The small window on a box is the next
convolution's kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glyphlab.errors import RecipeError
from glyphlab.files import whole_file
from glyphlab.networks.describe import LayerRow, shape_text, total_multiply_adds, total_parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]

# Everything is drawn in inches.
_PITCH = 1.55  # from one box to the next
_COLUMNS = 8  # boxes side by side, at most
_MARGIN, _TITLE = 0.3, 0.75
_TALLEST = 1.35  # the input's height
_LINE = 0.165  # of text
_SLANT = (0.42, 0.26)  # of the depth, per inch of height

_WORDS = {
    "Conv2d": "Conv",
    "BatchNorm2d": "BatchNorm",
    "MaxPool2d": "MaxPool",
    "AvgPool2d": "AvgPool",
    "GlobalAvgPool2d": "global AvgPool",
    "AdaptiveAvgPool2d": "global AvgPool",
    "AdaptiveMaxPool2d": "global MaxPool",
}
_COLOURS = {"input": "#c9ced6", "maps": "#7fb0dc", "vector": "#8cc9a1", "output": "#f2b263"}
_INK, _PALE = "#26323f", "#6b7785"


@dataclass(frozen=True)
class Block:
    """Layers drawn as one: what they put out, and what they do."""

    layers: tuple[LayerRow, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layers[-1].output_shape

    @property
    def kernel(self) -> tuple[int, int] | None:
        return next((layer.kernel for layer in self.layers if layer.kernel), None)

    @property
    def lines(self) -> list[str]:
        return [_words(layer) for layer in self.layers if not _does_nothing(layer)]

    @property
    def parameters(self) -> int:
        return total_parameters(self.layers)


def draw_network(rows: Sequence[LayerRow], title: str) -> Figure:
    """Draw the layers that `describe` found, eight blocks to a line.

    A block begins at each convolution or linear layer and takes with it what follows (norm, activation,
    pooling).
    """
    from matplotlib.figure import Figure

    assert rows, "a network without layers has no picture"
    blocks = group_layers(rows)
    columns: list[Block | None] = [None, *blocks]  # None: the input
    lines = _divide(columns)
    text_height = _LINE * (1 + max(len(block.lines) for block in blocks)) + 0.15
    line_height = _TALLEST * (1 + _SLANT[1]) + 0.4 + text_height + 0.2
    width = max(_PITCH * max(map(len, lines)), 4.6) + 2 * _MARGIN
    height = _TITLE + line_height * len(lines) + 0.1

    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    axes.text(_MARGIN, height - 0.34, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    numbers = f"{total_parameters(rows):,} parameters, {total_multiply_adds(rows):,} multiply-adds an image"
    axes.text(_MARGIN, height - 0.62, numbers, fontsize=10, color=_PALE, va="center")

    painter = _Painter(axes, input_shape=rows[0].input_shape, text_height=text_height)
    indent = (width - 2 * _MARGIN - _PITCH * max(map(len, lines))) / 2
    for number, line in enumerate(lines):
        floor = height - _TITLE - (number + 1) * line_height
        centres = [_MARGIN + indent + _PITCH * (place + 0.5) for place in range(len(line))]
        painter.draw_line(line, centres, floor, last=number == len(lines) - 1)
    return figure


def save_diagram(rows: Sequence[LayerRow], title: str, path: Path) -> None:
    """Draw to a .png (150 dots an inch), .svg or .pdf file; equal networks give equal bytes.

    Raises `RecipeError` for another suffix, `RunError` when the file cannot be written.
    """
    check_picture_path(path)
    import matplotlib

    figure = draw_network(rows, title)
    undated = {".png": None, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[path.suffix.lower()]
    with whole_file(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "glyphlab"}):
        figure.savefig(temporary, dpi=150, metadata=undated)


def check_picture_path(path: Path) -> None:
    """Raise `RecipeError` unless the file's suffix is one that `save_diagram` draws."""
    if path.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise RecipeError(f"picture is '{path}'; expected a name that ends in .png, .svg or .pdf")


def group_layers(rows: Sequence[LayerRow]) -> list[Block]:
    """Blocks with one convolution or linear layer each; a flattening goes with the layer behind it."""
    groups: list[list[LayerRow]] = []
    for row in rows:
        weighted = row.kind in {"Conv2d", "Linear"}
        full = groups and any(layer.kind in {"Conv2d", "Linear"} for layer in groups[-1])
        if not groups or (full and (weighted or row.kind == "Flatten")):
            groups.append([])
        groups[-1].append(row)
    return [Block(tuple(group)) for group in groups]


def _divide(columns: list[Block | None]) -> list[list[Block | None]]:
    """As few lines as possible, filled evenly."""
    lines = math.ceil(len(columns) / _COLUMNS)
    each = math.ceil(len(columns) / lines)
    return [columns[start : start + each] for start in range(0, len(columns), each)]


def _does_nothing(layer: LayerRow) -> bool:
    return layer.kind == "Identity" or (layer.kind.startswith("Dropout") and layer.detail == "0")


def _words(layer: LayerRow) -> str:
    if layer.kind == "Linear":
        return f"Linear {layer.input_shape[-1]:,} → {layer.output_shape[-1]:,}"
    if layer.kind.startswith(("Adaptive", "Global")) and layer.output_shape[-2:] == (1, 1):
        return _WORDS[layer.kind]
    kind = _WORDS.get(layer.kind, layer.kind).removeprefix("global ")
    beside = "shortcut " if ".downsample." in layer.name and layer.kind == "Conv2d" else ""
    return f"{beside}{kind} {layer.detail.replace('x', '×')}".strip()


@dataclass(frozen=True)
class _Box:
    """A box seen from the front and a little from the right and above."""

    left: float
    bottom: float
    breadth: float
    height: float
    depth: float

    @classmethod
    def standing_at(cls, centre: float, middle: float, breadth: float, height: float, depth: float) -> _Box:
        """The box whose outline has its centre at (centre, middle)."""
        left = centre - (breadth + depth * _SLANT[0]) / 2
        return cls(left, middle - (height + depth * _SLANT[1]) / 2, breadth, height, depth)

    @property
    def top(self) -> float:
        return self.bottom + self.height + self.depth * _SLANT[1]

    @property
    def front(self) -> list[Point]:
        right, upper = self.left + self.breadth, self.bottom + self.height
        return [(self.left, self.bottom), (right, self.bottom), (right, upper), (self.left, upper)]

    @property
    def upper(self) -> list[Point]:
        dx, dy = self.depth * _SLANT[0], self.depth * _SLANT[1]
        _, _, (right, y), (left, _) = self.front
        return [(left, y), (right, y), (right + dx, y + dy), (left + dx, y + dy)]

    def side(self, across: tuple[float, float] = (0, 1), up: tuple[float, float] = (0, 1)) -> list[Point]:
        """The right face, the plane of the maps, or a window in it (in shares of its width and height)."""
        right = self.left + self.breadth
        return [
            (right + u * self.depth * _SLANT[0], self.bottom + v * self.height + u * self.depth * _SLANT[1])
            for u, v in ((across[0], up[0]), (across[1], up[0]), (across[1], up[1]), (across[0], up[1]))
        ]


class _Painter:
    """Draws lines of blocks; the input's size is the measure of all maps."""

    def __init__(self, axes: Axes, input_shape: tuple[int, ...], text_height: float) -> None:
        self.axes = axes
        self.input_shape = input_shape
        self.text_height = text_height

    def draw_line(self, line: Sequence[Block | None], centres: Sequence[float], floor: float, *, last: bool) -> None:
        """Blocks from left to right (None: the input); `last`: the network ends with this line."""
        middle = floor + self.text_height + 0.2 + _TALLEST * (1 + _SLANT[1]) / 2
        before: tuple[tuple[int, ...], _Box] | None = None
        for place, (block, centre) in enumerate(zip(line, centres, strict=True)):
            shape = block.shape if block else self.input_shape
            box = self._box(shape, centre, middle)
            if block and before:
                self._draw_link(*before, block, box)
            elif block:
                self._draw_arrow(centre - _PITCH / 2, box.left - 0.06, middle)
            ends = last and place == len(line) - 1
            colour = _COLOURS["input" if not block else "maps" if len(shape) == 3 else "output" if ends else "vector"]
            self._draw_box(box, colour)
            self._write(block, shape, box, centre, floor + self.text_height)
            before = shape, box
        if before and not last:
            self._draw_arrow(before[1].side()[1][0] + 0.08, centres[-1] + _PITCH / 2 + 0.05, middle)

    def _box(self, shape: tuple[int, ...], centre: float, middle: float) -> _Box:
        if len(shape) == 3:
            channels, height, width = shape
            scale = _TALLEST / math.sqrt(max(self.input_shape[-2:]))
            breadth = 0.05 + 0.05 * math.log2(channels)
            return _Box.standing_at(centre, middle, breadth, scale * math.sqrt(height), scale * math.sqrt(width))
        tall = min(0.35 + 0.11 * math.log2(shape[-1]), 1.1 * _TALLEST)
        return _Box.standing_at(centre, middle, 0.14, tall, 0.14)

    def _draw_box(self, box: _Box, colour: str) -> None:
        for face, shade in ((box.front, 0.0), (box.upper, 0.35), (box.side(), 0.18)):
            self._fill(face, _lighter(colour, shade), zorder=3)

    def _draw_link(self, shape: tuple[int, ...], before: _Box, block: Block, box: _Box) -> None:
        """Between two boxes: a kernel's window and its rays, a fan for a linear layer, an arrow otherwise."""
        from matplotlib.patches import Polygon

        target = (box.left, box.bottom + box.height / 2)
        if block.kernel and len(shape) == 3:
            across, up = (
                (0.5 - part / 2, 0.5 + part / 2)
                for part in (min(1, k / side) for k, side in zip(block.kernel[::-1], shape[:0:-1], strict=True))
            )
            window = before.side(across, up)
            self.axes.add_patch(Polygon(window, facecolor="none", edgecolor=_INK, linewidth=1, zorder=5))
            for corner in window:
                self.axes.plot(*zip(corner, target, strict=True), color=_PALE, linewidth=0.6, zorder=4)
        elif any(layer.kind == "Linear" for layer in block.layers):
            low, high = before.side()[0], before.side()[2]
            fan = [low, (box.left, box.bottom), (box.left, box.bottom + box.height), high]
            self.axes.add_patch(Polygon(fan, facecolor="#e9edf2", edgecolor="#c3cad3", linewidth=0.6, zorder=1))
        else:
            self._draw_arrow(before.side()[1][0] + 0.06, box.left - 0.06, target[1])

    def _draw_arrow(self, start: float, end: float, y: float) -> None:
        style = {"arrowstyle": "-|>", "color": _PALE, "linewidth": 1, "mutation_scale": 9}
        self.axes.annotate("", xy=(end, y), xytext=(start, y), arrowprops=style)

    def _write(self, block: Block | None, shape: tuple[int, ...], box: _Box, centre: float, ceiling: float) -> None:
        """The shape above the box; below it the layers, in order, and their parameters."""
        over = shape_text(shape).replace("x", "×") if len(shape) > 1 else f"{shape[0]:,}"
        self.axes.text(centre, box.top + 0.09, over, fontsize=9.5, fontweight="bold", color=_INK, ha="center")
        for number, text in enumerate(block.lines if block else ["input"]):
            y = ceiling - number * _LINE
            self.axes.text(centre, y, text, fontsize=8.5, color=_INK, ha="center", va="top")
        if block and block.parameters:
            y = ceiling - len(block.lines) * _LINE
            self.axes.text(
                centre,
                y,
                f"{block.parameters:,} parameters",
                fontsize=8.5,
                color=_PALE,
                ha="center",
                va="top",
            )

    def _fill(self, corners: list[Point], colour: str, zorder: float) -> None:
        from matplotlib.patches import Polygon

        self.axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=_INK, linewidth=0.7, zorder=zorder))


def _lighter(colour: str, share: float) -> str:
    """The colour moved towards white by `share`."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(value + (255 - value) * share):02x}" for value in channels)

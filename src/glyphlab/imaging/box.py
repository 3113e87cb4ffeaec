"""A rectangle of pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Box:
    """Pixels `left` to `right` - 1 and `top` to `bottom` - 1; rows count downwards."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def centre_x(self) -> float:
        """Middle of the columns."""
        return (self.left + self.right) / 2

    @property
    def centre_y(self) -> float:
        """Middle of the rows."""
        return (self.top + self.bottom) / 2

    def columns_shared(self, other: Box) -> int:
        """Columns that both cover; negative: the free columns between them."""
        return min(self.right, other.right) - max(self.left, other.left)

    def rows_shared(self, other: Box) -> int:
        """Rows that both cover; negative: the free rows between them."""
        return min(self.bottom, other.bottom) - max(self.top, other.top)


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of `boxes`, of which there is at least one."""
    listed = list(boxes)
    return Box(
        min(box.left for box in listed),
        min(box.top for box in listed),
        max(box.right for box in listed),
        max(box.bottom for box in listed),
    )

"""Writers of what the data room reads, independent of its readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Write a picture file, making its folder: 20x20 grey noise unless pixels are given."""
    rng = np.random.default_rng(7)

    def write(path: Path, pixels: np.ndarray | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if pixels is None:
            pixels = rng.integers(0, 256, (20, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def picture_folder(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    """Three classes of ten pictures, without a test part."""
    for name in ("digit_10", "digit_2", "alpha"):
        for number in range(10):
            write_picture(tmp_path / "mine" / name / f"{number}.png")
    return tmp_path / "mine"

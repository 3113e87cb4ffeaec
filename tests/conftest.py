"""Shared fixtures: small random glyph sets, the command line in-process, and the real data where it is at hand."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where a core has tests of its own to run, torch and OpenCV must not spread over all of them.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.glyphset import GlyphSet


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def make_glyphs(count: int = 60, classes: int = 3, side: int = 12, channels: int = 1, seed: int = 0) -> GlyphSet:
    """Random noise with a bright bar whose place tells the class: a small network can learn it."""
    rng = np.random.default_rng(seed)
    targets = (np.arange(count) % classes).astype(np.int64)
    shape = (count, side, side) if channels == 1 else (count, side, side, 3)
    images = rng.integers(0, 60, size=shape, dtype=np.uint8)
    for image, target in zip(images, targets, strict=True):
        row = 1 + int(target) * (side - 2) // classes
        image[row : row + 2, 2:-2] = 230
    return GlyphSet(images, targets, tuple("abcdefghij"[:classes]), name="bars", split="train")


@pytest.fixture
def glyphs() -> GlyphSet:
    return make_glyphs()


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder of 12x12 PNG pictures: 40 a class in train/, 10 a class in test/, three classes."""
    folder = tmp_path_factory.mktemp("pictures") / "bars"
    for split, count, seed in (("train", 120, 0), ("test", 30, 1)):
        glyphs = make_glyphs(count, seed=seed)
        for index, (image, target) in enumerate(zip(glyphs.images, glyphs.targets, strict=True)):
            path = folder / split / glyphs.class_names[int(target)] / f"{index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return folder


@pytest.fixture
def write_idx() -> Callable[[Path, np.ndarray], Path]:
    """Write an array of bytes as an IDX file, gzipped when the name ends so; independent of the reader."""

    def write(path: Path, values: np.ndarray) -> Path:
        content = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        content += values.astype(np.uint8).tobytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `glyphlab ...` in this process: cli("data", "list") -> exit code, standard output, standard error."""
    from glyphlab.cli.main import main

    def run(*args: object) -> Outcome:
        capsys.readouterr()
        try:
            main([str(arg) for arg in args])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets named by GLYPHLAB_DATA; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("GLYPHLAB_DATA", "/nonexistent"))
    if not (folder / "mnist").is_dir():
        pytest.skip("real data not at hand: set GLYPHLAB_DATA to a folder that holds mnist/")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real browser, without a window; tests that need it skip where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with driver.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=flags)
        yield opened
        opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a browser come last: Playwright keeps an event loop running in the thread of all tests."""
    items.sort(key=lambda item: "browser" in item.path.relative_to(Path(__file__).parent).as_posix())

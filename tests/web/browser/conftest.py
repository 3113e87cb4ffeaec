"""A real browser, `glyphlab serve` as a process of its own, and a hand that draws."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

_PATIENCE_SECONDS = 20  # machines of continuous integration are busy
playwright.expect.set_options(timeout=1000 * _PATIENCE_SECONDS)

# What a hand draws, in a box 100 wide and 140 high: {"3": [drawing, ...]}; a drawing is strokes of [x, y], ...
STROKES: dict[str, list[list[list[list[float]]]]] = json.loads(
    (Path(__file__).parent / "strokes.json").read_text(encoding="utf-8")
)
_FAST = [
    "--set=network.name=linear", "--set=training.batch_size=20", "--set=engine.device=cpu",
    "--set=engine.precision=float32", "--set=engine.channels_last=false", "--set=engine.compile=false",
    "--set=engine.threads=1", "--quiet",
]  # fmt: skip
_SUSPICIOUS = 6
_STEPS = 3  # pointer moves between two points
_START_SECONDS = 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service looks for runs; a module that needs some overrides this."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def service(chromium: Any, home: Path, runs_dir: Path) -> Iterator[str]:
    """The address of a service that runs while the tests of a module do."""
    log = home / "serve.log"
    command = [sys.executable, "-m", "glyphlab", "serve", "--no-browser", "--port", "0", "--no-log"]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "--home", str(home), "--runs-dir", str(runs_dir)], stdout=sink, stderr=sink
        )
        try:
            yield _address(process, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the service says of where it is."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        said = log.read_text(encoding="utf-8")
        if "Glyphlab is at " in said:
            return said.partition("Glyphlab is at ")[2].split()[0]
        time.sleep(0.05)
    raise AssertionError(f"the service did not start: {log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def trained_runs(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small runs on the bars; the labels of the first were searched. Not to be written to."""
    pytest.importorskip("torch", reason="runs are trained with torch: pip install glyphlab[train]")
    from glyphlab.cli.main import main
    from glyphlab.data.sources import load_dataset

    folder = tmp_path_factory.mktemp("trained")
    for epochs in (1, 2):
        arguments = ["train", str(picture_folder), f"--set=training.epochs={epochs}", *_FAST]
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--runs-dir", str(folder)])
        assert ended.value.code == 0
    (first, _) = sorted(path.parent for path in folder.glob("*/run.json"))
    glyphs = load_dataset(picture_folder)
    names = glyphs.class_names
    (first / "labels").mkdir()
    with (first / "labels" / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["rank", "id", "index", "given", "suggested", "self_confidence", "normalized_margin", "issue"])
        for place in range(_SUSPICIOUS):
            target = int(glyphs.targets[place])
            given, suggested = names[target], names[(target + 1) % len(names)]
            rows.writerow([place + 1, glyphs.id_of(place), place, given, suggested, 0.01 * (place + 1), 0.1, "yes"])
    return folder


class Visitor:
    """A page of the service, with a hand that draws on it and a memory of whatever must not happen."""

    def __init__(self, chromium: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = chromium.new_context(**({"viewport": {"width": 1280, "height": 860}} | options))
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", self._on_request)

    def _on_request(self, request: Any) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.address, "data:", f"blob:{self.address}")):
            self.trouble.append(f"a foreign request: {request.url}")

    def go(self, tab: str) -> Any:
        """Open a tab by its address; returns the page."""
        self.page.goto(f"{self.address}#{tab}")
        self.page.locator("main > *").wait_for()
        return self.page

    def path_of(
        self, character: str, *, pad: str = ".pad", at: float = 0.5, scale: float = 0.6, drawing: int = 0
    ) -> Any:
        """The strokes of a character in pixels of the window; at: its middle, as a share of the canvas's width."""
        box = self.page.locator(pad).bounding_box()
        height = box["height"] * scale
        left = box["x"] + box["width"] * at - height * 100 / 140 / 2
        top = box["y"] + (box["height"] * 0.9 - height) / 2
        return [[(left + x / 140 * height, top + y / 140 * height) for x, y in s] for s in STROKES[character][drawing]]

    def draw(self, character: str, **where: Any) -> None:
        """Draw a character with the mouse."""
        for first, *others in self.path_of(character, **where):
            self.page.mouse.move(*first)
            self.page.mouse.down()
            for point in others:
                self.page.mouse.move(*point, steps=_STEPS)
            self.page.mouse.up()

    def expect_answer(self, text: str) -> None:
        """Wait until the answer is `text`."""
        playwright.expect(self.page.locator(".answer-character")).to_have_text(text)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something outside of the page holds; the page goes on meanwhile."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < end, "waited in vain"
            self.page.wait_for_timeout(30)

    def api(self, path: str) -> Any:
        """What the service answers to a GET, asked outside of the page."""
        answer = self.context.request.get(f"{self.address}api/v1/{path}")
        assert answer.ok, answer.text()
        return answer.json()


@pytest.fixture
def visit(chromium: Any, service: str) -> Iterator[Callable[..., Visitor]]:
    """visit(color_scheme="dark", ...) -> a Visitor; nothing may have gone wrong on any page when the test ends."""
    visitors: list[Visitor] = []

    def start(**options: Any) -> Visitor:
        visitors.append(Visitor(chromium, service, **options))
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.context.close()
        assert visitor.trouble == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    return visit()

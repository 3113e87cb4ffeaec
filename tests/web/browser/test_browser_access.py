"""For everybody: axe-core on every page and state, in both lights, on both screens; by touch; and without motion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from glyphlab.files import make_folder, write_json
from glyphlab.web.samples import Samples
from glyphlab.web.schemas import CrossValidated, TeachState

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
expect = playwright.expect

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
TELEPHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
TABS = ("draw", "read", "teach", "look")
SECONDS_OF_TORCH = 120  # the first question that needs torch waits for it
CHOOSER = "input[type=file]:not([capture])"
JOB = "0" * 16

everywhere = pytest.mark.parametrize(
    ("screen", "light"),
    [(screen, light) for screen in (TELEPHONE, DESKTOP) for light in ("light", "dark")],
    ids=["telephone-light", "telephone-dark", "desktop-light", "desktop-dark"],
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings of an alphabet, and a teaching of it that is over."""
    folder = tmp_path_factory.mktemp("home")
    samples = Samples(folder / "drawings", most=100)
    for label, count in (("α", 5), ("β", 3), ("γ", 1)):
        for place in range(count):
            samples.add("Greek", label, sheet(f"{place}{label}", (64, 64)))
    make_folder(folder / "teaching")
    state = TeachState(
        job=JOB,
        alphabet="Greek",
        base="characters",
        add=False,
        state="done",
        progress=1.0,
        message="done",
        accuracy=CrossValidated(mean=0.95, spread=0.02, folds=[0.93, 0.97]),
        model="characters",
        seconds=21.0,
    )
    write_json(folder / "teaching" / f"{JOB}.json", state.model_dump())
    return folder


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture
def runs(trained_runs: Path, runs_dir: Path) -> str:
    """The name of a run whose labels were searched, among others."""
    if not any(runs_dir.iterdir()):
        shutil.copytree(trained_runs, runs_dir, dirs_exist_ok=True)
    (labels,) = runs_dir.glob("*/labels")
    return labels.parent.name


def sheet(text: str, size: tuple[int, int]) -> bytes:
    image = np.full(size, 255, dtype=np.uint8)
    cv2.putText(image, text.encode("ascii", "replace").decode(), (6, 46), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 0, 4)
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def check(page: Any, state: str) -> None:
    """axe-core finds nothing serious or critical, and nothing is wider than the screen."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
    bad = [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert bad == [], state
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{state} is wider than the screen"


@pytest.fixture
def come(visit: Callable[..., Any]) -> Callable[..., Any]:
    """come(screen, light) -> a visitor who wants no motion: what moves has no settled colours to judge."""
    return lambda screen, light: visit(color_scheme=light, reduced_motion="reduce", **screen)


@everywhere
def test_axe_finds_nothing_serious_on_any_page(come: Any, screen: dict[str, Any], light: str) -> None:
    visitor = come(screen, light)
    for tab in TABS:
        page = visitor.go(tab)
        page.wait_for_timeout(300)
        check(page, tab)
    page = visitor.go("draw")
    visitor.draw("1")
    expect(page.locator(".answer-character")).not_to_have_text("")
    page.get_by_text("What may be answered").click()
    page.get_by_role("button", name="Wrong?").click()
    check(page, "draw, with an answer")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keys").click()
    check(page, "keys")


@everywhere
def test_axe_finds_nothing_serious_in_a_page_that_was_read(come: Any, screen: dict[str, Any], light: str) -> None:
    visitor = come(screen, light)
    page = visitor.go("read")
    page.set_input_files(CHOOSER, [{"name": "a.png", "mimeType": "image/png", "buffer": sheet("4 Z 7 O", (70, 260))}])
    page.locator(".page-text button").first.click()
    page.keyboard.press("x")
    expect(page.locator(".page-text .corrected")).to_have_count(1)
    expect(page.locator(".corrector")).to_be_visible()
    check(page, "read, with the corrector")


@everywhere
def test_axe_finds_nothing_serious_where_something_was_taught(come: Any, screen: dict[str, Any], light: str) -> None:
    visitor = come(screen, light)
    page = visitor.go("teach")
    expect(page.locator(".sample")).to_have_count(9)
    expect(page.locator(".teach-result")).to_contain_text("It has learned")
    check(page, "teach, with a result")
    page.get_by_role("button", name="Add characters").click()
    check(page, "teach, naming more")
    page.get_by_role("button", name="Delete this alphabet").click()
    check(page, "teach, asked whether to delete")


@everywhere
def test_axe_finds_nothing_serious_inside_the_network(come: Any, screen: dict[str, Any], light: str) -> None:
    pytest.importorskip("torch", reason="looking inside needs torch: pip install glyphlab[train]")
    visitor = come(screen, light)
    page = visitor.go("draw")
    visitor.draw("4")
    visitor.expect_answer("4")
    page.get_by_role("button", name="Why this?").click()
    page.locator(".explanation img").wait_for(timeout=1000 * SECONDS_OF_TORCH)
    check(page, "draw, explained")


@everywhere
def test_axe_finds_nothing_serious_about_runs(come: Any, runs: str, screen: dict[str, Any], light: str) -> None:
    visitor = come(screen, light)
    page = visitor.go("look")
    boxes = page.locator("tbody input")
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.check()
    check(page, "look, two chosen")
    page.get_by_role("button", name="Compare the two").click()
    page.locator(".compare table").first.wait_for(timeout=1000 * SECONDS_OF_TORCH)
    check(page, "comparison")
    page = visitor.go(f"look/labels/{runs}/train")
    page.locator(".review-image[src]").wait_for(timeout=1000 * SECONDS_OF_TORCH)
    check(page, "review")
    page.keyboard.press("d")
    expect(page.locator(".review-top p")).to_contain_text("2 of")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".review-decision")).to_have_text("discarded")
    check(page, "review, decided")
    page.keyboard.press("u")
    expect(page.locator(".review-decision")).to_have_text("not decided")


def test_fingers_scroll_and_zoom_everywhere_but_on_the_canvas(visit: Callable[..., Any]) -> None:
    visitor = visit(**TELEPHONE)
    page = visitor.go("draw")
    session = visitor.context.new_cdp_session(page)

    def swipe(x: float, y: float) -> None:
        """A finger goes up by 160 pixels."""
        steps = [("touchStart", [{"x": x, "y": y}])]
        steps += [("touchMove", [{"x": x, "y": y - 20 * step}]) for step in range(1, 9)]
        for kind, points in [*steps, ("touchEnd", [])]:
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            page.wait_for_timeout(16)

    pad, card = page.locator(".pad").bounding_box(), page.locator(".draw-actions").bounding_box()
    swipe(pad["x"] + pad["width"] / 2, pad["y"] + 250)
    expect(page.locator(".answer-words")).not_to_have_text("Draw something")  # it drew
    assert page.evaluate("scrollY") == 0
    outside = {"x": card["x"] + 12, "y": card["y"] + 12}
    swipe(**outside)
    visitor.until(lambda: page.evaluate("scrollY") > 50)
    page.evaluate("scrollTo(0, 0)")
    session.send("Input.synthesizePinchGesture", outside | {"scaleFactor": 2.0})
    visitor.until(lambda: page.evaluate("visualViewport.scale") > 1.3)


def test_nothing_moves_for_whoever_wants_no_motion(visit: Callable[..., Any]) -> None:
    page = visit(reduced_motion="reduce").go("draw")
    page.evaluate("document.querySelector('.busy').textContent = 'x'")
    moving = page.evaluate("document.getAnimations().filter(one => one.effect.getComputedTiming().duration > 1).length")
    assert moving == 0
    style = page.locator("button.primary, .bare").first
    assert style.evaluate("node => parseFloat(getComputedStyle(node).transitionDuration)") < 0.001

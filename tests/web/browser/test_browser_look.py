"""Look, in a real browser: runs, their reports, two compared, and labels that are reviewed."""

from __future__ import annotations

import base64
import csv
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytest.importorskip("torch", reason="runs are trained with torch: pip install glyphlab[train]")
expect = playwright.expect

SUSPICIOUS = 6  # as in `trained_runs`


@pytest.fixture(scope="module")
def runs_dir(trained_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "runs"
    shutil.copytree(trained_runs, folder)
    return folder


@pytest.fixture
def corrections(runs_dir: Path) -> Iterator[Path]:
    """Where decisions are saved; every test begins without any."""
    (path,) = (labels.parent / "corrections.csv" for labels in runs_dir.glob("bars-*/labels/labels.csv"))
    path.unlink(missing_ok=True)
    yield path


@pytest.fixture
def review(visitor: Any, corrections: Path) -> Any:
    """A visitor before the first doubtful label."""
    page = visitor.go("look")
    page.get_by_role("link", name="Review suspicious labels").click()
    expect(page.locator(".review-top p")).to_have_text(f"1 of {SUSPICIOUS}, 0 decided")
    return visitor


def saved(path: Path) -> list[tuple[str, str]]:
    """Action and label of each decision, in the order of the images."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: (row["action"], row["label"]) for row in csv.DictReader(file)}
    return [rows[id_] for id_ in sorted(rows)]


def test_labels_that_were_searched_without_a_run_are_reviewed_as_well(visitor: Any, runs_dir: Path) -> None:
    (searched,) = runs_dir.glob("bars-*/labels/labels.csv")
    home = runs_dir / "labels-bars"
    home.mkdir()
    try:
        shutil.copy(searched, home)
        shutil.copy(searched.parents[1] / "recipe.toml", home)
        page = visitor.go("look")
        page.get_by_role("link", name="Review suspicious labels of bars, train part").click()
        expect(page.locator(".review-top p")).to_have_text(f"1 of {SUSPICIOUS}, 0 decided")
        page.keyboard.press("k")
        expect(page.locator(".review-top p")).to_have_text(f"2 of {SUSPICIOUS}, 1 decided")
        assert [action for action, _ in saved(home / "corrections.csv")] == ["keep"]
    finally:
        shutil.rmtree(home)


def test_every_decision_is_on_the_disk_before_the_next_image_shows(review: Any, corrections: Path) -> None:
    page = review.page
    position = page.locator(".review-top p")
    expect(page.locator(".review-image")).to_have_attribute("alt", "Image train/a/000.png, labelled a")
    page.keyboard.press("r")
    expect(position).to_have_text(f"2 of {SUSPICIOUS}, 1 decided")
    assert [action for action, _ in saved(corrections)] == ["relabel"]
    page.get_by_role("button", name="Keep").click()
    expect(position).to_have_text(f"3 of {SUSPICIOUS}, 2 decided")
    page.keyboard.press("d")
    expect(position).to_have_text(f"4 of {SUSPICIOUS}, 3 decided")
    assert sorted(action for action, _ in saved(corrections)) == ["discard", "keep", "relabel"]
    page.keyboard.press("u")
    expect(position).to_have_text(f"3 of {SUSPICIOUS}, 2 decided")
    expect(page.locator(".review-decision")).to_have_text("not decided")
    assert sorted(action for action, _ in saved(corrections)) == ["keep", "relabel"]
    page.reload()  # goes on where it was
    expect(position).to_have_text(f"3 of {SUSPICIOUS}, 2 decided")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".review-decision")).to_contain_text("kept as")


def test_a_place_that_was_decided_twice_is_taken_back_at_once(review: Any, corrections: Path) -> None:
    page = review.page
    position = page.locator(".review-top p")
    for key, shown in [
        ("r", "2 of 6, 1 decided"),
        ("k", "3 of 6, 2 decided"),
        ("ArrowLeft", "2 of 6, 2 decided"),
        ("d", "3 of 6, 2 decided"),
        ("u", "2 of 6, 1 decided"),
        ("u", "1 of 6, 0 decided"),
    ]:
        page.keyboard.press(key)
        expect(position).to_have_text(shown)
    assert saved(corrections) == []


def test_keys_do_nothing_behind_a_dialog(review: Any, corrections: Path) -> None:
    page = review.page
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".review-top p")).to_have_text(f"2 of {SUSPICIOUS}, 0 decided")
    assert saved(corrections) == []


def test_another_label_is_given_by_keyboard(review: Any, corrections: Path) -> None:
    page = review.page
    page.keyboard.press("l")
    page.keyboard.type("zebra")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("no class “zebra”")
    assert saved(corrections) == []
    page.keyboard.press("Control+a")
    page.keyboard.type("c")
    page.keyboard.press("Enter")
    expect(page.locator(".review-top p")).to_have_text(f"2 of {SUSPICIOUS}, 1 decided")
    assert saved(corrections) == [("relabel", "c")]


@pytest.mark.parametrize("light", ["light", "dark"])
def test_pictures_in_colour_are_shown_as_they_are(visit: Callable[..., Any], runs_dir: Path, light: str) -> None:
    """Grey ones are writing and follow the page's light; a red one must never look blue."""
    (labels,) = runs_dir.glob("bars-*/labels")
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 2] = 255  # OpenCV's order
    page = visit(color_scheme=light).go("look")
    for image, inverted in ((red, False), (red[..., 0], light == "light")):
        png = base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode("ascii")
        row = {"id": "x", "index": 0, "given": "a", "suggested": "b", "self_confidence": 0.1, "decision": None}
        answer = {"run": labels.parent.name, "split": "train", "class_names": ["a", "b"], "total": 1, "decided": 0}
        answer |= {
            "apply": "glyphlab labels apply",
            "offset": 0,
            "labels": [row | {"png": f"data:image/png;base64,{png}"}],
        }
        page.unroute_all()
        page.route("**/labels?*", partial(_fulfilled, answer))
        page.goto(page.url.partition("#")[0] + f"#look/labels/{labels.parent.name}/train")
        page.reload()
        shown = page.locator(".review-image[src]")
        shown.wait_for()
        assert shown.evaluate("node => getComputedStyle(node).filter !== 'none'") == inverted


def _fulfilled(answer: dict[str, Any], route: Any) -> None:
    route.fulfill(json=answer)


def test_two_runs_are_compared(visitor: Any) -> None:
    page = visitor.go("look")
    expect(page.locator("tbody tr")).to_have_count(2)
    compare = page.get_by_role("button", name="Compare the two")
    expect(compare).to_be_disabled()
    for box in page.locator("tbody input").all():
        box.check()
    compare.click()
    table = page.locator(".compare table").first
    expect(table).to_contain_text("accuracy", timeout=90_000)
    expect(page.locator(".compare table").nth(1)).to_contain_text("training.epochs")
    page.get_by_role("link", name="All runs").click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_a_report_opens_in_a_tab_of_its_own(visitor: Any) -> None:
    page = visitor.go("look")
    with visitor.context.expect_page() as opened:
        page.get_by_role("link", name="Report of").first.click()
    report = opened.value
    report.wait_for_selector("h1", timeout=120_000)
    assert report.evaluate("self.origin") == "null"  # sandboxed: it can ask this service for nothing

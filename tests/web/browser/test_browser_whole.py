"""The page as a whole: accessible, on every screen, in both lights, and without a word to anybody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glyphlab.web

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
expect = playwright.expect

STATIC = Path(glyphlab.web.__file__).parent / "static"
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
TABS = ("draw", "read", "teach", "look")
TELEPHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 860}}


def violations(page: Any) -> list[str]:
    """What axe-core finds to be serious or critical."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("screen", [TELEPHONE, DESKTOP], ids=["telephone", "desktop"])
@pytest.mark.parametrize("light", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Callable[..., Any], screen: dict[str, Any], light: str) -> None:
    visitor = visit(color_scheme=light, reduced_motion="reduce", **screen)
    for tab in TABS:
        page = visitor.go(tab)
        page.wait_for_timeout(300)
        assert violations(page) == [], tab
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{tab} is wider than the screen"
    page = visitor.go("draw")
    visitor.draw("1")
    expect(page.locator(".answer-character")).not_to_have_text("")
    page.get_by_text("What may be answered").click()
    page.get_by_role("button", name="Wrong?").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keys").click()
    assert violations(page) == []


def test_the_keyboard_reaches_everything_and_focus_is_seen(visitor: Any) -> None:
    page = visitor.go("draw")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or page.evaluate("document.activeElement === document.body")
    wanted = {"Draw", "Read", "Teach", "Look", "Canvas to draw on", "Pen", "Eraser", "Brush size", "Undo", "Clear"}
    assert wanted <= seen


def test_the_answer_is_read_out(visitor: Any) -> None:
    page = visitor.go("draw")
    visitor.draw("8")
    expect(page.locator("#announcer")).to_have_text("It is 8")
    assert page.locator("#announcer").get_attribute("aria-live") == "polite"


def test_a_lost_service_is_named_in_plain_words(visitor: Any) -> None:
    page = visitor.go("draw")
    page.route("**/predict/strokes", lambda route: route.abort())
    visitor.draw("1")
    expect(page.get_by_role("alert")).to_contain_text("glyphlab serve")
    page.unroute("**/predict/strokes")
    page.keyboard.press("Delete")
    visitor.draw("4")
    visitor.expect_answer("4")
    expect(page.get_by_role("alert")).to_have_count(0)
    visitor.trouble = [text for text in visitor.trouble if "ERR_FAILED" not in text]


def test_nothing_inline_nothing_foreign() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\son\w+=|\sstyle=|<script(?![^>]*\ssrc=)", html)
    for path in sorted(STATIC.rglob("*")):
        if path.suffix not in {".html", ".css", ".js", ".svg"}:
            continue
        text = path.read_text(encoding="utf-8")
        foreign = set(re.findall(r"\b(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", text)) - {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xhtml",
            "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd",
        }
        assert not foreign, path.name
        assert "innerHTML" not in text and "eval(" not in text, path.name


def test_all_words_stand_in_one_place() -> None:
    """No other module holds text for people: what follows a quotation mark with a capital or a space in it."""
    allowed = {"My drawings"}  # a name, not a sentence; the folder on the disk is called so
    for path in sorted((STATIC / "js").glob("*.js")):
        if path.name == "texts.js":
            continue
        code = re.sub(r"^\s*(//|/?\*).*$|//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        words = set(re.findall(r'"([A-Z][a-z]+(?: [\w’]+)+[.!?…]?)"', code)) - allowed
        assert not words, path.name


def test_every_text_is_used() -> None:
    """A name in texts.js that no module asks for is a leftover."""
    texts = (STATIC / "js" / "texts.js").read_text(encoding="utf-8")
    others = "".join(p.read_text(encoding="utf-8") for p in (STATIC / "js").glob("*.js") if p.name != "texts.js")
    names = set(re.findall(r"^ {2,4}(\w+):", texts, flags=re.MULTILINE))
    assert {name for name in names if not re.search(rf"\b{name}\b", others)} == set()

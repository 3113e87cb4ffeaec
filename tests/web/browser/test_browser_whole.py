"""The page as a whole: by keyboard, read out, in plain words, and without a word to anybody else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import glyphlab.web

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
expect = playwright.expect

STATIC = Path(glyphlab.web.__file__).parent / "static"


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


def test_an_address_that_is_none_shows_the_first_view(visitor: Any) -> None:
    page = visitor.go("%")
    expect(page.locator(".draw .pad")).to_be_visible()


def test_a_view_that_loads_slowly_does_not_take_the_place_of_the_next(visitor: Any) -> None:
    page = visitor.go("draw")
    held: list[Any] = []
    page.route("**/js/teach.js", lambda route: held.append(route))
    page.get_by_role("link", name="Teach").click()
    visitor.until(lambda: len(held) == 1)
    page.get_by_role("link", name="Read").click()
    expect(page.locator("main > .read")).to_be_visible()
    held[0].continue_()
    page.evaluate("() => import('./js/teach.js')")  # it has come
    page.wait_for_timeout(100)
    expect(page.locator("main > .read")).to_be_visible()
    expect(page.get_by_role("link", name="Read")).to_have_attribute("aria-current", "page")


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

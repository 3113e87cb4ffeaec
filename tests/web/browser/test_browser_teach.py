"""Teach, in a real browser: name, draw, teach, recognise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
expect = playwright.expect

LETTERS = "αγω"
PAD = ".teach-pad .pad"


@pytest.fixture
def teaching(visitor: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A visitor who has begun an alphabet with a name of its own."""
    page = visitor.go("teach")
    page.locator(".alphabet:visible, .alphabet-form:visible").first.wait_for()
    visitor.alphabet = request.node.name[5:40]
    begin(visitor, visitor.alphabet, LETTERS)
    yield visitor


def begin(visitor: Any, name: str, letters: str) -> None:
    """Begin an alphabet."""
    page = visitor.page
    if page.get_by_label("Alphabet", exact=True).is_visible():
        page.get_by_label("Alphabet", exact=True).select_option("")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Characters").fill(" ".join(letters))
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_label("Alphabet", exact=True)).to_have_value(name)
    expect(page.locator(".sheet-row")).to_have_count(len(letters))


def counts_of(visitor: Any, alphabet: str) -> dict[str, int]:
    """How many drawings of each character the service keeps."""
    return {one["label"]: one["count"] for one in visitor.api(f"samples?alphabet={alphabet}")["classes"]}


def draw_some(visitor: Any, letter: str, count: int) -> None:
    """Draw a letter a few times; Enter keeps each."""
    page = visitor.page
    row = page.locator(".sheet-row", has=page.locator(".sheet-label .character", has_text=letter))
    row.locator(".sheet-label").click()
    page.locator(PAD).focus()
    for place in range(count):
        visitor.draw(letter, pad=PAD, scale=0.7, drawing=place)
        page.keyboard.press("Enter")
        expect(row.locator(".sample")).to_have_count(place + 1)


def test_the_sheet_tells_what_is_wanting(teaching: Any) -> None:
    page = teaching.page
    expect(page.locator(".teach-hint")).to_contain_text("α, γ, and ω")
    expect(page.locator(".teach-job .primary")).to_be_disabled()
    expect(page.locator(".prompt")).to_have_text("Draw α")
    draw_some(teaching, "γ", 3)
    expect(page.locator(".sheet-row").nth(1)).to_have_attribute("data-state", "enough")
    expect(page.locator(".teach-hint")).to_contain_text("α and ω")
    page.reload()  # one may go on later
    expect(page.get_by_label("Alphabet", exact=True)).to_have_value(teaching.alphabet)
    expect(page.locator(".sheet-row").nth(1).locator(".sample")).to_have_count(3)


def test_a_drawing_is_deleted_and_brought_back(teaching: Any) -> None:
    page = teaching.page
    draw_some(teaching, "α", 2)
    page.locator(".sample").first.click()
    expect(page.locator(".sample")).to_have_count(1)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".sample")).to_have_count(2)
    counts = teaching.api(f"samples?alphabet={teaching.alphabet}")["classes"]
    assert [one["count"] for one in counts] == [2, 0, 0]


def test_the_way_back_stays_while_one_is_there(teaching: Any) -> None:
    page = teaching.page
    page.clock.install()
    draw_some(teaching, "α", 2)
    page.locator(".sample").first.click()
    undo = page.locator(".toast").get_by_role("button", name="Undo")
    undo.focus()
    page.clock.run_for(60_000)
    expect(undo).to_be_focused()
    undo.blur()
    page.clock.run_for(21_000)
    expect(page.locator(".toast")).to_have_count(0)


def test_an_alphabet_is_renamed_deleted_and_brought_back(teaching: Any) -> None:
    page, name = teaching.page, teaching.alphabet
    draw_some(teaching, "α", 1)
    page.get_by_role("button", name="Rename this alphabet").click()
    page.locator("dialog").get_by_label("Name").fill("Hellenic")
    page.keyboard.press("Enter")
    chosen = page.get_by_label("Alphabet", exact=True)
    expect(chosen).to_have_value("Hellenic")
    expect(page.locator(".sample")).to_have_count(1)
    page.get_by_role("button", name="Delete this alphabet").click()
    page.locator("dialog").get_by_role("button", name="Cancel").click()
    expect(chosen).to_have_value("Hellenic")
    page.get_by_role("button", name="Delete this alphabet").click()
    expect(page.locator("dialog")).to_contain_text("1 drawing goes with it")
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("“Hellenic” is deleted")
    assert {one["name"] for one in teaching.api("alphabets")["alphabets"]}.isdisjoint({"Hellenic", name})
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(chosen).to_have_value("Hellenic")
    expect(page.locator(".sample")).to_have_count(1)


def test_a_character_that_is_not_wanted_goes_and_comes_back(teaching: Any) -> None:
    page = teaching.page
    draw_some(teaching, "γ", 2)
    page.get_by_role("button", name="Delete γ with its drawings").click()
    expect(page.locator(".sheet-row")).to_have_count(2)
    expect(page.locator(".teach-hint")).not_to_contain_text("γ")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".sheet-row")).to_have_count(3)
    expect(page.locator(".sheet-row").nth(1).locator(".sample")).to_have_count(2)


def test_pictures_are_added_and_more_characters(teaching: Any, tmp_path: Path) -> None:
    page = teaching.page
    for place in range(2):
        image = np.full((120, 120), 255, dtype=np.uint8)
        cv2.circle(image, (60, 60), 30 + 4 * place, 0, 8)
        cv2.imwrite(str(tmp_path / f"{place}.png"), image)
    chooser = page.locator(".sheet-row").nth(2).locator("input[type=file]")
    chooser.set_input_files([str(tmp_path / "0.png"), str(tmp_path / "1.png")])
    expect(page.locator(".sheet-row").nth(2).locator(".sample")).to_have_count(2)
    page.get_by_role("button", name="Add characters").click()
    page.get_by_role("textbox", name="Characters").fill("δε")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".sheet-row")).to_have_count(5)


def test_the_list_of_an_alphabet_that_was_left_comes_late(teaching: Any) -> None:
    page, other = teaching.page, f"{teaching.alphabet} 2"
    begin(teaching, other, "47")
    chosen = page.get_by_label("Alphabet", exact=True)
    held: list[Any] = []
    page.route(f"**/samples?alphabet={teaching.alphabet}", lambda route: held.append(route))
    chosen.select_option(teaching.alphabet)
    teaching.until(lambda: len(held) == 1)
    expect(page.locator(PAD)).to_be_hidden()  # whose characters would be drawn is not known
    chosen.select_option(other)
    expect(page.locator(PAD)).to_be_visible()
    with page.expect_event("requestfinished"):
        held[0].continue_()
    page.wait_for_timeout(100)
    expect(chosen).to_have_value(other)
    expect(page.locator(".prompt")).to_have_text("Draw 4")
    draw_some(teaching, "4", 1)
    assert counts_of(teaching, other) == {"4": 1, "7": 0}
    assert counts_of(teaching, teaching.alphabet) == {"α": 0, "γ": 0, "ω": 0}


@pytest.mark.parametrize(("way", "letters"), [("drawn", "47"), ("uploaded", "α4")], ids=["drawn", "uploaded"])
def test_saved_in_its_own_alphabet(teaching: Any, tmp_path: Path, way: str, letters: str) -> None:
    """Another alphabet is chosen while a character is saved; one that knows that character or not."""
    page, other = teaching.page, f"{teaching.alphabet} 2"
    begin(teaching, other, letters)
    chosen = page.get_by_label("Alphabet", exact=True)
    chosen.select_option(teaching.alphabet)
    expect(page.locator(".prompt")).to_have_text("Draw α")
    held: list[Any] = []
    page.route("**/api/v1/samples", lambda route: held.append(route))
    if way == "drawn":
        teaching.draw("α", pad=PAD, scale=0.7)
        page.keyboard.press("Enter")
    else:
        image = cv2.circle(np.full((120, 120), 255, dtype=np.uint8), (60, 60), 30, 0, 8)
        cv2.imwrite(str(tmp_path / "circle.png"), image)
        page.locator(".sheet-row").first.locator("input[type=file]").set_input_files(str(tmp_path / "circle.png"))
    teaching.until(lambda: len(held) == 1)
    chosen.select_option(other)
    expect(page.locator(".prompt")).to_have_text(f"Draw {letters[0]}")
    with page.expect_event("requestfinished"):
        held[0].continue_()
    page.wait_for_timeout(100)
    assert page.locator(".toast").all_inner_texts() == ([] if way == "drawn" else ["1 picture of α kept."])
    expect(page.locator(".sample")).to_have_count(0)
    expect(page.locator(".pad-hint:visible")).to_have_count(1)  # the canvas is empty
    assert counts_of(teaching, other) == dict.fromkeys(letters, 0)
    chosen.select_option(teaching.alphabet)
    expect(page.locator(".sample")).to_have_count(1)
    assert counts_of(teaching, teaching.alphabet) == {"α": 1, "γ": 0, "ω": 0}


@pytest.mark.parametrize("goes_to", ["character", "alphabet"])
def test_unsaved_comes_back(teaching: Any, goes_to: str) -> None:
    """To the canvas, as the character that it was drawn for; but not to another alphabet's."""
    page, other = teaching.page, f"{teaching.alphabet} 2"
    begin(teaching, other, "47")
    chosen = page.get_by_label("Alphabet", exact=True)
    chosen.select_option(teaching.alphabet)
    expect(page.locator(".prompt")).to_have_text("Draw α")
    held: list[Any] = []
    page.route("**/api/v1/samples", lambda route: held.append(route))
    teaching.draw("α", pad=PAD, scale=0.7)
    page.keyboard.press("Enter")
    teaching.until(lambda: len(held) == 1)
    if goes_to == "character":
        page.locator(".sheet-label").nth(1).click()
    else:
        chosen.select_option(other)
    expect(page.locator(".prompt")).not_to_have_text("Draw α")
    held[0].abort()
    expect(page.locator(".toast")).to_have_count(1)
    keep = page.get_by_role("button", name="Keep", exact=True)
    if goes_to == "character":
        expect(page.locator(".prompt")).to_have_text("Draw α")
        expect(keep).to_be_enabled()
    else:
        expect(page.locator(".prompt")).to_have_text("Draw 4")
        expect(keep).to_be_disabled()
    teaching.trouble = [text for text in teaching.trouble if "ERR_FAILED" not in text]


@pytest.mark.timeout(900)
def test_three_letters_are_taught_and_a_fourth_drawing_of_each_is_recognised(teaching: Any) -> None:
    pytest.importorskip("torch", reason="teaching needs torch: pip install glyphlab[train]")
    page = teaching.page
    for letter in LETTERS:
        draw_some(teaching, letter, 3)
    page.locator(".teach-job .primary").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator(".teach-result")).to_contain_text("It has learned", timeout=800_000)
    expect(page.locator(".teach-accuracy")).to_contain_text(
        re.compile(r"\d+\.\d % right on drawings it did not learn from")
    )
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the model").click()
    assert started.value.path().stat().st_size > 100_000
    page.get_by_role("button", name="Try it on the canvas").click()
    expect(page.locator(".draw .pad")).to_be_visible()
    for letter in LETTERS:
        teaching.draw(letter, drawing=3)
        teaching.expect_answer(letter)
        page.keyboard.press("Delete")
        expect(page.locator(".answer-words")).to_have_text("Draw something")

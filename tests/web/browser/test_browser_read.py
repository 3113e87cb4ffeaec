"""Read, in a real browser: a page's text beside its picture, corrected by keyboard, taken away as a file."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
expect = playwright.expect

STROKES = json.loads((Path(__file__).parent / "strokes.json").read_text(encoding="utf-8"))
LINES = ("4207", "358")
CHOOSER = "input[type=file]:not([capture])"


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lines of digits in a large hand, black on white."""
    image = np.full((460, 620), 255, dtype=np.uint8)
    for row, line in enumerate(LINES):
        for column, digit in enumerate(line):
            for stroke in STROKES[digit][0]:
                points = np.add(stroke, (60 + 130 * column, 50 + 210 * row))
                cv2.polylines(image, [points.astype(np.int32)], False, 0, 10, cv2.LINE_AA)
    path = tmp_path_factory.mktemp("sheet") / "sheet.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


@pytest.fixture
def reading(visitor: Any, sheet: Path) -> Any:
    """A visitor who has the sheet read, as digits alone."""
    page = visitor.go("read")
    page.get_by_text("How it is read").click()
    page.get_by_label("Characters", exact=True).select_option("digits")
    page.set_input_files(CHOOSER, str(sheet))
    expect(page.locator(".page-text p")).to_have_count(len(LINES))
    return visitor


def written(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".page-text p").all_inner_texts()]


def taken_away(page: Any, name: str) -> tuple[str, str]:
    """File name and content of a download."""
    with page.expect_download() as started:
        page.get_by_role("button", name=name).click()
    return started.value.suggested_filename, started.value.path().read_text(encoding="utf-8")


def test_a_page_is_read_and_both_sides_are_tied(reading: Any) -> None:
    page = reading.page
    assert written(page) == list(LINES)
    boxes = page.locator(".overlay rect")
    assert boxes.count() == sum(map(len, LINES))
    boxes.nth(2).hover()
    expect(page.locator(".page-text button").nth(2)).to_have_class("character lit")
    page.locator(".page-text button").nth(5).hover()
    expect(boxes.nth(5)).to_have_class("plain lit")
    boxes.nth(1).click()
    expect(page.locator(".page-text button").nth(1)).to_be_focused()
    # The box lies over the ink of its character: the second digit of the first line.
    place = boxes.nth(1).bounding_box()
    whole = page.locator(".page-picture img").bounding_box()
    left = (place["x"] - whole["x"]) / whole["width"] * 620
    assert 180 < left < 215


def test_a_character_is_corrected_by_keyboard_and_kept_as_an_example(reading: Any, home: Path) -> None:
    page = reading.page
    page.locator(".page-text button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("Number(document.activeElement.dataset.place)") == 5
    page.keyboard.press("q")
    expect(page.locator(".toast")).to_contain_text("Corrected to “q”")
    assert written(page) == ["4207", "3q8"]
    assert page.locator(".page-text button").nth(5).get_attribute("aria-label") == "q, corrected from 5"
    (kept,) = (home / "drawings").glob("*/q/*.png")
    ink = cv2.imread(str(kept), cv2.IMREAD_GRAYSCALE)
    assert ink.min() < 60 and ink.shape[0] < 220  # the crop of one character
    page.keyboard.press("Backspace")
    expect(page.locator(".page-text button").nth(5)).to_have_text("5")
    reading.until(lambda: not kept.exists())
    assert all("Corrected" in text for text in page.locator(".toast").all_inner_texts())  # no error was shown


def test_a_correction_that_waits_keeps_the_picture_of_its_page(reading: Any, home: Path, tmp_path: Path) -> None:
    page = reading.page
    held: list[Any] = []
    page.route("**/api/v1/samples", lambda route: held.append(route), times=1)
    page.locator(".page-text button").nth(5).focus()
    page.keyboard.press("x")
    page.locator(".page-text button").first.focus()
    page.keyboard.press("y")  # waits until the former is saved
    reading.until(lambda: len(held) == 1)
    other = np.full((460, 310), 255, dtype=np.uint8)
    other[400:440, 200:220] = 0  # nothing where the character was
    (tmp_path / "other.png").write_bytes(cv2.imencode(".png", other)[1].tobytes())
    page.set_input_files(CHOOSER, str(tmp_path / "other.png"))
    expect(page.locator(".page-picture img")).to_have_js_property("naturalWidth", 310)
    held[0].continue_()
    reading.until(lambda: any((home / "drawings").glob("*/y/*.png")))
    (kept,) = (home / "drawings").glob("*/y/*.png")
    assert cv2.imread(str(kept), cv2.IMREAD_GRAYSCALE).min() < 60


def test_unsure_characters_are_marked_and_enter_goes_on(reading: Any, sheet: Path) -> None:
    page = reading.page
    picture = {"name": "sheet.png", "mimeType": "image/png", "buffer": sheet.read_bytes()}
    form = {"file": picture, "only": "digits"}
    answer = reading.context.request.post(f"{reading.address}api/v1/read", multipart=form).json()
    characters = answer["lines"][0]["words"][0]["characters"]
    for character in characters[1:3]:
        character |= {"sure": False, "probability": 0.4}
    page.route("**/api/v1/read", lambda route: route.fulfill(json=answer))
    page.set_input_files(CHOOSER, str(sheet))
    expect(page.locator(".page-text .unsure")).to_have_count(2)
    expect(page.locator(".overlay .unsure")).to_have_count(2)
    page.get_by_role("button", name="Next unsure").click()
    expect(page.locator(".page-text button").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".page-text button").nth(2)).to_be_focused()
    expect(page.locator(".page-text .unsure")).to_have_count(1)
    first = characters[2]["alternatives"][0]["character"]
    page.locator(".corrector .chip", has_text=first).first.click()
    expect(page.locator(".page-text button").nth(2)).to_have_text(first)
    expect(page.locator(".page-text .unsure")).to_have_count(0)


def test_the_text_is_taken_away_with_its_corrections(reading: Any) -> None:
    page = reading.page
    page.locator(".page-text button").nth(3).focus()
    page.keyboard.press("<")
    expect(page.locator(".page-text button").nth(3)).to_have_text("<")
    assert taken_away(page, "TXT") == ("sheet.txt", "420<\n358\n")
    name, content = taken_away(page, "JSON")
    (whole,) = json.loads(content)["pages"]
    assert name == "sheet.json" and whole["text"] == "420<\n358" and whole["width"] == 620
    character = whole["lines"][0]["words"][0]["characters"][3]
    assert character["text"] == "<" and character["corrected_from"] == "7" and character["probability"] == 1
    left, top, right, bottom = character["box"]
    assert 440 < left < right < 560 and 40 < top < bottom < 200
    name, content = taken_away(page, "hOCR")
    root = ET.fromstring(content)
    space = "{http://www.w3.org/1999/xhtml}"
    words = ["".join(node.itertext()) for node in root.iter(f"{space}span") if node.get("class") == "ocrx_word"]
    assert name == "sheet.hocr" and words == ["420<", "358"]


def test_the_files_are_those_of_the_command_line(reading: Any, sheet: Path, cli: Callable[..., Any]) -> None:
    _, content = taken_away(reading.page, "JSON")
    ours = json.loads(content)["pages"][0]
    theirs = json.loads(cli("read", sheet, "--only", "digits", "--json").out)["pages"][0]
    assert list(ours) == list(theirs)
    assert ours["text"] == theirs["text"] and ours["skew_degrees"] == theirs["skew_degrees"]
    for mine, line in zip(ours["lines"], theirs["lines"], strict=True):
        assert mine["box"] == line["box"]
        for word, other in zip(mine["words"], line["words"], strict=True):
            assert [c["box"] for c in word["characters"]] == [c["box"] for c in other["characters"]]
            assert word["probability"] == pytest.approx(other["probability"], abs=2e-6)
    _, hocr = taken_away(reading.page, "hOCR")
    told = cli("read", sheet, "--only", "digits", "--hocr").out.replace(str(sheet), sheet.name)
    assert elements(hocr) == elements(told)


def elements(hocr: str) -> list[tuple[str, dict[str, str], str]]:
    """Each element's name, attributes and text, certainties to whole percent, without the version that wrote them."""

    def whole(title: str) -> str:
        return re.sub(r"(conf) ([0-9.]+)", lambda found: f"{found[1]} {float(found[2]):.0f}", title)

    return [
        (node.tag, {key: whole(value) for key, value in node.attrib.items()}, (node.text or "").strip())
        for node in ET.fromstring(hocr).iter()
        if node.get("name") != "ocr-system"
    ]


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(visitor: Any, sheet: Path, way: str) -> None:
    page = visitor.go("read")
    page.evaluate(
        """async ([bytes, way]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "sheet.png", { type: "image/png" }));
          const event = way === "drop"
            ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
          (way === "drop" ? document.querySelector(".drop") : document.body).dispatchEvent(event);
        }""",
        [list(sheet.read_bytes()), way],
    )
    expect(page.locator(".page-text p")).to_have_count(len(LINES))


def test_what_is_no_picture_is_refused_in_plain_words(visitor: Any, tmp_path: Path) -> None:
    page = visitor.go("read")
    (tmp_path / "letter.txt").write_text("no picture", encoding="utf-8")
    page.set_input_files(CHOOSER, str(tmp_path / "letter.txt"))
    expect(page.get_by_role("alert")).to_contain_text("That is not a picture")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    page.set_input_files(CHOOSER, str(tmp_path / "broken.png"))
    expect(page.get_by_role("alert")).to_contain_text("damaged")
    visitor.trouble = [text for text in visitor.trouble if "422" not in text]


def test_a_page_that_was_corrected_stays_when_a_wrong_file_is_chosen(reading: Any, tmp_path: Path) -> None:
    page = reading.page
    page.locator(".page-text button").nth(3).focus()
    page.keyboard.press("<")
    (tmp_path / "letter.txt").write_text("no picture", encoding="utf-8")
    page.set_input_files(CHOOSER, str(tmp_path / "letter.txt"))
    expect(page.get_by_role("alert")).to_contain_text("That is not a picture")
    expect(page.locator(".page-text button").nth(3)).to_have_text("<")
    expect(page.locator(".page-text button").nth(3)).to_be_visible()


def test_the_page_is_read_again_once_the_characters_are_typed(reading: Any) -> None:
    page, asked = reading.page, []
    page.on("request", lambda request: asked.append(request) if request.url.endswith("/read") else None)
    page.get_by_label("Characters", exact=True).select_option("custom")
    expect(page.locator(".page-text p")).to_have_count(len(LINES))
    reading.until(lambda: len(asked) == 1)
    page.get_by_label("Characters that may be answered").press_sequentially("0-9", delay=20)
    page.wait_for_timeout(300)
    assert len(asked) == 1
    page.keyboard.press("Enter")
    reading.until(lambda: len(asked) == 2)
    expect(page.locator(".page-text p")).to_have_count(len(LINES))
    assert [line.replace(" ", "") for line in written(page)] == list(LINES)


def test_a_page_is_photographed(visit: Callable[..., Any]) -> None:
    """With a canvas for a camera; and without one."""
    visitor = visit(permissions=["camera"])
    page = visitor.go("read")
    page.evaluate(
        """() => {
          const canvas = document.createElement("canvas");
          canvas.width = 640; canvas.height = 480;
          const context = canvas.getContext("2d");
          context.fillStyle = "#fff"; context.fillRect(0, 0, 640, 480);
          context.lineWidth = 24; context.strokeStyle = "#000"; context.strokeRect(240, 120, 120, 220);
          setInterval(() => context.strokeRect(240, 120, 120, 220), 50);
          navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
        }"""
    )
    page.get_by_role("button", name="Photograph").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.locator(".page-text button")).to_have_count(1)
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no camera'); }; }"
    )
    page.get_by_role("button", name="Photograph").click()
    expect(page.locator(".toast")).to_contain_text("No camera")


def test_another_model_reads_the_page_again(reading: Any) -> None:
    page = reading.page
    with page.expect_response("**/api/v1/read") as answered:
        page.get_by_label("Model that answers").select_option("digits")
    assert answered.value.json()["model"] == "digits"
    expect(page.locator(".page-text p")).to_have_count(len(LINES))

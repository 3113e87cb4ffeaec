"""Draw, in a real browser: the answer follows the pen, and nothing drawn is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
expect = playwright.expect

KEPT = "My drawings"


def strokes_in(visitor: Any) -> int:
    """How many strokes the page sent last."""
    return len(visitor.sent[-1]["strokes"])


@pytest.fixture
def drawing(visitor: Any) -> Any:
    """A visitor on the Draw page, who remembers what was asked of the network, and how many questions at once."""
    visitor.sent, visitor.under_way, visitor.most_under_way = [], 0, 0

    def began(request: Any) -> None:
        if request.url.endswith("/predict/strokes"):
            visitor.sent.append(json.loads(request.post_data))
            visitor.under_way += 1
            visitor.most_under_way = max(visitor.most_under_way, visitor.under_way)

    def ended(answer: Any) -> None:
        visitor.under_way -= answer.url.endswith("/predict/strokes")

    visitor.page.on("request", began)
    # Not "requestfinished", of which word may come after the page has read the answer and asked again.
    visitor.page.on("response", ended)
    visitor.page.on("requestfailed", ended)
    visitor.go("draw")
    return visitor


def test_ten_digits_are_recognised_while_they_are_drawn(drawing: Any) -> None:
    page = drawing.page
    expect(page.locator(".answer-words")).to_have_text("Draw something")
    for digit in "0123456789":
        drawing.draw(digit)
        drawing.expect_answer(digit)
        expect(page.locator(".bar").first).to_contain_text(digit)
        expect(page.locator(".sees img")).to_have_js_property("naturalWidth", 28)
        page.keyboard.press("Delete")
        expect(page.locator(".answer-words")).to_have_text("Draw something")
    assert drawing.most_under_way == 1
    assert len(drawing.sent) > 30  # answers came between the points, not only after the strokes
    assert page.locator(".history-tile").count() == 10


def test_one_question_at_a_time_and_the_newest_wins(visitor: Any) -> None:
    page = visitor.go("draw")
    held: list[Any] = []
    page.route("**/predict/strokes", lambda route: held.append(route))
    (first, *others), *_ = visitor.path_of("7")
    page.mouse.move(*first)
    page.mouse.down()
    page.mouse.move(first[0] + 10, first[1])
    visitor.until(lambda: len(held) == 1)
    for point in others:  # many points while the answer is awaited
        page.mouse.move(*point, steps=12)
    page.wait_for_timeout(100)
    assert len(held) == 1
    held[0].continue_()
    visitor.until(lambda: len(held) == 2)  # one more, about everything that was drawn meanwhile
    (stroke,) = json.loads(held[1].request.post_data)["strokes"]
    box = page.locator(".pad").bounding_box()
    x, y = others[-1]
    assert stroke["points"][-1][:2] == pytest.approx([x - box["x"], y - box["y"]], abs=2)
    held[1].continue_()
    page.wait_for_timeout(100)
    assert len(held) == 2  # nothing new was drawn, nothing is asked
    page.unroute("**/predict/strokes")
    page.mouse.up()
    visitor.expect_answer("7")


def test_a_point_is_asked_about_at_once(visitor: Any) -> None:
    """In the very task that handles the pointer: no timer and no frame is waited for."""
    page = visitor.go("draw")
    asked = page.locator(".pad").evaluate(
        """canvas => {
          const ask = window.fetch;
          let asked = 0;
          window.fetch = (...request) => { asked += 1; return ask(...request); };
          canvas.setPointerCapture = () => {};
          const box = canvas.getBoundingClientRect();
          const mouse = { pointerId: 5, pointerType: "mouse", buttons: 1, bubbles: true, clientY: box.top + 60 };
          for (const [type, x] of [["pointerdown", 40], ["pointermove", 90]])
            canvas.dispatchEvent(new PointerEvent(type, { ...mouse, clientX: box.left + x }));
          window.fetch = ask;
          return asked;
        }"""
    )
    assert asked == 1


def test_undo_redo_clear_and_the_keys(drawing: Any) -> None:
    page = drawing.page
    drawing.draw("4")
    drawing.expect_answer("4")
    page.keyboard.press("Control+z")
    expect(page.locator(".answer-character")).not_to_have_text("4")
    drawing.until(lambda: strokes_in(drawing) == 1)
    page.keyboard.press("Control+y")
    drawing.expect_answer("4")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".answer-words")).to_have_text("Draw something")
    page.keyboard.press("Control+z")
    drawing.expect_answer("4")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".answer-words")).to_have_text("Draw something")
    size = float(page.get_by_label("Brush size").input_value())
    page.keyboard.press("]")
    assert float(page.get_by_label("Brush size").input_value()) > size
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Eraser")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Pen", exact=True)).to_have_attribute("aria-pressed", "true")


def test_single_keys_can_be_switched_off(drawing: Any) -> None:
    page = drawing.page
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Single keys are commands").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Pen", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_eraser_cuts_a_stroke_in_two_and_is_undone_as_one(drawing: Any) -> None:
    page = drawing.page
    drawing.draw("1")
    drawing.expect_answer("1")
    page.keyboard.press("e")
    (x, y), (_, below) = drawing.path_of("1")[0][3:5]
    page.mouse.move(x - 80, (y + below) / 2)
    page.mouse.down()
    page.mouse.move(x + 80, (y + below) / 2, steps=12)
    page.mouse.up()
    drawing.until(lambda: strokes_in(drawing) == 2)
    page.keyboard.press("Control+z")
    drawing.until(lambda: strokes_in(drawing) == 1)


def test_characters_side_by_side_are_read_as_a_line(drawing: Any) -> None:
    page = drawing.page
    for place, digit in enumerate("427"):
        drawing.draw(digit, at=0.25 + 0.25 * place, scale=0.4)
    drawing.expect_answer("427")
    expect(page.locator(".line-characters li")).to_have_count(3)
    page.get_by_text("What may be answered").click()
    page.get_by_label("Several characters").select_option("no")
    expect(page.locator(".line-characters")).to_be_hidden()


def test_answers_can_be_restricted(drawing: Any) -> None:
    page = drawing.page
    page.get_by_text("What may be answered").click()
    page.get_by_label("Characters", exact=True).select_option("letters")
    drawing.draw("0")
    drawing.expect_answer("O")
    page.get_by_label("Characters", exact=True).select_option("digits")
    drawing.expect_answer("0")
    page.get_by_label("Characters", exact=True).select_option("custom")
    page.get_by_label("Characters that may be answered").fill("xoz")
    expect(page.locator(".answer-character")).to_have_text("o", ignore_case=True)
    page.get_by_label("Characters that may be answered").fill("ж")
    expect(page.get_by_role("alert")).to_contain_text("does not know")
    drawing.trouble = [text for text in drawing.trouble if "422" not in text]  # the browser's note of the refusal


def test_another_model_answers_at_once(drawing: Any) -> None:
    drawing.draw("A")
    drawing.expect_answer("A")
    drawing.page.get_by_label("Model that answers").select_option("digits")
    expect(drawing.page.locator(".answer-character")).to_have_text("4")
    assert drawing.sent[-1]["model"] == "digits"


def test_touch_draws_and_pens_press(visit: Callable[..., Any]) -> None:
    visitor = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=3)
    page = visitor.go("draw")
    (path,) = visitor.path_of("3")
    session = visitor.context.new_cdp_session(page)
    for kind, points in (("touchStart", path[:1]), *(("touchMove", [point]) for point in path[1:]), ("touchEnd", [])):
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": 1} for x, y in points]}
        )
    visitor.expect_answer("3")
    assert page.evaluate("scrollY") == 0  # drawing does not scroll the page
    canvas = page.locator(".pad")
    assert canvas.evaluate("c => c.width / c.clientWidth") == pytest.approx(3, abs=0.02)
    sent: list[dict[str, Any]] = []
    page.on("request", lambda r: r.url.endswith("/strokes") and sent.append(json.loads(r.post_data)))
    visitor.page.get_by_role("button", name="Clear").click()
    canvas.evaluate(
        """canvas => {
          const box = canvas.getBoundingClientRect();
          canvas.setPointerCapture = () => {};
          const pen = { pointerId: 7, pointerType: "pen", button: 0, buttons: 1, bubbles: true, clientY: box.top + 60 };
          const fire = (type, x, pressure) =>
            canvas.dispatchEvent(new PointerEvent(type, { ...pen, clientX: box.left + x, pressure }));
          fire("pointerdown", 40, 0.2); fire("pointermove", 90, 0.9); fire("pointerup", 90, 0);
        }"""
    )
    visitor.until(lambda: bool(sent) and [point[2] for point in sent[-1]["strokes"][0]["points"]] == [0.2, 0.9])


def test_the_keyboard_draws(drawing: Any) -> None:
    page = drawing.page
    page.locator(".pad").focus()
    for key in ["ArrowUp"] * 6 + [" "] + ["ArrowDown"] * 14 + [" "]:
        page.keyboard.press(key)
    expect(page.locator(".answer-character")).to_have_text(re.compile("^[1IL]$"))  # a stroke straight down may be any
    for _ in range(50):  # the pad asks at most once at a time: the last question may still be on its way
        if len(drawing.sent[-1]["strokes"][0]["points"]) == 15:
            break
        page.wait_for_timeout(100)
    drawing.until(lambda: len(drawing.sent[-1]["strokes"][0]["points"]) == 15)


def test_undo_lifts_the_pen_of_the_keyboard(drawing: Any) -> None:
    page = drawing.page
    pad = page.locator(".pad")
    pad.focus()
    stroke = [" ", "ArrowRight", " ", "ArrowDown"]
    for key in [*stroke, *stroke, " ", "ArrowRight"]:
        page.keyboard.press(key)
    expect(pad).to_have_accessible_name("Canvas to draw on, pen down")
    page.keyboard.press("Control+z")  # the stroke under way, and the one before it
    expect(pad).to_have_accessible_name("Canvas to draw on")
    for key in ["ArrowRight", *stroke]:
        page.keyboard.press(key)
    drawing.until(lambda: [len(one["points"]) for one in drawing.sent[-1]["strokes"]] == [2, 2])
    for key in [" ", "ArrowRight", "Delete", "ArrowRight", *stroke]:
        page.keyboard.press(key)
    drawing.until(lambda: [len(one["points"]) for one in drawing.sent[-1]["strokes"]] == [2])
    expect(pad).to_have_accessible_name("Canvas to draw on, pen up")
    pad.blur()
    expect(pad).to_have_accessible_name("Canvas to draw on")


def test_wrong_keeps_the_drawing_with_its_label(drawing: Any, home: Any) -> None:
    page = drawing.page
    drawing.draw("7")
    drawing.expect_answer("7")
    page.keyboard.press("w")
    page.get_by_label("The character you drew").fill("ß")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Kept as “ß”")
    (counts,) = [one for one in drawing.api("alphabets")["alphabets"] if one["name"] == KEPT]
    assert {"label": "ß", "count": 1} in counts["classes"]
    assert len(list((home / "drawings").glob("*/ß/*.png"))) == 1
    expect(page.get_by_role("link", name="kept drawing")).to_be_visible()
    expect(page.locator(".history-tile").first).to_have_accessible_name("Bring back the drawing labelled ß")


def test_a_label_that_is_pressed_twice_keeps_the_drawing_once(drawing: Any) -> None:
    def kept() -> int:
        return sum(one["samples"] for one in drawing.api("alphabets")["alphabets"] if one["name"] == KEPT)

    page, before = drawing.page, kept()
    drawing.draw("7")
    drawing.expect_answer("7")
    page.keyboard.press("w")
    page.locator(".chips button").first.dblclick()
    expect(page.locator(".toast")).to_contain_text("Kept as")
    page.wait_for_timeout(300)  # for a second one to arrive
    assert kept() == before + 1


def test_wrong_about_a_line_keeps_each_character(drawing: Any) -> None:
    page = drawing.page
    for place, digit in enumerate("42"):
        drawing.draw(digit, at=0.3 + 0.3 * place, scale=0.4)
    drawing.expect_answer("42")
    page.get_by_role("button", name="Wrong?").click()
    page.get_by_label("The character you drew").fill("é")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("All 2 characters")
    page.get_by_label("The character you drew").fill("éú")
    page.keyboard.press("Enter")
    expect(page.locator(".answer-words")).to_have_text("Draw something")
    expect(page.locator(".toast").last).to_contain_text("Kept as “éú”")
    classes = {one["label"]: one["count"] for one in drawing.api("samples?alphabet=My%20drawings")["classes"]}
    assert classes["é"] == classes["ú"] == 1


def test_former_drawings_come_back_after_a_reload(drawing: Any) -> None:
    page = drawing.page
    drawing.draw("5")
    drawing.expect_answer("5")
    page.get_by_role("link", name="Read").click()
    page.get_by_role("heading", name="Read").wait_for()
    page.reload()
    page.get_by_role("link", name="Draw").click()
    expect(page.locator(".answer-words")).to_have_text("Draw something")
    page.locator(".history-tile").first.click()
    drawing.expect_answer("5")
    with page.expect_download() as started:
        page.get_by_role("button", name="Export").click()
    exported = json.loads(started.value.path().read_text(encoding="utf-8"))
    assert exported["format"] == "glyphlab-drawings-1" and exported["drawings"][0]["text"] == "5"
    page.get_by_role("button", name="Forget all").click()
    expect(page.locator(".history-tile")).to_have_count(0)
    page.get_by_role("button", name="Undo").last.click()
    expect(page.locator(".history-tile")).to_have_count(1)


def test_a_full_service_is_asked_again(drawing: Any) -> None:
    page = drawing.page
    refused = {"left": 1}

    def answer(route: Any) -> None:
        if refused["left"]:
            refused["left"] -= 1
            body = '{"error": {"code": "busy", "message": "full", "cure": ""}}'
            route.fulfill(status=503, headers={"Retry-After": "1", "Content-Type": "application/json"}, body=body)
        else:
            route.continue_()

    page.route("**/predict/strokes", answer)
    drawing.draw("6")
    drawing.expect_answer("6")
    assert refused["left"] == 0
    drawing.trouble = [text for text in drawing.trouble if "503" not in text]

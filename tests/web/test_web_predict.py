"""Answers for pictures, drawings and pages; and what is refused."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydantic
import pytest
from PIL import Image
from starlette.testclient import TestClient

from glyphlab.imaging.picture import load_picture
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.web.answers import Wish
from glyphlab.web.limits import Limits
from glyphlab.web.refusals import busy
from glyphlab.web.strokes import Stroke, render
from glyphlab.web.uploads import check_picture, data_url, for_keeping, from_data_url, png

SEVEN = {"points": [[40, 40], [200, 42], [110, 260]], "size": 18}
ONE = {"points": [[300, 40], [300, 260]], "size": 18}


def post(client: TestClient, path: str, content: bytes, **fields: Any) -> Any:
    return client.post(f"/api/v1{path}", files={"file": ("a.png", content)}, data=fields)


def announced(width: int, height: int) -> bytes:
    """The beginning of a PNG file that promises so many pixels, and nothing behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return start + struct.pack(">I", 1_000) + b"IDAT"


def test_a_picture_is_answered_as_the_command_line_answers(
    client: TestClient, seven: bytes, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    (tmp_path / "seven.png").write_bytes(seven)
    answer = post(client, "/predict", seven, top=3, coverage=0.95).json()
    told = cli("predict", tmp_path / "seven.png", "-m", "digits", "--json", "--coverage", 0.95, "--min-confidence", 0.5)
    (expected,) = json.loads(told.out)["predictions"]
    assert answer["character"] == expected["character"] == "7"
    assert answer["probability"] == expected["probability"]
    assert answer["sure"] == expected["certain"]
    assert answer["set"] == expected["prediction_set"]
    assert [[a["character"], a["probability"]] for a in answer["alternatives"]] == expected["alternatives"]
    assert answer["model"] == "digits"


def test_the_glyph_is_what_the_network_was_shown(client: TestClient, seven: bytes) -> None:
    answer = post(client, "/predict", seven).json()
    glyph = load_picture(base64.b64decode(answer["glyph"].removeprefix("data:image/png;base64,")))
    probs = Recognizer.load("digits").predict_glyphs(glyph[None])[0]
    assert glyph.shape == (28, 28)
    assert round(float(probs[7]), 6) == answer["probability"]


def test_a_blank_picture_is_no_error(client: TestClient, blank: bytes) -> None:
    answer = post(client, "/predict", blank)
    assert answer.status_code == 200
    assert (answer.json()["blank"], answer.json()["character"], answer.json()["set"]) == (True, None, [])


def test_only_restricts_the_answer(client: TestClient, seven: bytes) -> None:
    answer = post(client, "/predict", seven, only="12").json()
    assert {answer["character"], *(a["character"] for a in answer["alternatives"])} == {"1", "2"}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "picture"),
        (b"hello", 415, "format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "format"),
        (b"\x89PNG\r\n\x1a\n", 422, "picture"),
        (announced(5_001, 5_000), 413, "too_many_pixels"),
        (announced(60_000, 60_000), 422, "picture"),
        (announced(100, 100), 422, "picture"),
    ],
)
def test_what_is_no_usable_picture_is_refused(client: TestClient, content: bytes, status: int, code: str) -> None:
    answer = post(client, "/predict", content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_a_picture_that_was_cut_short_is_refused_with_the_cure(client: TestClient) -> None:
    noise = np.random.default_rng(8).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    error = post(client, "/predict", whole[: len(whole) // 2]).json()["error"]
    assert error["message"].startswith("damaged (") and "truncated" in error["message"]
    assert error["cure"] == "save or copy the picture again"


def test_a_bomb_is_refused_by_its_header_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(Exception, match="25,005,000 pixels"):
        check_picture(announced(5_001, 5_000), 25_000_000)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_every_format_is_read(client: TestClient, seven: bytes, format: str) -> None:
    content = io.BytesIO()
    Image.open(io.BytesIO(seven)).save(content, format)
    assert post(client, "/predict", content.getvalue()).json()["character"] == "7"


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"model": "nonsense"}, 404, "no model 'nonsense'"),
        ({"model": "digit"}, 404, "no model 'digit'"),
        ({"model": "../../etc/passwd"}, 404, "no model"),
        ({"only": "xyz"}, 422, "does not know x y z"),
        ({"coverage": 1.5}, 422, "coverage"),
        ({"top": -1}, 422, "top"),
    ],
)
def test_mistakes_in_the_wish_are_said(
    client: TestClient, seven: bytes, fields: dict[str, Any], status: int, said: str
) -> None:
    answer = post(client, "/predict", seven, **fields)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_a_form_without_a_file_is_refused(client: TestClient, seven: bytes) -> None:
    kinds: list[dict[str, Any]] = [
        {"data": {"model": "digits"}},
        {"data": {"file": "text"}},
        {"json": {"file": "text"}},
        {"content": b""},
        {"files": {"other": ("a.png", seven)}},
    ]
    for kind in kinds:
        answer = client.post("/api/v1/predict", **kind)
        assert answer.status_code == 422
        assert answer.json()["error"]["message"].startswith("file: Field required")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=b", "multipart/form-data; boundary=b; charset=x"],
)
def test_a_body_that_is_no_form_is_refused(client: TestClient, content_type: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--b--\r\n'
        if "charset" in content_type
        else b"--x"
    )
    answer = client.post("/api/v1/predict", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["cure"]


def test_empty_and_unknown_fields_have_no_meaning(client: TestClient, seven: bytes) -> None:
    answer = post(client, "/predict", seven, only="", coverage="", model="", other="x").json()
    assert (answer["character"], answer["model"]) == ("7", "digits")


def test_a_field_that_is_a_file_is_refused(client: TestClient, seven: bytes) -> None:
    answer = client.post("/api/v1/predict", files={"file": ("a.png", seven), "model": ("b.png", seven)})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("model:")


def test_many_pictures_get_an_answer_each(client: TestClient, seven: bytes, blank: bytes) -> None:
    files = [("files", ("a.png", content)) for content in (seven, b"nothing", blank, seven)]
    answers = client.post("/api/v1/predict/many", files=files).json()["answers"]
    assert [answer.get("character") for answer in answers] == ["7", None, None, "7"]
    assert answers[1]["error"]["code"] == "format"
    assert answers[2]["blank"]


def test_too_many_pictures_are_refused(serve: Callable[..., TestClient], seven: bytes) -> None:
    files = [("files", ("a.png", seven))] * 3
    answer = serve(limits=Limits(files=2)).post("/api/v1/predict/many", files=files)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_files")


def test_after_a_refusal_no_other_of_many_pictures_is_begun(
    serve: Callable[..., TestClient], seven: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, begun = serve(limits=Limits(glyph_threads=2)), []

    async def full(content: bytes, wish: Wish) -> bytes:
        begun.append(content)
        if len(begun) == 1:
            raise busy("all places are taken")
        await asyncio.sleep(0.001)
        return b"{}"

    monkeypatch.setattr(client.app.state.service, "answer", full)  # type: ignore[attr-defined]
    answer = client.post("/api/v1/predict/many", files=[("files", ("a.png", seven))] * 20)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    time.sleep(0.1)
    assert len(begun) == 2


def test_strokes_are_answered_as_their_picture_is(client: TestClient) -> None:
    drawn = client.post("/api/v1/predict/strokes", json={"strokes": [SEVEN]}).json()
    drawing = render([Stroke.of(SEVEN["points"], 18)])  # type: ignore[arg-type]
    assert drawing is not None
    uploaded = post(client, "/predict", png(drawing.image)).json()
    assert drawn.pop("line") is None
    del drawn["milliseconds"], uploaded["milliseconds"]
    assert drawn == uploaded
    assert drawn["character"] == "7"


def test_characters_side_by_side_are_read_as_a_line(client: TestClient) -> None:
    both = {"strokes": [SEVEN, ONE]}
    line = client.post("/api/v1/predict/strokes", json=both).json()["line"]
    assert line["text"] == "71"
    second = line["characters"][1]
    assert second["box"] == pytest.approx([291, 31, 18, 238], abs=3)
    assert second["set"][0] == "1"
    assert client.post("/api/v1/predict/strokes", json={**both, "line": False}).json()["line"] is None
    single = client.post("/api/v1/predict/strokes", json={"strokes": [SEVEN], "line": True}).json()["line"]
    assert single["text"] == "7"


def test_an_empty_canvas_is_blank(client: TestClient) -> None:
    for strokes in ([], [{"points": []}]):
        answer = client.post("/api/v1/predict/strokes", json={"strokes": strokes}).json()
        assert (answer["blank"], answer["line"]) == (True, None)


@pytest.mark.parametrize(
    "body",
    [
        '{"strokes": [{"points": [[1]]}]}',
        '{"strokes": [{"points": [[1, NaN]]}]}',
        '{"strokes": [{"points": [["a", 2]]}]}',
        '{"strokes": [{"points": [[1, 2]], "size": 0}]}',
        '{"strokes": [], "unknown": 1}',
        '{"strokes": [], "model": "\\ud800"}',
        '{"strokes": [], "\\ud800": 1}',
        '{"strokes": [], "width": -1}',
        "[]",
        "{",
        "",
        "[" * 50_000,
    ],
)
def test_drawings_that_make_no_sense_are_refused(client: TestClient, body: str) -> None:
    answer = client.post("/api/v1/predict/strokes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 404, 422)
    assert set(answer.json()["error"]) == {"code", "message", "cure"}


@pytest.mark.skipif(not hasattr(pydantic, "FailFast"), reason="pydantic describes them all before 2.8")
def test_of_many_mistakes_in_a_drawing_the_first_is_described(client: TestClient, seven: bytes) -> None:
    for strokes, where in (([1] * 9, "strokes.0"), ([{"points": [1] * 9}] * 9, "strokes.0.points.0")):
        for path in ("/predict/strokes", "/explain"):
            error = client.post(f"/api/v1{path}", json={"strokes": strokes}).json()["error"]
            assert error["message"].startswith(f"{where}: ")
            assert "more)" not in error["message"]


def test_marks_too_small_for_a_character_are_refused_in_words_of_whoever_drew_them(client: TestClient) -> None:
    dots = [{"points": [[x, y]], "size": 4} for x in range(20, 281, 25) for y in range(20, 281, 25)]
    error = client.post("/api/v1/predict/strokes", json={"strokes": dots}).json()["error"]
    assert error["message"] == "no ink: nothing is left that could be a character"
    specks = post(client, "/predict", png(render([Stroke.of(dot["points"], 4) for dot in dots]).image))  # type: ignore[union-attr,arg-type]
    assert specks.json()["error"] == error


def test_too_many_points_are_refused(serve: Callable[..., TestClient]) -> None:
    client = serve(limits=Limits(points=10))
    answer = client.post("/api/v1/predict/strokes", json={"strokes": [{"points": [[1, 2]] * 11}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_points")


@pytest.fixture(scope="module")
def page() -> bytes:
    image = np.full((200, 520), 255, dtype=np.uint8)
    for row, text in enumerate(("1 7", "71")):
        for place, character in enumerate(text):
            left, top = 40 + 70 * place, 20 + 90 * row
            if character == "7":
                line = np.array([(left, top), (left + 40, top), (left + 14, top + 60)], dtype=np.int32)
                cv2.polylines(image, [line], False, 0, 7, cv2.LINE_AA)
            elif character == "1":
                cv2.line(image, (left + 20, top), (left + 20, top + 60), 0, 7, cv2.LINE_AA)
    return png(image)


def test_a_page_is_read_with_places(client: TestClient, page: bytes) -> None:
    found = post(client, "/read", page).json()
    assert found["text"] == "1 7\n71"
    assert (found["width"], found["height"]) == (520, 200)
    (word,) = found["lines"][1]["words"]
    first = word["characters"][0]
    assert first["character"] == "7"
    x, y, width, height = first["box"]
    assert (x, y, width, height) == pytest.approx((37, 107, 47, 67), abs=4)
    assert first["set"][0] == "7"
    assert isinstance(first["sure"], bool)


@pytest.mark.parametrize(
    ("format", "begins"),
    [("txt", "1 7\n71"), ("json", "{"), ("hocr", "<?xml"), ("tsv", "level\t"), ("alto", "<?xml")],
)
def test_a_page_is_given_as_a_file(client: TestClient, page: bytes, format: str, begins: str) -> None:
    answer = client.post(f"/api/v1/read?format={format}", files={"file": ("secret-name.png", page)})
    assert answer.text.startswith(begins)
    assert answer.headers["content-disposition"].startswith('attachment; filename="page.')
    assert "secret-name" not in answer.text


def test_a_language_that_is_not_known_is_refused(client: TestClient, page: bytes) -> None:
    assert post(client, "/read", page, language="xx").status_code == 422


def test_a_full_service_says_so_and_recovers(serve: Callable[..., TestClient], seven: bytes) -> None:
    client = serve()
    lane = client.app.state.service.glyphs  # type: ignore[attr-defined]
    lane.capacity = 0
    answer = post(client, "/predict", seven)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "busy"
    lane.capacity = 10
    assert post(client, "/predict", seven).status_code == 200


def test_explain_sends_the_glyph_to_whoever_looks(client: TestClient, looker: Any, seven: bytes) -> None:
    looker.answers["explain"] = {"character": "7", "images": [{"title": "maps", "png": "data:,"}]}
    for answer in (
        client.post("/api/v1/explain", json={"strokes": [SEVEN], "what": "maps"}),
        client.post("/api/v1/explain", files={"file": ("a.png", seven)}, data={"what": "maps"}),
        client.post("/api/v1/explain", json={"glyph": data_url(seven), "what": "maps"}),
    ):
        assert answer.json() == {"model": "digits", **looker.answers["explain"]}
        question, facts = looker.asked[-1]
        assert (question, facts["shape"], facts["what"]) == ("explain", [28, 28], "maps")
        assert len(base64.b64decode(facts["glyph"])) == 28 * 28
        assert facts["only"] is None
    client.post("/api/v1/explain", json={"strokes": [SEVEN], "only": "0-5"})
    assert looker.asked[-1][1]["only"] == "0-5"
    assert "did you mean 'digits'" in client.post("/api/v1/explain", json={"strokes": [SEVEN], "only": "digit"}).text
    assert client.post("/api/v1/explain", json={"strokes": []}).status_code == 422
    assert client.post("/api/v1/explain", json={"what": "everything"}).status_code == 422


def test_kept_pictures_hold_nothing_but_pixels_and_are_prepared_to_the_same(seven: bytes) -> None:
    with_facts = io.BytesIO()
    image = Image.open(io.BytesIO(seven)).convert("RGB").resize((1400, 1400))
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    image.save(with_facts, "JPEG", exif=exif, quality=95)
    kept = for_keeping(with_facts.getvalue(), 10_000_000)
    assert b"where I live" in with_facts.getvalue()
    assert b"where I live" not in kept
    assert np.array_equal(load_picture(kept), load_picture(with_facts.getvalue(), enough=600))


@pytest.mark.parametrize("text", ["", "data:image/svg+xml;base64,AAAA", "data:image/png;base64,???"])
def test_addresses_that_are_no_pictures_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="a picture given as text"):
        from_data_url(text)


def test_62_drawn_characters_are_answered_exactly_as_the_command_line_answers(
    client: TestClient, real_data: Path, cli: Callable[..., Any]
) -> None:
    pictures = [sorted(folder.iterdir())[0] for folder in sorted((real_data / "drawn-characters").iterdir())]
    told = cli("predict", *pictures, "-m", "characters", "--json", "--coverage", 0.95, "--min-confidence", 0.5)
    expected = json.loads(told.out)["predictions"]
    assert len(expected) == 62
    for picture, wanted in zip(pictures, expected, strict=True):
        answer = post(client, "/predict", picture.read_bytes(), model="characters", top=3).json()
        assert answer["character"] == wanted["character"], picture
        assert answer["probability"] == wanted["probability"], picture
        assert answer["set"] == wanted["prediction_set"], picture
        assert [[a["character"], a["probability"]] for a in answer["alternatives"]] == wanted["alternatives"]

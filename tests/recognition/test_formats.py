from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from glyphlab.errors import ImageError
from glyphlab.imaging import picture as picture_module
from glyphlab.imaging.box import Box
from glyphlab.recognition.documents import page_name, pages_of
from glyphlab.recognition.formats import WRITERS, as_alto, as_hocr, as_json, as_text, as_tsv
from glyphlab.recognition.reader import Character, Line, Page, Word


def word(text: str, left: int, top: int) -> Word:
    return Word(
        tuple(
            Character(
                char, 0.81 if char == "&" else 1.0, Box(left + 20 * i, top, left + 20 * i + 15, top + 30), (("Q", 0.1),)
            )
            for i, char in enumerate(text)
        )
    )


PAGE = Page((Line((word("go", 10, 20), word("on", 90, 22))), Line((word('<&"', 12, 80),))), 300, 200, -1.234)
BLANK = Page((), 50, 40)
PAGES = [("a <b>.png", PAGE), ("c.png", BLANK)]
ALTO = {"a": "http://www.loc.gov/standards/alto/ns-v4#"}
HTML = {"h": "http://www.w3.org/1999/xhtml"}


def test_text_has_a_line_a_line_and_a_form_feed_between_pages() -> None:
    assert as_text(PAGES) == 'go on\n<&"\n\f'
    assert as_text(PAGES[1:]) == "" and as_text([]) == ""


def test_json_holds_everything() -> None:
    first, second = json.loads(as_json(PAGES))["pages"]
    assert (first["file"], first["width"], first["height"], first["skew_degrees"]) == ("a <b>.png", 300, 200, -1.23)
    assert first["text"] == PAGE.text and first["lines"][0]["box"] == [10, 20, 125, 52]
    last = first["lines"][1]["words"][0]
    assert last["text"] == '<&"' and last["probability"] == pytest.approx(0.81 ** (1 / 3), abs=1e-6)
    assert last["characters"][1] == {
        "text": "&",
        "box": [32, 80, 47, 110],
        "probability": 0.81,
        "alternatives": [["Q", 0.1]],
    }
    assert second["lines"] == [] and second["text"] == ""


def test_tsv_has_tesseracts_columns_and_levels() -> None:
    rows = list(csv.DictReader(io.StringIO(as_tsv(PAGES)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert list(rows[0]) == [
        *("level", "page_num", "block_num", "par_num", "line_num", "word_num"),
        *("left", "top", "width", "height", "conf", "text"),
    ]
    assert [int(row["level"]) for row in rows] == [1, 2, 3, 4, 5, 5, 4, 5, 1]
    words = [row for row in rows if row["level"] == "5"]
    assert [row["text"] for row in words] == ["go", "on", '<&"']
    assert [(row["line_num"], row["word_num"]) for row in words] == [("1", "1"), ("1", "2"), ("2", "1")]
    assert (words[1]["left"], words[1]["top"], words[1]["width"], words[1]["height"]) == ("90", "22", "35", "30")
    assert float(words[0]["conf"]) == 100 and all(row["conf"] == "-1" for row in rows if row["level"] != "5")
    assert rows[-1]["page_num"] == "2" and rows[-1]["width"] == "50"


def test_hocr_is_xml_with_boxes_and_confidences() -> None:
    root = ElementTree.fromstring(as_hocr(PAGES).split("\n", 2)[2])
    pages = root.findall(".//h:div[@class='ocr_page']", HTML)
    assert [page.get("title") for page in pages] == [
        'image "a <b>.png"; bbox 0 0 300 200; ppageno 0',
        'image "c.png"; bbox 0 0 50 40; ppageno 1',
    ]
    words = root.findall(".//h:span[@class='ocrx_word']", HTML)
    assert ["".join(found.itertext()) for found in words] == ["go", "on", '<&"']
    assert words[1].get("title") == "bbox 90 22 125 52; x_wconf 100"
    characters = words[2].findall("h:span[@class='ocrx_cinfo']", HTML)
    assert characters[1].get("title") == "x_bboxes 32 80 47 110; x_conf 81.00"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_alto_is_xml_with_strings_spaces_and_glyphs() -> None:
    root = ElementTree.fromstring(as_alto(PAGES).encode())
    assert [page.get("WIDTH") for page in root.findall(".//a:Page", ALTO)] == ["300", "50"]
    assert root.find(".//a:fileName", ALTO) is None
    strings = root.findall(".//a:String", ALTO)
    assert [string.get("CONTENT") for string in strings] == ["go", "on", '<&"']
    assert [string.get(key) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT") for string in strings[1:2]] == [
        *("90", "22", "35", "30")
    ]
    (space,) = root.findall(".//a:SP", ALTO)
    assert (space.get("HPOS"), space.get("WIDTH")) == ("45", "45")
    glyph = strings[2].findall("a:Glyph", ALTO)[1]
    assert (glyph.get("CONTENT"), glyph.get("GC")) == ("&", "0.8100")
    variant = glyph.find("a:Variant", ALTO)
    assert variant is not None and (variant.get("CONTENT"), variant.get("VC")) == ("Q", "0.1000")
    single = ElementTree.fromstring(as_alto(PAGES[:1]).encode())
    name = single.find(".//a:fileName", ALTO)
    assert name is not None and name.text == "a <b>.png"
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(ids) == len(set(ids))


def test_names_of_files_can_be_anything() -> None:
    strange = [('we"ird; \x07\n.png', PAGE)]
    ElementTree.fromstring(as_alto(strange).encode())
    root = ElementTree.fromstring(as_hocr(strange).split("\n", 2)[2])
    page = root.find(".//h:div[@class='ocr_page']", HTML)
    assert page is not None and page.get("title") == 'image "we?ird? ??.png"; bbox 0 0 300 200; ppageno 0'


def test_every_writer_takes_no_pages() -> None:
    for write in WRITERS.values():
        assert isinstance(write([]), str)


def test_a_tiff_has_pages_and_a_gif_has_one(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((40, 30 + i), 60 * i, dtype=np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / "scan.tif", save_all=True, append_images=frames[1:])
    found = list(pages_of(tmp_path / "scan.tif"))
    assert [number for number, _ in found] == [1, 2, 3]
    for number, pixels in found:
        assert isinstance(pixels, np.ndarray)
        assert pixels.shape == (40, 29 + number) and (pixels == 60 * (number - 1)).all()
    assert [page_name("a/scan.tif", number) for number, _ in found] == ["a/scan.tif", "a/scan.tif#2", "a/scan.tif#3"]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:2])
    assert len(list(pages_of(tmp_path / "moving.gif"))) == 1


def test_a_photo_with_a_preview_inside_is_one_page(tmp_path: Path) -> None:
    photo = Image.fromarray(np.full((60, 90), 200, dtype=np.uint8))
    photo.save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=[photo.reduce(3)])
    with Image.open(tmp_path / "photo.jpg") as opened:
        assert (opened.format, getattr(opened, "n_frames", 1)) == ("MPO", 2)
    ((number, pixels),) = pages_of(tmp_path / "photo.jpg")
    assert number == 1 and isinstance(pixels, np.ndarray) and pixels.shape == (60, 90)


def test_smaller_copies_of_its_pages_in_a_tiff_are_not_pages(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((60, 90), grey, dtype=np.uint8)) for grey in (100, 200)]
    copies = [page.reduce(3) for page in pages]
    for copy in copies:
        copy.encoderinfo = {"tiffinfo": {254: 1}}  # NewSubfileType: a reduced-resolution version of another image
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=[copies[0], pages[1], copies[1]])
    found = [np.asarray(pixels) for _, pixels in pages_of(tmp_path / "scan.tif")]
    assert [(pixels.shape, int(pixels[0, 0])) for pixels in found] == [((60, 90), 100), ((60, 90), 200)]
    copies[0].save(tmp_path / "odd.tif", tiffinfo={254: 1}, save_all=True, append_images=copies[1:])
    assert [np.shape(pixels) for _, pixels in pages_of(tmp_path / "odd.tif")] == [(20, 30)]


def test_pages_keep_their_range_of_values(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.array([[0, top]], dtype=np.uint16)) for top in (4095, 65535)]
    frames[0].save(tmp_path / "scan.tif", save_all=True, append_images=frames[1:])
    assert [np.asarray(pixels).tolist() for _, pixels in pages_of(tmp_path / "scan.tif")] == [[[0, 255]]] * 2


@pytest.mark.parametrize("limit_of", ["ours", "Pillow's"])
def test_a_page_of_too_many_pixels_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_of: str
) -> None:
    frames = [Image.new("L", size) for size in ((30, 40), (60, 50), (20, 10))]
    frames[0].save(tmp_path / "scan.tif", save_all=True, append_images=frames[1:])
    module, name = (picture_module, "MAX_PIXELS") if limit_of == "ours" else (Image, "MAX_IMAGE_PIXELS")
    monkeypatch.setattr(module, name, 2000)
    decoded: list[tuple[int, int]] = []
    load = TiffImagePlugin.TiffImageFile.load
    monkeypatch.setattr(
        TiffImagePlugin.TiffImageFile, "load", lambda picture: decoded.append(picture.size) or load(picture)
    )
    (_, first), (_, second), (_, third) = pages_of(tmp_path / "scan.tif")
    assert np.shape(first) == (40, 30) and np.shape(third) == (10, 20)
    assert isinstance(second, ImageError) and "scan.tif, page 2 of 3: " in str(second) and "2,000" in str(second)
    assert (60, 50) not in decoded


def test_a_bad_file_is_named_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    ((number, error),) = pages_of(tmp_path / "bad.png")
    assert number == 1 and isinstance(error, ImageError)
    assert "bad.png: not a picture" in str(error)
    ((_, missing),) = pages_of(tmp_path / "none.tif")
    assert isinstance(missing, ImageError) and "none.tif: No such file" in str(missing)


def test_a_pdf_needs_a_library_or_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    ((_, error),) = pages_of(tmp_path / "letter.pdf")
    assert isinstance(error, ImageError)
    assert "letter.pdf: reading PDF files needs pypdfium2, which is not installed; install it with" in str(error)


def test_pages_of_a_pdf_are_drawn_at_200_dpi(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    Image.fromarray(np.full((300, 200), 255, dtype=np.uint8)).save(tmp_path / "page.pdf", resolution=100)
    ((_, pixels),) = pages_of(tmp_path / "page.pdf")
    assert isinstance(pixels, np.ndarray) and pixels.shape[:2] == (600, 400)
    (tmp_path / "bad.pdf").write_bytes(b"nothing")
    ((_, error),) = pages_of(tmp_path / "bad.pdf")
    assert isinstance(error, ImageError) and "not a PDF file that can be opened" in str(error)

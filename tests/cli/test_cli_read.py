from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from glyphlab.cli.read import read
from glyphlab.errors import GlyphlabError, ImageError, RunError
from glyphlab.imaging.box import Box
from glyphlab.recognition import reader
from glyphlab.recognition.reader import Character, Line, Page, Word
from glyphlab.recognition.recognizer import Recognizer


class Asked:
    """What the command asked of the reader."""

    def __init__(self) -> None:
        self.options: list[dict[str, object]] = []
        self.alphabets: list[str | None] = []

    def rule(self, *, only: str | None = None) -> None:
        self.alphabets.append(only)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """The model and the reader replaced: a page reads as its width; one of 13 columns cannot be read, one of
    14 is blank."""
    asked = Asked()

    def read_page(model: object, pixels: np.ndarray, **options: object) -> Page:
        height, width = pixels.shape[:2]
        if width == 13:
            raise ImageError("too many marks")
        asked.options.append(options)
        if width == 14:
            return Page((), width, height)
        word = Word(tuple(Character(char, 0.9, Box(2, 2, 8, 9)) for char in str(width)))
        return Page((Line((word,)),), width, height)

    monkeypatch.setattr(Recognizer, "load", classmethod(lambda cls, model: asked))
    monkeypatch.setattr(reader, "read", read_page)
    yield asked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for width in (20, 30):
        Image.fromarray(np.full((24, width), 255, dtype=np.uint8)).save(tmp_path / f"page{width}.png")
    return tmp_path


def run(*args: object) -> Result:
    app = typer.Typer()
    app.command()(read)
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_text_of_pages_goes_to_standard_output(asked: Asked, folder: Path) -> None:
    done = run(folder / "page20.png", folder / "page30.png")
    assert (done.exit_code, done.stdout) == (0, "20\n\f30\n")
    assert asked.options[0] == {"only": None, "context": True, "language": "en"}


def test_options_reach_the_reader(asked: Asked, folder: Path) -> None:
    assert run(folder, "--only", "0-9", "--no-context", "--language", "none").exit_code == 0
    assert asked.options == [{"only": "0-9", "context": False, "language": "none"}] * 2
    assert asked.alphabets == ["0-9"]


def test_formats(asked: Asked, folder: Path) -> None:
    document = json.loads(run(folder, "--json").stdout)
    assert [page["text"] for page in document["pages"]] == ["20", "30"]
    assert run(folder, "--tsv").stdout.startswith("level\tpage_num\t")
    for option in ("--hocr", "--alto"):
        text = run(folder, option).stdout
        ElementTree.fromstring(text.split("\n", 2)[2] if option == "--hocr" else text.encode())
    refused = run(folder, "--json", "--alto")
    assert isinstance(refused.exception, GlyphlabError)
    assert str(refused.exception) == "--json and --alto were given; choose one"


def test_out_and_overlay_write_files(asked: Asked, folder: Path) -> None:
    frames = [Image.fromarray(np.full((24, width), 255, dtype=np.uint8)) for width in (40, 50)]
    frames[0].save(folder / "scan.tif", save_all=True, append_images=frames[1:])
    done = run(folder / "scan.tif", "--out", folder / "new" / "text.txt", "--overlay", folder / "seen")
    assert (done.exit_code, done.stdout) == (0, "")
    assert (folder / "new" / "text.txt").read_text() == "40\n\f50\n"
    sizes = {}
    for path in sorted((folder / "seen").iterdir()):
        with Image.open(path) as picture:
            sizes[path.name] = picture.size
    assert sizes == {"scan.png": (40, 24), "scan-2.png": (50, 24)}


def test_overlays_have_names_of_their_own(asked: Asked, folder: Path) -> None:
    page = (folder / "page20.png").read_bytes()
    places = ["my#scans/x.png", "d1/a.png", "d2/a.png", "d3/a-2.png"]
    for place in places:
        (folder / place).parent.mkdir()
        (folder / place).write_bytes(page)
    frames = [Image.fromarray(np.full((24, width), 255, dtype=np.uint8)) for width in (40, 13, 50)]
    frames[0].save(folder / "scan.tif", save_all=True, append_images=frames[1:])  # whose second page cannot be read
    done = run(*(folder / place for place in [*places, "scan.tif"]), "--overlay", folder / "seen")
    assert done.exit_code == 2 and "scan.tif#2: too many marks" in done.stderr
    names = {path.stem for path in (folder / "seen").iterdir()}
    assert names == {"x", "a", "a-2", "a-2-2", "scan", "scan-3"}


def test_pdf_files_of_a_folder_are_pages_too(asked: Asked, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    (folder / "page1.PDF").write_bytes(b"%PDF-1.4")
    done = run(folder)
    assert (done.exit_code, done.stdout) == (2, "20\n\f30\n")
    assert "page1.PDF: reading PDF files needs pypdfium2" in done.stderr
    refused = run(folder, "--out", folder / "page1.PDF")
    assert isinstance(refused.exception, RunError) and "one of the files to be read" in str(refused.exception)


def test_a_language_without_context_is_refused(asked: Asked, folder: Path) -> None:
    refused = run(folder, "--no-context", "--language", "klingon")
    assert isinstance(refused.exception, GlyphlabError) and asked.options == []
    assert str(refused.exception) == (
        "--language klingon lets neighbours count, which --no-context leaves out; choose one"
    )


@pytest.mark.parametrize("options", [("--out", "page20.png"), ("--overlay", "."), ("--overlay", "../scans")])
def test_a_scan_is_never_written_over(
    asked: Asked, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str]
) -> None:
    scans = folder / "scans"
    scans.mkdir()
    (folder / "page20.png").rename(scans / "page20.png")
    monkeypatch.chdir(scans)
    before = (scans / "page20.png").read_bytes()
    done = run("page20.png", *options)
    assert isinstance(done.exception, RunError) and "choose another" in str(done.exception)
    assert asked.options == [] and (scans / "page20.png").read_bytes() == before
    assert list(scans.iterdir()) == [scans / "page20.png"]


def test_bad_pages_are_named_and_the_others_are_read(asked: Asked, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"nothing")
    Image.fromarray(np.full((24, 13), 255, dtype=np.uint8)).save(folder / "noise.png")
    done = run(folder / "bad.png", folder / "gone.png", folder / "noise.png", folder / "page20.png")
    assert done.exit_code == 2 and done.stdout == "20\n"
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert "bad.png: not a picture" in lines[0]
    assert "gone.png: no such file or folder" in lines[1]
    assert "noise.png: too many marks" in lines[2]
    document = json.loads(run(folder / "bad.png", folder / "page20.png", "--json").stdout)
    assert [page["text"] for page in document["pages"]] == ["20"]
    assert len(document["errors"]) == 1 and "bad.png: not a picture" in document["errors"][0]


def test_of_a_page_without_writing_it_is_said(asked: Asked, folder: Path) -> None:
    Image.fromarray(np.full((24, 14), 255, dtype=np.uint8)).save(folder / "blank.png")
    done = run(folder / "blank.png", folder / "page20.png")
    assert (done.exit_code, done.stdout) == (0, "\f20\n")
    assert "blank.png: nothing is written on it" in done.stderr


def test_the_help_says_what_it_is_not() -> None:
    assert "cursive" in (read.__doc__ or "")

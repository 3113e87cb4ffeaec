from __future__ import annotations

from pathlib import Path

import pytest

from glyphlab.errors import ImageError
from glyphlab.recognition.search import find_pictures


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.png", "a.JPG", "sub/c.tif", "sub/notes.txt", ".hidden.png", ".cache/d.png", "[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*places: str) -> tuple[list[str], list[str]]:
    errors: list[ImageError] = []
    paths = [path.as_posix() for path in find_pictures(places, errors.append)]
    return paths, [str(error) for error in errors]


def test_folders_are_searched_in_order(folder: Path) -> None:
    assert found(".") == (["[1].png", "a.JPG", "b.png", "sub/c.tif"], [])
    assert found("sub", "b.png", "sub") == (["sub/c.tif", "b.png", "sub/c.tif"], [])


def test_other_suffixes_may_count(folder: Path) -> None:
    paths = find_pictures(["sub", "empty"], lambda error: None, {".txt", ".tif"})
    assert [path.as_posix() for path in paths] == ["sub/c.tif", "sub/notes.txt"]
    errors: list[ImageError] = []
    assert list(find_pictures(["empty"], errors.append, {".txt", ".tif"})) == []
    assert str(errors[0]).endswith("expected files ending in .tif, .txt")


def test_files_are_taken_at_their_word_and_patterns_filled_in(folder: Path) -> None:
    assert found("sub/notes.txt", "[1].png") == (["sub/notes.txt", "[1].png"], [])
    assert found("*.png") == (["[1].png", "b.png"], [])
    assert found("**/*.tif", str(folder / "*.JPG")) == (["sub/c.tif", (folder / "a.JPG").as_posix()], [])


def test_places_without_pictures_are_told_and_passed_over(folder: Path) -> None:
    paths, errors = found("empty", "none.png", "b.png", "*.webp")
    assert paths == ["b.png"]
    assert len(errors) == 3
    assert errors[0].startswith("empty: a folder without pictures; expected files ending in .bmp, .gif")
    assert errors[1] == "none.png: no such file or folder"
    assert errors[2] == "*.webp: no file matches this pattern"


def test_nothing_is_looked_for_before_it_is_wanted(folder: Path) -> None:
    paths = find_pictures(["b.png", "sub"], lambda error: None)
    assert next(paths).name == "b.png"
    (folder / "sub" / "new.png").touch()
    assert [path.name for path in paths] == ["c.tif", "new.png"]

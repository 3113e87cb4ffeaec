from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from glyphlab.errors import RunError
from glyphlab.evaluation.result_folder import whole_folder

MARKER = "result.json"


def make(folder: Path, text: str = "one", force: bool = False) -> None:
    with whole_folder(folder, MARKER, {"n": 1}, force) as draft:
        (draft / "sub").mkdir()
        (draft / "sub" / "a.txt").write_text(text)


def contents(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_appears_whole_with_its_marker(tmp_path: Path) -> None:
    make(tmp_path / "deep" / "out")
    assert contents(tmp_path / "deep") == ["out", "out/result.json", "out/sub", "out/sub/a.txt"]
    assert json.loads((tmp_path / "deep" / "out" / MARKER).read_text())["n"] == 1


def test_an_untouched_result_is_replaced(tmp_path: Path) -> None:
    make(tmp_path / "out")
    make(tmp_path / "out", "two")
    assert (tmp_path / "out" / "sub" / "a.txt").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("how", ["changed", "added", "removed"])
def test_a_touched_result_needs_force(tmp_path: Path, how: str) -> None:
    make(tmp_path / "out")
    target = tmp_path / "out" / "sub" / ("mine.txt" if how == "added" else "a.txt")
    if how == "removed":
        target.unlink()
    else:
        target.write_text("owt")  # as long as before
    with pytest.raises(RunError, match=r"out were changed, added or removed since .* replace them with --force"):
        make(tmp_path / "out", "two")
    assert (not target.exists()) if how == "removed" else target.read_text() == "owt"
    make(tmp_path / "out", "two", force=True)
    assert contents(tmp_path / "out") == ["result.json", "sub", "sub/a.txt"]


@pytest.mark.parametrize("force", [False, True])
def test_a_stranger_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / MARKER).write_text("{}")
    with pytest.raises(RunError, match="thesis holds files that this command did not write"):
        make(tmp_path / "thesis", force=force)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="file is not a folder; name another one with --out"):
        make(tmp_path / "file", force=force)
    assert contents(tmp_path) == ["file", "thesis", f"thesis/{MARKER}"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "out")
    assert (tmp_path / "out" / MARKER).exists()


def test_a_failure_leaves_the_former_result(tmp_path: Path) -> None:
    make(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "out", MARKER, {}) as draft:
        (draft / "half").write_text("x")
        raise KeyboardInterrupt
    assert contents(tmp_path) == ["out", "out/result.json", "out/sub", "out/sub/a.txt"]


def test_old_drafts_of_killed_processes_are_removed_and_young_ones_left(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("young", 60)):
        draft = tmp_path / f".draft-out-{name}"
        draft.mkdir()
        os.utime(draft, (time.time() - age,) * 2)
    make(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".draft-out-young", "out"]


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"cannot write .*file"):
        make(tmp_path / "file" / "out")

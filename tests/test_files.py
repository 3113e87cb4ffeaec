from __future__ import annotations

import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glyphlab import files
from glyphlab.errors import RunError, did_you_mean
from glyphlab.files import (
    hold,
    make_folder,
    move,
    new_folder,
    read_text,
    refuse_replacing,
    refuse_replacing_in,
    require_writable,
    temporary_files,
    whole_file,
    write_json,
    write_text,
)


def test_a_file_appears_whole_with_ordinary_permissions(tmp_path: Path) -> None:
    target = tmp_path / "new" / "note.txt"
    with whole_file(target) as temporary:
        assert temporary.suffix == ".txt" and temporary.parent == target.parent
        temporary.write_text("half")
        assert not target.exists()
        assert temporary_files(target.parent) == [temporary]
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["note.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


def test_the_umask_is_obeyed_and_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former = os.umask(0o077)
    try:
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("other threads would see that"))
        write_text(tmp_path / "note.txt", "mine")
        folder = new_folder(tmp_path, "draft-")
    finally:
        monkeypatch.undo()
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == 0o600
    assert folder.name.startswith("draft-") and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert new_folder(tmp_path, "draft-") != folder


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "far" / "answers.csv")
    for text in ("first", "second"):
        write_text(link, text)
        assert link.is_symlink() and (tmp_path / "far" / "answers.csv").read_text() == text


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as readers:
        reading = readers.submit(pipe.read_text)
        write_text(pipe, "a,b\n")
        assert reading.result(timeout=30) == "a,b\n"
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    write_text(Path(os.devnull), "nothing")
    assert Path(os.devnull).is_char_device()


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    write_text(target, "old")
    with pytest.raises(ValueError, match="out of cheese"), whole_file(target) as temporary:
        temporary.write_text("new")
        raise ValueError("out of cheese")
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EROFS, "read-only; choose another folder"),
        (errno.EACCES, "permission denied; choose a folder"),
    ],
)
def test_the_systems_refusal_becomes_one_clear_error(number: int, cure: str, tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    write_text(target, "old")
    with pytest.raises(RunError, match=rf"cannot write .*note\.txt: .*{cure}"), whole_file(target):
        raise OSError(number, os.strerror(number))
    assert target.read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_while_flushing(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match="the disk is full"),
        whole_file(tmp_path / "x.bin"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"more")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        make_folder(tmp_path / "file")
    with pytest.raises(RunError, match="a file of that name is in the way"):
        write_text(tmp_path / "file" / "note.txt", "")


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nobody is refused")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(RunError, match="permission denied; choose a folder that you may write to"):
        require_writable(tmp_path)


def test_what_is_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(Path("scans/a.png"), "")
    Path("link.png").symlink_to("scans/a.png")
    inputs = ["gone.png", Path("scans/a.png")]
    for same in ("scans/a.png", tmp_path / "scans" / ".." / "scans" / "a.png", "link.png"):
        with pytest.raises(RunError, match=r"cannot write .*\.png: it is one of the files to be read; choose another"):
            refuse_replacing(Path(same), inputs)
    with pytest.raises(RunError, match="one of the files to be read"):
        refuse_replacing(Path("scans/a.png"), ["link.png"])
    write_text(Path("other.png"), "")
    refuse_replacing(Path("other.png"), inputs)
    refuse_replacing(Path("gone.png"), inputs)


def test_nothing_is_written_beside_what_it_would_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(Path("scans/a.PNG"), "")
    write_text(Path("photos/b.jpg"), "")
    Path("photos/link.png").symlink_to(tmp_path / "scans" / "a.PNG")
    for folder, source in (("scans", "scans/a.PNG"), ("scans", "photos/link.png"), ("photos", "photos/link.png")):
        message = f"cannot write into {folder}: {source}, one of the files .* would be replaced; choose another folder"
        with pytest.raises(RunError, match=message):
            refuse_replacing_in(Path(folder), ".png", ["photos/b.jpg", source])
    refuse_replacing_in(Path("photos"), ".png", ["photos/b.jpg", "scans/a.PNG"])
    refuse_replacing_in(Path("new"), ".png", ["scans/a.PNG"])


def test_what_somebody_has_open_is_moved_when_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows refuses it, where a virus scanner looks into every new file."""
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    refusals, rename = [], Path.replace

    def replace(source: Path, target: Path) -> Path:
        if len(refusals) < 3:
            refusals.append(target)
            raise PermissionError(errno.EACCES, "in use")
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(PermissionError):  # elsewhere it is refused for good
        move(tmp_path / "new", tmp_path / "old")
    monkeypatch.setattr(files, "_IS_WINDOWS", True)
    move(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "new" and not (tmp_path / "new").exists()
    assert len(refusals) == 3
    refusals.clear()
    monkeypatch.setattr(files, "_PAUSES_SECONDS", (0.0, 0.0))
    (tmp_path / "new").touch()
    with pytest.raises(PermissionError):
        move(tmp_path / "new", tmp_path / "old")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_texts_as_the_shells_and_editors_of_windows_write_them(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "mine.toml").write_bytes((mark + 'description = "α"\r\n').encode(encoding))
    assert read_text(tmp_path / "mine.toml") == 'description = "α"\n'


def test_texts_are_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    write_text(tmp_path / "rows.csv", 'a\n"b\nc"\n')
    assert (tmp_path / "rows.csv").read_bytes() == b'a\n"b\nc"\n'


def test_a_file_is_held_by_one(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("ab") as one:
        assert hold(one)
        with (tmp_path / "lock").open("ab") as other:
            assert not hold(other)
    with (tmp_path / "lock").open("ab") as other:
        assert hold(other)


def test_json_is_readable_and_refuses_what_json_lacks(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"α": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"α": [1, 2.5, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", float("nan"))
    assert not (tmp_path / "b.json").exists()


def test_did_you_mean() -> None:
    assert did_you_mean("mnsit", ["mnist", "kmnist", "digits"]).startswith("did you mean 'mnist'")
    assert did_you_mean("MNIST", ["mnist"]) == "did you mean 'mnist'?"
    assert did_you_mean("zzz", ["mnist", "digits"]) == "known: mnist, digits"

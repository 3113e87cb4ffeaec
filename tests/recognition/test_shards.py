from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from glyphlab.errors import DataError, ImageError
from glyphlab.recognition.shards import fingerprint, pictures_in, sources


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


MEMBERS = {f"{number}.png": bytes([number]) * 100 for number in range(5)}


def test_a_list_a_folder_and_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b/1.png", "a.TAR", "b/2.jpg", "b/.hidden.png", "b/notes.txt", ".git/3.png", "c.tar.gz"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    Path("list.txt").write_bytes("\ufeffx y.png\r\n\nü.tar\n# not a remark".encode())
    assert list(sources("list.txt")) == ["x y.png", "ü.tar", "# not a remark"]
    assert list(sources(".")) == ["a.TAR", "c.tar.gz", "b/1.png", "b/2.jpg"]
    assert list(sources("c.tar.gz")) == ["c.tar.gz"]


def test_the_fingerprint_is_of_names_and_their_order(tmp_path: Path) -> None:
    path = tmp_path / "list"
    prints = []
    for text in ("a\nb\n", "a\r\nb", "b\na\n", "ab\n"):
        path.write_text(text)
        prints.append(fingerprint(path))
    assert prints[0] == prints[1] and prints[0][1] == 2
    assert len({digest for digest, _ in prints}) == 3


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_members_are_streamed_in_order_and_may_be_skipped(tmp_path: Path, mode: str) -> None:
    others = {"deep/5.JPG": b"j", "index.json": b"{}", ".cache.png": b"no", "._1.png": b"no"}
    path = write_tar(tmp_path / "a.tar", MEMBERS | others, mode)
    with tarfile.open(path, f"a{mode[1:]}" if mode == "w" else "r") as archive:
        if mode == "w":
            folder = tarfile.TarInfo("folder.png")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
    items = list(pictures_in(str(path)))
    assert [name.removeprefix(f"{path}/") for name, _ in items] == [*MEMBERS, "deep/5.JPG"]
    assert [content for _, content in items] == [*MEMBERS.values(), b"j"]
    for skip in range(8):
        assert list(pictures_in(str(path), skip)) == items[skip:]


def test_a_picture_is_its_own_source(tmp_path: Path) -> None:
    assert list(pictures_in("some/where.png")) == [("some/where.png", Path("some/where.png"))]
    assert list(pictures_in("some/where.png", skip=1)) == []


def test_what_is_wrong_with_an_archive_is_its_last_item(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", MEMBERS).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: 512 * 5 + 50])
    (tmp_path / "none.tar").write_bytes(b"")
    (tmp_path / "page.tar").write_bytes(b"<html>" * 400)
    write_tar(tmp_path / "empty.tar", {"readme.txt": b"hello"})
    with tarfile.open(tmp_path / "header.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        sparse = tarfile.TarInfo("a.png")
        sparse.pax_headers = {"GNU.sparse.map": "1,2,x"}
        archive.addfile(sparse)
    expected = {"cut": (2, "after 2 pictures"), "none": (0, "cannot be read"), "page": (0, "cannot be read"),
                "empty": (0, "an archive without pictures"), "header": (0, "cannot be read"),
                "missing": (0, "No such file")}  # fmt: skip
    for stem, (good, problem) in expected.items():
        source = str(tmp_path / f"{stem}.tar")
        items = list(pictures_in(source))
        assert len(items) == good + 1, stem
        name, error = items[-1]
        assert name == source and isinstance(error, ImageError)
        assert str(error).startswith(f"{source}: ") and problem in str(error)
        for skip in range(good + 3):
            assert len(list(pictures_in(source, skip))) == max(0, good + 1 - skip), stem


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_off_between_pictures_says_so(tmp_path: Path, mode: str) -> None:
    whole = write_tar(tmp_path / "whole.tar", MEMBERS).read_bytes()
    damaged = bytearray(whole)
    damaged[512 * 4 + 20] ^= 1  # in the third header
    pack = gzip.compress if mode == "w:gz" else bytes
    for cut, problem in {
        whole[: 512 * 4]: "without an end mark",
        whole[: 512 * 4 + 100]: "without an end mark",
        bytes(damaged): "a damaged header",
    }.items():
        path = tmp_path / "cut.tar"
        path.write_bytes(pack(cut))
        *good, (_, error) = pictures_in(str(path))
        assert [content for _, content in good] == list(MEMBERS.values())[:2]
        assert isinstance(error, ImageError) and problem in str(error) and "after 2 pictures" in str(error)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_an_archive_are_not_followed_and_not_lost(tmp_path: Path, kind: bytes) -> None:
    path = write_tar(tmp_path / "a.tar", MEMBERS)
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = kind, "0.png"
        archive.addfile(link)
    *pictures, (name, error) = pictures_in(str(path))
    assert len(pictures) == 5 and name == f"{path}/link.png"
    assert isinstance(error, ImageError) and "a link to '0.png', which is not followed; pack" in str(error)


def test_a_huge_member_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glyphlab.recognition.shards._LARGEST_MEMBER_BYTES", 150)
    path = write_tar(tmp_path / "a.tar", {"large.png": b"x" * 151, "small.png": b"y" * 150})
    (_, large), (_, small) = pictures_in(str(path))
    assert isinstance(large, ImageError) and "large.png: 151 bytes; expected at most 150" in str(large)
    assert small == b"y" * 150


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 1500):
        path = write_tar(tmp_path / f"{count}.tar", {f"{number}.png": b"x" for number in range(count)})
        tracemalloc.start()
        assert sum(1 for _ in pictures_in(str(path))) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000  # the headers alone would be a megabyte


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_list_from_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a pipe, and a job reads its list more than once"):
        fingerprint(tmp_path / "pipe")


def test_lists_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\x89PNG\xff\xfe")
    for name, problem in {
        "empty": "holds nothing to work on; expected a path a line",
        "folder": "holds nothing to work on; expected pictures or .tar archives",
        "bytes": "is no list: expected a text in UTF-8",
        "none": "no such list, folder or archive",
    }.items():
        with pytest.raises(DataError, match=problem):
            fingerprint(tmp_path / name)

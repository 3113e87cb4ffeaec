"""Downloads, from a web server on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

pytest.importorskip("pooch")

from glyphlab.data.catalogue import Download, Source
from glyphlab.data.download import fetch_source, unpack
from glyphlab.errors import DataError, RunError

CONTENT = b"images and labels" * 50_000
MD5 = hashlib.md5(CONTENT).hexdigest()
DEAD = "http://127.0.0.1:9/dead"  # the discard port: nothing answers


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[str, int, int]] = []

    def note(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, file_name: str, done_bytes: int, total_bytes: int) -> None:
        self.progress.append((file_name, done_bytes, total_bytes))


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def asked() -> list[str]:
    """The paths that were asked for."""
    return []


@pytest.fixture
def server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> Iterator[tuple[str, Path]]:
    """An address, and the folder that it serves."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path_factory.mktemp("served")
    handler = type("Handler", (Handler,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as served:
        thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", folder
        served.shutdown()
        thread.join()


def toy(*addresses: str, name: str = "images.gz", md5: str = MD5, members: tuple[str, ...] = ()) -> Source:
    return Source(
        name="toy",
        title="Toy",
        class_names=("a", "b"),
        train_count=1,
        test_count=1,
        image_shape=(1, 2, 2),
        layout="idx",
        citation="",
        folders=("toy",),
        train_files=members or (name.removesuffix(".gz"),),
        downloads=(Download(name, md5, len(CONTENT), tuple(f"{a}/{name}" for a in addresses), members),),
    )


def test_a_good_file_with_progress(server: tuple[str, Path], tmp_path: Path) -> None:
    (server[1] / "images.gz").write_bytes(CONTENT)
    notes = Notes()
    folder = fetch_source(toy(server[0]), tmp_path, notes)
    assert folder == tmp_path / "toy"
    assert [path.name for path in folder.iterdir()] == ["images.gz"]
    assert (folder / "images.gz").read_bytes() == CONTENT
    assert len(notes.progress) > 2 and notes.progress[-1] == ("images.gz", len(CONTENT), len(CONTENT))
    assert all(done <= total for _, done, total in notes.progress)
    assert notes.lines == [f"images.gz: fetching from {server[0]}/images.gz", "images.gz: done, hash right"]


def test_what_is_there_is_not_fetched_again(server: tuple[str, Path], tmp_path: Path, asked: list[str]) -> None:
    (server[1] / "images.gz").write_bytes(CONTENT)
    fetch_source(toy(server[0]), tmp_path, Notes())
    notes = Notes()
    fetch_source(toy(server[0]), tmp_path, notes)
    assert asked == ["/images.gz"] and notes.lines == ["images.gz: already there"]
    (tmp_path / "toy/images.gz").rename(tmp_path / "toy/images")  # unpacked by hand
    fetch_source(toy(server[0]), tmp_path, notes)
    assert asked == ["/images.gz"] and "already there as" in notes.lines[-1]


def test_a_damaged_file_is_replaced_only_by_a_right_one(server: tuple[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "toy/images.gz"
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    (server[1] / "images.gz").write_bytes(b"also wrong")
    with pytest.raises(DataError, match="cannot fetch"):
        fetch_source(toy(server[0]), tmp_path, Notes())
    assert target.read_bytes() == b"damaged"
    (server[1] / "images.gz").write_bytes(CONTENT)
    notes = Notes()
    fetch_source(toy(server[0]), tmp_path, notes)
    assert target.read_bytes() == CONTENT
    assert "there, but damaged or another" in notes.lines[0]


def test_a_whole_file_of_another_compression_is_kept(
    server: tuple[str, Path], tmp_path: Path, write_idx: Callable[[Path, np.ndarray], Path]
) -> None:
    target = write_idx(tmp_path / "toy/images.gz", np.zeros((3, 28, 28), dtype=np.uint8))
    whole = target.read_bytes()
    (server[1] / "images.gz").write_bytes(CONTENT)
    notes = Notes()
    fetch_source(toy(server[0]), tmp_path, notes)
    assert target.read_bytes() == whole
    assert notes.lines == ["images.gz: already there, recompressed; delete it to have the official file fetched"]
    target.write_bytes(whole[:-9])
    fetch_source(toy(server[0]), tmp_path, notes)
    assert target.read_bytes() == CONTENT


def test_a_wrong_hash_names_address_and_both_hashes(server: tuple[str, Path], tmp_path: Path) -> None:
    (server[1] / "images.gz").write_bytes(b"other")
    found = hashlib.md5(b"other").hexdigest()
    message = rf"{server[0]}/images\.gz: MD5 {found}, expected {MD5} \(damaged on the way, or another version\)"
    with pytest.raises(DataError, match=message):
        fetch_source(toy(server[0]), tmp_path, Notes())
    assert list((tmp_path / "toy").iterdir()) == []


def test_an_html_answer_is_recognised(server: tuple[str, Path], tmp_path: Path) -> None:
    (server[1] / "images.gz").write_bytes(b"\n<!DOCTYPE html><html>Moved</html>")
    with pytest.raises(DataError, match=r"it is an HTML page: the mirror has moved or asks for something first"):
        fetch_source(toy(server[0]), tmp_path, Notes())


def test_a_dead_mirror_then_a_wrong_one_then_a_good_one(server: tuple[str, Path], tmp_path: Path) -> None:
    (server[1] / "wrong").mkdir()
    (server[1] / "wrong/images.gz").write_bytes(b"other")
    (server[1] / "images.gz").write_bytes(CONTENT)
    notes = Notes()
    fetch_source(toy(DEAD, f"{server[0]}/missing", f"{server[0]}/wrong", server[0]), tmp_path, notes)
    assert (tmp_path / "toy/images.gz").read_bytes() == CONTENT
    tried = [line for line in notes.lines if "trying the next mirror" in line]
    assert "no connection" in tried[0] and "the server answers 404" in tried[1] and "MD5" in tried[2]


def test_without_a_network_the_error_says_what_to_do_by_hand(tmp_path: Path) -> None:
    message = (
        rf"cannot fetch images\.gz \({DEAD}/images\.gz: no connection\)\. By hand: get images\.gz from {DEAD}/ "
        rf"and put it into {tmp_path / 'toy'}$"
    )
    with pytest.raises(DataError, match=message):
        fetch_source(toy(DEAD), tmp_path, Notes())
    with pytest.raises(DataError, match="then run glyphlab data fetch toy again"):
        fetch_source(toy(DEAD, name="all.zip", members=("images.gz",)), tmp_path, Notes())


def test_a_folder_that_cannot_be_made(server: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("a file in the way")
    with pytest.raises(RunError, match=r"cannot write .*toy"):
        fetch_source(toy(server[0]), tmp_path, Notes())


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_an_archive_is_unpacked_and_removed(server: tuple[str, Path], tmp_path: Path) -> None:
    content = zipped(**{"gzip/images.gz": CONTENT, "gzip/labels.gz": b"labels", "gzip/other": b"not wanted"})
    (server[1] / "all.zip").write_bytes(content)
    md5 = hashlib.md5(content).hexdigest()
    source = toy(server[0], name="all.zip", md5=md5, members=("images.gz", "labels.gz"))
    fetch_source(source, tmp_path, Notes())
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == ["images.gz", "labels.gz"]
    assert (tmp_path / "toy/images.gz").read_bytes() == CONTENT
    notes = Notes()
    fetch_source(source, tmp_path, notes)
    assert notes.lines == ["toy: already there"]


def test_an_archive_brought_by_hand_is_used_and_kept(tmp_path: Path) -> None:
    content = zipped(**{"images.gz": CONTENT})
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/all.zip").write_bytes(content)
    source = toy(DEAD, name="all.zip", md5=hashlib.md5(content).hexdigest(), members=("images.gz",))
    fetch_source(source, tmp_path, Notes())
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == ["all.zip", "images.gz"]


def test_an_archive_without_the_expected_files(tmp_path: Path) -> None:
    content = zipped(other=b"x")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/all.zip").write_bytes(content)
    source = toy(DEAD, name="all.zip", md5=hashlib.md5(content).hexdigest(), members=("images.gz",))
    with pytest.raises(DataError, match=r"all\.zip: lacks images\.gz, expected in it"):
        fetch_source(source, tmp_path, Notes())


def test_unpacking_never_leaves_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    (tmp_path / "evil.zip").write_bytes(zipped(**{"../../escaped": b"x", "/abs/images": b"y", "..\\images2": b"z"}))
    assert unpack(tmp_path / "evil.zip", folder, ["images", "images2"]) == ["images", "images2"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["evil.zip", "images", "images2", "inner"]

    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("data/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        real = tarfile.TarInfo("../data/real.bin")
        real.size = 4
        tar.addfile(real, io.BytesIO(b"real"))
    assert unpack(tmp_path / "evil.tar.gz", folder, ["link.bin", "real.bin"]) == ["real.bin"]
    assert (folder / "real.bin").read_bytes() == b"real" and not (folder / "link.bin").exists()


@pytest.mark.parametrize("name", ["all.zip", "all.tar.gz"])
def test_a_damaged_archive(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b no archive")
    with pytest.raises(DataError, match=rf"{name}: damaged archive .*; delete it and fetch it again"):
        unpack(tmp_path / name, tmp_path, ["images"])

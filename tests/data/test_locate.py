from __future__ import annotations

from pathlib import Path

import pytest

from glyphlab.data.catalogue import SOURCES
from glyphlab.data.locate import default_data_dir, find_file, presence, source, user_path
from glyphlab.errors import DataError

MNIST = SOURCES["mnist"]


def test_source_by_name() -> None:
    assert source("kmnist") is SOURCES["kmnist"]
    with pytest.raises(DataError, match=r"unknown data set 'emnist-ballanced'; did you mean 'emnist-balanced'"):
        source("emnist-ballanced")


def test_data_dir_from_the_environment_else_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLYPHLAB_DATA", str(tmp_path))
    assert default_data_dir() == tmp_path
    monkeypatch.setenv("GLYPHLAB_DATA", "~/glyphs")
    assert default_data_dir() == Path.home() / "glyphs"
    monkeypatch.delenv("GLYPHLAB_DATA")
    assert default_data_dir().name == "glyphlab"
    monkeypatch.setenv("GLYPHLAB_DATA", "~nobodyxyz/glyphs")
    with pytest.raises(DataError, match="no folder or file ~nobodyxyz/glyphs: '~' stands for a home folder"):
        default_data_dir()


def test_a_users_path() -> None:
    assert user_path("~/photos") == Path.home() / "photos" and user_path("a/~b") == Path("a/~b")
    with pytest.raises(DataError, match="no folder or file ~nobodyxyz/foo: '~' stands for a home folder"):
        user_path("~nobodyxyz/foo")


@pytest.mark.parametrize(
    "place",
    [
        "mnist/train-images-idx3-ubyte",
        "mnist/train-images-idx3-ubyte.gz",
        "mnist/train-images.idx3-ubyte",
        "MNIST/raw/train-images-idx3-ubyte.gz",
    ],
)
def test_files_are_found_under_their_usual_names(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_file(MNIST, tmp_path, "train-images-idx3-ubyte") == path
    assert find_file(MNIST, tmp_path, "train-labels-idx1-ubyte") is None
    assert find_file(SOURCES["fashion-mnist"], tmp_path, "train-images-idx3-ubyte") is None


def test_presence(tmp_path: Path) -> None:
    assert presence(SOURCES["digits"], tmp_path).state == "embedded"
    nothing = presence(MNIST, tmp_path)
    assert (nothing.state, nothing.folder, len(nothing.missing)) == ("missing", tmp_path / "mnist", 4)
    (tmp_path / "mnist").mkdir()
    for number, name in enumerate((*MNIST.train_files, *MNIST.test_files)):
        assert presence(MNIST, tmp_path).state in ("missing", "partial")
        (tmp_path / "mnist" / f"{name}.gz").write_bytes(bytes(number))
    full = presence(MNIST, tmp_path)
    assert (full.state, full.size_bytes, len(full.found), full.missing) == ("complete", 6, 4, ())

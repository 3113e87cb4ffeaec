from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.catalogue import SOURCES

Cli = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of twelve different pictures each."""
    rng = np.random.default_rng(0)
    for name in ("alpha", "beta"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("command", [(), ("list",), ("fetch",), ("show",), ("check",)])
def test_help_has_an_example(cli: Cli, command: tuple[str, ...]) -> None:
    done = cli("data", *command, "--help")
    assert done.code == 0 and ("Example: glyphlab data" in done.out or not command)


def test_list_as_a_table(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    for name in (*SOURCES["mnist"].train_files, *SOURCES["mnist"].test_files):
        (tmp_path / "mnist" / name).write_bytes(bytes(1000))
    (tmp_path / "kmnist").mkdir()
    (tmp_path / "kmnist/t10k-labels-idx1-ubyte.gz").touch()
    done = cli("data", "list", "--data-dir", tmp_path)
    lines = {line.split()[0]: line for line in done.out.splitlines() if line}
    assert done.code == 0 and set(SOURCES) <= set(lines)
    assert "comes with scikit-learn" in lines["digits"] and "697,932" in lines["emnist-byclass"]
    assert f"{tmp_path / 'mnist'} (4 kB)" in lines["mnist"]
    assert "partly in" in lines["kmnist"] and "lacks train-images-idx3-ubyte" in lines["kmnist"]
    assert "to fetch (562 MB)" in lines["emnist-letters"]
    assert done.out.splitlines()[-1] == f"data directory: {tmp_path}"


def test_list_as_json(cli: Cli, tmp_path: Path) -> None:
    listed = json.loads(cli("data", "list", "--json", "--data-dir", tmp_path).out)
    assert listed["data_dir"] == str(tmp_path)
    balanced = next(entry for entry in listed["sets"] if entry["name"] == "emnist-balanced")
    assert (balanced["classes"], balanced["train"], balanced["state"]) == (47, 112_800, "missing")


def test_data_dir_from_the_environment(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHLAB_DATA", str(tmp_path))
    assert cli("data", "list").out.splitlines()[-1] == f"data directory: {tmp_path}"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GLYPHLAB_DATA", "~/sets")
    assert cli("data", "list").out.splitlines()[-1] == f"data directory: {tmp_path / 'sets'}"


def test_show_writes_both_pictures(cli: Cli, photos: Path, tmp_path: Path) -> None:
    done = cli("data", "show", photos, "--out", tmp_path / "out", "--per-class", 4)
    assert done.code == 0
    assert "train      20  16x16 grey        2  alpha (10)" in done.out and "alpha (2)" in done.out
    for name in ("photos-sheet.png", "photos-classes.png"):
        assert (tmp_path / "out" / name).is_file() and name in done.out


def test_show_as_json_says_everything(cli: Cli, photos: Path, tmp_path: Path) -> None:
    done = cli("data", "show", photos, "--json", "--out", tmp_path, "--size", 20, "--channels", "rgb", "--invert")
    shown = json.loads(done.out)
    assert shown["class_names"] == ["alpha", "beta"] and shown["splits"]["test"]["counts"] == [2, 2]
    assert shown["splits"]["train"]["image_shape"] == [3, 20, 20]
    assert shown["pictures"] == [str(tmp_path / "photos-sheet.png"), str(tmp_path / "photos-classes.png")]


def test_show_gives_a_remark_once(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    done = cli("data", "show", "digits", "--out", tmp_path)
    assert done.code == 0 and done.out.count("not comparable with MNIST") == 1


def test_show_names_skipped_pictures(cli: Cli, photos: Path, tmp_path: Path) -> None:
    (photos / "alpha/3.png").write_bytes(b"")
    done = cli("data", "show", photos, "--out", tmp_path)
    assert done.code == 2 and "cannot read alpha/3.png (the file is empty); repair or remove" in done.err
    done = cli("data", "show", photos, "--out", tmp_path, "--skip-bad")
    assert done.code == 0 and "skipped alpha/3.png (the file is empty)" in done.err


def test_check_of_sound_and_of_unsound_data(cli: Cli, photos: Path) -> None:
    done = cli("data", "check", photos)
    assert done.code == 0 and "1 note" in done.out and "fewer than 10 images" in done.out
    (photos / "alpha/3.png").write_bytes((photos / "beta/4.png").read_bytes())
    (photos / "beta/5.png").write_bytes(b"no picture")
    done = cli("data", "check", photos)
    assert done.code == 1
    assert "error   1 file cannot be read as pictures" in done.out and "beta/5.png" in done.out
    assert "warning 1 image present under different labels" in done.out
    done = cli("data", "check", photos, "--skip-bad", "--json")
    found = json.loads(done.out)
    assert done.code == 1 and not found["ok"]
    assert {(finding["kind"], finding["severity"]) for finding in found["findings"]} >= {
        ("unreadable", "note"),
        ("contradiction", "warning"),
    }


def test_mistakes_are_one_line_and_exit_2(cli: Cli, photos: Path, tmp_path: Path) -> None:
    for arguments, message in [
        (("show", "minst"), "unknown data set 'minst', and no folder or file of that name; did you mean 'mnist'"),
        (("check", "mnist", "--data-dir", tmp_path), "run: glyphlab data fetch mnist"),
        (("show", "mnist", "--size", 20), "mnist: size would have no effect"),
        (("show", photos, "--channels", "gray"), "channels 'gray'; expected auto, grey or rgb"),
        (("show", photos, "--out", photos / "alpha/0.png"), "cannot write"),
        (("fetch", "mnits"), "unknown data set 'mnits'; did you mean 'mnist'"),
        (("check", tmp_path / "none"), "no folder or file"),
    ]:
        done = cli("data", *arguments)
        assert (done.code, done.err.count("\n")) == (2, 1) and message in done.err, done


def test_fetch(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(SOURCES, "mnist", _without_network(SOURCES["mnist"]))
    done = cli("data", "fetch", "mnist", "--data-dir", tmp_path)
    assert done.code == 2
    assert done.err.splitlines()[0].startswith("train-images-idx3-ubyte.gz: fetching from http://127.0.0.1:9/")
    assert "By hand: get train-images-idx3-ubyte.gz, train-labels" in done.err.splitlines()[-1]
    for download in SOURCES["mnist"].downloads:
        (tmp_path / "mnist" / download.name).write_bytes(download.name.encode())
    done = cli("data", "fetch", "mnist", "--data-dir", tmp_path)
    assert done.code == 0 and done.out == f"mnist is ready in {tmp_path / 'mnist'} (102 bytes)\n"
    assert done.err.count("already there") == 4
    fetched = json.loads(cli("data", "fetch", "mnist", "--data-dir", tmp_path, "--json").out)
    assert fetched["folder"] == str(tmp_path / "mnist") and len(fetched["files"]) == 4


def _without_network(source: Any) -> Any:
    """The same files, from an address where nothing answers; a file's right content is its own name."""
    downloads = tuple(
        replace(
            download,
            addresses=(f"http://127.0.0.1:9/{download.name}",),
            md5=hashlib.md5(download.name.encode()).hexdigest(),
        )
        for download in source.downloads
    )
    return replace(source, downloads=downloads)


def test_fetch_of_the_embedded_digits(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "fetch", "digits", "--data-dir", tmp_path)
    assert (done.code, done.out) == (0, "digits is ready: it comes with scikit-learn\n")
    assert json.loads(cli("data", "fetch", "digits", "--json").out)["folder"] is None

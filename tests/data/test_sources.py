from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data import sources
from glyphlab.data.catalogue import SOURCES
from glyphlab.data.sources import fetch, load_dataset, names
from glyphlab.errors import DataError

IMAGES = np.random.default_rng(3).integers(0, 256, (94, 28, 28), dtype=np.uint8)
WriteIdx = Callable[[Path, np.ndarray], Path]


@pytest.fixture
def stored(tmp_path: Path, write_idx: WriteIdx) -> Callable[..., Path]:
    """Write both splits of a set in the official layout: stored("mnist") -> the data directory."""

    def store(name: str, images: np.ndarray = IMAGES, labels: np.ndarray | None = None, suffix: str = ".gz") -> Path:
        source = SOURCES[name]
        if labels is None:
            labels = np.arange(len(images)) % len(source.class_names) + source.first_label
        for split in ("train", "test"):
            for file, values in zip(source.files(split), (images, labels), strict=True):
                write_idx(tmp_path / source.folders[0] / f"{file}{suffix}", values)
        return tmp_path

    return store


def test_names_are_the_catalogue() -> None:
    assert names() == list(SOURCES) and names()[0] == "digits"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_layout(stored: Callable[..., Path], suffix: str) -> None:
    glyphs = load_dataset("mnist", "test", stored("mnist", suffix=suffix))
    assert np.array_equal(glyphs.images, IMAGES) and glyphs.targets.tolist() == [n % 10 for n in range(94)]
    assert (glyphs.name, glyphs.split, glyphs.class_names) == ("mnist", "test", tuple("0123456789"))
    assert glyphs.origin == "mnist"
    assert glyphs.remark == (
        "not the official split (94 images, official 10,000): figures are not comparable with published ones"
    )


def test_the_official_count_needs_no_remark(stored: Callable[..., Path]) -> None:
    data_dir = stored("kmnist", np.zeros((10_000, 28, 28), dtype=np.uint8))
    assert load_dataset("kmnist", "test", data_dir).remark == ""
    assert load_dataset("kmnist", "train", data_dir).remark != ""


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("emnist")])
def test_emnist_is_upright_and_starts_at_0(stored: Callable[..., Path], name: str) -> None:
    glyphs = load_dataset(name, "train", stored(name))
    assert np.array_equal(glyphs.images, IMAGES.transpose(0, 2, 1))
    assert glyphs.targets.tolist() == [n % len(glyphs.class_names) for n in range(94)]
    assert glyphs.class_names == SOURCES[name].class_names


def test_a_mapping_file_names_the_classes(stored: Callable[..., Path]) -> None:
    data_dir = stored("emnist-mnist")
    (data_dir / "emnist/emnist-mnist-mapping.txt").write_text("".join(f"{n} {97 + n}\n" for n in range(10)))
    assert load_dataset("emnist-mnist", "train", data_dir).class_names == tuple("abcdefghij")


def test_cut_off_letters_are_refused(stored: Callable[..., Path]) -> None:
    data_dir = stored("emnist-letters", labels=np.sort(np.arange(94) % 19) + 1)
    with pytest.raises(DataError, match=r"emnist-letters-test-images.*cut-off copy of EMNIST letters"):
        load_dataset("emnist-letters", "test", data_dir)


def test_cifar(tmp_path: Path) -> None:
    for folder in ("cifar10/cifar-10-batches-bin", "cifar10"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for file in SOURCES["cifar10"].train_files:
        (tmp_path / "cifar10/cifar-10-batches-bin" / file).write_bytes((b"\x03" + bytes(3072)) * 2)
    (tmp_path / "cifar10/test_batch.bin").write_bytes(b"\x09" + b"\xff" * 1024 + bytes(2048))
    train, test = (load_dataset("cifar10", split, tmp_path) for split in ("train", "test"))
    assert (train.image_shape, len(train), train.class_names[3]) == ((3, 32, 32), 10, "cat")
    assert (test.images == (255, 0, 0)).all() and test.targets.tolist() == [9]


def test_images_of_another_size_belong_elsewhere(stored: Callable[..., Path]) -> None:
    data_dir = stored("mnist", IMAGES[:, :20, :20])
    with pytest.raises(DataError, match=r"images are \[20, 20\], expected \[28, 28\]; it belongs to another set"):
        load_dataset("mnist", "train", data_dir)


def test_only_the_asked_split_is_read(stored: Callable[..., Path]) -> None:
    data_dir = stored("mnist")
    for file in SOURCES["mnist"].train_files:
        (data_dir / "mnist" / f"{file}.gz").unlink()
    assert len(load_dataset("mnist", "test", data_dir)) == 94


def test_missing_files_say_both_cures_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "fetch_source", lambda *_: pytest.fail("a download by surprise"))
    message = (
        rf"kmnist is not in {tmp_path}: train-images-idx3-ubyte, train-labels-idx1-ubyte missing \(plain or \.gz\); "
        rf"run: glyphlab data fetch kmnist --data-dir {tmp_path}, or put the files into {tmp_path / 'kmnist'}"
    )
    with pytest.raises(DataError, match=message):
        load_dataset("kmnist", "train", tmp_path)


def test_the_data_directory_may_come_from_the_environment(
    stored: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLYPHLAB_DATA", str(stored("mnist")))
    assert len(load_dataset("mnist")) == 94


def test_folders_and_tables(picture_folder: Path, tmp_path: Path) -> None:
    glyphs = load_dataset(str(picture_folder), size=16, channels="rgb", invert=True)
    assert (glyphs.name, glyphs.image_shape, len(glyphs)) == ("mine", (3, 16, 16), 24)
    rows = [",".join([str(n % 2), *["0"] * 16]) for n in range(10)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    assert load_dataset(tmp_path / "table.csv", "test").image_shape == (1, 4, 4)


def test_a_folder_here_does_not_hide_a_public_name(picture_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    picture_folder.rename(picture_folder.parent / "digits")
    monkeypatch.chdir(picture_folder.parent)
    assert len(load_dataset("digits").class_names) == 10
    assert len(load_dataset("./digits").class_names) == len(load_dataset(Path("digits")).class_names) == 3


def test_skipped_pictures_are_told_or_warned_about(picture_folder: Path) -> None:
    victim = load_dataset(picture_folder).ids[0]
    (picture_folder / victim).write_bytes(b"")
    with pytest.raises(DataError, match=f"cannot read {victim}"):
        load_dataset(picture_folder)
    with pytest.warns(UserWarning, match=f"skipped {victim}"):
        assert len(load_dataset(picture_folder, skip_bad=True)) == 23
    told: list[str] = []
    load_dataset(picture_folder, skip_bad=True, on_skip=told.append)
    assert told == [f"{victim} (the file is empty)"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("mnits", "unknown data set 'mnits', and no folder or file of that name; did you mean 'mnist'"),
        ("photos/none", "no folder or file photos/none; expected a folder of pictures, a .csv, or one of: digits"),
        ("none.csv", "no folder or file none.csv"),
        ("~nobodyxyz/foo", "no folder or file ~nobodyxyz/foo: '~' stands for a home folder"),
        (Path("none"), "no folder or file none"),
        (__file__, "is a file; expected a folder of pictures or a .csv of pixels"),
    ],
)
def test_unknown_data(data: str | Path, message: str) -> None:
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        load_dataset(data)


def test_settings_that_would_be_ignored_are_errors(tmp_path: Path) -> None:
    (tmp_path / "table.csv").touch()
    for data in ("mnist", str(tmp_path / "table.csv")):
        with pytest.raises(DataError, match="size, invert would have no effect; it concerns folders of pictures only"):
            load_dataset(data, size=32, invert=True)
        with pytest.raises(DataError, match="channels, skip_bad would have no effect"):
            load_dataset(data, channels="grey", skip_bad=True)


def test_unknown_split() -> None:
    with pytest.raises(DataError, match="unknown split 'validation'; expected train or test"):
        load_dataset("mnist", "validation")  # type: ignore[arg-type]


def test_fetch_of_what_needs_none_or_is_unknown(tmp_path: Path) -> None:
    assert fetch("digits", tmp_path) is None
    with pytest.raises(DataError, match="unknown data set 'minst'; did you mean 'mnist'"):
        fetch("minst", tmp_path)


def test_memory_stays_at_one_copy(stored: Callable[..., Path]) -> None:
    """A large EMNIST split is read and turned within little more than its own size."""
    count = 60_000
    data_dir = stored("emnist-byclass", np.zeros((count, 28, 28), dtype=np.uint8), labels=np.arange(count) % 62)
    code = (
        "import resource, sys; from pathlib import Path; from glyphlab.data.sources import load_dataset\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "load_dataset('digits'); before = peak()\n"
        "glyphs = load_dataset('emnist-byclass', 'train', Path(sys.argv[1]))\n"
        "print((peak() - before) * 1024 / glyphs.images.nbytes)"
    )
    if sys.platform != "linux":
        pytest.skip("ru_maxrss is counted in other units elsewhere")
    pytest.importorskip("sklearn")
    done = subprocess.run([sys.executable, "-c", code, str(data_dir)], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.5


def test_real_sets(real_data: Path) -> None:
    mnist = load_dataset("mnist", "train", real_data)
    assert (len(mnist), mnist.remark, mnist.targets[:5].tolist()) == (60_000, "", [5, 0, 4, 1, 9])
    letters = load_dataset("emnist-letters", "test", real_data)
    average = letters.images[letters.targets == letters.class_names.index("T")].mean(axis=0)
    # An upright T has its bar above; stored on its side, it would lie at the left.
    assert average[:10].sum() > 1.3 * average[-10:].sum()

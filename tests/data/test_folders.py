from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.decode import PictureSettings
from glyphlab.data.folders import list_folder, read_folder
from glyphlab.errors import DataError

Write = Callable[..., Path]
PLAIN = PictureSettings()


def read(root: Path, split: str = "train", **options: object):
    return read_folder(root, split, PLAIN, **options)  # type: ignore[arg-type]


@pytest.fixture
def parted(tmp_path: Path, write_picture: Write) -> Path:
    """train/ with classes a, b and test/ with a only."""
    for name, count in (("Train/a", 4), ("Train/b", 3), ("test/a", 2)):
        for number in range(count):
            write_picture(tmp_path / "mine" / name / f"{number}.png")
    return tmp_path / "mine"


def test_classes_and_pictures_in_natural_order(picture_folder: Path, write_picture: Write) -> None:
    write_picture(picture_folder / "digit_2" / "10.PNG")
    for hidden in (".hidden.png", ".git/x.png", "__MACOSX/y.png", "alpha/._0.png"):
        write_picture(picture_folder / hidden)
    (picture_folder / "alpha" / "notes.txt").write_text("no picture")
    (picture_folder / "README.png").write_bytes(b"loose")
    listing = list_folder(picture_folder)
    assert listing.class_names == ("alpha", "digit_2", "digit_10")
    assert [path.name for path in listing.train.paths[-11:-10]] == ["10.PNG"]
    assert np.bincount(listing.train.targets).tolist() == [10, 11, 10]


def test_images_targets_and_ids_belong_together(picture_folder: Path) -> None:
    train, test = read(picture_folder), read(picture_folder, "test")
    assert (len(train), len(test)) == (24, 6)
    assert not set(train.ids) & set(test.ids)
    for glyphs in (train, test):
        assert (glyphs.name, glyphs.remark, glyphs.image_shape) == ("mine", "", (1, 20, 20))
        for image, target, name in zip(glyphs.images, glyphs.targets, glyphs.ids, strict=True):
            assert name.split("/")[0] == glyphs.class_names[target]
            assert np.array_equal(image, np.asarray(Image.open(picture_folder / name)))


def test_train_and_test_folders_in_any_case(parted: Path) -> None:
    train, test = read(parted), read(parted, "test")
    assert (train.counts().tolist(), test.counts().tolist()) == ([4, 3], [2, 0])
    assert train.ids[0] == "Train/a/0.png" and test.ids == ("test/a/0.png", "test/a/1.png")
    assert test.class_names == train.class_names == ("a", "b")


def test_two_folders_for_one_part_are_refused(parted: Path, write_picture: Write) -> None:
    for name in ("train", "training"):
        write_picture(parted / name / "a" / "1.png")
        with pytest.raises(DataError, match=f"found '(Train|{name})' and '(Train|{name})', expected one of them"):
            read(parted)
        shutil.rmtree(parted / name)


def test_class_folders_have_one_order_whichever_way_accents_are_stored(write_picture: Write, tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        for name in ("f", "é"):
            write_picture(tmp_path / form / unicodedata.normalize(form, name) / "1.png")
    assert [list_folder(tmp_path / form).class_names for form in ("NFC", "NFD")] == [("f", "é")] * 2


def test_train_without_test_is_divided(parted: Path) -> None:
    for path in (parted / "test" / "a").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no pictures in class folders; fill it, or remove it"):
        read(parted)
    (parted / "test" / "a").rmdir()
    (parted / "test").rmdir()
    assert len(read(parted)) + len(read(parted, "test")) == 7


def test_a_class_may_be_called_train(picture_folder: Path, write_picture: Write) -> None:
    for number in range(3):
        write_picture(picture_folder / "train" / f"{number}.png")
    assert "train" in list_folder(picture_folder).class_names


def test_test_may_not_have_unknown_classes(parted: Path, write_picture: Write) -> None:
    write_picture(parted / "test" / "bb" / "0.png")
    with pytest.raises(DataError, match="class 'bb' is not in the training part; did you mean 'b'"):
        read(parted)


def test_a_validation_folder_is_not_ignored_in_silence(parted: Path, write_picture: Write) -> None:
    write_picture(parted / "val" / "a" / "0.png")
    with pytest.raises(DataError, match="found 'val' beside 'Train', expected train and test only"):
        read(parted)


def test_folders_that_are_no_data_set(tmp_path: Path, picture_folder: Path, write_picture: Write) -> None:
    with pytest.raises(DataError, match=r"cannot read the folder .*missing"):
        list_folder(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no class folders \(found none\)"):
        list_folder(tmp_path / "empty")
    write_picture(tmp_path / "loose" / "0.png")
    with pytest.raises(
        DataError, match=r"no class folders \(1 pictures lie loose in it\); expected one folder a class"
    ):
        list_folder(tmp_path / "loose")
    write_picture(tmp_path / "single" / "a" / "0.png")
    with pytest.raises(DataError, match=r"single: only one class \('a'\); expected at least two"):
        list_folder(tmp_path / "single")
    (picture_folder / "beta").mkdir()
    with pytest.raises(DataError, match=r"beta: a class folder without pictures \(\.bmp"):
        list_folder(picture_folder)
    write_picture(picture_folder / "beta" / "writer1" / "0.png")
    with pytest.raises(
        DataError, match=r"without pictures, but with folders \(writer1\); expected the pictures directly"
    ):
        list_folder(picture_folder)


def test_a_class_of_one_picture_cannot_be_divided(picture_folder: Path, write_picture: Write) -> None:
    write_picture(picture_folder / "single" / "0.png")
    with pytest.raises(DataError, match="mine: class 'single' has 1 image, expected at least 2"):
        read(picture_folder)


def test_unreadable_pictures_are_named_or_skipped(parted: Path) -> None:
    (parted / "Train/a/1.png").write_bytes(b"no picture")
    (parted / "Train/b/2.png").write_bytes(b"")
    message = r"mine: cannot read Train/a/1\.png \(not a picture, or its start is damaged\) and 1 more; .*--skip-bad"
    with pytest.raises(DataError, match=message):
        read(parted)
    skipped: list[str] = []
    glyphs = read(parted, skip_bad=True, on_skip=skipped.append)
    assert skipped == [
        "Train/a/1.png (not a picture, or its start is damaged)",
        "Train/b/2.png (the file is empty)",
    ]
    assert glyphs.ids == ("Train/a/0.png", "Train/a/2.png", "Train/a/3.png", "Train/b/0.png", "Train/b/1.png")
    assert np.array_equal(glyphs.images[1], np.asarray(Image.open(parted / "Train/a/2.png")))
    assert glyphs.targets.tolist() == [0, 0, 0, 1, 1]


def test_a_class_without_any_readable_picture(parted: Path) -> None:
    for path in (parted / "Train" / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="mine: none of the pictures of class 'b' can be read"):
        read(parted, skip_bad=True)


def test_the_parts_do_not_depend_on_what_can_be_read(picture_folder: Path) -> None:
    before = read(picture_folder, "test").ids
    victim = next(name for name in read(picture_folder).ids)
    (picture_folder / victim).write_bytes(b"")
    assert read(picture_folder, "test").ids == before


def test_sizes(parted: Path, write_picture: Write) -> None:
    assert read(parted).image_shape == (1, 20, 20)
    write_picture(parted / "test/a/wide.png", np.zeros((20, 30), dtype=np.uint8))
    # One odd picture anywhere, and both parts are fitted, so that they stay alike.
    assert read(parted).image_shape == read(parted, "test").image_shape == (1, 28, 28)
    assert read_folder(parted, "train", PictureSettings(size=32)).image_shape == (1, 32, 32)


def test_large_squares_are_fitted(tmp_path: Path, write_picture: Write) -> None:
    for name in ("a/0", "a/1", "b/0", "b/1"):
        write_picture(tmp_path / "mine" / f"{name}.png", np.zeros((65, 65), dtype=np.uint8))
    assert read(tmp_path / "mine").image_shape == (1, 28, 28)


def test_channels_are_decided_by_the_training_part_for_both(parted: Path, write_picture: Write) -> None:
    coloured = np.zeros((20, 20, 3), dtype=np.uint8) + np.array([250, 0, 0], dtype=np.uint8)
    write_picture(parted / "test/a/0.png", coloured)
    assert read(parted, "test").image_shape == (1, 20, 20)
    write_picture(parted / "Train/b/2.png", coloured)
    assert read(parted).image_shape == read(parted, "test").image_shape == (3, 20, 20)
    assert (read(parted).images[-1] == (250, 0, 0)).all()
    assert read_folder(parted, "train", PictureSettings(channels="grey")).image_shape == (1, 20, 20)
    assert read_folder(parted, "test", PictureSettings(channels="rgb")).image_shape == (3, 20, 20)


def test_invert(parted: Path) -> None:
    inverted = read_folder(parted, "train", PictureSettings(invert=True))
    assert np.array_equal(inverted.images, 255 - read(parted).images)


def test_progress_counts_every_picture(parted: Path) -> None:
    told: list[tuple[int, int]] = []
    read(parted, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 7) for n in range(1, 8)]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_names_that_are_no_text_do_not_crash(parted: Path, write_picture: Write) -> None:
    odd = parted / "Train" / os.fsdecode(b"caf\xe9")
    write_picture(odd / os.fsdecode(b"\xff 1 [red].png"))
    glyphs = read(parted)
    assert glyphs.class_names == ("a", "b", "caf\ufffd")
    assert glyphs.ids[-1] == "Train/caf\ufffd/\ufffd 1 [red].png"
    glyphs.save(parted.parent / "saved.npz")
    (parted / "Train" / os.fsdecode(b"caf\xe8")).mkdir()
    write_picture(parted / "Train" / os.fsdecode(b"caf\xe8") / "1.png")
    with pytest.raises(DataError, match="two class folders are both named 'caf"):
        read(parted)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glyphlab.errors import DataError
from glyphlab.evaluation.transfer.pictures import prepare_pictures
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.preparation import preparation_of

FRAMED = ModelInfo(("a", "b"), (1, 28, 28), "mnist")


def draw(path: Path, shape: str, number: int = 0) -> None:
    """A dark shape on light paper, a little different each time."""
    picture = Image.new("L", (120, 120), 235)
    pen, shift = ImageDraw.Draw(picture), 3 * number
    if shape == "ring":
        pen.ellipse((25 + shift, 25, 90, 95 - shift), outline=20, width=9)
    elif shape == "cross":
        pen.line((25 + shift, 30, 95, 90), fill=20, width=9)
        pen.line((95, 30 + shift, 25, 90), fill=20, width=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def test_pictures_are_prepared_as_reading_prepares_them(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / "ring" / f"{number}.png", "ring", number)
        draw(tmp_path / "cross" / f"{number}.png", "cross", number)
    seen: list[tuple[int, int]] = []
    pictures = prepare_pictures(tmp_path, FRAMED, lambda *news: seen.append(news))
    assert seen[-1] == (8, 8)
    assert pictures.train.class_names == ("cross", "ring")
    assert (len(pictures.train), len(pictures.test)) == (6, 2)  # one of each class is held out
    prepare = preparation_of(FRAMED)
    for glyphs in (pictures.train, pictures.test):
        assert glyphs.ids is not None
        for image, name in zip(glyphs.images, glyphs.ids, strict=True):
            np.testing.assert_array_equal(image, prepare(tmp_path / name))
    assert not set(pictures.train.ids or ()) & set(pictures.test.ids or ())


def test_unusable_pictures_are_named_and_refused_or_left_out(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 1)):
        for number in range(count):
            draw(tmp_path / split / "ring" / f"{number}.png", "ring", number)
            draw(tmp_path / split / "cross" / f"{number}.png", "cross", number)
    draw(tmp_path / "train" / "ring" / "blank.png", "nothing")
    (tmp_path / "train" / "cross" / "torn.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"cannot use train/cross/torn\.png \(.*\) and 1 more; .* with --skip-bad"):
        prepare_pictures(tmp_path, FRAMED)
    pictures = prepare_pictures(tmp_path, FRAMED, skip_bad=True)
    assert len(pictures.train) == 6
    assert [text.split(" (")[0] for text in pictures.unusable] == ["train/cross/torn.png", "train/ring/blank.png"]
    assert "nothing is written on it" in pictures.unusable[1]


def test_nothing_is_held_out_where_all_shall_be_learned_from(tmp_path: Path) -> None:
    for number in range(2):
        draw(tmp_path / "ring" / f"{number}.png", "ring", number)
        draw(tmp_path / "cross" / f"{number}.png", "cross", number)
    pictures = prepare_pictures(tmp_path, FRAMED, hold_out=False)
    assert pictures.untested and pictures.train.ids == pictures.test.ids == (
        "cross/0.png",
        "cross/1.png",
        "ring/0.png",
        "ring/1.png",
    )
    assert pictures.to_json() == {"train": 4, "test": 0, "unusable": []}
    (tmp_path / "ring" / "1.png").unlink()  # a single picture is enough
    assert len(prepare_pictures(tmp_path, FRAMED, hold_out=False).train) == 3
    for shape in ("ring", "cross"):
        draw(tmp_path / "parts" / "train" / shape / "0.png", shape)
        draw(tmp_path / "parts" / "test" / shape / "1.png", shape, 1)
    with pytest.raises(DataError, match=r"parts has a test part, so that nothing is held out .* leave out --learn-all"):
        prepare_pictures(tmp_path / "parts", FRAMED, hold_out=False)


def test_pictures_in_both_parts_are_found(tmp_path: Path) -> None:
    for split, numbers in (("train", (0, 1)), ("test", (2, 1))):
        for number in numbers:
            draw(tmp_path / split / "ring" / f"{split}{number}.png", "ring", number)
            draw(tmp_path / split / "cross" / f"{split}{number}.png", "cross", number)
    pictures = prepare_pictures(tmp_path, FRAMED)
    assert [(pictures.test.ids or ())[place] for place in pictures.repeated] == [
        "test/cross/test1.png",
        "test/ring/test1.png",
    ]
    base = pictures.test.subset(range(2))  # which the network that is taught has learned from already
    assert replace(pictures, before=base).repeated.tolist() == [0, 1, 2]
    assert replace(pictures, before=replace(base, images=base.images[:, 1:])).repeated.tolist() == [0, 2]


def test_colour_pictures_for_a_colour_network(tmp_path: Path) -> None:
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        for number in range(2):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (40, 30), colour).save(path)
    pictures = prepare_pictures(tmp_path, ModelInfo(("x", "y"), (3, 32, 32), None))
    assert pictures.train.image_shape == (3, 32, 32)
    assert pictures.train.images[0][16, 16].tolist() == [0, 0, 200]


def test_too_few_pictures_say_how_many_are_needed(tmp_path: Path) -> None:
    draw(tmp_path / "ring" / "0.png", "ring")
    draw(tmp_path / "ring" / "1.png", "ring", 1)
    draw(tmp_path / "cross" / "0.png", "cross")
    with pytest.raises(DataError, match=r"class 'cross' has 1 image, expected at least 2"):
        prepare_pictures(tmp_path, FRAMED)
    draw(tmp_path / "cross" / "1.png", "nothing")
    with pytest.raises(
        DataError, match=r"'cross' has 1 usable picture \(1 of 2 cannot be used\); at least 2 are needed"
    ):
        prepare_pictures(tmp_path, FRAMED, skip_bad=True)


def test_one_class_and_no_folder(tmp_path: Path) -> None:
    draw(tmp_path / "ring" / "0.png", "ring")
    with pytest.raises(DataError, match=r"only one class \('ring'\)"):
        prepare_pictures(tmp_path, FRAMED)
    with pytest.raises(DataError, match=r"no folder .*absent; expected one with a folder of pictures a class"):
        prepare_pictures(tmp_path / "absent", FRAMED)

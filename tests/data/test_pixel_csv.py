from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.pixel_csv import is_pixel_csv, read_pixel_csv
from glyphlab.errors import DataError

PIXELS = np.random.default_rng(4).integers(0, 256, (40, 16), dtype=np.uint8)
LABELS = [str(n % 4) for n in range(40)]
HEADER = "label," + ",".join(f"pixel{n}" for n in range(16))


def lines(labels: list[str] = LABELS, pixels: np.ndarray = PIXELS, delimiter: str = ",") -> list[str]:
    return [delimiter.join([label, *map(str, row)]) for label, row in zip(labels, pixels, strict=True)]


def write(path: Path, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def whole(path: Path) -> tuple[np.ndarray, list[str]]:
    """Both parts in file order: images, and labels as text."""
    parts = [read_pixel_csv(path, split) for split in ("train", "test")]
    order = np.argsort([int(name.rsplit(":", 1)[1]) for part in parts for name in part.ids])
    images = np.concatenate([part.images for part in parts])[order]
    names = [part.class_names[target] for part in parts for target in part.targets]
    return images, [names[index] for index in order]


VARIANTS = {
    "header": [HEADER, *lines()],
    "plain": lines(),
    "numbered header": [",".join(map(str, range(17))), *lines()],
    "a word and numbers": [",".join(["target", *map(str, range(16))]), *lines()],
    "another word last": [
        ",".join([*(f"pixel_{n // 4}_{n % 4}" for n in range(16)), "Target"]),
        *[",".join([*r.split(",")[1:], r[0]]) for r in lines()],
    ],
    "quoted": [HEADER, *[",".join(f'"{cell}"' for cell in line.split(",")) for line in lines()]],
    "label last": [HEADER.replace("label,", "") + ",Label", *[",".join([*r.split(",")[1:], r[0]]) for r in lines()]],
    "semicolons": lines(delimiter=";"),
    "blank lines": [HEADER, "", *lines()[:20], "   ", *lines()[20:], ""],
    "byte order mark": ["\ufeff" + HEADER, *lines()],
    "floats": [",".join(f"{cell}.0" for cell in line.split(",")) for line in lines()],
    "spaces": [line.replace(",", " , ") for line in lines()],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_one_table(tmp_path: Path, name: str) -> None:
    images, labels = whole(write(tmp_path / "toy.csv", VARIANTS[name]))
    assert np.array_equal(images, PIXELS.reshape(40, 4, 4))
    assert labels == LABELS


def test_parts_names_and_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "toy.CSV", VARIANTS["header"])
    train, test = read_pixel_csv(path, "train"), read_pixel_csv(path, "test")
    assert (train.name, train.remark, len(train), len(test)) == ("toy", "", 32, 8)
    assert test.counts().tolist() == [2, 2, 2, 2]
    assert set(train.ids) | set(test.ids) == {f"toy.CSV:{n}" for n in range(2, 42)}
    line = int(train.ids[5].split(":")[1])
    assert np.array_equal(train.images[5].ravel(), PIXELS[line - 2])


def test_more_rows_than_a_chunk(tmp_path: Path) -> None:
    pixels = np.random.default_rng(9).integers(0, 256, (1300, 16), dtype=np.uint8)
    images, _ = whole(write(tmp_path / "toy.csv", lines([str(n % 3) for n in range(1300)], pixels)))
    assert np.array_equal(images, pixels.reshape(-1, 4, 4))


def test_colour_is_interleaved(tmp_path: Path) -> None:
    pixels = np.random.default_rng(9).integers(0, 256, (8, 48), dtype=np.uint8)
    images, _ = whole(write(tmp_path / "toy.csv", lines(["a", "b"] * 4, pixels)))
    assert np.array_equal(images, pixels.reshape(8, 4, 4, 3))


def test_labels_may_be_words_in_natural_order(tmp_path: Path) -> None:
    words = ["letter 10", "letter 9", '"a, b"', "ä"] * 10
    path = write(tmp_path / "toy.csv.gz", [HEADER, *lines(words)])
    assert read_pixel_csv(path, "train").class_names == ("a, b", "letter 9", "letter 10", "ä")
    assert whole(path)[1] == [word.strip('"') for word in words]


def test_long_numbers_are_labels_of_their_own(tmp_path: Path) -> None:
    numbers = ["9007199254740993", "9007199254740992", "9" * 400, "-7.0"] * 10
    path = write(tmp_path / "toy.csv", [HEADER, *lines(numbers)])
    assert set(read_pixel_csv(path, "train").class_names) == {*numbers[:3], "-7"}
    assert whole(path)[1] == [number.removesuffix(".0") for number in numbers]
    words = ["1", "word " + "2" * 5_000, "3" * 5_000, "4.0"] * 10
    assert whole(write(tmp_path / "words.csv", [HEADER, *lines(words)]))[1] == words


def test_a_folder_with_train_and_test(tmp_path: Path) -> None:
    write(tmp_path / "mine/train.csv", [HEADER, *lines()])
    write(tmp_path / "mine/test.csv", lines(["3", "1"], PIXELS[:2]))
    test = read_pixel_csv(tmp_path / "mine", "test")
    assert (len(read_pixel_csv(tmp_path / "mine", "train")), test.targets.tolist()) == (40, [3, 1])
    assert (test.name, test.ids, len(test.class_names)) == ("mine", ("test.csv:1", "test.csv:2"), 4)
    write(tmp_path / "mine/test.csv", lines(["3", "7"], PIXELS[:2]))
    with pytest.raises(DataError, match=r"test\.csv, line 2: label '7' is not in the training part; known: 0, 1, 2, 3"):
        read_pixel_csv(tmp_path / "mine", "test")
    write(tmp_path / "mine/test.csv", lines(["3", "1"], np.zeros((2, 25), dtype=int)))
    with pytest.raises(DataError, match=r"images are \[5, 5\] but those of train\.csv are \[4, 4\]"):
        read_pixel_csv(tmp_path / "mine", "test")
    (tmp_path / "mine/test.csv").unlink()
    assert len(read_pixel_csv(tmp_path / "mine", "test")) == 8


def test_what_counts_as_a_table(tmp_path: Path) -> None:
    path = write(tmp_path / "mine/train.csv", lines())
    assert is_pixel_csv(path) and is_pixel_csv(tmp_path / "mine")
    assert not is_pixel_csv(tmp_path) and not is_pixel_csv(tmp_path / "missing.csv")


def changed(line: int, old: str, new: str) -> list[str]:
    rows = [HEADER, *lines(pixels=np.full((40, 16), 7))]
    rows[line - 1] = rows[line - 1].replace(old, new, 1)
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the file is empty"),
        ([HEADER], "a header but no rows"),
        ([",".join(f"c{n}" for n in range(17)), *lines()], "the header does not tell which column is the label"),
        (changed(9, ",7", ""), "line 9: 16 cells, expected 17 as in the first line"),
        (changed(9, ",7", ",7,7"), "line 9: 18 cells, expected 17"),
        (changed(5, ",7", ",300"), "line 5, column 2: 300 is no pixel; expected a whole number 0 to 255"),
        (changed(5, ",7", ",-1"), "line 5, column 2: -1 is no pixel"),
        (changed(5, ",7", ",0.5"), r"line 5, column 2: 0\.5 is no pixel.*must be multiplied by 255"),
        (changed(5, ",7", ",nan"), "line 5, column 2: nan is no pixel"),
        (changed(5, ",7", ",seven"), "line 5, column 2: 'seven' is no pixel"),
        (changed(5, ",7", ","), "line 5, column 2: '' is no pixel"),
        (changed(2, "0", ""), "line 2: the label is empty"),
        (lines(["a"] * 40), r"only one class \('a'\); expected at least two"),
        (lines(pixels=PIXELS[:, :15]), "16 columns are exactly a 4x4 picture, so there is no label; expected 17"),
        (lines(pixels=PIXELS[:, :12]), "13 columns, so 12 pixels beside the label; expected a square picture"),
        (lines(["a"] * 39 + ["b"]), "class 'b' has 1 image, expected at least 2"),
    ],
)
def test_damaged_tables(tmp_path: Path, rows: list[str], message: str) -> None:
    path = write(tmp_path / "toy.csv", rows) if rows else tmp_path / "toy.csv"
    path.touch()
    with pytest.raises(DataError, match=message):
        for split in ("train", "test"):
            read_pixel_csv(path, split)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "toy.csv").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"toy\.csv: not UTF-8 text \(byte 0x89\)"):
        read_pixel_csv(tmp_path / "toy.csv", "train")
    path = write(tmp_path / "toy.csv.gz", lines())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"toy\.csv\.gz: damaged or truncated gzip file"):
        read_pixel_csv(path, "train")

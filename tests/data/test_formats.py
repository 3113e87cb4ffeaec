from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.formats import read_cifar, read_idx, read_idx_pair
from glyphlab.errors import DataError

IMAGES = np.random.default_rng(1).integers(0, 256, (7, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0], dtype=np.uint8)

Write = Callable[[Path, np.ndarray], Path]


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_idx_round_trip(tmp_path: Path, write_idx: Write, name: str) -> None:
    images = read_idx(write_idx(tmp_path / name, IMAGES), "images")
    assert images.dtype == np.uint8 and images.flags.writeable and np.array_equal(images, IMAGES)


def test_gzip_is_recognised_by_content_not_by_name(tmp_path: Path, write_idx: Write) -> None:
    plain = write_idx(tmp_path / "images", IMAGES).rename(tmp_path / "plain.gz")
    zipped = write_idx(tmp_path / "images.gz", IMAGES).rename(tmp_path / "zipped")
    assert np.array_equal(read_idx(plain, "images"), read_idx(zipped, "images"))


def test_a_large_gzip_is_read_in_pieces(tmp_path: Path, write_idx: Write) -> None:
    large = np.random.default_rng(2).integers(0, 256, (3000, 28, 28), dtype=np.uint8)  # above one chunk
    assert np.array_equal(read_idx(write_idx(tmp_path / "large.gz", large), "images"), large)


def test_no_images_at_all(tmp_path: Path, write_idx: Write) -> None:
    assert read_idx(write_idx(tmp_path / "none", IMAGES[:0]), "images").shape == (0, 5, 4)


def test_truncated_gzip(tmp_path: Path, write_idx: Write) -> None:
    path = write_idx(tmp_path / "images.gz", IMAGES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"images\.gz: the gzip file ends too early \(truncated\)"):
        read_idx(path, "images")


def test_damaged_gzip(tmp_path: Path, write_idx: Write) -> None:
    path = write_idx(tmp_path / "images.gz", IMAGES)
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # the checksum
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"images\.gz: damaged gzip file"):
        read_idx(path, "images")


@pytest.mark.parametrize(
    ("start", "found"), [(b"\x00\x00\x08\x01", "0x00000801"), (b"<htm", "0x3c68746d"), (b"\x00", "only 1 bytes")]
)
def test_wrong_magic_number(tmp_path: Path, start: bytes, found: str) -> None:
    path = tmp_path / "images"
    path.write_bytes(start + bytes(40) if len(start) == 4 else start)
    with pytest.raises(DataError, match=rf"images: wrong magic number {found} at the start; expected 0x00000803"):
        read_idx(path, "images")


def test_short_long_and_headless_files(tmp_path: Path, write_idx: Write) -> None:
    path = write_idx(tmp_path / "images", IMAGES)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="images: ends after 139 of 140 bytes"):
        read_idx(path, "images")
    path.write_bytes(whole + b"x")
    with pytest.raises(DataError, match="goes on after the 7 images its header announces"):
        read_idx(path, "images")
    path.write_bytes(whole[:9])
    with pytest.raises(DataError, match="ends within its header"):
        read_idx(path, "images")


def test_a_header_that_promises_too_much_reserves_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 4_000_000_000, 4_000_000, 28))
    with pytest.raises(DataError, match="announces 4000000000 x 4000000 x 28 values, more than it can hold"):
        read_idx(path, "images")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*images: No such file"):
        read_idx(tmp_path / "images", "images")


def test_pair(tmp_path: Path, write_idx: Write) -> None:
    images_path, labels_path = write_idx(tmp_path / "i", IMAGES), write_idx(tmp_path / "l", LABELS + 1)
    images, targets = read_idx_pair(images_path, labels_path, class_count=3, first_label=1)
    assert targets.dtype == np.int64 and targets.tolist() == LABELS.tolist() and len(images) == 7


def test_pair_of_unlike_counts(tmp_path: Path, write_idx: Write) -> None:
    images_path, labels_path = write_idx(tmp_path / "i", IMAGES), write_idx(tmp_path / "l", LABELS[:6])
    with pytest.raises(DataError, match="i holds 7 images but l holds 6 labels"):
        read_idx_pair(images_path, labels_path, class_count=3)


@pytest.mark.parametrize(("first_label", "label", "position"), [(0, 2, 2), (1, 0, 0)])
def test_label_beyond_the_classes(
    tmp_path: Path, write_idx: Write, first_label: int, label: int, position: int
) -> None:
    images_path, labels_path = write_idx(tmp_path / "i", IMAGES), write_idx(tmp_path / "l", LABELS)
    message = f"l: label {label} found at position {position}, expected {first_label} to {first_label + 1}"
    with pytest.raises(DataError, match=message):
        read_idx_pair(images_path, labels_path, class_count=2, first_label=first_label)


@pytest.mark.parametrize("zipped", [False, True])
def test_cifar(tmp_path: Path, zipped: bool) -> None:
    pictures = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    records = [bytes([n]) + pictures[n].transpose(2, 0, 1).tobytes() for n in range(5)]
    paths = [tmp_path / "one.bin", tmp_path / "two.bin"]
    for path, part in zip(paths, (records[:3], records[3:]), strict=True):
        path.write_bytes(gzip.compress(b"".join(part)) if zipped else b"".join(part))
    images, targets = read_cifar(paths)
    assert np.array_equal(images, pictures) and images.flags.c_contiguous
    assert targets.tolist() == [0, 1, 2, 3, 4]


def test_damaged_cifar(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(bytes(3073 + 5))
    with pytest.raises(DataError, match=r"one\.bin: 3,078 bytes, not a multiple of 3,073"):
        read_cifar([path])
    path.write_bytes(bytes([11]) + bytes(3072))
    with pytest.raises(DataError, match=r"one\.bin: label 11 found at position 0, expected 0 to 9"):
        read_cifar([path])

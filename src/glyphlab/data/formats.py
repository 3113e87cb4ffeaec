"""Binary files of images and labels: IDX (MNIST and its kin) and CIFAR-10's, plain or gzipped.

Whether a file is gzipped is seen from its first bytes, not from its name. Files are read straight into the
array that is returned, so that memory holds one copy. Every complaint is a `DataError` that names the file.
"""

from __future__ import annotations

import contextlib
import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import DataError

_GZIP_START = b"\x1f\x8b"
# Deflate cannot compress better than this: a header that promises more is damaged, not generous.
_MAX_GZIP_RATIO = 1032
_CHUNK_BYTES = 1 << 20
_CURE = "the file is damaged or was cut off while copying: delete it and fetch it again"

# LeCun's description of the IDX format: two zero bytes, 0x08 for unsigned bytes, the number of dimensions.
_IDX_START = {"images": b"\x00\x00\x08\x03", "labels": b"\x00\x00\x08\x01"}

CIFAR_SIDE = 32
_CIFAR_RECORD = 1 + 3 * CIFAR_SIDE * CIFAR_SIDE


def read_idx(path: Path, holds: Literal["images", "labels"]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes: images as uint8 [N, H, W] or labels as uint8 [N].

    Raises `DataError` for a file that is missing, damaged, cut short, too long or of another kind.
    Format: http://yann.lecun.com/exdb/mnist/ ("the IDX file format").
    """
    with _reading(path), _open(path) as stream:
        start = stream.read(4)
        expected = _IDX_START[holds]
        if start != expected:
            found = f"0x{start.hex()}" if len(start) == 4 else f"only {len(start)} bytes"
            raise DataError(
                f"{path}: wrong magic number {found} at the start; expected 0x{expected.hex()} (IDX "
                f"{holds}); this is another kind of file, or it is damaged"
            )
        dimensions = start[3]
        header = stream.read(4 * dimensions)
        if len(header) < 4 * dimensions:
            raise DataError(f"{path}: ends within its header; {_CURE}")
        shape: tuple[int, ...] = struct.unpack(f">{dimensions}I", header)
        _refuse_impossible(path, shape)
        values = np.empty(shape, dtype=np.uint8)
        _fill(path, stream, values)
        if stream.read(1):
            raise DataError(f"{path}: goes on after the {shape[0]:,} {holds} its header announces; {_CURE}")
    return values


def read_idx_pair(
    images_path: Path, labels_path: Path, class_count: int, first_label: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read images and their labels: uint8 [N, H, W] and int64 [N], 0 to class_count - 1.

    Labels are read and tested first, since they are small. Raises `DataError` as `read_idx` does, and when
    the counts differ or a label lies beyond the classes.
    """
    labels = read_idx(labels_path, "labels")
    targets = _targets(labels_path, labels, class_count, first_label)
    images = read_idx(images_path, "images")
    if len(images) != len(targets):
        raise DataError(
            f"{images_path} holds {len(images):,} images but {labels_path.name} holds {len(targets):,} "
            "labels; one of the two is damaged or belongs to another set"
        )
    return images, targets


def read_cifar(paths: Sequence[Path], class_count: int = 10) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read CIFAR-10 binary files, one after the other: uint8 [N, 32, 32, 3] and int64 [N].

    A record is one label byte, then 1024 bytes each of red, green and blue, row by row
    (https://www.cs.toronto.edu/~kriz/cifar.html, "binary version"). Raises `DataError` for a damaged file.
    """
    images: list[NDArray[np.uint8]] = []
    targets: list[NDArray[np.int64]] = []
    for path in paths:
        with _reading(path), _open(path) as stream:
            content = stream.read()
        if not content or len(content) % _CIFAR_RECORD:
            raise DataError(
                f"{path}: {len(content):,} bytes, not a multiple of {_CIFAR_RECORD:,} (one label and one "
                f"picture); {_CURE}"
            )
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _CIFAR_RECORD)
        targets.append(_targets(path, records[:, 0], class_count, first_label=0))
        images.append(records[:, 1:].reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE).transpose(0, 2, 3, 1))
    # The pieces are views with the channels first; joining them lays the pixels out as promised.
    block = np.empty((sum(map(len, images)), CIFAR_SIDE, CIFAR_SIDE, 3), dtype=np.uint8)
    np.concatenate(images, out=block)
    return block, np.concatenate(targets)


def _targets(path: Path, labels: NDArray[np.uint8], class_count: int, first_label: int) -> NDArray[np.int64]:
    """Labels of a file as int64 targets from 0; `DataError` when one lies beyond the classes."""
    targets = labels.astype(np.int64) - first_label
    beyond = np.flatnonzero((targets < 0) | (targets >= class_count))
    if beyond.size:
        raise DataError(
            f"{path}: label {labels[beyond[0]]} found at position {beyond[0]:,}, expected {first_label} to "
            f"{first_label + class_count - 1} ({class_count} classes); the file is damaged or belongs to "
            "another set"
        )
    return targets


def _open(path: Path) -> BinaryIO:
    """Open for reading, through gzip where the first bytes say so."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == _GZIP_START
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _refuse_impossible(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse a header that announces more than the file can hold, before memory is reserved for it."""
    announced = 1
    for extent in shape:
        announced *= extent
    if announced > path.stat().st_size * _MAX_GZIP_RATIO:
        raise DataError(
            f"{path}: its header announces {' x '.join(map(str, shape))} values, more than it can hold; {_CURE}"
        )


def _fill(path: Path, stream: BinaryIO, values: NDArray[np.uint8]) -> None:
    """Read exactly `values.size` bytes into `values`."""
    if not values.size:
        return
    view = values.data.cast("B")
    done = 0
    while done < len(view):
        got = stream.readinto(view[done : done + _CHUNK_BYTES])  # type: ignore[attr-defined]
        if not got:
            raise DataError(f"{path}: ends after {done:,} of {len(view):,} bytes of content; {_CURE}")
        done += got


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what the operating system and gzip raise while `path` is read into a `DataError`."""
    try:
        yield
    except EOFError as error:
        raise DataError(f"{path}: the gzip file ends too early (truncated); {_CURE}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); {_CURE}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error

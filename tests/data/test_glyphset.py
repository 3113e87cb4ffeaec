from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet, stratified_split
from glyphlab.errors import DataError

IMAGES = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 5)
TARGETS = np.array([0, 1, 1, 0])


def make(**changes: object) -> GlyphSet:
    parts: dict = {"images": IMAGES, "targets": TARGETS, "class_names": ("a", "b"), "name": "toy"}
    return GlyphSet(**(parts | changes))


def test_shape_counts_and_ids() -> None:
    grey = make()
    assert (len(grey), grey.image_shape, grey.counts().tolist(), grey.id_of(2)) == (4, (1, 3, 5), [2, 2], "2")
    colour = make(images=np.zeros((4, 3, 5, 3), dtype=np.uint8), ids=("p", "q", "r", "s"))
    assert (colour.image_shape, colour.id_of(2)) == ((3, 3, 5), "r")
    assert make(class_names=("a", "b", "c")).counts().tolist() == [2, 2, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES.astype(np.float32)}, r"toy: images are float32 \[4, 3, 5\]; expected uint8"),
        ({"images": np.zeros((4, 3, 5, 4), np.uint8)}, r"expected uint8 \[N, H, W\] or \[N, H, W, 3\]"),
        ({"targets": TARGETS.astype(np.int32)}, r"toy: targets are int32 \[4\]; expected int64 \[N\]"),
        ({"targets": TARGETS.astype(np.float64)}, r"toy: targets are float64 \[4\]; expected int64"),
        ({"targets": TARGETS[:, None]}, r"toy: targets are int64 \[4, 1\]; expected int64"),
        ({"images": IMAGES[:3]}, "toy train: 3 images but 4 labels"),
        ({"targets": np.array([0, 1, 2, 0])}, r"label 2 found, but there are 2 classes \(labels 0 to 1\)"),
        ({"targets": np.array([0, -1, 1, 0])}, "label -1 found"),
        ({"ids": ("only", "two")}, "4 images but 2 ids"),
    ],
)
def test_contradictory_parts_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(**changes)


def test_subset_takes_images_targets_and_ids_along() -> None:
    part = make(ids=("p", "q", "r", "s")).subset([3, 1], split="validation")
    assert (part.images == IMAGES[[3, 1]]).all()
    assert (part.targets.tolist(), part.ids, part.split, part.name) == ([0, 1], ("s", "q"), "validation", "toy")
    part.images[:] = 0
    assert IMAGES.any()  # a copy


def test_digest_is_sha256_of_content_and_ignores_names() -> None:
    expected = hashlib.sha256(repr(((4, 3, 5), ("a", "b"))).encode() + IMAGES.tobytes() + TARGETS.tobytes())
    assert make().digest() == expected.hexdigest()
    assert make(name="other", remark="x").digest() == make().digest()
    for changes in ({"images": IMAGES + 1}, {"targets": 1 - TARGETS}, {"class_names": ("a", "c")}):
        assert make(**changes).digest() != make().digest()
    assert make().subset([]).digest() != make().digest()


def test_digest_of_a_strided_view_equals_that_of_its_copy() -> None:
    view = make(images=IMAGES[:, :, ::-1])
    assert view.digest() == replace(view, images=view.images.copy()).digest()


@pytest.mark.parametrize("ids", [None, ("p", "ä/q", "r", "s")])
def test_save_and_load(tmp_path: Path, ids: tuple[str, ...] | None) -> None:
    stored = make(ids=ids, remark="a remark", split="test", origin="mnist")
    stored.save(tmp_path / "toy.npz")
    loaded = GlyphSet.load(tmp_path / "toy.npz")
    assert loaded.digest() == stored.digest()
    assert (loaded.ids, loaded.name, loaded.split, loaded.remark) == (ids, "toy", "test", "a remark")
    assert loaded.origin == GlyphSet.stored_origin(tmp_path / "toy.npz") == "mnist"


def test_files_of_former_versions_have_no_origin(tmp_path: Path) -> None:
    make(remark="a remark", origin="mnist").save(tmp_path / "toy.npz")
    with np.load(tmp_path / "toy.npz") as stored:
        np.savez(tmp_path / "former.npz", **{**stored, "about": stored["about"][:3]})
    loaded = GlyphSet.load(tmp_path / "former.npz")
    assert (loaded.remark, loaded.origin) == ("a remark", "")


def test_loading_something_else_is_a_data_error(tmp_path: Path) -> None:
    make().save(tmp_path / "toy.npz")
    cut = tmp_path / "cut.npz"
    cut.write_bytes((tmp_path / "toy.npz").read_bytes()[:200])
    np.savez(tmp_path / "other.npz", weights=IMAGES)
    np.save(tmp_path / "array.npy", IMAGES)
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    for name in ("cut.npz", "other.npz", "array.npz", "missing.npz"):
        with pytest.raises(DataError, match=f"{name} is not a saved glyph set"):
            GlyphSet.load(tmp_path / name)


def test_stratified_split_divides_each_class_in_proportion() -> None:
    targets = np.repeat([0, 1, 2], [100, 40, 2])
    large, small = stratified_split(targets, 0.15, seed=1)
    assert np.array_equal(np.sort(np.concatenate([large, small])), np.arange(142))
    assert (np.diff(large) > 0).all() and (np.diff(small) > 0).all()
    assert np.bincount(targets[small]).tolist() == [15, 6, 1]
    again = stratified_split(targets, 0.15, seed=1)
    other = stratified_split(targets, 0.15, seed=2)
    assert np.array_equal(small, again[1]) and not np.array_equal(small, other[1])


def test_stratified_split_of_nothing_and_of_single_images() -> None:
    assert [len(part) for part in stratified_split(np.repeat([0, 1], 5), 0.0, seed=1)] == [10, 0]
    assert [len(part) for part in stratified_split(np.array([0, 1]), 0.9, seed=1)] == [0, 2]
    assert [len(part) for part in stratified_split(np.array([], dtype=np.int64), 0.5, seed=1)] == [0, 0]

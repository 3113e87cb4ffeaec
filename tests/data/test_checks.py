from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.checks import BLANK_CONTRAST, FEW_IMAGES, Finding, check, check_sets
from glyphlab.data.glyphset import GlyphSet

Write = Callable[..., Path]


def make(count: int = 40, split: str = "train", seed: int = 0) -> GlyphSet:
    images = np.random.default_rng(seed).integers(0, 256, (count, 6, 6), dtype=np.uint8)
    return GlyphSet(images, np.arange(count) % 2, ("a", "b"), name="toy", split=split)


def only(findings: Sequence[Finding], kind: str) -> Finding:
    (finding,) = [finding for finding in findings if finding.kind == kind]
    return finding


def test_sound_sets_have_no_findings() -> None:
    assert check_sets([make(), make(split="test", seed=1)]) == []
    assert check_sets([make(0), make(0, "test")])[0].kind == "empty"


def test_a_test_image_in_the_training_part_is_a_leak() -> None:
    train, test = make(), make(split="test", seed=1)
    test.images[3], test.images[4] = train.images[7], train.images[8]
    test.targets[3:5] = train.targets[7:9]
    (finding,) = check_sets([train, test])
    assert (finding.kind, finding.severity, finding.count) == ("leak", "error", 2)
    assert finding.examples == ("train 7 = test 3", "train 8 = test 4")
    assert finding.message == "2 images of the test part also in the training part (5.00% of it)"


def test_every_test_image_that_leaked_counts_and_the_share_is_of_the_test_part() -> None:
    train, test = make(20), make(1000, split="test", seed=1)
    test.images[:105] = train.images[np.arange(105) % 6]
    test.targets[:105] = train.targets[np.arange(105) % 6]
    finding = only(check_sets([train, test]), "leak")
    assert finding.count == 105
    assert finding.message == "105 images of the test part also in the training part (10.50% of it)"


def test_a_rare_leak_is_a_warning() -> None:
    train, test = make(), make(400, split="test", seed=1)
    train = replace(train, images=np.concatenate([train.images, make(400, seed=2).images]), targets=np.arange(440) % 2)
    test.images[3], test.targets[3] = train.images[7], train.targets[7]
    assert only(check_sets([train, test]), "leak").severity == "warning"


def test_duplicates_within_a_split() -> None:
    train = replace(make(), ids=tuple(f"p{n}.png" for n in range(40)))
    train.images[[9, 11]] = train.images[5]
    finding = only(check_sets([train]), "duplicate")
    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.examples == ("p5.png = p9.png", "p5.png = p11.png")
    large = make(500)
    large.images[9] = large.images[5]
    assert only(check_sets([large]), "duplicate").severity == "note"  # a share too small to matter


def test_equal_images_under_different_labels() -> None:
    train = make()
    train.images[6] = train.images[5]
    finding = only(check_sets([train]), "contradiction")
    assert (finding.count, finding.examples) == (1, ("train 5 (b) = train 6 (a)",))


def test_groups_agree_with_a_plain_search() -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (60, 6, 6), dtype=np.uint8)[rng.integers(0, 60, 300)]
    train = GlyphSet(images, np.zeros(300, dtype=np.int64), ("a", "b"), split="train")
    seen = {image.tobytes() for image in images}
    assert only(check_sets([train]), "duplicate").count == 300 - len(seen)


def test_equal_bytes_of_another_shape_are_not_equal() -> None:
    train = make()
    test = replace(make(split="test"), images=train.images.reshape(-1, 4, 9))
    assert check_sets([train, test]) == []


def test_blank_images_are_blank_only() -> None:
    train = make()
    train.images[[2, 4, 6]] = 200
    train.images[6, 0, 0] += BLANK_CONTRAST - 1
    finding = only(check_sets([train]), "blank")
    assert (finding.severity, finding.count, finding.examples) == ("warning", 3, ("train 2", "train 4", "train 6"))
    assert len(check_sets([train])) == 1
    train.images[6, 0, 0] += 1
    assert only(check_sets([train]), "blank").count == 2


def test_missing_and_small_classes() -> None:
    train, test = make(), make(split="test", seed=1)
    train = replace(
        train, class_names=("a", "b", "c"), targets=np.repeat([0, 1], [40 - FEW_IMAGES + 1, FEW_IMAGES - 1])
    )
    test = replace(test, class_names=("a", "b", "c"), targets=np.repeat([0, 1, 2], [20, 11, 9]))
    findings = check_sets([train, test])
    assert [(f.kind, f.severity, f.examples) for f in findings] == [
        ("empty", "warning", ("c (0)",)),
        ("few", "warning", ("b (9)",)),
        ("few", "note", ("c (9)",)),
    ]


def test_imbalance_concerns_the_training_part() -> None:
    train = replace(make(440), targets=np.repeat([0, 1], [401, 39]))
    finding = only(check_sets([train]), "imbalance")
    assert finding.examples == ("a (401)", "b (39)") and "10.3 times" in finding.message
    assert check_sets([replace(train, targets=np.repeat([0, 1], [400, 40]))]) == []
    assert check_sets([replace(train, split="test")]) == []


def test_a_folder_with_bad_files_and_odd_sizes(picture_folder: Path, write_picture: Write) -> None:
    (picture_folder / "alpha/0.png").write_bytes(b"")
    write_picture(picture_folder / "alpha/1.png", np.eye(7, dtype=np.uint8) * 255)
    write_picture(picture_folder / "alpha/2.png", np.tile(np.arange(0, 200, 2, dtype=np.uint8), (10, 1)))
    findings = check(picture_folder)
    assert [(f.kind, f.severity, f.count) for f in findings if f.kind in ("unreadable", "size")] == [
        ("unreadable", "error", 1),
        ("size", "warning", 2),
        ("size", "note", 2),
    ]
    assert only(findings, "unreadable").examples == ("alpha/0.png (the file is empty)",)
    assert "alpha/1.png (7x7)" in findings[1].examples and "alpha/2.png (100x10)" in findings[1].examples
    assert only(check(picture_folder, skip_bad=True), "unreadable").severity == "note"


def test_pictures_that_belong_to_no_part_are_found(picture_folder: Path, write_picture: Write, tmp_path: Path) -> None:
    folder = tmp_path / "parted"
    for part in ("train", "test"):
        shutil.copytree(picture_folder, folder / part)
    for place in ("train/alpha/more/1.png", "extra/b/2.png", "loose.png", ".hidden/3.png"):
        write_picture(folder / place)
    finding = only(check(folder), "unused")
    assert finding.severity == "warning"
    assert finding.examples == ("extra/b/2.png", "loose.png", "train/alpha/more/1.png")


def test_the_gravest_come_first(picture_folder: Path) -> None:
    (picture_folder / "alpha/0.png").write_bytes(b"")
    order = [("error", "warning", "note").index(finding.severity) for finding in check(picture_folder)]
    assert order == sorted(order) and len(set(order)) > 1


def test_a_public_set_by_name() -> None:
    pytest.importorskip("sklearn")
    assert check("digits") == []


def test_real_photos_leak(real_data: Path) -> None:
    folder = real_data / "greek-photos"
    if not folder.is_dir():
        pytest.skip("no greek-photos at hand")
    assert only(check(folder), "leak").count == 6

"""Findings about a data set, and whether they still are about its images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from glyphlab.errors import DataError, RunError, quoted
from glyphlab.evaluation.labels.search import LabelSearch
from glyphlab.evaluation.labels.target import LabelTarget


@pytest.fixture
def lab(picture_folder: Path, tmp_path: Path) -> Path:
    """A folder of pictures to be changed."""
    return Path(shutil.copytree(picture_folder, tmp_path / "lab"))


def found(target: LabelTarget, folder: Path) -> LabelSearch:
    """A search as `find` leaves it, by a network that knows nothing."""
    glyphs = target.glyphs("train")
    search = LabelSearch(glyphs, np.random.default_rng(0).dirichlet(np.ones(3), size=len(glyphs)))
    target.write(search, folder)
    return search


def test_a_search_that_is_missing_says_the_whole_command(lab: Path, tmp_path: Path) -> None:
    target = LabelTarget.open(str(lab), data_dir=tmp_path, runs_dir=tmp_path)
    with pytest.raises(RunError, match="write it with: ") as refused:
        target.searched("train")
    expected = f"glyphlab labels find {quoted(lab)} --runs-dir {quoted(tmp_path)} --data-dir {quoted(tmp_path)}"
    assert str(refused.value).endswith(expected)


def test_suspicions_come_with_their_images(lab: Path, tmp_path: Path) -> None:
    target = LabelTarget.open(str(lab), runs_dir=tmp_path)
    search = found(target, target.folder())
    glyphs, suspicions = target.searched("train")
    assert glyphs.digest() == search.glyphs.digest()
    assert suspicions[0].id == glyphs.id_of(int(search.order[0]))
    sorted((lab / "train" / "a").iterdir())[0].unlink()
    command = f"glyphlab labels find {quoted(lab)} --force --runs-dir {quoted(tmp_path)}"
    with pytest.raises(DataError, match="have changed since their labels were searched") as refused:
        target.searched("train")
    assert str(refused.value).endswith(f"search again with: {command}")


def test_findings_elsewhere_say_how_their_pictures_were_read(lab: Path, tmp_path: Path) -> None:
    place = tmp_path / "found elsewhere"
    found(LabelTarget.open(str(lab), settings={"data.size": 20}, runs_dir=tmp_path), place)
    target = LabelTarget.open(str(lab), runs_dir=tmp_path)
    assert target.glyphs("train").image_shape == (1, 12, 12)
    assert target.searched("train", place)[0].image_shape == (1, 20, 20)
    sorted((lab / "train" / "a").iterdir())[0].unlink()
    with pytest.raises(DataError, match=f" --force --out '{place}' --runs-dir "):
        target.searched("train", place)

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.evaluation.mistakes import neighbours
from glyphlab.evaluation.mistakes.neighbours import nearest
from glyphlab.networks.features import predict_with_features
from glyphlab.training.images import load_images
from glyphlab.training.run import Run


@pytest.fixture
def test_part(run: Run) -> GlyphSet:
    return load_images(run.recipe, "test", None)


def brute_force(run: Run, glyphs: GlyphSet, index: int, target: int | None) -> list[int]:
    """All training images of a class (None: of any) by falling cosine, float64."""
    classifier, train_part = run.classifier(), load_images(run.recipe, "train", None)
    _, keys = predict_with_features(classifier, torch.from_numpy(train_part.images))
    _, query = predict_with_features(classifier, torch.from_numpy(glyphs.images[index : index + 1]))
    a, b = query.double().numpy()[0], keys.double().numpy()
    cosines = b @ a / np.linalg.norm(a) / np.linalg.norm(b, axis=1)
    order = np.argsort(-cosines, kind="stable")
    return [int(i) for i in order if target is None or train_part.targets[i] == target]


def test_neighbours_are_those_of_a_search_by_hand(run: Run, test_part: GlyphSet) -> None:
    indices, true, predicted = np.array([0, 7, 29]), np.array([0, 1, 2]), np.array([1, 1, 0])
    found = nearest(run, test_part, indices, true, predicted, count=4)
    assert found.true.shape == found.predicted.shape == (3, 4) and found.of_any.shape == found.by_pixels.shape == (3, 5)
    for row, index in enumerate(indices.tolist()):
        # Stored in half precision: images that are as near as makes no difference may change places.
        assert len(set(found.of_any[row]) & set(brute_force(run, test_part, index, None)[:7])) == 5
        assert len(set(found.true[row]) & set(brute_force(run, test_part, index, int(true[row]))[:6])) == 4
        assert len(set(found.predicted[row]) & set(brute_force(run, test_part, index, int(predicted[row]))[:6])) == 4
    assert (found.train.targets[found.true] == true[:, None]).all()
    assert (found.train.targets[found.predicted] == predicted[:, None]).all()
    assert found.labels.tolist() == found.train.targets[np.hstack([found.of_any, found.by_pixels])].tolist()
    assert found.labels.shape == (3, 10)


def test_pixels_find_the_same_picture_whatever_the_network_thinks(run: Run) -> None:
    train_part = load_images(run.recipe, "train", None)
    copy = replace(train_part.subset([5, 50]), name="copy", split="test")
    found = nearest(run, copy, np.array([0, 1]), copy.targets, copy.targets)
    assert found.by_pixels[:, 0].tolist() == [5, 50] == found.of_any[:, 0].tolist()


def test_a_training_image_is_not_its_own_neighbour(run: Run) -> None:
    train_part = load_images(run.recipe, "train", None)
    every = np.arange(len(train_part))
    found = nearest(run, train_part, every, train_part.targets, train_part.targets)
    for table in (found.true, found.of_any, found.by_pixels):
        assert not (table == every[:, None]).any() and (table >= 0).all()


def test_features_are_made_once_and_again_for_other_weights(
    run: Run, test_part: GlyphSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> tuple[list[list[int]], list[int]]:
        news: list[int] = []
        found = nearest(
            run, test_part, np.array([3]), np.array([0]), np.array([1]), on_progress=lambda n, _: news.append(n)
        )
        return found.of_any.tolist(), news

    path = run.folder / "features" / "train.npz"
    first, news = ask()
    assert news == [120] and path.exists()
    assert ask() == (first, [])  # from the file
    monkeypatch.setattr(Run, "weights_sha256", lambda _: "others")
    assert ask() == (first, [120])
    path.write_bytes(path.read_bytes()[:100])  # cut short: made again
    assert ask() == (first, [120])


def test_missing_neighbours_are_minus_one() -> None:
    keys = np.eye(4, dtype=np.float32)
    found = neighbours._search(keys[:2], keys, np.array([1, 3]), np.array([-1, 1]), 3)
    assert found.tolist() == [[1, 3, -1], [3, -1, -1]]
    nobody = neighbours._search(keys[:1], keys, np.array([], dtype=np.int64), np.array([-1]), 2)
    assert nobody.tolist() == [[-1, -1]]


def test_blocks_change_nothing(run: Run, test_part: GlyphSet, monkeypatch: pytest.MonkeyPatch) -> None:
    every = np.arange(len(test_part))
    whole = nearest(run, test_part, every, test_part.targets, test_part.targets)
    monkeypatch.setattr(neighbours, "_MOST_SIMILARITIES", 300)
    parts = nearest(run, test_part, every, test_part.targets, test_part.targets)
    assert whole.by_pixels.tolist() == parts.by_pixels.tolist()
    assert whole.true.tolist() == parts.true.tolist()


def test_training_data_that_is_gone_is_said(run: Run, test_part: GlyphSet) -> None:
    text = (run.folder / "recipe.toml").read_text()
    (run.folder / "recipe.toml").write_text(text.replace("/bars", "/gone"))
    with pytest.raises(DataError, match="gone"):
        nearest(run, test_part, np.array([0]), np.array([0]), np.array([1]))

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, GlyphlabError, ModelError, RunError
from glyphlab.evaluation.inspect import inspection
from glyphlab.evaluation.inspect.inspection import SUMMARY, WHAT, Wishes, claim, inspect
from glyphlab.evaluation.inspect.subject import Sample, Shown, Subject
from glyphlab.networks.classifier import Classifier, ClassifierSpec


def subject_of(network: str, shape: tuple[int, int, int] = (1, 20, 20), images: int = 24) -> Subject:
    torch.manual_seed(0)
    channels = shape[0]
    spec = ClassifierSpec(network, shape, tuple("abc"), (0.2,) * channels, (0.3,) * channels)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, *shape[1:]) if channels == 1 else (images, *shape[1:], 3), dtype=np.uint8)
    glyphs = GlyphSet(pixels, np.arange(images, dtype=np.int64) % 3, tuple("abc"), name="noise", split="test")
    return Subject(f"some-{network}", Classifier(spec).eval(), (lambda: glyphs) if images else None)


def wishes(**given: Any) -> Wishes:
    plain = {"what": None, "layer": None, "view": "auto", "border": "reflect", "method": "pca", "seed": 0}
    return Wishes.checked(**(plain | given))


@pytest.mark.parametrize("shape", [(1, 20, 20), (3, 18, 22)])
def test_everything_is_drawn_and_summed_up(
    tmp_path: Path, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glyphlab.evaluation.inspect.excite._ROUNDS", 1)
    told: list[float] = []
    found = inspect(subject_of("mnist-net", shape), tmp_path, wishes(), on_progress=lambda _, share: told.append(share))
    names = [
        "filters-conv1",
        "filters-conv2",
        "responses-conv1",
        "responses-conv2",
        "maps",
        "saliency",
        "space",
        "excite",
    ]
    assert [path.stem for path in found.files] == names and all(path.is_file() for path in found.files)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.png" for name in names} | {SUMMARY}
    summary = json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    assert summary == found.to_json() and summary["filters"]["conv2"] == [20, 10, 5, 5]
    assert summary["image"]["name"] == "test image 0 (a)" and summary["space"]["points"] == 24
    assert all(facts["largest_difference_to_layer"] < 1e-5 for facts in summary["responses"].values())
    assert set(summary["excite"]) == set("abc") and told == sorted(told) and told[-1] == 1.0
    assert "responses of conv1 make the layer's output to" in found.describe()


def test_the_mistakes_explained_are_the_surest() -> None:
    """By probability: a large output says little where another is nearly as large."""
    logits = np.array([[9.0, 8.9, 0], [3, 0, 0], [0, 0, 5], [50, 49.8, 0], [1, 0, 0]], dtype=np.float32)
    targets = np.array([1, 1, 2, 1, 1])
    drawn = Sample(np.arange(5), targets, logits, np.zeros((5, 1), dtype=np.float32))

    class Stub:
        sample = drawn

        def probs(self, image: Any) -> Any:
            return np.array([0.1, 0.1, 0.8])

        def shown(self, index: int) -> Shown:
            return Shown(np.zeros((2, 2), dtype=np.uint8), str(index), int(targets[index]))

    first = Shown(np.zeros((2, 2), dtype=np.uint8), "first", 2)
    chosen = inspection._to_explain(cast(Subject, Stub()), first)
    assert [shown.name for shown, _ in chosen] == ["first", "1", "1", "4", "4", "3", "3"]


def test_a_network_without_convolutions_says_what_is_left_out(tmp_path: Path) -> None:
    found = inspect(subject_of("linear"), tmp_path, wishes(what=("saliency", "space")))
    assert [path.name for path in found.files] == ["saliency.png", "space.png"]
    with pytest.raises(ModelError, match="network 'linear' has no convolutions"):
        inspect(subject_of("linear"), tmp_path, wishes(what=("filters",)))


def test_one_layer_and_one_image_can_be_chosen(tmp_path: Path) -> None:
    subject = subject_of("mnist-net")
    asked = wishes(what=("filters", "responses", "saliency"), layer="2", view=9, border="zero")
    found = inspect(subject, tmp_path, asked, image=subject.shown(4))
    assert [path.name for path in found.files] == ["filters-conv2.png", "responses-conv2.png", "saliency.png"]
    assert found.facts["responses"]["conv2"]["border"] == "zero"
    explained = found.facts["saliency"]
    assert {row["image"] for row in explained} == {"test image 4 (b)"} and "b" in {row["class"] for row in explained}


def test_former_pictures_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    subject = subject_of("mnist-net")
    inspect(subject, tmp_path, wishes(what=("filters", "maps")))
    (tmp_path / "notes.txt").write_text("mine")
    found = inspect(subject, tmp_path, wishes(what=("maps",)))
    assert {path.name for path in tmp_path.iterdir()} == {"inspect.json", "notes.txt", "maps.png"}
    assert found.files == [tmp_path / "maps.png"]


def test_a_network_without_data_shows_what_it_can(tmp_path: Path) -> None:
    subject = subject_of("mnist-net", (3, 20, 20), images=0)
    found = inspect(subject, tmp_path)
    assert {path.stem.split("-")[0] for path in found.files} == {"filters"} and "no image was given" in found.notes[0]
    picture = Shown(np.zeros((20, 20, 3), np.uint8), "black.png")
    stems = {path.stem.split("-")[0] for path in inspect(subject, tmp_path, image=picture).files}
    assert stems == {"filters", "responses", "maps", "saliency"}
    with pytest.raises(DataError, match="comes without images; give one with --image"):
        inspect(subject, tmp_path, wishes(what=("maps",)))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"what": ("filter",)}, "unknown part of an inspection 'filter'; did you mean 'filters'"),
        ({"what": ()}, f"known: {', '.join(WHAT)}"),
        ({"border": "mirror"}, "unknown border 'mirror'; known: reflect, zero"),
        ({"method": "umap"}, "unknown method 'umap'; known: pca, tsne"),
    ],
)
def test_words_that_mean_nothing_are_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(GlyphlabError, match=problem):
        wishes(**given)


def test_a_mistaken_layer_or_image_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="did you mean 'conv1'"):
        inspect(subject_of("mnist-net"), tmp_path / "new", wishes(layer="conv11"))
    with pytest.raises(DataError, match="no image 24 in noise test; expected 0 to 23"):
        subject_of("mnist-net").shown(24)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_files_is_not_written_into(tmp_path: Path) -> None:
    claim(tmp_path / "new")
    claim(tmp_path)
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match=r"holds files, but no inspect\.json of an earlier inspection"):
        claim(tmp_path)
    claim(tmp_path, force=True)
    (tmp_path / SUMMARY).write_text("{}", encoding="utf-8")
    claim(tmp_path)

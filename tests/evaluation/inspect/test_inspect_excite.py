from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.excite import draw_excitation, excite
from glyphlab.networks.classifier import Classifier, ClassifierSpec


def half_watcher(shape: tuple[int, int, int]) -> Classifier:
    """Class a wants light on the left half, class b on the right."""
    channels, height, width = shape
    spec = ClassifierSpec("linear", shape, ("a", "b"), (0.1,) * channels, (1.0,) * channels)
    classifier = Classifier(spec).eval()
    weights = torch.full((channels, height, width), 0.2)
    weights[..., width // 2 :] = -0.2
    with torch.no_grad():
        classifier.body.output.weight.copy_(torch.stack((weights.flatten(), -weights.flatten())))
        classifier.body.output.bias.zero_()
    return classifier


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 14, 18)])
def test_the_image_found_is_what_the_class_asks_for(shape: tuple[int, int, int]) -> None:
    classifier = half_watcher(shape)
    shares: list[float] = []
    found = excite(classifier, steps=60, on_progress=shares.append)
    assert found.classes == (0, 1) and found.images.shape == (2, *shape) and found.images.dtype == np.float32
    assert 0 <= found.images.min() and found.images.max() <= 1
    left, right = found.images[..., : shape[2] // 2].mean(), found.images[0, ..., shape[2] // 2 :].mean()
    assert left > right
    assert found.images[0, ..., : shape[2] // 2].mean() > found.images[1, ..., : shape[2] // 2].mean() + 0.1
    assert (found.probs > 0.6).all() and shares == sorted(shares) and shares[-1] == 1.0


def test_what_is_reported_is_what_the_network_says_and_the_seed_decides() -> None:
    torch.manual_seed(0)
    spec = ClassifierSpec("mnist-net", (1, 20, 20), tuple("abcd"), (0.2,), (0.3,))
    classifier = Classifier(spec).train()
    found, again = (excite(classifier, [3, 1], steps=5, seed=7) for _ in range(2))
    np.testing.assert_array_equal(found.images, again.images)
    assert not np.array_equal(found.images, excite(classifier, [3, 1], steps=5, seed=8).images)
    assert classifier.training and all(p.requires_grad and p.grad is None for p in classifier.parameters())
    with torch.inference_mode():
        logits = classifier.eval()(torch.from_numpy(found.images))
    np.testing.assert_allclose(found.scores, [logits[0, 3], logits[1, 1]], rtol=1e-5)
    np.testing.assert_allclose(found.probs, [logits.softmax(1)[0, 3], logits.softmax(1)[1, 1]], rtol=1e-5)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ModelError, match="no class 2; expected 0 to 1"):
        excite(half_watcher((1, 8, 8)), [0, 2])


@pytest.mark.parametrize("channels", [1, 3])
def test_all_classes_are_drawn_in_a_grid(tmp_path: Path, channels: int) -> None:
    found = excite(half_watcher((channels, 12, 12)), steps=2)
    draw_excitation(found, ("a", "$b"), tmp_path / "e.png", "some network")
    with Image.open(tmp_path / "e.png") as picture:
        assert picture.format == "PNG" and picture.width > 400

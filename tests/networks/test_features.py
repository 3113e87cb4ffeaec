from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.networks.features import output_layer, predict_with_features

IMAGES = torch.randint(0, 256, (7, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def classifier_of(network: str) -> Classifier:
    torch.manual_seed(0)
    return Classifier(ClassifierSpec(network, (1, 28, 28), tuple("abcde"), (0.2,), (0.3,))).eval()


@pytest.mark.parametrize("network", registry.names())
def test_the_output_layer_makes_the_logits_from_the_features(network: str) -> None:
    classifier = classifier_of(network)
    logits, features = predict_with_features(classifier, IMAGES, batch_size=3)
    _, last = output_layer(classifier)
    torch.testing.assert_close(F.linear(features, last.weight, last.bias), logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits, predict(classifier, IMAGES), rtol=1e-4, atol=1e-5)


def test_indices_choose_the_images_and_no_hook_stays() -> None:
    classifier = classifier_of("mnist-net")
    _, all_features = predict_with_features(classifier, IMAGES)
    _, some = predict_with_features(classifier, IMAGES, torch.tensor([5, 1]))
    torch.testing.assert_close(some, all_features[[5, 1]])
    assert not output_layer(classifier)[1]._forward_pre_hooks

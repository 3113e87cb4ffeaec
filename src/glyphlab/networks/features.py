"""What a network knows about an image before it decides: the input of its last linear layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glyphlab.networks.classifier import Classifier, evaluating, mean_of_views, to_pixels


def output_layer(network: nn.Module) -> tuple[str, nn.Linear]:
    """The dotted name and the module of the layer that makes the logits: the last linear one.

    Every network of this room ends in it.
    """
    linear = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    assert linear, f"{type(network).__name__} has no linear layer"
    return linear[-1]


def predict_with_features(
    classifier: Classifier, images: Tensor, indices: Tensor | None = None, batch_size: int = 128
) -> tuple[Tensor, Tensor]:
    """Logits and features of many images, in one pass, in batches and in float32.

    images: uint8 [N, H, W] or [N, H, W, 3] on any device. indices: int64, which of them; default all.
    Returns logits float32 [N, K] and features float32 [N, D], the output layer's input, both on the CPU. Two images
    near each other in feature space look alike to the network, whatever their pixels. Where answers are means over
    shifts, so are the features.
    """
    _, last = output_layer(classifier)
    total = len(images) if indices is None else len(indices)
    logits = torch.empty(total, len(classifier.spec.class_names))
    features = torch.empty(total, last.in_features)
    device = classifier.mean.device
    with evaluating(classifier), _inputs_of(last) as seen:
        for start in range(0, total, batch_size):
            end = min(start + batch_size, total)
            batch = images[start:end] if indices is None else images[indices[start:end].to(images.device)]
            logits[start:end] = classifier(to_pixels(batch.to(device))).float().cpu()
            made = seen.pop()
            features[start:end] = (mean_of_views(made) if classifier.spec.shift_averaging else made).float().cpu()
    return logits, features


@contextmanager
def _inputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collects what `layer` is given while the block runs."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()

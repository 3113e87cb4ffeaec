"""The layers of a network as they are met when an image goes through: names, inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glyphlab.errors import ImageError, ModelError, did_you_mean
from glyphlab.networks.classifier import Classifier, evaluating, single_view, to_pixels


@dataclass(frozen=True, eq=False)
class Pass:
    """One layer's work on a batch. name: its path within the network ("conv1"). given, made: [B, ...]."""

    name: str
    layer: nn.Module
    given: Tensor
    made: Tensor


def layer_names(classifier: Classifier) -> list[str]:
    """The names of the network's convolutions, in the order in which they stand; empty where there are none."""
    return list(_convolutions(classifier))


def find_convolution(classifier: Classifier, layer: str | int) -> tuple[str, nn.Conv2d]:
    """A convolution by its name ("conv2") or its number, counted from 1: name and module.

    Raises `ModelError` for an unknown name (the nearest are named), a layer of another kind, a number out of range, or
    a network without convolutions.
    """
    found = _convolutions(classifier)
    network, wanted = classifier.spec.network, str(layer)
    if not found:
        raise ModelError(f"network '{network}' has no convolutions, so there is no layer '{wanted}' with filters")
    if wanted in found:
        return wanted, found[wanted]
    if wanted.lstrip("-").isdecimal():
        number = int(wanted)
        if not 1 <= number <= len(found):
            raise ModelError(f"no convolution {number} in network '{network}'; expected 1 to {len(found)}")
        return list(found.items())[number - 1]
    others = dict(classifier.body.named_modules())
    if wanted in others:
        kind = type(others[wanted]).__name__
        raise ModelError(f"layer '{wanted}' is of the kind {kind}; expected a convolution: {', '.join(found)}")
    raise ModelError(f"no convolution '{wanted}' in network '{network}'; {did_you_mean(wanted, found)}")


def as_pixels(classifier: Classifier, images: NDArray[np.uint8]) -> Tensor:
    """Images as the classifier takes them, on its device.

    images: uint8 [N, H, W] or [N, H, W, 3]. Returns float32 [N, C, H, W] in 0..1. Raises `ImageError` where they are
    of another type or size.
    """
    channels, height, width = classifier.spec.image_shape
    expected = (height, width) if channels == 1 else (height, width, channels)
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise ImageError(
            f"the image is {images.dtype} {_shape(images.shape[1:])}; the network takes uint8 {_shape(expected)}"
        )
    return to_pixels(torch.from_numpy(np.ascontiguousarray(images)).to(classifier.mean.device))


def image_pixels(classifier: Classifier, image: NDArray[np.uint8]) -> Tensor:
    """The same for one image, uint8 [H, W] or [H, W, 3]: float32 [1, C, H, W]."""
    return as_pixels(classifier, image[None])


def watch(classifier: Classifier, image: NDArray[np.uint8]) -> list[Pass]:
    """Send one image through and keep what each layer was given and made, in the order of execution.

    image: uint8 [H, W] or [H, W, 3]. A layer that is used several times is met several times. Raises `ImageError`.
    """
    pixels = image_pixels(classifier, image)
    with evaluating(classifier), recording(classifier) as passes:
        classifier(pixels)
    return passes


@contextmanager
def recording(classifier: Classifier) -> Iterator[list[Pass]]:
    """Collect the passes through the leaf layers of the network while the block runs; gradients flow through them.

    Each image passes once, also where answers are means over its shifts.
    """
    passes: list[Pass] = []

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
            passes.append(Pass(name, layer, inputs[0], output))
            return output.clone()  # what works in place behind this layer must not change what was kept

        return hook

    leaves = [(name, layer) for name, layer in classifier.body.named_modules() if not any(layer.children())]
    handles = [layer.register_forward_hook(hook_of(name)) for name, layer in leaves]
    try:
        with single_view(classifier):
            yield passes
    finally:
        for handle in handles:
            handle.remove()


def blocks(passes: list[Pass]) -> list[list[Pass]]:
    """Passes in groups that begin with a convolution each, and hold what follows it as long as that makes maps.

    Maps are outputs [B, C, h, w] of more than one pixel. Empty for a network without convolutions.
    """
    found: list[list[Pass]] = []
    for one in passes:
        if isinstance(one.layer, nn.Conv2d):
            found.append([])
        if found and one.made.ndim == 4 and (one.made.shape[-2:].numel() > 1 or isinstance(one.layer, nn.Conv2d)):
            found[-1].append(one)
    return found


@contextmanager
def answering(classifier: Classifier) -> Iterator[None]:
    """Evaluation mode with gradients to inputs, none to weights; everything is as before afterwards."""
    was_training = classifier.training
    trainable = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    classifier.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        classifier.train(was_training)


def array(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor as a float32 array of its own."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")


def _convolutions(classifier: Classifier) -> dict[str, nn.Conv2d]:
    return {name: layer for name, layer in classifier.body.named_modules() if isinstance(layer, nn.Conv2d)}


def _shape(extents: tuple[int, ...]) -> str:
    return "x".join(map(str, extents)) or "a number"

"""A network together with what it needs to be used: image shape, class names and normalisation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from glyphlab.errors import ModelError
from glyphlab.files import write_bytes
from glyphlab.networks import registry

_FORMAT = "glyphlab-weights-1"


@dataclass(frozen=True)
class ClassifierSpec:
    """What a classifier is, without its weights: enough to build it again.

    image_shape: channels, height, width. mean, std: one number a channel, for pixels in 0..1.
    """

    network: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ClassifierSpec:
        """Raises `ModelError` when `text` does not describe a classifier."""
        try:
            fields = json.loads(text)
            for key in ("image_shape", "class_names", "mean", "std"):
                fields[key] = tuple(fields[key])
            return cls(**fields)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"the weights carry no valid description of their network: {error}") from error


class Classifier(nn.Module):
    """Pixels in, logits out: normalisation, then the network.

    forward: float32 [B, C, H, W] in 0..1 -> logits [B, K].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: ClassifierSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(-1, 1, 1))
        self.body = registry.create(spec.network, spec.image_shape, len(spec.class_names), **spec.options)

    def forward(self, images: Tensor) -> Tensor:
        """float32 [B, C, H, W] in 0..1 -> logits [B, K]."""
        logits: Tensor = self.body((images - self.mean) / self.std)
        return logits

    def parameter_count(self) -> int:
        """Number of trained values."""
        return sum(parameter.numel() for parameter in self.parameters())


def to_pixels(images: Tensor) -> Tensor:
    """uint8 [B, H, W] or [B, H, W, 3] -> float32 [B, C, H, W] in 0..1, on the same device."""
    channels_first = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return channels_first.float().div_(255)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside the block; the mode before it comes back afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


def predict(classifier: Classifier, images: Tensor, indices: Tensor | None = None, batch_size: int = 512) -> Tensor:
    """Logits of many images, in batches and in float32.

    images: uint8 [N, H, W] or [N, H, W, 3] on any device. indices: int64, which of them; default all.
    Returns float32 [N, K] on the CPU.
    """
    device = classifier.mean.device
    total = len(images) if indices is None else len(indices)
    logits = torch.empty(total, len(classifier.spec.class_names))
    with evaluating(classifier):
        for start in range(0, total, batch_size):
            end = min(start + batch_size, total)
            batch = images[start:end] if indices is None else images[indices[start:end].to(images.device)]
            logits[start:end] = classifier(to_pixels(batch.to(device))).float().cpu()
    return logits


def save_weights(classifier: Classifier, path: Path) -> None:
    """Write a .safetensors file that describes its own network."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    write_bytes(path, save(tensors, metadata={"format": _FORMAT, "classifier": classifier.spec.to_json()}))


def load_weights(path: Path) -> Classifier:
    """Build the classifier that `save_weights` wrote, in evaluation mode. Raises `ModelError`."""
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no dict)
    except FileNotFoundError:
        raise ModelError(f"no weights at {path}; train first, or name another run") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a whole .safetensors file ({error}); it may have been cut short") from error
    if metadata.get("format") != _FORMAT:
        raise ModelError(
            f"{path} was not written by this version: format {metadata.get('format')!r}, expected {_FORMAT!r}"
        )
    classifier = Classifier(ClassifierSpec.from_json(metadata.get("classifier", "")))
    try:
        classifier.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"{path} holds the weights of another network: {str(error).splitlines()[-1]}") from error
    return classifier.eval()

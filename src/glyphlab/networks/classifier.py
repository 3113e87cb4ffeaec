"""A network together with what it needs to be used: image shape, class names and normalisation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from glyphlab.errors import ModelError
from glyphlab.files import write_bytes
from glyphlab.networks import registry

_FORMAT = "glyphlab-weights-1"
# What `ClassifierSpec.shift_averaging` averages over: by how many pixels the view moves down and to the right.
SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class ClassifierSpec:
    """What a classifier is, without its weights: enough to build it again.

    image_shape: channels, height, width. mean, std: one number a channel, for pixels in 0..1.
    shift_averaging: in evaluation mode, logits are the mean over the image and its four shifts by a pixel. Features of
        an edge come and go as it crosses the grid of the poolings; the mean is steadier, at five times the work.
    """

    network: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    options: dict[str, Any] = field(default_factory=dict)
    shift_averaging: bool = False

    def network_section(self) -> dict[str, Any]:
        """What a recipe's section [network] says of it."""
        return {"name": self.network, "shift_averaging": self.shift_averaging, **self.options}

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
        normalised = (images - self.mean) / self.std
        if self.spec.shift_averaging and not self.training:
            return mean_of_views(self.body(shifted(normalised)))
        logits: Tensor = self.body(normalised)
        return logits

    def parameter_count(self) -> int:
        """Number of trained values."""
        return sum(parameter.numel() for parameter in self.parameters())


def to_pixels(images: Tensor) -> Tensor:
    """uint8 [B, H, W] or [B, H, W, 3] -> float32 [B, C, H, W] in 0..1, on the same device."""
    channels_first = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return channels_first.float().div_(255)


def shifted(images: Tensor) -> Tensor:
    """[B, C, H, W] -> [5 B, C, H, W]: the images, then all of them by each of `SHIFTS`; the edges are repeated."""
    height, width = images.shape[-2:]
    wider = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return torch.cat(
        [wider[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width] for down, right in SHIFTS]
    )


def mean_of_views(values: Tensor) -> Tensor:
    """[5 B, ...], of what `shifted` made of B images -> [B, ...]."""
    return values.reshape(len(SHIFTS), -1, *values.shape[1:]).mean(dim=0)


@contextmanager
def single_view(classifier: Classifier) -> Iterator[None]:
    """No averaging over shifts inside the block: what passes through the layers is the image alone."""
    spec = classifier.spec
    classifier.spec = replace(spec, shift_averaging=False)
    try:
        yield
    finally:
        classifier.spec = spec


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


def predict(
    classifier: Classifier,
    images: Tensor,
    indices: Tensor | None = None,
    batch_size: int = 128,
    on_progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Logits of many images, in batches and in float32.

    images: uint8 [N, H, W] or [N, H, W, 3] on any device. indices: int64, which of them; default all.
    on_progress: told of (images done, images in all) after each batch. Returns float32 [N, K] on the CPU.
    """
    device = classifier.mean.device
    total = len(images) if indices is None else len(indices)
    logits = torch.empty(total, len(classifier.spec.class_names), device=device)
    with evaluating(classifier):
        for start in range(0, total, batch_size):
            end = min(start + batch_size, total)
            batch = images[start:end] if indices is None else images[indices[start:end].to(images.device)]
            logits[start:end] = classifier(to_pixels(batch.to(device)))
            if on_progress is not None:
                on_progress(end, total)
    return logits.cpu()  # a GPU is waited for once


def save_weights(classifier: Classifier, path: Path) -> None:
    """Write a .safetensors file that describes its own network."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    metadata = {"format": _FORMAT, "classifier": classifier.spec.to_json()}
    write_bytes(path, _in_order(save(tensors, metadata=metadata)))


def _in_order(stored: bytes) -> bytes:
    """A .safetensors file with the names in its header sorted: equal weights then are equal bytes.

    The format's own writer shuffles metadata. A file is the header's length, 8 bytes, the header and the tensors.
    """
    length = int.from_bytes(stored[:8], "little")
    header = json.loads(stored[8 : 8 + length])
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors begin where processors like to read
    return len(text).to_bytes(8, "little") + text + stored[8 + length :]


def load_weights(path: Path) -> Classifier:
    """Build the classifier that `save_weights` wrote, in evaluation mode. Raises `ModelError`.

    Its feature maps lie channels_last: on a CPU, convolutions of many images are a third faster so, and of one as fast.
    """
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
    return classifier.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

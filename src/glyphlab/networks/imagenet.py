"""Networks with the weights that others learned on ImageNet: a file of weights -> a Classifier that is ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from glyphlab.data.locate import default_data_dir
from glyphlab.data.pretrained import FOLDER, LABELS, find_labels, find_weights
from glyphlab.errors import ModelError, did_you_mean
from glyphlab.imaging.centre import centre_crop
from glyphlab.imaging.picture import PictureSource, load_picture
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec

# Of ImageNet's training pictures, red, green and blue in 0..1: what all published weights were trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_pretrained(
    network: str,
    weights: str | Path | None = None,
    data_dir: Path | None = None,
    *,
    class_names: Sequence[str] | None = None,
) -> Classifier:
    """A network with learned weights as a classifier of 3x224x224 images, in evaluation mode.

    network: one of `registry.imagenet_names()`. weights: a .pth or .safetensors file with torchvision's parameter
        names, or the name of a known file in the data directory; None: the network's usual ones.
    data_dir: None: the folder named by GLYPHLAB_DATA, else a per-user cache.
    class_names: in the order of the outputs; None: ImageNet's labels where they are at hand and fit, else "0", "1"...

    Give it pictures by `photo_pixels`. Raises `ModelError`: unknown network, weights not there (says how to get
    them), damaged, of another network, or of another number of classes.
    """
    check_network(network)
    where = data_dir or default_data_dir()
    path = find_weights(network, weights, where)
    tensors = read_weights(path)
    outputs = _outputs(network, tensors, path)
    names = tuple(class_names) if class_names is not None else _names_at_hand(where, network, outputs)
    if len(names) != outputs:
        raise ModelError(f"{path} tells {outputs:,} classes apart, but there are {len(names):,} labels; give its own")
    spec = ClassifierSpec(network, registry.home(network)[0], names, MEAN, STD)
    with torch.device("meta"):  # no random numbers are drawn only to be overwritten
        classifier = Classifier(spec)
    whole = {"mean": torch.tensor(MEAN).view(-1, 1, 1), "std": torch.tensor(STD).view(-1, 1, 1)}
    whole |= {f"body.{name}": tensor for name, tensor in tensors.items()}
    classifier.load_state_dict(whole, assign=True)
    return classifier.eval()


def check_network(network: str) -> None:
    """Raise `ModelError`, with the nearest names, unless there are learned weights for `network`."""
    known = registry.imagenet_names()
    if network not in known:
        raise ModelError(f"no network '{network}' with weights learned on ImageNet; {did_you_mean(network, known)}")


def photo_pixels(picture: PictureSource) -> NDArray[np.uint8]:
    """A picture as the networks of this module take it: uint8 [224, 224, 3], the middle of it at 256 pixels.

    Raises `ImageError`, naming the picture, when it cannot be read.
    """
    return centre_crop(load_picture(picture))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, floating-point ones as float32. Nothing but tensors is ever unpacked.

    Raises `ModelError` when the file is cut short or holds anything else.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        if path.suffix.lower() == ".safetensors":
            stored = load_file(path)
        else:
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged bytes torch raises anything at all
        raise ModelError(
            f"{path} is not a whole file of weights (.pth or .safetensors) that is safe to open; fetch it again"
        ) from error
    if not isinstance(stored, dict) or not stored or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise ModelError(f"{path} holds no table of weights by name; expected what torchvision's files hold")
    return {
        str(name): tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
        for name, tensor in stored.items()
    }


def _outputs(network: str, tensors: dict[str, Tensor], path: Path) -> int:
    """How many classes the weights tell apart. Raises `ModelError` when they are another network's."""
    expected = _shapes(network)
    output = list(expected)[-1]  # the output layer's bias
    problem = _mismatch(expected, tensors, but=output.rpartition(".")[0])
    if problem is None:
        return len(tensors[output])
    for other in registry.imagenet_names():
        shapes = _shapes(other)
        if _mismatch(shapes, tensors, but=list(shapes)[-1].rpartition(".")[0]) is None:
            problem = f"they are {other}'s; use --network {other}"
    raise ModelError(f"{path} holds the weights of another network than {network}: {problem}")


def _mismatch(expected: dict[str, tuple[int, ...]], tensors: dict[str, Tensor], but: str) -> str | None:
    """The first difference in names and shapes, in words. The layer `but` may have any number of outputs."""
    for name, shape in expected.items():
        if name not in tensors:
            if name.endswith("num_batches_tracked"):  # missing in files older than torch 0.4.1, and never used here
                continue
            return f"'{name}' is missing"
        found = tuple(tensors[name].shape)
        start = 1 if name.rpartition(".")[0] == but else 0
        if len(found) != len(shape) or found[start:] != shape[start:]:
            return f"'{name}' is {list(found)}, expected {list(shape)}"
    unknown = next((name for name in tensors if name not in expected), None)
    return None if unknown is None else f"'{unknown}' has no place in it"


def _shapes(network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's parameters and statistics, in order."""
    with torch.device("meta"):
        made = registry.create(network, *registry.home(network))
    return {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}


def _names_at_hand(data_dir: Path, network: str, outputs: int) -> tuple[str, ...]:
    if (data_dir / FOLDER / LABELS.name).is_file():
        names = find_labels(None, data_dir, network)
        if len(names) == outputs:
            return names
    return tuple(str(index) for index in range(outputs))

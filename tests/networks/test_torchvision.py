"""AlexNet and ResNet-50 beside torchvision's own, where the system's Python has it (Debian: python3-torchvision)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphlab.networks import registry
from glyphlab.networks.classifier import predict, to_pixels
from glyphlab.networks.features import output_layer, predict_with_features
from glyphlab.networks.imagenet import load_pretrained, photo_pixels

PYTHON = "/usr/bin/python3"
REFERENCE = Path(__file__).with_name("torchvision_reference.py")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Noise with shapes, lying, upright and small, in colour and grey."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for number, shape in enumerate([(301, 517, 3), (640, 255, 3), (97, 131), (256, 256, 3)]):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        pixels[10 : shape[0] // 2, 20 : shape[1] // 2] = 30 * number
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def require_torchvision() -> None:
    probe = "import importlib.util as u; print(bool(u.find_spec('torch') and u.find_spec('torchvision')))"
    try:
        found = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        found = ""
    if found != "True":
        pytest.skip(f"{PYTHON} has no torchvision: apt-get install python3-torchvision")


@pytest.mark.parametrize("name", registry.imagenet_names())
def test_same_weights_same_answers_as_torchvision(name: str, pictures: list[Path], tmp_path: Path) -> None:
    require_torchvision()
    done = subprocess.run([PYTHON, REFERENCE, name, tmp_path, *pictures], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    theirs = torch.load(tmp_path / "answers.pth", weights_only=True)
    classifier = load_pretrained(name, tmp_path / "weights.pth", tmp_path)
    photos = torch.from_numpy(np.stack([photo_pixels(path) for path in pictures]))

    normalised = (to_pixels(photos) - classifier.mean) / classifier.std
    torch.testing.assert_close(normalised, theirs["images"], rtol=0, atol=1e-6)
    logits = predict(classifier, photos)
    assert logits.std() > 0.1 and not torch.equal(logits[0], logits[1])
    torch.testing.assert_close(logits, theirs["logits"], rtol=0, atol=1e-4)

    again, features = predict_with_features(classifier, photos)
    _, last = output_layer(classifier)
    torch.testing.assert_close(again, logits)
    torch.testing.assert_close(features @ last.weight.T + last.bias, logits, rtol=1e-4, atol=1e-4)

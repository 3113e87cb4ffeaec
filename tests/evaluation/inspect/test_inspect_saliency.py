from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.saliency import (
    LARGEST_GAP,
    empty_image,
    grad_cam,
    integrated_gradients,
    occlusion,
)
from glyphlab.evaluation.inspect.saliency_pictures import Explained, draw_saliency
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec


def classifier_of(network: str, shape: tuple[int, int, int] = (1, 28, 28), **options: object) -> Classifier:
    torch.manual_seed(0)
    channels = shape[0]
    spec = ClassifierSpec(network, shape, tuple("abcde"), (0.2,) * channels, (0.3,) * channels, dict(options))
    return Classifier(spec).eval()


def image_of(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Strokes on black, as glyphs are."""
    rng = np.random.default_rng(seed)
    image = rng.integers(120, 256, (shape[1], shape[2], shape[0]), dtype=np.uint8)
    image[:, : shape[2] // 3] = 0
    image[: shape[1] // 4] = 0
    return image[..., 0] if shape[0] == 1 else image


def score(classifier: Classifier, pixels: np.ndarray, target: int) -> float:
    with torch.inference_mode():
        return float(classifier(torch.from_numpy(pixels.astype(np.float32))[None])[0, target])


@pytest.mark.parametrize("shape", [(1, 12, 10), (3, 9, 12)])
def test_of_a_linear_network_all_methods_have_a_closed_form(shape: tuple[int, int, int]) -> None:
    classifier = classifier_of("linear", shape)
    image = image_of(shape)
    pixels = (image[None] if shape[0] == 1 else image.transpose(2, 0, 1)) / 255
    blank = np.broadcast_to(np.zeros(1) if shape[0] == 1 else np.full((3, 1, 1), 0.2), shape)
    weights = classifier.body.output.weight.detach().numpy()[2].reshape(shape) / 0.3
    expected = weights * (pixels - blank)  # what each pixel adds, exactly

    found = integrated_gradients(classifier, image, 2)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.gap < 1e-4 and found.steps == 32

    # A patch of one pixel takes away what that pixel adds; a larger one the mean over the squares that hide it.
    np.testing.assert_allclose(occlusion(classifier, image, 2, patch=1), expected.sum(axis=0), atol=1e-5)
    sums = F.avg_pool2d(torch.from_numpy(np.pad(expected.sum(axis=0), 2))[None, None], 3, 1, divisor_override=1)
    counts = F.avg_pool2d(torch.ones_like(sums), 3, 1, divisor_override=1)
    means = F.avg_pool2d(sums, 3, 1, divisor_override=1) / counts
    np.testing.assert_allclose(occlusion(classifier, image, 2, patch=3, stride=1), means[0, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize("network", registry.names())
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 24)])
def test_integrated_gradients_add_up(network: str, shape: tuple[int, int, int]) -> None:
    classifier, image = classifier_of(network, shape), image_of(shape)
    pixels = torch.from_numpy(image[None] if shape[0] == 1 else image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        blank = classifier(empty_image(classifier))[0]
        target = int((classifier(pixels)[0] - blank).abs().argmax())
    found = integrated_gradients(classifier, image, target)
    assert found.values.shape == shape and found.values.dtype == np.float32
    start = float(blank[target])
    assert found.baseline_score == pytest.approx(start, abs=1e-6)
    difference = found.score - found.baseline_score
    assert abs(float(found.values.sum(dtype=np.float64)) - difference) <= LARGEST_GAP * abs(difference) + 1e-6
    assert found.gap <= LARGEST_GAP


def test_pieces_are_refined_until_the_gap_is_small_and_what_is_left_is_reported() -> None:
    classifier, image = classifier_of("mlp", activation="tanh"), image_of((1, 28, 28))
    with torch.no_grad():
        classifier.body.hidden1.weight.mul_(30)  # a steep curve that few points cannot follow
    rough, fine = (integrated_gradients(classifier, image, 0, most_steps=most) for most in (1, 1024))
    assert rough.steps == 32 < fine.steps and fine.gap <= LARGEST_GAP < rough.gap
    missing = float(rough.values.sum(dtype=np.float64)) - (rough.score - rough.baseline_score)
    assert rough.gap == pytest.approx(abs(missing / (rough.score - rough.baseline_score)), rel=1e-3)


def test_integrated_gradients_agree_with_a_plain_riemann_sum() -> None:
    classifier, image = classifier_of("mnist-net"), image_of((1, 28, 28))
    pixels = torch.from_numpy(image)[None, None] / 255
    points = (pixels * ((torch.arange(1500) + 0.5) / 1500)[:, None, None, None]).requires_grad_()
    (gradients,) = torch.autograd.grad(classifier(points)[:, 2].sum(), points)
    expected = (gradients.double().mean(dim=0) * pixels[0]).numpy()
    found = integrated_gradients(classifier, image, 2, largest_gap=1e-4)
    assert np.abs(found.values - expected).max() < 0.02 * np.abs(expected).max()


def test_gradients_agree_with_finite_differences() -> None:
    """Along a short path the integral is the gradient at its middle."""
    classifier = classifier_of("mlp", activation="tanh")
    image = np.full((28, 28), 0, np.uint8)
    image[10:12, 10:12] = 2  # nearly the baseline
    found = integrated_gradients(classifier, image, 3).values[0]
    middle = (image / 255 / 2)[None].repeat(2, axis=0)
    for row, column in ((10, 10), (11, 11)):
        up, down = middle[:1].copy(), middle[1:].copy()
        up[0, row, column] += 0.01
        down[0, row, column] -= 0.01
        slope = (score(classifier, up, 3) - score(classifier, down, 3)) / 0.02
        assert found[row, column] == pytest.approx(slope * 2 / 255, rel=0.02)
    assert not found[0].any()  # what does not differ from the baseline adds nothing


def test_grad_cam_of_global_average_pooling_has_a_closed_form() -> None:
    """With pooled maps and one linear layer it is CAM: maps weighted by the output's weights (Zhou et al. 2016)."""
    classifier = classifier_of("advancednet", widths=[4, 6])
    with torch.no_grad():  # batch norm between activation and pooling is a scale and a shift: here none
        classifier.body.norm2.eval()
    image = image_of((1, 28, 28))
    pixels = torch.from_numpy(image)[None, None] / 255
    with torch.inference_mode():
        maps = classifier.body[:6]((pixels - classifier.mean) / classifier.std)  # conv1 ... act2
        scale = 1 / torch.sqrt(classifier.body.norm2.running_var + classifier.body.norm2.eps)
        weights = classifier.body.output.weight[3] * scale
        cam = torch.einsum("c,chw->hw", weights, maps[0]).relu() / (14 * 14)
        expected = F.interpolate(cam[None, None], size=(28, 28), mode="bilinear", align_corners=False)[0, 0]
    found = grad_cam(classifier, image, 3)
    assert found.shape == (28, 28) and found.max() > 0
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-7, rtol=1e-3)


def test_grad_cam_takes_any_convolution_and_only_those() -> None:
    classifier, image = classifier_of("glyphnet", (3, 32, 28)), image_of((3, 32, 28))
    first, last = grad_cam(classifier, image, 0, "conv1"), grad_cam(classifier, image, 0)
    np.testing.assert_array_equal(last, grad_cam(classifier, image, 0, 4))
    assert first.shape == last.shape == (32, 28) and not np.array_equal(first, last)
    with pytest.raises(ModelError, match="did you mean 'conv4'"):
        grad_cam(classifier, image, 0, "conv44")
    with pytest.raises(ModelError, match="network 'mlp' has no convolutions"):
        grad_cam(classifier_of("mlp"), image_of((1, 28, 28)), 0)


def test_methods_leave_the_network_as_it_was() -> None:
    classifier = classifier_of("mnist-net").train()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    image = image_of((1, 28, 28))
    integrated_gradients(classifier, image, 0)
    grad_cam(classifier, image, 0)
    occlusion(classifier, image, 0)
    assert classifier.training and all(p.requires_grad and p.grad is None for p in classifier.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())
    assert not any(module._forward_hooks for module in classifier.modules())


def test_occlusion_covers_every_pixel_and_refuses_nonsense() -> None:
    classifier, image = classifier_of("linear"), image_of((1, 28, 28))
    assert np.isfinite(occlusion(classifier, image, 0, patch=5, stride=9)).all()
    with pytest.raises(ModelError, match="occlusion with patch 0"):
        occlusion(classifier, image, 0, patch=0)


@pytest.mark.parametrize("network", ["mnist-net", "linear"])
@pytest.mark.parametrize("channels", [1, 3])
def test_saliency_is_drawn(tmp_path: Path, network: str, channels: int) -> None:
    shape = (channels, 28, 28)
    classifier, image = classifier_of(network, shape), image_of(shape)
    cam = grad_cam(classifier, image, 0) if network == "mnist-net" else None
    gradients = integrated_gradients(classifier, image, 0)
    row = Explained(image, "some image", "a", 0.25, True, gradients, cam, occlusion(classifier, image, 0))
    draw_saliency([row, row], tmp_path / "s.png", "some network", "conv2" if cam is not None else None)
    with Image.open(tmp_path / "s.png") as picture:
        assert min(picture.size) > 300

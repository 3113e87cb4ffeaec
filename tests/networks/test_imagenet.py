from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from glyphlab.data.pretrained import LABELS
from glyphlab.errors import ModelError
from glyphlab.networks import registry
from glyphlab.networks.describe import describe, total_multiply_adds, total_parameters
from glyphlab.networks.features import output_layer
from glyphlab.networks.imagenet import load_pretrained, read_weights
from glyphlab.networks.resnet import Bottleneck


@pytest.fixture(scope="module")
def leaves() -> dict[str, Tensor]:
    """ResNet-50's weights for four classes."""
    torch.manual_seed(0)
    return registry.create("resnet50", (3, 224, 224), 4).state_dict()


@pytest.fixture
def file(tmp_path: Path, leaves: dict[str, Tensor]) -> Callable[..., Path]:
    """file("a.pth", changed={...}, without=[...]) -> the weights with changes, as a file."""

    def write(name: str, changed: dict[str, Tensor] | None = None, without: tuple[str, ...] = ()) -> Path:
        tensors = {
            key: tensor for key, tensor in (leaves | (changed or {})).items() if not key.endswith(without or ("?",))
        }
        path = tmp_path / name
        save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [("alexnet", 61_100_840, 714_188_480), ("resnet50", 25_557_032, 4_089_184_256)],  # as torchvision publishes them
)
def test_sizes_are_the_published_ones(name: str, parameters: int, multiply_adds: int) -> None:
    with torch.device("meta"):
        network = registry.create(name, *registry.home(name))
    rows = describe(network, (3, 224, 224))
    assert (total_parameters(rows), total_multiply_adds(rows)) == (parameters, multiply_adds)
    assert output_layer(network)[1].out_features == 1000


def test_the_smallest_alexnet_and_what_it_refuses() -> None:
    with torch.device("meta"):
        network = registry.create("alexnet", (1, 63, 63), 5).eval()
        assert network(torch.zeros(2, 1, 63, 63)).shape == (2, 5)
        with pytest.raises(ModelError, match="expected at least 63x63"):
            registry.create("alexnet", (1, 62, 63), 5)


def test_a_block_that_changes_nothing_passes_its_input_through() -> None:
    block = Bottleneck(16, 4, stride=1).eval()
    assert block.downsample is None
    torch.nn.init.zeros_(block.bn3.weight)
    maps = torch.rand(2, 16, 5, 5)
    assert torch.equal(block(maps), maps)
    assert Bottleneck(16, 8, stride=2)(maps).shape == (2, 32, 3, 3)


@pytest.mark.parametrize("name", ["leaves.safetensors", "leaves.pth"])
def test_weights_become_a_classifier(
    file: Callable[..., Path], tmp_path: Path, leaves: dict[str, Tensor], name: str
) -> None:
    classifier = load_pretrained("resnet50", file(name), tmp_path, class_names=["oak", "elm", "ash", "yew"])
    assert classifier.spec.class_names == ("oak", "elm", "ash", "yew") and not classifier.training
    assert all(torch.equal(classifier.state_dict()[f"body.{key}"], tensor) for key, tensor in leaves.items())
    assert classifier.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert all(tensor.device.type == "cpu" for tensor in classifier.state_dict().values())
    assert all(parameter.requires_grad for parameter in classifier.parameters())


def test_without_labels_classes_are_numbers_and_labels_at_hand_are_used_where_they_fit(
    file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file("leaves.pth", without=("num_batches_tracked",))  # as very old files are
    assert load_pretrained("resnet50", path, tmp_path).spec.class_names == ("0", "1", "2", "3")
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "imagenet" / LABELS.name).write_text(json.dumps(["a", "b", "c"]))
    with pytest.raises(ModelError, match=r"not the file that it should be: SHA-256 .*, expected 98770558"):
        load_pretrained("resnet50", path, tmp_path)


def test_half_precision_becomes_float32(file: Callable[..., Path], leaves: dict[str, Tensor]) -> None:
    half = file("half.safetensors", {"fc.weight": leaves["fc.weight"].half()})
    assert read_weights(half)["fc.weight"].dtype == torch.float32


def test_what_is_no_file_of_weights(file: Callable[..., Path], tmp_path: Path) -> None:
    whole = file("cut.pth")
    whole.write_bytes(whole.read_bytes()[:50_000])
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    (tmp_path / "page.pth").write_text("<!doctype html>")
    torch.save({"run": print}, tmp_path / "code.pth")  # a pickle that names a function
    for name in ("cut.pth", "cut.safetensors", "page.pth", "code.pth"):
        with pytest.raises(ModelError, match=f"{name} is not a whole file of weights .* safe to open"):
            load_pretrained("resnet50", tmp_path / name, tmp_path)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=r"list.pth holds no table of weights by name"):
        load_pretrained("resnet50", tmp_path / "list.pth", tmp_path)


def test_weights_of_another_network(file: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="than alexnet: they are resnet50's; use --network resnet50"):
        load_pretrained("alexnet", file("leaves.pth"), tmp_path)
    for path, problem in (
        (file("a.pth", without=("layer3.2.conv1.weight",)), r"'layer3.2.conv1.weight' is missing"),
        (file("b.pth", {"extra.weight": torch.zeros(1)}), r"'extra.weight' has no place in it"),
        (file("c.pth", {"conv1.weight": torch.zeros(64, 1, 7, 7)}), r"is \[64, 1, 7, 7\], expected \[64, 3, 7, 7\]"),
    ):
        with pytest.raises(ModelError, match=f"weights of another network than resnet50: .*{problem}"):
            load_pretrained("resnet50", path, tmp_path)
    with pytest.raises(ModelError, match=r"tells 4 classes apart, but there are 3 labels"):
        load_pretrained("resnet50", file("d.pth"), tmp_path, class_names=["a", "b", "c"])
    with pytest.raises(ModelError, match=r"no network 'resnet' with weights .* did you mean 'resnet50'"):
        load_pretrained("resnet", file("e.pth"), tmp_path)

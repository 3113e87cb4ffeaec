"""Layers that see a part of a batch and go by all of it, beside torch's own on the whole batch."""

from __future__ import annotations

import copy
import threading
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from glyphlab.networks.wholebatch import see_whole_batches


class Threads:
    """Peers that are threads of this process."""

    def __init__(self, rank: int, parts: list[slice], meeting: threading.Barrier, given: list[Tensor]) -> None:
        self.rank, self.meeting, self.given = rank, meeting, given
        self.total, self.part = parts[-1].stop, parts[rank]

    def sum(self, tensor: Tensor) -> None:
        self.given[self.rank] = tensor.clone()
        self.meeting.wait(timeout=20)
        tensor.copy_(torch.stack(self.given).sum(0))
        self.meeting.wait(timeout=20)

    def __deepcopy__(self, memo: object) -> Threads:
        return self


def in_parts(network: nn.Module, images: Tensor, parts: list[slice]) -> tuple[Tensor, list[nn.Module], Tensor]:
    """Outputs, networks after a training step's backward pass, and the images' gradient, made by a thread a part."""
    meeting, given = threading.Barrier(len(parts)), [torch.empty(0)] * len(parts)
    networks = [copy.deepcopy(network) for _ in parts]
    inputs = [images[part].clone().requires_grad_() for part in parts]
    outputs: list[Tensor] = [torch.empty(0)] * len(parts)

    def work(rank: int) -> None:
        see_whole_batches(networks[rank], Threads(rank, parts, meeting, given))
        outputs[rank] = networks[rank](inputs[rank])
        weigh(outputs[rank]).backward()

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return torch.cat(outputs).detach(), networks, torch.cat([part.grad for part in inputs if part.grad is not None])


def weigh(values: Tensor) -> Tensor:
    """A sum that is neither linear nor the same for all, so that every gradient is at work."""
    shape = values.shape[1:]
    return (values.square() * torch.arange(1.0, shape.numel() + 1).view(shape)).sum()


@pytest.mark.parametrize("parts", [[3, 7], [4, 4, 2], [0, 5]], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels last"])
def test_batch_norm_in_parts_is_batch_norm(parts: list[int], memory_format: torch.memory_format) -> None:
    torch.manual_seed(3)
    ends = torch.tensor([0, *parts]).cumsum(0).tolist()
    slices = [slice(start, end) for start, end in pairwise(ends)]
    images = (torch.randn(ends[-1], 4, 5, 3) * 2 + 3).contiguous(memory_format=memory_format)
    norm = nn.BatchNorm2d(4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    whole, whole_images = copy.deepcopy(norm), images.clone().requires_grad_()
    expected = whole(whole_images)
    weigh(expected).backward()
    outputs, networks, of_images = in_parts(norm, images, slices)
    torch.testing.assert_close(outputs, expected.detach(), rtol=1e-4, atol=1e-5)
    assert whole_images.grad is not None
    torch.testing.assert_close(of_images, whole_images.grad, rtol=1e-4, atol=2e-4)
    for name, parameter in whole.named_parameters():
        gradients = [dict(network.named_parameters())[name].grad for network in networks]
        torch.testing.assert_close(sum(g for g in gradients if g is not None), parameter.grad, rtol=1e-4, atol=1e-3)
    for network in networks:
        assert network.state_dict().keys() == whole.state_dict().keys()
        for name, statistics in whole.named_buffers():
            torch.testing.assert_close(dict(network.named_buffers())[name], statistics, rtol=1e-4, atol=1e-5)
        assert torch.equal(network.eval()(images), norm.load_state_dict(network.state_dict()) and norm.eval()(images))


def test_gradients_are_those_of_finite_differences() -> None:
    peers = Threads(0, [slice(0, 4)], threading.Barrier(1), [torch.empty(0)])
    norm = nn.BatchNorm1d(3).double()
    see_whole_batches(norm, peers)
    images = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    inputs = (images, norm.weight, norm.bias)
    assert torch.autograd.gradcheck(lambda images, weight, bias: weigh(norm(images)), inputs)


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.Dropout2d(0.4)], ids=lambda layer: type(layer).__name__)
def test_dropout_in_parts_is_dropout(layer: nn.Module) -> None:
    images, parts = torch.rand(9, 6, 4, 4) + 1, [slice(0, 2), slice(2, 9)]
    torch.manual_seed(7)
    expected = layer(images)
    for rank, part in enumerate(parts):
        mine = copy.deepcopy(layer)
        see_whole_batches(mine, Threads(rank, parts, threading.Barrier(1), []))
        torch.manual_seed(7)
        assert torch.equal(mine(images[part]), expected[part])
        assert mine.eval()(images) is images


def test_layers_stay_the_same_objects_and_unknown_ones_are_refused() -> None:
    norm = nn.BatchNorm2d(2)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), norm, nn.ReLU())
    peers = Threads(0, [slice(0, 4)], threading.Barrier(1), [torch.empty(0)])
    see_whole_batches(network, peers)
    assert network[1] is norm and isinstance(norm, nn.BatchNorm2d)
    with pytest.raises(AssertionError, match=r"layer 0 \(AlphaDropout\) cannot go by a batch"):
        see_whole_batches(nn.Sequential(nn.AlphaDropout()), peers)

"""A step of each optimiser against its formula, and the average of weights against its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from glyphlab.training.optimizer import build_optimizer, update_average
from glyphlab.training.recipe import Recipe

LR, DECAY = 0.1, 0.3


def network() -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(4, 3)


def after_steps(count: int = 2, **training: Any) -> tuple[nn.Linear, list[list[torch.Tensor]]]:
    """A network after some steps with gradients of ones, twos ..., and its parameters before each step."""
    settings = Recipe.parse({"training": {"lr": LR, "weight_decay": DECAY, **training}}).training
    stepped = network()
    optimizer = build_optimizer(stepped, settings)
    before = []
    for step in range(1, count + 1):
        before.append([parameter.detach().clone() for parameter in stepped.parameters()])
        for parameter in stepped.parameters():
            parameter.grad = torch.full_like(parameter, float(step))
        optimizer.step()
    return stepped, before


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum_decays_weights_alone(nesterov: bool) -> None:
    stepped, (first, second) = after_steps(optimizer="sgd", momentum=0.9, nesterov=nesterov)
    for place, parameter in enumerate(stepped.parameters()):
        decay = DECAY if parameter.ndim == 2 else 0.0
        gradients = [1.0 + decay * first[place], 2.0 + decay * second[place]]
        velocity = gradients[0] * 0.9 + gradients[1]
        move = gradients[1] + 0.9 * velocity if nesterov else velocity
        torch.testing.assert_close(parameter.detach(), second[place] - LR * move)


def test_adamw_decays_weights_alone_and_apart_from_the_gradient() -> None:
    stepped, (start,) = after_steps(1, optimizer="adamw")
    for parameter, before in zip(stepped.parameters(), start, strict=True):
        decay = DECAY if parameter.ndim == 2 else 0.0
        # Of a first step Adam takes the sign.
        torch.testing.assert_close(parameter.detach(), before * (1 - LR * decay) - LR, rtol=1e-5, atol=1e-5)


def test_the_average_follows_the_network() -> None:
    average, current = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    for name, tensor in current.state_dict().items():
        tensor.fill_(7 if name == "num_batches_tracked" else 5.0)
    start = {name: tensor.clone() for name, tensor in average.state_dict().items()}
    update_average(average, current, decay=0.6, step=1000)
    for name, tensor in average.state_dict().items():
        whole = name == "num_batches_tracked"
        torch.testing.assert_close(tensor, torch.tensor(7) if whole else 0.6 * start[name] + 0.4 * 5.0)


def test_the_average_soon_forgets_the_first_weights() -> None:
    average, current = network(), network()
    nn.init.zeros_(average.weight)
    update_average(average, current, decay=0.99, step=0)
    torch.testing.assert_close(average.weight, 0.9 * current.weight)

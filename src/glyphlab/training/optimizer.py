"""Optimisers, and the running average of weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glyphlab.training.settings import TrainingSettings


def build_optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters.

    Weight decay acts on weights (tensors of two or more dimensions), not on biases and batch-norm parameters.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
    if settings.optimizer == "sgd":
        momentum, nesterov = settings.effective("momentum"), settings.effective("nesterov")
        return torch.optim.SGD(groups, lr=settings.lr, momentum=momentum, nesterov=nesterov, fused=fused)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=settings.lr, fused=fused)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = lr


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network: exponential moving average of weights and batch-norm statistics.

    The decay warms up as (1 + step) / (10 + step), as in TensorFlow's ExponentialMovingAverage, so that the first,
    random weights are soon forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    averaged, current = list(_floats(average)), list(_floats(network))
    torch._foreach_lerp_(averaged, current, 1 - decay)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        if not mine.is_floating_point():
            mine.copy_(theirs)


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]

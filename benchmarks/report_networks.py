"""The reports' networks with torch's own layers throughout, as one writes them; nothing but torch is loaded."""

from __future__ import annotations

from torch import nn


def advancednet(classes: int) -> nn.Module:
    """Report A's network: float32 [B, 1, 28, 28] to logits [B, classes]."""
    blocks: list[nn.Module] = []
    for maps, width, pool in ((1, 32, nn.MaxPool2d(2)), (32, 64, nn.MaxPool2d(2)), (64, 128, nn.AdaptiveAvgPool2d(1))):
        blocks += [nn.Conv2d(maps, width, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(width), pool]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.5), nn.Linear(128, classes))


def balanced_arch2(classes: int) -> nn.Module:
    """Report C's final network, architecture 2 of trial 1: float32 [B, 1, 28, 28] to logits [B, classes]."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(49 * 32, 600), nn.ReLU(), nn.Dropout(0.5), nn.Linear(600, classes)),
    )

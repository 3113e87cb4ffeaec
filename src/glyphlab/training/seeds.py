"""All randomness of a run as a function of (seed, purpose, index).

Nothing of a generator's inner state has to be stored to continue a run exactly where it stopped: the shuffle of epoch
7 or the dropout of step 1,234 can be drawn again at any time.
"""

from __future__ import annotations

from enum import IntEnum

import torch


class Purpose(IntEnum):
    """What a random number is for; each purpose has a stream of its own."""

    SPLIT = 1
    WEIGHTS = 2
    SHUFFLE = 3
    AUGMENT = 4
    DROPOUT = 5
    PENS = 6


def derived_seed(seed: int, purpose: Purpose, index: int = 0) -> int:
    """A well-mixed seed, 0 to 2**63 - 1. The mixing is the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    mask = (1 << 64) - 1
    mixed = seed & mask
    for word in (int(purpose), index):
        mixed = (mixed * 0x9E3779B97F4A7C15 + word + 1) & mask
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        mixed ^= mixed >> 31
    return mixed >> 1


def generator(seed: int, purpose: Purpose, index: int = 0) -> torch.Generator:
    """A CPU generator at the start of that purpose's stream."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, index))


def seed_device(device: str, seed: int) -> None:
    """Seed what layers draw from on a device: on the CPU its own generator alone.

    `torch.manual_seed` seeds those of all devices and notes for each where it was asked to, half a millisecond a call.
    """
    if device == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)

from __future__ import annotations

import torch

from glyphlab.training.seeds import Purpose, derived_seed, generator, seed_device


def test_seeds_differ_by_every_part_and_repeat() -> None:
    seeds = {derived_seed(seed, purpose, index) for seed in range(5) for purpose in Purpose for index in range(200)}
    assert len(seeds) == 5 * len(Purpose) * 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(1, Purpose.SHUFFLE, 2) == derived_seed(1, Purpose.SHUFFLE, 2)


def test_neighbouring_seeds_share_no_bits_on_average() -> None:
    bits = [
        (derived_seed(1, Purpose.AUGMENT, index) ^ derived_seed(1, Purpose.AUGMENT, index + 1)).bit_count()
        for index in range(500)
    ]
    assert 30 < sum(bits) / len(bits) < 33  # half of 63


def test_generators_start_afresh() -> None:
    first, second = (generator(1, Purpose.DROPOUT, 3) for _ in range(2))
    assert first.get_state().equal(second.get_state())


def test_layers_on_the_cpu_draw_what_torchs_own_seed_gives() -> None:
    torch.manual_seed(7)
    expected = torch.nn.functional.dropout(torch.ones(100))
    torch.rand(3)
    seed_device("cpu", 7)
    assert torch.equal(torch.nn.functional.dropout(torch.ones(100)), expected)

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from glyphlab.errors import RecipeError
from glyphlab.networks.classifier import Classifier, ClassifierSpec
from glyphlab.training import engine as engine_module
from glyphlab.training.engine import Engine, Timing, settle
from glyphlab.training.settings import EngineSettings, TrainingSettings

TRAINING = TrainingSettings.model_validate({"batch_size": 12})


def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(ClassifierSpec("mnist-3conv", (1, 12, 12), ("a", "b"), (0.0,), (1.0,), {"widths": [4]}))


def batch() -> tuple[Tensor, Tensor]:
    return torch.rand(12, 1, 12, 12), torch.arange(12) % 2


def settings(**values: object) -> EngineSettings:
    return EngineSettings.model_validate({"device": "cpu", **values})


def test_what_is_set_is_taken_without_timing() -> None:
    fixed = settings(precision="bf16", channels_last=True, compile=False, threads=1)
    engine, timings = settle(fixed, TRAINING, classifier(), batch, 10**9)
    assert engine == Engine("cpu", "bf16", True, False, 1)
    assert timings == []
    assert engine.settings() == fixed


def test_auto_is_settled_by_timing_and_leaves_the_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_PROBE_SECONDS", 0.02)
    network = classifier()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    engine, timings = settle(settings(threads=1), TRAINING, network, batch, 1000)
    assert {(t.engine.precision, t.engine.channels_last) for t in timings} == {
        (precision, last) for precision in ("float32", "bf16") for last in (False, True)
    }
    assert engine in [timing.engine for timing in timings]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(timing.to_dict()["images_per_second"] > 0 for timing in timings)


def fake_rates(monkeypatch: pytest.MonkeyPatch, rates: dict[tuple[str, bool, bool], float | None]) -> list[Engine]:
    tried: list[Engine] = []

    def timed(engine: Engine, **_: object) -> Timing:
        tried.append(engine)
        rate = rates[engine.precision, engine.channels_last, engine.compile]
        return Timing(engine, rate, 1.0, "" if rate else "not implemented")

    monkeypatch.setattr(engine_module, "_time_steps", timed)
    return tried


RATES = {
    ("float32", False, False): 1000.0, ("float32", True, False): 1050.0, ("bf16", False, False): None,
    ("bf16", True, False): 900.0, ("float32", False, True): 2000.0,
}  # fmt: skip


def test_a_gain_below_a_tenth_is_not_taken_and_failures_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_rates(monkeypatch, RATES)
    engine, _ = settle(settings(), TRAINING, classifier(), batch, total_images=1000)
    assert (engine.precision, engine.channels_last, engine.compile) == ("float32", False, False)


def test_compiling_is_tried_only_where_it_can_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = fake_rates(monkeypatch, RATES)
    monkeypatch.setattr(engine_module, "_can_compile", lambda engine: True)
    settle(settings(), TRAINING, classifier(), batch, total_images=299_000)
    assert not any(engine.compile for engine in tried)
    engine, _ = settle(settings(), TRAINING, classifier(), batch, total_images=301_000)
    assert engine.compile


def test_a_slower_compiled_network_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_rates(monkeypatch, RATES | {("float32", False, True): 950.0})
    monkeypatch.setattr(engine_module, "_can_compile", lambda engine: True)
    engine, timings = settle(settings(), TRAINING, classifier(), batch, total_images=10**7)
    assert not engine.compile and len([timing for timing in timings if timing.engine.threads == engine.threads]) == 5


FIXED = {"precision": "float32", "channels_last": False, "compile": False}


def timed_by_threads(monkeypatch: pytest.MonkeyPatch, rates: dict[int, list[float]]) -> None:
    """What a step with so many threads gives the first time, the second time, and so on; the last for ever."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: max(rates))

    def timed(engine: Engine, **_: object) -> Timing:
        left = rates[engine.threads]
        return Timing(engine, left.pop(0) if len(left) > 1 else left[0], 1.0)

    monkeypatch.setattr(engine_module, "_time_steps", timed)


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ({8: [1000.0], 4: [700.0]}, 8),
        ({8: [1000.0], 4: [1090.0]}, 8),  # less than a tenth
        ({8: [1000.0], 4: [1500.0], 2: [1600.0]}, 4),
        ({8: [100.0], 4: [150.0], 2: [200.0], 1: [300.0]}, 1),
        ({8: [500.0, 500.0, 1400.0], 4: [1500.0]}, 8),  # the machine was busy at first
        ({6: [100.0], 3: [150.0], 1: [200.0]}, 1),
    ],
)
def test_threads_are_halved_while_that_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, rates: dict[int, list[float]], chosen: int
) -> None:
    before = torch.get_num_threads()
    try:
        timed_by_threads(monkeypatch, rates)
        engine, timings = settle(settings(**FIXED), TRAINING, classifier(), batch, total_images=1000)
        assert engine.threads == chosen
        assert {timing.engine.threads for timing in timings} == set(rates)
    finally:
        torch.set_num_threads(before)


def test_a_candidate_is_timed_with_its_threads_and_the_chosen_engine_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = torch.get_num_threads(), []
    real = Engine.forward

    def forward(engine: Engine, network: Classifier, batch_size: int) -> Callable[[Tensor], Tensor]:
        seen.append((engine.threads, torch.get_num_threads()))
        return real(engine, network, batch_size)

    try:
        torch.set_num_threads(2)
        monkeypatch.setattr(engine_module, "_PROBE_SECONDS", 0.02)
        monkeypatch.setattr(Engine, "forward", forward)
        engine, _ = settle(settings(**FIXED), TRAINING, classifier(), batch, total_images=1000)
        assert torch.get_num_threads() == engine.threads
        assert {(2, 2), (1, 1)} == set(seen)
    finally:
        torch.set_num_threads(before)


def test_what_is_many_times_slower_is_given_up_on_a_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, list[int]] = {"float32": [], "bf16": []}
    real = Engine.forward

    def forward(engine: Engine, network: Classifier, batch_size: int) -> Callable[[Tensor], Tensor]:
        run = real(engine, network, batch_size)

        def slow(images: Tensor) -> Tensor:
            shown[engine.precision].append(len(images))
            if engine.precision == "bf16":
                time.sleep(0.02 * len(images))  # a processor that has no bf16
            return run(images)

        return slow

    monkeypatch.setattr(engine_module, "_PROBE_SECONDS", 0.02)
    monkeypatch.setattr(Engine, "forward", forward)
    engine, timings = settle(settings(threads=1), TRAINING, classifier(), batch, 1000)
    assert engine.precision == "float32" and 12 in shown["float32"]
    assert shown["bf16"] == [8] * 6  # three steps of two layouts
    assert sorted(t.engine.precision for t in timings) == ["bf16", "bf16", "float32", "float32"]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_every_way_gives_nearly_the_same_logits(precision: str, channels_last: bool) -> None:
    network = classifier().eval()
    images, _ = batch()
    expected = network(images)
    engine = Engine("cpu", precision, channels_last)
    engine.place(network)
    logits = engine.forward(network, 12)(images)
    assert logits.dtype == torch.float32
    assert torch.allclose(logits, expected, atol=1e-5 if precision == "float32" else 2e-2)


def test_what_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RecipeError, match=r"engine\.device is 'cuda', but this machine and torch offer only: .*cpu"):
        Engine(device="cuda").require_usable()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RecipeError, match=r"cannot compile for cpu here: expected a C\+\+ compiler"):
        Engine(compile=True).require_usable()
    Engine().require_usable()

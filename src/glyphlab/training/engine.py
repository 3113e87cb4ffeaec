"""How the work is done on this machine: device, precision, memory format, threads, compilation.

What a recipe leaves at "auto" is settled by timing a few real training steps, never by guessing from the processor's
name: bf16, for one, is several times faster on some processors and several times slower on others.
"""

from __future__ import annotations

import copy
import importlib.util
import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glyphlab.errors import RecipeError
from glyphlab.networks.classifier import Classifier
from glyphlab.process import keep_freed_memory, physical_cores
from glyphlab.training.distributed import World
from glyphlab.training.optimizer import build_optimizer
from glyphlab.training.settings import EngineSettings, TrainingSettings

# Compiling takes tens of seconds, which a shorter training never earns back.
COMPILE_PAYS_FROM_SECONDS = 300.0
# A rougher precision has to be clearly faster to be chosen.
WORTHWHILE_GAIN = 1.1
_PROBE_SECONDS = 0.3
_ROUNDS = 2
# Feature maps of a batch are freed and taken anew at every step; glibc keeps blocks of not quite 32 MB at most.
_LARGEST_KEPT_BYTES = 31 << 20
_KEPT_BYTES = 1 << 30
# A candidate this many times slower than the best so far is given up after its first timed step.
_HOPELESS = 1.5
# And this many times slower on a few images, before a whole batch: where a processor has no bf16, each takes seconds.
_HOPELESS_ON_A_FEW = 3.0
_A_FEW = 8
# Those that torch.compile calls.
_COMPILERS = ("cl",) if sys.platform == "win32" else ("g++", "clang++")


@dataclass(frozen=True)
class Engine:
    """Settled engine settings; the fields are those of a recipe's [engine] section."""

    device: str = "cpu"
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    threads: int = 1

    def activate(self) -> None:
        """Set the number of threads, keep freed memory, and on CUDA take the repeatable kernels, in this process."""
        torch.set_num_threads(self.threads)
        keep_freed_memory(_LARGEST_KEPT_BYTES, _KEPT_BYTES)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True

    def require_usable(self) -> None:
        """Raise `RecipeError` for a device that this machine lacks, or for compiling without a compiler."""
        _device(self.device)
        if self.compile and not _can_compile(self):
            raise RecipeError(
                f"engine.compile is true, but torch cannot compile for {self.device} here: expected a C++ compiler "
                f"({' or '.join(_COMPILERS)}) or, for cuda, Triton; install it, or set engine.compile = false"
            )

    def settings(self) -> EngineSettings:
        """The same as a recipe section, so that a run records what it used."""
        return EngineSettings.model_validate(asdict(self))

    def place(self, network: nn.Module) -> None:
        """Move a network to the device and into the memory format, in place."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        network.to(self.device).to(memory_format=order)  # type: ignore[call-overload]

    def forward(self, classifier: Classifier, batch_size: int) -> Callable[[Tensor], Tensor]:
        """The classifier as a function from pixels to float32 logits, in this precision, compiled if so settled.

        Batches of any other size than `batch_size` take the uncompiled way: compiling again would cost more.
        """
        compiled: Callable[[Tensor], Tensor] = torch.compile(classifier, dynamic=False) if self.compile else classifier
        bf16 = self.precision == "bf16"

        def run(images: Tensor) -> Tensor:
            if self.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device, torch.bfloat16, enabled=bf16):
                logits = compiled(images) if len(images) == batch_size else classifier(images)
            return logits.float()

        return run

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else ""
        words = [self.device, threads, self.precision]
        words += ["channels_last" if self.channels_last else "", "compiled" if self.compile else ""]
        return ", ".join(word for word in words if word)


@dataclass(frozen=True)
class Timing:
    """One candidate of the probe and what it did; images_per_second is None where it failed, with the reason.

    Of a candidate that was given up on a few images it is the rate of these.
    """

    engine: Engine
    images_per_second: float | None
    seconds: float
    failure: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For environment.json."""
        return asdict(self)


def settle(
    settings: EngineSettings,
    training: TrainingSettings,
    classifier: Classifier,
    batch: Callable[[], tuple[Tensor, Tensor]],
    total_images: int,
) -> tuple[Engine, list[Timing]]:
    """Fill in what is "auto" by timing steps on throw-away copies of the classifier.

    batch: makes a training batch (pixels, targets) on the CPU, augmented as in training, so that its cost counts.
    total_images: how many images will be trained on; decides whether compiling can pay.
    Returns the engine, which is active, and the timings behind the choice. Raises `RecipeError` for a device this
    machine lacks.
    """
    base = Engine(_device(settings.device), compile=settings.compile is True, threads=_threads(settings.threads))
    base.require_usable()
    candidates = [
        replace(base, precision=precision, channels_last=channels_last)
        for precision in _choices(settings.precision, "float32", "bf16")
        for channels_last in _choices(settings.channels_last, False, True)
    ]
    best, probe = candidates[0], _Probe(training, classifier, batch)
    fewer_threads = settings.threads == "auto" and base.device == "cpu" and base.threads > 1
    # A time budget is planned with the measured speed, even where there is nothing to choose.
    if len(candidates) > 1 or settings.compile == "auto" or fewer_threads or training.time_budget_seconds is not None:
        best = probe.fastest(candidates)
    # Threads meet after every layer: on a busy machine, or with little to do, they wait longer than they work.
    while fewer_threads and best.threads > 1:
        half = replace(best, threads=best.threads // 2)
        if not probe.prefers(half, best):
            break
        best = half
    if settings.compile == "auto" and _can_compile(base):
        compiled = replace(best, compile=True)
        if total_images / probe.rate(best) >= COMPILE_PAYS_FROM_SECONDS and probe.prefers(compiled, best):
            best = compiled
    best.activate()
    return best, list(probe.timings.values())


class _Probe:
    """Times candidates by training copies of the classifier for a moment. timings: the best of each so far."""

    def __init__(
        self, training: TrainingSettings, classifier: Classifier, batch: Callable[[], tuple[Tensor, Tensor]]
    ) -> None:
        self.timings: dict[Engine, Timing] = {}
        self._time_steps = partial(_time_steps, training=training, original=classifier)
        self._batch = batch

    def fastest(self, candidates: list[Engine]) -> Engine:
        """The first of them unless a later one is clearly faster. Raises `RecipeError` where none works."""
        hopeful = self._hopeful(candidates) if len(candidates) > 1 else candidates
        for engine in hopeful[::-1] * _ROUNDS:  # the roughest first: where it is fast, the others end soon
            self._measure(engine)
        best, best_rate = candidates[0], 0.0
        for engine in hopeful:
            if self.rate(engine) > best_rate * WORTHWHILE_GAIN:
                best, best_rate = engine, self.rate(engine)
        if best_rate == 0:
            reasons = "; ".join(timing.failure for timing in self.timings.values())
            raise RecipeError(f"no engine setting works on {best.device} ({reasons}); try engine.device = 'cpu'")
        return best

    def prefers(self, engine: Engine, other: Engine) -> bool:
        """Whether it is clearly faster than one that was timed before, and still is once both had another turn."""
        if self._measure(engine) <= self.rate(other) * WORTHWHILE_GAIN:
            return False
        return self._measure(engine) > self._measure(other) * WORTHWHILE_GAIN

    def rate(self, engine: Engine) -> float:
        """Images a second; 0 for one that failed."""
        return self.timings[engine].images_per_second or 0.0

    def _measure(self, engine: Engine) -> float:
        """Time an engine, again if it was timed before; the best counts, since a busy machine only ever slows."""
        best_so_far = max((timing.images_per_second or 0.0 for timing in self.timings.values()), default=0.0)
        timing = self._time_steps(engine, batch=self._batch, hopeless_below=best_so_far / _HOPELESS)
        former = self.timings.get(engine)
        if former is None or (timing.images_per_second or 0.0) > (former.images_per_second or 0.0):
            self.timings[engine] = timing
        return self.rate(engine)

    def _hopeful(self, candidates: list[Engine]) -> list[Engine]:
        """Those that work, and are not many times slower than the fastest, on a few images; the others are recorded."""

        def few() -> tuple[Tensor, Tensor]:
            images, targets = self._batch()
            return images[:_A_FEW], targets[:_A_FEW]

        tasted = [self._time_steps(engine, batch=few, hopeless_below=math.inf) for engine in candidates]
        rates = {timing.engine: timing.images_per_second or 0.0 for timing in tasted}
        least = max(rates.values()) / _HOPELESS_ON_A_FEW
        self.timings |= {timing.engine: timing for timing in tasted if rates[timing.engine] <= least}
        return [engine for engine in candidates if engine not in self.timings]


def for_machine(settings: EngineSettings, world: World) -> EngineSettings:
    """Settings that say the same to however many processes share the work: the threads are those of all on a machine.

    torchrun sets OMP_NUM_THREADS to 1, so that torch's own number is of no use to several.
    """
    if world.is_alone or settings.threads != "auto":
        return settings
    return settings.model_copy(update={"threads": physical_cores()})


def for_process(settings: EngineSettings, world: World) -> EngineSettings:
    """What each of several processes makes of these settings: it takes its share of the threads and compiles nothing.

    Compiled code draws dropout's random numbers in an order of its own, of which no process could draw its part, and
    every batch norm, which has to meet the others' in between, would break it in two. Raises `RecipeError` for devices
    that several processes cannot share.
    """
    if world.is_alone:
        return settings
    device = _device(settings.device)
    if device == "mps":
        raise RecipeError("several processes cannot share engine.device = 'mps'; use one process, or 'cpu'")
    if device == "cuda" and world.local_size > torch.cuda.device_count():
        raise RecipeError(
            f"{world.local_size} processes were started on a machine with {torch.cuda.device_count()} GPUs; expected "
            "one process a GPU: change torchrun's --nproc-per-node, or set engine.device = 'cpu'"
        )
    threads = settings.threads if isinstance(settings.threads, int) else physical_cores()
    each = max(1, threads // world.local_size)
    return settings.model_copy(update={"device": device, "threads": each, "compile": False})


def as_recorded(engine: Engine, asked: EngineSettings, world: World) -> EngineSettings:
    """What a recipe records of an engine that was settled on by several processes: nothing of their number."""
    if world.is_alone:
        return engine.settings()
    return engine.settings().model_copy(update={"threads": asked.threads, "compile": asked.compile is True})


def _choices(setting: Any, *options: Any) -> tuple[Any, ...]:
    return options if setting == "auto" else (setting,)


def _device(setting: str) -> str:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if setting == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[setting]:
        have = ", ".join(name for name, there in available.items() if there)
        raise RecipeError(f"engine.device is '{setting}', but this machine and torch offer only: {have}")
    return setting


def _threads(setting: int | str) -> int:
    return torch.get_num_threads() if setting == "auto" else int(setting)


def _can_compile(engine: Engine) -> bool:
    """torch.compile needs a C++ compiler on the CPU, Triton on CUDA, and is not ready on MPS."""
    if engine.device == "cpu":
        return any(shutil.which(name) for name in _COMPILERS)
    return engine.device == "cuda" and importlib.util.find_spec("triton") is not None


def _time_steps(
    engine: Engine,
    training: TrainingSettings,
    original: Classifier,
    batch: Callable[[], tuple[Tensor, Tensor]],
    hopeless_below: float,
) -> Timing:
    """Train a copy for a moment, after two steps that do not count; shorter below so many images a second."""
    began = time.perf_counter()
    engine.activate()
    classifier = copy.deepcopy(original).train()
    engine.place(classifier)
    optimizer = build_optimizer(classifier, training)
    try:
        forward = engine.forward(classifier, training.batch_size)
        images_done, start, elapsed = 0, 0.0, math.inf
        for step in range(1_000):
            images, targets = batch()
            images, targets = images.to(engine.device), targets.to(engine.device)
            loss = nn.functional.cross_entropy(forward(images), targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()  # waits for the device
            if step < 2:
                start = time.perf_counter()
                continue
            images_done += len(images)
            elapsed = time.perf_counter() - start
            if elapsed > _PROBE_SECONDS or images_done < hopeless_below * elapsed:
                break
    except Exception as error:  # whatever a backend raises: this candidate is out, the others are tried
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Timing(engine, None, time.perf_counter() - began, reason)
    return Timing(engine, images_done / elapsed, time.perf_counter() - began)

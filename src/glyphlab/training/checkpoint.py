"""The whole state of a training run in one file, which appears whole or not at all.

A .safetensors file: tensors of the network, of the averaged network, of the optimiser, and running sums; everything
else as JSON in its header. Since one file holds all, no crash can leave parts of two different moments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from glyphlab.errors import RunError
from glyphlab.files import write_bytes
from glyphlab.networks.classifier import Classifier
from glyphlab.training.history import EpochMetrics
from glyphlab.training.schedule import Plateau

FORMAT = "glyphlab-checkpoint-1"


@dataclass(frozen=True)
class Best:
    """The epoch whose network is the result so far: by the recipe the newest, or the best on the validation images.

    The best is the most accurate; of equals, the one with the least loss.
    """

    epoch: int
    validation_accuracy: float
    validation_loss: float

    def beaten_by(self, accuracy: float, loss: float) -> bool:
        """Whether these figures are better."""
        return (accuracy, -loss) > (self.validation_accuracy, -self.validation_loss)


@dataclass
class TrainingState:
    """Everything that changes while a network trains.

    step: steps done. total_steps: steps planned; the schedule ends there. sums: float64 [3], of this epoch's loss
    (times batch size), right answers and images. time_seconds: spent so far, over all sittings. optimizer: None where
    none was needed; whoever goes on begins with a fresh one.
    """

    classifier: Classifier
    optimizer: torch.optim.Optimizer | None
    total_steps: int
    average: Classifier | None = None
    plateau: Plateau | None = None
    step: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    history: list[EpochMetrics] = field(default_factory=list)
    best: Best | None = None
    time_seconds: float = 0.0

    @property
    def result(self) -> Classifier:
        """The network that is judged and kept: the averaged one where there is one."""
        return self.average or self.classifier

    @property
    def newest_counts(self) -> bool:
        """Whether the newest epoch's network is the result so far. An epoch judged in its middle is judged again."""
        newest = self.history[-1]
        figures = (newest.epoch, newest.validation_accuracy, newest.validation_loss)
        return self.best is not None and astuple(self.best) == figures

    def is_finite(self) -> bool:
        """Whether no weight of the network has become infinite or not a number."""
        finite = [torch.isfinite(parameter).all() for parameter in self.classifier.parameters()]
        return bool(torch.stack(finite).all())  # a GPU is waited for once


def save_checkpoint(state: TrainingState, path: Path) -> None:
    """Write the state; raises `RunError` when the disk refuses."""
    write_bytes(path, pack(state))


def load_checkpoint(state: TrainingState, path: Path) -> None:
    """Bring `state` to where `save_checkpoint` was called. Raises `RunError` when the file is damaged or foreign."""
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no dict)
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"{path} is not a whole checkpoint ({error}); it was cut short or overwritten: train anew"
        ) from error
    if metadata.get("format") != FORMAT:
        raise RunError(
            f"{path} was written by another version (format {metadata.get('format')!r}, this one reads {FORMAT!r}); "
            "continue with that version, or train anew"
        )
    try:
        _restore(state, tensors, json.loads(metadata["state"]))
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[-1]
        raise RunError(f"{path} does not belong to this run's recipe or is damaged: {reason}") from error


def pack(state: TrainingState) -> bytes:
    """The whole state, as a .safetensors file has it."""
    tensors = {f"network.{name}": tensor for name, tensor in state.classifier.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    if state.optimizer is not None:
        tensors |= dict(_optimizer_tensors(state.optimizer))
    tensors["sums"] = state.sums
    facts = {
        "step": state.step,
        "total_steps": state.total_steps,
        "history": [asdict(row) for row in state.history],
        "best": asdict(state.best) if state.best else None,
        "plateau": asdict(state.plateau) if state.plateau else None,
        "time_seconds": state.time_seconds,
    }
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(whole, metadata={"format": FORMAT, "state": json.dumps(facts)})


def unpack(state: TrainingState, packed: bytes) -> None:
    """Bring `state` to where another process of the same training called `pack`."""
    length = int.from_bytes(packed[:8], "little")  # the header's, see the format of .safetensors
    metadata = json.loads(packed[8 : 8 + length])["__metadata__"]
    _restore(state, load(packed), json.loads(metadata["state"]))


def _restore(state: TrainingState, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    state.classifier.load_state_dict(_part(tensors, "network."))
    if state.average is not None:
        state.average.load_state_dict(_part(tensors, "average."))
    if state.optimizer is not None:
        _load_optimizer(state.optimizer, _part(tensors, "optimizer."))
    state.sums.copy_(tensors["sums"])
    _take_facts(state, facts)


def _take_facts(state: TrainingState, facts: dict[str, Any]) -> None:
    state.step, state.total_steps = facts["step"], facts["total_steps"]
    state.history = [EpochMetrics(**row) for row in facts["history"]]
    state.best = Best(**facts["best"]) if facts["best"] else None
    state.plateau = Plateau(**facts["plateau"]) if facts["plateau"] else None
    state.time_seconds = facts["time_seconds"]


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """The optimiser's memory of each parameter, as optimizer.<number of the parameter>.<name>."""
    for number, memory in optimizer.state_dict()["state"].items():
        for name, value in memory.items():
            if isinstance(value, Tensor):
                yield f"optimizer.{number}.{name}", value
            else:
                assert value is None, (name, value)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    memory: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        memory.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({"state": memory, "param_groups": optimizer.state_dict()["param_groups"]})
    # Fused steps walk through memory, so what belongs to a parameter must lie as it does (channels_last or not). All
    # are copied: as long as anything is a part of the checkpoint's file, Windows does not replace that.
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                like = parameter if value.shape == parameter.shape else value
                values[name] = torch.empty_like(like).copy_(value)

"""A CUDA device that computes on the CPU, so that a machine without one shows what would fail or wait on one.

Tensors that were sent to "cuda" are known by their memory. They say that they lie there, and so does what is computed
of them; an operation that mixes them with others fails as it would on a GPU, and `Waits` counts each time a program
asks for values of theirs, for which it would have to wait until the GPU has worked through all it was asked before.
What CUDA's own kernels, NCCL, autocast and compiling do cannot be seen this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glyphlab.training import augment

_DEVICE = torch.device("cuda", 0)
_READ_VALUES = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique2", "unique_dim"}
_MAY_CROSS = {"copy_"}


@dataclass
class Waits:
    """What the program waited for: the names of the operations, in their order."""

    names: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)


@pytest.fixture
def pretended_cuda() -> Callable[[], AbstractContextManager[Waits]]:
    """With it a block has a GPU, as far as the program can tell. Tensors of one block are unknown to the next."""
    return _pretended_cuda


@contextmanager
def _pretended_cuda() -> Iterator[Waits]:
    memory, waits = _Memory(), Waits()
    augment._grid_basis.cache_clear()  # of another block
    with (
        patch.object(torch.cuda, "is_available", lambda: True),
        patch.object(torch.cuda, "device_count", lambda: 1),
        patch.object(torch.cuda, "get_device_name", lambda *device: "pretended"),
        _Operations(memory, waits),
        _Calls(memory, waits),
    ):
        yield waits


class _Memory:
    """Which storages lie on the device."""

    def __init__(self) -> None:
        self._storages: dict[int, StorageWeakRef] = {}

    def holds(self, tensor: Tensor) -> bool:
        found = self._storages.get(_address(tensor))
        return found is not None and not found.expired()

    def take(self, tensor: Tensor) -> Tensor:
        self._storages[_address(tensor)] = StorageWeakRef(tensor.untyped_storage())
        return tensor

    def give_back(self, tensor: Tensor) -> Tensor:
        del self._storages[_address(tensor)]
        return tensor


class _Operations(TorchDispatchMode):
    """Sees every operation, those of autograd too: results lie where what they were computed of lies."""

    def __init__(self, memory: _Memory, waits: Waits) -> None:
        super().__init__()
        self._memory, self._waits = memory, waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, given = func.overloadpacket.__name__, _tensors((args, kwargs))
        there = [self._memory.holds(tensor) for tensor in given]
        if any(there):
            if name in _READ_VALUES:
                self._waits.names.append(name)
            # Numbers may come from the CPU, and so may indices into what lies on the device.
            indexing = name in ("index", "index_put_") and there[0]
            foreign = [tensor for tensor, on in zip(given, there, strict=True) if not on and tensor.ndim]
            if foreign and not indexing and name not in _MAY_CROSS:
                raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        result = func(*args, **(kwargs or {}))
        if any(there) and name not in _MAY_CROSS:
            for tensor in _tensors(result):
                self._memory.take(tensor)
        return result


class _Calls(TorchFunctionMode):
    """Sees what the program calls: only here a tensor can be asked where it lies, or be sent elsewhere."""

    def __init__(self, memory: _Memory, waits: Waits) -> None:
        super().__init__()
        self._memory, self._waits = memory, waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if func == torch.Tensor.device.__get__ and self._memory.holds(args[0]):  # type: ignore[attr-defined]
            return _DEVICE
        if func == torch.Tensor.is_cuda.__get__:  # type: ignore[attr-defined]
            return self._memory.holds(args[0])
        if name == "numpy" and self._memory.holds(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if name in ("cpu", "cuda"):
            return self._moved(args[0], name)
        if name == "to":
            return self._to(func, args[0], args[1:], kwargs)
        if name == "__deepcopy__":
            copied = func(*args, **kwargs)
            return self._memory.take(copied) if self._memory.holds(args[0]) else copied
        if _is_cuda(kwargs.get("device")):
            if kwargs.get("generator") is not None:
                raise RuntimeError("expected a 'cuda' device type for generator but found 'cpu'")
            return self._memory.take(func(*args, **kwargs | {"device": "cpu"}))
        return func(*args, **kwargs)

    def _to(self, func: Callable[..., Tensor], tensor: Tensor, rest: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """Tensor.to with its many forms: the device is ours, all else torch's."""
        device = kwargs.pop("device", None)
        others: list[Any] = []
        for value in rest:
            if isinstance(value, Tensor):
                device, others = value.device, [*others, value.dtype]
            elif isinstance(value, str | torch.device):
                device = value
            elif value is not None:
                others.append(value)
        if device is not None and torch.device(device).type not in ("cpu", "cuda"):
            return func(tensor, *rest, device=device, **kwargs)
        kwargs.pop("non_blocking", None)
        dtypes = [value for value in others if isinstance(value, torch.dtype)]  # not the flags
        result = func(tensor, *dtypes, **kwargs) if dtypes or kwargs else tensor
        return result if device is None else self._moved(result, torch.device(device).type)

    def _moved(self, tensor: Tensor, device: str) -> Tensor:
        if self._memory.holds(tensor) == (device == "cuda"):
            return tensor
        if device == "cuda":
            return self._memory.take(tensor.clone())
        self._waits.names.append("cpu")
        return self._memory.give_back(tensor.clone())


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _is_cuda(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"

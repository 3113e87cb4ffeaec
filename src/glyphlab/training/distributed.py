"""One training by several processes, as torchrun starts them: on one machine or on many.

Every process draws the same whole batch of each step, since all randomness is a function of the step (see `seeds`),
and works on its own part of it. What is added up over the processes is then what one process alone would have had. So
neither recipe, curve nor checkpoint depends on how many there are.

A `World` alone never calls torch.distributed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from glyphlab.errors import GlyphlabError, RunError

# A process that dies closes its connections, which the others see at once. The clock finds one that hangs, or a host
# that is gone without a word; in these times there also have to fit: a checkpoint written by the first process ...
STEP_TIMEOUT = timedelta(minutes=5)
# ... and the preparations: data read, the engine timed.
PREPARATION_TIMEOUT = timedelta(hours=1)
JOIN_TIMEOUT = timedelta(minutes=5)


class LostTouchError(RunError):
    """Another process of the training has ended, hangs, or can no longer be reached."""


class GaveUpError(RunError):
    """Another process of the training has met an error, and has said so."""


class World:
    """The processes of a training, and which of them this one is.

    rank: 0 to size - 1; the first process (0) alone writes and speaks. local_rank, local_size: the same among those on
    this machine. total: images in the present batch; part: which of them are this process's.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        assert 0 <= rank < size and 0 <= local_rank < local_size <= size, (rank, size, local_rank, local_size)
        self.rank, self.size, self.local_rank, self.local_size = rank, size, local_rank, local_size
        self.total, self.part = 0, slice(0, 0)
        self._store: Store | None = None
        self._preparing: dist.ProcessGroup | None = None
        self._announcing = False
        self._spoken_for = False

    @classmethod
    def alone(cls) -> World:
        """A single process: nothing is divided and nothing is sent."""
        return cls()

    @classmethod
    def of_torchrun(cls, environ: Mapping[str, str] = os.environ) -> World:
        """Join the processes that torchrun has started this one among; alone where it was started by itself.

        Messages go by gloo, and by NCCL between GPUs; this process's GPU is then number `local_rank`. Raises `RunError`
        where the others cannot be reached.
        """
        if environ.get("WORLD_SIZE", "1") == "1":
            return cls.alone()
        missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in environ]
        if missing:
            raise RunError(f"WORLD_SIZE is {environ['WORLD_SIZE']}, but {missing[0]} is not set; start with torchrun")
        try:
            rank, size = int(environ["RANK"]), int(environ["WORLD_SIZE"])
            local_rank = int(environ.get("LOCAL_RANK", rank))
            world = cls(rank, size, local_rank, int(environ.get("LOCAL_WORLD_SIZE", size)))
        except (ValueError, AssertionError) as error:
            raise RunError(f"RANK, WORLD_SIZE and the like make no sense together ({error}); use torchrun") from None
        world._join(f"{environ['MASTER_ADDR']}:{environ['MASTER_PORT']}")
        return world

    @property
    def is_alone(self) -> bool:
        """Whether there is this process only."""
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def __deepcopy__(self, memo: object) -> World:
        """There is one world, also for the copy of a network whose layers know it."""
        return self

    def __str__(self) -> str:
        return f"process {self.rank + 1} of {self.size} on {socket.gethostname()}"

    def share_of(self, count: int) -> slice:
        """This process's part of `count` things: as many as any other's, or one more or less. Pure."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def begin_batch(self, total: int) -> slice:
        """This process's part of a batch of `total` images; layers that see the whole batch go by it from now on."""
        self.total, self.part = total, self.share_of(total)
        return self.part

    def sum(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes; the same bits in each. Raises `LostTouchError`."""
        if not self.is_alone:
            with self._talking():
                dist.all_reduce(tensor)

    def sum_all(self, tensors: Sequence[Tensor]) -> None:
        """`sum` of many float32 tensors in one message."""
        if not self.is_alone:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            self.sum(flat)
            parts = torch.split(flat, [tensor.numel() for tensor in tensors])
            torch._foreach_copy_(list(tensors), [p.view_as(t) for p, t in zip(parts, tensors, strict=True)])

    def from_first(self, content: bytes = b"") -> bytes:
        """What the first process passes here, in every process. Raises `GaveUpError` where it gave up instead."""
        if self.is_alone:
            return content
        length = self._announced(len(content))
        if length < 0:
            self._spoken_for = True
            raise GaveUpError("the first process gave up before the training began")
        # frombuffer wants something in it, and something that may be written to.
        carried = torch.frombuffer(bytearray(content or bytes(max(1, length))), dtype=torch.uint8)
        with self._talking():
            dist.broadcast(carried, 0, group=self._preparing)
        return carried.numpy().tobytes()[:length]

    def from_each(self, text: str) -> list[str]:
        """What every process passes here, by rank."""
        if self.is_alone:
            return [text]
        own = torch.tensor(list(text.encode()), dtype=torch.uint8)
        lengths = [torch.tensor(0) for _ in range(self.size)]
        with self._talking():
            dist.all_gather(lengths, torch.tensor(len(own)), group=self._preparing)
            padded = torch.zeros(max(1, *map(int, lengths)), dtype=torch.uint8)
            padded[: len(own)] = own
            gathered = [torch.empty_like(padded) for _ in range(self.size)]
            dist.all_gather(gathered, padded, group=self._preparing)
        return [bytes(g[: int(n)].tolist()).decode() for g, n in zip(gathered, lengths, strict=True)]

    def agree(self, error: GlyphlabError | None = None) -> None:
        """Wait for all. An error of one is everybody's: raised where it arose, and as `GaveUpError` in the others."""
        said = self.from_each("" if error is None else f"{self}: {error}")
        # Now the first process knows, and says it best: a user looks at its host.
        self._spoken_for = any(said) and not self.is_first
        if error is not None:
            raise error
        for words in filter(None, said):
            raise GaveUpError(words)

    @contextmanager
    def in_agreement(self) -> Iterator[None]:
        """Round work that every process has to get through: see `agree`."""
        error = None
        try:
            yield
        except GlyphlabError as caught:
            error = caught
        self.agree(error)

    def give_up(self) -> None:
        """Of the first process: if the others still wait for its first word, let them not."""
        if self.is_first and not self.is_alone and not self._announcing:
            with suppress(LostTouchError):
                self._announced(-1)

    def speaks(self) -> bool:
        """Whether it falls to this process to say what went wrong; where not all know of it, to the first that asks."""
        if self._spoken_for or self._store is None:
            return not self._spoken_for
        try:
            return bool(self._store.add("glyphlab/spoke", 1) == 1)
        except RuntimeError:  # whoever kept the store is gone
            return True

    def leave(self) -> None:
        """Part from the others; to be called on every way out.

        The threads of a group hold tensors of the last messages, and abort the process if they find Python gone.
        """
        if not self.is_alone and dist.is_initialized():
            dist.destroy_process_group()
            self._preparing = None

    def _join(self, meeting_point: str) -> None:
        backend = "gloo"
        if torch.cuda.is_available():
            backend = "cpu:gloo,cuda:nccl"
            torch.cuda.set_device(self.local_rank % torch.cuda.device_count())
        try:
            ((self._store, _, _),) = islice(rendezvous("env://", timeout=JOIN_TIMEOUT), 1)
            dist.init_process_group(
                backend, store=self._store, rank=self.rank, world_size=self.size, timeout=STEP_TIMEOUT
            )
            self._preparing = dist.new_group(backend="gloo", timeout=PREPARATION_TIMEOUT)
        except (RuntimeError, ValueError) as error:
            raise RunError(
                f"{self} cannot reach the others at {meeting_point} ({_first_line(error)}); check MASTER_ADDR, "
                "MASTER_PORT and the firewall, and on machines with several networks GLOO_SOCKET_IFNAME"
            ) from error

    def _announced(self, length: int) -> int:
        """The first process's number, in every process."""
        self._announcing = True
        number = torch.tensor(length)
        with self._talking():
            dist.broadcast(number, 0, group=self._preparing)
        return int(number)

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # whatever gloo or NCCL say
            raise LostTouchError(
                f"{self} has lost touch with another one, which has ended or hangs ({_first_line(error)})"
            ) from error


def _first_line(error: Exception) -> str:
    """Without the place in torch's own sources that gloo begins with."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.partition("] ")[2].partition(". ")[0] if line.startswith("[/") else line

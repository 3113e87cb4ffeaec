"""One thread for work that is too small to be shared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block torch and the libraries behind NumPy and SciPy compute with one thread; also a decorator.

    Solving for a last layer is thousands of products of small matrices. Threads meet after each of them and wait for
    one another in a loop: alone on the machine that gains nothing, beside other programs it took 17 to 40 times as
    long. With one thread the result does not depend on the number of processors either.
    """
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)

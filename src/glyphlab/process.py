"""This process and its children: requests to stop, what they are told, memory, and the cores they may use."""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# The numbers of these parameters in glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_AGAIN_SECONDS = 2.0
_LOOK_FOR_INPUT_SECONDS = 0.05
# How Windows counts the ends of processes that it stopped itself, after an access violation for one: NTSTATUS errors.
_ENDED_BY_WINDOWS = 0xC0000000

# For `subprocess.Popen`: Ctrl-C in the terminal is for this process alone, which then ends its children in good order.
OWN_GROUP: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
_SHOW_CURSOR = b"\x1b[?25h"


class CtrlC:
    """Ctrl-C raises `KeyboardInterrupt`, as always, and is remembered whatever becomes of that exception.

    An extension module that is being imported may turn the exception into another, and code that is called from C may
    lose it. So it is raised again every two seconds until somebody has `heard` it, and a second Ctrl-C ends the process
    at once, with exit code 130.
    """

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        """From here on, to the end of the process; not where Ctrl-C is ignored, as in a shell's background."""
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return
        signal.signal(signal.SIGINT, self._receive)
        if sys.platform != "win32":
            signal.signal(signal.SIGALRM, self._again)
        sys.unraisablehook = self._lost
        # Python gives up its handlers before the process has ended, which would then die of the signal.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)

    def heard(self) -> None:
        """The process comes to its end; nothing need be raised again."""
        if self.requested and sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            # Not by sys.stderr, which this may have interrupted. A progress bar has hidden the cursor.
            os.write(2, b"glyphlab: stopped at once\n" + (_SHOW_CURSOR if os.isatty(2) else b""))
            os._exit(130)
        self.requested = True
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
        raise KeyboardInterrupt

    def _again(self, number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def _lost(self, unraisable: UnraisableHookArgs) -> None:
        """What cannot be raised is shown, but for the exception that will be raised again."""
        if not (self.requested and issubclass(unraisable.exc_type, KeyboardInterrupt)):
            sys.__unraisablehook__(unraisable)


@contextmanager
def stops_go_to(receive: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Inside the block, Ctrl-C and a request to terminate call `receive`; the former handlers come back afterwards.

    Only the main thread can listen; in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def wait_for_input() -> None:
    """On Windows, wait until standard input, a pipe, has something to read, or has ended; elsewhere reading waits.

    There nothing else can be asked of a pipe in which one thread waits to read, and libraries ask as they are loaded
    (github.com/numpy/numpy/issues/24290): a process that listens in one thread would never come to work in another.
    """
    if sys.platform == "win32":
        import _winapi
        import msvcrt

        with suppress(OSError):  # the other end was closed
            while not _winapi.PeekNamedPipe(msvcrt.get_osfhandle(sys.stdin.fileno()), 0)[0]:
                time.sleep(_LOOK_FOR_INPUT_SECONDS)


def crashed(returncode: int) -> bool:
    """Whether a child that ended so was ended from outside, by a signal or by the system, rather than by itself."""
    return returncode < 0 or returncode >= _ENDED_BY_WINDOWS


def peak_memory_mb() -> float | None:
    """The most memory this process has held at once, in 10**6 bytes; None where the system does not tell."""
    # On Linux the other way tells at least what the parent process held when it started this one.
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    if found:
        return round(int(found[1]) * 1024 / 1e6, 1)
    if sys.platform == "win32":
        return None
    else:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def keep_freed_memory(largest_bytes: int, in_all_bytes: int) -> None:
    """Let the C library keep freed blocks, each of up to `largest_bytes`, for the next that ask.

    Preparing pictures, or training, takes and frees the same large blocks again and again. glibc gives those back to
    the system, page by page, and has to fetch them anew, which takes up to a third of the time.

    Args:
        largest_bytes: at most 32 MB, see mallopt(3), M_MMAP_THRESHOLD; larger blocks go back to the system at once.
        in_all_bytes: less than 2 GB. Where more than this is free at the end of the heap, it goes back
            (M_TRIM_THRESHOLD).

    Other C libraries do not mind, and keep their ways.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, largest_bytes)
        mallopt(_M_TRIM_THRESHOLD, in_all_bytes)


def physical_cores() -> int:
    """Processor cores that this process may use, as torch counts: with two threads, one; of a Mac's, the fast ones."""
    if sys.platform == "darwin":
        return _fast_cores_of_a_mac()
    else:
        usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        cores = set()
        for cpu in usable:
            siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
            cores.add(siblings.read_text() if siblings.exists() else str(cpu))
        return len(cores)


def _fast_cores_of_a_mac() -> int:
    for name in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):  # the second where all are alike
        asked = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
        if asked.stdout.strip().isdecimal():
            return int(asked.stdout)
    return os.cpu_count() or 1


def processors() -> int:
    """Processors this process may use: containers and schedulers grant fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Measuring in processes of their own: nothing that one variant loads, warms or leaves behind helps or burdens another.

    finished = part(__file__, "rate", seconds=3.0)          # calls this script's function for "rate" in a new process
    finished.value, finished.seconds, finished.peak_mb

A script whose functions are called this way begins its main with `serve`. The measuring process itself stays small: on
Linux a child's peak of memory is at least its parent's, from before it became another program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from glyphlab.process import stops_go_to

_FLAG = "--part"


class Stopped(SystemExit):
    """Somebody wants this process to end, and with it the one it waits for."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended well.

    value: what it printed, or for a part what its function returned. seconds: from its start to its end. peak_mb: the
    most memory that it, or a process it waited for, held at once, in 10**6 bytes.
    """

    value: Any
    seconds: float
    peak_mb: float


def run(command: Sequence[str | Path], *, shown: bool = False) -> Finished:
    """Run a command to its end; SystemExit where it fails. A request to stop meanwhile stops the command: `Stopped`.

    shown: what it prints is for the screen, and the value is "".
    """
    began = time.perf_counter()
    words = [str(word) for word in command]
    pipe = None if shown else subprocess.PIPE
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=pipe, text=True)
    try:
        with stops_go_to(_stop):
            output = process.stdout.read() if process.stdout is not None else ""
            # Rather than process.wait(), since this tells the memory of this child alone.
            _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}: {output[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Finished(output, seconds, usage.ru_maxrss * unit / 1e6)


def part(script: str | Path, name: str, /, **arguments: Any) -> Finished:
    """Call the function that `script` serves under `name`, in a process of its own.

    arguments: JSON values, or paths. The function's value, of JSON, comes back.
    """
    told = json.dumps(arguments, default=str)
    finished = run([sys.executable, script, _FLAG, name, told])
    # Libraries may print, too; the value is on the last line.
    value = json.loads(finished.value.rstrip().rpartition("\n")[2])
    return Finished(value, finished.seconds, finished.peak_mb)


def serve(parts: Mapping[str, Callable[..., Any]]) -> None:
    """Where this process was started by `part`: call the function, print its value, and end."""
    if sys.argv[1:2] == [_FLAG]:
        name, arguments = sys.argv[2:4]
        print(json.dumps(parts[name](**json.loads(arguments))))
        sys.exit()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped("stopped")

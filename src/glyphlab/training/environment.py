"""Where and with what a run was made: the facts that a figure needs beside it."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glyphlab import __version__
from glyphlab.errors import quoted


def describe_environment(device: str, threads: int) -> dict[str, Any]:
    """Versions, machine, command and time of start, as JSON values."""
    return {
        "glyphlab": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": platform.platform(),
        "processor": _processor(),
        "instructions": _instructions(),
        "cores": os.cpu_count(),
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "threads": threads,
        "command": " ".join(quoted(word) for word in (_program(), *sys.argv[1:])),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _program() -> str:
    """How this program is called."""
    name = Path(sys.argv[0]).name
    return "glyphlab" if name == "__main__.py" else name


def _processor() -> str:
    """The processor's name as Linux gives it, else what Python knows."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _instructions() -> str:
    """What the processor calculates with, for names of processors often hide it: "AVX2", "AVX512, avx512_bf16"."""
    flags = _cpuinfo("flags").split()
    return ", ".join([torch.backends.cpu.get_cpu_capability(), *(f for f in ("avx512_bf16", "amx_bf16") if f in flags)])


def _cpuinfo(key: str) -> str:
    """A line of Linux' description of the first processor; empty where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")

"""Which weights a run folder answers with, told without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

BEST_NAME, LAST_NAME = "weights-best.safetensors", "weights-last.safetensors"


def weights_path(run_folder: Path) -> Path:
    """The weights of the epoch that counts, or the last where there are no validation images."""
    best = run_folder / BEST_NAME
    return best if best.exists() else run_folder / LAST_NAME


def weights_sha256(run_folder: Path) -> str | None:
    """Their hash, hexadecimal: what was made of other weights says nothing about these. None: there are none yet."""
    path = weights_path(run_folder)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

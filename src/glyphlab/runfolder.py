"""What makes a folder a run, and where in it things lie that are asked for without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

_SEARCH = "labels-"
BEST_NAME, LAST_NAME = "weights-best.safetensors", "weights-last.safetensors"


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's."""
    return (folder / "recipe.toml").is_file() and (folder / "run.json").is_file()


def run_folders(runs_dir: Path) -> list[Path]:
    """The runs in a folder, oldest first; what a process left that was killed while making one is none."""
    found = [path.parent for path in runs_dir.glob("*/run.json") if not path.parent.name.startswith(".")]
    return sorted(found, key=lambda folder: (folder / "run.json").stat().st_mtime)


def labels_folder(run_folder: Path, split: str) -> Path:
    """Where labels.csv of a search in a run's data lies, and all that belongs to it. split: train or test."""
    return run_folder / ("labels" if split == "train" else "labels-test")


def search_folder(runs_dir: Path, data_name: str) -> Path:
    """Where the same lies of a search in the training labels of a data set, for which there is no run."""
    return runs_dir / f"{_SEARCH}{data_name}"


def search_folders(runs_dir: Path) -> list[Path]:
    """The folders of such searches, in order of their names."""
    found = [path.parent for path in runs_dir.glob(f"{_SEARCH}*/labels.csv")]
    return sorted(folder for folder in found if not is_run(folder))


def weights_path(run_folder: Path) -> Path:
    """The weights of the epoch that counts, or the last where there are no validation images."""
    best = run_folder / BEST_NAME
    return best if best.exists() else run_folder / LAST_NAME


def weights_sha256(run_folder: Path) -> str | None:
    """Their hash, hexadecimal: what was made of other weights says nothing about these. None: there are none yet."""
    path = weights_path(run_folder)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

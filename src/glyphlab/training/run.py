"""The run folder: everything one training left behind, and how to open it again.

runs/mnist-fast-1/
  recipe.toml               every setting, defaults written out, with the engine that was used
  environment.json          versions, machine, data and its hash, command, engine timings, time, peak memory
  run.json                  how far it came and why it stopped
  metrics.csv, .jsonl       a row an epoch
  curves.png                loss and accuracy
  weights-best.safetensors  the epoch that counts, see training.keep; weights-last.safetensors: the last one
  checkpoint.safetensors    all that continuing needs
  model.onnx                one file for use elsewhere, written by `glyphlab export`
  evaluation/               written by `glyphlab evaluate`; errors/, labels/, inspect/, report.html by those commands
  features/, kfold/         kept so that they need not be made again
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RecipeError, RunError, did_you_mean, quoted
from glyphlab.files import make_folder, move, new_folder, read_object, temporary_files, write_json, write_text, writing
from glyphlab.networks.classifier import Classifier, load_weights, save_weights
from glyphlab.runfolder import BEST_NAME, LAST_NAME, is_run, run_folders, weights_path, weights_sha256
from glyphlab.training.checkpoint import TrainingState, save_checkpoint
from glyphlab.training.history import EpochMetrics, draw_curves, write_metrics
from glyphlab.training.recipe import Recipe

_CURVES_EVERY_SECONDS = 30.0
_UNDONE = ("started", "interrupted", "failed")


class Run:
    """A training run on disk. `Run.open` for an existing folder; `Run.create` makes a new one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._curves_drawn = time.monotonic()

    @classmethod
    def open(cls, path: str | Path, runs_dir: str | Path = "runs") -> Run:
        """Open a run by its path, or by its name within `runs_dir`. Raises `RunError`."""
        run = cls.find(path, runs_dir)
        if run is not None:
            return run
        known = [run.name for run in cls.all_in(runs_dir)]
        near = did_you_mean(Path(path).name, known) if known else f"there are no runs in {runs_dir}"
        raise RunError(f"no run '{path}'; {near}")

    @classmethod
    def find(cls, path: str | Path, runs_dir: str | Path = "runs") -> Run | None:
        """As `open`, but None where there is nothing of that name. Raises `RunError` for a folder that is no run."""
        places = (Path(path), Path(runs_dir) / path)
        for folder in places:
            if is_run(folder):
                return cls(folder)
        for folder in places:
            if folder.is_dir():
                raise RunError(f"{folder} is not a run folder: it has no recipe.toml and run.json")
        return None

    @classmethod
    def all_in(cls, runs_dir: str | Path) -> list[Run]:
        """The runs of a folder, oldest first; what a process left that was killed while making one is none."""
        return [cls(folder) for folder in run_folders(Path(runs_dir))]

    @classmethod
    def create(cls, runs_dir: Path, data_name: str, recipe: Recipe, environment: dict[str, Any]) -> Run:
        """Make `<data>-<recipe>-<n>` with the lowest free n. It appears with all its first files, or not at all."""
        make_folder(runs_dir)
        stem = "-".join(re.sub(r"[^\w.-]+", "_", word).strip("._") or "data" for word in (data_name, recipe.name))
        with writing(runs_dir):
            draft = new_folder(runs_dir, ".new-")
        try:
            write_text(draft / "recipe.toml", recipe.to_toml())
            write_json(draft / "environment.json", environment)
            write_json(draft / "run.json", {"status": "started", "epochs": 0, "step": 0, "best": None})
            number = 1
            while True:
                folder = runs_dir / f"{stem}-{number}"
                try:
                    # A rename onto an existing folder fails, so two trainings never get the same number.
                    if not folder.exists():
                        move(draft, folder)
                        return cls(folder)
                except OSError:
                    if not folder.exists():
                        with writing(folder):
                            raise
                number += 1
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def recipe(self) -> Recipe:
        """The recipe as it was resolved."""
        path = self.folder / "recipe.toml"
        try:
            return Recipe.from_toml(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RecipeError) as error:
            raise RunError(f"cannot read {path}: {error}") from error

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, data and command."""
        return self._json("environment.json", "data")

    def data_dir(self, given: Path | None = None) -> Path | None:
        """Where the run's data lie: the folder `given`, else the one recorded; None: the default place."""
        recorded = self.environment["data"].get("data_dir")
        return given or (Path(recorded) if recorded else None)

    @property
    def status(self) -> dict[str, Any]:
        """How far the run came: status, epochs, step, total_steps, best."""
        return self._json("run.json", "status")

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to train, even when the process was killed before it could say so."""
        status = self.status
        if status["status"] == "running":
            return bool(status["step"] >= status["total_steps"])
        return status["status"] not in _UNDONE

    @property
    def history(self) -> list[EpochMetrics]:
        """The epochs' figures; empty before the first epoch's end."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return []
        try:
            return [EpochMetrics(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"cannot read {path}: {error}") from error

    @property
    def checkpoint_path(self) -> Path:
        """All that continuing needs."""
        return self.folder / "checkpoint.safetensors"

    @property
    def weights_path(self) -> Path:
        """The weights of the epoch that counts, or the last where there are no validation images."""
        return weights_path(self.folder)

    def weights_sha256(self) -> str:
        """The hash of the weights that count, hexadecimal; "" before the first epoch's end."""
        return weights_sha256(self.folder) or ""

    def classifier(self) -> Classifier:
        """The trained network, ready to answer. Raises `RunError` before the first epoch's end."""
        if not self.weights_path.exists():
            if self.status["status"] == "failed":
                raise RunError(f"{self.folder} holds no weights, since its training failed; train anew otherwise")
            raise RunError(
                f"{self.folder} holds no weights yet; continue it with: glyphlab train --resume {quoted(self.folder)}"
            )
        return load_weights(self.weights_path)

    def require_same_data(self, glyphs: GlyphSet) -> None:
        """Refuse, with a `RunError`, training images that are not those the run began with."""
        if glyphs.digest() != self.environment["data"]["sha256"]:
            raise RunError(
                f"{self.folder}: the data '{self.recipe.data.name}' has changed since the run began, so that what it "
                "learned from cannot be told from the rest; train anew"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this folder meanwhile; `RunError` when one already does."""
        lock = FileLock(self.folder / ".lock")
        with writing(self.folder):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise RunError(f"another process is training in {self.folder}; wait for it, or stop it first") from None
        try:
            for leftover in temporary_files(self.folder):  # of a process that was killed while writing
                leftover.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    @property
    def kept_in(self) -> str:
        """Where the last good state is, as the end of a sentence."""
        return f"kept in {self.folder}"

    def save_checkpoint(self, state: TrainingState) -> None:
        """Write the whole state, from which the run can be continued."""
        save_checkpoint(state, self.checkpoint_path)

    def save_epoch(self, state: TrainingState) -> None:
        """Write what an epoch's end changes."""
        write_metrics(state.history, self.folder)
        if state.newest_counts:
            save_weights(state.result, self.folder / BEST_NAME)
        self.save_last(state)
        # Drawing takes a third of a second: too much after every epoch of a quick run.
        if time.monotonic() - self._curves_drawn > _CURVES_EVERY_SECONDS:
            self.draw_curves(state.history)

    def save_last(self, state: TrainingState) -> None:
        """Write the newest weights and how far the run is."""
        save_weights(state.result, self.folder / LAST_NAME)
        self.set_status("running", state)

    def draw_curves(self, history: list[EpochMetrics]) -> None:
        """Draw curves.png."""
        if history:
            draw_curves(history, self.name, self.folder / "curves.png")
            self._curves_drawn = time.monotonic()

    def set_status(self, status: str, state: TrainingState) -> None:
        """Record how far the run is and why it stopped."""
        best = state.best
        write_json(
            self.folder / "run.json",
            {
                "status": status,
                "epochs": state.history[-1].epoch if state.history else 0,
                "step": state.step,
                "total_steps": state.total_steps,
                "time_seconds": round(state.time_seconds, 3),
                "best": None
                if best is None
                else {
                    "epoch": best.epoch,
                    "validation_accuracy": best.validation_accuracy,
                    "validation_loss": best.validation_loss,
                },
            },
        )

    def set_recipe(self, recipe: Recipe) -> None:
        """Replace recipe.toml, as extending a run does."""
        write_text(self.folder / "recipe.toml", recipe.to_toml())

    def extend_environment(self, facts: dict[str, Any]) -> None:
        """Add to, or replace in, environment.json."""
        write_json(self.folder / "environment.json", self.environment | facts)

    def _json(self, name: str, key: str) -> dict[str, Any]:
        """The file's content, which must have something under `key`."""
        path = self.folder / name
        try:
            found = read_object(path)
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read {path}: {error}") from error
        if key not in found:
            raise RunError(f"cannot read {path}: it does not say '{key}'; put back a copy of it, or train anew")
        return found

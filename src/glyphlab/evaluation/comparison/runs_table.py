"""All runs of a folder as a table that can be filtered and sorted.

Reads the runs' JSON and TOML files alone, without torch, so that a list of hundreds of runs is there at once. A folder
that cannot be read becomes a row that says so.
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from glyphlab.errors import GlyphlabError, RunError, did_you_mean
from glyphlab.files import read_object
from glyphlab.runfolder import weights_sha256

# Any of these makes a folder a run, or what is left of one.
_MARKS = ("run.json", "recipe.toml", "environment.json", "checkpoint.safetensors")
_UNFINISHED = ("started", "running")


@dataclass(frozen=True)
class RunRow:
    """One run of the table. What a run does not record, or not yet, is None.

    data, recipe, network: names. status: as recorded ("finished", "interrupted" ...), "killed" for a run that says it
    is running while no process holds it, "unreadable" for a folder that cannot be read; problem then says why.
    validation, test: accuracies, 0 to 1, of the weights that answer; test is the last evaluation's. time_seconds: of
    training. started: ISO 8601, UTC.
    """

    name: str
    folder: str
    status: str
    data: str | None = None
    recipe: str | None = None
    network: str | None = None
    epochs: int | None = None
    validation: float | None = None
    test: float | None = None
    parameters: int | None = None
    time_seconds: float | None = None
    started: str | None = None
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


# What one may sort and filter by: names that people use -> fields.
KEYS = {field.name: field.name for field in fields(RunRow) if field.name not in ("folder", "problem")} | {
    "accuracy": "test",
    "time": "time_seconds",
    "date": "started",
}
_LARGEST_FIRST = ("validation", "test")


def list_runs(runs_dir: str | Path) -> list[RunRow]:
    """The runs of a folder, oldest first. Raises `RunError` when there is no such folder."""
    folder = Path(runs_dir)
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}; train a run first, or name another folder with --runs-dir")
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror}") from error
    return sort_rows([read_row(path) for path in inside if _is_run(path)], "date")


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run, or what is left of one; findings on the labels of a data set have a recipe as well."""
    marks = [mark for mark in _MARKS if (folder / mark).exists()]
    return bool(marks) and not (marks == ["recipe.toml"] and (folder / "labels.csv").exists())


def read_row(folder: Path) -> RunRow:
    """One run's row; never raises for what is inside the folder."""
    name = folder.resolve().name
    try:
        status, environment = _json(folder / "run.json"), _json(folder / "environment.json")
        recipe = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
        best = _typed(status, "best", dict)
        data = _typed(environment, "data", dict) or {}
        return RunRow(
            name=name,
            folder=str(folder),
            status=_status(folder, _typed(status, "status", str) or "unknown"),
            data=_typed(data, "name", str),
            recipe=_typed(recipe, "name", str),
            network=_typed(_typed(recipe, "network", dict) or {}, "name", str),
            epochs=_typed(status, "epochs", int),
            validation=_typed(best, "validation_accuracy", float) if best else None,
            test=_test_accuracy(folder),
            parameters=_typed(environment, "parameters", int),
            time_seconds=_typed(status, "time_seconds", float),
            started=_typed(environment, "started", str),
        )
    except (OSError, ValueError) as error:  # JSON, TOML and UTF-8 that cannot be decoded are ValueErrors
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        where = f"{Path(error.filename).name}: " if isinstance(error, OSError) and error.filename else ""
        return RunRow(name, str(folder), "unreadable", problem=f"{where}{problem}".splitlines()[0])


def filter_rows(rows: Iterable[RunRow], conditions: Sequence[str]) -> list[RunRow]:
    """The rows that meet every condition.

    A condition is KEY=PATTERN, whole words or wildcards in any case ("data=mnist", "name=*-glyphnet-*"), or
    compares a number: "test>=99%", "epochs<5", "time>60". Keys: those of `KEYS`. A row that lacks the value does not
    meet the condition. Raises `GlyphlabError` for a condition that makes no sense.
    """
    tests = [_condition(text) for text in conditions]
    return [row for row in rows if all(test(row) for test in tests)]


def sort_rows(rows: Iterable[RunRow], key: str, reverse: bool = False) -> list[RunRow]:
    """Sorted by one of `KEYS`: accuracies largest first, everything else smallest first; `reverse` turns this round.

    Rows without the value come last either way. Raises `GlyphlabError` for an unknown key.
    """
    field = _field(key, "--sort")
    known = [row for row in rows if getattr(row, field) is not None]
    unknown = [row for row in rows if getattr(row, field) is None]
    return sorted(known, key=lambda row: getattr(row, field), reverse=reverse != (field in _LARGEST_FIRST)) + unknown


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


def _condition(text: str) -> Callable[[RunRow], bool]:
    found = re.fullmatch(r"\s*([A-Za-z_]+)\s*(>=|<=|=|>|<)\s*(.*?)\s*", text)
    if found is None:
        raise GlyphlabError(f"--filter is '{text}'; expected KEY=VALUE or KEY>NUMBER, as data=mnist or test>=99%")
    key, sign, wanted = found.groups()
    field = _field(key, "--filter")
    numeric = next(column for column in fields(RunRow) if column.name == field).type not in ("str", "str | None")
    if not numeric:
        if sign != "=":
            raise GlyphlabError(f"--filter is '{text}'; {key} is text: expected {key}=VALUE, wildcards * and ? allowed")
        pattern = wanted.lower()
        return lambda row: any(fnmatchcase(said, pattern) for said in _said(row, field))
    try:
        number = float(wanted.removesuffix("%")) / (100 if wanted.endswith("%") else 1)
    except ValueError:
        raise GlyphlabError(f"--filter is '{text}'; {key} is a number, but '{wanted}' is none") from None
    compare = _COMPARISONS[sign]
    return lambda row: getattr(row, field) is not None and compare(getattr(row, field), number)


def _said(row: RunRow, field: str) -> tuple[str, ...]:
    """A text as it is looked for: a status also without the reason that follows its colon."""
    text = (getattr(row, field) or "").lower()
    return (text, text.partition(":")[0]) if field == "status" else (text,)


def _field(key: str, option: str) -> str:
    if key not in KEYS:
        raise GlyphlabError(f"{option} knows no '{key}'; {did_you_mean(key, KEYS)}")
    return KEYS[key]


def _status(folder: Path, recorded: str) -> str:
    """The recorded status; a run that calls itself running is so only while a process holds its lock."""
    if recorded not in _UNFINISHED or not (folder / ".lock").exists():
        return recorded
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):  # held by the training, or on a disk that cannot be written to
        return "running"
    lock.release()
    return "killed"


def _test_accuracy(folder: Path) -> float | None:
    """Of the last evaluation on the run's own test images; None where there is none of its present weights."""
    try:
        summary = _json(folder / "evaluation" / "summary.json")
        accuracy: float | None = _typed(summary, "accuracy", float)
        judged = _typed(summary, "weights_sha256", str)
        return accuracy if judged == weights_sha256(folder) else None
    except (OSError, ValueError):
        return None


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _typed(values: dict[str, Any], key: str, kind: type) -> Any:
    """A value of the type that it should have, or None where it is left out. Raises `ValueError` for another type."""
    value = values.get(key)
    wanted = (int, float) if kind is float else kind
    if value is None:
        return None
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}")
    return value

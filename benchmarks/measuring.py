"""What the measuring scripts share: options, variants that take turns, figures that outlast an interruption."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from results import RESULTS

from glyphlab.files import write_text

T = TypeVar("T")
# Beside the runs, which git does not see.
WORK = Path("runs/bench")


def options(description: str | None, rounds: int | None) -> argparse.ArgumentParser:
    """A parser with what every script takes. description: its docstring. rounds: the default; None: it has none."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = os.environ.get("GLYPHLAB_DATA")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(given) if given else None,
        help="where the data sets lie (default: GLYPHLAB_DATA); the embedded digits stand in for what is missing",
    )
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of each variant (default: {rounds})")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file of results (default: RESULTS.md)")
    return parser


def take_turns(variants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure every variant once a round; each second round goes backwards, so that nobody is always first.

    Returns each variant's values, one a round.
    """
    found: dict[str, list[T]] = {name: [] for name in variants}
    for number in range(rounds):
        order = list(variants) if number % 2 == 0 else list(reversed(variants))
        for name in order:
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            found[name].append(variants[name]())
    return found


class Journal:
    """Figures on disk, a line each, so that a stopped benchmark goes on where it was.

    What was measured goes by its key: JSON values that say all that matters for the figure. dates: on which those were
    taken that have been asked for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.dates: set[str] = set()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def find(self, key: Mapping[str, Any]) -> Any:
        """The value measured for a key; None where there is none yet."""
        row = next((row for row in self._rows if row["key"] == key), None)
        if row is None:
            return None
        self.dates.add(row["taken"])
        return row["value"]

    def once(self, key: Mapping[str, Any], measure: Callable[[], Any]) -> Any:
        """The value for a key, measured now unless it is there already."""
        found = self.find(key)
        if found is not None:
            return found
        print(", ".join(f"{name} {value}" for name, value in key.items()), file=sys.stderr, flush=True)
        value = measure()
        self._rows.append({"key": dict(key), "value": value, "taken": date.today().isoformat()})
        self.dates.add(self._rows[-1]["taken"])
        write_text(self._path, "".join(json.dumps(row) + "\n" for row in self._rows))
        return value

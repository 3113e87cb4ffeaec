"""RESULTS.md: a section for each benchmark, written by its script; the others' sections stay as they are.

A section says with which command, when, on which machine and with which versions its figures were taken. What stands
behind the sections known here, written by hand, stays there.
"""

from __future__ import annotations

import platform
import re
import shlex
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

from glyphlab.files import write_text

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Benchmarks

Each figure beside its peer's, taken in the same run. Where a section does not say otherwise, variants take turns, a
figure is the median of the rounds with the lowest and the highest, and ratios are taken round by round. `make bench`
takes the short ones, `make bench-full` all of them.
"""
# In the order in which they stand in the file.
TITLES = {
    "throughput": "Training throughput",
    "time_to_accuracy": "Time to the reports' accuracy",
    "step": "What a training step costs",
    "two_processes": "Two processes against one",
    "growth": "From 10 thousand to 1 million images",
    "inference": "Answers",
    "preparation": "Preparation and augmentation",
    "robustness": "Drawn characters",
    "pages": "Pages",
    "cold_start": "Cold start",
}
# Written by hand, behind the others.
BY_HAND = ("Accuracy of the recipes",)
# Where things lie says nothing about a figure.
_PLACES = ("--data-dir", "--out", "--work")


def write_section(script: str, body: str, path: Path = RESULTS) -> None:
    """Put `body` (without its heading) where the section of `script` stands, or belongs; print it, too.

    script: a key of `TITLES`. The file appears whole or not at all.
    """
    sections = sections_of(path.read_text(encoding="utf-8")) if path.exists() else {}
    sections[TITLES[script]] = body.strip()
    known = [title for title in TITLES.values() if title in sections]
    others = [title for title in sections if title not in TITLES.values()]
    blocks = [HEAD, *(f"## {title}\n\n{sections[title]}\n" for title in [*known, *others])]
    write_text(path, "\n".join(blocks))
    print(f"\n## {TITLES[script]}\n\n{body.strip()}\n\nwritten to {path}")


def sections_of(text: str) -> dict[str, str]:
    """The sections of such a file, by their titles; what stands before the first is left out."""
    _, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {title.strip(): body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def provenance(data: str, repeated: str, dates: Iterable[str] = ()) -> str:
    """How the figures came about: command, date, data, machine, versions, and how often they were taken.

    dates: of figures that may be older than today, as ISO has them.
    """
    # Imported last, since it loads torch: a benchmark's own process stays small while it measures others.
    import torch

    from glyphlab.training.environment import describe_environment

    machine = describe_environment("cpu", torch.get_num_threads())
    taken = sorted({*dates} or {date.today().isoformat()})
    when = " to ".join(dict.fromkeys((taken[0], taken[-1])))
    return (
        f"`{_command()}`, {when}, on {data}; {machine['processor']} ({machine['instructions']}), "
        f"{machine['cores']} cores, {platform.system()}, Python {machine['python']}, torch {machine['torch']}, "
        f"Glyphlab {machine['glyphlab']}. {repeated}"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(
    values: Sequence[float], form: str = ",.0f", middle: Callable[[Sequence[float]], float] = statistics.median
) -> str:
    """The middle value with the range, or the value alone where there is one."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{middle(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Each value against the other one of its round, so that a machine whose speed drifts favours nobody."""
    return [value / other for value, other in zip(values, others, strict=True)]


def counted(number: int, noun: str) -> str:
    """ "1 round", "3 rounds"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def goal(words: str, reached: bool) -> str:
    """A line that says whether a goal was reached."""
    return f"Goal: {words}: **{'reached' if reached else 'missed'}**."


def _command() -> str:
    """This process's command without the places of files, as one types it."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word in _PLACES:
            next(words, None)
        elif not word.startswith(tuple(f"{place}=" for place in _PLACES)):
            kept.append(word)
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *kept])

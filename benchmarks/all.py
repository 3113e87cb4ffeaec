"""All benchmarks of RESULTS.md, one after the other.

    make bench                                             the short ones, some minutes
    make bench-full                                        every one as it should be measured, some three hours
    python benchmarks/all.py --full --data-dir DATA

--full keeps in --work which scripts are finished, and of the longest one each training; stopped, it goes on there. When
all are done it says so; remove that folder to measure anew. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import children
from measuring import WORK, Journal, options

# Scripts with what they are told, the quickest to finish first.
QUICK = (
    ("cold_start.py", "--rounds", "5"),
    ("pages.py", "--rounds", "1", "--pages", "18"),
    ("preparation.py", "--rounds", "2", "--seconds", "2", "--pictures", "124"),
    ("inference.py", "--rounds", "2", "--seconds", "1"),
    ("throughput.py", "--rounds", "2", "--seconds", "3"),
    ("step.py", "--rounds", "1"),
)
FULL = (
    ("cold_start.py", "--rounds", "20"),
    ("pages.py",),
    ("preparation.py", "--rounds", "5"),
    ("inference.py", "--rounds", "5"),
    ("throughput.py", "--rounds", "5"),
    ("step.py", "--rounds", "5"),
    ("robustness.py",),
    ("two_processes.py",),
    ("growth.py",),
    ("time_to_accuracy.py",),
)


def run(script: str, told: tuple[str, ...], chosen: argparse.Namespace) -> bool:
    """Run one of them; whether it ended well."""
    places = ["--out", chosen.out]
    places += ["--data-dir", chosen.data_dir] if chosen.data_dir else []
    places += ["--work", chosen.work] if script == "time_to_accuracy.py" else []
    print(f"\n=== {script} {' '.join(told)}", file=sys.stderr, flush=True)
    try:
        children.run([sys.executable, Path(__file__).parent / script, *told, *places], shown=True)
    except children.Stopped:
        raise
    except SystemExit as error:
        print(error, file=sys.stderr)
        return False
    return True


def main() -> None:
    """Exit code 1 where one of them failed; the others are measured all the same."""
    parser = options(__doc__, rounds=None)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="short rounds and few of them (the default)")
    extent.add_argument("--full", action="store_true", help="all of them, whole")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where --full keeps its place (default: {WORK})")
    chosen = parser.parse_args()
    failed = []
    finished = Journal(chosen.work / "finished.jsonl") if chosen.full else None
    for script, *told in FULL if chosen.full else QUICK:
        key = {"script": script, "told": told}
        if finished is not None and finished.find(key):
            print(f"=== {script} is measured already", file=sys.stderr)
        elif script == "robustness.py" and chosen.data_dir is None:
            print(f"=== {script} needs drawn-characters/ in --data-dir", file=sys.stderr)
        elif not run(script, tuple(told), chosen):
            failed.append(script)
        elif finished is not None:
            finished.once(key, lambda: True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    if chosen.full:
        print(f"all is measured; remove {chosen.work} to measure anew", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Peak memory of training on a set as large as EMNIST byclass: 697,932 training and 116,323 test images.

    python benchmarks/byclass_memory.py --seconds 60

The images are the embedded digits, repeated, under byclass's official file names and layout, so nothing has to be
downloaded; memory depends on the counts alone. Trains with the default recipe for `--seconds`, evaluates on all test
images, and prints the process's peak memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Literal

import children
import samples

import glyphlab

COUNTS: dict[Literal["train", "test"], int] = {"train": 697_932, "test": 116_323}


def main() -> None:
    """Make the set, train, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for split, count in COUNTS.items():
            samples.write_as_byclass(glyphlab.load_dataset("digits", split), split, count, Path(scratch))
        command = [sys.executable, "-m", "glyphlab", "train", samples.BYCLASS, "--data-dir", scratch]
        command += ["--runs-dir", f"{scratch}/runs", f"--set=training.time_budget_seconds={options.seconds}", "--json"]
        done = children.run(command)
    outcome = json.loads(done.value)
    print(f"{outcome['step']:,} steps ({outcome['status']}), {outcome['test']['n']:,} test images evaluated")
    print(f"peak memory of the whole command: {done.peak_mb / 1e3:.2f} GB")


if __name__ == "__main__":
    main()

"""Peak memory of training on a set as large as EMNIST byclass: 697,932 training and 116,323 test images.

    python benchmarks/byclass_memory.py --seconds 60

The images are the embedded digits, repeated, under byclass's official file names and layout, so nothing has to be
downloaded; memory depends on the counts alone. Trains with the default recipe for `--seconds`, evaluates on all test
images, and prints the process's peak memory.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import glyphlab

COUNTS = {"train": 697_932, "test": 116_323}
CLASSES = 62


def write_byclass(folder: Path) -> None:
    """Write the four files, images transposed as EMNIST stores them, in chunks."""
    digits = glyphlab.load_dataset("digits").images.transpose(0, 2, 1)
    folder.mkdir(parents=True)
    for split, count in COUNTS.items():
        with gzip.open(folder / f"emnist-byclass-{split}-images-idx3-ubyte.gz", "wb", compresslevel=1) as images:
            images.write(struct.pack(">IIII", 0x803, count, 28, 28))
            for start in range(0, count, len(digits)):
                images.write(np.ascontiguousarray(digits[: count - start]).tobytes())
        with gzip.open(folder / f"emnist-byclass-{split}-labels-idx1-ubyte.gz", "wb") as labels:
            labels.write(struct.pack(">II", 0x801, count))
            labels.write((np.arange(count) % len(digits) % CLASSES).astype(np.uint8).tobytes())


def main() -> None:
    """Make the set, train, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        write_byclass(Path(scratch) / "emnist")
        command = [sys.executable, "-m", "glyphlab", "train", "emnist-byclass", "--data-dir", scratch]
        command += ["--runs-dir", f"{scratch}/runs", f"--set=training.time_budget_seconds={options.seconds}", "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    outcome = json.loads(done.stdout)
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(f"{outcome['step']:,} steps ({outcome['status']}), {outcome['test']['n']:,} test images evaluated")
    print(f"peak memory of the whole command: {peak_gb:.2f} GB")


if __name__ == "__main__":
    main()

"""Kill a training with signal 9 at random moments, resume it, and compare every bit with a run left in peace.

    python benchmarks/kill_resume.py --kills 20

Trains on the embedded digits through the command line, as a user would. After each kill every file in the run folder
must be whole; after each resume all weights, the optimiser's state and the metrics (without times) must be equal to
those of the uninterrupted run. Exits 1 at the first difference.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from safetensors.torch import load_file

from glyphlab.training.run import Run

SETTINGS = [
    "training.batch_size=64", "training.ema_decay=0.99", "network.width=8", "network.dropout=0.2",
    "engine.precision=float32", "engine.channels_last=true", "engine.compile=false",
]  # fmt: skip
EPOCHS = 12
TIMES = ("time_seconds", "images_per_second")


def start(runs: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`glyphlab train ...`, silent."""
    command = [sys.executable, "-m", "glyphlab", "train", *arguments, "--runs-dir", str(runs), "--no-evaluate", "-q"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def new_training(runs: Path) -> subprocess.Popen[bytes]:
    """The training under test."""
    return start(runs, "digits", "--epochs", str(EPOCHS), *(f"--set={setting}" for setting in SETTINGS))


def essence(folder: Path) -> dict[str, object]:
    """All tensors' bytes, and the metrics without times."""
    tensors = {
        f"{path.name}:{name}": tensor.numpy().tobytes()
        for path in folder.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    metrics = [{key: value for key, value in row.items() if key not in TIMES} for row in rows]
    return {"tensors": tensors, "metrics": metrics, "best": Run(folder).status["best"]}


def require_whole(folder: Path) -> None:
    """Every file under its final name can be read to its end."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.suffix == ".safetensors":
            load_file(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            [json.loads(line) for line in path.read_text().splitlines()]
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".toml":
            _ = Run(folder).recipe


def main() -> None:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        assert new_training(Path(scratch) / "whole").wait() == 0
        duration = time.monotonic() - began
        (whole,) = (Path(scratch) / "whole").glob("digits-*")
        expected = essence(whole)
        print(f"uninterrupted: {duration:.1f} s")
        kills = attempts = 0
        while kills < options.kills:
            attempts += 1
            runs = Path(scratch) / f"attempt-{attempts}"
            process = new_training(runs)
            # Before its folder exists a run has nothing to resume; the clock starts when it does.
            while process.poll() is None and not list(runs.glob("digits-*")):
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.5 * duration))
            process.send_signal(signal.SIGKILL)
            process.wait()
            (folder,) = runs.glob("digits-*")
            require_whole(folder)
            status = Run(folder).status
            if status["status"] == "finished":
                continue  # the kill came too late to count
            kills += 1
            assert start(runs, "--resume", str(folder)).wait() == 0
            verdict = "equal" if essence(folder) == expected else "DIFFERS"
            print(f"kill {kills}: after epoch {status['epochs']}, step {status['step']}: {verdict}", flush=True)
            if verdict != "equal":
                sys.exit(1)
        print(f"{kills} kills in the middle of training, all equal to the bit after resuming")


if __name__ == "__main__":
    main()

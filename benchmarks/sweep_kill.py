"""Kill a sweep's workers with signal 9 and see that every trial is run once and none is lost.

    python benchmarks/sweep_kill.py
    python benchmarks/sweep_kill.py --storage journal --rounds 5

Two calls of `glyphlab sweep`, as on two machines, work on the same sweep of tiny trials on the embedded digits: on a
PostgreSQL server with 2 workers each, on a journal file with 1 each. In the middle one worker is killed, then a whole
call with all its workers, and that call is made again. Afterwards each trial must have finished exactly once, each with
one run folder that holds all its epochs, no two with the same settings. Exits 1 where that is not so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from private_postgres import private_server, why_not

from glyphlab.training.run import Run
from glyphlab.training.sweep.entry import Standing
from glyphlab.training.sweep.ledger import Ledger

SWEEP = """
recipe = "fast"
[settings]
data.name = "digits"
network.width = 4
training.epochs = {epochs}
engine.precision = "float32"
engine.channels_last = false
[space]
training.lr = [{rates}]
training.batch_size = [32, 64]
"""


def start(file: Path, sweeps: Path, workers: int, storage: str | None) -> subprocess.Popen[bytes]:
    """`glyphlab sweep ...`, silent."""
    command = [sys.executable, "-m", "glyphlab", "sweep", str(file), "--sweeps-dir", str(sweeps), "--no-report", "-q"]
    command += ["--workers", str(workers), *(["--storage", storage] if storage else [])]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def calling(file: Path, sweeps: Path, workers: int, storage: str | None) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two calls at work; none is left behind, whatever happens."""
    calls = [start(file, sweeps, workers, storage) for _ in range(2)]
    try:
        yield calls
    finally:
        for call in calls:
            if call.poll() is None:
                call.terminate()
                call.wait()


def running_owners(ledger: Ledger) -> list[str]:
    """The workers that have a trial now."""
    return [entry.owner for entry in ledger.entries() if entry.standing is Standing.RUNNING]


def wait_for(ledger: Ledger, calls: list[subprocess.Popen[bytes]], wanted: int) -> None:
    """Until so many trials are over and at least one runs."""
    while over(ledger) < wanted or not running_owners(ledger):
        if all(call.poll() is not None for call in calls):
            sys.exit("the calls ended before they could be killed; give them more --trials")
        time.sleep(0.1)


def process_of(owner: str) -> int:
    """A worker's process id, which is in its name."""
    return int(owner.rsplit("-", 2)[1])


def kill_a_worker(ledger: Ledger, rng: random.Random) -> str:
    """Signal 9 to one that is at a trial."""
    while not (owners := running_owners(ledger)):
        time.sleep(0.05)
    owner = rng.choice(owners)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_of(owner), signal.SIGKILL)
    return owner


def one_round(storage: str | None, workers: int, trials: int, epochs: int, seed: int, scratch: Path) -> bool:
    """Begin, kill, begin again, check. Prints what happened."""
    rng = random.Random(seed)
    file = scratch / f"kill-{seed}.toml"
    rates = ", ".join(f"{0.001 * (rate + 1):g}" for rate in range(trials // 2))
    file.write_text(SWEEP.format(epochs=epochs, rates=rates))
    began = time.monotonic()
    folder = scratch / file.stem
    with calling(file, scratch, workers, storage) as calls:
        while not (folder / "sweep.json").exists():
            if all(call.poll() is not None for call in calls):
                sys.exit("the calls ended at once; see what they say above")
            time.sleep(0.1)
        with Ledger.open(file.stem, folder, storage) as ledger:
            wait_for(ledger, calls, trials // 6)
            killed = kill_a_worker(ledger, rng)
            print(f"  after {over(ledger)} trials: worker {killed} killed with signal 9", flush=True)
            wait_for(ledger, calls, trials // 3)
            calls[0].kill()  # its workers see the end of their input and stop
            calls[0].wait()
            print(f"  after {over(ledger)} trials: a whole call killed with signal 9, and made again", flush=True)
            calls[0] = start(file, scratch, workers, storage)
            codes = [call.wait() for call in calls]
            entries = ledger.entries()
    runs = Run.all_in(folder / "runs")
    finished = [entry for entry in entries if entry.standing is Standing.FINISHED]
    named = {(entry.result or {}).get("run") for entry in finished}
    folders = Counter(run.recipe.name for run in runs)
    checks = {
        "both calls ended well": codes == [0, 0],
        "every trial finished": len(finished) == len(entries) == trials,
        "no settings twice": len({entry.trial.key for entry in entries}) == trials,
        "one run folder each": len(runs) == trials and set(folders.values()) == {1},
        "all epochs in each": all(len(run.history) == epochs and run.status["epochs"] == epochs for run in runs),
        "results are the runs'": named == {run.name for run in runs},
    }  # fmt: skip
    owners = len({entry.owner for entry in finished})
    print(f"  {len(finished)} of {trials} trials, {owners} workers, {time.monotonic() - began:.0f} s: "
          + ("exactly once each" if all(checks.values()) else json.dumps(checks)), flush=True)  # fmt: skip
    return all(checks.values())


def over(ledger: Ledger) -> int:
    """Trials that have ended."""
    return sum(entry.standing.is_over for entry in ledger.entries())


@contextlib.contextmanager
def storage_of(kind: str) -> Iterator[str | None]:
    """The address of a server of one's own, or None for the journal file."""
    if kind == "journal":
        yield None
        return
    with private_server() as url:
        yield url


def main() -> None:
    """Both storages, so many rounds each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", choices=["both", "postgres", "journal"], default="both")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended in good order
    good = True
    for kind, workers in (("postgres", 2), ("journal", 1)):
        if options.storage not in ("both", kind):
            continue
        if kind == "postgres" and (reason := why_not()):
            sys.exit(reason)
        with storage_of(kind) as storage, tempfile.TemporaryDirectory() as scratch:
            for number in range(1, options.rounds + 1):
                print(f"{kind}, {2 * workers} workers, round {number}", flush=True)
                good &= one_round(storage, workers, options.trials, options.epochs, number, Path(scratch))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

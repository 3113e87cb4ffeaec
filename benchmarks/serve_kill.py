"""Kill the service with signal 9 while it teaches, keeps drawings and saves decisions on labels; see what is left.

    python benchmarks/serve_kill.py --kills 20

Before each kill, at a random moment, drawings arrive and go, suspicious labels are decided on, and a teaching runs, all
at once. After it:

- every worker process has ended by itself, also one in the middle of its work;
- every file that the service shows or keeps is whole: pictures decode, JSON and CSV parse;
- whatever was answered with 2xx is there when the service runs again: drawings, deletions, decisions, teachings;
- the teaching goes on, or says that it was interrupted and can be ordered again.

At the end the last teaching is waited for, and its model answers. Exits 1 at the first fault.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from serving import digit_pictures, form

from glyphlab.data.sources import load_dataset
from glyphlab.evaluation.labels.search import LabelSearch
from glyphlab.training.train import train

_ORPHAN_SECONDS = 60.0  # on a busy machine; 2 on an idle one
_TEACH_SECONDS = 900.0
_LETTERS = ("ell", "vee", "tee")
_Json = dict[str, Any]


class Fault(Exception):  # noqa: N818 - of the service, not an error of this program
    """Something was lost, torn or left behind."""


def require(holds: bool, fault: str) -> None:
    """Raise `Fault` where something does not hold."""
    if not holds:
        raise Fault(fault)


class Service:
    """`glyphlab serve` on a home, started anew after each kill."""

    def __init__(self, home: Path, runs: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", "glyphlab", "serve", "--no-browser", "--no-log", "--port", str(self.port)]
        command += ["--home", str(home), "--runs-dir", str(runs), "--model", "digits"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self._is_healthy():
            require(self._process.poll() is None, "the service did not start")
            time.sleep(0.02)

    def ask(self, method: str, path: str, value: Any = None, body: bytes | None = None, kind: str = "") -> bytes:
        """The body of an answer. Raises `HTTPError` for a refusal, `OSError` where the service is gone."""
        if value is not None:
            body, kind = json.dumps(value).encode(), "application/json"
        headers = {"Content-Type": kind} if body is not None else {}
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        request = urllib.request.Request(address, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return bytes(answer.read())

    def json(self, method: str, path: str, value: Any = None) -> _Json:
        """The same, parsed."""
        found: _Json = json.loads(self.ask(method, path, value))
        return found

    def _is_healthy(self) -> bool:
        try:
            return bool(self.json("GET", "health"))
        except OSError:
            return False

    def workers(self) -> list[int]:
        """The processes that it started."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._process.pid and fields[0] != "Z":
                found.append(int(folder.name))
        return found

    def kill(self) -> list[int]:
        """Signal 9; returns the workers that it had."""
        workers = self.workers()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return workers

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)


class Ledger:
    """What was answered with 2xx, thus must be there for ever."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.deleted: set[str] = set()
        self.decisions: dict[str, _Json | None] = {}
        self.decided = 0
        self.unanswered: set[str] = set()  # asked for when the service died: they may be done or not
        self.job = ""
        self.refused: list[str] = []
        self.last_words: list[str] = []  # of the connections that broke


def keep_drawings(service: Service, ledger: Ledger, rng: random.Random) -> None:
    """Drawings arrive; some go again."""
    pictures = digit_pictures()
    while True:
        label = rng.choice(sorted(pictures))
        body, kind = form(pictures[label], alphabet="Arriving", label=label)
        ledger.kept.add(json.loads(service.ask("POST", "samples", body=body, kind=kind.decode()))["id"])
        if rng.random() < 0.25:
            id_ = rng.choice(sorted(ledger.kept))
            ledger.unanswered.add(id_)
            service.ask("DELETE", f"samples/{id_}")
            ledger.kept.discard(id_)
            ledger.deleted.add(id_)
            ledger.unanswered.discard(id_)


def decide(service: Service, ledger: Ledger, rng: random.Random, run: str, ids: list[str]) -> None:
    """Labels are kept, corrected and discarded, and decisions taken back."""
    while True:
        id_ = rng.choice(ids)
        path = f"runs/{run}/labels/{urllib.parse.quote(id_, safe='')}"
        action = rng.choice(["keep", "relabel", "discard", None])
        ledger.unanswered.add(id_)
        if action is None:
            service.json("DELETE", path)
        else:
            service.json("POST", path, {"action": action})
        ledger.decisions[id_] = {"action": action} if action else None
        ledger.decided += 1
        ledger.unanswered.discard(id_)


def go_on_teaching(service: Service, ledger: Ledger) -> str:
    """Order a teaching where none is under way; returns what became of the one before."""
    state = service.json("GET", f"teach/{ledger.job}") if ledger.job else None
    if state is None or state["state"] in ("done", "failed"):
        require(state is None or state["state"] == "done" or "restarted" in state["message"], f"failed: {state}")
        ledger.job = service.json("POST", "teach", {"alphabet": "Letters", "base": "digits"})["job"]
        return f"{state['state'] if state else 'none'}, ordered anew"
    return str(state["message"])


def at_work(ledger: Ledger, work: Callable[[], None]) -> threading.Thread:
    """A thread that works until the service is gone."""

    def until_gone() -> None:
        try:
            work()
        except urllib.error.HTTPError as error:
            ledger.refused.append(f"{error.code} {error.url}")
        except (OSError, HTTPException, ValueError) as gone:  # refused, reset, cut off in the middle of an answer
            ledger.last_words.append(repr(gone))

    thread = threading.Thread(target=until_gone)
    thread.start()
    return thread


def require_whole(folders: list[Path]) -> int:
    """Every file under its final name can be read to its end; returns how many there are."""
    count = 0
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        if any(part.startswith(".") for part in path.parts[-3:]):
            continue
        count += 1
        content = path.read_bytes()
        if path.suffix == ".png":
            whole = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) is not None
            require(whole and content.endswith(b"IEND\xaeB`\x82"), f"half a picture: {path}")
        elif path.suffix == ".json":
            json.loads(content)
        elif path.suffix == ".csv":
            rows = list(csv.reader(content.decode("utf-8").splitlines()))
            require(len({len(row) for row in rows}) <= 1, f"half a table: {path}")
    return count


def require_gone(workers: list[int]) -> float:
    """The workers of a killed service end by themselves; returns after how many seconds they all had."""
    began = time.monotonic()
    while alive := [pid for pid in workers if _is_alive(pid)]:
        require(time.monotonic() - began < _ORPHAN_SECONDS, f"workers left behind: {alive}")
        time.sleep(0.02)
    return time.monotonic() - began


def require_nothing_lost(service: Service, ledger: Ledger, run: str) -> None:
    """The service answers with everything that it promised to keep."""
    listed = service.json("GET", "samples?alphabet=Arriving")["classes"] if ledger.kept else []
    there = {id_ for one in listed for id_ in one["ids"]}
    require(ledger.kept - there <= ledger.unanswered, f"drawings lost: {ledger.kept - there - ledger.unanswered}")
    require(not ledger.deleted & there, "deleted drawings are back")
    for id_ in sorted(there)[:20]:
        require(service.ask("GET", f"samples/{id_}.png").startswith(b"\x89PNG"), "a drawing is no picture")
    found: dict[str, _Json | None] = {}
    while len(found) % 200 == 0:
        page = service.json("GET", f"runs/{run}/labels?offset={len(found)}&limit=200")["labels"]
        found |= {row["id"]: row["decision"] for row in page}
        if not page:
            break
    for id_, decision in ledger.decisions.items():
        now = found[id_] and {"action": found[id_]["action"]}  # type: ignore[index]
        require(now == decision or id_ in ledger.unanswered, f"decision on {id_}: {now}, expected {decision}")
    ledger.kept &= there
    ledger.unanswered.clear()
    ledger.decisions = {id_: found[id_] and {"action": found[id_]["action"]} for id_ in ledger.decisions}  # type: ignore[index]


def prepare(runs: Path) -> tuple[str, list[str]]:
    """A run whose labels were searched: its name, and the ids of the images in doubt."""
    settings: _Json = {"network.name": "linear", "training.epochs": 1, "engine.threads": 1, "engine.device": "cpu"}
    settings |= {"engine.precision": "float32", "engine.channels_last": False, "engine.compile": False}
    run = train("fast", "digits", settings=settings, runs_dir=runs)
    glyphs = load_dataset("digits")
    probs = np.random.default_rng(0).dirichlet(np.ones(len(glyphs.class_names)), size=len(glyphs))
    LabelSearch(glyphs, probs).write(run.folder / "labels")
    with (run.folder / "labels" / "labels.csv").open(encoding="utf-8", newline="") as file:
        return run.name, [row["id"] for row in csv.DictReader(file)][:40]


def draw_letters(service: Service) -> None:
    """Three made-up letters, four drawings each, for the teaching."""
    shapes = {"ell": [[60, 40], [60, 220], [180, 220]], "vee": [[50, 40], [120, 220], [200, 40]]}
    shapes |= {"tee": [[40, 50], [210, 50], [125, 50], [125, 230]]}
    for label in _LETTERS:
        for place in range(4):
            points = [[x + 6 * place, y - 4 * place] for x, y in shapes[label]]
            strokes = [{"points": points, "size": 16 + place}]
            service.json("POST", "samples", {"alphabet": "Letters", "label": label, "strokes": strokes})


def kill_once(service: Service, ledger: Ledger, rng: random.Random, run: str, ids: list[str], longest: float) -> str:
    """Let everybody work, kill, and see to the workers; returns a line that tells of it."""
    before = len(ledger.kept) + len(ledger.deleted), ledger.decided
    teaching = go_on_teaching(service, ledger)
    threads = [
        at_work(ledger, lambda: keep_drawings(service, ledger, random.Random(rng.random()))),
        at_work(ledger, lambda: decide(service, ledger, random.Random(rng.random()), run, ids)),
    ]
    time.sleep(rng.uniform(0.2, longest))
    workers = service.kill()
    for thread in threads:
        thread.join()
    require(not ledger.refused, f"refused: {ledger.refused}")
    seconds = require_gone(workers)
    drawings, decisions = len(ledger.kept) + len(ledger.deleted) - before[0], ledger.decided - before[1]
    work = f"{drawings} drawings kept, {decisions} decisions saved; teaching: {teaching}"
    return f"{work}; {len(workers)} workers ended in {seconds:.1f} s"


def finish(service: Service, ledger: Ledger) -> _Json:
    """Wait for the last teaching, whose model must answer."""
    go_on_teaching(service, ledger)
    began = time.monotonic()
    while (state := service.json("GET", f"teach/{ledger.job}"))["state"] in ("waiting", "running"):
        require(time.monotonic() - began < _TEACH_SECONDS, f"the last teaching does not end: {state}")
        time.sleep(0.5)
    require(state["state"] == "done", f"the last teaching: {state}")
    strokes = [{"points": [[60, 40], [60, 220], [180, 220]], "size": 16}]
    answer = service.json("POST", "predict/strokes", {"model": state["model"], "strokes": strokes})
    require(answer["character"] in _LETTERS, f"the taught model answers {answer}")
    return state


def main() -> None:
    """Kill, restart, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=6.0, help="seconds of work before a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng, ledger = random.Random(chosen.seed), Ledger()
    with tempfile.TemporaryDirectory() as scratch:
        home, runs = Path(scratch) / "home", Path(scratch) / "runs"
        run, ids = prepare(runs)
        service = Service(home, runs)
        try:
            draw_letters(service)
            for number in range(chosen.kills):
                said = kill_once(service, ledger, rng, run, ids, chosen.longest)
                files = require_whole([home, runs])
                service = Service(home, runs)
                require_nothing_lost(service, ledger, run)
                print(f"kill {number + 1}: {said}; {files} files whole, nothing lost", flush=True)
            state = finish(service, ledger)
        except Fault as fault:
            sys.exit(f"FAULT: {fault}")
        finally:
            service.stop()
        print(f"{chosen.kills} kills; {len(ledger.kept)} drawings and {len(ledger.decisions)} decisions are there")
        print(f"the last teaching, resumed: {state['state']} after {state['seconds']} s, {state['accuracy']}")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    if not Path("/proc/self/stat").exists():
        sys.exit("this needs Linux: it looks for left-over processes in /proc")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

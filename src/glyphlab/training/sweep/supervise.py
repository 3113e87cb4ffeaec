"""Starting a sweep's workers on this machine and watching over them."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from glyphlab.errors import RecipeError, RunError
from glyphlab.files import make_folder, read_object, write_json, writing
from glyphlab.process import OWN_GROUP, crashed, physical_cores, stops_go_to
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Entry
from glyphlab.training.sweep.ledger import Ledger
from glyphlab.training.sweep.locks import without_password
from glyphlab.training.sweep.worker import Orders

_LOOK_SECONDS = 0.2
_TICK_SECONDS = 1.0
# A worker that is killed is replaced, but not for ever: something may be killing them all.
_MOST_REPLACEMENTS = 3
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")


class Watcher(Protocol):
    """Whoever wants to see how a sweep goes on."""

    def note(self, text: str) -> None:
        """One remark."""

    def news(self, worker: int, news: dict[str, Any]) -> None:
        """What a worker of this machine does, as `worker` tells it."""

    def tick(self, entries: list[Entry]) -> None:
        """About once a second: where all trials stand."""


class Nobody:
    """A watcher that does nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def news(self, worker: int, news: dict[str, Any]) -> None:
        """Nothing."""

    def tick(self, entries: list[Entry]) -> None:
        """Nothing."""


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[str]
    log: Path
    listener: threading.Thread
    replaced: int = 0
    error: str = ""
    reaped: bool = False


@dataclass
class _Wish:
    """How often the user has asked to stop."""

    count: int = 0
    heard: int = field(default=0)

    def receive(self, number: int, frame: Any) -> None:
        self.count += 1


def begin_sweep(
    definition: SweepDefinition,
    *,
    name: str | None = None,
    sweeps_dir: Path = Path("sweeps"),
    storage: str | None = None,
    trials: int | None = None,
) -> tuple[Ledger, Path]:
    """Begin a sweep or find the one begun; its ledger and its folder ``<sweeps_dir>/<name>``.

    Definition and prediction are written down, with the time, before any trial is. Raises `RecipeError` when the
    definition has changed since the sweep began, `RunError` when folder or storage cannot be used.
    """
    name = name or definition.name
    if not _NAME.fullmatch(name):
        raise RecipeError(f"a sweep cannot be called '{name}'; use letters, digits, '.', '_' and '-' (give --name)")
    folder = sweeps_dir / name
    stored = read_address(folder)
    if stored is not None and storage is not None and stored["storage"] != without_password(storage):
        raise RunError(
            f"{folder} keeps its trials in {stored['storage'] or 'a file'}, not in {without_password(storage)}; "
            "give the same --storage, or begin another sweep with --name"
        )
    if stored is not None and stored["storage"] and storage is None:
        storage = str(stored["storage"])
    ledger = Ledger.open(name, folder, storage)
    try:
        ledger.begin(definition, trials)
        record = ledger.record
    except BaseException:
        ledger.close()
        raise
    write_json(
        folder / "sweep.json",
        {
            "name": name,
            "storage": without_password(storage) if storage else None,
            "begun": record["begun"],
            "prediction_sha256": record["prediction_sha256"],
            "definition": record["definition"],
        },
    )
    return ledger, folder


def open_sweep(name: str, sweeps_dir: Path = Path("sweeps"), storage: str | None = None) -> tuple[Ledger, Path]:
    """The ledger and folder of a sweep that has begun. Raises `RunError`."""
    folder = Path(name) if (Path(name) / "sweep.json").is_file() else sweeps_dir / name
    stored = read_address(folder)
    if stored is None:
        from glyphlab.errors import did_you_mean

        known = sorted(path.parent.name for path in sweeps_dir.glob("*/sweep.json"))
        near = did_you_mean(name, known) if known else f"there are no sweeps in {sweeps_dir}"
        raise RunError(f"no sweep '{name}' has begun; {near}")
    return Ledger.open(stored["name"], folder, storage or stored["storage"]), folder


def read_address(folder: Path) -> dict[str, Any] | None:
    """A sweep folder's sweep.json; None where there is none. Raises `RunError` when it is damaged."""
    path = folder / "sweep.json"
    if not path.exists():
        return None
    try:
        stored = read_object(path)
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not {"name", "storage"} <= stored.keys():
        raise RunError(f"cannot read {path}: it says neither the sweep's name nor where its trials are")
    return stored


def run_workers(
    ledger: Ledger,
    folder: Path,
    *,
    workers: int = 1,
    storage: str | None = None,
    trials: int | None = None,
    data_dir: Path | None = None,
    watcher: Watcher | None = None,
) -> bool:
    """Work on the sweep with so many processes until no trial is left; False: stopped by Ctrl-C, nothing is lost.

    The machine's cores are divided among the workers, see `threads_each`. Raises `RunError` when all workers ended too
    early.
    """
    watcher = watcher or Nobody()
    threads = threads_each(workers)
    place = data_dir.resolve() if data_dir else None
    orders = Orders(ledger.name, str(folder), storage, str(place) if place else None, threads, trials)
    news: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
    wish = _Wish()
    team: list[_Worker] = []
    with stops_go_to(wish.receive):
        try:
            start = partial(_start, orders=orders, folder=folder, news=news)
            for number in range(1, workers + 1):
                team.append(start(number))  # one by one, so that those that began are closed where another cannot
            _watch(team, news, ledger, watcher, wish, start)
        finally:
            for worker in team:
                _close(worker)
    _hand_on(news, team, watcher)
    if wish.count:
        return False
    _raise_what_stopped(team, ledger, trials)
    return True


def threads_each(workers: int) -> int:
    """Threads of one worker: its share of the cores, or fewer where OMP_NUM_THREADS says so, as of a training alone."""
    share = max(1, physical_cores() // workers)
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(share, int(asked)) if asked.isdecimal() and int(asked) else share


def _start(number: int, orders: Orders, folder: Path, news: queue.Queue[tuple[int, dict[str, Any]]]) -> _Worker:
    make_folder(folder / "logs")
    log = folder / "logs" / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-worker-{number}.log"
    with writing(log), log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "glyphlab.training.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            **OWN_GROUP,
        )
    assert process.stdin is not None
    with suppress(OSError):  # it has ended already
        process.stdin.write(orders.to_line())
        process.stdin.flush()

    def listen() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with suppress(ValueError):
                    news.put((number, json.loads(line)))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    return _Worker(number, process, log, listener)


def _watch(
    team: list[_Worker],
    news: queue.Queue[tuple[int, dict[str, Any]]],
    ledger: Ledger,
    watcher: Watcher,
    wish: _Wish,
    start: Callable[[int], _Worker],
) -> None:
    """Pass news on until every worker has ended."""
    last_tick = 0.0
    while not all(worker.reaped for worker in team):
        _hand_on(news, team, watcher)
        for place, worker in enumerate(team):
            if not worker.reaped and worker.process.poll() is not None:
                worker.reaped = True
                if not wish.count:
                    team[place] = _replacement(worker, watcher, start)
        if wish.count > wish.heard:
            wish.heard = wish.count
            for worker in team:
                if worker.process.poll() is None and wish.count > 1:
                    worker.process.kill()
                _tell_to_stop(worker)
            if wish.count == 1:
                watcher.note("stopping after the present steps; Ctrl-C again ends at once (nothing is lost either way)")
        if time.monotonic() - last_tick > _TICK_SECONDS:
            watcher.tick(ledger.entries())
            last_tick = time.monotonic()
        time.sleep(_LOOK_SECONDS)
    watcher.tick(ledger.entries())


def _replacement(worker: _Worker, watcher: Watcher, start: Callable[[int], _Worker]) -> _Worker:
    """A new worker for one that was killed; the same one where it ended by itself or dies again and again."""
    if crashed(worker.process.returncode) and worker.replaced < _MOST_REPLACEMENTS:
        watcher.note(f"worker {worker.number} {_ending(worker)}; a new one takes its place, and its trial goes on")
        _close(worker)
        new = start(worker.number)
        new.replaced = worker.replaced + 1
        return new
    if worker.process.returncode not in (0, 2):
        watcher.note(f"worker {worker.number} {_ending(worker)}; its last words are in {worker.log}")
    return worker


def _hand_on(news: queue.Queue[tuple[int, dict[str, Any]]], team: list[_Worker], watcher: Watcher) -> None:
    while not news.empty():
        number, item = news.get()
        if "error" in item:
            next(worker for worker in team if worker.number == number).error = item["error"]
        watcher.news(number, item)


def _tell_to_stop(worker: _Worker) -> None:
    """By the end of its standard input: a signal would be lost on a trial that has just taken its last step."""
    assert worker.process.stdin is not None
    with suppress(OSError):
        worker.process.stdin.close()


def _close(worker: _Worker) -> None:
    """Whatever happened here, no worker is left behind."""
    _tell_to_stop(worker)
    try:
        worker.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    worker.listener.join(timeout=5)
    if worker.log.exists() and not worker.log.stat().st_size:
        worker.log.unlink()


def _raise_what_stopped(team: list[_Worker], ledger: Ledger, trials: int | None) -> None:
    """`RunError` when trials are left though nobody asked to stop."""
    failed = [worker for worker in team if worker.process.returncode != 0]
    if not failed:
        return
    standing = ledger.entries()
    left = sum(not entry.standing.is_over for entry in standing)
    if not left or (trials is not None and sum(entry.standing.is_over for entry in standing) >= trials):
        return
    first = next((worker for worker in failed if worker.error), failed[0])
    if first.error:
        raise RunError(first.error)
    raise RunError(
        f"worker {first.number} {_ending(first)} and {left} trials are left; its last words are in {first.log}; "
        "the same command goes on where it was"
    )


def _ending(worker: _Worker) -> str:
    code = worker.process.returncode
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

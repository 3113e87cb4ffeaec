"""A process that works through a sweep's trials, one after another, until none is left or it is told to stop.

    python -m glyphlab.training.sweep.worker

reads its orders as one line of JSON from standard input and writes its news as lines of JSON to standard output. When
standard input ends, which it does with the process at its other end, the worker stops after the present step. Orders
come this way since a command line, which may hold the storage's password, is public on a machine.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glyphlab.errors import GlyphlabError
from glyphlab.process import wait_for_input
from glyphlab.training.recipe import Recipe
from glyphlab.training.sweep.entry import Nothing, Standing
from glyphlab.training.sweep.ledger import Ledger

if TYPE_CHECKING:
    from glyphlab.training.sweep.trial import Bench

IDLE_SECONDS = 0.5
_NEWS_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Orders:
    """What a worker is to do. threads: of one worker. trials: no new trial once so many have been begun."""

    sweep: str
    folder: str
    storage: str | None
    data_dir: str | None
    threads: int
    trials: int | None = None

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def work(orders: Orders, stopping: Callable[[], bool], tell: Callable[[dict[str, Any]], None]) -> None:
    """Claim and run trials until `stopping`. tell: called with news. Raises `GlyphlabError`."""
    host = socket.gethostname()
    owner = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
    with Ledger.open(orders.sweep, Path(orders.folder), orders.storage) as ledger, ledger.at_work(owner):
        bench = None
        waited = False
        while not stopping():
            claim = ledger.claim(owner, host, orders.trials)
            if claim is Nothing.DONE:
                return
            if claim is Nothing.WAIT:
                if not waited:
                    tell({"waiting": True})
                waited = True
                time.sleep(IDLE_SECONDS)
                continue
            waited = False
            assert not isinstance(claim, Nothing)
            tell({"trial": claim.entry.number, "epoch": 0, "epochs": 0, "share": 0.0, "images_per_second": 0})
            # Imported and settled with the first trial: a worker that finds none needs no torch.
            from glyphlab.training.sweep.trial import run_trial

            bench = bench or _bench(orders, ledger, stopping, tell)
            standing = run_trial(claim, bench)
            if standing is Standing.STOPPED:
                return
            tell({"ended": claim.entry.number, "standing": standing.value})


def _bench(
    orders: Orders, ledger: Ledger, stopping: Callable[[], bool], tell: Callable[[dict[str, Any]], None]
) -> Bench:
    """What all trials of this worker share; the engine is settled by the first worker of a machine, for all."""
    from glyphlab.training.sweep.bases import located
    from glyphlab.training.sweep.trial import Bench, Images, settle_engine

    images = Images(Path(orders.data_dir) if orders.data_dir else None)
    fact = f"engine-{socket.gethostname()}"
    with ledger.exclusive():
        engine = ledger.fact(fact)
        if engine is None:
            recipe = located(_representative(ledger), Path(orders.folder))
            # Precision changes figures a little, so machines must not differ in it; the rest changes only the speed.
            precision = ledger.fact("precision")
            if precision is not None:
                recipe = recipe.with_settings({"engine.precision": precision})
            engine = settle_engine(recipe, images, orders.threads)
            if precision is None:
                ledger.set_fact("precision", engine["engine.precision"])
            ledger.set_fact(fact, engine)
    engine = engine | {"engine.threads": orders.threads}
    return Bench(ledger, Path(orders.folder) / "runs", images, engine, orders.threads, stopping, tell)


def _representative(ledger: Ledger) -> Recipe:
    """The recipe on which the engine is timed: of the first trial that is a network, without an engine of its own."""
    base = ledger.definition.base
    recipes = (entry.trial.recipe for entry in ledger.entries())
    first = next((recipe for recipe in recipes if recipe is not None), base)
    return first.model_copy(update={"engine": base.engine})


class _News:
    """Lines on standard output; news of progress at most twice a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, news: dict[str, Any]) -> None:
        progress = news.get("share", 0.0) > 0
        if progress and time.monotonic() - self._last < _NEWS_EVERY_SECONDS:
            return
        self._last = time.monotonic()
        try:
            print(json.dumps(news), flush=True)
        except OSError:  # a closed pipe; Windows has no name of its own for that
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - nobody listens any more, which is no error


def main() -> None:
    """Read the orders, work, and end with 0; 2 after an error of the family, told as the last line of news."""
    orders = Orders(**json.loads(sys.stdin.readline()))
    told_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_stop.set())

    def watch_for_the_end() -> None:
        wait_for_input()
        while os.read(0, 1):  # not sys.stdin, whose lock would be in the way when the process ends
            wait_for_input()
        told_to_stop.set()

    threading.Thread(target=watch_for_the_end, daemon=True).start()
    news = _News()
    try:
        work(orders, told_to_stop.is_set, news)
    except GlyphlabError as error:
        news({"error": str(error)})
        sys.exit(2)


if __name__ == "__main__":
    main()

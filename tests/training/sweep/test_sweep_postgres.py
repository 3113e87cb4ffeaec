from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from glyphlab.errors import RunError
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Claim, Nothing, Standing
from glyphlab.training.sweep.ledger import Ledger
from glyphlab.training.sweep.locks import PostgresLocks, without_password

Make = Callable[..., SweepDefinition]


def test_workers_share_the_trials_of_a_server(tiny: Make, postgres: str, tmp_path: Path) -> None:
    """Four workers with connections of their own, all claiming at once."""
    rates = ", ".join(str(0.001 * rate) for rate in range(1, 9))
    definition = tiny(f"[space]\ntraining.lr = [{rates}]", "shared")
    with Ledger.open("shared", tmp_path, postgres) as ledger:
        ledger.begin(definition)
    ran: list[int] = []

    def work(owner: str) -> None:
        with Ledger.open("shared", tmp_path, postgres) as ledger, ledger.at_work(owner):
            while isinstance(claim := ledger.claim(owner, "here"), Claim):
                ran.append(claim.entry.number)
                ledger.report(claim, 1, 0.5)
                ledger.end(claim, Standing.FINISHED, {"accuracy": 0.5, "loss": 1.0})

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == list(range(1, 9))


def test_a_lost_connection_is_a_dead_worker(tiny: Make, postgres: str, tmp_path: Path) -> None:
    dying, living = (Ledger.open("lost", tmp_path, postgres) for _ in range(2))
    dying.begin(tiny(name="lost"))
    locks = dying._locks
    assert isinstance(locks, PostgresLocks)
    with living.at_work("lives"), dying.at_work("dies"):
        claim = dying.claim("dies", "there")
        assert isinstance(claim, Claim)
        assert living.entries()[0].standing is Standing.RUNNING
        locks._connection.close()  # as the system does for a process that is killed
        assert living.entries()[0].standing is Standing.STOPPED
        with pytest.raises(RunError, match="does not answer"):
            dying.report(claim, 1, 0.5)
        again = living.claim("lives", "here")
        assert isinstance(again, Claim) and again.entry.number == claim.entry.number
    dying.close()
    living.close()


def test_two_sweeps_do_not_lock_each_other_out(tiny: Make, postgres: str, tmp_path: Path) -> None:
    first, second = (Ledger.open(name, tmp_path, postgres) for name in ("one", "other"))
    with first.exclusive():
        second.begin(tiny(name="other"))
    assert second.claim("w", "here") is not Nothing.WAIT
    first.close()
    second.close()


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = f"postgresql://me:secret@/db?host={tmp_path}"
    with pytest.raises(RunError, match=r"does not answer: .*leave --storage out") as error:
        Ledger.open("any", tmp_path, url)
    assert "\n" not in str(error.value) and "secret" not in str(error.value)


def test_passwords_are_never_shown() -> None:
    assert without_password("postgresql://me:s:e/c@host:5432/db") == "postgresql://me@host:5432/db"
    assert without_password("postgresql://me@host/db") == "postgresql://me@host/db"

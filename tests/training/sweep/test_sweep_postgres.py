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


@pytest.mark.parametrize(
    ("method", "space", "trials"),
    [
        ("random", "training.lr = { low = 1e-4, high = 1e-2, log = true }", 3),
        ("random", "network.width = { low = 2, high = 9 }", 3),
        ("grid", "network.width = { low = 2, high = 6, step = 2 }", 3),
        ("tpe", "network.width = { low = 2, high = 3 }\nnetwork.depth = [1, 2]", 4),  # repeats itself, then draws
    ],
)
def test_ranges_go_into_a_database(
    tiny: Make, postgres: str, tmp_path: Path, method: str, space: str, trials: int, request: pytest.FixtureRequest
) -> None:
    name = f"ranges-{request.node.name}"
    count = "" if method == "grid" else f"trials = {trials}"
    definition = tiny(f'[search]\nmethod = "{method}"\n{count}\n[space]\n{space}', name)
    with Ledger.open(name, tmp_path, postgres) as ledger, ledger.at_work("w"):
        ledger.begin(definition)
        while isinstance(claim := ledger.claim("w", "here"), Claim):
            ledger.end(claim, Standing.FINISHED, {"accuracy": 0.5, "loss": 1.0})
        assert len({entry.trial.key for entry in ledger.entries()}) == trials


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


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s:e/c@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:se@cret@host/db?connect_timeout=3", "postgresql://me@host/db?connect_timeout=3"),
        ("postgresql://host/db?password=secret&sslmode=require", "postgresql://host/db?sslmode=require"),
        ("postgresql://host/db?password=secret", "postgresql://host/db"),
    ],
)
def test_passwords_are_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert without_password(shown) == shown


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:se@cret@host/db", "write '@' as %40"),
        ("postgresql://me:se/cret@host/db", "'/' as %2F"),
        ("me:secret@host/db", "--storage has no '://'; expected postgresql://"),
        ("mysql://me:secret@host/db", "--storage begins with 'mysql://'"),
        ("postgresql://me:se%zzcret@127.0.0.1:1/db", r"invalid percent-encoded token: \"\*\*\*\""),
    ],
)
def test_mistaken_addresses_are_refused_without_showing_the_password(url: str, message: str, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(RunError, match=message) as error:
        Ledger.open("shared", tmp_path, url)
    assert "cret" not in str(error.value)


# Optuna's engine, out of reach after it failed, still holds a connection, which goes with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_databases_that_cannot_keep_a_sweep(tiny: Make, postgres: str, tmp_path: Path) -> None:
    import gc

    import psycopg

    def database(name: str) -> str:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres.replace("/postgres?", f"/{name}?")

    with pytest.raises(RunError, match=r'does not answer: .*database "nowhere" does not exist'):
        Ledger.open("shared", tmp_path, postgres.replace("/postgres?", "/nowhere?"))
    taken = database("taken")
    with psycopg.connect(taken, autocommit=True) as connection:
        connection.execute("CREATE TABLE studies (something_else int)")
    with pytest.raises(RunError, match=r"cannot keep a sweep: .*; name an empty database"):
        Ledger.open("shared", tmp_path, taken)
    newer = database("newer")
    Ledger.open("shared", tmp_path, newer).close()
    with psycopg.connect(newer, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    with pytest.raises(RunError, match="was made by another version of Optuna than the"):
        Ledger.open("shared", tmp_path, newer)
    gc.collect()

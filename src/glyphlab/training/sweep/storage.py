"""Optuna's storages with the locks that belong to them: a journal file, or a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from glyphlab.errors import RunError
from glyphlab.files import make_folder, writing
from glyphlab.training.sweep.locks import CONNECT_SECONDS, FileLocks, PostgresLocks, unreachable

JOURNAL_NAME = "trials.journal"


def open_journal(folder: Path) -> tuple[JournalStorage, FileLocks]:
    """The journal file of a sweep's folder. Raises `RunError` where it cannot be written."""
    make_folder(folder)
    path = folder / JOURNAL_NAME
    with writing(path):
        # Optuna names two locks of its own as the types; any with acquire and release does.
        backend = JournalFileBackend(str(path), _JournalLock(folder))  # type: ignore[arg-type]
        return JournalStorage(backend), FileLocks(folder / "locks")


def open_postgres(url: str, sweep: str) -> tuple[RDBStorage, PostgresLocks]:
    """A database of a server. Raises `RunError` when it is no PostgreSQL address, or does not answer."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise RunError(
            f"--storage is '{url.partition('://')[0]}...'; expected postgresql://user:password@host/database, "
            "or nothing, for a journal file in the sweep's folder"
        )
    locks = PostgresLocks(url, sweep)
    try:
        with locks.exclusive():  # two processes must not make the tables at once
            return _tables(url), locks
    except BaseException:
        locks.close()
        raise


class _JournalLock:
    """Optuna's lock on its journal, as a file lock that a killed process sets free at once."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder / "locks")
        self._lock = FileLock(folder / "locks" / "journal.lock")

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Set it free."""
        self._lock.release()


def _tables(url: str) -> RDBStorage:
    from sqlalchemy.exc import SQLAlchemyError

    address = "postgresql+psycopg://" + url.partition("://")[2]
    try:
        return RDBStorage(
            address, engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}
        )
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise RunError(unreachable(url, error)) from None

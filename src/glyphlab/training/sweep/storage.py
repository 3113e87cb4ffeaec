"""Optuna's storages with the locks that belong to them: a journal file, or a PostgreSQL server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from glyphlab.errors import RunError
from glyphlab.files import make_folder, writing
from glyphlab.training.sweep.locks import CONNECT_SECONDS, FileLocks, PostgresLocks, unreachable, without_password

JOURNAL_NAME = "trials.journal"


def open_journal(folder: Path) -> tuple[JournalStorage, FileLocks]:
    """The journal file of a sweep's folder. Raises `RunError` where it cannot be written."""
    make_folder(folder)
    path = folder / JOURNAL_NAME
    lock = _JournalLock(folder)
    with writing(path):
        _cut_half_a_line(path, lock)
        # Optuna names two locks of its own as the types; any with acquire and release does.
        backend = JournalFileBackend(str(path), lock)  # type: ignore[arg-type]
        try:
            return JournalStorage(backend), FileLocks(folder / "locks")
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError) as error:
            raise RunError(
                f"{path} is damaged ({error}); put back a copy of it, or begin another sweep with --name"
            ) from None


def open_postgres(url: str, sweep: str) -> tuple[RDBStorage, PostgresLocks]:
    """A database of a server. Raises `RunError` when it is no PostgreSQL address, or does not answer."""
    _require_address(url)
    locks = PostgresLocks(url, sweep)
    try:
        with locks.exclusive():  # two processes must not make the tables at once
            return _tables(url), locks
    except BaseException:
        locks.close()
        raise


def _require_address(url: str) -> None:
    """Refuse what is no address of a PostgreSQL server, without showing a password that may be in it."""
    if not url.startswith(("postgresql://", "postgres://")):
        found = f"begins with '{url.partition('://')[0]}://'" if "://" in url else "has no '://'"
        raise RunError(
            f"--storage {found}; expected postgresql://user:password@host/database, "
            "or nothing, for a journal file in the sweep's folder"
        )
    rest = url.partition("://")[2]
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    if authority.count("@") > 1 or ("@" in rest.partition("?")[0] and "@" not in authority) or "#" in authority:
        raise RunError(
            "--storage: user or password hold a character that has a meaning in addresses; write '@' as %40, '/' as "
            "%2F, '?' as %3F, '#' as %23"
        )


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


def _cut_half_a_line(path: Path, lock: _JournalLock) -> None:
    """Take off what a full disk left of a last record: nobody has read it, and the next record would join it."""
    if not path.exists():
        return
    lock.acquire()
    try:
        with path.open("r+b") as journal:
            content = journal.read()
            if content and not content.endswith(b"\n"):
                journal.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()


def _tables(url: str) -> RDBStorage:
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    address = "postgresql+psycopg://" + url.partition("://")[2]
    try:
        return RDBStorage(
            address, engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}
        )
    except OperationalError as error:
        raise RunError(unreachable(url, error)) from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error).partition("\n")[0].rpartition(") ")[2]
        raise RunError(
            f"the storage {without_password(url)} cannot keep a sweep: {reason[:200]}; name an empty database of its "
            "own, in which the user may make tables"
        ) from None
    except RuntimeError:  # Optuna's tables of another version
        raise RunError(
            f"the storage {without_password(url)} was made by another version of Optuna than the {optuna.__version__} "
            "here; install that version on all machines, or name an empty database"
        ) from None

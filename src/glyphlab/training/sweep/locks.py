"""One claim at a time over all workers, and who is still alive.

A lock that its owner's death sets free tells a dead worker from a slow one at once and without doubt, which no
heartbeat can: the system frees a file lock when a process ends in whatever way, and PostgreSQL frees an advisory lock
when the connection that holds it ends.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from filelock import FileLock, Timeout

from glyphlab.errors import RunError
from glyphlab.files import make_folder, writing

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
_SECRET = re.compile(r"(ssl)?password=", re.IGNORECASE)


class Locks(Protocol):
    """What a ledger needs of its locks."""

    def exclusive(self) -> Any:
        """A context in which no other worker claims, begins or ends a trial."""

    def hold(self, owner: str) -> Any:
        """A context during which `owner` counts as alive."""

    def is_alive(self, owner: str) -> bool:
        """Whether a worker, not this process's own, lives."""

    def require_held(self) -> None:
        """`RunError` when the lock that says "alive" was lost."""

    def close(self) -> None:
        """Give everything back."""


class FileLocks:
    """Locks in a folder, for processes of one machine (or of several, where the file system's locks reach that far)."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.folder = folder

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """A context in which no other process is."""
        with self._locked(self.folder / "claim.lock"):
            yield

    @contextmanager
    def hold(self, owner: str) -> Iterator[None]:
        """Be alive."""
        path = self._path(owner)
        with self._locked(path):
            yield
        with suppress(OSError):  # Windows keeps it while another worker looks whether this one is alive
            path.unlink()

    def is_alive(self, owner: str) -> bool:
        """Whether another process holds the owner's lock."""
        path = self._path(owner)
        if not path.exists():
            return False
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """While the lock is held; only what fails in taking it is about this folder."""
        lock = FileLock(path)
        with writing(self.folder):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def require_held(self) -> None:
        """A file lock is never lost."""

    def close(self) -> None:
        """Nothing is kept open."""

    def _path(self, owner: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', owner)}.lock"


class PostgresLocks:
    """Advisory locks of a PostgreSQL server, for workers anywhere. They live and die with this one connection."""

    def __init__(self, url: str, sweep: str) -> None:
        import psycopg

        try:
            self._connection: psycopg.Connection[Any] = psycopg.connect(
                url, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="glyphlab sweep"
            )
            # The server notices within a minute when a machine has vanished; its default is two hours.
            for setting, seconds in (("idle", 30), ("interval", 10), ("count", 3)):
                self._connection.execute(f"SET tcp_keepalives_{setting} = {seconds}")
        except psycopg.Error as error:
            raise RunError(unreachable(url, error)) from None
        self._url, self._sweep = url, sweep
        self._owner = ""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """A context in which no other worker of this sweep is."""
        key = self._key("claim")
        self._ask("SELECT pg_advisory_lock(%s)", key)
        try:
            yield
        finally:
            self._ask("SELECT pg_advisory_unlock(%s)", key)

    @contextmanager
    def hold(self, owner: str) -> Iterator[None]:
        """Be alive."""
        self._ask("SELECT pg_advisory_lock(%s)", self._key(owner))
        self._owner = owner
        try:
            yield
        finally:
            self._owner = ""
            with suppress(RunError):  # a lost connection has set the lock free already
                self._ask("SELECT pg_advisory_unlock(%s)", self._key(owner))

    def is_alive(self, owner: str) -> bool:
        """Whether another connection holds the owner's lock."""
        if owner == self._owner:
            return True  # a session may take its own lock again, so asking the server would tell nothing
        if self._ask("SELECT pg_try_advisory_lock(%s)", self._key(owner)):
            self._ask("SELECT pg_advisory_unlock(%s)", self._key(owner))
            return False
        return True

    def require_held(self) -> None:
        """`RunError` when the connection, and with it the lock, is gone."""
        self._ask("SELECT 1")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ask(self, question: str, *values: Any) -> Any:
        import psycopg

        try:
            row = self._connection.execute(question, values).fetchone()
        except psycopg.Error as error:
            raise RunError(unreachable(self._url, error)) from None
        return row[0] if row else None

    def _key(self, name: str) -> int:
        """A lock's number, a signed 64-bit integer as PostgreSQL wants it."""
        digest = hashlib.sha256(f"glyphlab sweep\0{self._sweep}\0{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def without_password(url: str) -> str:
    """The address as it may be shown and stored: without a password before the host or among the parameters."""
    scheme, _, rest = url.partition("://")
    place, mark, query = rest.partition("?")
    user, at, host = place.rpartition("@")
    kept = [pair for pair in query.split("&") if not _SECRET.match(pair)]
    return f"{scheme}://{user.partition(':')[0]}{at}{host}" + (mark + "&".join(kept) if query and any(kept) else "")


def unreachable(url: str, error: BaseException) -> str:
    """The message for a storage that does not answer."""
    lines = [line.strip() for line in str(error).splitlines() if "failed" in line] or [str(error).partition("\n")[0]]
    reason = lines[-1].rpartition("connection failed: ")[2]
    for secret in _passwords(url):
        reason = reason.replace(secret, "***")
    return (
        f"the storage {without_password(url)} does not answer: {reason[:200]}; see that the server runs and the "
        "address, user and password are right, or leave --storage out to keep the trials in a file"
    )


def _passwords(url: str) -> list[str]:
    """What a server's or library's message must not repeat, as it is written in the address and as it is meant."""
    place, _, query = url.partition("://")[2].partition("?")
    written = [place.rpartition("@")[0].partition(":")[2]]
    written += [pair.partition("=")[2] for pair in query.split("&") if _SECRET.match(pair)]
    return [form for secret in written for form in (secret, unquote(secret)) if form]

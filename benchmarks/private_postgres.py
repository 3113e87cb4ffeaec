"""A PostgreSQL server of one's own in a temporary folder, for tests and benchmarks.

It is reached by a socket in that folder alone, no port is opened, and it is gone afterwards. PostgreSQL refuses to run
as root, so root runs it as the user postgres or nobody.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FAST = "-c fsync=off -c shared_buffers=16MB -c max_connections=40"


def find_binary(name: str) -> Path | None:
    """`initdb` or `pg_ctl`: on the path, or where Debian keeps them."""
    found = shutil.which(name)
    if found:
        return Path(found)
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return debian[-1] if debian else None


def why_not() -> str | None:
    """Why no server can be started here; None: one can."""
    if find_binary("initdb") is None or find_binary("pg_ctl") is None:
        return "PostgreSQL's initdb and pg_ctl are not here; apt-get install postgresql"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "root may not run PostgreSQL, and there is no user postgres or nobody"
    return None


@contextmanager
def private_server() -> Iterator[str]:
    """Start a server and give its address, ``postgresql://...``; it ends with the block."""
    user = _unprivileged() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="glyphlab-postgres-"))
    try:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

        def run(name: str, *arguments: str) -> None:
            binary = find_binary(name)
            assert binary is not None
            # The server inherits the outputs and would keep a pipe open for good; a file has no such end.
            with (folder.parent / f"{folder.name}.log").open("a") as log:
                done = subprocess.run(
                    [binary, *arguments], stdout=log, stderr=log, user=user, cwd=folder, env={"LC_ALL": "C"}
                )
            if done.returncode:
                raise RuntimeError((folder.parent / f"{folder.name}.log").read_text())

        data = folder / "data"
        run("initdb", "-D", str(data), "-U", "glyphlab", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-k {folder} -c listen_addresses='' {_FAST}"
        run("pg_ctl", "-D", str(data), "-o", options, "-w", "start")
        try:
            yield f"postgresql://glyphlab@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def _unprivileged() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None

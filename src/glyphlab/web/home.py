"""One service a home: two would each write down what they remember, and teach the same twice."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glyphlab.errors import GlyphlabError
from glyphlab.files import hold


@contextmanager
def sole_use(home: Path) -> Iterator[None]:
    """Keep other services of this machine off a home. Raises `GlyphlabError` where there is one.

    The lock lies among the temporary files, since a home is made only when something is kept in it.
    """
    name = hashlib.sha256(str(home.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    try:
        stream = Path(tempfile.gettempdir(), f"glyphlab-home-{name}.lock").open("ab")  # noqa: SIM115 - closed below
    except OSError:  # another user's: then the home's own rights keep the two apart
        yield
        return
    with stream:
        if not hold(stream):
            raise GlyphlabError(f"another Glyphlab serves {home}; end it first, or choose another --home")
        yield

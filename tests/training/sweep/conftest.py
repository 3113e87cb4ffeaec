"""A small sweep over a folder of pictures, and a PostgreSQL server of one's own where it can be started."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glyphlab.training.sweep.definition import SweepDefinition

TINY = """
recipe = "fast"

[settings]
data.name = "{data}"
data.validation = 0.25
network.width = 2
network.depth = 1
training.epochs = 2
engine.precision = "float32"
engine.channels_last = false

{rest}
"""
GRID = """
[space]
training.lr = [0.001, 0.01]
training.batch_size = [16, 32]
"""


@pytest.fixture
def tiny(picture_folder: Path) -> Callable[..., SweepDefinition]:
    """Make a definition on the picture folder: tiny(), or tiny(rest of the file, name)."""

    def make(rest: str = GRID, name: str = "tiny") -> SweepDefinition:
        return SweepDefinition.from_toml(TINY.format(data=picture_folder.as_posix(), rest=rest), name)

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a private server; tests that need it skip, with the reason, where none can be started."""
    path = Path(__file__).parents[3] / "benchmarks" / "private_postgres.py"
    if not path.exists():
        pytest.skip("benchmarks/private_postgres.py is not here")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'glyphlab[sweep]'")
    spec = importlib.util.spec_from_file_location("private_postgres", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reason = module.why_not()
    if reason is not None:
        pytest.skip(reason)
    with module.private_server() as url:
        yield url

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from glyphlab.process import peak_memory_mb

_SAY = "from glyphlab.process import peak_memory_mb; print(peak_memory_mb())"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child's own memory")
def test_the_memory_of_a_large_parent_is_not_a_small_childs() -> None:
    held = np.ones(300 << 20, dtype=np.uint8)
    mine = peak_memory_mb()
    assert mine is not None and mine > held.nbytes / 1e6
    # preexec_fn makes Python fork the large process, rather than start the small one by vfork.
    said = subprocess.run([sys.executable, "-c", _SAY], stdout=subprocess.PIPE, check=True, preexec_fn=lambda: None)
    assert 5 < float(said.stdout) < 150


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets nothing here")
def test_what_was_held_for_a_moment_counts() -> None:
    before = peak_memory_mb()
    assert before is not None
    held = np.ones(int(before * 1e6) + (100 << 20), dtype=np.uint8)
    del held
    after = peak_memory_mb()
    assert after is not None and after > before + 100

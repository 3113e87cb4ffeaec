from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest

from glyphlab.process import peak_memory_mb

# Minor page faults, each of 4 KB, of taking and freeing 96 MB once more.
_FAULTS = """
import resource
from glyphlab.process import keep_freed_memory
{before}
def work():
    blocks = [bytearray(8 << 20) for _ in range(12)]
for _ in range(3):
    work()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_memory_is_kept_as_far_as_wished() -> None:
    def faults(before: str) -> int:
        command = [sys.executable, "-c", _FAULTS.format(before=before)]
        return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    assert faults("keep_freed_memory(9 << 20, 200 << 20)") < 100
    assert faults("keep_freed_memory(9 << 20, 50 << 20)") > 10_000
    assert faults("") > 20_000

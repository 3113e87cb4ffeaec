from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from glyphlab.process import _fast_cores_of_a_mac, crashed, peak_memory_mb, physical_cores

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


def test_a_crash_is_told_from_an_end() -> None:
    killed = subprocess.run([sys.executable, "-c", "import os; os.abort()"], stderr=subprocess.DEVNULL, check=False)
    assert crashed(killed.returncode)
    assert crashed(3221225477)  # what Windows says of an access violation
    assert not crashed(0) and not crashed(2)


def test_cores_are_counted() -> None:
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("answers", "cores"), [({"hw.perflevel0.physicalcpu": "4\n"}, 4), ({"hw.physicalcpu": "6"}, 6)]
)
def test_the_fast_cores_of_a_mac(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], cores: int) -> None:
    def asked(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, answers.get(command[-1], ""))

    monkeypatch.setattr(subprocess, "run", asked)
    assert _fast_cores_of_a_mac() == cores

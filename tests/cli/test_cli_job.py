from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def write_shards(folder: Path, shards: int, pictures: int) -> None:
    """Archives of prepared glyphs: a bar whose place varies."""
    folder.mkdir()
    for shard in range(shards):
        with tarfile.open(folder / f"{shard:02d}.tar", "w") as archive:
            for number in range(pictures):
                glyph = np.zeros((28, 28), dtype=np.uint8)
                glyph[4:24, 8 + (shard + number) % 12 :][:, :3] = 255
                out = io.BytesIO()
                Image.fromarray(glyph).save(out, "PNG")
                member = tarfile.TarInfo(f"{shard:02d}-{number:03d}.png")
                member.size = len(out.getvalue())
                archive.addfile(member, io.BytesIO(out.getvalue()))


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_shards(tmp_path / "shards", 4, 5)
    return tmp_path / "shards"


OPTIONS = ("--model", "digits", "--no-prepare", "--out", "answers")


def test_parts_status_and_merge(cli: Callable[..., Any], shards: Path) -> None:
    done = cli("job", "predict", "shards", *OPTIONS, "--part", "1/2")
    assert done.code == 0 and done.out.startswith("answers/part-1-of-2.csv: 10 pictures in ")
    told = json.loads(cli("job", "status", "answers", "--json").out)
    assert told["parts"] == 2 and told["not_begun"] == ["part-2-of-2"] and told["begun"][0]["done"] is True
    assert cli("job", "merge", "answers", "all.csv").code == 2

    told = json.loads(cli("job", "predict", "shards", *OPTIONS, "--part", "2/2", "--json").out)
    assert told["pictures"] == 10 and told["pictures_per_second"] > 0 and told["file"] == "answers/part-2-of-2.csv"
    assert told["peak_memory_mb"] is None or told["peak_memory_mb"] > 10
    table = [line.split() for line in cli("job", "status", "answers").out.splitlines()]
    assert table[0] == ["part", "pictures", "unusable", "pictures/s"]
    assert table[2][:3] == ["2/2", "10", "0"] and table[2][-1] == "done"
    assert cli("job", "merge", "answers", "all.csv").out == "all.csv: 20 pictures\n"
    lines = Path("all.csv").read_text().splitlines()
    assert len(set(lines)) == len(lines) == 21 and lines[1].startswith("shards/00.tar/00-000.png,")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("predict", "none.txt", *OPTIONS), "none.txt: no such list, folder or archive"),
        (("predict", "shards", *OPTIONS, "--part", "3/2"), "part is '3/2'; expected NUMBER/COUNT"),
        (("predict", "shards", *OPTIONS, "--only", "xyz"), "the model does not know"),
        (("predict", "shards", "--out", "shards/00.tar"), "cannot write shards/00.tar"),
        (("status", "shards"), "shards holds no answers of a job"),
        (("merge", "nowhere", "all.csv"), "nowhere holds no answers of a job"),
    ],
)
def test_mistakes_are_one_line(
    cli: Callable[..., Any], shards: Path, arguments: tuple[str, ...], problem: str
) -> None:  # fmt: skip
    done = cli("job", *arguments)
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1 and done.out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_in_a_real_process_it_loses_and_repeats_nothing(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", 3, 1000)
    command = [sys.executable, "-m", "glyphlab", "job", "predict", "shards", *OPTIONS, "--threads", "1"]
    note = tmp_path / "answers" / "part-1-of-1.json"

    def counted() -> int:
        return int(json.loads(note.read_text())["progress"]["pictures"]) if note.exists() else 0

    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 150
    while counted() == 0:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 0 < counted() < 3000
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    files = [line.split(",")[0] for line in (tmp_path / "answers" / "part-1-of-1.csv").read_text().splitlines()[1:]]
    assert files == [f"shards/{s:02d}.tar/{s:02d}-{n:03d}.png" for s in range(3) for n in range(1000)]

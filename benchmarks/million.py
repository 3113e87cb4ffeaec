"""A predict job over a million pictures: speed, memory, and whether being killed loses or repeats any.

    python benchmarks/million.py --data-dir DATA                        a million pictures
    python benchmarks/million.py --data-dir DATA --pictures 20000       a try

Makes PNG files of the glyphs of MNIST and EMNIST (as far as they are at hand), in .tar archives of a thousand; runs
`glyphlab job predict` in as many parts as there are cores, at once; kills every part with SIGKILL, several times, at
random moments; calls it again until all is done; merges; checks that each picture has exactly one answer, and that
it is the one that the recogniser gives when it is asked directly. Memory is the processes' own, watched from outside.
Ends with a table in Markdown.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

import glyphlab
from glyphlab.errors import DataError
from glyphlab.files import whole_file

SETS = ("mnist", "emnist-balanced", "emnist-letters")
PER_SHARD = 1000


def main() -> None:
    """Make, run, kill, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kills", type=int, default=5, help="how often each part is killed")
    parser.add_argument("--prepare", action="store_true", help="prepare the pictures as if they were photos")
    parser.add_argument("--folder", type=Path, default=None, help="keep shards and answers here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        began = time.perf_counter()
        shards, size_bytes = make_shards(folder / "shards", options.pictures, options.data_dir)
        print(
            f"{options.pictures:,} PNG files in {shards:,} archives, {size_bytes / 1e6:,.0f} MB, "
            f"made in {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        benchmark(folder, options)


def make_shards(folder: Path, pictures: int, data_dir: Path | None) -> tuple[int, int]:
    """Archives of `PER_SHARD` pictures each, those that are there already kept; how many, and their size in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    glyphs = endless_glyphs(data_dir)
    shards = -(-pictures // PER_SHARD)
    for shard in range(shards):
        path = folder / f"{shard:05d}.tar"
        inside = min(PER_SHARD, pictures - shard * PER_SHARD)
        chosen = [next(glyphs) for _ in range(inside)]
        if path.exists():
            continue
        with whole_file(path) as temporary, tarfile.open(temporary, "w") as archive:
            for number, glyph in enumerate(chosen, start=shard * PER_SHARD):
                content = cv2.imencode(".png", glyph)[1].tobytes()
                member = tarfile.TarInfo(f"{number:08d}.png")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return shards, sum(path.stat().st_size for path in folder.glob("*.tar"))


def endless_glyphs(data_dir: Path | None) -> Iterator[np.ndarray]:
    """The test and training images of the sets at hand, over and over."""
    sets = []
    for name in SETS:
        try:
            sets += [glyphlab.load_dataset(name, split, data_dir).images for split in ("test", "train")]
        except DataError as error:
            print(f"left out: {error}")
    if not sets:
        sets = [glyphlab.load_dataset("digits", "train").images]
    while True:
        for images in sets:
            yield from images


def benchmark(folder: Path, options: argparse.Namespace) -> None:
    """Run the job with kills, merge, check, and print what was measured."""
    answers, merged = folder / "answers", folder / "answers.csv"
    names = [f"{number}/{options.parts}" for number in range(1, options.parts + 1)]
    command = ["job", "predict", str(folder / "shards"), "--out", str(answers), "--model", "digits", "--threads", "1"]
    command += [] if options.prepare else ["--no-prepare"]
    commands = {name: [sys.executable, "-m", "glyphlab", *command, "--part", name, "--json"] for name in names}

    began = time.perf_counter()
    rng = random.Random(0)
    kills, lives = run_with_kills(commands, options, answers, rng)
    wall_seconds = time.perf_counter() - began
    subprocess.run([sys.executable, "-m", "glyphlab", "job", "merge", answers, merged, "--force"], check=True)

    parts = [json.loads(path.read_text())["progress"] for path in sorted(answers.glob("part-*.json"))]
    rate = sum(part["pictures"] / part["seconds"] for part in parts)
    print(f"{options.parts} parts, {kills} kills with SIGKILL: {wall_seconds:,.0f} s in all")
    overall = options.pictures / wall_seconds
    print(f"speed: {rate:,.0f} pictures a second together while answering, {overall:,.0f} with starts and kills")
    lost, repeated, different = check(folder / "shards", merged, options)
    rows = [
        ("pictures, parts, kills with SIGKILL", f"{options.pictures:,}, {options.parts}, {kills}"),
        ("pictures a second, all parts together, while answering", f"{rate:,.0f}"),
        ("the same with starts, kills and what was done again", f"{overall:,.0f}"),
        *(memory_row(name, processes) for name, processes in lives.items()),
        ("lost, repeated", f"{lost:,}, {repeated:,}"),
        ("different when asked again directly", f"{different:,}"),
    ]
    print("\n| | measured |\n|---|---|\n" + "\n".join(f"| {what} | {found} |" for what, found in rows))
    if lost or repeated or different:
        sys.exit(1)


def run_with_kills(
    commands: dict[str, list[str]], options: argparse.Namespace, answers: Path, rng: random.Random
) -> tuple[int, dict[str, list[list[float]]]]:
    """Start all parts; kill each at random moments of its work, and start it again; until all end by themselves.

    Returns the number of kills and, by part, for each of its processes the memory that it held over its life, in MB.
    """
    share = options.pictures / options.parts
    marks = {name: sorted(rng.uniform(0.02, 0.95) * share for _ in range(options.kills)) for name in commands}
    running = {name: subprocess.Popen(command, stdout=subprocess.DEVNULL) for name, command in commands.items()}
    kills, lives = 0, {name: [[]] for name in commands}
    while running:
        time.sleep(0.05 + 0.1 * rng.random())
        for name, process in list(running.items()):
            if (code := process.poll()) is not None:
                if code != 0:
                    sys.exit(f"part {name} ended with {code}")
                del running[name]
                continue
            lives[name][-1] += resident_mb(process.pid)
            if marks[name] and answered(answers, name) >= marks[name][0]:
                marks[name].pop(0)
                process.kill()
                process.wait()
                kills += 1
                running[name] = subprocess.Popen(commands[name], stdout=subprocess.DEVNULL)
                lives[name].append([])
    return kills, lives


def memory_row(part: str, processes: list[list[float]]) -> tuple[str, str]:
    """The most memory of any of a part's processes, and what the longest-lived held at its beginning and its end."""
    most = max(max(samples, default=0.0) for samples in processes)
    early, late = beginning_and_end(max(processes, key=len))
    return (
        f"memory of part {part}, {len(processes)} processes: at most; the longest-lived at its beginning, at its end",
        f"{most:,.0f} MB; {early:,.0f}, {late:,.0f} MB",
    )


def answered(answers: Path, name: str) -> int:
    """How many pictures a part's note counts; 0 where there is none yet."""
    number, count = name.split("/")
    note = answers / f"part-{number:>0{len(count)}}-of-{count}.json"
    return int(json.loads(note.read_text())["progress"]["pictures"]) if note.exists() else 0


def resident_mb(pid: int) -> list[float]:
    """The memory that a process holds now, on Linux."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return []
    return [pages * os.sysconf("SC_PAGE_SIZE") / 1e6]


def beginning_and_end(memory_mb: list[float]) -> tuple[float, float]:
    """Median memory in the first and in the last tenth of a process's samples, once it has started up."""
    settled = [value for value in memory_mb if value > 0.7 * max(memory_mb)]
    tenth = max(1, len(settled) // 10)
    return statistics.median(settled[:tenth]), statistics.median(settled[-tenth:])


def check(shards: Path, merged: Path, options: argparse.Namespace) -> tuple[int, int, int]:
    """Whether each picture was answered once, and a sample of archives is answered alike when asked again directly.

    Returns how many pictures were lost, repeated, and answered differently.
    """
    seen = np.zeros(options.pictures, dtype=np.uint8)
    sample = set(
        random.Random(1).sample(range(-(-options.pictures // PER_SHARD)), k=min(5, len(list(shards.glob("*.tar")))))
    )
    kept: dict[str, str] = {}
    with merged.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            number = int(Path(row["file"]).stem)
            seen[number] += 1
            assert not row["error"], row
            if number // PER_SHARD in sample:
                kept[Path(row["file"]).name] = row["character"]
    lost, repeated = int((seen == 0).sum()), int((seen > 1).sum())
    print(f"answers: {int(seen.sum()):,}; lost {lost:,}, repeated {repeated:,}")

    recognizer = glyphlab.Recognizer.load("digits", threads=1)
    different = 0
    for shard in sample:
        with tarfile.open(shards / f"{shard:05d}.tar") as archive:
            contents = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        given = recognizer.predict_many(contents.values(), prepared=not options.prepare)
        for name, (_, answer) in zip(contents, given, strict=True):
            different += isinstance(answer, glyphlab.ImageError) or answer.character != kept[name]
    print(f"asked again directly: {len(kept):,} pictures, {different} different")
    return lost, repeated, different


if __name__ == "__main__":
    main()

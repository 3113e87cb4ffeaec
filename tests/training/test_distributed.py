"""Training by several processes is training by one: the same curve, one writer, and one clear end for all."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from glyphlab.errors import RecipeError, RunError
from glyphlab.process import physical_cores
from glyphlab.training import loop
from glyphlab.training.crew import HostImages
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine, as_recorded, for_machine, for_process
from glyphlab.training.progress import Silent, StepNews
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.settings import EngineSettings
from glyphlab.training.train import train

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gloo between processes, POSIX signals")

STEPS, STOP_AFTER, TOLERANCE = 51, 20, 1e-4
# All that looks at the whole batch: batch norm, dropout, augmentation, class weights, clipping; and a rest of two
# images at an epoch's end, of which one of three processes gets none. A tame optimiser: at the usual rates of Adam the
# differences of rounding grow tenfold a step.
RECIPE: dict[str, Any] = {
    "network": {"name": "glyphnet", "width": 4, "depth": 2, "dropout": 0.3},
    "augment": {"rotation_degrees": 10, "elastic": 0.02, "stroke": 0.2, "brightness": 0.1},
    "training": {
        "epochs": 17,
        "batch_size": 53,
        "optimizer": "sgd",
        "lr": 0.02,
        "ema_decay": 0.9,
        "clip_norm": 1.0,
        "class_balance": "loss",
        "label_smoothing": 0.1,
        "seed": 5,
    },
    "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 2},
}

# What each process does: the scenes of a JSON file, one after the other.
WORKER = """
import json, sys
from pathlib import Path
import torch
from glyphlab.data.sources import load_dataset
from glyphlab.training import loop
from glyphlab.training.distributed import World
from glyphlab.training.progress import Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import assist, resume
from glyphlab.training.train import train_glyphs

class Recorder(Silent):
    def __init__(self):
        self.means = {}
    def step(self, news):
        self.means[news.step] = news.train_loss

loop._LOOK_EVERY_STEPS = 1
world = World.of_torchrun()
for number, scene in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    if not world.is_first:
        assist(world)
        continue
    recorder = Recorder()
    common = {"reporter": recorder, "world": world, "stop": lambda: max(recorder.means, default=0) >= scene["stop"]}
    if "resume" in scene:
        run = resume(scene["resume"], **common)
    else:
        recipe = Recipe.load(scene["recipe"])
        run = train_glyphs(recipe, load_dataset(recipe.data.name, "train"), runs_dir=scene["runs"], **common)
    Path(sys.argv[1]).with_suffix(f".{number}").write_text(json.dumps([str(run.folder), recorder.means]))
assert torch.distributed.is_initialized()
world.leave()
assert not torch.distributed.is_initialized()
"""


# The command line on a second host that has not the data.
LACKING = """
import importlib, os, sys
from glyphlab.cli.main import main
from glyphlab.errors import DataError

def missing(*_, **__):
    raise DataError("no such pictures here")

if os.environ["RANK"] == "1":
    importlib.import_module("glyphlab.training.resume").load_images = missing
main(sys.argv[1:])
"""


class Recorder(Silent):
    """The mean loss of the epoch so far, after every step."""

    def __init__(self) -> None:
        self.means: dict[int, float] = {}

    def step(self, news: StepNews) -> None:
        self.means[news.step] = news.train_loss


def launch(count: int, arguments: list[object], folder: Path, hosts: bool = False) -> list[subprocess.Popen[str]]:
    """Start `count` processes with the variables that torchrun sets, each in an empty folder of its own.

    hosts: as if each were on a host of its own.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(count):
        ours = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": count, "RANK": rank}
        ours |= {"LOCAL_RANK": 0 if hosts else rank, "LOCAL_WORLD_SIZE": 1 if hosts else count, "OMP_NUM_THREADS": 1}
        home = folder / f"process-{rank}"
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, *map(str, arguments)]
        environment = os.environ | {key: str(value) for key, value in ours.items()}
        processes.append(
            subprocess.Popen(command, cwd=home, env=environment, stdout=-1, stderr=-1, text=True)  # -1: a pipe
        )
    return processes


def endings(processes: list[subprocess.Popen[str]], seconds: float = 90) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each; none outlives the test."""
    try:
        said = [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *words) for process, words in zip(processes, said, strict=True)]


def curve(run: Run) -> list[Any]:
    return [
        (row.train_loss, row.train_accuracy, row.validation_loss, row.validation_accuracy, row.lr)
        for row in run.history
    ]


def assert_same_course(ours: Run, reference: Run) -> None:
    """Equal within the tolerance: every epoch's figures, and all weights, averages and statistics."""
    np.testing.assert_allclose(curve(ours), curve(reference), rtol=TOLERANCE)
    mine, theirs = load_file(ours.checkpoint_path), load_file(reference.checkpoint_path)
    assert mine.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def facts_of(run: Run) -> dict[str, Any]:
    """What a checkpoint holds beside tensors."""
    with safe_open(run.checkpoint_path, framework="pt") as stored:
        facts: dict[str, Any] = json.loads(stored.metadata()["state"])
    return facts


def wait_for(path: Path, processes: list[subprocess.Popen[str]]) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert all(process.poll() is None for process in processes) and time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_train_as_one_and_runs_change_hands(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_LOOK_EVERY_STEPS", 1)
    recipe = Recipe.parse({**RECIPE, "data": {"name": str(picture_folder)}}, name="joint")
    (tmp_path / "joint.toml").write_text(recipe.to_toml())
    alone, begun_alone = Recorder(), Recorder()
    reference = train(recipe, runs_dir=tmp_path / "alone", reporter=alone)
    assert reference.status["step"] == STEPS

    def stop_early(news: StepNews) -> None:
        Recorder.step(begun_alone, news)
        if news.step == STOP_AFTER:
            os.kill(os.getpid(), signal.SIGINT)

    begun_alone.step = stop_early  # type: ignore[method-assign]
    passed_on = train(recipe, runs_dir=tmp_path / "passed-on", reporter=begun_alone)
    assert passed_on.status["step"] == STOP_AFTER

    new = {"recipe": str(tmp_path / "joint.toml"), "runs": str(tmp_path / "joint")}
    scenes = [{**new, "stop": STEPS}, {**new, "stop": STOP_AFTER}, {"resume": str(passed_on.folder), "stop": STEPS}]
    (tmp_path / "scenes.json").write_text(json.dumps(scenes))
    (tmp_path / "worker.py").write_text(WORKER)
    ends = endings(launch(2, [tmp_path / "worker.py", tmp_path / "scenes.json"], tmp_path))
    assert ends == [(0, "", ""), (0, "", "")]
    answers = [json.loads((tmp_path / f"scenes.{number}").read_text()) for number in range(3)]
    whole, begun_by_two = Run.open(answers[0][0]), Run.open(answers[1][0])

    # The losses of all 51 steps.
    np.testing.assert_allclose(list(answers[0][1].values()), list(alone.means.values()), rtol=TOLERANCE)
    assert_same_course(whole, reference)
    # 1 -> 2, and 2 -> 1.
    assert_same_course(passed_on, reference)
    assert begun_by_two.status["status"] == "interrupted" and STOP_AFTER <= begun_by_two.status["step"] < STEPS
    assert_same_course(resume(begun_by_two), reference)
    # The first alone writes, and writes nothing that tells how many there were.
    assert not list((tmp_path / "process-1").iterdir())
    assert {path.name for path in whole.folder.iterdir()} == {path.name for path in reference.folder.iterdir()}
    assert whole.recipe.engine == reference.recipe.engine
    assert (whole.environment["processes"], whole.environment["threads"]) == (2, 1)
    assert facts_of(whole).keys() == facts_of(reference).keys()


def glyphlab(*arguments: object) -> list[object]:
    return ["-m", "glyphlab", "train", *arguments, "--no-evaluate"]


def test_a_users_error_is_said_once(tmp_path: Path) -> None:
    ends = endings(launch(2, glyphlab("digits", "--set", "training.lr=-1"), tmp_path))
    assert [code for code, _, _ in ends] == [2, 2]
    assert "".join(out + err for _, out, err in ends).count("training.lr is -1") == 1
    assert ends[1][1:] == ("", "")


def test_what_a_host_lacks_is_said_by_the_first_process(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text(LACKING)
    arguments = [tmp_path / "lacking.py", *glyphlab("digits", "--runs-dir", tmp_path / "runs")[2:]]
    arguments += [f"--set=engine.{key}={str(value).lower()}" for key, value in RECIPE["engine"].items()]
    ends = endings(launch(2, arguments, tmp_path, hosts=True))
    assert [code for code, _, _ in ends] == [2, 2]
    assert re.search(r"glyphlab: process 2 of 2 on .*: no such pictures here\n", ends[0][2]) and ends[1][1:] == ("", "")
    assert not (tmp_path / "runs").exists()


def test_a_dead_process_ends_the_run_and_others_may_take_it_up(picture_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "joint.toml").write_text(Recipe.parse(RECIPE, name="joint").to_toml())
    first = glyphlab(picture_folder, "--recipe", tmp_path / "joint.toml", "--epochs", 100_000, "--runs-dir", tmp_path)
    processes = launch(2, first, tmp_path)
    folder = tmp_path / "bars-joint-1"
    wait_for(folder / "metrics.jsonl", processes)
    processes[1].send_signal(signal.SIGKILL)
    ends = endings(processes, seconds=20)
    assert [code for code, _, _ in ends] == [2, -signal.SIGKILL]
    (words,) = (line for line in ends[0][2].splitlines() if line.startswith("glyphlab: "))
    assert "has lost touch with another one" in words and f"continue with: glyphlab train --resume {folder}" in words
    assert Run.open(folder).status["status"] == "failed"
    whole = Run.open(folder).classifier(), load_file(folder / "checkpoint.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in whole[1].values())

    # Three go on; a request to any of them stops all after the same step.
    epochs = len(Run.open(folder).history)
    processes = launch(3, glyphlab("--resume", folder), tmp_path)
    deadline = time.monotonic() + 90
    while len(Run.open(folder).history) <= epochs + 1:
        assert all(process.poll() is None for process in processes) and time.monotonic() < deadline
        time.sleep(0.02)
    processes[2].send_signal(signal.SIGTERM)
    ends = endings(processes)
    assert [code for code, _, _ in ends] == [130, 130, 130]
    assert [out + err for _, out, err in ends[1:]] == ["", ""]
    assert Run.open(folder).status["status"] == "interrupted"
    assert all(np.isfinite([row.train_loss, row.validation_loss]).all() for row in Run.open(folder).history)


def test_every_image_is_somebodys() -> None:
    for size in (1, 2, 3, 8):
        worlds = [World(rank, size, rank, size) for rank in range(size)]
        for count in (0, 1, 2, 7, 64):
            parts = [world.share_of(count) for world in worlds]
            assert parts[0].start == 0 and parts[-1].stop == count
            assert all(one.stop == other.start for one, other in pairwise(parts))
            lengths = [part.stop - part.start for part in parts]
            assert max(lengths) - min(lengths) <= 1


def test_without_torchrun_a_process_is_alone_and_half_an_environment_is_an_error() -> None:
    for environ in ({}, {"WORLD_SIZE": "1", "RANK": "0"}):
        assert World.of_torchrun(environ).is_alone
    with pytest.raises(RunError, match="WORLD_SIZE is 2, but RANK is not set; start with torchrun"):
        World.of_torchrun({"WORLD_SIZE": "2"})
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "WORLD_SIZE": "2"}
    for rank in ("5", "first"):
        with pytest.raises(RunError, match="make no sense together"):
            World.of_torchrun({**where, "RANK": rank})


def test_processes_share_threads_and_a_recipe_does_not_tell_how_many_they_were() -> None:
    two = World(0, 2, 0, 2)
    asked = EngineSettings(device="cpu", threads=6, compile=True)
    assert for_process(asked, two) == EngineSettings(device="cpu", threads=3, compile=False)
    assert as_recorded(Engine(threads=3), asked, two).threads == 6
    assert for_machine(EngineSettings(), two).threads == physical_cores()
    assert for_process(EngineSettings(device="cpu", threads=1), two).threads == 1
    assert for_process(asked, World.alone()) is asked and for_machine(asked, World.alone()) is asked


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RecipeError, match="2 processes were started on a machine with 1 GPUs"):
        for_process(EngineSettings(device="cuda"), World(0, 2, 0, 2))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory without a name is Linux's")
def test_processes_of_a_host_look_at_the_same_images(picture_folder: Path) -> None:
    from glyphlab.data.sources import load_dataset

    glyphs = load_dataset(str(picture_folder), "train")
    mine = HostImages.of(glyphs, World(0, 2, 0, 2))
    theirs = HostImages.at(mine.address).glyphs
    assert mine.glyphs.digest() == theirs.digest() == glyphs.digest()
    assert (theirs.name, theirs.class_names, theirs.split) == (glyphs.name, glyphs.class_names, "train")
    mine.glyphs.images[0, 0, 0] ^= 255
    assert theirs.images[0, 0, 0] == mine.glyphs.images[0, 0, 0] != glyphs.images[0, 0, 0]
    theirs.images[1] = 7
    assert not (mine.glyphs.images[1] == 7).all()
    assert HostImages.of(glyphs, World(0, 2, 0, 1)).glyphs is glyphs

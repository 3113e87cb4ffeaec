"""Whole trainings on small pictures: what they leave behind, and that stopping and continuing changes no bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError, RecipeError, RunError
from glyphlab.files import write_json
from glyphlab.training.checkpoint import Best, TrainingState
from glyphlab.training.history import EpochMetrics
from glyphlab.training.progress import Silent, StepNews
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.train import compose, train, train_glyphs

# Everything that keeps state: dropout, batch norm, Adam's moments, EMA, plateau, augmentation, an incomplete batch.
STATEFUL: dict[str, Any] = {
    "network": {"name": "mnist-3conv-bn", "widths": [4, 8], "hidden": 16},
    "augment": {"rotation_degrees": 10, "elastic": 0.02, "brightness": 0.1},
    "training": {
        "epochs": 4,
        "batch_size": 25,
        "lr": 0.01,
        "ema_decay": 0.9,
        "schedule": "plateau",
        "plateau_patience": 0,
        "clip_norm": 1.0,
        "class_balance": "sampling",
        "seed": 5,
    },
    "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
}


# float32, one thread. Without dropout, whose random numbers differ between builds of torch; with smoothed labels and a
# small rate, whose loss falls to the end and stays away from zero, so that a hundredth says something and other
# processors' rounding does not.
RECORDED = {"network.dropout": 0.0, "training.label_smoothing": 0.1, "training.lr": 0.001}
RECORDED_LOSSES = [1.046523, 0.926724, 0.830067, 0.730738, 0.657697, 0.540432, 0.537412, 0.461982, 0.381681, 0.365366]


def stateful(**changes: object) -> Recipe:
    return Recipe.parse(STATEFUL, name="stateful").with_settings(changes)


def essence(run: Run) -> dict[str, Any]:
    """All that must not depend on how a run was interrupted: every tensor, and metrics without times."""
    tensors = {
        f"{path.name}:{name}": tensor.numpy().tobytes()
        for path in sorted(run.folder.glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }
    rows = [
        {key: value for key, value in vars(row).items() if key not in ("time_seconds", "images_per_second")}
        for row in run.history
    ]
    return {"tensors": tensors, "rows": rows, "best": run.status["best"], "status": run.status["status"]}


class StopAfter(Silent):
    """Presses Ctrl-C once a step has been reached."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, news: StepNews) -> None:
        if news.step >= self.at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def straight(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that was never interrupted."""
    return train(stateful(), picture_folder, runs_dir=tmp_path_factory.mktemp("straight"))


def test_a_run_folder_holds_what_it_promises(straight: Run, picture_folder: Path) -> None:
    assert straight.name == "bars-stateful-1"
    files = {path.name for path in straight.folder.iterdir()} - {".lock"}
    assert files == {
        "recipe.toml", "environment.json", "run.json", "metrics.csv", "metrics.jsonl", "curves.png",
        "weights-best.safetensors", "weights-last.safetensors", "checkpoint.safetensors",
    }  # fmt: skip
    environment = straight.environment
    assert environment["torch"] == torch.__version__
    assert environment["data"]["sha256"] and environment["data"]["class_names"] == ["a", "b", "c"]
    assert environment["data"]["train_images"] == 108 and environment["data"]["validation_images"] == 12
    assert environment["seed"] == 5 and environment["threads"] == 1
    assert environment["peak_memory_mb"] > 50 and environment["time_seconds"] > 0
    assert straight.recipe.data.name == str(picture_folder)
    assert straight.status["status"] == "finished" and straight.status["epochs"] == 4
    assert (straight.folder / "metrics.csv").read_text().splitlines()[0].startswith("epoch,step,images_seen,lr")
    assert len((straight.folder / "metrics.jsonl").read_text().splitlines()) == 4


def test_the_network_learns(straight: Run) -> None:
    first, last = straight.history[0], straight.history[-1]
    assert last.train_loss < first.train_loss
    assert last.images_seen == 4 * 108 and last.step == 4 * 5
    assert straight.status["best"]["validation_accuracy"] > 0.6
    assert straight.classifier().spec.class_names == ("a", "b", "c")


def test_the_same_seed_gives_the_same_bits_another_seed_others(
    straight: Run, picture_folder: Path, tmp_path: Path
) -> None:
    again = train(stateful(), picture_folder, runs_dir=tmp_path)
    assert essence(again) == essence(straight)
    assert again.weights_sha256() == straight.weights_sha256()
    other = train(stateful(**{"training.seed": 6}), picture_folder, runs_dir=tmp_path)
    assert essence(other)["tensors"] != essence(straight)["tensors"]
    assert (again.name, other.name) == ("bars-stateful-1", "bars-stateful-2")


@pytest.mark.parametrize("step", [10, 15])
def test_ctrl_c_stops_at_a_safe_point_and_resuming_ends_bit_equal(
    step: int, straight: Run, picture_folder: Path, tmp_path: Path
) -> None:
    former = signal.getsignal(signal.SIGINT)
    stopped = train(stateful(), picture_folder, runs_dir=tmp_path, reporter=StopAfter(step))
    assert stopped.status["status"] == "interrupted" and stopped.status["step"] == step
    resumed = resume(stopped)
    assert essence(resumed) == essence(straight)
    assert resumed.weights_sha256() == straight.weights_sha256()
    assert signal.getsignal(signal.SIGINT) is former


def test_ctrl_c_within_an_epoch_and_resuming_ends_bit_equal(
    straight: Run, picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glyphlab.training.loop._LOOK_EVERY_STEPS", 1)
    stopped = train(stateful(), picture_folder, runs_dir=tmp_path, reporter=StopAfter(12))
    assert stopped.status["step"] == 12 and stopped.status["epochs"] == 2
    assert essence(resume(stopped)) == essence(straight)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_resuming_ends_bit_equal_in_the_memory_format_of_most_runs(
    optimizer: str, precision: str, picture_folder: Path, tmp_path: Path
) -> None:
    """Fused optimisers step by memory order, so what is loaded must lie as it lay."""
    changes = {"network.name": "glyphnet", "network.width": 8, "engine.channels_last": True, "training.epochs": 2}
    recipe = stateful(**changes, **{"training.optimizer": optimizer, "engine.precision": precision})
    whole = train(recipe, picture_folder, runs_dir=tmp_path / "whole")
    stopped = train(recipe, picture_folder, runs_dir=tmp_path, reporter=StopAfter(5))
    assert stopped.status["step"] == 5
    assert essence(resume(stopped)) == essence(whole)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files are in use")
def test_no_file_of_the_run_stays_in_use(picture_folder: Path, tmp_path: Path) -> None:
    """Windows would not let it be replaced."""
    in_use = []

    class Look(Silent):
        def step(self, news: StepNews) -> None:
            in_use.append(str(stopped.folder) in Path("/proc/self/maps").read_text())

    stopped = train(stateful(), picture_folder, runs_dir=tmp_path, reporter=StopAfter(10))
    resume(stopped, reporter=Look())
    assert in_use and not any(in_use)


def test_extending_a_finished_run_equals_a_longer_run(straight: Run, picture_folder: Path, tmp_path: Path) -> None:
    short = train(stateful(**{"training.epochs": 2}), picture_folder, runs_dir=tmp_path)
    assert essence(resume(short, epochs=4)) == essence(straight)
    assert short.recipe.training.epochs == 4


def test_fewer_epochs_than_were_trained_do_not_finish_a_run(picture_folder: Path, tmp_path: Path) -> None:
    calls = iter(range(1000))
    glyphs = load_dataset(picture_folder)
    run = train_glyphs(compose(stateful(), picture_folder), glyphs, runs_dir=tmp_path, stop=lambda: next(calls) > 15)
    done = len(run.history)
    assert 1 < done < 4
    _replace(run.folder / "run.json", '"interrupted"', '"running"')  # as a process leaves it that is killed
    with pytest.raises(RunError, match=rf"has already trained {done} epochs; extend it with --epochs {2 * done}"):
        resume(run, epochs=1)
    assert run.status["status"] == "running" and not run.is_done


def test_an_extension_killed_at_once_can_be_continued(
    straight: Run, picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = train(stateful(**{"training.epochs": 2}), picture_folder, runs_dir=tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("glyphlab.training.sitting.fit", killed)
        with pytest.raises(KeyboardInterrupt):
            resume(short, epochs=4)
    assert not short.is_done
    assert essence(resume(short)) == essence(straight)


_TRAIN = """
import sys
from glyphlab.training.recipe import Recipe
from glyphlab.training.train import train
train(Recipe.load(sys.argv[1]), sys.argv[2], runs_dir=sys.argv[3])
"""


def test_a_killed_run_resumes_bit_equal_and_leaves_no_half_file(
    straight: Run, picture_folder: Path, tmp_path: Path
) -> None:
    """`benchmarks/kill_resume.py` does this at many random moments; here once, soon after the first epoch."""
    recipe_file = tmp_path / "stateful.toml"
    recipe_file.write_text(stateful(**{"training.epochs": 400}).to_toml())
    command = [sys.executable, "-c", _TRAIN, str(recipe_file), str(picture_folder), str(tmp_path / "runs")]
    process = subprocess.Popen(command)
    folder = tmp_path / "runs" / "bars-stateful-1"
    deadline = time.monotonic() + 60
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    killed = Run.open(folder)
    assert killed.status["status"] in ("started", "running")
    done = len(killed.history)
    assert 1 <= done < 400
    load_file(folder / "checkpoint.safetensors")
    extended = resume(killed, epochs=done + 3)
    whole = train(stateful(**{"training.epochs": done + 3}), picture_folder, runs_dir=tmp_path / "whole")
    assert essence(extended) == essence(whole)


def test_a_run_killed_before_its_first_step_begins_again(straight: Run, picture_folder: Path, tmp_path: Path) -> None:
    run = train(stateful(), picture_folder, runs_dir=tmp_path)
    for name in ("checkpoint", "weights-best", "weights-last"):
        (run.folder / f"{name}.safetensors").unlink()
    write_json(run.folder / "run.json", {"status": "running", "epochs": 0, "step": 0, "best": None})
    with pytest.raises(RunError, match="holds no weights yet; continue it with: glyphlab train --resume"):
        run.classifier()
    assert essence(resume(run)) == essence(straight)


def test_the_loss_curve_is_the_recorded_one(picture_folder: Path, tmp_path: Path) -> None:
    """A refactoring leaves these 50 steps as they are; a wanted change of the engine records them anew."""
    run = train(stateful(**RECORDED), picture_folder, epochs=10, runs_dir=tmp_path)
    assert run.history[-1].step == 50
    assert [row.train_loss for row in run.history] == pytest.approx(RECORDED_LOSSES, rel=0.01)


def test_a_setting_is_given_once_and_a_recipe_for_transfer_is_refused_first(picture_folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"training\.epochs is 1, and 2 among the settings; give one of the two"):
        train("fast", picture_folder, epochs=1, settings={"training.epochs": 2})
    with pytest.raises(RecipeError, match="teaches a network that is trained already"):
        train("greek-frozen")


def test_early_stopping(picture_folder: Path, tmp_path: Path) -> None:
    changes = {"training.early_stopping_epochs": 1, "training.epochs": 50, "training.lr": 1e-9}
    run = train(stateful(**changes), picture_folder, runs_dir=tmp_path)
    assert run.status["status"].startswith("stopped early")
    epochs = run.status["epochs"]
    assert epochs < 50
    with pytest.raises(RunError, match=r"stopped early: no progress .*; give it another try with --epochs"):
        resume(run)
    assert resume(run, epochs=50).status["epochs"] == epochs + 1


def test_a_time_budget_is_kept_and_the_schedule_ends_with_it(picture_folder: Path, tmp_path: Path) -> None:
    changes = {"training.epochs": 100_000, "training.time_budget_seconds": 2.0, "training.schedule": "cosine",
               "training.plateau_patience": None, }  # fmt: skip
    began = time.monotonic()
    run = train(stateful(**changes), picture_folder, runs_dir=tmp_path)
    assert time.monotonic() - began < 30
    assert run.status["time_seconds"] < 4
    assert run.status["status"] in ("finished", "time budget used up")
    assert 0 < run.status["total_steps"] < 500_000


def test_an_extension_is_planned_for_the_time_budget_too(picture_folder: Path, tmp_path: Path) -> None:
    changes = {"training.schedule": "cosine", "training.plateau_patience": None, "training.time_budget_seconds": 60.0}
    run = train(stateful(**changes), picture_folder, epochs=1, runs_dir=tmp_path)
    step, rate = run.status["step"], run.history[-1].images_per_second
    resume(run, epochs=1_000_000, stop=lambda: True)
    assert run.status["total_steps"] == step + int(60 * 0.85 * rate / 25)


def test_without_validation_images_the_last_weights_count(picture_folder: Path, tmp_path: Path) -> None:
    changes = {"data.validation": 0, "training.schedule": "constant", "training.plateau_patience": None}
    run = train(stateful(**changes), picture_folder, epochs=1, runs_dir=tmp_path)
    assert run.status["best"] is None
    assert run.weights_path.name == "weights-last.safetensors"
    assert run.history[0].validation_accuracy is None


def test_a_loss_gone_astray_stops_the_run_and_keeps_the_last_good_state(picture_folder: Path, tmp_path: Path) -> None:
    run = train(stateful(), picture_folder, runs_dir=tmp_path)
    good = essence(run)["tensors"]
    recipe_file = run.folder / "recipe.toml"
    recipe_file.write_text(recipe_file.read_text().replace("lr = 0.01", "lr = 1e30").replace("clip_norm = 1.0\n", ""))
    with pytest.raises(RunError, match=r"no longer finite at step \d+.*last good state is kept.*Lower training\.lr"):
        resume(run, epochs=8)
    assert essence(run)["tensors"] == good
    assert run.status["status"] == "failed" and not run.is_done


def test_a_loss_gone_astray_as_the_time_runs_out_leaves_no_weights(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([False] * 4 + [True] * 100)
    monkeypatch.setattr("glyphlab.training.loop._Halt.late", lambda _: next(looks))
    recipe = stateful(**{"training.lr": 1e30, "training.clip_norm": None})
    with pytest.raises(RunError, match=r"no longer finite at step 4 "):
        train(recipe, picture_folder, runs_dir=tmp_path)
    (run,) = Run.all_in(tmp_path)
    assert run.status["status"] == "failed" and not list(run.folder.glob("weights-*"))


def test_validation_logits_gone_astray_spoil_nothing(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and training loss may be finite still when the logits of other images are not."""
    run = train(stateful(), picture_folder, runs_dir=tmp_path)
    good = essence(run)["tensors"]
    monkeypatch.setattr(
        "glyphlab.training.loop.predict", lambda network, images, part: torch.full((len(part), 3), 1e999)
    )
    with pytest.raises(RunError, match=r"no longer finite at step \d+.*last good state is kept"):
        resume(run, epochs=8)
    assert essence(run)["tensors"] == good and len(run.history) == 4
    assert run.status["status"] == "failed" and run.status["best"]["validation_loss"] < 1


def test_an_epoch_that_a_time_budget_cuts_counts_once_for_the_plateau(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standstill = stateful(**{"training.optimizer": "sgd", "training.momentum": 0.0, "training.lr": 1e-9})
    straight = train(standstill, picture_folder, runs_dir=tmp_path / "straight")
    looks = iter([False] * 7 + [True] * 2)
    with monkeypatch.context() as patched:
        patched.setattr("glyphlab.training.loop._Halt.late", lambda _: next(looks, False))
        cut = train(standstill, picture_folder, runs_dir=tmp_path / "cut")
    assert cut.status["status"] == "time budget used up" and cut.status["step"] % 5
    rates = [[row.lr for row in run.history] for run in (straight, resume(cut))]
    assert rates[0] == rates[1] and rates[0][-1] < 1e-9


def test_an_epoch_judged_again_and_found_worse_is_not_the_best(straight: Run) -> None:
    """A time budget may end within an epoch; when the run goes on, the whole epoch is judged under the same number."""
    row = straight.history[-1]
    assert row.validation_accuracy is not None and row.validation_loss is not None
    network = torch.nn.Linear(1, 1)
    state = TrainingState(network, torch.optim.SGD(network.parameters()), 20, history=[row])  # type: ignore[arg-type]
    assert not state.newest_counts
    state.best = Best(row.epoch, row.validation_accuracy, row.validation_loss)
    assert state.newest_counts
    state.best = replace(state.best, validation_accuracy=row.validation_accuracy + 0.01)
    assert not state.newest_counts


def test_dropping_the_rest_of_an_epoch(picture_folder: Path, tmp_path: Path) -> None:
    run = train(stateful(**{"training.drop_last": True}), picture_folder, epochs=1, runs_dir=tmp_path)
    assert run.history[0].images_seen == 100


def test_a_rest_of_one_image_is_left_out(picture_folder: Path, tmp_path: Path) -> None:
    run = train(stateful(**{"training.batch_size": 107}), picture_folder, epochs=1, runs_dir=tmp_path)
    assert (run.history[0].step, run.history[0].images_seen) == (1, 107)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: None, r"has already finished its 4 epochs; extend it with --epochs 8"),
        (lambda run: (run.folder / "checkpoint.safetensors").unlink(), "has lost its checkpoint"),
        (
            lambda run: (run.folder / "checkpoint.safetensors").write_bytes(b"\x10\x00\x00"),
            "is not a whole checkpoint",
        ),
        (
            lambda run: os.truncate(run.folder / "checkpoint.safetensors", 5_000),
            "is not a whole checkpoint",
        ),
        (
            lambda run: _rewrite(run.folder / "checkpoint.safetensors", "glyphlab-checkpoint-9"),
            r"written by another version \(format 'glyphlab-checkpoint-9', this one reads 'glyphlab-checkpoint-1'\)",
        ),
        (
            lambda run: _replace(run.folder / "recipe.toml", "hidden = 16", "hidden = 17"),
            "does not belong to this run's recipe or is damaged",
        ),
        (lambda run: _replace(run.folder / "environment.json", '"sha256": "', '"sha256": "0'), "has changed since"),
    ],
)
def test_what_cannot_be_resumed(
    spoil: Callable[[Run], object], message: str, picture_folder: Path, tmp_path: Path
) -> None:
    run = train(stateful(), picture_folder, runs_dir=tmp_path)
    spoil(run)
    extended = None if "finished" in message else 9
    with pytest.raises(RunError, match=message):
        resume(run, epochs=extended)


def _rewrite(path: Path, format_name: str) -> None:
    from safetensors.torch import save_file

    save_file(load_file(path), path, metadata={"format": format_name, "state": "{}"})


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_resume_with_another_recipe_names_the_difference(straight: Run) -> None:
    asked = compose(straight.recipe, settings={"training.lr": 0.5})
    with pytest.raises(RunError, match=r"another recipe \(training\.lr is 0\.01 there, 0\.5 here\)"):
        resume(straight, epochs=9, recipe=asked)


def test_resume_with_another_transfer_names_the_difference(straight: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(straight.folder, tmp_path / "taught"))
    weights = str(run.folder / "weights-last.safetensors")
    run.set_recipe(run.recipe.with_settings({"transfer.base": weights, "transfer.freeze": 0}))
    with pytest.raises(RunError, match=r"another recipe \(transfer\.freeze is 0 there, 1 here\)"):
        resume(run, epochs=9, recipe=run.recipe.with_settings({"transfer.freeze": 1}))


def test_two_processes_cannot_train_in_one_folder(straight: Run) -> None:
    with straight.locked(), pytest.raises(RunError, match="another process is training in"):
        resume(straight.folder, epochs=9)


def test_opening_what_is_no_run(tmp_path: Path, straight: Run) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path)
    with pytest.raises(RunError, match="no run 'nothing'; there are no runs in"):
        Run.open("nothing", tmp_path)
    with pytest.raises(RunError, match="no run 'bars-statefull-1'; did you mean 'bars-stateful-1'"):
        Run.open("bars-statefull-1", straight.folder.parent)
    assert Run.open("bars-stateful-1", straight.folder.parent).folder == straight.folder


def test_read_only_and_impossible_places(picture_folder: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    with pytest.raises(RunError, match=r"cannot write .*file"):
        train(stateful(), picture_folder, runs_dir=in_the_way)
    assert in_the_way.read_text() == "not a folder"


def test_a_device_that_is_not_there(picture_folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(RecipeError, match=r"engine\.device is 'cuda', but this machine and torch offer only: cpu"):
        train(stateful(**{"engine.device": "cuda"}), picture_folder, runs_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_class_only(picture_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(picture_folder / "train" / "a", tmp_path / "lonely" / "a")
    with pytest.raises(DataError, match="one class"):
        train(stateful(), tmp_path / "lonely", runs_dir=tmp_path / "runs")


def test_a_damaged_status_is_named(tmp_path: Path) -> None:
    for damage in ("{", "[]", "3", "{}"):
        (tmp_path / "run.json").write_text(damage)
        with pytest.raises(RunError, match=r"cannot read .*run\.json"):
            _ = Run(tmp_path).status


def test_damaged_metrics_are_named(straight: Run, tmp_path: Path) -> None:
    for damage in ('{"epoch": 1', '{"epoch": 1}', "3"):
        (tmp_path / "metrics.jsonl").write_text(damage)
        with pytest.raises(RunError, match=r"cannot read .*metrics\.jsonl"):
            _ = Run(tmp_path).history


def test_what_is_done_and_what_is_half_made(straight: Run, tmp_path: Path) -> None:
    shutil.copytree(straight.folder, tmp_path / "run")
    shutil.copytree(straight.folder, tmp_path / ".new-run")  # as a process leaves it that is killed while making one
    (run,) = Run.all_in(tmp_path)
    told = run.status
    for status, step, done in [
        ("finished", 20, True),
        ("time budget used up", 12, True),
        ("running", 20, True),  # killed before it could say so
        ("running", 12, False),
        ("interrupted", 12, False),
        ("failed", 20, False),  # the disk was full, say, as the last weights were written
    ]:
        (run.folder / "run.json").write_text(json.dumps(told | {"status": status, "step": step}))
        assert run.is_done is done, (status, step)


def test_metrics_are_json_rows(straight: Run) -> None:
    rows = [json.loads(line) for line in (straight.folder / "metrics.jsonl").read_text().splitlines()]
    assert [EpochMetrics(**row) for row in rows] == straight.history

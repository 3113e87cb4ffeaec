"""Whole sweeps with processes: what is claimed of them must hold when these are killed."""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from glyphlab.errors import RecipeError, RunError
from glyphlab.files import writing
from glyphlab.training.run import Run
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Claim, Entry, Standing
from glyphlab.training.sweep.ledger import Ledger
from glyphlab.training.sweep.results import SweepResults
from glyphlab.training.sweep.supervise import Nobody, begin_sweep, open_sweep, run_workers, threads_each
from glyphlab.training.sweep.trial import Bench, Images, existing_run, run_trial
from glyphlab.training.sweep.worker import _representative

Make = Callable[..., SweepDefinition]
FOUR = "[space]\ntraining.lr = [0.001, 0.003]\ntraining.batch_size = [16, 32]"
LISTED = '[search]\nmethod = "list"\n[[trial]]\n'
# The news of the first comes when a few of them are over.
MANY = f"[space]\ntraining.seed = {list(range(20))}"


@pytest.mark.parametrize(
    ("variable", "workers", "each"), [("", 1, 8), ("", 3, 2), ("1", 1, 1), ("4,2", 1, 4), ("4", 4, 2), ("0", 16, 1)]
)
def test_workers_take_the_threads_that_a_training_would_take(
    variable: str, workers: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glyphlab.training.sweep.supervise.physical_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert threads_each(workers) == each


class KillsOne(Nobody):
    """Kills the first worker that is seen at work with signal 9."""

    def __init__(self) -> None:
        self.killed = ""
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def tick(self, entries: list[Entry]) -> None:
        for entry in entries:
            if not self.killed and entry.standing is Standing.RUNNING:
                self.killed = entry.owner
                os.kill(int(entry.owner.rsplit("-", 2)[1]), signal.SIGKILL)


class Interrupts(Nobody):
    """Presses Ctrl-C once a trial has ended."""

    def __init__(self) -> None:
        self.pressed = False

    def news(self, worker: int, news: dict[str, Any]) -> None:
        if "ended" in news and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


def bench(ledger: Ledger, folder: Path, stopping: Callable[[], bool] = lambda: False, precision: str = "auto") -> Bench:
    engine = {"engine.device": "cpu", "engine.precision": precision, "engine.threads": 1, "engine.compile": False}
    return Bench(ledger, folder / "runs", Images(None), engine, 1, stopping, lambda news: None)


def run_one(at: Bench, owner: str = "me") -> Standing:
    with at.ledger.at_work(owner):
        claim = at.ledger.claim(owner, "here")
        assert isinstance(claim, Claim)
        return run_trial(claim, at)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["journal", "postgres"])
def test_a_killed_worker_loses_nothing(kind: str, tiny: Make, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    storage = request.getfixturevalue("postgres") if kind == "postgres" else None
    ledger, folder = begin_sweep(tiny(FOUR, "killed"), sweeps_dir=tmp_path, storage=storage)
    killer = KillsOne()
    with ledger:
        assert run_workers(ledger, folder, workers=2, storage=storage, watcher=killer)
        entries = ledger.entries()
    assert killer.killed
    assert any("was killed by signal 9" in note for note in killer.notes)
    assert [entry.standing for entry in entries] == [Standing.FINISHED] * 4
    assert len({entry.trial.key for entry in entries}) == 4
    runs = Run.all_in(folder / "runs")
    assert Counter(run.name[-5:-2] for run in runs) == Counter(f"00{number}" for number in range(1, 5))
    assert {run.status["status"] for run in runs} == {"finished"}
    assert killer.killed not in {entry.owner for entry in entries}


@pytest.mark.timeout(600)
def test_ctrl_c_stops_cleanly_and_the_same_call_goes_on(tiny: Make, tmp_path: Path) -> None:
    ledger, folder = begin_sweep(tiny(MANY, "stopped"), sweeps_dir=tmp_path)
    assert run_workers(ledger, folder, workers=1, watcher=Interrupts()) is False
    before = [entry for entry in ledger.entries() if entry.standing is Standing.FINISHED]
    assert 1 <= len(before) < 20
    times = {entry.number: entry.result for entry in before}
    again, folder = begin_sweep(tiny(MANY, "stopped"), sweeps_dir=tmp_path)
    assert run_workers(again, folder, workers=1)
    results = SweepResults.read(*open_sweep("stopped", tmp_path))
    assert results.count(Standing.FINISHED) == 20
    assert all(times[entry.number] == entry.result for entry in results.entries if entry.number in times)


def test_a_trial_is_a_normal_run_judged_on_validation_images(tiny: Make, tmp_path: Path) -> None:
    ledger, folder = begin_sweep(tiny(), sweeps_dir=tmp_path)
    assert run_one(bench(ledger, folder)) is Standing.FINISHED
    entry = ledger.entries()[0]
    run = Run.open("bars-tiny-001-1", folder / "runs")
    assert entry.result is not None
    assert entry.result["accuracy"] == run.status["best"]["validation_accuracy"]
    assert entry.by_epoch == tuple((row.epoch, row.validation_accuracy) for row in run.history)
    assert run.recipe.training.lr == entry.trial.point["training.lr"]
    assert entry.result["validation_images"] == 30
    assert not (run.folder / "evaluation").exists()  # the test images were not touched


def test_engine_settings_that_a_trial_names_are_its_own(tiny: Make, tmp_path: Path) -> None:
    named = LISTED + '[trial.settings]\nengine.precision = "bf16"\nengine.threads = 2'
    ledger, folder = begin_sweep(tiny(named), sweeps_dir=tmp_path)
    assert run_one(bench(ledger, folder, precision="float32"))
    (run,) = Run.all_in(folder / "runs")
    engine = run.recipe.engine
    assert (engine.precision, engine.threads, engine.channels_last, engine.compile) == ("bf16", 2, False, False)


@pytest.mark.parametrize("first", ["rough", "plain"])
def test_no_trials_own_engine_is_that_of_the_others(tiny: Make, tmp_path: Path, first: str) -> None:
    trials = {"rough": 'settings = { "engine.precision" = "bf16" }', "plain": 'settings = { "training.lr" = 0.1 }'}
    order = sorted(trials, key=lambda name: name != first)
    listed = "".join(f'[[trial]]\nname = "{name}"\n{trials[name]}\n' for name in order)
    ledger, _ = begin_sweep(tiny('[search]\nmethod = "list"\n' + listed), sweeps_dir=tmp_path)
    assert _representative(ledger).engine == ledger.definition.base.engine


def test_a_hiccup_of_the_storage_leaves_the_trial_open(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, folder = begin_sweep(tiny(), sweeps_dir=tmp_path)

    def unreachable(*_: object) -> bool:
        raise RunError("the storage does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "report", unreachable)
        with pytest.raises(RunError, match="does not answer"):
            run_one(bench(ledger, folder))
    assert ledger.entries()[0].standing is Standing.STOPPED
    assert run_one(bench(ledger, folder)) is Standing.FINISHED


def test_a_trial_that_diverges_has_failed(tiny: Make, tmp_path: Path) -> None:
    rest = LISTED + 'settings = { "training.lr" = 1e30, "training.optimizer" = "sgd" }'
    ledger, folder = begin_sweep(tiny(rest), sweeps_dir=tmp_path)
    assert run_one(bench(ledger, folder)) is Standing.FAILED
    assert "the loss is no longer finite" in ledger.entries()[0].failure


def test_what_a_worker_stumbles_over_is_not_laid_to_its_locks(tiny: Make, tmp_path: Path) -> None:
    ledger, _ = begin_sweep(tiny(), sweeps_dir=tmp_path)
    for context in (ledger.at_work("me"), ledger.exclusive()):
        with pytest.raises(FileNotFoundError), context:
            Path(tmp_path / "missing.png").read_bytes()


def test_a_classifier_that_cannot_be_fitted_is_a_failed_trial(tiny: Make, tmp_path: Path) -> None:
    listed = LISTED + '[trial.baseline]\nname = "k-nearest-neighbours"\nneighbours = 5000'
    ledger, folder = begin_sweep(tiny(listed), sweeps_dir=tmp_path)
    assert run_one(bench(ledger, folder)) is Standing.FAILED
    assert "n_neighbors" in ledger.entries()[0].failure


def test_a_baseline_without_the_loss_that_is_asked_for_is_refused(tiny: Make) -> None:
    listed = '[search]\nobjective = "validation_loss"\n' + LISTED.removeprefix("[search]\n")
    listed += '[trial.baseline]\nname = "support-vectors"'
    with pytest.raises(RecipeError, match=r"a baseline has no loss; set search\.objective = 'validation_accuracy'"):
        tiny(listed)


@pytest.mark.parametrize("damage", ["[]", "{}", "3", "{"])
def test_a_damaged_address_is_one_clear_error(tiny: Make, tmp_path: Path, damage: str) -> None:
    ledger, folder = begin_sweep(tiny(), sweeps_dir=tmp_path)
    ledger.close()
    (folder / "sweep.json").write_text(damage)
    with pytest.raises(RunError, match=r"cannot read .*sweep\.json"):
        open_sweep("tiny", tmp_path)


def test_a_stopped_trial_goes_on_to_the_same_bits(tiny: Make, tmp_path: Path) -> None:
    definition = tiny("[space]\ntraining.lr = [0.003]\ntraining.batch_size = [16]")
    whole, whole_folder = begin_sweep(definition, sweeps_dir=tmp_path / "whole")
    parts, parts_folder = begin_sweep(definition, sweeps_dir=tmp_path / "parts")
    assert run_one(bench(whole, whole_folder), "a") is Standing.FINISHED
    asked = 0

    def after_three_steps() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4

    assert run_one(bench(parts, parts_folder, after_three_steps), "b") is Standing.STOPPED
    assert parts.entries()[0].standing is Standing.STOPPED
    assert run_one(bench(parts, parts_folder), "c") is Standing.FINISHED
    runs = [existing_run(folder / "runs", "tiny", 1) for folder in (whole_folder, parts_folder)]
    one, other = (load_file(run.folder / "weights-last.safetensors") for run in runs if run is not None)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_run_whose_worker_died_before_saying_so_is_not_run_again(tiny: Make, tmp_path: Path) -> None:
    ledger, folder = begin_sweep(tiny(), sweeps_dir=tmp_path)
    with ledger.at_work("dies"):
        claim = ledger.claim("dies", "here")
        assert isinstance(claim, Claim)
        end, ledger.end = ledger.end, lambda *args, **kwargs: None  # type: ignore[method-assign]
        run_trial(claim, bench(ledger, folder))
        ledger.end = end  # type: ignore[method-assign]
    run = existing_run(folder / "runs", "tiny", 1)
    assert run is not None
    stamp = (run.folder / "weights-last.safetensors").stat().st_mtime_ns
    with ledger.at_work("lives"):
        claim = ledger.claim("lives", "here")
        assert isinstance(claim, Claim) and claim.entry.number == 1
        assert run_trial(claim, bench(ledger, folder)) is Standing.FINISHED
    assert (run.folder / "weights-last.safetensors").stat().st_mtime_ns == stamp


def test_a_trial_fails_alone_where_its_settings_are_the_cause(tiny: Make, tmp_path: Path) -> None:
    rest = (
        '[search]\nmethod = "list"\n[[trial]]\nsettings = { "network.name" = "mnist-net" }\n[[trial]]\nname = "good"\n'
    )
    ledger, folder = begin_sweep(tiny(rest), sweeps_dir=tmp_path)
    assert run_one(bench(ledger, folder)) is Standing.FAILED
    assert "images are 12x12" in ledger.entries()[0].failure


def test_a_full_disk_is_no_failure_of_the_trial_which_goes_on_later(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, folder = begin_sweep(tiny(), sweeps_dir=tmp_path)

    def full(run: Run, state: object) -> None:
        with writing(run.folder / "metrics.csv"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_epoch", full)
        with pytest.raises(RunError, match="the disk is full"):
            run_one(bench(ledger, folder), "me")
    assert ledger.entries()[0].standing is Standing.STOPPED
    assert run_one(bench(ledger, folder), "other") is Standing.FINISHED
    result = ledger.entries()[0].result
    assert result is not None and [row[0] for row in result["history"]] == [1, 2]


def test_pruned_runs_end_early_and_say_so(tiny: Make, tmp_path: Path) -> None:
    rest = '[search]\npruning = "median"\n[space]\ntraining.epochs = [3, 4]'
    ledger, folder = begin_sweep(tiny(rest), sweeps_dir=tmp_path)
    ledger.report = lambda claim, epoch, value: epoch == 2  # type: ignore[method-assign]
    assert run_one(bench(ledger, folder)) is Standing.PRUNED
    run = existing_run(folder / "runs", "tiny", 1)
    assert run is not None
    assert run.status["epochs"] == 2 and run.status["status"].startswith("pruned")
    assert ledger.entries()[0].standing is Standing.PRUNED


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "no folder or file .*nowhere"), ("single", "single has one training image a class, .* add images")],
)
def test_errors_of_the_data_stop_the_sweep_and_leave_its_trials_open(tmp_path: Path, place: str, message: str) -> None:
    for grey, part in enumerate(["train/a", "train/b", "test/a", "test/b"]):
        picture = tmp_path / "single" / part / "1.png"
        picture.parent.mkdir(parents=True)
        Image.new("L", (12, 12), grey).save(picture)
    data = f'recipe = "fast"\n[settings]\ndata.name = "{(tmp_path / place).as_posix()}/"\n'
    ledger, folder = begin_sweep(SweepDefinition.from_toml(data + FOUR, "nodata"), sweeps_dir=tmp_path)
    with pytest.raises(RunError, match=message):
        run_workers(ledger, folder, workers=1)
    assert not any(entry.standing.is_over for entry in ledger.entries())


def test_names_and_storages_that_do_not_fit(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no sweep 'tinny' has begun; there are no sweeps in"):
        open_sweep("tinny", tmp_path)
    begin_sweep(tiny(), sweeps_dir=tmp_path)
    with pytest.raises(RunError, match="did you mean 'tiny'"):
        open_sweep("tinny", tmp_path)
    with pytest.raises(RunError, match="keeps its trials in a file, not in postgresql://me@host/db"):
        begin_sweep(tiny(), sweeps_dir=tmp_path, storage="postgresql://me:pw@host/db")

"""Sweeps whose trials begin with a trained network: what is laid out, what is trained, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError, RecipeError, RunError
from glyphlab.networks.classifier import Classifier, ClassifierSpec, save_weights
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.sweep.bases import Pair, PreparedBase, depths_of, is_laid_out, lay_out, located, pairs_of
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Claim, Standing
from glyphlab.training.sweep.ledger import Ledger
from glyphlab.training.sweep.supervise import begin_sweep
from glyphlab.training.sweep.trial import Bench, Images, existing_run, run_trial
from glyphlab.training.train import train_glyphs

FILE = """
recipe = "greek-frozen"
base = "bars-net"
[settings]
data.name = "letters"
data.validation = 0.25
training.lr = 0.001
{settings}
[space]
{space}
"""
EPOCHS = "training.epochs = [2, 4]"
FINETUNE = 'transfer.way = "finetune"\ntransfer.copies = 2'


def define(space: str = EPOCHS, settings: str = "", name: str = "greek") -> SweepDefinition:
    return SweepDefinition.from_toml(FILE.format(space=space, settings=settings), name)


def bars(split: str, count: int = 48, seed: int = 0) -> GlyphSet:
    """Noise with a bright bar whose place tells the class."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % 3
    images = rng.integers(0, 60, size=(count, 16, 16), dtype=np.uint8)
    for image, target in zip(images, targets, strict=True):
        image[1 + 5 * int(target) : 3 + 5 * int(target), 2:-2] = 230
    return GlyphSet(images, targets, ("alpha", "beta", "gamma"), name="letters", split=split)


def prepared(seed: int = 1) -> PreparedBase:
    torch.manual_seed(seed)
    spec = ClassifierSpec("glyphnet", (1, 16, 16), tuple("0123"), (0.2,), (0.3,), {"width": 4, "depth": 1})
    return PreparedBase(Classifier(spec).eval(), bars("train"), bars("test", 12, seed=9), framing="mnist", invert=False)


def begun(definition: SweepDefinition, sweeps_dir: Path, seed: int = 1) -> tuple[Ledger, Path]:
    ledger, folder = begin_sweep(definition, sweeps_dir=sweeps_dir)
    pairs = pairs_of(definition)
    lay_out({pair: prepared(seed) for pair in pairs}, pairs, ledger, folder)
    return ledger, folder


def bench(ledger: Ledger, folder: Path, stopping: Callable[[], bool] = lambda: False) -> Bench:
    engine = {"engine.device": "cpu", "engine.threads": 1, "engine.compile": False, "engine.channels_last": True}
    return Bench(ledger, folder / "runs", Images(None), engine, 1, stopping, lambda news: None)


def run_one(ledger: Ledger, folder: Path, owner: str = "me", stopping: Callable[[], bool] = lambda: False) -> Standing:
    with ledger.at_work(owner):
        claim = ledger.claim(owner, "here")
        assert isinstance(claim, Claim)
        return run_trial(claim, bench(ledger, folder, stopping))


def weights_of(folder: Path, number: int = 1) -> dict[str, torch.Tensor]:
    run = existing_run(folder / "runs", "greek", number)
    assert run is not None
    return load_file(run.folder / "weights-last.safetensors")


def test_a_trial_trains_the_last_layer_alone_and_is_judged_on_validation_images(tmp_path: Path) -> None:
    ledger, folder = begun(define(), tmp_path)
    assert run_one(ledger, folder) is Standing.FINISHED
    run = Run.open("letters-greek-001-1", folder / "runs")
    assert run.environment["data"]["train_images"] == 36 and run.environment["data"]["validation_images"] == 12
    result = ledger.entries()[0].result
    assert result is not None and result["accuracy"] == run.status["best"]["validation_accuracy"]
    assert all(row[1] is not None and row[3] is not None for row in result["history"])  # both losses, for the page
    assert run.recipe.transfer is not None and run.recipe.transfer.framing == "mnist"
    assert run.classifier().spec.class_names == ("alpha", "beta", "gamma")
    before, after = prepared().classifier.state_dict(), weights_of(folder)
    last = {name for name in after if before[name].shape != after[name].shape}
    assert last and all(torch.equal(before[name], after[name]) for name in after if name not in last)


def test_fine_tuning_leaves_the_frozen_layers_alone_and_changes_the_others(tmp_path: Path) -> None:
    ledger, folder = begun(define("transfer.freeze = [0, 1]", FINETUNE), tmp_path)
    assert run_one(ledger, folder) is Standing.FINISHED and run_one(ledger, folder) is Standing.FINISHED
    before = prepared().classifier.state_dict()
    thawed, frozen = weights_of(folder, 1), weights_of(folder, 2)
    first = next(name for name, value in before.items() if name.startswith("body.") and value.ndim == 4)
    assert not torch.equal(before[first], thawed[first])
    assert torch.equal(before[first], frozen[first])


@pytest.mark.parametrize("settings", ["", FINETUNE])
def test_a_stopped_trial_goes_on_to_the_same_bits(settings: str, tmp_path: Path) -> None:
    definition = define("training.epochs = [3]", settings)
    whole, whole_folder = begun(definition, tmp_path / "whole")
    parts, parts_folder = begun(definition, tmp_path / "parts")
    assert run_one(whole, whole_folder) is Standing.FINISHED
    asked = 0

    def soon() -> bool:
        nonlocal asked
        asked += 1
        return asked > 10

    assert run_one(parts, parts_folder, "first", soon) is Standing.STOPPED
    assert run_one(parts, parts_folder, "second") is Standing.FINISHED
    one, other = weights_of(whole_folder), weights_of(parts_folder)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_trial_is_lengthened_as_any_run_with_its_layers_still_frozen(tmp_path: Path) -> None:
    ledger, folder = begun(define(), tmp_path)
    run_one(ledger, folder)
    run = existing_run(folder / "runs", "greek", 1)
    assert run is not None
    before = prepared().classifier.state_dict()
    resume(run, epochs=3)
    after = weights_of(folder)
    assert all(torch.equal(before[name], after[name]) for name in after if before[name].shape == after[name].shape)


def test_the_base_stays_as_it_was_when_the_sweep_began(tmp_path: Path) -> None:
    definition = define()
    _, folder = begun(definition, tmp_path)
    (pair,) = pairs_of(definition)
    assert is_laid_out(pair, folder)
    again, _ = begin_sweep(definition, sweeps_dir=tmp_path)
    lay_out({}, [pair], again, folder)  # the same call once more needs neither the run nor the photographs
    with pytest.raises(RunError, match="base 'bars-net' or the pictures in letters are not those that sweep 'greek'"):
        lay_out({pair: prepared(seed=2)}, [pair], again, folder)
    stored = json.loads((pair.folder(folder) / "base.json").read_text(encoding="utf-8"))
    assert stored["sha256"] == prepared().sha256 != prepared(seed=2).sha256


def test_bases_and_depths_can_be_varied() -> None:
    several = define('transfer.base = ["one", "other"]\ntransfer.freeze = [0, 2]', FINETUNE)
    assert pairs_of(several) == [Pair("one", "letters"), Pair("other", "letters")]
    assert set(depths_of(several)) == {0, 2}
    assert pairs_of(SweepDefinition.load("fashion-60")) == []
    assert pairs_of(SweepDefinition.load("greek-epochs-batch", base="b", data="d")) == [Pair("b", "d")]


def test_auto_epochs_are_those_of_a_transfer(tmp_path: Path) -> None:
    definition = define("training.lr = [0.1]", 'training.epochs = "auto"')
    _, folder = begun(definition, tmp_path)
    (trial,) = definition.plan()
    assert trial.recipe is not None
    assert located(trial.recipe, folder).training.epochs == 60  # 6,000 pictures in all, but no more than 60 times


def test_the_split_stays_the_sweeps(tmp_path: Path) -> None:
    definition = define("training.seed = [1, 2]", "data.split_seed = 7")
    _, folder = begun(definition, tmp_path)
    recipes = [located(trial.recipe, folder) for trial in definition.plan() if trial.recipe is not None]
    assert [recipe.split_seed for recipe in recipes] == [7, 7]


def test_what_is_not_laid_out_is_said(tmp_path: Path) -> None:
    (trial, *_) = define().plan()
    assert trial.recipe is not None
    with pytest.raises(RunError, match="is laid out by glyphlab sweep run, with --base"):
        located(trial.recipe, tmp_path)
    with pytest.raises(RecipeError, match="none is named; give a run or a model with --base"):
        pairs_of(SweepDefinition.load("greek-epochs-batch"))


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        ("network.width = [4]", "", "network.width has no effect in a transfer: the base and the pictures decide"),
        (EPOCHS, "data.invert = true", "data.invert has no effect in a transfer"),
        (
            'transfer.way = ["probe"]',
            "",
            "transfer.way is 'probe', but a sweep's trials are trained; expected 'frozen'",
        ),
        (EPOCHS, 'transfer.way = "probe"\ntransfer.add = true', "transfer.add keeps old classes"),
        (EPOCHS, "transfer.hold_out = false", "transfer.hold_out is false, but trials are judged on test images"),
    ],
)
def test_settings_that_do_not_fit(space: str, settings: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        define(space, settings)


def test_settings_of_a_listed_trial_that_do_not_fit() -> None:
    with pytest.raises(RecipeError, match=r"network\.width has no effect in a transfer"):
        define('[search]\nmethod = "list"\n[[trial]]\nsettings = { "network.width" = 4 }', "")


def test_a_class_without_a_picture_to_learn_from_is_refused(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_weights(prepared().classifier, weights)
    recipe = next(iter(define().plan())).recipe
    assert recipe is not None
    settings = {"transfer.base": str(weights), "transfer.way": "finetune", "transfer.freeze": None, "engine.threads": 1}
    train = bars("train")
    others = np.flatnonzero(train.targets != 2)
    with pytest.raises(DataError, match="class 'gamma' has no picture to learn from"):
        train_glyphs(recipe.with_settings(settings), train.subset(others), runs_dir=tmp_path)


def test_a_base_for_a_recipe_without_one_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"has a base, 'x', but its recipe \(fashion-net\) trains from the beginning"):
        SweepDefinition.load("fashion-60", base="x")


def test_weights_of_another_size_are_refused_by_any_training(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_weights(prepared().classifier, weights)
    recipe = next(iter(define().plan())).recipe
    assert recipe is not None
    recipe = recipe.with_settings({"transfer.base": str(weights), "network.name": "glyphnet", "engine.threads": 1})
    small = GlyphSet(bars("train").images[:, :12, :12], bars("train").targets, ("a", "b", "c"), name="small")
    with pytest.raises(DataError, match=r"small: the images are 12x12 grey, but .* looks at 16x16 grey"):
        train_glyphs(recipe, small, runs_dir=tmp_path)
    deep = recipe.with_settings({"transfer.way": "finetune", "transfer.freeze": 99})
    with pytest.raises(ModelError, match="cannot freeze 99 layers"):
        train_glyphs(deep, bars("train"), runs_dir=tmp_path)
    assert not list(tmp_path.glob("*-*-1"))

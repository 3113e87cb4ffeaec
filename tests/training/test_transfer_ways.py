from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import ModelError, RecipeError
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.networks.features import output_layer
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.train import train_in_memory
from glyphlab.training.transfer.choice import best_of, try_ways
from glyphlab.training.transfer.frozen import frozen_layers, lower_layers, with_classes
from glyphlab.training.transfer.heads import Tuning
from glyphlab.training.transfer.outcome import recorded_recipe, write_run
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.trial import Plan, Trial
from glyphlab.training.transfer.ways import Way, learn

QUICK = {"training.epochs": 2, "engine.threads": 1, "engine.device": "cpu"}


def bars(classes: int, count: int, names: str, seed: int, upright: bool = False) -> GlyphSet:
    """Noise with a bright bar whose place tells the class; upright ones are the new script."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % classes
    images = rng.integers(0, 60, size=(count, 16, 16), dtype=np.uint8)
    for image, target in zip(images, targets, strict=True):
        place = 1 + int(target) * 14 // classes
        (image.T if upright else image)[place : place + 2, 2:-2] = 230
    return GlyphSet(images, targets, tuple(names), name="bars")


@pytest.fixture(scope="module")
def base() -> Classifier:
    settings = {"network.width": 4, "training.epochs": 6, "training.batch_size": 16}
    settings |= {"engine.threads": 1, "engine.precision": "float32", "engine.channels_last": False}
    recipe = Recipe.load("fast").with_settings({**settings, "engine.compile": False, "engine.device": "cpu"})
    return train_in_memory(recipe, bars(4, 160, "abcd", seed=0)).classifier


def task_of(base: Classifier, glyphs: GlyphSet, kept: int = 0, **transfer: object) -> Task:
    changes = {f"transfer.{key}": value for key, value in transfer.items()}
    frozen = Recipe.load("greek-frozen").with_settings({**QUICK, "network.name": "glyphnet"})
    return Task(base, glyphs, Recipe.load("transfer").with_settings(QUICK | changes), frozen, kept)


@pytest.mark.parametrize("way", ["means", "probe", "finetune", "frozen"])
def test_every_way_learns_new_classes(base: Classifier, way: Way) -> None:
    task = task_of(base, bars(3, 30, "xyz", seed=1, upright=True))
    if way == "frozen":
        longer = task.frozen_recipe.with_settings({"training.epochs": 40, "training.lr": 0.05})
        task = replace(task, frozen_recipe=longer)
    learned = learn(task, way, np.arange(30), Tuning())
    test = bars(3, 60, "xyz", seed=2, upright=True)
    answers = predict(learned.classifier, torch.from_numpy(test.images)).argmax(1).numpy()
    assert (answers == test.targets).mean() > 0.9
    assert learned.classifier.spec.class_names == ("x", "y", "z")
    assert not learned.classifier.training
    assert bool(learned.history) is (way in ("finetune", "frozen"))


def test_the_last_layer_alone_changes_in_the_ways_that_freeze(base: Classifier) -> None:
    task = task_of(base, bars(3, 24, "xyz", seed=1))
    last = output_layer(base)[0]
    before = base.state_dict()
    for way in ("means", "probe", "frozen"):
        after = learn(task, way, np.arange(24), Tuning()).classifier.state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {f"{last}.weight"}, way


@pytest.mark.parametrize(("freeze", "thawed"), [("none", 0), (2, 2), ("all", 4)])
def test_fine_tuning_leaves_frozen_layers_and_all_statistics_alone(
    base: Classifier, freeze: str | int, thawed: int
) -> None:
    task = task_of(base, bars(3, 24, "xyz", seed=1), freeze=freeze)
    before = base.state_dict()
    after = learn(task, "finetune", np.arange(24), Tuning()).classifier.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if "running" in name or "num_batches" in name} <= same
    layers = lower_layers(base)
    assert [name for name in layers if f"{name}.weight" in same] == layers[:thawed]
    norms = [name for name in same if name.startswith("body.norm") and name.endswith(".weight")]
    assert len(norms) == thawed


def test_freezing_more_layers_than_there_are_is_refused(base: Classifier) -> None:
    with pytest.raises(ModelError, match=r"cannot freeze 9 layers: network 'glyphnet' has 4 .*conv1, conv2.*0 to 4"):
        task_of(base, bars(3, 24, "xyz", seed=1), freeze=9)
    assert frozen_layers(base, "all") == 4
    linear = Classifier(ClassifierSpec("linear", (1, 8, 8), ("a", "b"), (0.0,), (1.0,)))
    with pytest.raises(ModelError, match="has 0 below its last one; expected 0 to 0"):
        frozen_layers(linear, 1)


def test_a_network_with_other_classes_sees_what_the_base_sees(base: Classifier) -> None:
    other = with_classes(base, ("p", "q"))
    assert predict(other, torch.zeros(2, 16, 16, dtype=torch.uint8)).shape == (2, 2)
    other.train()
    assert not other.get_submodule("body.norm1").training
    assert other.get_submodule("body.conv1").training


def test_learning_twice_gives_the_same_bits(base: Classifier) -> None:
    task = task_of(base, bars(3, 24, "xyz", seed=1))
    first, second = (learn(task, "finetune", np.arange(24), Tuning()).classifier.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_cross_validation_never_judges_what_was_learned_from(base: Classifier) -> None:
    glyphs = bars(3, 30, "xyz", seed=1, upright=True)
    shuffled = replace(glyphs, targets=np.random.default_rng(0).permutation(glyphs.targets))
    task = task_of(base, shuffled)
    plan = Plan.of(task)
    assert plan is not None and plan.judged == (1, 2, 3, 4, 5)
    (trial,) = try_ways(task, ("probe",), plan).trials
    assert sorted(trial.pictures.tolist()) == list(range(30))
    assert trial.accuracy < 0.7  # labels at random: whoever had seen a picture or its copies would know it
    assert len(trial.accuracies) == 5 and trial.logits.shape == (30, 3)
    np.testing.assert_array_equal(trial.targets, shuffled.targets[trial.pictures])


def test_trials_side_by_side(base: Classifier) -> None:
    told: list[tuple[str, int, int]] = []
    task = task_of(base, bars(3, 30, "xyz", seed=1, upright=True), copies=2)
    plan = Plan.of(task)
    assert plan is not None
    trials = try_ways(task, ("means", "frozen"), plan, lambda *news: told.append(news)).trials
    assert [trial.way for trial in trials] == ["means", "frozen"]
    assert trials[0].accuracy > 0.9
    assert told[:2] == [("means", 0, 5), ("means", 1, 5)] and told[-1] == ("frozen", 5, 5)
    assert trials[0].to_json()["way"] == "means" and "strength" not in trials[0].to_json()


def test_single_pictures_cannot_be_cross_validated(base: Classifier) -> None:
    assert Plan.of(task_of(base, bars(3, 3, "xyz", seed=1))) is None


def made_up_trial(way: Way, accuracy: float, varied: float, certain: float = 1.0) -> Trial:
    logits = np.array([[certain, 0.0], [0.0, certain]], dtype=np.float32)
    return Trial(way, np.arange(2), logits, np.arange(2), (accuracy,), varied, Tuning(), 0.0)


def test_the_most_accurate_way_wins_and_copies_decide_between_equals() -> None:
    means, tuned = made_up_trial("means", 0.9, 0.8), made_up_trial("finetune", 0.9, 0.7)
    assert best_of([means, tuned]).way == best_of([tuned, means]).way == "means"
    assert best_of([means, made_up_trial("finetune", 0.95, 0.1)]).way == "finetune"
    blurred = Trial("probe", np.arange(2), np.array([[0.1, 1.0], [0.0, 1.0]], np.float32), np.arange(2), (0.9,), 0.8,
                    Tuning(), 0.0)  # fmt: skip
    assert best_of([blurred, means]).way == "means"  # the loss decides where nothing else does


def test_added_classes_leave_the_old_answers_alone(base: Classifier) -> None:
    old, new = bars(4, 200, "abcd", seed=3), bars(3, 30, "xyz", seed=1, upright=True)
    names = (*old.class_names, *new.class_names)
    whole = GlyphSet(
        np.concatenate([old.images, new.images]), np.concatenate([old.targets, new.targets + 4]), names, name="both"
    )
    task = task_of(base, whole, kept=4, add=True)
    assert task.rehearses
    plan = Plan.of(task)
    assert plan is not None
    (trial,) = try_ways(task, ("probe",), plan).trials
    learned = learn(task, "probe", np.arange(len(whole)), trial.tuning)
    test = bars(4, 100, "abcd", seed=4)
    before = predict(base, torch.from_numpy(test.images))
    after = predict(learned.classifier, torch.from_numpy(test.images))
    torch.testing.assert_close(after[:, :4], before)
    assert (after.argmax(1) == before.argmax(1)).double().mean() >= 0.98
    fresh = bars(3, 60, "xyz", seed=5, upright=True)
    answers = predict(learned.classifier, torch.from_numpy(fresh.images)).argmax(1).numpy()
    assert (answers == fresh.targets + 4).mean() > 0.8


def test_without_old_pictures_the_new_columns_are_lowered(base: Classifier) -> None:
    new = bars(3, 30, "xyz", seed=1, upright=True)
    alone = GlyphSet(new.images, new.targets + 4, (*"abcd", *"xyz"), name="new")
    task = task_of(base, alone, kept=4, add=True)
    assert not task.rehearses
    plan = Plan.of(task)
    assert plan is not None
    (trial,) = try_ways(task, ("probe",), plan).trials
    assert trial.lowered != 0
    as_new = (trial.logits.argmax(1) >= 4).mean()
    assert 0.85 <= as_new <= 1.0


def test_the_run_is_like_any_other(base: Classifier, tmp_path: Path) -> None:
    glyphs = bars(3, 24, "xyz", seed=1)
    test = replace(bars(3, 12, "xyz", seed=2), split="test")
    task = task_of(base, glyphs)
    learned = learn(task, "probe", np.arange(24), Tuning())
    recipe = recorded_recipe(learned, task.settings, "the-base", "mnist", False)
    facts = {"base": {"name": "the-base"}, "time_seconds": 1.5, "ways": []}
    run = write_run(tmp_path, learned, recipe, glyphs, test, facts)
    opened = Run.open(run.folder)
    assert opened.recipe.transfer is not None
    assert (opened.recipe.transfer.base, opened.recipe.transfer.way) == ("the-base", "probe")
    assert opened.status["status"] == "finished" and len(opened.history) == 1
    images = torch.from_numpy(test.images)
    torch.testing.assert_close(predict(opened.classifier(), images), predict(learned.classifier, images))
    longer = resume(opened, epochs=2)  # goes on from the transferred weights, all layers learning
    assert [row.epoch for row in longer.history] == [1, 2]
    assert longer.history[-1].train_accuracy > 0.5


def test_a_run_with_an_average_of_its_weights_goes_on_as_well(base: Classifier, tmp_path: Path) -> None:
    glyphs = bars(3, 24, "xyz", seed=1)
    task = task_of(base, glyphs)
    learned = learn(task, "probe", np.arange(24), Tuning())
    recipe = recorded_recipe(learned, task.settings, "the-base", "mnist", False)
    averaged = recipe.with_settings({"training.ema_decay": 0.9})
    facts = {"base": {"name": "the-base"}, "time_seconds": 1.5, "ways": []}
    run = write_run(tmp_path, learned, averaged, glyphs, replace(glyphs, split="test"), facts)
    assert len(resume(run, epochs=2).history) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"add": True, "way": "means"}, "transfer.way = 'means' changes the old classes' outputs"),
        ({"add": True, "way": "finetune"}, "use 'probe'"),
        ({"way": "probe", "freeze": 2}, "transfer.freeze has no effect with way = 'probe'"),
        ({"freeze": -1}, "transfer.freeze is -1; expected 0 or more"),
        ({"copies": 0}, "transfer.copies is 0; expected 1 or more"),
        ({"wey": "probe"}, "unknown setting 'transfer.wey'; did you mean 'way'"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.parse({"transfer": settings})


@pytest.mark.parametrize("name", ["transfer", "greek-frozen"])
def test_recipes_with_a_transfer_come_back_from_their_own_text(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.transfer is not None
    assert Recipe.from_toml(recipe.to_toml()).resolved() == recipe.resolved()


def test_the_frozen_recipe_is_the_reports() -> None:
    recipe = Recipe.load("greek-frozen")
    assert recipe.transfer is not None and recipe.transfer.way == "frozen"
    assert (recipe.network.name, recipe.training.optimizer, recipe.training.epochs) == ("mnist-net", "sgd", 20)

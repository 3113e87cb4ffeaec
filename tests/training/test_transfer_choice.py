"""The order in which ways are tried, what spares a slow one its trial, and that neither changes what is chosen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.training.recipe import Recipe
from glyphlab.training.transfer import choice as module
from glyphlab.training.transfer.choice import Untried, try_ways
from glyphlab.training.transfer.finetune import images_to_train_on, train_last_layer
from glyphlab.training.transfer.frozen import constant_layers
from glyphlab.training.transfer.heads import Floats, Tuning
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.trial import Judging, Plan
from glyphlab.training.transfer.ways import Way

COUNT, CLASSES = 30, 3


def noise(count: int = COUNT, side: int = 28) -> GlyphSet:
    rng = np.random.default_rng(0)
    targets = np.arange(count) % CLASSES
    images = rng.integers(0, 60, size=(count, side, side), dtype=np.uint8)
    for image, target in zip(images, targets, strict=True):
        image[3 + 8 * target : 8 + 8 * target, 2:-2] += np.uint8(150)
    return GlyphSet(images, targets, ("x", "y", "z"), name="noise")


def network(name: str, **options: object) -> Classifier:
    torch.manual_seed(0)
    spec = ClassifierSpec(name, (1, 28, 28), ("a", "b"), (0.2,), (0.4,), dict(options))
    return Classifier(spec).eval()


def task_of(base: Classifier, **frozen: object) -> Task:
    quick = {"engine.threads": 1, "engine.device": "cpu", "training.epochs": 2}
    recipe = Recipe.load("transfer").with_settings(quick | {"transfer.copies": 2})
    settings = {f"training.{key}": value for key, value in frozen.items()}
    return Task(base, noise(), recipe, Recipe.load("greek-frozen").with_settings(quick | settings))


@pytest.fixture
def task() -> Task:
    return task_of(network("glyphnet", width=4))


def plan_of(task: Task) -> Plan:
    plan = Plan.of(task)
    assert plan is not None
    return plan


class Script:
    """Stands for learning: each way makes as many mistakes a fold, on pictures and on copies, as is written here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mistakes: dict[Way, tuple[int, int]]) -> None:
        self.mistakes, self.asked = mistakes, list[Way]()
        monkeypatch.setattr("glyphlab.training.transfer.trial._answers", self.answers)

    def answers(self, task: Task, way: Way, pictures: object, rows: np.ndarray, tuning: Tuning) -> Floats:
        self.asked.append(way)
        own = len(rows) // 2
        truth = task.glyphs.targets[task.views.source[rows]].copy()
        of_pictures, of_copies = self.mistakes.get(way, (0, 0))  # the probe is asked for its tuning, too
        wrong = [*range(of_pictures), *range(own, own + of_copies)]
        truth[wrong] = (truth[wrong] + 1) % CLASSES
        return np.eye(CLASSES, dtype=np.float32)[truth]


def chosen(task: Task, *ways: Way, seconds_left: float = math.inf) -> module.Choice:
    return try_ways(task, ways, plan_of(task), seconds_left=lambda: seconds_left)


def test_nothing_is_better_than_all_right(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, {"means": (1, 2), "probe": (0, 0), "finetune": (0, 0)})
    found = chosen(task, "means", "probe", "finetune")
    assert found.best.way == "probe" and "finetune" not in script.asked
    assert found.untried == [Untried("finetune", "not tried: probe answers everything rightly")]


def test_copies_can_still_decide_where_all_pictures_are_right(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(monkeypatch, {"means": (0, 2), "finetune": (0, 1)})
    found = chosen(task, "means", "finetune")
    assert found.best.way == "finetune" and not found.untried


@pytest.mark.parametrize(
    ("means", "finetune", "folds"),
    [
        ((1, 1), (3, 3), 2),  # 5 mistakes cannot be undercut after 3 + 3
        ((1, 1), (1, 1), None),  # level to the end, where the loss decides
        ((0, 1), (1, 0), 1),
        ((0, 1), (0, 3), 2),
    ],
)
def test_a_hopeless_way_is_stopped_as_soon_as_it_is_hopeless_and_not_before(
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
    means: tuple[int, int],
    finetune: tuple[int, int],
    folds: int | None,
) -> None:
    script = Script(monkeypatch, {"means": means, "finetune": finetune})
    found = chosen(task, "means", "finetune")
    assert script.asked.count("finetune") == (folds or 5)
    if folds is None:
        assert not found.untried
    else:
        assert found.best.way == "means"
        reason = f"stopped after {folds} of 5 folds: means cannot be overtaken any more"
        assert [way.reason for way in found.untried] == [reason]


def test_stopping_the_hopeless_changes_no_choice(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    plan = plan_of(task)
    for _ in range(30):
        drawn = rng.integers(0, 3, size=(3, 2)).tolist()
        mistakes: dict[Way, tuple[int, int]] = dict(
            zip(("means", "probe", "finetune"), map(tuple, drawn), strict=True)  # type: ignore[arg-type]
        )
        Script(monkeypatch, mistakes)
        stopped = try_ways(task, ("means", "probe", "finetune"), plan).best
        trials = [try_ways(task, (way,), plan).best for way in ("means", "probe", "finetune")]
        whole = module.best_of(trials)
        assert (stopped.accuracy, stopped.varied) == (whole.accuracy, whole.varied)


def test_a_way_that_would_take_too_long_is_not_tried(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, {"means": (2, 2), "probe": (1, 1), "frozen": (0, 0), "finetune": (0, 0)})
    views = replace(task.views, seconds_per_image=0.01)
    monkeypatch.setitem(task.__dict__, "views", views)
    found = chosen(task, "means", "probe", "finetune", seconds_left=10.0)
    assert found.best.way == "probe" and "finetune" not in script.asked
    # 30 pictures, 2 epochs, five folds and the last training, 3 times as long as looking.
    assert found.untried[0].reason == "not tried: would take about 11 s more, 10 s are left (--seconds)"
    assert chosen(task, "means", "probe", "finetune", seconds_left=11.0).best.way == "finetune"
    # Asked for alone, it is tried however long it takes.
    assert chosen(task, "finetune", seconds_left=0.0).best.way == "finetune"


def test_what_the_first_folds_took_is_what_the_others_will_take(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(monkeypatch, {"means": (2, 2), "frozen": (0, 0)})
    judged = Judging.judge_next

    def slowly(judging: Judging) -> None:
        judged(judging)
        judging.time_seconds = 4.0 * judging.done

    monkeypatch.setattr(Judging, "judge_next", slowly)
    found = chosen(task, "means", "frozen", seconds_left=19.0)
    assert found.untried == [
        Untried("frozen", "stopped after 1 of 5 folds: would take about 20 s more, 19 s are left (--seconds)", 4.0)
    ]
    assert chosen(task, "means", "frozen", seconds_left=20.0).best.way == "frozen"


def test_fine_tuning_begins_from_the_best_probe_whether_or_not_that_is_asked_for(task: Task) -> None:
    plan = plan_of(task)
    beside = try_ways(task, ("probe", "finetune"), plan)
    alone = try_ways(task, ("finetune",), plan)
    assert alone.best.tuning == beside.trials[0].tuning
    assert [trial.way for trial in alone.trials] == ["finetune"]


@pytest.mark.parametrize(
    ("base", "constant"),
    [
        (network("glyphnet", width=4), 16),  # all but the last layer; its dropout is off
        (network("glyphnet", width=4, dropout=0.2), 15),
        (network("mnist-net"), 4),  # up to the dropout of whole maps
        (network("linear"), 1),
    ],
)
def test_layers_that_say_the_same_each_time_are_asked_once(base: Classifier, constant: int) -> None:
    assert constant_layers(base) == constant
    task = task_of(base, epochs=3)
    images = torch.from_numpy(task.glyphs.images)
    assert len(task.constants) == COUNT
    fast = train_last_layer(task, np.arange(COUNT))
    task.__dict__["constant"] = 0  # as though nothing could be computed in advance
    slow = train_last_layer(task, np.arange(COUNT))
    torch.testing.assert_close(predict(fast.classifier, images), predict(slow.classifier, images), atol=1e-4, rtol=1e-4)
    assert [row.train_loss for row in fast.history] == pytest.approx([row.train_loss for row in slow.history], 1e-4)


def test_varied_pictures_are_never_the_same(task: Task) -> None:
    varied = task.frozen_recipe.with_settings({"augment.shift": 0.1})
    assert replace(task, frozen_recipe=varied).constant == 0


def test_how_many_images_a_training_sees() -> None:
    recipe = Recipe.load("transfer")
    assert images_to_train_on(recipe, 240) == 6_000
    assert images_to_train_on(recipe.with_settings({"training.epochs": 3}), 240) == 720


def test_solving_leaves_the_number_of_threads_as_it_was(task: Task) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        try_ways(task, ("means", "probe"), plan_of(task))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_probes_folds_are_counted_over_all_its_tunings(task: Task) -> None:
    told: list[tuple[str, int, int]] = []
    try_ways(task, ("probe",), plan_of(task), lambda *news: told.append(news))
    assert told == [("probe", done, 15) for done in range(16)]


def test_large_pictures_are_varied_little_and_looked_at_few_at_once() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(6, 96, 96, 3), dtype=np.uint8)
    spec = ClassifierSpec("glyphnet", (3, 96, 96), ("a", "b"), (0.2,) * 3, (0.4,) * 3, {"width": 2})
    glyphs = GlyphSet(images, np.arange(6) % 2, ("x", "y"), name="photos")
    task = Task(Classifier(spec).eval(), glyphs, Recipe.load("transfer"), Recipe.load("greek-frozen"))
    assert task.batch_size == 8
    assert task.views.images.shape == (12, 96, 96, 3)
    np.testing.assert_array_equal(task.views.images[:6], images)
    assert (task.views.images[6:] != images).any(axis=(1, 2, 3)).all()

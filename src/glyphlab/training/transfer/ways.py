"""The four ways by name, and what each makes of a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from glyphlab.networks.classifier import Classifier
from glyphlab.training.history import EpochMetrics
from glyphlab.training.progress import Reporter
from glyphlab.training.recipe import Recipe
from glyphlab.training.transfer.adding import added_columns
from glyphlab.training.transfer.finetune import fine_tune, settled_engine, train_last_layer
from glyphlab.training.transfer.frozen import with_classes
from glyphlab.training.transfer.heads import Head, Integers, Tuning, class_means, logistic_probe
from glyphlab.training.transfer.task import Task

Way: TypeAlias = Literal["means", "probe", "frozen", "finetune"]  # the quickest first

SUMMARIES: dict[Way, str] = {
    "means": "the nearest class mean, all layers frozen",
    "probe": "logistic regression on the features, all layers frozen",
    "frozen": "a new last layer by gradient descent, all others frozen (report B)",
    "finetune": "the probe as last layer, then all layers that are not frozen learn on",
}


@dataclass(frozen=True, eq=False)
class Learned:
    """A network that was taught. history: of gradient descent, where the way is by it. recipe: its engine settled."""

    way: Way
    classifier: Classifier
    recipe: Recipe
    history: list[EpochMetrics] = field(default_factory=list)


def open_to(task: Task) -> tuple[Way, ...]:
    """The ways that a task allows: old outputs are kept exactly by solving for the new ones beside them."""
    return ("probe",) if task.kept else ("means", "probe", "frozen", "finetune")


def solve(task: Task, way: Way, pictures: Integers, tuning: Tuning) -> Head:
    """The last layer of a way that solves for it. pictures: int64, which of the task's to learn from."""
    rows = task.views.of(pictures)
    features, targets = task.views.features[rows], task.glyphs.targets[task.views.source[rows]]
    if task.kept:
        own = Head.of(task.base)
        return added_columns(own, features, targets, own.logits(features), task.classes, tuning=tuning)
    if way == "means":
        return class_means(features, targets, task.classes, bias=task.has_bias)
    return logistic_probe(features, targets, task.classes, bias=task.has_bias, strength=tuning.strength)


def learn(task: Task, way: Way, pictures: Integers, tuning: Tuning, reporter: Reporter | None = None) -> Learned:
    """Teach the base by one way. tuning: the probe's, from which fine-tuning begins; the others do not use it."""
    if way == "frozen":
        trained = train_last_layer(task, pictures, reporter)
        return Learned(way, trained.classifier, trained.recipe, trained.history)
    if way == "finetune":
        trained = fine_tune(task, pictures, solve(task, "probe", pictures, tuning), reporter)
        return Learned(way, trained.classifier, trained.recipe, trained.history)
    classifier = with_classes(task.base, task.glyphs.class_names)
    solve(task, way, pictures, tuning).put_into(classifier)
    engine = settled_engine(task.recipe, classifier)  # of no use here, but of use to who trains the run on
    settled = task.recipe.model_copy(update={"engine": engine.settings()})
    return Learned(way, classifier.eval(), settled)

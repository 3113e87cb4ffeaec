"""The whole way from a trained network and a folder of pictures to a run that is judged and a model file that reads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import user_path
from glyphlab.data.pictures import contact_sheet, save_sheet
from glyphlab.errors import ModelError, RecipeError, did_you_mean
from glyphlab.evaluation.calibration import balancing_weights, calibrated
from glyphlab.evaluation.description import redescribe
from glyphlab.evaluation.evaluate import evaluate, evaluation_folder
from glyphlab.evaluation.export import conclude
from glyphlab.evaluation.pictures import draw_examples
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.transfer.base import Base, open_base
from glyphlab.evaluation.transfer.folds import judged_in_folds, replace_figures
from glyphlab.evaluation.transfer.pictures import Pictures, prepare_pictures
from glyphlab.evaluation.transfer.report import Retention, TransferReport
from glyphlab.networks import registry
from glyphlab.networks.classifier import predict
from glyphlab.recognition.conformal import ConformalTable
from glyphlab.recognition.modelfile import MODEL_NAME
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.progress import Reporter, Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run
from glyphlab.training.settings import TransferSettings
from glyphlab.training.transfer.adding import refuse_clashes, rehearsal, restrained
from glyphlab.training.transfer.choice import Choice, OnFold, try_ways
from glyphlab.training.transfer.frozen import frozen_layers
from glyphlab.training.transfer.heads import Head, Integers, Tuning, certainty
from glyphlab.training.transfer.outcome import joined, recorded_recipe, write_run
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.trial import Plan, Trial, surplus_of
from glyphlab.training.transfer.ways import Learned, Way, learn, open_to

DEFAULT_RECIPE, FROZEN_RECIPE = "transfer", "greek-frozen"
WAYS: tuple[Way, ...] = get_args(Way)
_SHOWN_A_CLASS, _EXAMPLES = 20, 40
_NO_TRIAL: Way = "probe"
DEFAULT_SECONDS = 60.0
# Of the time given, for the run's files, the model file with its check, and the figures.
_RESERVE = 0.1

OnPicture = Callable[[int, int], None]


def transfer(
    base: str | Path,
    data: str | Path,
    *,
    way: str = "auto",
    freeze: str | int | None = None,
    add: bool = False,
    hold_out: bool = True,
    skip_bad: bool = False,
    recipe: Recipe | str | Path = DEFAULT_RECIPE,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    seconds: float | None = DEFAULT_SECONDS,
    weights: Path | None = None,
    data_dir: Path | None = None,
    runs_dir: str | Path = "runs",
    reporter: Reporter | None = None,
    on_picture: OnPicture | None = None,
    on_fold: OnFold | None = None,
) -> TransferReport:
    """Teach a trained network the characters in a folder of pictures.

        report = transfer("characters", "greek-photos")
        report.way, report.evaluation.accuracy, report.model

    base: a run, a shipped or exported model, or an ImageNet network whose weights are at hand. data: a folder with
    a folder of pictures a class, or with train/ and test/ of such. way: "means", "probe", "finetune", "frozen", or
    "auto": the best in cross-validation on the training pictures, by the rule of `training.transfer.choice`. freeze:
    for fine-tuning, "all", "none" or how many layers. add: the new classes join the base's own; where the base's data
    are at hand some of it is rehearsed. hold_out: without a test part, some pictures of each class are kept back to
    test by; with False all are learned from, and the figures are those of cross-validation. skip_bad: go on without
    pictures that cannot be used. recipe, epochs, settings: of the training, see `recipes/transfer.toml`.
    seconds: with "auto", ways that would take longer are not tried; None: all are. weights: a file of an ImageNet
    network's weights, instead of the usual ones.

    The run records the way that was taken: its recipe gives the same network again on any number of seconds.
    Test pictures are read at the end only. Raises `DataError`, `ModelError`, `RecipeError`, `RunError`.
    """
    began = time.monotonic()
    reporter = reporter or Silent()
    asked = {
        "transfer.freeze": freeze,
        "transfer.add": add or None,
        "transfer.hold_out": None if hold_out else False,
        "data.skip_bad": skip_bad or None,
        "training.epochs": epochs,
    }
    changes = dict(settings or {}) | {key: value for key, value in asked.items() if value is not None}
    chosen, frozen_recipe = _recipes(recipe, way, changes)
    opened = open_base(base, runs_dir, data_dir, weights)
    depth = (chosen.transfer or TransferSettings()).freeze or "none"
    frozen_layers(opened.classifier, depth)  # more than it has are refused before any work is done
    hold_out, skip_bad = (chosen.transfer or TransferSettings()).hold_out, chosen.data.skip_bad
    pictures = prepare_pictures(user_path(data), opened.info, on_picture, hold_out=hold_out, skip_bad=skip_bad)
    if opened.run is not None:
        pictures = replace(pictures, before=opened.data("train", data_dir))
    if chosen.transfer is not None and chosen.transfer.add:
        refuse_clashes(opened.classifier.spec.class_names, pictures.train.class_names)
    sheet = _show(pictures, Path(runs_dir), reporter)
    task = _task(opened, pictures.train, chosen, frozen_recipe, data_dir, reporter)

    deadline = began + (math.inf if seconds is None else (1 - _RESERVE) * seconds)
    choice, learned, trial = _learn(task, reporter, on_fold, lambda: deadline - time.monotonic())
    factor = _certainty(task, opened, learned, trial)
    conformal = _make_certain(task, learned, trial, factor)
    old = opened.data("test", data_dir) if task.kept else None
    test = _test_part(task, pictures.test, old)
    facts = _facts(opened, pictures, task, choice, learned, sheet) | {
        "time_seconds": round(time.monotonic() - began, 3)
    }
    recorded = recorded_recipe(learned, task.settings, _resolved_name(opened), opened.info.framing, opened.info.invert)
    run = write_run(Path(runs_dir), learned, recorded, task.glyphs, test, facts)
    evaluation, model = _conclude(run, conformal, reporter)
    if pictures.untested and trial is not None:
        evaluation, test = judged_in_folds(task, trial, factor, test, evaluation)
        replace_figures(run, evaluation, test)
    draw_examples(evaluation, test, _examples(evaluation), evaluation_folder(run) / "examples.png")
    return TransferReport(
        run=run,
        base=opened.name,
        way=learned.way,
        trials=tuple(choice.trials),
        untried=tuple(choice.untried),
        pictures=pictures,
        sheet=sheet,
        frozen=task.frozen if learned.way == "finetune" else None,
        evaluation=evaluation,
        retention=_retention(task, old, evaluation) if old is not None else None,
        fresh=_accuracy_without(pictures.repeated, evaluation, len(pictures.test)),
        model=model,
        time_seconds=time.monotonic() - began,
    )


def _recipes(recipe: Recipe | str | Path, way: str, settings: Mapping[str, Any]) -> tuple[Recipe, Recipe]:
    """The recipe with the caller's changes, and the one that the way "frozen" follows."""
    given = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    own = given.transfer or TransferSettings()
    way = str(settings.get("transfer.way", own.way)) if way == "auto" else way
    if way not in ("auto", *WAYS):
        raise RecipeError(f"unknown way '{way}'; {did_you_mean(way, ('auto', *WAYS))}")
    if way in ("means", "probe") and any(key.startswith("training.") and key != "training.seed" for key in settings):
        raise RecipeError(f"way '{way}' solves for its last layer and is not trained; leave out epochs and training.*")
    _refuse_without_effect(given, settings)
    changes: dict[str, Any] = {"data.validation": 0.0, "transfer.way": way}
    if given.data.folds is not None:
        changes |= {"data.folds": None, "data.fold": None}
    chosen = given.with_settings({**changes, **settings})
    if own.way == "frozen":
        return chosen, chosen
    # The way "frozen" stays as the report has it, but for what concerns it when it is one of several.
    meant = {
        key: value
        for key, value in settings.items()
        if way == "frozen" or key == "training.epochs" or key.startswith("engine.")
    }
    frozen = Recipe.load(FROZEN_RECIPE).with_settings(meant)
    return chosen, frozen.model_copy(update={"name": chosen.name, "description": chosen.description})


def _refuse_without_effect(given: Recipe, settings: Mapping[str, Any]) -> None:
    """`RecipeError` for settings that a transfer takes from its base and its pictures."""
    recorded = ("transfer.base", "transfer.framing", "transfer.invert")
    for key in settings.keys() - {"data.skip_bad"}:
        if key.partition(".")[0] in ("data", "network") or key in recorded:
            raise RecipeError(f"{key} has no effect in a transfer: the base and the pictures decide; leave it out")
    if given.training.teachers is not None or "training.teachers" in settings:
        raise RecipeError("training.teachers has no effect in a transfer; remove it")


def _show(pictures: Pictures, runs_dir: Path, reporter: Reporter) -> Path:
    """Draw the prepared pictures before anything is learned, and name those that cannot be used."""
    train, path = pictures.train, runs_dir / f"{pictures.train.name}-pictures.png"
    save_sheet(contact_sheet(train, _SHOWN_A_CLASS), path)
    for unusable in pictures.unusable:
        reporter.note(f"left out: {unusable}")
    test = "none held out" if pictures.untested else f"{len(pictures.test):,} to test"
    reporter.note(
        f"{len(train):,} pictures of {len(train.class_names)} classes to learn from, {test}; "
        f"as the network sees them: {path}"
    )
    if len(pictures.repeated) and not pictures.untested:
        reporter.note(
            f"{len(pictures.repeated)} of the pictures to test are also among those that the network learns or learned "
            "from; judge by the others"
        )
    return path


def _task(
    base: Base, train: GlyphSet, recipe: Recipe, frozen_recipe: Recipe, data_dir: Path | None, reporter: Reporter
) -> Task:
    """With --add the base's classes come first, and a sample of its data joins the pictures."""
    if recipe.transfer is None or not recipe.transfer.add:
        return Task(base.classifier, train, recipe, frozen_recipe)
    own = base.classifier.spec.class_names
    old = base.data("train", data_dir)
    if old is None:
        reporter.note(
            f"the data that {base.name} learned from are not at hand (name their folder with --data-dir): its own "
            "outputs stay as they are, and the new ones are held back; what that costs the old classes is not measured"
        )
    parts = [train] if old is None else [rehearsal(old, recipe.training.seed), train]
    remark = old.remark if old is not None else ""
    glyphs = joined(parts, (*own, *train.class_names), train.name, "train", remark)
    return Task(base.classifier, glyphs, recipe, frozen_recipe, kept=len(own))


def _learn(
    task: Task, reporter: Reporter, on_fold: OnFold | None, seconds_left: Callable[[], float]
) -> tuple[Choice, Learned, Trial | None]:
    """Try the ways that are open, and learn from all pictures by the best, or by the one that was asked for."""
    asked = task.settings.way
    ways = open_to(task)
    if asked != "auto":
        assert asked in ways, asked  # the recipe refuses others
        ways = tuple(way for way in WAYS if way == asked)
    plan = Plan.of(task)
    everything = np.arange(len(task.glyphs))
    if plan is None:
        way = _NO_TRIAL if asked == "auto" else ways[0]
        reporter.note(f"a class has a single picture, so that nothing can be cross-validated: '{way}' is taken untried")
        return Choice(), learn(task, way, everything, Tuning(), reporter), None
    choice = try_ways(task, ways, plan, on_fold, seconds_left)
    best = choice.best
    return choice, learn(task, best.way, everything, best.tuning, reporter), best


def _certainty(task: Task, base: Base, learned: Learned, trial: Trial | None) -> float:
    """The factor for the last layer's logits with which probabilities mean what they say, by cross-validation.

    New classes beside old ones that nothing is rehearsed of keep the certainty of the old. Untried, the pictures that
    were learned from are all there is to judge by.
    """
    if task.kept and not task.rehearses:
        return 1 / base.info.temperature
    if trial is not None:
        return trial.certainty
    views = task.views
    return certainty(Head.of(learned.classifier).logits(views.features), task.glyphs.targets[views.source])


def _make_certain(task: Task, learned: Learned, trial: Trial | None, factor: float) -> ConformalTable | None:
    """Scale the last layer; new columns beside old ones that nothing is rehearsed of are lowered as well.

    Also the thresholds for sets of answers, where cross-validation tells them.
    """
    head, views = Head.of(learned.classifier), task.views
    restrains = bool(task.kept) and not task.rehearses
    if restrains:
        surplus = surplus_of(head.logits(views.features), task.kept) if trial is None else trial.lowered
        head = restrained(head, task.kept, views.features, surplus)
    head.scaled(factor).put_into(learned.classifier)
    if trial is None or restrains:
        return None
    probs = calibrated(trial.logits * np.float32(factor), 1.0)
    return ConformalTable.fit(probs, trial.targets, balancing_weights(trial.targets))


def _test_part(task: Task, pictures: GlyphSet, old: GlyphSet | None) -> GlyphSet:
    """The test images of the new run: the pictures, behind the old classes' test images where these are kept."""
    if not task.kept:
        return pictures
    parts = [pictures] if old is None else [old, pictures]
    remark = old.remark if old is not None else ""
    return joined(parts, task.glyphs.class_names, pictures.name, "test", remark)


def _retention(task: Task, old: GlyphSet, evaluation: Evaluation) -> Retention:
    """Before and after on the old classes' test images, with which the evaluated ones begin."""
    images = torch.from_numpy(old.images)
    before = predict(task.base, images, batch_size=task.batch_size).numpy().argmax(axis=1)
    right = evaluation.predictions == evaluation.targets
    return Retention(
        data=old.name,
        images=len(old),
        before=float(np.mean(before == old.targets)),
        after=float(right[: len(old)].mean()),
        new=float(right[len(old) :].mean()),
    )


def _conclude(run: Run, conformal: ConformalTable | None, reporter: Reporter) -> tuple[Evaluation, Path | None]:
    """The run's evaluation and its model file; None for a network that model files cannot hold."""
    try:
        evaluation = conclude(run)
    except ModelError as error:
        if run.recipe.network.name not in registry.imagenet_names():
            raise
        reporter.note(f"no model file: {error}")
        return evaluate(run), None
    path = run.folder / MODEL_NAME
    info = Recognizer.load(path, threads=1).info
    redescribe(path, replace(info, conformal=conformal))
    return evaluation, path


def _accuracy_without(repeated: Integers, evaluation: Evaluation, pictures: int) -> float | None:
    """The share of the new classes' test pictures answered rightly, repeated ones left out; None without such."""
    if not len(repeated) or len(repeated) == pictures:
        return None
    right = (evaluation.predictions == evaluation.targets)[-pictures:]  # they come last, behind any old classes'
    return float(np.delete(right, repeated).mean())


def _examples(evaluation: Evaluation) -> list[int]:
    """Test images evenly over the set, so that all classes are seen."""
    count = len(evaluation)
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, _EXAMPLES)).round())]


def _resolved_name(base: Base) -> str:
    """The base's name as it can be found again from anywhere."""
    return str(base.run.folder.resolve()) if base.run is not None else base.name


def _facts(base: Base, pictures: Pictures, task: Task, choice: Choice, learned: Learned, sheet: Path) -> dict[str, Any]:
    """What transfer.json says."""
    spec = base.classifier.spec
    return {
        "base": {
            "name": _resolved_name(base),
            "network": spec.network,
            "classes": len(spec.class_names),
            "data": base.info.data.get("name", "") if base.run is None else base.run.environment["data"]["name"],
        },
        "way": learned.way,
        "frozen_layers": task.frozen if learned.way == "finetune" else None,
        "kept_classes": task.kept,
        "rehearsed": int(np.count_nonzero(task.glyphs.targets < task.kept)),
        "pictures": pictures.to_json(),
        "sheet": str(sheet),
        "ways": [trial.to_json() for trial in choice.trials],
        "untried": [way.to_json() for way in choice.untried],
    }

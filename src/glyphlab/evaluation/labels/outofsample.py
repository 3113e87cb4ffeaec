"""Out-of-sample probabilities: what networks that never saw an image say of it, for every training image.

k-fold cross-validation: the training images are divided into k parts, and k networks are trained, each on all parts
but one, which it then judges. Each training is a normal run, so one that was killed continues where it was.

    <folder>/fold-1/<data>-<recipe>-1/    ... fold-k/: the runs
    <folder>/probs.npy                    float32 [N, K]
    <folder>/fold.npy                     int8 [N], which part each image belongs to, 1 to k
    <folder>/kfold.json                   what they were made of; written last

The probabilities come from each run's *last* weights: to choose the best epoch by the part that is to be judged would
let its labels, wrong ones included, into the choice. For the same reason a recipe's early stopping is left out, and a
plateau schedule becomes a cosine one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation import metrics
from glyphlab.files import whole_file, write_json
from glyphlab.networks.classifier import Classifier, load_weights, predict
from glyphlab.training.images import Parts, load_images
from glyphlab.training.loop import Ending
from glyphlab.training.progress import Reporter, Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.settings import EngineSettings
from glyphlab.training.train import compose, require_trainable, train_glyphs

# Epochs of a fold where neither the user nor a run says how many: about so many images, within these bounds. A network
# need not be the best to contradict a wrong label.
_FOLD_IMAGES = 120_000
_FOLD_EPOCHS = (2, 40)


@dataclass(frozen=True, eq=False)
class OutOfSample:
    """Every training image with the probabilities of a network that was not trained on it.

    probs: float32 [N, K]. fold: int8 [N], 1 to k. glyphs: the N training images.
    """

    probs: NDArray[np.float32]
    fold: NDArray[np.int8]
    glyphs: GlyphSet

    @property
    def accuracy(self) -> float:
        """Share of images whose given label is the most likely class, 0 to 1."""
        return float((self.probs.argmax(axis=1) == self.glyphs.targets).mean())


def out_of_sample(
    source: Recipe | Run,
    folder: Path | None = None,
    folds: int = 5,
    *,
    settings: Mapping[str, Any] | None = None,
    data_dir: Path | None = None,
    reporter: Reporter | None = None,
    force: bool = False,
) -> OutOfSample:
    """Train `folds` networks and judge each training image by the one that did not see it.

    source: a recipe, or a run that lends its recipe and its data. folder: where the folds' runs and the result lie;
    default, for a run, its own `kfold`. What is there already is used, and an unfinished fold is continued.
    settings: dotted replacements in the recipe, ``{"training.epochs": 3}``.
    force: train anew where the folder holds folds of other data or another recipe.

    Raises `RunError` for such a folder without `force`, `RecipeError` for a recipe that teaches a trained network,
    `DataError` for data that cannot be read or divided, and `KeyboardInterrupt` after a Ctrl-C has been heard and the
    present fold saved.
    """
    reporter = reporter or Silent()
    recipe = _asked_for(source, settings or {})
    require_trainable(recipe)
    data_dir = source.data_dir(data_dir) if isinstance(source, Run) else data_dir
    if folder is None:
        assert isinstance(source, Run), "a recipe needs a folder"
        folder = kfold_folder(source)
    glyphs = load_images(recipe, "train", data_dir, on_skip=lambda _: None)
    if isinstance(source, Run):
        source.require_same_data(glyphs)
    recipes = [fold_recipe(recipe, folds, fold) for fold in range(1, folds + 1)]
    if force:
        _clear(folder, recipes[0], glyphs)
    _require_same_origin(folder, recipes[0], glyphs)
    stored = _read(folder, glyphs)
    if stored is not None:
        reporter.note(f"out-of-sample probabilities are at hand: {folder}")
        return stored

    probs = np.empty((len(glyphs), len(glyphs.class_names)), dtype=np.float32)
    part = np.empty(len(glyphs), dtype=np.int8)
    images = torch.from_numpy(glyphs.images)
    runs: list[Run] = []
    for fold, wanted in enumerate(recipes, start=1):
        # The first fold settles the engine by timing; the others use what it found.
        engine = runs[0].recipe.engine if runs else wanted.engine
        wanted = wanted.model_copy(update={"engine": engine})
        reporter.note(f"fold {fold} of {folds}")
        run = _trained(wanted, glyphs, folder / f"fold-{fold}", data_dir, reporter)
        held_out = Parts.carve(glyphs, wanted).validation
        logits = predict(last_classifier(run), images, torch.from_numpy(held_out))
        probs[held_out] = np.exp(metrics.log_softmax(logits.numpy()))
        part[held_out] = fold
        runs.append(run)
    result = OutOfSample(probs, part, glyphs)
    _write(result, folder, recipes[0], runs)
    return result


def load_out_of_sample(run: Run, data_dir: Path | None = None) -> OutOfSample | None:
    """What `out_of_sample` stored in a run's own folder; None where it was never asked for.

    Raises `DataError` when the run's data are not at hand, `RunError` when they have changed or a file is damaged.
    """
    folder = kfold_folder(run)
    if not (folder / "kfold.json").is_file():
        return None
    glyphs = load_images(run.recipe, "train", run.data_dir(data_dir))
    run.require_same_data(glyphs)
    return _read(folder, glyphs)


def kfold_folder(run: Run) -> Path:
    """Where a run keeps its out-of-sample probabilities."""
    return run.folder / "kfold"


def fold_recipe(recipe: Recipe, folds: int, fold: int) -> Recipe:
    """The recipe of one fold: all but that part is trained on, and nothing is chosen by the part kept back."""
    changes: dict[str, Any] = {
        "data.validation": None,
        "data.folds": folds,
        "data.fold": fold,
        "training.early_stopping_epochs": None,
        "training.teachers": None,  # who know the part kept back
        "training.distillation": None,
    }
    if recipe.training.schedule == "plateau":
        changes |= {
            "training.schedule": "cosine",
            "training.plateau_factor": None,
            "training.plateau_patience": None,
        }
    return recipe.with_settings(changes)


def fold_epochs(images: int, folds: int) -> int:
    """How many epochs make a fold of so many training images quick: 2 for MNIST, more for small sets."""
    fewest, most = _FOLD_EPOCHS
    return min(max(round(_FOLD_IMAGES * folds / (images * (folds - 1))), fewest), most)


def fold_runs(folder: Path) -> list[Run]:
    """The runs of the folds that have been begun, in the order of the folds."""
    numbered = ((int(path.name.removeprefix("fold-")), path) for path in _fold_folders(folder))
    found = (_existing(path) for _, path in sorted(numbered))
    return [run for run in found if run is not None]


def last_classifier(run: Run) -> Classifier:
    """The network after its last step, whichever epoch was best on the part kept back."""
    return load_weights(run.folder / "weights-last.safetensors")


# ---- the folds' runs --------------------------------------------------------------------------------------


def _asked_for(source: Recipe | Run, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with absolute paths. A run's engine is taken over where this machine has its device."""
    if isinstance(source, Recipe):
        return compose(source, settings=settings)
    recipe = source.recipe
    if recipe.engine.device != "cpu" and not (recipe.engine.device == "cuda" and torch.cuda.is_available()):
        recipe = recipe.model_copy(update={"engine": EngineSettings()})
    return recipe.with_settings(settings) if settings else recipe


def _trained(recipe: Recipe, glyphs: GlyphSet, folder: Path, data_dir: Path | None, reporter: Reporter) -> Run:
    """The finished run of a fold: found, continued or begun."""
    run = _existing(folder)
    if run is None:
        run = train_glyphs(recipe, glyphs, data_dir=data_dir, runs_dir=folder, reporter=reporter)
    elif not run.is_done:
        run = resume(run, data_dir=data_dir, reporter=reporter)
    if run.status["status"] == Ending.INTERRUPTED.value:
        raise KeyboardInterrupt
    return run


def _existing(folder: Path) -> Run | None:
    return next(iter(Run.all_in(folder)), None)


def _fold_folders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("fold-*") if path.name.removeprefix("fold-").isdigit())


# ---- what belongs together ---------------------------------------------------------------------------------


def _require_same_origin(folder: Path, asked: Recipe, glyphs: GlyphSet) -> None:
    """Refuse to mix folds of different trainings."""
    difference = next(_differences(folder, asked, glyphs), None)
    if difference is not None:
        raise RunError(
            f"{folder} holds folds of another training ({difference}); "
            "use --force to train them anew, or --out to keep both"
        )


def _differences(folder: Path, asked: Recipe, glyphs: GlyphSet) -> Iterator[str]:
    """How what lies in the folder differs from what is asked for, in words."""
    recorded: list[tuple[dict[str, Any], str]] = [
        (_defining(run.recipe), run.environment["data"]["sha256"]) for run in fold_runs(folder)
    ]
    if (folder / "kfold.json").is_file():
        about = _about(folder)
        recorded.append((about["recipe"], about["data_sha256"]))
    digest, ours = (glyphs.digest() if recorded else ""), _defining(asked)
    for theirs, sha256 in recorded:
        for key in sorted(ours.keys() | theirs.keys()):
            left_to_the_run = key == "training.epochs" and ours[key] == "auto"
            if not left_to_the_run and ours.get(key) != theirs.get(key):
                yield f"{key} is {theirs.get(key)!r} there, {ours.get(key)!r} here"
        if sha256 != digest:
            yield f"the data '{asked.data.name}' has changed"


def _defining(recipe: Recipe) -> dict[str, Any]:
    """What the folds of one training have in common, as dotted settings."""
    settings = {
        key: value for key, value in recipe.dotted().items() if not key.startswith("engine.") and key != "data.fold"
    }
    plain: dict[str, Any] = json.loads(json.dumps(settings))  # as it comes back from kfold.json
    return plain


def _clear(folder: Path, asked: Recipe, glyphs: GlyphSet) -> None:
    """Remove the folds of another training; those of the same one are kept."""
    if next(_differences(folder, asked, glyphs), None) is None:
        return
    # First, so that whoever finds it finds everything else.
    (folder / "kfold.json").unlink(missing_ok=True)
    for path in _fold_folders(folder):
        shutil.rmtree(path)


# ---- the stored result -------------------------------------------------------------------------------------


def _write(result: OutOfSample, folder: Path, recipe: Recipe, runs: list[Run]) -> None:
    for name, array in (("probs", result.probs), ("fold", result.fold)):
        with whole_file(folder / f"{name}.npy") as temporary:
            np.save(temporary, array, allow_pickle=False)
    glyphs = result.glyphs
    # The epochs as they were trained, where the recipe leaves their number open.
    trained = recipe.with_settings({"training.epochs": runs[0].recipe.training.epochs})
    write_json(
        folder / "kfold.json",
        {
            "data": glyphs.name,
            "data_sha256": glyphs.digest(),
            "remark": glyphs.remark,
            "images": len(glyphs),
            "class_names": list(glyphs.class_names),
            "folds": len(runs),
            "accuracy": result.accuracy,
            "runs": [run.folder.relative_to(folder).as_posix() for run in runs],
            "recipe": _defining(trained),
        },
    )


def _read(folder: Path, glyphs: GlyphSet) -> OutOfSample | None:
    """The stored result; None where there is none. Raises `RunError` when it is damaged or of other data."""
    if not (folder / "kfold.json").is_file():
        return None
    cure = f"remove {folder} and run glyphlab labels find again"
    if _about(folder)["data_sha256"] != glyphs.digest():
        raise RunError(f"{folder} is of other data than '{glyphs.name}' as it is now; {cure}")
    try:
        probs = np.load(folder / "probs.npy", allow_pickle=False)
        fold = np.load(folder / "fold.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(f"{folder}: its probabilities cannot be read ({error}); {cure}") from error
    if probs.shape != (len(glyphs), len(glyphs.class_names)) or fold.shape != (len(glyphs),):
        raise RunError(f"{folder}: probs.npy is {list(probs.shape)}, expected one row an image; {cure}")
    return OutOfSample(probs, fold, glyphs)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "kfold.json"
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        about["recipe"], about["data_sha256"]
        return about
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read {path}: {error}; remove {folder} to train anew") from error

"""What a search for label errors is about: a run and its data, or a data set alone; and the search itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import user_path
from glyphlab.data.naming import clean_name
from glyphlab.data.saved import is_saved_folder, saved_path
from glyphlab.data.sources import names
from glyphlab.errors import DataError, did_you_mean, quoted
from glyphlab.evaluation import metrics
from glyphlab.evaluation.evaluate import match_classes, require_held_out
from glyphlab.evaluation.labels.nearest import OnProgress, nearest_others
from glyphlab.evaluation.labels.outofsample import fold_epochs, fold_runs, last_classifier, out_of_sample
from glyphlab.evaluation.labels.pictures import draw_duplicates, draw_outliers, draw_suspicious
from glyphlab.evaluation.labels.search import NEIGHBOURS, LabelSearch, Suspicion, read_labels, require_searched
from glyphlab.files import write_text
from glyphlab.networks.classifier import Classifier
from glyphlab.networks.features import predict_with_features
from glyphlab.runfolder import is_run, labels_folder, search_folder
from glyphlab.training.images import load_images
from glyphlab.training.progress import Reporter
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run
from glyphlab.training.train import DEFAULT_RECIPE, compose
from glyphlab.training.transfer.start import only_teaches

DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class LabelTarget:
    """A run, or a data set without one.

    recipe: the run's, or one made for the data set. home: the folder in which findings lie. settings: replacements in
    a run's recipe for the training of the folds.
    """

    run: Run | None
    recipe: Recipe
    data_dir: Path | None
    home: Path
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        target: str,
        *,
        recipe: str | None = None,
        settings: Mapping[str, Any] | None = None,
        data_dir: Path | None = None,
        runs_dir: Path = Path("runs"),
    ) -> LabelTarget:
        """A known data set's name, a run's folder or name, or the path of data of one's own.

        recipe, settings: how the folds are trained; a run lends its own recipe. For a data set that was searched
        before, what was said then about reading its pictures holds. Raises `DataError` for an unknown target,
        `RecipeError` for wrong settings.
        """
        run = None if target in names() else _run(target, runs_dir)
        if run is not None:
            if recipe is not None:
                raise DataError(f"--recipe goes with a data set, but {target} is a run and lends its own recipe")
            return cls(run, run.recipe, run.data_dir(data_dir), run.folder, settings or {})
        if target not in names() and not user_path(target).exists():
            known = [*names(), *(found.name for found in Run.all_in(runs_dir))]
            raise DataError(f"no data set, run, folder or file '{target}'; {did_you_mean(target, known)}")
        home = search_folder(runs_dir, clean_name(user_path(target).resolve().name))
        if recipe is None and not settings:
            stored = _stored_recipe(home, compose(DEFAULT_RECIPE, target).data.name)
            if stored is not None:
                return cls(None, stored, data_dir, home)
        return cls(None, compose(recipe or DEFAULT_RECIPE, target, settings=settings), data_dir, home)

    def folder(self, split: Split = "train") -> Path:
        """Where labels.csv and all that belongs to it lie."""
        if self.run is not None:
            return labels_folder(self.home, split)
        return self.home if split == "train" else self.home / "test"

    def glyphs(self, split: Split) -> GlyphSet:
        """One part of the data. Raises `DataError`."""
        return load_images(self.recipe, split, self.data_dir, on_skip=lambda _: None)

    def other_glyphs(self, split: Split) -> GlyphSet | None:
        """The other part; None for a saved set that never had one."""
        other: Split = "test" if split == "train" else "train"
        data = Path(self.recipe.data.name)
        if is_saved_folder(data) and not saved_path(data, other).is_file():
            return None
        return self.glyphs(other)

    def searched(self, split: Split, folder: Path | None = None) -> tuple[GlyphSet, list[Suspicion]]:
        """The images of one part, and the suspicions about them in `folder` (default: the target's own).

        Raises `RunError` where nothing was searched, `DataError` where the images are no longer those of the search.
        """
        folder = folder or self.folder(split)
        suspicions = read_labels(folder / "labels.csv", self._find_command(split, folder, force=False))
        return self.unchanged(split, folder, suspicions), suspicions

    def unchanged(self, split: Split, folder: Path, suspicions: Sequence[Suspicion] = ()) -> GlyphSet:
        """The images of one part, which the findings in `folder`, where there are any, are about.

        Raises `DataError` where the images are no longer those of the search.
        """
        stored = _stored_recipe(folder, self.recipe.data.name) if self.run is None else None
        glyphs = replace(self, recipe=stored or self.recipe).glyphs(split)
        judged = glyphs
        if self.run is not None and split == "test":
            judged = match_classes(glyphs, self.run.classifier().spec)
        require_searched(folder, suspicions, judged, self._find_command(split, folder))
        return glyphs

    def _find_command(self, split: Split, folder: Path, *, force: bool = True) -> str:
        """How the findings in `folder` are made, or made anew."""
        words = ["glyphlab labels find", quoted(self.run.folder if self.run is not None else self.recipe.data.name)]
        if split == "test":
            words.append("--split test")
        elif force:
            words.append("--force")
        if folder != self.folder(split):
            words.append(f"--out {quoted(folder)}")
        if self.run is None and self.home.parent != Path("runs"):
            words.append(f"--runs-dir {quoted(self.home.parent)}")
        if self.run is None and self.data_dir is not None:
            words.append(f"--data-dir {quoted(self.data_dir)}")
        return " ".join(words)

    # ---- the search --------------------------------------------------------------------------------------

    def search_train(
        self,
        folds: int = DEFAULT_FOLDS,
        *,
        folder: Path | None = None,
        reporter: Reporter | None = None,
        force: bool = False,
        on_progress: OnProgress | None = None,
    ) -> LabelSearch:
        """Judge the training labels by k-fold training, in `folder` (default: the target's own).

        Neighbours are taken in the feature space of the run's network, or of the first fold's. Raises what
        `out_of_sample` raises.
        """
        if self.run is not None and only_teaches(self.run.recipe):
            raise DataError(
                f"{self.run.folder} was taught, which cannot be done anew by folds; search the labels of the pictures "
                "themselves, with: glyphlab labels find FOLDER"
            )
        kfold = (folder or self.home) / "kfold"
        settings = dict(self.settings)
        if self.run is None and self.recipe.training.epochs == "auto":
            settings["training.epochs"] = fold_epochs(len(self.glyphs("train")), folds)
        judged = out_of_sample(
            self.run or self.recipe,
            kfold,
            folds,
            settings=settings,
            data_dir=self.data_dir,
            reporter=reporter,
            force=force,
        )
        classifier = last_classifier(fold_runs(kfold)[0]) if self.run is None else self.run.classifier()
        _, features = predict_with_features(_placed(classifier), torch.from_numpy(judged.glyphs.images))
        nearest = nearest_others(features.numpy(), NEIGHBOURS, on_progress)
        return LabelSearch(judged.glyphs, judged.probs, nearest)

    def search_test(self, on_progress: OnProgress | None = None) -> LabelSearch:
        """Judge the test labels by the run's own network, which never saw them.

        Raises `DataError` without a run, `RunError` where the data have changed so that it may have seen some.
        """
        if self.run is None:
            raise DataError(
                f"the test labels of '{self.recipe.data.name}' are judged by a network trained on its training part; "
                "name such a run instead of the data"
            )
        require_held_out(self.run, self.data_dir)
        classifier = _placed(self.run.classifier())
        glyphs = match_classes(self.glyphs("test"), classifier.spec)
        logits, features = predict_with_features(classifier, torch.from_numpy(glyphs.images))
        nearest = nearest_others(features.numpy(), NEIGHBOURS, on_progress)
        return LabelSearch(glyphs, np.exp(metrics.log_softmax(logits.numpy())), nearest)

    def write(self, search: LabelSearch, folder: Path) -> list[Path]:
        """Write tables and pictures of a search; returns the pictures. Raises `RunError`."""
        if self.run is None:
            write_text(folder / "recipe.toml", self.recipe.to_toml())
        pictures = [folder / "suspicious.png"]
        draw_suspicious(search, pictures[0])
        for name, found, draw in (
            ("duplicates.png", len(search.duplicates), draw_duplicates),
            ("outliers.png", len(search.outliers), draw_outliers),
        ):
            (folder / name).unlink(missing_ok=True)
            if found:
                draw(search, folder / name)
                pictures.append(folder / name)
        search.write(folder)
        return pictures


def _stored_recipe(folder: Path, data_name: str) -> Recipe | None:
    """The recipe that a search of these data left in the folder."""
    path = folder / "recipe.toml"
    stored = Recipe.load(path) if path.is_file() else None
    return stored if stored is not None and stored.data.name == data_name else None


def _run(target: str, runs_dir: Path) -> Run | None:
    """The run that `target` names; None where it names none."""
    for folder in (user_path(target), runs_dir / target):
        if is_run(folder):
            return Run(folder)
    return None


def _placed(classifier: Classifier) -> Classifier:
    """On a GPU where there is one."""
    return classifier.cuda() if torch.cuda.is_available() else classifier

"""One claimed trial as a training run, begun or continued; judged on the validation images.

The run's folder carries the trial's number, so that whoever takes a trial over finds what the one before left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError, RecipeError
from glyphlab.files import write_json
from glyphlab.training.history import EpochMetrics
from glyphlab.training.images import Parts, load_images
from glyphlab.training.loop import DivergedError, Ending
from glyphlab.training.progress import Plan, Reporter, StepNews
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.sweep.baselines import judge_baseline
from glyphlab.training.sweep.bases import located
from glyphlab.training.sweep.entry import Claim, Standing
from glyphlab.training.sweep.ledger import Ledger
from glyphlab.training.train import compose, settled, train_glyphs

PRUNED = "pruned: no better than others at this epoch"


class Images:
    """The training images of the latest recipe, kept between trials that use the same."""

    def __init__(self, data_dir: Path | None) -> None:
        self.data_dir = data_dir
        self._key: tuple[Any, ...] = ()
        self._glyphs: GlyphSet | None = None

    def of(self, recipe: Recipe) -> GlyphSet:
        """The recipe's training images, of which some are validation's. Raises `DataError`."""
        glyphs = self._loaded(recipe)
        if not len(Parts.carve(glyphs, recipe).validation):
            raise DataError(
                f"{glyphs.name} has one training image a class, so that none is left to judge trials on; add images"
            )
        return glyphs

    def _loaded(self, recipe: Recipe) -> GlyphSet:
        data = recipe.data
        key = (data.name, data.size, data.channels, data.invert, data.skip_bad)
        if self._glyphs is None or key != self._key:
            self._glyphs, self._key = None, ()  # the former set goes before the next one comes
            self._glyphs, self._key = load_images(recipe, "train", self.data_dir, on_skip=lambda text: None), key
        return self._glyphs


@dataclass(frozen=True)
class Bench:
    """What a worker brings to each trial. engine: settled settings, as ``{"engine.precision": "bf16", ...}``."""

    ledger: Ledger
    runs_dir: Path
    images: Images
    engine: dict[str, Any]
    threads: int
    stopping: Callable[[], bool]
    tell: Callable[[dict[str, Any]], None]

    def composed(self, recipe: Recipe) -> Recipe:
        """The recipe as it is trained here: paths absolute, and with the network it begins with, if any."""
        return compose(located(recipe, self.runs_dir.parent))


def settle_engine(recipe: Recipe, images: Images, threads: int) -> dict[str, Any]:
    """The engine of all trials on this machine, timed once on the given recipe."""
    fixed = compose(recipe).with_settings({"engine.threads": threads} if recipe.engine.threads == "auto" else {})
    engine = settled(fixed, images.of(fixed)).engine
    return {f"engine.{key}": value for key, value in engine.model_dump().items()}


def run_trial(claim: Claim, bench: Bench) -> Standing:
    """Train, or go on training, until the trial is over or the worker is to stop; the ledger has the outcome.

    A trial fails for good where its own settings are the cause: a network that the images do not fit, a loss that is
    no longer finite. Whatever would befall other trials as well (no data, a full disk) is raised: `DataError`,
    `RunError`, and the trial stays open.
    """
    trial, ledger = claim.entry.trial, bench.ledger
    if trial.baseline is not None:
        base = bench.composed(ledger.definition.base)
        try:
            result = judge_baseline(trial.baseline, base, bench.images.of(base), bench.threads)
        except ValueError as error:  # scikit-learn's: more neighbours than images, one class alone
            return _failed(claim, ledger, error)
        ledger.end(claim, Standing.FINISHED, result)
        return Standing.FINISHED
    try:
        run, hopeless = _train(claim, bench)
    except (RecipeError, ModelError, DivergedError) as error:
        return _failed(claim, ledger, error)
    if hopeless:
        write_json(run.folder / "run.json", run.status | {"status": PRUNED})
        ledger.end(claim, Standing.PRUNED, result_of(run))
        return Standing.PRUNED
    if run.status["status"] == Ending.INTERRUPTED.value:
        ledger.forgive(claim)
        return Standing.STOPPED
    ledger.end(claim, Standing.FINISHED, result_of(run))
    return Standing.FINISHED


def _failed(claim: Claim, ledger: Ledger, error: Exception) -> Standing:
    ledger.end(claim, Standing.FAILED, failure=str(error))
    return Standing.FAILED


def existing_run(runs_dir: Path, sweep: str, number: int) -> Run | None:
    """What an earlier worker left of a trial; None where it left nothing, or lies on another machine."""
    found = sorted(runs_dir.glob(f"*-{_run_name(sweep, number)}-1/run.json"))
    return Run(found[0].parent) if found else None


def result_of(run: Run) -> dict[str, Any]:
    """A run's figures as JSON values: those of the epoch that is kept, and the curve of all."""
    status, facts, history = run.status, run.environment, run.history
    best = status["best"]
    assert best is not None, "every trial has validation images"
    rates = sorted(row.images_per_second for row in history)
    return {
        "run": run.name,
        "accuracy": best["validation_accuracy"],
        "loss": best["validation_loss"],
        "best_epoch": best["epoch"],
        "epochs": status["epochs"],
        "ending": status["status"],
        "time_seconds": status["time_seconds"],
        "parameters": facts["parameters"],
        "train_images": facts["data"]["train_images"],
        "train_images_of": facts["data"]["train_images"],
        "validation_images": facts["data"]["validation_images"],
        "images_per_second": rates[len(rates) // 2],
        "history": [_curve_row(row) for row in history],
    }


def _curve_row(row: EpochMetrics) -> list[float | None]:
    """Epoch, training loss and accuracy, validation loss and accuracy, seconds since the beginning."""
    figures = (row.train_loss, row.train_accuracy, row.validation_loss, row.validation_accuracy)
    rounded = [None if figure is None else round(figure, 6) for figure in figures]
    return [row.epoch, *rounded, round(row.time_seconds, 1)]


def _train(claim: Claim, bench: Bench) -> tuple[Run, bool]:
    """The trial's run as far as it came, and whether it was found hopeless on the way."""
    assert claim.entry.trial.recipe is not None
    number, ledger = claim.entry.number, bench.ledger
    watcher = _Watcher(claim, bench)

    def stop() -> bool:
        return watcher.hopeless or bench.stopping()

    run = existing_run(bench.runs_dir, ledger.name, number)
    if run is not None:
        if run.is_done:  # but the worker died before it could say so
            return run, run.status["status"] == PRUNED
        # One that failed fails again where its settings are the cause, and goes on where the disk was full.
        # Its recipe is given, so that a folder of the same name from elsewhere is refused.
        same, place = bench.composed(claim.entry.trial.recipe), bench.images.data_dir
        return resume(run, recipe=same, data_dir=place, reporter=watcher, stop=stop), watcher.hopeless
    composed = bench.composed(claim.entry.trial.recipe)
    own = {f"engine.{key}" for key, value in composed.engine if value != "auto"}
    recipe = composed.with_settings({key: value for key, value in bench.engine.items() if key not in own})
    named = recipe.model_copy(update={"name": _run_name(ledger.name, number)})
    glyphs = bench.images.of(named)
    run = train_glyphs(
        named, glyphs, data_dir=bench.images.data_dir, runs_dir=bench.runs_dir, reporter=watcher, stop=stop
    )
    return run, watcher.hopeless


def _run_name(sweep: str, number: int) -> str:
    return f"{sweep}-{number:03d}"


class _Watcher(Reporter):
    """Takes a run's news to the ledger, epoch by epoch, and to whoever watches the worker."""

    def __init__(self, claim: Claim, bench: Bench) -> None:
        self._claim, self._bench = claim, bench
        self._plan: Plan | None = None
        self.hopeless = False

    def note(self, text: str) -> None:
        """A remark on one trial is of no interest among many."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Nor is what comes before its first step."""

    def start(self, plan: Plan) -> None:
        """Remember how much there is to do."""
        self._plan = plan

    def step(self, news: StepNews) -> None:
        """Tell how far the trial is."""
        assert self._plan is not None
        self._bench.tell(
            {
                "trial": self._claim.entry.number,
                "epoch": news.epoch,
                "epochs": self._plan.total_epochs,
                "share": news.step / self._plan.total_steps,
                "images_per_second": round(news.images_per_second),
            }
        )

    def epoch(self, metrics: EpochMetrics) -> None:
        """Write the objective down; learn whether to go on."""
        objective = self._bench.ledger.definition.search.objective
        value = getattr(metrics, objective)
        last = self._plan is not None and metrics.epoch == self._plan.total_epochs
        hopeless = self._bench.ledger.report(self._claim, metrics.epoch, value)
        # Nothing is saved by pruning a trial that has just finished.
        self.hopeless = hopeless and not last

    def stop(self) -> None:
        """Nothing is left open."""

"""From a recipe to a finished run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import given_path, user_path
from glyphlab.data.saved import is_saved_folder, saved_origin
from glyphlab.data.sources import names
from glyphlab.errors import RecipeError, quoted
from glyphlab.networks.classifier import Classifier
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.crew import HostImages, begin
from glyphlab.training.distill import Teachers, fingerprints, maker_of, open_teacher
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine, Timing, as_recorded, for_machine, for_process, settle
from glyphlab.training.environment import describe_environment
from glyphlab.training.images import Parts, data_facts, load_train_images
from glyphlab.training.loop import Ending, Job
from glyphlab.training.memory import Trained, fit_in_memory
from glyphlab.training.outset import epochs_of, new_classifier, new_job, new_state, planned_steps
from glyphlab.training.progress import Reporter, Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.redraw import redrawing_framing, redrawn_for
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.sitting import fit_in_folder
from glyphlab.training.transfer.start import only_teaches

DEFAULT_RECIPE = "fast"


def train(
    recipe: Recipe | str | Path = DEFAULT_RECIPE,
    data: str | Path | None = None,
    *,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path = "runs",
    reporter: Reporter | None = None,
    world: World | None = None,
) -> Run:
    """Train a network and return its run folder.

        run = glyphlab.train("mnist-net", epochs=2)
        run.history[-1].validation_accuracy
        glyphlab.evaluate(run).accuracy, glyphlab.export_run(run).path    # which the command does by itself

    recipe: a shipped recipe's name, a .toml file or a `Recipe`. data: replaces the recipe's data set: a known name,
    or the path of a folder or CSV file. settings: dotted replacements, ``{"training.lr": 0.01}``. Test images are not
    read. world: several processes that share the work; this one is the first of them, the others call `assist`. Raises
    `RecipeError`, `DataError`, `RunError`. Ctrl-C stops after the present step and keeps everything.

    Teachers that shipped recipes make are trained first where they are not there yet, with the same engine settings;
    stopped at one, its run is returned, and the same call goes on from there. Several processes need them to be there.
    """
    reporter, world, data_dir = reporter or Silent(), world or World.alone(), given_path(data_dir)
    chosen = _changed(recipe, data, epochs, settings)
    require_trainable(chosen)
    glyphs = load_train_images(chosen, data_dir, reporter)
    untaught = _untaught(chosen, runs_dir) if world.is_alone else {}
    if untaught:
        _Outset.of(chosen, glyphs, world)  # a mistake in it shall not come to light after hours
        engine = {key: value for key, value in (settings or {}).items() if key.startswith("engine.")}
        stopped_at = _teach_teachers(chosen, untaught, engine, data_dir, runs_dir, reporter)
        if stopped_at is not None:
            return stopped_at
    chosen = _with_teachers(chosen, runs_dir)
    return train_glyphs(chosen, glyphs, data_dir=data_dir, runs_dir=runs_dir, reporter=reporter, world=world)


def train_glyphs(
    recipe: Recipe,
    glyphs: GlyphSet,
    *,
    data_dir: Path | None = None,
    runs_dir: str | Path = "runs",
    reporter: Reporter | None = None,
    stop: Callable[[], bool] | None = None,
    world: World | None = None,
) -> Run:
    """Train on images that are in memory already: what `train` does once it has loaded the recipe's data.

    glyphs: training images, of which the recipe's share is kept for validation. Apart from that share and from mean
    and std the recipe's [data] section only says where others find the images again, in `data_dir`: `resume` and
    `evaluate` go by it. stop: asked after every step; true ends the run as Ctrl-C does. world: as for `train`. Raises
    and stops as `train`.
    """
    reporter, world = reporter or Silent(), world or World.alone()
    images = HostImages.of(glyphs, world)
    glyphs = images.glyphs
    start = _prepare(recipe, glyphs, reporter, world)
    facts = describe_environment(start.engine.device, start.engine.threads) | {
        "processes": world.size,
        "seed": recipe.training.seed,
        "data": data_facts(glyphs, start.parts, data_dir),
        "parameters": start.classifier.parameter_count(),
        "engine_timings": [timing.to_dict() for timing in start.timings],
    }
    if recipe.training.teachers is not None:
        facts["teachers"] = fingerprints(recipe)
    job, state = start.begin(glyphs, reporter)
    begin(world, start.recipe, images, state, data_dir)
    run = Run.create(Path(runs_dir), glyphs.name, start.recipe, facts)
    with run.locked():
        run.save_checkpoint(state)
        fit_in_folder(job, state, run, reporter, stop)
    return run


def require_trainable(recipe: Recipe) -> None:
    """Refuse, with a `RecipeError`, a recipe that is for `glyphlab transfer` alone."""
    if only_teaches(recipe):
        raise RecipeError(
            f"recipe '{recipe.name}' teaches a network that is trained already, which its [transfer] is for; use it "
            f"with: glyphlab transfer MODEL|RUN DATA --recipe {quoted(recipe.name)}, or remove that section"
        )


def settled(recipe: Recipe, glyphs: GlyphSet, reporter: Reporter | None = None) -> Recipe:
    """The recipe with its epochs counted and its engine timed, so that many like it need not be timed anew."""
    return _prepare(recipe, glyphs, reporter or Silent(), World.alone()).recipe


def train_in_memory(recipe: Recipe, glyphs: GlyphSet, *, reporter: Reporter | None = None) -> Trained:
    """Train as `train_glyphs` does, to the same weights, without writing a file.

    Ctrl-C ends it at once and nothing is kept. Raises `RecipeError`, `RunError`.
    """
    reporter = reporter or Silent()
    start = _prepare(recipe, glyphs, reporter, World.alone())
    job, state = start.begin(glyphs, reporter)
    memory, ending = fit_in_memory(job, state, f"{glyphs.name}-{recipe.name}", reporter)
    return Trained(start.recipe, memory.best or state.result.eval(), state.history, ending.value)


def compose(
    recipe: Recipe | str | Path,
    data: str | Path | None = None,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    runs_dir: str | Path = "runs",
) -> Recipe:
    """The recipe with the caller's changes, of several the one made for `data`; the user's own paths made absolute.

    Raises `RecipeError`, `RunError` for a teacher that is not in `runs_dir`.
    """
    return _with_teachers(_changed(recipe, data, epochs, settings), runs_dir)


def _changed(
    recipe: Recipe | str | Path, data: str | Path | None, epochs: int | None, settings: Mapping[str, Any] | None
) -> Recipe:
    chosen = recipe if isinstance(recipe, Recipe) else _made_for(recipe, data)
    own = {"data.name": None if data is None else str(data), "training.epochs": epochs}
    given = {key: value for key, value in own.items() if value is not None}
    changes = dict(settings or {})
    if twice := sorted(given.keys() & changes.keys()):
        key = twice[0]
        raise RecipeError(f"{key} is {given[key]!r}, and {changes[key]!r} among the settings; give one of the two")
    changes |= given
    chosen = chosen.with_settings(changes) if changes else chosen
    path = user_path(chosen.data.name)
    if chosen.data.name not in names() and path.exists() and not path.is_absolute():
        chosen = chosen.with_settings({"data.name": str(path.resolve())})
    return chosen


def _made_for(recipe: str | Path, data: str | Path | None) -> Recipe:
    """Of several recipes of one name the one made for `data`, or for the set of which these are a corrected copy."""
    if data is None or data in names() or not is_saved_folder(user_path(data)):
        return Recipe.load(recipe, None if data is None else str(data))
    chosen = Recipe.load(recipe, saved_origin(user_path(data)))
    # Teachers learned the labels as they were.
    return chosen if chosen.training.teachers is None else Recipe.load(recipe)


def _with_teachers(recipe: Recipe, runs_dir: str | Path) -> Recipe:
    """The recipe with the paths of its teachers made absolute."""
    if recipe.training.teachers is None:
        return recipe
    teachers = [open_teacher(name, runs_dir, recipe.data.name) for name in recipe.training.teachers]
    return recipe.with_settings({"training.teachers": [str(teacher.folder.resolve()) for teacher in teachers]})


def _untaught(recipe: Recipe, runs_dir: str | Path) -> dict[str, tuple[str, Run | None]]:
    """The teachers that shipped recipes make and that are not finished, by name: the recipe, and the run where begun.

    Teachers that no recipe makes are the user's own: `RunError` where such a run is missing or not finished.
    """
    untaught = {}
    for name in recipe.training.teachers or []:
        run, maker = Run.find(name, runs_dir), maker_of(name, recipe.data.name)
        if maker is None:
            open_teacher(name, runs_dir)
        elif run is None or not run.is_done:
            untaught[name] = maker, run
    return untaught


def _teach_teachers(
    recipe: Recipe,
    untaught: Mapping[str, tuple[str, Run | None]],
    engine: Mapping[str, Any],
    data_dir: Path | None,
    runs_dir: str | Path,
    reporter: Reporter,
) -> Run | None:
    """Train these teachers, or finish them; the run at which that was interrupted, if it was."""
    teachers = recipe.training.teachers or []
    common: dict[str, Any] = {"data_dir": data_dir, "runs_dir": runs_dir, "reporter": reporter}
    for name, (maker, run) in untaught.items():
        reporter.note(f"teacher {teachers.index(name) + 1} of {len(teachers)}: {name}")
        taught = train(maker, recipe.data.name, settings=engine, **common) if run is None else resume(run, **common)
        if taught.status["status"] == Ending.INTERRUPTED.value:
            reporter.note(f"the command that asked for '{recipe.name}' goes on from here as well")
            return taught
    return None


@dataclass(frozen=True, eq=False)
class _Start:
    """All that is decided before the first step. recipe: with its epochs counted and its engine settled."""

    recipe: Recipe
    parts: Parts
    classifier: Classifier
    engine: Engine
    timings: list[Timing]
    teachers: Teachers | None
    world: World

    def begin(self, glyphs: GlyphSet, reporter: Reporter) -> tuple[Job, TrainingState]:
        """The work and its state at step 0, on the engine's device."""
        redrawn = redrawn_for(self.recipe, glyphs, self.parts, reporter)
        job = new_job(self.recipe, self.engine, glyphs, self.parts, self.world, self.teachers, redrawn)
        return job, new_state(job, self.classifier, planned_steps(job, self.timings))


@dataclass(frozen=True, eq=False)
class _Outset:
    """What follows from recipe and images before anything is timed. recipe: with its epochs counted."""

    recipe: Recipe
    parts: Parts
    classifier: Classifier

    @classmethod
    def of(cls, recipe: Recipe, glyphs: GlyphSet, world: World) -> _Outset:
        """Raises `RecipeError`, `DataError` for whatever is wrong with the recipe on these images and this machine."""
        require_trainable(recipe)
        redrawing_framing(recipe, glyphs)  # what cannot be redrawn is refused before anything is timed
        parts = Parts.carve(glyphs, recipe)
        counted = recipe.with_settings({"training.epochs": epochs_of(recipe, len(parts.train))})
        classifier = new_classifier(counted, glyphs, parts)
        return cls(counted.model_copy(update={"engine": for_machine(counted.engine, world)}), parts, classifier)


def _prepare(recipe: Recipe, glyphs: GlyphSet, reporter: Reporter, world: World) -> _Start:
    outset = _Outset.of(recipe, glyphs, world)
    counted, parts, classifier = outset.recipe, outset.parts, outset.classifier
    engine, timings = _settle(counted, glyphs, parts, classifier, reporter, world)
    teachers = Teachers.of(counted, classifier.spec, engine, glyphs, parts)
    settled = counted.model_copy(update={"engine": as_recorded(engine, counted.engine, world)})
    return _Start(settled, parts, classifier, engine, timings, teachers, world)


def _settle(
    recipe: Recipe, glyphs: GlyphSet, parts: Parts, classifier: Classifier, reporter: Reporter, world: World
) -> tuple[Engine, list[Timing]]:
    """Choose the engine by timing this process's part of real steps on the CPU's copy of the data."""
    trial = new_job(recipe, Engine(), glyphs, parts, world)
    order = trial.epoch_order(0)
    total_images = epochs_of(recipe, 0) * len(parts.train)
    asked = for_process(recipe.engine, world)
    engine, timings = settle(asked, recipe.training, classifier, lambda: trial.batch(0, order), total_images)
    rates = [f"{timing.engine} {timing.images_per_second:,.0f}" for timing in timings if timing.images_per_second]
    reporter.note(f"engine: {engine}" + (f"  (timed, images/s: {'; '.join(rates)})" if len(rates) > 1 else ""))
    if not world.is_alone:
        reporter.note(f"{world.size} processes share each batch of {trial.batch_size} images")
    return engine, timings

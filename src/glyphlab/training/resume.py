"""Going on from what is recorded: an unfinished run here, or what the first of several processes has begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import given_path
from glyphlab.errors import RunError
from glyphlab.process import stops_go_to
from glyphlab.training.checkpoint import TrainingState, load_checkpoint
from glyphlab.training.crew import HostImages, begin, join
from glyphlab.training.distill import Teachers, fingerprints
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine, for_process
from glyphlab.training.images import Parts, load_images, load_train_images
from glyphlab.training.keeper import Nowhere
from glyphlab.training.loop import Ending, Job, fit
from glyphlab.training.outset import epochs_of, further_steps, new_classifier, new_job, new_state
from glyphlab.training.progress import Reporter, Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.redraw import redrawn_for
from glyphlab.training.run import Run
from glyphlab.training.sitting import StopSignal, fit_in_folder


def resume(
    run: Run | str | Path,
    *,
    epochs: int | None = None,
    recipe: Recipe | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path = "runs",
    reporter: Reporter | None = None,
    stop: Callable[[], bool] | None = None,
    world: World | None = None,
) -> Run:
    """Continue a stopped run, or extend a finished one to `epochs` in all; on a CPU to the same bits.

    A run that was killed after its last step only has its closing entries made.

    recipe: if given it must equal the run's. stop, world: as for `train_glyphs`; as many processes may share the work
    as there are, whatever their number was before. Raises `RunError` when there is nothing left to do, when the recipe
    or the data differ, or when the checkpoint is damaged.
    """
    reporter, world, data_dir = reporter or Silent(), world or World.alone(), given_path(data_dir)
    run = run if isinstance(run, Run) else Run.open(run, runs_dir)
    require_same_recipe(run, recipe)
    recorded = run.recipe
    if epochs is not None:
        recorded = recorded.with_settings({"training.epochs": epochs})
    with run.locked():
        images = HostImages.of(load_train_images(recorded, run.data_dir(data_dir), reporter), world)
        run.require_same_data(images.glyphs)
        _require_same_teachers(run, recorded)
        job, state = _as_recorded(recorded, images.glyphs, world, reporter)
        planned = state.total_steps
        _restore(state, run)
        is_complete = state.step >= state.total_steps
        if epochs is not None:
            state.total_steps = further_steps(job, state, planned)
        if state.step >= state.total_steps:
            if run.status["status"] == "running" and is_complete and world.is_alone:  # killed before it could say so
                run.draw_curves(state.history)
                run.set_status(Ending.FINISHED.value, state)
                return run
            _refuse(run, state, is_complete)
        if epochs is None and run.status["status"] == Ending.EARLY.value:
            raise RunError(
                f"{run.folder} {Ending.EARLY.value}; give it another try with --epochs, or train anew with a "
                "larger training.early_stopping_epochs"
            )
        begin(world, recorded, images, state, run.data_dir(data_dir))
        if epochs is not None:
            run.save_checkpoint(state)  # with the new end; the recipe alone would say more than can be continued
            run.set_recipe(recorded)
            run.set_status("running", state)
        reporter.note(f"continuing {run.folder} at step {state.step:,} of {state.total_steps:,}")
        fit_in_folder(job, state, run, reporter, stop)
    return run


def assist(world: World, *, data_dir: Path | None = None) -> Ending:
    """Take part in what the first process of `world` trains or resumes; nothing is written here.

    data_dir: where this host has its data sets, if not where the first process's host has them. Raises what the first
    process would raise, `GaveUpError` for another's error, and `LostTouchError` when one has ended.
    """

    def load(recipe: Recipe, first_data_dir: Path | None) -> GlyphSet:
        return load_images(recipe, "train", data_dir or first_data_dir)

    def build(recipe: Recipe, glyphs: GlyphSet) -> tuple[Job, TrainingState]:
        return _as_recorded(recipe, glyphs, world, Silent())

    job, state = join(world, load, build)
    signals = StopSignal()
    with stops_go_to(signals.receive):
        return fit(job, state, Nowhere(), Silent(), lambda: signals.requested)


def _as_recorded(recipe: Recipe, glyphs: GlyphSet, world: World, reporter: Reporter) -> tuple[Job, TrainingState]:
    """The work of a recipe that is settled already, and its state at step 0."""
    parts = Parts.carve(glyphs, recipe)
    engine = Engine(**for_process(recipe.engine, world).model_dump())
    engine.require_usable()
    engine.activate()
    classifier = new_classifier(recipe, glyphs, parts)
    teachers = Teachers.of(recipe, classifier.spec, engine, glyphs, parts)
    redrawn = redrawn_for(recipe, glyphs, parts, reporter)
    job = new_job(recipe, engine, glyphs, parts, world, teachers, redrawn)
    return job, new_state(job, classifier, epochs_of(recipe, 0) * job.steps_per_epoch)


def require_same_recipe(run: Run, asked: Recipe | None) -> None:
    """Refuse, with a `RunError`, to continue a run with other settings; engine and epochs may be left to the run."""
    if asked is None:
        return
    ours, theirs = run.recipe.dotted(), asked.dotted()
    differences = [
        f"{key} is {ours.get(key)!r} there, {theirs.get(key)!r} here"
        for key in sorted(ours | theirs)
        if ours.get(key) != theirs.get(key) and not key.startswith("engine.") and key != "training.epochs"
    ]
    if differences:
        raise RunError(
            f"{run.folder} was begun with another recipe ({'; '.join(differences[:3])}"
            f"{' ...' if len(differences) > 3 else ''}); leave the recipe out to continue, or train anew"
        )


def _require_same_teachers(run: Run, recorded: Recipe) -> None:
    if run.environment.get("teachers", {}) != fingerprints(recorded):
        raise RunError(f"{run.folder}: a teacher has changed since the run began; train anew")


def _restore(state: TrainingState, run: Run) -> None:
    """Bring the state to where the run's checkpoint has it; a run without a step may have none."""
    if run.checkpoint_path.exists():
        load_checkpoint(state, run.checkpoint_path)
    elif run.status["step"]:
        raise RunError(
            f"{run.folder} has lost its checkpoint, so that it can neither be continued nor extended; put back a "
            "copy of it, or train anew without --resume"
        )


def _refuse(run: Run, state: TrainingState, is_complete: bool) -> NoReturn:
    """There is no step left to make."""
    done = state.history[-1].epoch if state.history else 0
    raise RunError(
        f"{run.folder} has already {'finished its' if is_complete else 'trained'} {done} "
        f"epoch{'s' * (done != 1)}; extend it with --epochs {max(2 * done, 1)}, or train anew without --resume"
    )

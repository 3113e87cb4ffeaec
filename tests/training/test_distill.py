from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import GlyphlabWarning, RecipeError, RunError
from glyphlab.networks.classifier import evaluating, single_view, to_pixels
from glyphlab.training.distill import Teachers, distillation_loss
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine, Timing
from glyphlab.training.history import EpochMetrics
from glyphlab.training.images import Parts
from glyphlab.training.outset import new_job, planned_steps
from glyphlab.training.progress import Plan, Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.train import compose, train, train_glyphs


@pytest.fixture
def glyphs(rng: np.random.Generator) -> GlyphSet:
    """Bars, upright or lying, so that a linear network learns them at once."""
    targets = np.arange(60, dtype=np.int64) % 2
    images = rng.integers(0, 40, (60, 8, 8), dtype=np.uint8)
    images[targets == 0, :, 3:5] = 255
    images[targets == 1, 3:5, :] = 255
    return GlyphSet(images, targets, ("upright", "lying"), name="bars")


def recipe(epochs: int = 3, **training: object) -> Recipe:
    settings = {"epochs": epochs, "batch_size": 20, "lr": 0.02, **training}
    engine = {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1}
    return Recipe.parse({"network": {"name": "linear"}, "training": settings, "engine": engine})


def test_the_loss_is_the_cross_entropy_against_the_teachers() -> None:
    stream = torch.Generator().manual_seed(3)
    logits, answers = torch.randn(6, 4, generator=stream), torch.randn(6, 4, generator=stream).softmax(1)
    torch.testing.assert_close(distillation_loss(logits, answers, None), F.cross_entropy(logits, answers))
    weights = torch.tensor([0.0, 0, 0, 0, 2, 0])
    torch.testing.assert_close(distillation_loss(logits, answers, weights), F.cross_entropy(logits[4:5], answers[4:5]))


@pytest.mark.filterwarnings("ignore:the data that the teacher")
def test_a_student_learns_its_teachers_answers_rather_than_the_labels(glyphs: GlyphSet, tmp_path: Path) -> None:
    contrary = GlyphSet(glyphs.images, 1 - glyphs.targets, glyphs.class_names, name="bars")
    teacher = train_glyphs(recipe(20), contrary, runs_dir=tmp_path)
    taught = recipe(20, teachers=[str(teacher.folder)], distillation=1.0)
    student = train_glyphs(taught, glyphs, runs_dir=tmp_path)
    assert teacher.history[-1].validation_accuracy == 1.0
    # Its labels say the opposite of what its teacher says.
    assert student.history[-1].validation_accuracy == 0.0


def test_a_teacher_looks_at_an_image_once(glyphs: GlyphSet, tmp_path: Path) -> None:
    averaging = recipe(20).with_settings({"network.shift_averaging": True})
    teacher = train_glyphs(averaging, glyphs, runs_dir=tmp_path)
    classifier = teacher.classifier()
    taught = recipe(teachers=[str(teacher.folder)])
    teachers = Teachers.of(
        taught, classifier.spec, Engine(**taught.engine.model_dump()), glyphs, Parts.carve(glyphs, taught)
    )
    assert teachers is not None
    pixels = to_pixels(torch.from_numpy(glyphs.images))
    with evaluating(classifier):
        assert not torch.allclose(teachers.probs(pixels), classifier(pixels).softmax(1), atol=1e-4)
        with single_view(classifier):
            assert torch.allclose(teachers.probs(pixels), classifier(pixels).softmax(1), atol=1e-6)


def test_a_taught_run_resumes_to_the_same_bits(
    glyphs: GlyphSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = train_glyphs(recipe(), glyphs, runs_dir=tmp_path)
    monkeypatch.setattr("glyphlab.training.images.load_images", lambda *args, **kwargs: glyphs)
    taught = recipe(4, teachers=[str(teacher.folder)])
    whole = train_glyphs(taught, glyphs, runs_dir=tmp_path)
    calls = iter(range(1000))
    part = train_glyphs(taught, glyphs, runs_dir=tmp_path, stop=lambda: next(calls) > 5)
    assert part.status["status"] == "interrupted"
    resume(part)
    continued, at_once = part.classifier().state_dict(), whole.classifier().state_dict()
    assert all(torch.equal(continued[name], at_once[name]) for name in at_once)
    assert Run.open(part.folder).recipe.resolved()["training"]["distillation"] == 0.7


@pytest.mark.filterwarnings("ignore:the data that the teacher")
def test_teachers_are_checked_before_a_run_folder_is_made(glyphs: GlyphSet, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"training\.teachers: no run 'nowhere'.*Train the teacher first"):
        train_glyphs(recipe(teachers=["nowhere"]), glyphs, runs_dir=tmp_path / "runs")
    other = GlyphSet(glyphs.images, glyphs.targets, ("a", "b"), name="bars")
    teacher = train_glyphs(recipe(), other, runs_dir=tmp_path)
    with pytest.raises(RecipeError, match=r"training\.teachers: .* name runs on the same data"):
        train_glyphs(recipe(teachers=[str(teacher.folder)]), glyphs, runs_dir=tmp_path / "runs")
    unfinished = train_glyphs(recipe(), glyphs, runs_dir=tmp_path, stop=lambda: True)
    with pytest.raises(RunError, match=r"training\.teachers: .* is not finished; finish it with: glyphlab train --re"):
        train_glyphs(recipe(teachers=[str(unfinished.folder)]), glyphs, runs_dir=tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*"))


def test_a_teacher_must_not_know_the_images_that_judge_the_student(glyphs: GlyphSet, tmp_path: Path) -> None:
    teacher = train_glyphs(recipe(seed=1), glyphs, runs_dir=tmp_path)
    taught = recipe(teachers=[str(teacher.folder)], seed=2)
    with pytest.raises(RecipeError, match=r"was trained on \d of the 6 images .* set data\.split_seed = 1, and"):
        train_glyphs(taught, glyphs, runs_dir=tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*"))
    train_glyphs(taught.with_settings({"data.split_seed": 1}), glyphs, runs_dir=tmp_path / "runs")
    more = taught.with_settings({"data.split_seed": 1, "data.validation": 0.2})
    with pytest.raises(RecipeError, match=r"of the 12 images .* and data\.validation to at most 0\.1"):
        train_glyphs(more, glyphs, runs_dir=tmp_path / "runs")


def test_a_teacher_of_a_set_that_was_corrected_since_is_found_out(
    glyphs: GlyphSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = train_glyphs(recipe(seed=1), glyphs, runs_dir=tmp_path)
    corrected = replace(glyphs, targets=np.r_[1 - glyphs.targets[:1], glyphs.targets[1:]])
    taught = recipe(teachers=[str(teacher.folder)], seed=2)
    with pytest.warns(GlyphlabWarning, match="learned from are not at hand"):
        train_glyphs(taught, corrected, runs_dir=tmp_path / "runs")
    monkeypatch.setattr("glyphlab.training.distill.load_images", lambda *args: glyphs)
    with pytest.raises(RecipeError, match=r"was trained on \d of the 6 images .*; .* train it anew on these"):
        train_glyphs(taught, corrected, runs_dir=tmp_path / "runs")


def test_the_folds_of_a_teacher_are_the_students(glyphs: GlyphSet, tmp_path: Path) -> None:
    in_fold = {"data.folds": 5, "data.fold": 1}
    teacher = train_glyphs(recipe(seed=1).with_settings(in_fold), glyphs, runs_dir=tmp_path)
    taught = recipe(teachers=[str(teacher.folder)], seed=1)
    with pytest.raises(RecipeError, match=r"data\.split_seed = 1, and data\.folds = 5 and data\.fold = 1"):
        train_glyphs(taught, glyphs, runs_dir=tmp_path / "runs")
    assert train_glyphs(taught.with_settings(in_fold), glyphs, runs_dir=tmp_path / "runs").is_done


def test_a_student_is_continued_with_the_teachers_it_had(
    glyphs: GlyphSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glyphlab.training.images.load_images", lambda *args, **kwargs: glyphs)
    teacher = train_glyphs(recipe(), glyphs, runs_dir=tmp_path)
    student = train_glyphs(recipe(teachers=[str(teacher.folder)]), glyphs, runs_dir=tmp_path, stop=lambda: True)
    resume(teacher, epochs=6)
    with pytest.raises(RunError, match="a teacher has changed since the run began"):
        resume(student)


def test_a_time_budget_counts_the_teachers(glyphs: GlyphSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = train_glyphs(recipe(), glyphs, runs_dir=tmp_path)
    taught = recipe(1000, teachers=[str(teacher.folder)], time_budget_seconds=1.0)
    engine = Engine(**taught.engine.model_dump())
    parts, spec = Parts.carve(glyphs, taught), teacher.classifier().spec
    teachers = Teachers.of(taught, spec, engine, glyphs, parts)
    job = new_job(taught, engine, glyphs, parts, World.alone(), teachers)
    timings = [Timing(engine, 1000.0, 0.0)]  # a step of 20 images in a fiftieth of a second
    assert planned_steps(replace(job, teachers=None), timings) == pytest.approx(0.85 * 50, abs=1)
    monkeypatch.setattr(Teachers, "probs", lambda self, pixels: sleep(0.18) or torch.zeros(20, 2))
    assert planned_steps(job, timings) in (3, 4)


def test_distillation_needs_teachers() -> None:
    with pytest.raises(RecipeError, match=r"training\.distillation has no effect without training\.teachers"):
        recipe(distillation=0.5)


def test_teachers_may_be_named_within_the_runs_folder(glyphs: GlyphSet, tmp_path: Path) -> None:
    teacher = train_glyphs(recipe(), glyphs, runs_dir=tmp_path)
    composed = compose(recipe(teachers=[teacher.name]), runs_dir=tmp_path)
    assert composed.training.teachers == [str(teacher.folder.resolve())]


def test_a_missing_teacher_of_a_shipped_recipe_comes_with_the_command_that_trains_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"Train the teacher first \(glyphlab train mnist --recipe teacher-1\), or"):
        compose("digits", runs_dir=tmp_path)
    for unknown in ("mnist-unheard-1", "emnist-letters-fast-1", "mnist-fast-2", "mnist-fast"):
        with pytest.raises(RunError, match="Train the teacher first, or name another run"):
            compose("fast", "mnist", settings={"training.teachers": [unknown]}, runs_dir=tmp_path)


class Listener(Silent):
    """Keeps the titles of what is trained, and presses Ctrl-C after an epoch of the one called `interrupts`."""

    def __init__(self, interrupts: str = "") -> None:
        self.titles: list[str] = []
        self._interrupts = interrupts

    def start(self, plan: Plan) -> None:
        self.titles.append(plan.title)

    def epoch(self, metrics: EpochMetrics) -> None:
        if self.titles[-1] == self._interrupts and metrics.epoch == 1:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """`flash` and `fast` as they come along are too long for a test: a little of them, on a few digits."""
    whole = load_dataset("digits")
    few = whole.subset(np.arange(0, len(whole), 6))
    monkeypatch.setattr("glyphlab.training.images.load_images", lambda *args, **kwargs: few)
    load = Recipe.load

    def small(name: str, data: str | None = None) -> Recipe:
        made = load(name, data)
        return recipe(2).model_copy(update={"name": made.name}) if made.name in ("flash", "fast") else made

    monkeypatch.setattr(Recipe, "load", small)


@pytest.mark.usefixtures("few_digits")
def test_teachers_that_recipes_make_are_trained_first(tmp_path: Path) -> None:
    taught = recipe(1, teachers=["digits-flash-1", "digits-fast-1"])
    listener = Listener()
    student = train(taught, "digits", runs_dir=tmp_path, reporter=listener)
    assert listener.titles == ["digits-flash-1", "digits-fast-1", student.name]
    assert [Path(name).name for name in student.recipe.training.teachers or []] == listener.titles[:2]
    again = Listener()
    train(taught, "digits", runs_dir=tmp_path, reporter=again)
    assert len(again.titles) == 1


@pytest.mark.usefixtures("few_digits")
def test_stopped_at_a_teacher_the_same_call_goes_on_from_there(tmp_path: Path) -> None:
    taught = recipe(1, teachers=["digits-flash-1", "digits-fast-1"])
    stopped = train(taught, "digits", runs_dir=tmp_path, reporter=Listener(interrupts="digits-fast-1"))
    assert (stopped.name, stopped.status["status"]) == ("digits-fast-1", "interrupted")
    assert {run.name for run in Run.all_in(tmp_path)} == {"digits-flash-1", "digits-fast-1"}
    listener = Listener()
    student = train(taught, "digits", runs_dir=tmp_path, reporter=listener)
    assert listener.titles == ["digits-fast-1", student.name]
    assert student.is_done and stopped.status["step"] == stopped.status["total_steps"]


@pytest.mark.usefixtures("few_digits")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.teachers": ["digits-flash-1", "my-own-run"]}, "no run 'my-own-run'"),
        ({"transfer.way": "probe"}, r"which its \[transfer\] is for"),
        ({"engine.device": "cuda"}, r"engine\.device is 'cuda', but this machine"),
    ],
)
def test_the_students_mistakes_come_to_light_before_its_teachers_are_trained(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    if torch.cuda.is_available() and "engine.device" in changes:
        pytest.skip("this machine has CUDA")
    with pytest.raises((RecipeError, RunError), match=message):
        train(recipe(teachers=["digits-flash-1"]), "digits", settings=changes, runs_dir=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("few_digits")
def test_a_teacher_is_looked_for_where_the_student_will_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of that name in the working folder comes first."""
    monkeypatch.chdir(tmp_path)
    here = train("flash", "digits", runs_dir=tmp_path)
    listener = Listener()
    student = train(recipe(teachers=[here.name]), "digits", runs_dir="runs", reporter=listener)
    assert listener.titles == [student.name]
    assert student.recipe.training.teachers == [str(here.folder.resolve())]

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from glyphlab.evaluation.evaluate import judge
from glyphlab.evaluation.mistakes.examination import examine
from glyphlab.evaluation.report.facts import repeat_command
from glyphlab.evaluation.report.standing import Standing, neighbours
from glyphlab.evaluation.report.subject import Subject
from glyphlab.evaluation.report.words import advice, share, summary
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.wording import counted
from glyphlab.files import write_text
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run


@pytest.fixture(scope="module")
def subject(hostile_run: Run) -> Subject:
    classifier = hostile_run.classifier()
    evaluation, glyphs = judge(hostile_run, classifier, None, "test", None)
    return Subject(hostile_run, classifier, evaluation, glyphs, examine(hostile_run, classifier, evaluation, glyphs))


def all_right(subject: Subject) -> Subject:
    logits = 8 * np.eye(3, dtype=np.float32)[subject.glyphs.targets]
    evaluation = Evaluation.from_logits(logits, subject.glyphs)
    examination = replace(subject.examination, evaluation=evaluation, mistakes=())
    return replace(subject, evaluation=evaluation, examination=examination)


def with_data(subject: Subject, data: str, remark: str = "") -> Subject:
    evaluation = replace(subject.evaluation, data=data, remark=remark)
    return replace(subject, evaluation=evaluation)


def test_shares_are_never_more_certain_than_they_are() -> None:
    assert [share(1.0), share(0.99999), share(0.5), share(0.0)] == [
        "100\u00a0%",
        ">99.99\u00a0%",
        "50.00\u00a0%",
        "0\u00a0%",
    ]
    assert [counted(1, "image"), counted(1200, "image")] == ["1 image", "1,200 images"]


@pytest.mark.parametrize(
    ("right", "sentence"),
    [(90, "Yes: what it calls 90"), (60, "not of the doubtful ones: of 100 answers of which it is 80 to 97")],
)
def test_a_small_calibration_error_is_no_praise_of_doubtful_answers(
    subject: Subject, right: int, sentence: str
) -> None:
    """5,000 images that a network is all but sure of, and 100 of which it is 90 % sure."""
    confidences = np.repeat([0.9999, 0.9], [5_000, 100])
    targets = np.zeros(5_100, dtype=np.int64)
    targets[5_000 + right :] = 1
    logits = np.log(np.stack([confidences, *[(1 - confidences) / 2] * 2], axis=1)).astype(np.float32)
    images = np.zeros((len(targets), 12, 12), dtype=np.uint8)
    glyphs = replace(subject.glyphs, images=images, targets=targets, ids=None)
    evaluation = Evaluation.from_logits(logits, glyphs)
    assert evaluation.calibration_error < 0.01
    examination = examine(subject.run, subject.classifier, evaluation, glyphs)
    other = replace(subject, evaluation=evaluation, glyphs=glyphs, examination=examination)
    paragraphs = summary(other, None)
    answers = {paragraph.question: paragraph.answer for paragraph in paragraphs}
    (said,) = (answer for question, answer in answers.items() if "sure" in question)
    assert sentence in said


@pytest.mark.parametrize(
    ("temperature", "sentence"),
    [(1.0004, "gives the probabilities as they are."), (0.5, "divides the outputs by 0.500; the error is then ")],
)
def test_what_the_model_file_does_to_probabilities(subject: Subject, temperature: float, sentence: str) -> None:
    other = replace(subject, examination=replace(subject.examination, temperature=temperature))
    (said,) = (paragraph.answer for paragraph in summary(other, None) if "sure" in paragraph.question)
    assert sentence in said


def test_the_summary_states_the_figures(subject: Subject) -> None:
    evaluation = subject.evaluation
    answers = {paragraph.question: paragraph.answer for paragraph in summary(subject, None)}
    low, high = evaluation.interval
    assert f"{evaluation.correct} of 60 images" in answers["How good is it?"]
    assert f"95 % interval {share(low)} to {share(high)}" in answers["How good is it?"]
    assert subject.run.name in answers["What is it?"] and "2 epochs" in answers["What is it?"]
    truth, seen, images = evaluation.most_confused(1)[0]
    assert f"{subject.names[truth]} as {subject.names[seen]} ({images})" in answers["What does it confuse?"]
    assert sum(subject.kinds.values()) == len(evaluation.mistakes)


def test_commands_are_about_the_images_and_the_run_that_are_shown(subject: Subject) -> None:
    commands = [one.command for one in advice(replace(subject, data="my photos"))]
    assert f"glyphlab errors {subject.run.folder} --data 'my photos'" in commands
    taught: Any = SimpleNamespace(
        recipe=Recipe.load("transfer"), environment={"command": "glyphlab transfer digits photos --way means"}
    )
    assert repeat_command(replace(subject, run=taught)) == "glyphlab transfer digits photos --way means"
    own = f"glyphlab train --recipe {subject.run.folder / 'recipe.toml'}"
    assert repeat_command(subject) == own
    subject.run.extend_environment({"data": subject.run.environment["data"] | {"data_dir": "/my sets"}})
    assert repeat_command(replace(subject)) == f"{own} --data-dir '/my sets'"
    subject.run.extend_environment({"data": subject.run.environment["data"] | {"data_dir": None}})


def test_a_run_without_mistakes_is_told_so(subject: Subject) -> None:
    perfect = all_right(subject)
    text = " ".join(paragraph.answer for paragraph in summary(perfect, None))
    assert "every one of these images is answered correctly" in text and "0 images are wrong" in text
    assert not any("glyphlab errors" in item.command for item in advice(perfect))


def test_advice_names_commands_with_the_run(subject: Subject) -> None:
    commands = [item.command for item in advice(subject)]
    assert any(command.startswith("glyphlab errors ") for command in commands)
    assert all(str(subject.run.folder) in command for command in commands if command)


def test_labels_that_were_searched_are_reviewed(subject: Subject, tmp_path: Path) -> None:
    suspicious = replace(subject, run=Run(tmp_path / "run"))
    shutil.copytree(subject.run.folder, suspicious.run.folder)
    vars(suspicious)["kinds"] = Counter({"label suspicious": 2})
    find, review = (f"glyphlab labels {what} {suspicious.run.folder}" for what in ("find", "review"))
    assert find in [item.command for item in advice(suspicious)]
    write_text(suspicious.run.folder / "labels" / "labels.csv", "")
    assert review in [item.command for item in advice(suspicious)]


def test_standing_places_this_run_among_the_figures(subject: Subject) -> None:
    standing = Standing.of(with_data(subject, "emnist-balanced", remark="not the official split"), "emnist-balanced")
    assert standing is not None and not standing.comparable
    accuracies = [row.accuracy for row in standing.rows]
    places = [row.place for row in standing.rows]
    assert accuracies == sorted(accuracies) and places == sorted(places) and 0 <= places[0] <= places[-1] <= 100
    ours = next(row for row in standing.rows if row.is_ours)
    assert ours.low is not None and ours.high is not None and ours.low < ours.place < ours.high
    below, above = neighbours(standing)
    assert (below is None or below.accuracy <= ours.accuracy) and above is not None and above.accuracy > ours.accuracy
    assert above.standing in ("in line", "report")
    text = " ".join(p.answer for p in summary(with_data(subject, "emnist-balanced", remark="not official"), standing))
    assert "rough hint and no comparison" in text


def test_nothing_stands_beside_a_folder_of_ones_own(subject: Subject) -> None:
    assert Standing.of(subject) is None
    named_so = with_data(subject, "mnist")
    assert Standing.of(named_so) is Standing.of(named_so, Path("photos/mnist")) is None
    assert Standing.of(named_so, "mnist") is not None

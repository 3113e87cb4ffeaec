"""The summary: sentences written from the figures, and what to do next, with the commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean

from glyphlab.errors import quoted
from glyphlab.evaluation.calibration import calibrated, calibration_error
from glyphlab.evaluation.metrics import wilson_interval
from glyphlab.evaluation.mistakes.lookalikes import describe_groups
from glyphlab.evaluation.report.standing import Standing, neighbours
from glyphlab.evaluation.report.subject import Subject
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.wording import counted, duration, percent
from glyphlab.runfolder import labels_folder

_CALIBRATION_MATTERS = 0.02  # expected calibration error from which on probabilities mislead
_WELL_CALIBRATED = 0.01  # expected calibration error below which they are right, if they are for doubtful answers, too
_DOUBTFUL = (0.80, 0.97)
_ABOUT = 0.05  # about nine times out of ten
_OVERFITTING = 0.03  # by which training accuracy lies above validation accuracy
_STILL_RISING = 0.001  # of validation accuracy an epoch at the end
_MANY_LOOK_ALIKES = 0.4  # share of the mistakes
_VARIED = "--set augment.rotation_degrees=10 --set augment.shift=0.06"


_VERDICTS = {
    "model wrong": "a mistake of the network",
    "label suspicious": "perhaps a mistake of the label",
    "ambiguous": "ambiguous",
}


@dataclass(frozen=True)
class Paragraph:
    """A question that every reader has, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Advice:
    """Something worth doing, why, and the command for it ("" where there is none)."""

    what: str
    command: str = ""


def share(value: float) -> str:
    """A share as percent with two decimals; never 100 % for less than all."""
    return f"{percent(value, 2)}\u00a0%"


def summary(subject: Subject, standing: Standing | None) -> list[Paragraph]:
    """The answers in the order in which people ask."""
    paragraphs = [
        Paragraph("What is it?", _what(subject)),
        Paragraph("How good is it?", _how_good(subject)),
        Paragraph("What does it confuse?", _confuses(subject)),
        Paragraph("Does it know how sure to be?", _certainty(subject)),
    ]
    if standing is not None:
        paragraphs.append(Paragraph("Where does it stand?", _stands(subject, standing)))
    return paragraphs


def _what(subject: Subject) -> str:
    facts, recipe = subject.environment, subject.run.recipe
    data = facts.get("data", {})
    epochs = counted(int(subject.status.get("epochs", 0)), "epoch")
    text = (
        f"{subject.run.name} is the network {recipe.network.name} with {subject.classifier.parameter_count():,} "
        f"parameters, trained for {epochs} on {counted(int(data.get('train_images', 0)), 'image')} of "
        f"{data.get('name', 'unknown data')}"
    )
    if seconds := subject.status.get("time_seconds"):
        text += f" in {duration(float(seconds))}"
    if device := facts.get("device_name"):
        text += f" on {device}"
    ending = f". It tells {len(subject.names)} classes apart."
    if kept := int(data.get("validation_images", 0)):
        purpose = "judge each epoch" if subject.run.recipe.training.keep == "last" else "choose the best epoch"
        ending = f"; {kept:,} images were kept back to {purpose}{ending}"
    return text + ending


def _how_good(subject: Subject) -> str:
    evaluation = subject.evaluation
    low, high = evaluation.interval
    wrong = len(evaluation) - evaluation.correct
    text = (
        f"It answers {evaluation.correct:,} of {len(evaluation):,} images of {evaluation.data} {evaluation.split} "
        f"correctly: {share(evaluation.accuracy)} (95 % interval {share(low)} to {share(high)}). "
        f"{counted(wrong, 'image')} {'is' if wrong == 1 else 'are'} wrong."
    )
    if evaluation.top5 is not None:
        text += f" The truth is among its five most probable classes in {share(evaluation.top5)} of cases."
    if subject.has_look_alikes and wrong:
        twins = sum(mistake.look_alike for mistake in subject.mistakes)
        text += (
            f" {twins:,} of the mistakes {'is' if twins == 1 else 'are'} between characters that look alike "
            f"({describe_groups(subject.names)}); counting those as right it would be {share(subject.merged_accuracy)}."
        )
    return text


def _confuses(subject: Subject) -> str:
    evaluation, names = subject.evaluation, subject.names
    pairs = evaluation.most_confused(5)
    if not pairs:
        return "Nothing: every one of these images is answered correctly."
    listed = ", ".join(f"{names[truth]} as {names[seen]} ({images:,})" for truth, seen, images in pairs)
    total = len(evaluation) - evaluation.correct
    part = sum(pair.images for pair in pairs)
    text = f"Most often it reads {listed}"
    text += "." if part == total else f"; together {part:,} of its {total:,} mistakes."
    figures = evaluation.per_class
    present = [k for k in range(len(names)) if figures.support[k]]
    if len(present) > 1:
        worst = min(present, key=lambda k: float(figures.recall[k]))
        best = max(present, key=lambda k: float(figures.recall[k]))
        text += (
            f" The hardest class is {names[worst]}, of which it recognises {share(float(figures.recall[worst]))}; "
            f"the easiest is {names[best]} with {share(float(figures.recall[best]))}."
        )
    verdicts = [f"{subject.kinds[kind]:,} as {words}" for kind, words in _VERDICTS.items() if subject.kinds[kind]]
    return f"{text} Looked at one by one, they count: {_and(verdicts)}."


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _certainty(subject: Subject) -> str:
    evaluation = subject.evaluation
    error = evaluation.calibration_error
    gap = float(evaluation.confidences.mean()) - evaluation.accuracy
    count, sure, right = _doubtful(evaluation)
    low, high = wilson_interval(right, count)
    if error < _WELL_CALIBRATED and low - _ABOUT < sure < high + _ABOUT:
        text = "Yes: what it calls 90 % sure is right about nine times out of ten"
    elif error < _WELL_CALIBRATED:
        text = (
            f"Of most answers, but not of the doubtful ones: of {counted(count, 'answer')} of which it is 80 to 97 % "
            f"sure, {share(sure)} on average, {share(right / count)} are right"
        )
    elif gap > 0:
        text = "Not quite: it is surer than it is right"
    else:
        text = "Not quite: it is right more often than it says"
        if subject.run.recipe.training.label_smoothing:
            text += ", which is what label smoothing does"
    text += f" (expected calibration error {share(error)})."
    if subject.temperature is not None:
        after = calibration_error(calibrated(evaluation.logits, subject.temperature), evaluation.targets)
        divisor = f"{subject.temperature:.3f}"
        if divisor == "1.000":
            text += " Its model file gives the probabilities as they are."
        else:
            text += f" Its model file divides the outputs by {divisor}; the error is then {share(after)}."
    return text


def _doubtful(evaluation: Evaluation) -> tuple[int, float, int]:
    """The answers that the network is nearly sure of: how many, its mean confidence, how many are right.

    A good network is surer of nearly all others, which decide the calibration error by themselves.
    """
    low, high = _DOUBTFUL
    chosen = (evaluation.confidences >= low) & (evaluation.confidences < high)
    count = int(chosen.sum())
    sure = float(evaluation.confidences[chosen].mean()) if count else (low + high) / 2
    return count, sure, int(evaluation.is_correct[chosen].sum())


def _stands(subject: Subject, standing: Standing) -> str:
    below, above = neighbours(standing)
    ours = share(subject.evaluation.accuracy)
    sides = []
    if below is not None:
        sides.append(f"above {below.method} ({below.accuracy:g} %, {below.source})")
    if above is not None:
        sides.append(f"below {above.method} ({above.accuracy:g} %, {above.source})")
    text = f"Among figures on {subject.evaluation.data} that fit what others reach, {ours} lies {_and(sides)}."
    if not standing.comparable:
        text += " These images are not the official split, so this is a rough hint and no comparison."
    return text


# ---- what next --------------------------------------------------------------------------------------------


def advice(subject: Subject) -> list[Advice]:
    """What the figures suggest to do, the most useful first."""
    evaluation, run = subject.evaluation, quoted(subject.run.folder)
    found: list[Advice] = []
    if subject.mistakes:
        what = "See every mistake as a file, beside the training images that are nearest to it."
        found.append(Advice(what, " ".join((f"glyphlab errors {run}", *_which_images(subject)))))
    found += _training_advice(subject)
    searchable = subject.own_data and subject.run.recipe.transfer is None  # its folds are trained from the beginning
    if (suspicious := subject.kinds["label suspicious"]) and searchable:
        what = f"{counted(suspicious, 'label')} of these images may be wrong; the training labels then deserve a look."
        searched = (labels_folder(subject.run.folder, "train") / "labels.csv").is_file()
        found.append(Advice(what, f"glyphlab labels {'review' if searched else 'find'} {run}"))
    if evaluation.calibration_error > _CALIBRATION_MATTERS and subject.temperature is None:
        what = "Let its probabilities mean what they say: a model file carries a temperature."
        found.append(Advice(what, f"glyphlab export {run}"))
    found += _look_alike_advice(subject)
    if subject.own_data:
        found.append(Advice("Compare it with another run on the same images.", f"glyphlab compare {run} OTHER-RUN"))
    return found


def _which_images(subject: Subject) -> Iterator[str]:
    """The options that name the evaluated images."""
    if subject.data is not None:
        yield f"--data {quoted(subject.data)}"
    if subject.evaluation.split != "test":
        yield f"--split {subject.evaluation.split}"


def _training_advice(subject: Subject) -> list[Advice]:
    history, folder = subject.history, subject.run.folder
    measured = [row.validation_accuracy for row in history if row.validation_accuracy is not None]
    if len(measured) < 3 or len(measured) < len(history):
        return []
    found: list[Advice] = []
    train, validation = history[-1].train_accuracy, measured[-1]
    if train - validation > _OVERFITTING:
        known = f"It knows its training images better than new ones ({train:.1%} against {validation:.1%})"
        if subject.run.recipe.augment.moves_pixels:
            found.append(Advice(f"{known}: stronger variation of the training images, or dropout, may help."))
        else:
            command = f"glyphlab train --recipe {quoted(folder / 'recipe.toml')} {_VARIED}"
            found.append(Advice(f"{known}: varied training images may help.", command))
    # Against the mean of two epochs, which lie 1.5 epochs back: one lucky epoch is no trend.
    rising = (validation - mean(measured[-3:-1])) / 1.5
    if rising > _STILL_RISING and subject.status.get("status") == "finished":
        what = "Validation accuracy was still rising when the training ended: train longer."
        found.append(Advice(what, f"glyphlab train --resume {quoted(folder)} --epochs {2 * len(history)}"))
    return found


def _look_alike_advice(subject: Subject) -> list[Advice]:
    names, twins = subject.names, sum(mistake.look_alike for mistake in subject.mistakes)
    mixed = any(name.isdigit() for name in names) and any(name.isalpha() for name in names)
    if not mixed or twins <= _MANY_LOOK_ALIKES * len(subject.mistakes):
        return []
    what = (
        f"{twins / len(subject.mistakes):.0%} of the mistakes are between look-alikes, which no training tells apart: "
        "let the context decide, or restrict the answers where they are known to be digits or letters."
    )
    run = quoted(subject.run.folder)
    return [Advice(what, f"glyphlab predict my-photo.jpg --model {run} --only digits")]

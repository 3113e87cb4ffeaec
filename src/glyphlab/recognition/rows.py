"""Answers as rows of a CSV table: the same columns wherever a table of answers is written."""

from __future__ import annotations

from glyphlab.recognition.prediction import Prediction, Rule


def header(alternatives: int) -> list[str]:
    """Names of the columns; `alternatives`: how many runners-up have columns of their own."""
    others = [f"{word}_{n}" for n in range(2, alternatives + 2) for word in ("character", "probability")]
    return ["file", "character", "probability", "certain", "prediction_set", *others, "error"]


def answer_row(file: str, prediction: Prediction, rule: Rule) -> list[str]:
    """One picture's answer by `rule`. The characters of a prediction set are separated by spaces.

    certain: "true" or "false", empty where the rule asks for nothing that an answer could fall short of.
    """
    others = [cell for name, p in prediction.alternatives for cell in (name, f"{p:.6f}")]
    others += [""] * (2 * rule.alternatives - len(others))
    sets = " ".join(prediction.prediction_set)
    certain = ("true" if prediction.certain else "false") if rule.judges else ""
    return [file, prediction.character, f"{prediction.probability:.6f}", certain, sets, *others, ""]


def failure_row(file: str, message: str, alternatives: int) -> list[str]:
    """A picture that could not be used: nothing but its name and what is wrong."""
    return [file, "", "", "", "", *[""] * (2 * alternatives), message]

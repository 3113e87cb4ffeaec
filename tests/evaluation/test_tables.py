from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation import tables
from glyphlab.evaluation.result import Evaluation

AWKWARD = (",", '"', "α", "two words", "a,b", "'", "line\nbreak", "7")


def made(count: int, names: tuple[str, ...], ids: tuple[str, ...] | None = None) -> tuple[GlyphSet, Evaluation]:
    rng = np.random.default_rng(5)
    targets = np.arange(count) % len(names)
    images = np.zeros((count, 2, 2), dtype=np.uint8)
    glyphs = GlyphSet(images, targets.astype(np.int64), names, name="made", split="test", ids=ids)
    logits = rng.normal(scale=4, size=(count, len(names))).astype(np.float32)
    return glyphs, Evaluation.from_logits(logits, glyphs)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    ids = tuple(f'folder, "{i}"/ä.png' for i in range(50))
    glyphs, evaluation = made(50, AWKWARD, ids)
    tables.write_predictions(evaluation, glyphs, tmp_path / "predictions.csv")
    rows = read(tmp_path / "predictions.csv")
    order = np.argsort(-evaluation.probs, axis=1)
    assert len(rows) == 50
    for i, row in enumerate(rows):
        assert row["id"] == ids[i]
        assert row["truth"] == AWKWARD[glyphs.targets[i]]
        assert row["prediction"] == row["top1"] == AWKWARD[evaluation.predictions[i]]
        assert row["correct"] == str(int(row["truth"] == row["prediction"]))
        assert [row[f"top{r}"] for r in range(1, 6)] == [AWKWARD[c] for c in order[i, :5]]
        probs = [float(row[f"p{r}"]) for r in range(1, 6)]
        assert probs == pytest.approx(evaluation.probs[i, order[i, :5]].tolist(), rel=1e-8, abs=0)
        assert float(row["loss"]) == pytest.approx(evaluation.losses[i], rel=1e-8)
        assert float(row["margin"]) == pytest.approx(evaluation.margins[i], rel=1e-8)
    assert sum(int(row["correct"]) for row in rows) == evaluation.correct


def test_read_predictions_gives_back_the_columns(tmp_path: Path) -> None:
    glyphs, evaluation = made(50, AWKWARD)
    tables.write_predictions(evaluation, glyphs, tmp_path / "p.csv")
    stored = tables.read_predictions(tmp_path / "p.csv")
    assert len(stored) == 50 and stored.ids == tuple(map(str, range(50)))
    assert stored.truths == tuple(AWKWARD[t] for t in glyphs.targets)
    assert [names[0] for names in stored.top] == list(stored.predictions)
    np.testing.assert_array_equal(stored.is_correct, evaluation.is_correct)
    np.testing.assert_allclose(stored.probs[:, 0], evaluation.confidences, rtol=1e-8)
    np.testing.assert_allclose(stored.losses, evaluation.losses, rtol=1e-8)
    np.testing.assert_allclose(stored.margins, evaluation.margins, rtol=1e-8)


def test_with_few_classes_the_columns_stay_and_their_cells_are_empty(tmp_path: Path) -> None:
    glyphs, evaluation = made(9, ("a", "b", "c"))
    tables.write_predictions(evaluation, glyphs, tmp_path / "p.csv")
    (first, *_) = read(tmp_path / "p.csv")
    assert first["p3"] != "" and [first[name] for name in ("top4", "p4", "top5", "p5")] == [""] * 4
    stored = tables.read_predictions(tmp_path / "p.csv")
    assert stored.probs.shape == (9, 3) and all(len(names) == 3 for names in stored.top)
    np.testing.assert_allclose(stored.probs.sum(axis=1), 1, atol=1e-7)


def test_a_set_longer_than_one_piece_is_written_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs, evaluation = made(50, AWKWARD)
    tables.write_predictions(evaluation, glyphs, tmp_path / "one.csv")
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 7)
    tables.write_predictions(evaluation, glyphs, tmp_path / "many.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()


def test_a_large_set_is_written_quickly(tmp_path: Path) -> None:
    glyphs, evaluation = made(100_000, tuple(map(str, range(20))))
    evaluation.probs  # noqa: B018  the arithmetic is not what is timed
    begin = time.process_time()
    tables.write_predictions(evaluation, glyphs, tmp_path / "p.csv")
    assert time.process_time() - begin < 10  # 1.5 s on an idle machine; the bound catches a change of order


def test_an_id_that_is_not_utf8_is_escaped(tmp_path: Path) -> None:
    glyphs, evaluation = made(2, ("a", "b"), ids=("caf\udce9.png", "tea.png"))
    tables.write_predictions(evaluation, glyphs, tmp_path / "p.csv")
    assert [row["id"] for row in read(tmp_path / "p.csv")] == [r"caf\udce9.png", "tea.png"]


def test_classes_come_back_as_they_were(tmp_path: Path) -> None:
    _, evaluation = made(50, AWKWARD)
    tables.write_classes(evaluation, tmp_path / "classes.csv")
    rows = read(tmp_path / "classes.csv")
    assert tuple(row["class"] for row in rows) == AWKWARD
    assert [int(row["support"]) for row in rows] == evaluation.per_class.support.tolist()
    assert [int(row["correct"]) for row in rows] == np.diagonal(evaluation.confusion).tolist()
    for name in ("precision", "recall", "f1"):
        expected = getattr(evaluation.per_class, name).tolist()
        assert [float(row[name]) for row in rows] == pytest.approx(expected, abs=1e-8)


def test_confusion_comes_back_as_it_was(tmp_path: Path) -> None:
    _, evaluation = made(50, AWKWARD)
    tables.write_confusion(evaluation, tmp_path / "confusion.csv")
    with (tmp_path / "confusion.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["truth/prediction", *AWKWARD]
    assert [row[0] for row in rows] == list(AWKWARD)
    assert [[int(cell) for cell in row[1:]] for row in rows] == evaluation.confusion.tolist()


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"p\.csv does not exist; write it anew with: glyphlab evaluate RUN"):
        tables.read_predictions(tmp_path / "p.csv")


def test_another_table_is_refused(tmp_path: Path) -> None:
    _, evaluation = made(9, ("a", "b", "c"))
    tables.write_classes(evaluation, tmp_path / "p.csv")
    with pytest.raises(RunError, match=r"not a table of predictions: it begins with \['class', 'support'"):
        tables.read_predictions(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("")
    with pytest.raises(RunError, match=r"not a table of predictions: it begins with \[\]"):
        tables.read_predictions(tmp_path / "p.csv")


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    glyphs, evaluation = made(9, ("a", "b", "c"))
    path = tmp_path / "p.csv"
    tables.write_predictions(evaluation, glyphs, path)
    whole = path.read_text()
    path.write_text(whole[: whole.rindex(",")])
    with pytest.raises(RunError, match="damaged: row 10 has 15 of 16 cells; write it anew"):
        tables.read_predictions(path)
    path.write_text(whole.splitlines()[0] + "\n")
    with pytest.raises(RunError, match="it has no rows; write it anew"):
        tables.read_predictions(path)
    path.write_text(whole[: whole.rindex(",")] + ",much\n")
    with pytest.raises(RunError, match=r"could not convert string to float: .*much"):
        tables.read_predictions(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="cannot be read as a table of predictions"):
        tables.read_predictions(path)


def test_a_file_in_the_way_of_the_folder_is_reported(tmp_path: Path) -> None:
    glyphs, evaluation = made(9, ("a", "b", "c"))
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*p\.csv"):
        tables.write_predictions(evaluation, glyphs, tmp_path / "run" / "p.csv")


def test_another_set_is_an_internal_error(tmp_path: Path) -> None:
    glyphs, evaluation = made(9, ("a", "b", "c"))
    with pytest.raises(AssertionError):
        tables.write_predictions(
            evaluation,
            replace(glyphs, images=glyphs.images[:3], targets=glyphs.targets[:3]),
            tmp_path / "p.csv",
        )

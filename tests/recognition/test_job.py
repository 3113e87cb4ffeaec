from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glyphlab.errors import DataError, ModelError, RecipeError, RunError
from glyphlab.recognition.answerfile import Progress
from glyphlab.recognition.job import Job, Part, merge, notes_in, run_part
from glyphlab.recognition.prediction import Prediction
from glyphlab.recognition.recognizer import Recognizer

KINDS = ("upright", "lying", "ring")
TRUTH = {"upright": "1", "lying": "2", "ring": "O"}


def png(kind: str) -> bytes:
    """A prepared glyph: light on black, 28x28."""
    y, x = np.mgrid[:28, :28] - 13.5
    across, along = (x, y) if kind == "upright" else (y, x)
    stroke = (abs(across) < 2) & (abs(along) < 10)
    ring = abs(np.hypot(x, y) - 8) < 2
    out = io.BytesIO()
    Image.fromarray(np.where(ring if kind == "ring" else stroke, 255, 0).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def job(
    tmp_path: Path,
    write_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Job:
    """Seven archives of 3 to 9 pictures, one of them damaged at its end, and three pictures, one of them broken."""
    monkeypatch.chdir(tmp_path)
    entries = []
    for number in range(7):
        name = f"{number}.tar"
        with tarfile.open(name, "w") as archive:
            for inside in range(3 + number):
                kind = KINDS[(number + inside) % 3]
                member = tarfile.TarInfo(f"{inside}-{kind}.png")
                content = png(kind) if (number, inside) != (2, 1) else b"no picture"
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        entries.append(name)
    damaged = Path("4.tar")
    damaged.write_bytes(damaged.read_bytes()[: 512 + 40])
    for name, kind in (("a-ring.png", "ring"), ("b-lying.png", "lying")):
        Path(name).write_bytes(png(kind))
        entries.append(name)
    entries.insert(3, "none.png")
    Path("list.txt").write_text("\n".join(entries))
    return Job("list.txt", str(write_model()), prepared=True)


PICTURES, UNUSABLE = 3 + 4 + 5 + 6 + 1 + 8 + 9 + 3, 3


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_picture_is_answered_once_in_any_number_of_parts(job: Job) -> None:
    whole = run_part(job, Path("whole"))
    assert (whole.pictures, whole.unusable, whole.source, whole.done) == (PICTURES, UNUSABLE, 10, True)
    rows = rows_of(Path("whole/part-1-of-1.csv"))
    assert len({row["file"] for row in rows}) == len(rows) == PICTURES
    for row in rows:
        kind = row["file"].rpartition("-")[2].removesuffix(".png")
        assert row["error"] or row["character"] == TRUTH[kind]
    errors = {row["file"]: row["error"] for row in rows if row["error"]}
    assert {row["certain"] for row in rows} == {""}  # nothing was asked that an answer could fall short of
    assert errors["2.tar/1-upright.png"] == "2.tar/1-upright.png: not a picture, or its start is damaged"
    assert errors["4.tar"].startswith("4.tar: cannot be read as an archive")
    assert errors["none.png"] == "none.png: No such file or directory"

    for number in range(1, 5):
        run_part(job, Path("parts"), Part(number, 4))
    total = merge(Path("parts"), Path("all.csv"))
    assert (total.pictures, total.unusable, total.source) == (PICTURES, UNUSABLE, 10)
    key = lambda row: row["file"]  # noqa: E731
    assert sorted(rows_of(Path("all.csv")), key=key) == sorted(rows, key=key)
    assert Path("all.csv").stat().st_size == total.size_bytes


class Killed(BaseException):
    """As a kill: nothing that runs after it may tidy up."""


@pytest.mark.parametrize("block_pictures", [5, 8])
def test_stopped_after_any_block_it_goes_on_and_answers_the_rest(job: Job, block_pictures: int) -> None:
    run_part(job, Path("whole"))
    expected = rows_of(Path("whole/part-1-of-1.csv"))

    def stop(progress: Progress, sources: int) -> None:
        with Path("out/part-1-of-1.csv").open("ab") as stream:
            stream.write(b"rest of a block that was never counted")
        raise Killed

    stops = 0
    for _ in range(100):
        try:
            run_part(job, Path("out"), on_progress=stop, block_pictures=block_pictures)
            break
        except Killed:
            stops += 1
    assert stops == PICTURES // block_pictures + 1
    before = Path("out/part-1-of-1.json").read_bytes()
    run_part(job, Path("out"))  # once more changes nothing
    assert Path("out/part-1-of-1.json").read_bytes() == before
    # Batches begin elsewhere after a stop, which may change a probability in its last digit.
    for row, other in zip(rows_of(Path("out/part-1-of-1.csv")), expected, strict=True):
        assert float(row.pop("probability") or 0) == pytest.approx(float(other.pop("probability") or 0), abs=2e-6)
        assert row == other


def test_neither_the_list_nor_the_parts_are_written_over(job: Job) -> None:
    Path("lists").mkdir()
    entries = Path("list.txt").read_text()
    Path("lists/part-1-of-1.csv").write_text(entries)
    with pytest.raises(RunError, match=r"cannot write lists/part-1-of-1\.csv: it is one of the files to be read"):
        run_part(replace(job, place="lists/part-1-of-1.csv"), Path("lists"))
    assert Path("lists/part-1-of-1.csv").read_text() == entries and len(list(Path("lists").iterdir())) == 1
    for number in (1, 2):
        run_part(job, Path("out"), Part(number, 2))
    before = Path("out/part-2-of-2.csv").read_bytes()
    with pytest.raises(RunError, match="one of the files to be read"):
        merge(Path("out"), Path("out/part-2-of-2.csv"), force=True)
    assert Path("out/part-2-of-2.csv").read_bytes() == before


def test_more_parts_than_entries(job: Job) -> None:
    for number in range(1, 13):
        progress = run_part(job, Path("out"), Part(number, 12))
        assert progress.done and (progress.pictures > 0) == (number <= 10)
    assert merge(Path("out"), Path("all.csv")).pictures == PICTURES
    assert sorted(notes_in(Path("out")))[0] == "part-01-of-12"


def test_settings_reach_the_answers(job: Job) -> None:
    chosen = replace(job, only="0-2", min_confidence=0.9, coverage=0.9, alternatives=2)
    run_part(chosen, Path("out"))
    row = next(row for row in rows_of(Path("out/part-1-of-1.csv")) if row["file"] == "a-ring.png")
    assert row["character"] == "0" and row["certain"] == "false" and row["prediction_set"] and row["character_3"]


def test_pictures_are_prepared_where_they_are_not_glyphs(job: Job, stroke: Callable[[str], NDArray[np.uint8]]) -> None:
    Image.fromarray(stroke("lying")).save("photo.png")
    Path("photos.txt").write_text("photo.png\n")
    rows = []
    for prepared in (False, True):
        run_part(replace(job, place="photos.txt", prepared=prepared), Path(f"out-{prepared}"))
        rows += rows_of(Path(f"out-{prepared}/part-1-of-1.csv"))
    assert rows[0]["character"] == "2" and rows[0]["error"] == ""
    assert rows[1]["error"].startswith("photo.png: 100 x 120 pixels; expected a prepared glyph of 28 x 28")


def test_another_list_model_or_setting_is_refused(job: Job, write_model: Callable[..., Path]) -> None:
    run_part(job, Path("out"))
    with pytest.raises(RunError, match=r"begun with another only: None, now '0-2'"):
        run_part(replace(job, only="0-2"), Path("out"))
    with pytest.raises(RunError, match="begun with another model"):
        run_part(replace(job, model=str(write_model("other.onnx", invert=True))), Path("out"))
    Path("list.txt").write_text("0.tar\n")
    with pytest.raises(RunError, match="begun with another sources: 10, now 1"):
        run_part(job, Path("out"))


def test_merging_only_what_is_whole(job: Job) -> None:
    folder = Path("out")
    with pytest.raises(RunError, match="out holds no answers of a job; start one with: glyphlab job predict"):
        merge(folder, Path("all.csv"))
    run_part(job, folder, Part(2, 3))
    with pytest.raises(RunError, match=r"2 of 3 parts are not done: 1/3, 3/3"):
        merge(folder, Path("all.csv"))
    run_part(job, folder, Part(1, 3))
    with pytest.raises(RunError, match=r"holds part-1-of-3, .* another job: parts was 3, is 4; give part 3/4 another"):
        run_part(job, folder, Part(3, 4))
    other = replace(job, only="0-2")
    with pytest.raises(RunError, match=r"holds part-1-of-3, .* another job: only was None, is '0-2'"):
        run_part(other, folder, Part(3, 3))
    run_part(other, Path("elsewhere"), Part(3, 3))
    for path in Path("elsewhere").iterdir():
        path.rename(folder / path.name)
    with pytest.raises(RunError, match="part-3-of-3 and part-1-of-3 are of different jobs, their only differ"):
        merge(folder, Path("all.csv"))
    for path in folder.glob("part-3*"):
        path.unlink()
    run_part(job, folder, Part(3, 3))
    merge(folder, Path("all.csv"))
    with pytest.raises(RunError, match=r"all.csv exists; .*--force"):
        merge(folder, Path("all.csv"))
    with (folder / "part-2-of-3.csv").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(RunError, match=r"part-2-of-3.csv is not as its note says"):
        merge(folder, Path("all.csv"), force=True)


def test_a_list_from_another_folder_is_noticed_at_once(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"its first entry, 0.tar, is not there; paths count from the present folder"):
        run_part(replace(job, place="../list.txt"), Path("out"))
    assert not Path("out").exists()


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "1/2/3", "-1/2"])
def test_parts_that_are_none(text: str) -> None:
    with pytest.raises(RecipeError, match="expected NUMBER/COUNT"):
        Part.parse(text)


def test_parts_share_the_sources() -> None:
    assert Part.parse("03/16") == Part(3, 16) and Part(3, 16).stem == "part-03-of-16"
    for total in range(20):
        assert sum(Part(number, 6).sources_of(total) for number in range(1, 7)) == total


def test_an_unknown_model_is_refused_before_anything_is_written(job: Job) -> None:
    with pytest.raises(ModelError):
        run_part(replace(job, model="none.onnx"), Path("out"))
    assert not Path("out").exists()


def test_the_answers_are_the_recognisers_own(job: Job) -> None:
    run_part(job, Path("out"))
    ((_, answer),) = Recognizer.load(job.model).predict_many(["a-ring.png"], prepared=True)
    assert isinstance(answer, Prediction)
    row = next(row for row in rows_of(Path("out/part-1-of-1.csv")) if row["file"] == "a-ring.png")
    assert (row["character"], row["probability"]) == (answer.character, f"{answer.probability:.6f}")

"""The worker that looks: runs, labels with decisions, explanations, and the lines it speaks."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError
from glyphlab.evaluation.labels.corrections import read_corrections
from glyphlab.evaluation.labels.search import LabelSearch
from glyphlab.evaluation.labels.target import LabelTarget
from glyphlab.evaluation.serving.lines import Refused
from glyphlab.evaluation.serving.look import Desk
from glyphlab.recognition.modelfile import find_model
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.run import Run
from glyphlab.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A linear network on the embedded digits, whose training labels were searched."""
    runs_dir = tmp_path_factory.mktemp("runs")
    settings: dict[str, Any] = {"network.name": "linear", "training.epochs": 1, "engine.threads": 1}
    settings |= {"engine.device": "cpu", "engine.precision": "float32", "engine.channels_last": False}
    made = train("fast", "digits", settings=settings | {"engine.compile": False}, runs_dir=runs_dir)
    glyphs = load(made)
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(len(glyphs.class_names)), size=len(glyphs))
    LabelSearch(glyphs, probs).write(made.folder / "labels")
    return made


def load(run: Run) -> GlyphSet:
    from glyphlab.training.images import load_images

    return load_images(run.recipe, "train", None)


@pytest.fixture
def desk(run: Run) -> Desk:
    (run.folder / "labels" / "corrections.csv").unlink(missing_ok=True)
    return Desk([run.folder.parent], None)


def test_runs_are_listed_with_what_there_is_of_them(desk: Desk, run: Run) -> None:
    (row,) = desk.runs()["runs"]
    assert (row["name"], row["status"], row["report"], row["labels"]) == (run.name, "finished", False, ["train"])
    assert Desk([Path("/nonexistent")], None).runs() == {"runs": [], "searches": []}


def test_labels_that_were_searched_without_a_run_are_reviewed_as_well(run: Run, tmp_path: Path, cli: Any) -> None:
    target = LabelTarget.open("digits", runs_dir=tmp_path)
    probs = np.random.default_rng(0).dirichlet(np.ones(10), size=len(load(run)))
    target.write(LabelSearch(load(run), probs), target.folder())
    desk = Desk([tmp_path, run.folder.parent], None)
    assert desk.runs()["searches"] == [{"name": "labels-digits", "data": "digits"}] and len(desk.runs()["runs"]) == 1
    (tmp_path / "labels-damaged").mkdir()
    (tmp_path / "labels-damaged" / "labels.csv").touch()
    assert len(desk.runs()["searches"]) == 1
    found = desk.labels("labels-digits", None, 0, 5)
    assert found["split"] == "train" and found["total"] > 5
    first, second = (row["id"] for row in found["labels"][:2])
    assert desk.decide("labels-digits", "train", first, "discard", None) == {"decided": 1}
    desk.decide("labels-digits", "train", second, "keep", None)
    assert desk.undo("labels-digits", None, second) == {"decided": 1}
    assert [row.id for row in read_corrections(tmp_path / "labels-digits" / "corrections.csv")] == [first]
    command = shlex.split(
        desk.labels("labels-digits", "train", 0, 1)["apply"].replace("NEW-FOLDER", str(tmp_path / "new"))
    )
    assert cli(*command[1:]).code == 0
    assert len(load_dataset(tmp_path / "new")) == len(load(run)) - 1
    with pytest.raises(Refused, match="the test labels of labels-digits were not searched yet"):
        desk.labels("labels-digits", "test", 0, 1)
    with pytest.raises(Refused, match="there is no run 'labels-digits'"):
        desk.report("labels-digits")


def test_labels_come_with_images_and_decisions_are_written_at_once(desk: Desk, run: Run) -> None:
    listed = desk.labels(run.name, None, 0, 3)
    assert (listed["split"], listed["decided"], len(listed["labels"])) == ("train", 0, 3)
    first, second, third = listed["labels"]
    assert base64.b64decode(first["png"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    desk.decide(run.name, None, first["id"], "keep", None)
    desk.decide(run.name, "train", second["id"], "relabel", None)
    assert desk.decide(run.name, None, third["id"], "discard", None) == {"decided": 3}
    rows = {row.id: (row.action, row.label) for row in read_corrections(run.folder / "labels" / "corrections.csv")}
    assert rows == {
        first["id"]: ("keep", first["suggested"]),
        second["id"]: ("relabel", second["suggested"]),
        third["id"]: ("discard", ""),
    }
    assert desk.undo(run.name, None, third["id"]) == {"decided": 2}
    again = Desk([run.folder.parent], None).labels(run.name, None, 0, 3)["labels"]
    assert [row["decision"] and row["decision"]["action"] for row in again] == ["keep", "relabel", None]


def test_the_command_for_what_was_decided_works(desk: Desk, run: Run, tmp_path: Path) -> None:
    listed = desk.labels(run.name, None, 0, 1)
    desk.decide(run.name, None, listed["labels"][0]["id"], "discard", None)
    words = [str(tmp_path / "better") if word == "NEW-FOLDER" else word for word in shlex.split(listed["apply"])]
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)
    assert len(load_dataset(str(tmp_path / "better"))) == len(load(run)) - 1


def test_decisions_that_make_no_sense_are_refused(desk: Desk, run: Run) -> None:
    first = desk.labels(run.name, None, 0, 1)["labels"][0]
    with pytest.raises(Refused, match="no other class 'x'"):
        desk.decide(run.name, None, first["id"], "relabel", "x")
    with pytest.raises(Refused, match="no other class"):
        desk.decide(run.name, None, first["id"], "relabel", first["given"])
    with pytest.raises(Refused, match="no such image"):
        desk.decide(run.name, None, "../../x", "keep", None)
    with pytest.raises(Refused, match="were not searched yet"):
        desk.labels(run.name, "test", 0, 1)
    assert not (run.folder / "labels" / "corrections.csv").exists()


def test_images_that_were_not_searched_are_neither_shown_nor_decided_on(desk: Desk, run: Run) -> None:
    """And those of a new search are, though the worker keeps images."""
    row = desk.labels(run.name, None, 0, 1)["labels"][0]
    labels, about = run.folder / "labels" / "labels.csv", run.folder / "labels" / "labels.json"
    table, summary = labels.read_bytes(), about.read_text()
    labels.write_bytes(table)  # as after a new search, which the images that are kept are older than
    about.write_text(summary.replace('"data_sha256": "', '"data_sha256": "0'))
    for refused in (
        lambda: desk.labels(run.name, None, 0, 1),
        lambda: desk.decide(run.name, None, row["id"], "keep", None),
    ):
        with pytest.raises(DataError, match=r"have changed since .*; search again with: glyphlab labels find"):
            refused()
    assert not (run.folder / "labels" / "corrections.csv").exists()
    about.write_text(summary)
    assert desk.labels(run.name, None, 0, 1)["labels"][0] == row


@pytest.mark.parametrize("name", ["nothing", "..", "../runs", "/etc", ""])
def test_runs_are_looked_up_and_never_become_paths(desk: Desk, name: str) -> None:
    with pytest.raises(Refused, match="there is no run") as caught:
        desk.report(name)
    assert caught.value.value["status"] == 404


def test_a_model_that_was_deleted_meanwhile_is_refused(desk: Desk, tmp_path: Path) -> None:
    pixels = base64.b64encode(bytes(28 * 28)).decode()
    with pytest.raises(Refused, match="the model's file is no longer there"):
        desk.explain(str(tmp_path / "gone.onnx"), "gone", pixels, [28, 28], "saliency")


@pytest.mark.parametrize("what", ["maps", "saliency"])
def test_a_glyph_is_explained(desk: Desk, what: str) -> None:
    glyph = np.zeros((28, 28), dtype=np.uint8)
    glyph[4:24, 12:16] = 255
    pixels = base64.b64encode(glyph.tobytes()).decode("ascii")
    answer = desk.explain(str(find_model("digits")), "digits", pixels, [28, 28], what)
    assert answer["character"] == "1"
    assert desk.explain(str(find_model("digits")), "digits", pixels, [28, 28], what, only="2-4")["character"] in "234"
    (image,) = answer["images"]
    assert len(image["png"]) > 10_000


def test_a_run_is_exported_when_it_is_asked_for(desk: Desk, run: Run) -> None:
    path = desk.export(run.name)["path"]
    assert path == str(run.folder / "model.onnx")
    assert Path(path).is_file()
    stamp = Path(path).stat().st_mtime_ns
    assert desk.export(run.name) == {"path": path}
    assert Path(path).stat().st_mtime_ns == stamp


def test_the_worker_answers_line_by_line_and_ends_with_its_input(run: Run) -> None:
    questions = [
        {"ask": "runs", "with": {}},
        {"ask": "report", "with": {"name": "x"}},
        {"ask": "explain", "with": {"model": "x"}},
        {"ask": "runs", "with": {}},
    ]
    command = [sys.executable, "-m", "glyphlab.evaluation.serving.look", "--runs-dir", str(run.folder.parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write("".join(json.dumps(question) + "\n" for question in questions))
        worker.stdin.flush()
        first, second, third, fourth = (json.loads(worker.stdout.readline()) for _ in questions)
        worker.stdin.close()
        assert worker.wait(60) == 0
    assert first == fourth
    assert first["answer"]["runs"][0]["name"] == run.name
    assert (second["error"]["status"], second["error"]["code"]) == (404, "no_run")
    assert (third["error"]["status"], third["error"]["code"]) == (500, "bug")
    assert "TypeError" in third["error"]["traceback"]


def test_a_worker_at_work_ends_soon_after_its_input() -> None:
    """As when the service was killed: nobody waits for the answer any more."""
    code = (
        "import time; from glyphlab.evaluation.serving.lines import converse;"
        "converse({'sleep': lambda facts, tell: tell(0.5, 'asleep') or time.sleep(600)}, farewell_seconds=0.1)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(b'{"ask": "sleep", "with": {}}\n')
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["message"] == "asleep"
        worker.stdin.close()
        assert worker.wait(30) == 1


def test_an_explanation_shows_the_probability_of_the_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrated, that is, as the model file gives it."""
    from glyphlab.evaluation.inspect import saliency_pictures

    shown: list[float] = []
    draw = saliency_pictures.draw_saliency

    def spy(explained: Any, *rest: Any) -> None:
        shown.extend(one.prob for one in explained)
        draw(explained, *rest)

    monkeypatch.setattr(saliency_pictures, "draw_saliency", spy)
    glyph = np.zeros((28, 28), dtype=np.uint8)
    glyph[4:24, 12:16] = glyph[4:8, 6:20] = 255
    path = str(find_model("digits"))
    desk.explain(path, "digits", base64.b64encode(glyph.tobytes()).decode("ascii"), [28, 28], "saliency")
    expected = np.sort(Recognizer.load(path, threads=1).predict_glyphs(glyph[None])[0])[:-3:-1]
    assert shown == pytest.approx(expected, abs=1e-6)
    assert Recognizer.load(path, threads=1).info.temperature != 1.0  # else this would show nothing


def test_a_list_of_runs_loads_no_torch(run: Run) -> None:
    code = (
        "import sys; from pathlib import Path; from glyphlab.evaluation.serving.look import Desk;"
        f"Desk([Path({str(run.folder.parent)!r})], None).runs(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

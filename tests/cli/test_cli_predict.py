from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glyphlab.evaluation.onnx_graph import build_model
from glyphlab.networks.classifier import Classifier, ClassifierSpec
from glyphlab.recognition.conformal import ConformalTable
from glyphlab.recognition.modelfile import ModelInfo

CLASSES = ("1", "2", "O", "0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upright strokes are "1", lying ones "2"; what is neither is "O" and a little less "0"."""
    classifier = Classifier(ClassifierSpec("linear", (1, 28, 28), CLASSES, (0.0,), (1.0,))).eval()
    y, x = np.mgrid[:28, :28] - 13.5
    upright = torch.from_numpy((y**2 - x**2).ravel() / 300).float()
    with torch.no_grad():
        classifier.body.output.weight.copy_(torch.stack([upright, -upright, 0 * upright, 0 * upright]))
        classifier.body.output.bias.copy_(torch.tensor([0, 0, 1.5, 1.3]))
    info = ModelInfo(CLASSES, (1, 28, 28), "mnist", conformal=ConformalTable(100, (0.5, 0.9), ((0.3, 0.7),)))
    path = tmp_path_factory.mktemp("model") / "strokes.onnx"
    path.write_bytes(build_model(classifier, info).SerializeToString())
    return path


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """upright.png, lying.png and deep/ring.png in the present folder."""
    y, x = np.mgrid[:120, :100]
    radius = np.hypot(y - 60, x - 50)
    drawn = {
        "upright.png": (abs(x - 50) < 4) & (abs(y - 60) < 40),
        "lying.png": (abs(y - 60) < 4) & (abs(x - 50) < 40),
        "deep/ring.png": (radius > 26) & (radius < 34),
    }
    for name, ink in drawn.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.where(ink, 0, 255).astype(np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_with_a_row_a_picture(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    done = cli("predict", ".", "upright.png", "--model", model)
    assert done.code == 0 and done.err == ""
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["file", "answer", "probability", "otherwise"]
    assert [row[:2] for row in rows[1:]] == [
        ["lying.png", "2"], ["upright.png", "1"], ["deep/ring.png", "O"], ["upright.png", "1"],
    ]  # fmt: skip
    assert rows[3][2].endswith("%") and rows[3][3] == "0"
    assert len({line.index("%") for line in done.out.splitlines()[1:]}) == 1  # aligned


def test_restricted_doubted_and_with_sets(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    for option in ("--only", "--alphabet"):
        assert "ring.png  0 " in cli("predict", "deep", "-m", model, option, "0-2").out
    done = cli("predict", "deep/*.png", "-m", model, "--min-confidence", "0.9", "--coverage", "0.9")
    assert done.out.splitlines()[0].split() == ["file", "answer", "probability", "set", "otherwise"]
    assert "O?" in done.out and "  O 0  " in done.out


def test_csv_to_a_file_and_to_standard_output(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    done = cli("predict", ".", "-m", model, "--csv", "out/answers.csv")
    assert done.code == 0 and done.out == ""
    text = (pictures / "out" / "answers.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["file"], row["character"]) for row in rows] == [
        ("lying.png", "2"), ("upright.png", "1"), ("deep/ring.png", "O"),
    ]  # fmt: skip
    assert rows[2]["character_2"] == "0" and float(rows[2]["probability"]) > float(rows[2]["probability_2"]) > 0
    assert rows[0]["certain"] == "" and rows[0]["error"] == ""
    assert cli("predict", ".", "-m", model, "--csv", "-").out == text


def test_json_is_one_document(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"")
    done = cli("predict", ".", "-m", model, "--json", "--coverage", "0.9")
    value = json.loads(done.out)
    assert done.code == 2 and value["model"] == str(model)
    assert [row["character"] for row in value["predictions"]] == ["2", "1", "O"]
    assert value["predictions"][2]["prediction_set"] == ["O", "0"] and not value["predictions"][2]["certain"]
    assert value["errors"] == ["broken.png: the file is empty"]
    (pictures / "none").mkdir()
    nothing = cli("predict", "none", "-m", model, "--json")
    assert json.loads(nothing.out)["predictions"] == [] and nothing.code == 2


def test_certain_stands_only_where_it_was_asked_for(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    for asked, certain in (((), None), (("--min-confidence", "0.9"), False), (("--coverage", "0.5"), True)):
        (told,) = json.loads(cli("predict", "deep", "-m", model, "--json", *asked).out)["predictions"]
        assert told.get("certain") is certain
        (row,) = csv.DictReader(io.StringIO(cli("predict", "deep", "-m", model, "--csv", "-", *asked).out))
        assert row["certain"] == {None: "", False: "false", True: "true"}[certain]


def test_bad_pictures_do_not_stop_the_good_ones(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    (pictures / "letter.png").write_bytes(b"dear all")
    (pictures / "cut.png").write_bytes((pictures / "lying.png").read_bytes()[:60])
    Image.new("L", (30_000, 1), 255).save(pictures / "dot.png")
    Image.new("L", (90, 90), 128).save(pictures / "plain.png")
    (pictures / "none").mkdir()
    bad = ["letter.png", "cut.png", "dot.png", "plain.png", "none", "missing.png"]
    done = cli("predict", *bad, "upright.png", "-m", model)
    assert done.code == 2
    assert [line.split()[:2] for line in done.out.splitlines()[1:]] == [["upright.png", "1"]]
    lines = done.err.splitlines()
    assert len(lines) == 6 and all(line.startswith("glyphlab: ") for line in lines)
    assert all(any(f"{name}: " in line for line in lines) for name in bad)
    assert any("cut.png: damaged (" in line and line.endswith("; save or copy the picture again") for line in lines)
    assert any("dot.png: 30000 x 1 pixels; expected at least 8 x 8" in line for line in lines)
    with_rows = cli("predict", "dot.png", "upright.png", "none", "cut.png", "-m", model, "--csv", "-")
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(with_rows.out))}
    assert {name: row["error"] != "" for name, row in rows.items()} == {
        "dot.png": True, "upright.png": False, "none": True, "cut.png": True,
    }  # fmt: skip
    assert rows["cut.png"]["error"].startswith("cut.png: damaged (")


def test_names_are_shown_to_people_and_kept_for_programs(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    name = "new\nline\x1b[31m.png"
    (pictures / "upright.png").rename(pictures / name)
    (pictures / "bad\x1b[0m.png").write_bytes(b"")
    done = cli("predict", name, "bad\x1b[0m.png", "-m", model)
    assert done.out.splitlines()[1].startswith("new\\nline\\x1b[31m.png  1 ")
    assert done.err == "glyphlab: bad\\x1b[0m.png: the file is empty\n"
    assert json.loads(cli("predict", name, "-m", model, "--json").out)["predictions"][0]["file"] == name
    (row,) = csv.DictReader(io.StringIO(cli("predict", name, "-m", model, "--csv", "-").out, newline=""))
    assert row["file"] == name


def test_a_name_that_is_no_text(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    try:
        (pictures / "upright.png").rename(pictures / "deep" / "bad\udcff.png")
    except OSError:
        pytest.skip("this file system takes text only")
    assert cli("predict", "deep", "-m", model, "--csv", "answers.csv").code == 0
    assert "deep/bad\\udcff.png,1," in (pictures / "answers.csv").read_text(encoding="utf-8")
    assert "deep/bad\\udcff.png  1 " in cli("predict", "deep", "-m", model).out
    assert "deep/bad\\udcff.png,1," in cli("predict", "deep", "-m", model, "--csv", "-").out
    files = {one["file"] for one in json.loads(cli("predict", "deep", "-m", model, "--json").out)["predictions"]}
    assert files == {"deep/bad\udcff.png", "deep/ring.png"}


def test_how_it_was_prepared_is_drawn(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    assert cli("predict", "upright.png", "deep", "./upright.png", "-m", model, "--explain", "steps").code == 0
    strips = sorted((pictures / "steps").iterdir())
    assert [strip.name for strip in strips] == ["ring.png", "upright-2.png", "upright.png"]
    with Image.open(strips[0]) as strip:
        assert strip.width > 3 * strip.height


def test_drawings_of_pictures_of_one_name_have_names_of_their_own(
    cli: Callable[..., Any], model: Path, pictures: Path
) -> None:
    places = ["d1/a.png", "d2/a.png", "d3/a-2.png", "d4/A.png", "d5/a.png"]
    for place in places:
        (pictures / place).parent.mkdir()
        (pictures / place).write_bytes((pictures / "upright.png").read_bytes())
    assert cli("predict", *places, "-m", model, "--explain", "steps").code == 0
    names = {path.name for path in (pictures / "steps").iterdir()}
    assert names == {"a.png", "a-2.png", "a-2-2.png", "A-3.png", "a-4.png"}


def test_what_is_drawn_is_what_the_network_saw(
    cli: Callable[..., Any], model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glyphlab.imaging import explain
    from glyphlab.recognition.preparation import preparation_of

    with Image.open("deep/ring.png") as ring:
        grain = np.random.default_rng(3).normal(0, 20, (1920, 1600))
        large = np.clip(np.asarray(ring.resize((1600, 1920))) * 0.8 + grain, 0, 255).astype(np.uint8)
    Image.fromarray(large).save("large.png")
    drawn: list[list[explain.Step]] = []
    strip = explain.strip
    monkeypatch.setattr(explain, "strip", lambda steps: drawn.append(steps) or strip(steps))
    assert cli("predict", "large.png", "-m", model, "--explain", "steps").code == 0
    glyph = preparation_of(ModelInfo(CLASSES, (1, 28, 28), "mnist"))("large.png")
    np.testing.assert_array_equal(drawn[0][-1].image, glyph)


@pytest.mark.parametrize(
    ("pictures_given", "options"),
    [
        (["upright.png"], ["--explain", "."]),
        (["deep", "upright.png"], ["--explain", "deep/"]),
        (["*.png"], ["--csv", "deep/../upright.png"]),
        (["deep"], ["--csv", "link.csv"]),
        (["upright.png"], ["--csv", "model.onnx"]),
    ],
)
def test_what_is_read_is_never_written_over(
    cli: Callable[..., Any], model: Path, pictures: Path, pictures_given: list[str], options: list[str]
) -> None:
    (pictures / "model.onnx").write_bytes(model.read_bytes())
    (pictures / "link.csv").symlink_to("deep/ring.png")
    before = {path: path.read_bytes() for path in pictures.rglob("*") if path.is_file()}
    done = cli("predict", *pictures_given, "-m", "model.onnx", *options)
    assert done.code == 2 and done.err.count("\n") == 1 and done.out == ""
    assert "cannot write " in done.err and "choose another" in done.err
    assert {path: path.read_bytes() for path in pictures.rglob("*") if path.is_file()} == before


def test_prepared_glyphs(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    glyph = np.zeros((28, 28), np.uint8)
    glyph[4:24, 12:16] = 255
    Image.fromarray(glyph).save(pictures / "glyph.png")
    done = cli("predict", "glyph.png", "lying.png", "-m", model, "--no-prepare")
    assert done.code == 2 and "glyph.png  1" in done.out
    assert "lying.png: 100 x 120 pixels; expected a prepared glyph of 28 x 28" in done.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--model", "digts"), "no model 'digts'"),
        (("--model", "lying.png"), "is not a whole ONNX model"),
        (("--only", "xyz"), "the model does not know x y z; it knows 1 2 O 0"),
        (("--coverage", "95"), "coverage is 95"),
        (("--csv", "-", "--json"), "choose one"),
        (("--csv", "lying.png/answers.csv"), "cannot write"),
        (("--explain", "steps", "--no-prepare"), "choose one"),
    ],
)
def test_mistakes_are_one_line(
    cli: Callable[..., Any], model: Path, pictures: Path, arguments: tuple[str, ...], problem: str
) -> None:
    done = cli("predict", "upright.png", *(() if "--model" in arguments else ("--model", model)), *arguments)
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1 and done.out == ""


def test_many_pictures_stream(cli: Callable[..., Any], model: Path, pictures: Path) -> None:
    content = (pictures / "upright.png").read_bytes()
    for number in range(150):
        (pictures / "deep" / f"{number:03d}.png").write_bytes(content)
    done = cli("predict", "deep", "-m", model)
    rows = [line.split() for line in done.out.splitlines()[1:]]
    assert [row[0] for row in rows[:150]] == [f"deep/{number:03d}.png" for number in range(150)]
    assert all(row[1] == "1" for row in rows[:150]) and rows[150][1] == "O"

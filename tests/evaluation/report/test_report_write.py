from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation.labels.outofsample import OutOfSample
from glyphlab.evaluation.report import inside, labels, report, report_path, write_report
from glyphlab.evaluation.report.page import is_report, json_for_page
from glyphlab.evaluation.result import Evaluation
from glyphlab.training.run import Run
from glyphlab.training.train import train

EXCITING = "The input that most excites each class"


def test_the_page_asks_for_nothing_and_says_so(written: Any) -> None:
    page = written.path.read_text(encoding="utf-8")
    assert "default-src 'none'" in unescape(page[:1000]) and is_report(page[:4096].encode())
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page.partition("<script")[0])
    assert links and all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"@import|url\((?!data:)", page)
    assert written.path == written.run.folder / "report.html"


def test_names_of_classes_and_files_are_only_text(written: Any) -> None:
    page = written.path.read_text(encoding="utf-8")
    for hostile in ("<img src=x", "<!--", "<b>&."):
        assert hostile not in page, hostile
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["classes"] == list(written.evaluation.class_names)


def test_json_cannot_end_its_element() -> None:
    text = json_for_page({"a": "</script><!--", "b": "\u2028"})
    assert "<" not in text and "\u2028" not in text and json.loads(text) == {"a": "</script><!--", "b": "\u2028"}


def test_a_report_is_replaced_but_nothing_else(written: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<p>my own page", encoding="utf-8")
    with pytest.raises(RunError, match=r"mine.html exists and is no report of ours; .*--force"):
        write_report(written.run, written.evaluation, written.glyphs, mine)
    assert mine.read_text(encoding="utf-8") == "<p>my own page"
    write_report(written.run, written.evaluation, written.glyphs, mine, looks=False, force=True)
    write_report(written.run, written.evaluation, written.glyphs, mine, looks=False)  # now it is one of ours
    assert is_report(mine.read_bytes()[:4096])


@pytest.mark.parametrize(("name", "problem"), [("report.txt", "does not end in .html"), ("", "is a folder")])
def test_a_bad_path_is_refused(written: Any, tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(RunError, match=problem):
        write_report(written.run, written.evaluation, written.glyphs, tmp_path / name)


def test_a_run_without_weights_is_refused(hostile_run: Run, tmp_path: Path) -> None:
    for name in ("recipe.toml", "run.json", "environment.json"):
        (tmp_path / name).write_bytes((hostile_run.folder / name).read_bytes())
    with pytest.raises(RunError, match="holds no weights yet"):
        report(tmp_path)


def test_the_path_tells_other_data_and_parts(hostile_run: Run) -> None:
    assert report_path(hostile_run).name == "report.html"
    assert report_path(hostile_run, "my-digits", "train").name == "report-my-digits-train.html"
    assert report_path(hostile_run, "/elsewhere/my-digits").name == "report-my-digits.html"
    assert report_path(hostile_run, ".").name == f"report-{Path.cwd().name}.html"


def test_progress_is_told(written: Any, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = tmp_path / "r.html"
    report(written.run, path=path, projection="none", looks=False, on_progress=lambda *news: told.append(news))
    assert told[0] == ("asking the network", 0, 1) and told[-1][1] == told[-1][2]
    page = path.read_text(encoding="utf-8")
    assert 'id="map"' not in page and EXCITING not in page


def test_large_images_are_not_looked_at_for_minutes(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert EXCITING in written.path.read_text(encoding="utf-8")
    monkeypatch.setattr(inside, "_LARGEST_LOOKED_INTO", written.glyphs.images.shape[1] - 1)
    page = write_report(written.run, written.evaluation, written.glyphs, tmp_path / "r.html")
    assert EXCITING not in page.read_text(encoding="utf-8")


def test_images_of_one_class_without_mistakes(written: Any, tmp_path: Path) -> None:
    """Two images, both right: no map, no mistakes, and still a whole page."""
    glyphs = written.glyphs.subset([0, 3])
    logits = np.full((2, 3), -4.0, dtype=np.float32)
    logits[:, glyphs.targets[0]] = 4
    evaluation = Evaluation.from_logits(logits, glyphs)
    page = write_report(written.run, evaluation, glyphs, tmp_path / "two.html", looks=False).read_text(encoding="utf-8")
    assert "There are none." in page and "100\u00a0%" in page


def test_a_convolution_on_colour_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(60, 12, 12, 3), dtype=np.uint8)
    targets = np.arange(60) % 2
    images[targets == 1, :, :, 0] //= 4
    settings = {"network.name": "glyphnet", "network.width": 8, "training.epochs": 1, "engine.device": "cpu"}
    for split in ("train", "test"):
        _write_folder(GlyphSet(images, targets, ("red", "blue")), tmp_path / "data" / split)
    run = train(data=tmp_path / "data", settings=settings, runs_dir=tmp_path / "runs")
    page = report(run).read_text(encoding="utf-8")
    assert "filters of" in page and '<body class="photo">' in page
    titles = re.findall(r"<summary>([^<]*)</summary>", page)
    responses = "What each filter answers, by cv2.filter2D and by the layer: conv"
    assert {f"{responses}1", f"{responses}2", "Maps through the depth", "The pixels that answers rest on", EXCITING} < {
        *titles
    }


def test_training_labels_come_from_kfold(written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probs = np.full((60, 3), 0.05, dtype=np.float32)
    probs[np.arange(60), written.glyphs.targets] = 0.9
    probs[7] = np.roll(probs[7], 1)  # the networks are sure of another class
    result = OutOfSample(probs, np.ones(60, dtype=np.int8), written.glyphs)
    monkeypatch.setattr(labels, "load_out_of_sample", lambda run, data_dir: result)
    path = write_report(written.run, written.evaluation, written.glyphs, tmp_path / "k.html", looks=False)
    page = path.read_text(encoding="utf-8")
    assert "Confident learning calls 1 label suspicious" in page and page.count('class="tile plain"') == 1


def _write_folder(glyphs: GlyphSet, folder: Path) -> None:
    from PIL import Image

    for index, (image, target) in enumerate(zip(glyphs.images, glyphs.targets, strict=True)):
        path = folder / glyphs.class_names[int(target)] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)

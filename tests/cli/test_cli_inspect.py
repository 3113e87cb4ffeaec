from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphlab.training.run import Run


def test_inspect_writes_into_the_run_and_says_what(cli: Callable[..., Any], run: Run) -> None:
    done = cli("inspect", run.name, "--runs-dir", run.folder.parent, "--what", "filters, responses,maps", "--layer", 1)
    assert done.code == 0 and "shown: test image" in done.out
    for name in ("filters-conv1.png", "responses-conv1.png", "maps.png", "inspect.json"):
        assert (run.folder / "inspect" / name).is_file()
    assert "filters-conv1.png" in done.out and "check: responses of conv1 make the layer's output" in done.out


def test_a_picture_is_prepared_as_predict_prepares_it(cli: Callable[..., Any], run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(picture)
    assert cli("export", run.folder).code == 0
    predicted = json.loads(cli("predict", picture, "--model", run.folder, "--json").out)["predictions"][0]
    done = cli("inspect", run.folder, "--image", picture, "--what", "maps", "--out", tmp_path / "out", "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert report["image"]["name"] == "large.png" and report["files"] == [str(tmp_path / "out" / "maps.png")]
    assert report["image"]["prediction"] == predicted["character"]
    again = cli("inspect", run.folder, "--image", picture, "--what", "maps", "--no-prepare")
    assert again.code == 2 and "40 x 50 pixels; expected a prepared glyph of 12 x 12" in again.err


def test_a_run_without_model_file_says_how_to_make_one(cli: Callable[..., Any], run: Run, tmp_path: Path) -> None:
    (run.folder / "model.onnx").unlink(missing_ok=True)
    done = cli("inspect", run.folder, "--image", tmp_path / "x.png")
    assert done.code == 2 and "holds no model.onnx; write one with: glyphlab export" in done.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nothing",), "no run 'nothing'"),
        ((), "give a run, or --network"),
        (("RUN", "--network", "alexnet"), "give a run, or --network"),
        (("RUN", "--weights", "x.pth"), "--weights goes with --network"),
        (("--network", "alexnot"), "did you mean 'alexnet'"),
        (("RUN", "--layer", "conv9"), "no convolution 'conv9' in network 'mnist-3conv'; did you mean 'conv"),
        (("RUN", "--layer", "7"), "no convolution 7 in network 'mnist-3conv'; expected 1 to 2"),
        (("RUN", "--image", "30"), "no image 30 in bars test; expected 0 to 29"),
        (("RUN", "--what", "filter"), "did you mean 'filters'"),
        (("RUN", "--split", "tets"), "did you mean 'test'"),
        (("RUN", "--channel", "nrom"), "did you mean 'norm'"),
        (
            ("RUN", "--what", "space,maps", "--border", "zero"),
            "--border has no effect on space, maps: it is for responses",
        ),
        (("RUN", "--what", "filters", "--seed", "0"), "--seed has no effect on filters: it is for space, excite"),
        (("RUN", "--what", "filters", "--split", "train"), "--split has no effect on filters"),
        (("RUN", "--what", "maps", "--image", "3", "--no-prepare"), "--no-prepare is for a picture that --image names"),
        (("RUN", "--what", "filters", "--layer", "2", "--channel", "4"), "no input channel 4 in these filters"),
        (("RUN", "--out", "RUN", "--what", "filters"), "but no inspect.json of an earlier inspection"),
    ],
)
def test_mistakes_are_one_line(cli: Callable[..., Any], run: Run, arguments: tuple[str, ...], problem: str) -> None:
    done = cli("inspect", *(argument.replace("RUN", str(run.folder)) for argument in arguments))
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1

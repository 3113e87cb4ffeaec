from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glyphlab.errors import ModelError
from glyphlab.recognition import modelfile
from glyphlab.recognition.modelfile import ModelInfo, find_model, shipped_models


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("characters", "digits"):
        (folder / f"{name}.onnx").touch()
    monkeypatch.setattr(modelfile, "_SHIPPED", folder)
    return folder


def test_the_description_survives_json(info: ModelInfo) -> None:
    assert ModelInfo.from_json(info.to_json()) == info
    described = json.loads(info.to_json())
    assert described["format"] == "glyphlab-model-1" and described["opset"] == 17
    assert ModelInfo.from_json(ModelInfo(("a", "é"), (3, 8, 8), None).to_json()).class_names == ("a", "é")


@pytest.mark.parametrize(
    "damage",
    [
        {"class_names": 3},
        {"image_shape": [28, 28]},
        {"foreign": 1},
        {"conformal": []},
        {"framing": 3},
        {"temperature": "x"},
        {"data": "mnist"},
        {"figures": [1]},
        {"class_names": ["0", "0"]},
    ],
)
def test_a_damaged_description_is_refused(info: ModelInfo, damage: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelInfo.from_json(json.dumps(json.loads(info.to_json()) | damage))
    for text in ("", "[]", "null", "{"):
        with pytest.raises(ModelError, match="damaged"):
            ModelInfo.from_json(text)


def test_models_are_found_by_name_file_and_run(
    shipped: Path, write_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped_models() == ["characters", "digits"]
    assert find_model("digits") == shipped / "digits.onnx"
    # Whatever else is called so has to be given as a path.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert find_model("digits") == shipped / "digits.onnx"
    with pytest.raises(ModelError, match="digits holds no"):
        find_model("./digits")
    file = write_model("model.onnx")
    assert find_model(file) == find_model(str(file)) == find_model(file.parent) == file


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("digit", "no model 'digit'; did you mean 'digits'?"),
        ("zebra", "no model 'zebra'; known: characters, digits"),
        ("missing.onnx", "no model file missing.onnx; .* one of: characters, digits"),
        ("runs/none", "no model file runs.none"),
    ],
)
def test_what_is_not_there_is_said(shipped: Path, wanted: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        find_model(wanted)


def test_a_run_without_a_model_says_how_to_get_one(shipped: Path, tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    run.mkdir()
    with pytest.raises(ModelError, match=r"run-1 holds no model\.onnx; write one with: glyphlab export"):
        find_model(run)

"""What a model file says about itself, written anew."""

from __future__ import annotations

from pathlib import Path

from glyphlab.files import whole_file
from glyphlab.recognition.modelfile import METADATA_KEY, ModelInfo


def set_description(path: Path, info: ModelInfo) -> None:
    """Replace the description in a file that nobody else reads yet."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {METADATA_KEY: info.to_json()})
    path.write_bytes(model.SerializeToString())


def redescribe(path: Path, info: ModelInfo) -> None:
    """Replace the description in a model file, which is whole at any moment. Raises `RunError`."""
    with whole_file(path) as temporary:
        temporary.write_bytes(path.read_bytes())
        set_description(temporary, info)

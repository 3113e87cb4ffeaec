"""What a model file says about itself, and finding one: a shipped name, a file, or a run folder.

A Glyphlab model is one ONNX file (opset 17, IR version 8) that any ONNX runtime can use:

    input   glyphs          uint8 [N, H, W] or [N, H, W, 3], any N, light ink on black
    output  probabilities   float32 [N, K], calibrated

and, under the metadata key "glyphlab", the JSON of a `ModelInfo`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glyphlab.errors import ModelError, did_you_mean, quoted
from glyphlab.recognition.conformal import ConformalTable

METADATA_KEY = "glyphlab"
FORMAT = "glyphlab-model-1"
INPUT, OUTPUT = "glyphs", "probabilities"
OPSET, IR_VERSION = 17, 8  # read by ONNX Runtime 1.11 and later, and by OpenCV and browsers
MODEL_NAME = "model.onnx"  # within a run folder
DEFAULT_MODEL = "characters"

_SHIPPED = Path(__file__).parent / "models"


@dataclass(frozen=True)
class ModelInfo:
    """Everything that belongs to a model beside its weights.

    class_names: what each output stands for.
    image_shape: channels (1 or 3), height, width of a glyph.
    framing: how pictures become glyphs, a name in `imaging.glyph.FRAMINGS`; None: the whole picture is fitted in.
    invert: pictures are dark on light and are inverted when fitted in (only without framing).
    temperature: what the logits are divided by, in the graph; 1 where it was not fitted.
    conformal: thresholds of prediction sets; None where there were no validation images.
    network, recipe, data, figures: where the model comes from and how good it is, as JSON values.
    precision: "float32" or "int8". weights_sha256: of the weights file it was made from.
    licence: of the model. glyphlab_version, created: what wrote the file, and when (ISO 8601, UTC).
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    framing: str | None
    invert: bool = False
    temperature: float = 1.0
    conformal: ConformalTable | None = None
    network: str = ""
    recipe: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    weights_sha256: str = ""
    licence: str = ""
    glyphlab_version: str = ""
    created: str = ""

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads."""
        fields = asdict(self) | {"conformal": self.conformal.to_json() if self.conformal else None}
        return json.dumps({"format": FORMAT, "opset": OPSET} | fields, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Raises `ModelError` when `text` does not describe a model of this format."""
        try:
            fields = json.loads(text)
            written = fields.pop("format")
            if written != FORMAT:
                raise ModelError(f"its format is {written!r}, expected {FORMAT!r}; install the version that wrote it")
            fields.pop("opset")
            _require_types(fields)
            fields["class_names"] = tuple(str(name) for name in fields["class_names"])
            if len(set(fields["class_names"])) != len(fields["class_names"]):
                raise ValueError("two classes have one name")
            channels, height, width = (int(extent) for extent in fields["image_shape"])
            fields["image_shape"] = (channels, height, width)
            if fields["conformal"] is not None:
                table = fields["conformal"] = ConformalTable.from_json(fields["conformal"])
                if table.groups and len(table.groups) != len(fields["class_names"]):
                    raise ValueError("the thresholds are those of other classes")
            return cls(**fields)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"its description under '{METADATA_KEY}' is damaged ({error}); export it again") from error


def _require_types(fields: dict[str, Any]) -> None:
    """What others rely on, in a file that anybody may have written. Raises `ValueError`."""
    for key, types in _TYPES.items():
        if key in fields and not isinstance(fields[key], types):
            raise ValueError(f"{key} is {fields[key]!r}")


_TYPES: dict[str, tuple[type, ...]] = {
    "class_names": (list,),
    "framing": (str, type(None)),
    "invert": (bool,),
    "temperature": (int, float),
    "data": (dict,),
    "figures": (dict,),
    **dict.fromkeys(
        ("network", "recipe", "precision", "weights_sha256", "licence", "glyphlab_version", "created"), (str,)
    ),
}


def shipped_models() -> list[str]:
    """Names of the models that come with Glyphlab, in alphabetical order."""
    return sorted(path.stem for path in _SHIPPED.glob("*.onnx"))


def find_model(path_or_name: str | Path) -> Path:
    """The model file meant: a shipped model's name, an .onnx file, or a run folder that holds one.

    A shipped model goes before a file or folder here of its name, which "./digits" is. Raises `ModelError` where there
    is none.
    """
    if isinstance(path_or_name, str) and path_or_name in shipped_models():
        return _SHIPPED / f"{path_or_name}.onnx"
    path = Path(path_or_name)
    if path.is_file():
        return path
    if path.is_dir():
        if (path / MODEL_NAME).is_file():
            return path / MODEL_NAME
        raise ModelError(f"{path} holds no {MODEL_NAME}; write one with: glyphlab export {quoted(path)}")
    shipped = shipped_models()
    if path.suffix == ".onnx" or len(path.parts) > 1:
        raise ModelError(f"no model file {path}; give the path of an .onnx file, or one of: {', '.join(shipped)}")
    hint = did_you_mean(str(path_or_name), shipped) if shipped else "none are installed"
    raise ModelError(f"no model '{path_or_name}'; {hint} (a model of your own is given by its path, ending in .onnx)")

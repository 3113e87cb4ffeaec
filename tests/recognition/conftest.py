"""A tiny model, written byte by byte: these tests need neither torch nor the onnx package, as a plain install."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.recognition.conformal import ConformalTable
from glyphlab.recognition.modelfile import METADATA_KEY, ModelInfo

SIDE = 28
_FLOAT, _UINT8, _INT_ATTRIBUTE = 1, 2, 2


def varint(number: int) -> bytes:
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


def message(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A Protocol Buffers message: integers as varints, everything else with its length."""
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            encoded += varint(number << 3 | 2) + varint(len(content)) + content
    return encoded


def node(operator: str, inputs: Iterable[str], output: str, **integers: int) -> bytes:
    attributes = ((5, message((1, name), (3, value), (20, _INT_ATTRIBUTE))) for name, value in sorted(integers.items()))
    return message(*((1, name) for name in inputs), (2, output), (4, operator), *attributes)


def tensor(name: str, values: NDArray[np.float32]) -> bytes:
    return message(*((1, extent) for extent in values.shape), (2, _FLOAT), (8, name), (9, values.tobytes()))


def value_info(name: str, element: int, *shape: int | str) -> bytes:
    extents = [(1, message((1, extent) if isinstance(extent, int) else (2, extent))) for extent in shape]
    return message((1, name), (2, message((1, message((1, element), (2, message(*extents)))))))


def linear_model(weights: NDArray[np.float32], bias: NDArray[np.float32], metadata: dict[str, str]) -> bytes:
    """softmax(glyphs @ weights + bias) as an ONNX file. weights: float32 [784, K]."""
    graph = message(
        (1, node("Cast", ["glyphs"], "floats", to=_FLOAT)),
        (1, node("Flatten", ["floats"], "flat", axis=1)),
        (1, node("Gemm", ["flat", "weights", "bias"], "logits")),
        (1, node("Softmax", ["logits"], "probabilities", axis=1)),
        (2, "tiny"),
        (5, tensor("weights", weights)),
        (5, tensor("bias", bias)),
        (11, value_info("glyphs", _UINT8, "N", SIDE, SIDE)),
        (12, value_info("probabilities", _FLOAT, "N", len(bias))),
    )
    properties = ((14, message((1, key), (2, value))) for key, value in metadata.items())
    return message((1, 8), (7, graph), (8, message((1, ""), (2, 17))), *properties)


def tiny_weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upright strokes are "1", lying ones "2"; what is neither is "O" and a little less "0"."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    upright = (y**2 - x**2).ravel() / 255 / 300
    weights = np.stack([upright, -upright, 0 * upright, 0 * upright], axis=1)
    return weights.astype(np.float32), np.array([0, 0, 1.5, 1.3], dtype=np.float32)


INFO = ModelInfo(
    class_names=("1", "2", "O", "0"),
    image_shape=(1, SIDE, SIDE),
    framing="mnist",
    conformal=ConformalTable(100, (0.5, 0.9), ((0.3, 0.7),)),
    data={"name": "strokes"},
)


@pytest.fixture
def info() -> ModelInfo:
    return INFO


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """write_model(framing=None, ...) -> the tiny model's file, its description changed as asked for."""

    def write(name: str = "tiny.onnx", metadata: dict[str, str] | None = None, **changes: object) -> Path:
        described = {METADATA_KEY: replace(INFO, **changes).to_json()} if metadata is None else metadata
        path = tmp_path / name
        path.write_bytes(linear_model(*tiny_weights(), described))
        return path

    return write


@pytest.fixture
def stroke() -> Callable[[str], NDArray[np.uint8]]:
    """Pictures, black on white, 120x100: stroke("upright"), "lying", "ring" or "blank"."""

    def draw(kind: str) -> NDArray[np.uint8]:
        picture = np.full((120, 100), 255, dtype=np.uint8)
        y, x = np.mgrid[:120, :100]
        match kind:
            case "upright":
                picture[20:100, 46:54] = 0
            case "lying":
                picture[56:64, 10:90] = 0
            case "ring":
                radius = np.hypot(y - 60, x - 50)
                picture[(radius > 26) & (radius < 34)] = 0
            case _:
                assert kind == "blank"
        return picture

    return draw

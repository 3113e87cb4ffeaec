"""The same model in eight bits: smaller, and on processors with integer dot products (VNNI) faster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glyphlab.recognition.modelfile import INPUT
from glyphlab.recognition.recognizer import Recognizer

CALIBRATION_IMAGES = 512
_SEED = 1
_QUANTIZED = ("Conv", "Gemm", "Relu", "MaxPool", "GlobalAveragePool", "Flatten")
_BATCH = 64
_TIMED_GLYPHS = 2048
_REPEATS = 5


class _Glyphs:
    """Calibration images as ONNX Runtime asks for them: batches under the input's name, then None."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (
            images[start : start + _BATCH] for start in range(0, len(images), _BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantize(source: Path, target: Path, images: NDArray[np.uint8], candidates: NDArray[np.int64]) -> None:
    """Write `source`, a float32 model, to `target` with eight-bit weights and activations.

    Static quantisation: weights int8 with a scale a channel, activations uint8 with ranges observed on 512 of
    `images` (uint8 [N, H, W(, 3)]), drawn from `candidates` (int64 indices of training images). Softmax and
    normalisation stay float32. The description stays the source's; `description.set_description` replaces it.

    Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    count = min(CALIBRATION_IMAGES, len(candidates))
    chosen = np.sort(np.random.default_rng(_SEED).choice(candidates, count, replace=False))

    class Reader(_Glyphs, CalibrationDataReader):  # type: ignore[misc]
        """ONNX Runtime wants its own base class."""

    # Fuses what can be fused, so that less is rounded; symbolic shapes would need sympy and tell nothing new.
    quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
    quantize_static(
        str(target),
        str(target),
        Reader(images[chosen]),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_QUANTIZED),
        per_channel=True,
        # Seven bits keep the sums of processors without VNNI from overflowing.
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def throughput(models: Sequence[Recognizer], images: NDArray[np.uint8]) -> list[float]:
    """Glyphs a second of each model, in batches: the median of five rounds in which they take turns."""
    sample = images[:_TIMED_GLYPHS]
    seconds = np.empty((_REPEATS, len(models)))
    for model in models:
        model.predict_glyphs(sample[:_BATCH])
    for times in seconds:
        for place, model in enumerate(models):
            begin = time.perf_counter()
            model.predict_glyphs(sample)
            times[place] = time.perf_counter() - begin
    return [len(sample) / float(median) for median in np.median(seconds, axis=0)]

"""How quickly a model answers: Glyphlab's Recognizer beside the same network in eager torch.

    make bench
    python benchmarks/inference.py --data-dir DATA --rounds 5 --seconds 3
    python benchmarks/inference.py --model characters

The network of a shipped model file is built again in torch, so that both ask the same weights. Glyphs come prepared,
one at a time and in batches, from uint8 pixels to probabilities; pictures of 1200x900 come as files, one at a time.
There the peer's preparation is the plain OpenCV one of preparation.py. Each measurement has a process of its own, with
as many threads as each library takes. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import children
import numpy as np
import samples
from measuring import options, take_turns
from numpy.typing import NDArray
from results import counted, provenance, ratios, spread, table, write_section

# What each shipped model is asked about.
DATA = {"characters": "emnist-balanced", "digits": "mnist"}
BATCHES = (1, 32, 512)
_WARM_CALLS = 5

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def recognizer_answers(model: str) -> tuple[Answer, Callable[[Path], object]]:
    """Glyphlab's way: from glyphs to probabilities, and from a picture file to an answer."""
    from glyphlab.recognition.recognizer import Recognizer

    recognizer = Recognizer.load(model)
    return recognizer.predict_glyphs, lambda path: recognizer.predict([path])


def torch_answers(model: str) -> tuple[Answer, Callable[[Path], object]]:
    """The same network as a torch module."""
    import torch
    from preparation import with_opencv

    from glyphlab.evaluation.transfer.from_onnx import classifier_from_onnx
    from glyphlab.networks.classifier import to_pixels
    from glyphlab.recognition.modelfile import find_model

    classifier, _ = classifier_from_onnx(find_model(model))

    def answer(glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probs: NDArray[np.float32] = classifier(to_pixels(torch.from_numpy(glyphs))).softmax(1).numpy()
            return probs

    return answer, lambda path: answer(with_opencv(path)[None]).argmax()


def measure(
    way: str, model: str, data_dir: str | None, paths: Sequence[str], seconds: float
) -> dict[str, dict[str, float]]:
    """Latencies and rates for each batch size, and for pictures; {"1": {"p50_ms", "p95_ms", "rate"}, ...}."""
    answer, answer_file = (recognizer_answers if way == "onnx" else torch_answers)(model)
    images = samples.glyphs(DATA[model], "test", data_dir).images
    images = images[np.arange(max(len(images), *BATCHES)) % len(images)]  # the embedded digits are few
    found = {}
    for batch in BATCHES:
        parts = [images[start : start + batch] for start in range(0, len(images) - batch + 1, batch)]
        found[str(batch)] = _timed(answer, parts, batch, seconds)
    found["picture"] = _timed(answer_file, [Path(path) for path in paths], 1, seconds)
    return found


def _timed(call: Callable[[Any], object], inputs: Sequence[Any], each: int, seconds: float) -> dict[str, float]:
    """Call with one input after the other, over and over, until the time is over. each: glyphs of an input."""
    milliseconds: list[float] = []
    ends = 0.0
    while len(milliseconds) <= _WARM_CALLS or time.perf_counter() < ends:
        if len(milliseconds) == _WARM_CALLS:
            ends = time.perf_counter() + seconds
        began = time.perf_counter()
        call(inputs[len(milliseconds) % len(inputs)])
        milliseconds.append(1000 * (time.perf_counter() - began))
    counted = np.array(milliseconds[_WARM_CALLS:])
    p50, p95 = np.percentile(counted, [50, 95])
    return {"p50_ms": float(p50), "p95_ms": float(p95), "rate": 1000 * each / float(counted.mean())}


def model_table(model: str, chosen: Any, paths: Sequence[Path]) -> str:
    """The table of one model."""
    asked = partial(
        children.part, __file__, "measure", model=model, data_dir=chosen.data_dir, paths=paths, seconds=chosen.seconds
    )
    found = take_turns({way: partial(asked, way=way) for way in ("torch", "onnx")}, chosen.rounds)
    kinds = {str(batch): f"{batch} glyphs at once" if batch > 1 else "a glyph at a time" for batch in BATCHES}
    kinds["picture"] = "a picture file at a time"
    rows = []
    for kind, title in kinds.items():
        theirs, ours = ([one.value[kind] for one in found[way]] for way in ("torch", "onnx"))
        base = [one["rate"] for one in theirs]
        for words, values in (("eager torch", theirs), ("Glyphlab", ours)):
            columns = [[one[key] for one in values] for key in ("p50_ms", "p95_ms", "rate")]
            times = spread(ratios(columns[2], base), ".2f") if values is ours else "1.00"
            rows.append(
                (f"{title}, {words}", *(spread(column, ",.2f") for column in columns[:2]), spread(columns[2]), times)
            )
    columns = ("", "median, ms", "95th percentile, ms", "a second", "times torch")
    memory = {way: spread([one.peak_mb for one in outcomes]) for way, outcomes in found.items()}
    closing = f"Peak memory: Glyphlab {memory['onnx']} MB, torch {memory['torch']} MB."
    return f"### `{model}`\n\n{table(columns, rows)}\n\n{closing}"


def main() -> None:
    """Measure and write the section."""
    children.serve({"measure": measure, "data": samples.at_hand})
    parser = options(__doc__, rounds=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row in each round")
    parser.add_argument("--model", choices=DATA, nargs="+", default=list(DATA), help="shipped models")
    parser.add_argument("--pictures", type=int, default=62, help="how many")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = samples.pictures(chosen.data_dir, chosen.pictures, Path(folder))
        tables = [model_table(model, chosen, pictures.paths) for model in chosen.model]
    data = [
        children.part(__file__, "data", name=DATA[model], data_dir=chosen.data_dir).value["words"]
        for model in chosen.model
    ]
    data.append(pictures.words)
    repeated = (
        f"{counted(chosen.rounds, 'round')} of {chosen.seconds:g} s for each row. A picture file is prepared, too: by "
        "Glyphlab as photographs need it, for torch by OpenCV's threshold, box and scale alone."
    )
    write_section("inference", "\n\n".join([provenance(", ".join(data), repeated), *tables]), chosen.out)


if __name__ == "__main__":
    main()

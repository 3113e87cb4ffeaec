"""The same predict job on a Ray cluster: a list or folder of archives and pictures in, a folder of CSV files out.

    pip install 'ray[data]'
    python examples/ray_data.py shards/ answers/ --model digits --no-prepare
    RAY_ADDRESS=auto python examples/ray_data.py ...      on a cluster that is running

Ray moves the work to where there is room and repeats what a lost machine has not finished. It keeps no record across
runs: what must go on after the whole program was stopped is better served by `glyphlab job predict`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before Ray is imported: by itself it reports its use

import ray

from glyphlab import ImageError, Recognizer
from glyphlab.recognition.shards import pictures_in, sources

# What a task that reads takes of a core. Were it a whole one, as many workers as cores would leave none to read with,
# and all would wait for ever.
READER_CPUS = 0.1


def pictures(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pictures of one archive, or the one picture, a row each, read where the task runs."""
    for name, picture in pictures_in(row["item"]):
        if isinstance(picture, ImageError):
            yield {"file": name, "content": b"", "error": str(picture)}
        else:
            yield {
                "file": name,
                "content": picture if isinstance(picture, bytes) else picture.read_bytes(),
                "error": "",
            }


class Answer:
    """One recogniser in each worker, loaded once."""

    def __init__(self, model: str, prepared: bool) -> None:
        self.recognizer = Recognizer.load(model, threads=1)
        self.prepared = prepared

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Columns of pictures to columns of answers."""
        answers = [answer for _, answer in self.recognizer.predict_many(batch["content"], prepared=self.prepared)]
        bad = [isinstance(answer, ImageError) for answer in answers]
        return {
            "file": batch["file"],
            "character": ["" if wrong else answer.character for answer, wrong in zip(answers, bad, strict=True)],
            "probability": [0.0 if wrong else answer.probability for answer, wrong in zip(answers, bad, strict=True)],
            "error": [
                error or (str(answer) if wrong else "")
                for error, answer, wrong in zip(batch["error"], answers, bad, strict=True)
            ],
        }


def main() -> None:
    """Read the command line, run, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", help="a list with a path a line, a folder, or a .tar archive")
    parser.add_argument("out", help="a folder")
    parser.add_argument("--model", default="characters")
    parser.add_argument("--no-prepare", action="store_true", help="the pictures are glyphs already")
    parser.add_argument("--workers", type=int, help="default: one for each core of the cluster")
    options = parser.parse_args()
    ray.init()
    answers = (
        ray.data.from_items(list(sources(options.place)))
        .flat_map(pictures, num_cpus=READER_CPUS)
        .map_batches(
            Answer,
            fn_constructor_args=(options.model, options.no_prepare),
            batch_size=500,
            num_cpus=1 - READER_CPUS,
            compute=ray.data.ActorPoolStrategy(size=options.workers or int(ray.cluster_resources()["CPU"])),
        )
        .materialize()
    )
    answers.write_csv(options.out)
    print(f"{answers.count():,} answers in {options.out}")


if __name__ == "__main__":
    main()

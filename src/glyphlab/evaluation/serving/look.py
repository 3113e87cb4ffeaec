"""The worker that looks: `python -m glyphlab.evaluation.serving.look --runs-dir runs`, started when it is first asked.

Each question is a method of `Desk`. What needs torch is imported by the first question that needs it: a list of runs
is there at once, and where torch is not installed that list is still there.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from glyphlab.errors import RecipeError, did_you_mean, quoted
from glyphlab.evaluation.serving.lines import Refused, Tell, Value, converse
from glyphlab.runfolder import is_run, labels_folder, run_folders, search_folders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glyphlab.data.catalogue import Split
    from glyphlab.data.glyphset import GlyphSet
    from glyphlab.evaluation.comparison.compare import Comparison
    from glyphlab.evaluation.labels.corrections import Action, Correction
    from glyphlab.evaluation.labels.search import Suspicion
    from glyphlab.networks.classifier import Classifier
    from glyphlab.recognition.recognizer import Recognizer

_SPLITS: tuple[Split, ...] = ("train", "test")
_MOST_FLIPS = 24
_CLASSES_EXPLAINED = 2


class Desk:
    """Answers questions about the runs in some folders.

    runs_dirs: folders of run folders; of runs with the same name the first counts. data_dir: where public data lie.
    """

    def __init__(self, runs_dirs: Sequence[Path], data_dir: Path | None) -> None:
        self._runs_dirs, self._data_dir = list(runs_dirs), data_dir

    def answers(self) -> dict[str, Callable[[Value, Tell], Value]]:
        """The questions by name."""
        known = (self.runs, self.report, self.compare, self.labels, self.decide, self.undo, self.explain, self.export)
        return {method.__name__: _plain(method) for method in known}

    def runs(self) -> Value:
        """All runs, newest first; and the searches in labels of data sets for which there is no run."""
        from dataclasses import asdict

        from glyphlab.evaluation.comparison.runs_table import list_runs, sort_rows

        rows = {row.name: row for folder in reversed(self._runs_dirs) if folder.is_dir() for row in list_runs(folder)}
        listed = [asdict(row) for row in sort_rows(rows.values(), "date", reverse=True)]
        for row in listed:
            folder = Path(row["folder"])
            row["report"] = (folder / "report.html").is_file()
            row["labels"] = [split for split in _SPLITS if _labels_csv(folder, split).is_file()]
        searches = {home.name: home for place in reversed(self._runs_dirs) for home in search_folders(place)}
        return {"runs": listed, "searches": list(_searches(searches[name] for name in sorted(searches)))}

    def report(self, name: str) -> Value:
        """The path of a run's report, which is written where there is none yet."""
        folder = self._folder(name)
        path = folder / "report.html"
        if not path.is_file():
            from glyphlab.evaluation.report import report

            path = report(str(folder), data_dir=self._data_dir)
        return {"path": str(path)}

    def compare(self, a: str, b: str) -> Value:
        """Two runs on the same images: tables, the test between them, and pictures."""
        from glyphlab.evaluation.comparison.compare import compare
        from glyphlab.evaluation.comparison.files import figures_table, pair_in_words, settings_table

        comparison = compare([str(self._folder(a)), str(self._folder(b))], data_dir=self._data_dir)
        header = ["", *(entry.name for entry in comparison.entries)]
        return {
            "a": a,
            "b": b,
            "words": [pair_in_words(comparison, pair) for pair in comparison.pairs],
            "figures": {"header": header, "rows": figures_table(comparison)},
            "settings": {"header": header, "rows": settings_table(comparison)},
            "images": _comparison_pictures(comparison),
            "summary": comparison.summary(),
        }

    def labels(self, name: str, split: Split | None, offset: int, limit: int) -> Value:
        """Suspicious labels with their images and decisions. split: None: the part that was searched."""
        home, part, suspicions = self._suspicions(name, split)
        glyphs = self._glyphs(home, part)
        decided = {row.id: row for row in _decisions(home, part)}

        def told(row: Correction | None) -> Value | None:
            return None if row is None else {"action": row.action, "label": row.label or None}

        return {
            "run": name,
            "split": part,
            "class_names": list(glyphs.class_names),
            "total": len(suspicions),
            "decided": sum(row.id in decided for row in suspicions),
            "apply": self._apply_command(home, part),
            "offset": offset,
            "labels": [
                {
                    "id": row.id,
                    "index": row.index,
                    "given": row.given,
                    "suggested": row.suggested,
                    "self_confidence": row.self_confidence,
                    "png": _data_url(_png(glyphs.images[row.index])),
                    "decision": told(decided.get(row.id)),
                }
                for row in suspicions[offset : offset + limit]
            ],
        }

    def _apply_command(self, home: Path, split: Split) -> str:
        """What makes the corrected set of the decisions."""
        words = ["glyphlab labels apply", quoted(_target(home)), quoted(_corrections_csv(home, split))]
        words += ["--split test"] if split == "test" else []
        words += [] if self._data_dir is None else [f"--data-dir {quoted(self._data_dir)}"]
        return " ".join([*words, "--out NEW-FOLDER"])

    def decide(self, name: str, split: Split | None, image: str, action: Action, label: str | None) -> Value:
        """Write a decision into corrections.csv, on the disk before this returns."""
        from glyphlab.evaluation.labels.corrections import write_corrections
        from glyphlab.evaluation.labels.search import decision

        home, part, suspicions = self._suspicions(name, split)
        row = _row(suspicions, image)
        glyphs, wanted = self._glyphs(home, part), label or row.suggested
        if action == "relabel":
            known = [one for one in glyphs.class_names if one != row.given]
            if wanted not in known:
                raise Refused(422, "invalid", f"no other class '{wanted}'", did_you_mean(wanted, known))
        decided = {one.id: one for one in _decisions(home, part)}
        decided[row.id] = decision(row, action, wanted)
        write_corrections(decided.values(), _corrections_csv(home, part))
        return {"decided": sum(one.id in decided for one in suspicions)}

    def undo(self, name: str, split: Split | None, image: str) -> Value:
        """Take a decision back."""
        from glyphlab.evaluation.labels.corrections import write_corrections

        home, part, suspicions = self._suspicions(name, split)
        _row(suspicions, image)
        left = {one.id: one for one in _decisions(home, part) if one.id != image}
        write_corrections(left.values(), _corrections_csv(home, part))
        return {"decided": sum(one.id in left for one in suspicions)}

    def export(self, name: str) -> Value:
        """Write a run's model file, where there is none yet; returns its path."""
        from glyphlab.recognition.modelfile import MODEL_NAME

        path = self._folder(name) / MODEL_NAME
        if not path.is_file():
            from glyphlab.evaluation.export import export_run

            path = export_run(str(path.parent), data_dir=self._data_dir).path
        return {"path": str(path)}

    def explain(
        self, model: str, title: str, glyph: str, shape: list[int], what: str, only: str | None = None
    ) -> Value:
        """Pictures of what a model does with a glyph. model: path of its file. glyph: its bytes in base64. only: what
        may be answered.
        """
        import numpy as np

        from glyphlab.recognition.alphabet import Alphabet

        image = np.frombuffer(base64.b64decode(glyph), dtype=np.uint8).reshape(shape).copy()
        try:
            classifier, recognizer = _network(model, Path(model).stat().st_mtime_ns)
        except FileNotFoundError:
            raise Refused(404, "no_model", "the model's file is no longer there", "choose another model") from None
        # The file's own, calibrated and weighed: the figures that the answer beside the picture shows.
        names, given = recognizer.class_names, recognizer.predict_glyphs(image[None])
        alphabet = Alphabet.of(only, names)
        probs = np.zeros_like(given[0])
        probs[alphabet.indices] = alphabet.weigh(alphabet.restrict(given))[0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            draw = _draw_maps if what == "maps" else _draw_saliency
            draw(classifier, image, probs, path, title)
            character = names[int(probs.argmax())]
            return {"character": character, "images": [{"title": what, "png": _data_url(path.read_bytes())}]}

    def _folder(self, name: str) -> Path:
        """A run's folder."""
        return self._find(name, run_folders)

    def _find(self, name: str, folders_in: Callable[[Path], list[Path]]) -> Path:
        """A folder of that name: looked up, never made of the name."""
        folders = {path.name: path for place in reversed(self._runs_dirs) for path in folders_in(place)}
        if name not in folders:
            raise Refused(404, "no_run", f"there is no run '{name[:80]}'", did_you_mean(name, folders))
        return folders[name]

    def _suspicions(self, name: str, split: Split | None) -> tuple[Path, Split, list[Suspicion]]:
        """The folder of a run, or of a search without one; the part that was searched; what was found."""
        from glyphlab.evaluation.labels.search import read_labels

        home = self._find(name, lambda place: [*search_folders(place), *run_folders(place)])
        searched = [part for part in _SPLITS if _labels_csv(home, part).is_file() and split in (None, part)]
        if not searched:
            part = split or "train"
            option = "" if part == "train" else " --split test"
            cure = f"search them with: glyphlab labels find {quoted(_target(home))}{option}"
            raise Refused(404, "no_labels", f"the {part} labels of {name} were not searched yet", cure)
        return home, searched[0], read_labels(_labels_csv(home, searched[0]))

    def _glyphs(self, home: Path, split: Split) -> GlyphSet:
        """The images that suspicions are about. Raises `DataError` where they have changed."""
        return _searched_glyphs(home, split, self._data_dir, _labels_csv(home, split).stat().st_mtime_ns)


def _plain(method: Callable[..., Value]) -> Callable[[Value, Tell], Value]:
    return lambda facts, tell: method(**facts)


def _target(home: Path) -> str:
    """What `glyphlab labels` calls it: the run's folder, or the data set."""
    if is_run(home):
        return str(home)
    from glyphlab.training.recipe import Recipe

    return Recipe.load(home / "recipe.toml").data.name


def _searches(homes: Iterable[Path]) -> Iterator[Value]:
    """Names and data of searches without a run; what is damaged is passed over."""
    for home in homes:
        with suppress(RecipeError):
            yield {"name": home.name, "data": _target(home)}


def _labels_csv(home: Path, split: Split) -> Path:
    return _findings(home, split) / "labels.csv"


def _corrections_csv(home: Path, split: Split) -> Path:
    return _findings(home, split) / "corrections.csv"


def _findings(home: Path, split: Split) -> Path:
    """Of a search without a run, which is of training labels, they lie in its own folder."""
    return labels_folder(home, split) if is_run(home) or split == "test" else home


def _decisions(home: Path, split: Split) -> list[Correction]:
    from glyphlab.evaluation.labels.corrections import read_corrections

    path = _corrections_csv(home, split)
    return read_corrections(path) if path.exists() else []


def _row(suspicions: Sequence[Suspicion], image: str) -> Suspicion:
    found = next((row for row in suspicions if row.id == image), None)
    if found is None:
        raise Refused(404, "no_image", "there is no such image among the suspicious labels", "see the list of labels")
    return found


@lru_cache(maxsize=2)
def _searched_glyphs(home: Path, split: Split, data_dir: Path | None, mtime_ns: int) -> GlyphSet:
    """The images of a data set, as labels.csv of that time means them; kept while one reviews them."""
    from glyphlab.evaluation.labels.target import LabelTarget

    return LabelTarget.open(_target(home), data_dir=data_dir, runs_dir=home.parent).searched(split)[0]


@lru_cache(maxsize=4)
def _network(path: str, mtime_ns: int) -> tuple[Classifier, Recognizer]:
    """The network in a model file of that time, and the file as people use it."""
    from glyphlab.evaluation.transfer.from_onnx import classifier_from_onnx
    from glyphlab.recognition.recognizer import Recognizer

    return classifier_from_onnx(Path(path))[0], Recognizer.load(path, threads=1)


def _comparison_pictures(comparison: Comparison) -> list[dict[str, str]]:
    from glyphlab.evaluation.comparison.pictures import draw_curves, draw_flips

    pictures: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        if any(entry.history for entry in comparison.entries):
            draw_curves(comparison, path)
            pictures.append({"title": "learning curves", "png": _data_url(path.read_bytes())})
        (pair,) = comparison.pairs
        if pair.test.only_a or pair.test.only_b:
            draw_flips(comparison, pair, path, _MOST_FLIPS)
            pictures.append({"title": "images that only one got right", "png": _data_url(path.read_bytes())})
    return pictures


def _draw_maps(
    classifier: Classifier, image: NDArray[np.uint8], probs: NDArray[np.float32], path: Path, title: str
) -> None:
    from glyphlab.evaluation.inspect.depth import draw_depth, maps_through_depth

    draw_depth(image, maps_through_depth(classifier, image), path, title)


def _draw_saliency(
    classifier: Classifier, image: NDArray[np.uint8], probs: NDArray[np.float32], path: Path, title: str
) -> None:
    """Why the likeliest class, and why the next. probs: float32 [K]."""
    import numpy as np

    from glyphlab.evaluation.inspect.layers import layer_names
    from glyphlab.evaluation.inspect.saliency import grad_cam, integrated_gradients, occlusion
    from glyphlab.evaluation.inspect.saliency_pictures import Explained, draw_saliency

    names, layers = classifier.spec.class_names, layer_names(classifier)
    explained = [
        Explained(
            image=image,
            name="your drawing",
            explained=names[target],
            prob=float(probs[target]),
            wrong=False,
            gradients=integrated_gradients(classifier, image, target),
            cam=grad_cam(classifier, image, target) if layers else None,
            occlusion=occlusion(classifier, image, target),
        )
        for target in np.argsort(-probs, kind="stable")[:_CLASSES_EXPLAINED].tolist()
    ]
    draw_saliency(explained, path, title, layers[-1] if layers else None)


def _png(image: NDArray[np.uint8]) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])[1].tobytes())


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def main() -> None:
    """Answer until the input ends."""
    parser = argparse.ArgumentParser(description="Answers questions of the service; not for people.")
    parser.add_argument("--runs-dir", type=Path, action="append", default=[])
    parser.add_argument("--data-dir", type=Path)
    chosen = parser.parse_args()
    converse(Desk(chosen.runs_dir, chosen.data_dir).answers())


if __name__ == "__main__":
    main()

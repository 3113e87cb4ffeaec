"""A look inside a network, whole: every picture of it in one folder, and what was measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from glyphlab.errors import GlyphlabError, RunError, did_you_mean
from glyphlab.evaluation.inspect.depth import draw_depth, maps_through_depth
from glyphlab.evaluation.inspect.excite import draw_excitation, excite
from glyphlab.evaluation.inspect.feature_map import METHOD_NAMES, Method, draw_feature_map, project
from glyphlab.evaluation.inspect.filters import View, draw_filters, filters_of
from glyphlab.evaluation.inspect.layers import find_convolution, layer_names
from glyphlab.evaluation.inspect.responses import BORDERS, Border, draw_responses, responses_of
from glyphlab.evaluation.inspect.saliency import grad_cam, integrated_gradients, occlusion
from glyphlab.evaluation.inspect.saliency_pictures import Explained, draw_saliency
from glyphlab.evaluation.inspect.subject import Shown, Subject
from glyphlab.files import read_object, write_json

WHAT = ("filters", "responses", "maps", "saliency", "space", "excite")
SUMMARY = "inspect.json"

_OF_CONVOLUTIONS = ("filters", "responses", "maps")
_OF_ONE_IMAGE = ("responses", "maps", "saliency")
_MOST_FILTER_LAYERS, _MOST_RESPONSE_LAYERS = 8, 2  # without a layer named
_RIGHT_EXPLAINED, _WRONG_EXPLAINED = 3, 3
_MOST_CLASSES = 100  # of so many the favourite inputs are found; of more, those of the likeliest
_LIKELIEST = 12

_DOING = {
    "filters": "drawing filters",
    "responses": "responses of filters",
    "maps": "maps through the depth",
    "saliency": "explaining answers",
    "space": "map of the feature space",
    "excite": "inputs that excite",
}
_ABOUT = {
    "filters": "the filters of the layer",
    "responses": "what each filter answers, by cv2.filter2D and by the layer",
    "maps": "maps through the depth",
    "saliency": "the pixels that answers rest on",
    "space": "map of the feature space, mistakes marked",
    "excite": "the input that most excites each class",
}

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Wishes:
    """What to look at, and how.

    what: some of `WHAT`; None: all that the network allows. layer: a convolution's name or number; None: the first
    few. view: of filters, see `filter_pictures`. border: of responses. method: of the feature space. seed: of the
    feature space's drawing and of the inputs that excite. classes: that these excite, by number; None: all, but of very
    many the likeliest.
    """

    what: tuple[str, ...] | None = None
    layer: str | None = None
    view: View = "auto"
    border: Border = "reflect"
    method: Method = "tsne"
    seed: int = 0
    classes: tuple[int, ...] | None = None

    @classmethod
    def checked(
        cls, *, what: tuple[str, ...] | None, layer: str | None, view: View, border: str, method: str, seed: int
    ) -> Wishes:
        """From words that a user gave. Raises `GlyphlabError` for one that means nothing here."""
        for word in what or ():
            _require("part of an inspection", word, WHAT)
        if what == ():
            raise GlyphlabError(f"no part of an inspection was named; {did_you_mean('', WHAT)}")
        _require("border", border, tuple(BORDERS))
        _require("method", method, tuple(METHOD_NAMES))
        return cls(what, layer, view, cast(Border, border), cast(Method, method), seed)


@dataclass(frozen=True)
class Inspection:
    """What was written and found.

    files: in the order of drawing. facts: figures, as JSON values. notes: what was left out, and why.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        names = [str(path) for path in self.files]
        return {"folder": str(self.folder), "files": names, **self.facts, "notes": self.notes}

    def describe(self) -> str:
        """What was written, and the figures worth a line, for the terminal."""
        lines = [f"{path.name:<22} {about(path)}".rstrip() for path in self.files]
        if shown := self.facts.get("image"):
            lines.insert(0, f"shown: {shown['name']}, taken for {shown['prediction']} ({shown['probability']:.1%})")
        for layer, facts in self.facts.get("responses", {}).items():
            lines.append(
                f"check: responses of {layer} make the layer's output to {facts['largest_difference_to_layer']:.0e}"
            )
        if gaps := [row["completeness_gap"] for row in self.facts.get("saliency", [])]:
            lines.append(f"check: integrated gradients add up to within {max(gaps):.2%} (largest of {len(gaps)})")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, f"pictures: {self.folder}"])

    def path(self, name: str) -> Path:
        """Where a picture of this name goes; it counts as written."""
        self.files.append(self.folder / name)
        return self.files[-1]


def about(picture: Path) -> str:
    """What a picture of an inspection shows, in a few words."""
    return _ABOUT.get(picture.stem.split("-")[0], "")


def claim(folder: Path, force: bool = False) -> None:
    """Refuse a folder that holds something else than an inspection. Raises `RunError`."""
    if force or not folder.is_dir() or not any(folder.iterdir()) or (folder / SUMMARY).is_file():
        return
    raise RunError(f"{folder} holds files, but no {SUMMARY} of an earlier inspection; give an empty folder, or --force")


def _clear(found: Inspection) -> None:
    """Take away what an earlier inspection drew and this one did not: no summary would tell what it shows."""
    try:
        former = {Path(name).name for name in read_object(found.folder / SUMMARY).get("files", [])}
    except (OSError, ValueError, TypeError):  # none, or none that can be read
        return
    for name in former - {path.name for path in found.files}:
        (found.folder / name).unlink(missing_ok=True)


def inspect(
    subject: Subject,
    folder: Path,
    wishes: Wishes | None = None,
    *,
    image: Shown | None = None,
    on_progress: Progress | None = None,
) -> Inspection:
    """Look inside a network and draw what is seen into `folder`.

        inspect(Subject.of_run(run), run.folder / "inspect", Wishes(("filters", "responses")))

    image: what the network is shown; None: the first image of the data. Saliency then explains some right answers and
    some mistakes; with an image it explains that one. on_progress: told what is being done, and how much of all is.

    Raises `ModelError` (no such layer, no convolutions), `ImageError` (an image that does not fit), `DataError` (no
    data), `RunError` (cannot write).
    """
    wishes, tell = wishes or Wishes(), on_progress or (lambda text, share: None)
    found = Inspection(folder)
    parts = _parts(subject, wishes, image, found)
    if wishes.layer is not None:
        find_convolution(subject.classifier, wishes.layer)  # a mistake is said before any work is done
    shown = image if image is not None or not set(_OF_ONE_IMAGE) & set(parts) else subject.shown(0)
    found.facts.update(network=subject.classifier.spec.network, layers=layer_names(subject.classifier))
    if shown is not None:
        found.facts["image"] = _about(subject, shown)
    for number, part in enumerate(parts):

        def tell_share(share: float, part: str = part, number: int = number) -> None:
            tell(_DOING[part], (number + share) / len(parts))

        tell_share(0.0)
        if part == "filters":
            _filters(subject, wishes, found)
        elif part == "space":
            _space(subject, wishes, found)
        elif part == "excite":
            _excite(subject, shown, wishes, found, tell_share)
        else:
            assert shown is not None
            if part == "saliency":
                _saliency(subject, shown, image is None, wishes, found)
            else:
                (_responses if part == "responses" else _maps)(subject, shown, wishes, found)
    _clear(found)
    write_json(folder / SUMMARY, found.to_json())
    return found


def _parts(subject: Subject, wishes: Wishes, shown: Shown | None, found: Inspection) -> list[str]:
    """What will be done, in order; all that is possible, and quick enough, where nothing was asked for."""
    if wishes.what is not None:
        return [part for part in WHAT if part in wishes.what]
    parts = list(WHAT)
    if not layer_names(subject.classifier):
        network = subject.classifier.spec.network
        found.notes.append(f"network '{network}' has no convolutions: no filters, responses, maps and Grad-CAM")
        parts = [part for part in parts if part not in _OF_CONVOLUTIONS]
    if not subject.has_images:
        parts = [part for part in parts if part not in ("space", "excite")]
        if shown is None:
            found.notes.append("no image was given: no responses, maps and saliency")
            parts = [part for part in parts if part not in _OF_ONE_IMAGE]
    return parts


def _filters(subject: Subject, wishes: Wishes, found: Inspection) -> None:
    shapes = found.facts["filters"] = {}
    for layer in _layers(subject, wishes, _MOST_FILTER_LAYERS, found):
        weights = filters_of(subject.classifier, layer)
        shapes[layer] = list(weights.shape)
        draw_filters(weights, found.path(f"filters-{layer}.png"), f"{subject.name}, {layer}", wishes.view)


def _responses(subject: Subject, shown: Shown, wishes: Wishes, found: Inspection) -> None:
    facts = found.facts["responses"] = {}
    for layer in _layers(subject, wishes, _MOST_RESPONSE_LAYERS, found):
        answers = responses_of(subject.classifier, layer, shown.image, wishes.border)
        facts[layer] = {"border": answers.border, "largest_difference_to_layer": answers.difference}
        heading = f"{subject.name}, {layer}, {shown.name}"
        draw_responses(answers, shown.image, found.path(f"responses-{layer}.png"), heading)


def _maps(subject: Subject, shown: Shown, wishes: Wishes, found: Inspection) -> None:
    stages = maps_through_depth(subject.classifier, shown.image)
    found.facts["maps"] = [{"layers": list(stage.layers), "shape": list(stage.maps.shape)} for stage in stages]
    draw_depth(shown.image, stages, found.path("maps.png"), f"{subject.name}, {shown.name}")


def _saliency(subject: Subject, shown: Shown, by_default: bool, wishes: Wishes, found: Inspection) -> None:
    names = layer_names(subject.classifier)
    layer = find_convolution(subject.classifier, wishes.layer or len(names))[0] if names else None
    chosen = _to_explain(subject, shown) if by_default and subject.has_images else _both_sides(subject, shown)
    explained = [_explained(subject, one, target, layer) for one, target in chosen]
    class_names = subject.classifier.spec.class_names
    found.facts["saliency"] = [
        {
            "image": one.name,
            "class": class_names[target],
            "completeness_gap": row.gradients.gap,
            "steps": row.gradients.steps,
        }
        for (one, target), row in zip(chosen, explained, strict=True)
    ]
    draw_saliency(explained, found.path("saliency.png"), subject.name, layer)


def _space(subject: Subject, wishes: Wishes, found: Inspection) -> None:
    drawn = subject.sample
    points = project(drawn.features, wishes.method, wishes.seed)
    wrong = int(np.count_nonzero(drawn.targets != drawn.predictions))
    found.facts["space"] = {"method": wishes.method, "points": len(points), "wrong": wrong, "seed": wishes.seed}
    names = subject.classifier.spec.class_names
    heading = f"{subject.name}, {subject.glyphs.name} {subject.glyphs.split}"
    draw_feature_map(points, drawn.targets, drawn.predictions, names, found.path("space.png"), heading, wishes.method)


def _excite(
    subject: Subject, shown: Shown | None, wishes: Wishes, found: Inspection, tell: Callable[[float], None]
) -> None:
    names = subject.classifier.spec.class_names
    classes: Sequence[int] = range(len(names)) if wishes.classes is None else wishes.classes
    if len(classes) > _MOST_CLASSES:
        likely = range(_LIKELIEST) if shown is None else np.argsort(-subject.probs(shown.image))[:_LIKELIEST].tolist()
        classes = list(likely)
        found.notes.append(f"inputs that excite were found for {len(classes)} of {len(names):,} classes")
    result = excite(subject.classifier, classes, seed=wishes.seed, on_progress=tell)
    reached = zip(result.classes, result.probs.tolist(), strict=True)
    found.facts["excite"] = {names[number]: round(prob, 6) for number, prob in reached}
    draw_excitation(result, names, found.path("excite.png"), subject.name)


def _layers(subject: Subject, wishes: Wishes, most: int, found: Inspection) -> list[str]:
    """The convolution asked for, or the first ones with kernels of more than one pixel."""
    if wishes.layer is not None or not layer_names(subject.classifier):
        return [find_convolution(subject.classifier, wishes.layer or 1)[0]]
    names = layer_names(subject.classifier)
    wide = [name for name in names if filters_of(subject.classifier, name).shape[2:] != (1, 1)] or names
    if len(wide) > _MOST_FILTER_LAYERS and most == _MOST_FILTER_LAYERS:
        found.notes.append(f"filters of the first {most} of {len(names)} convolutions; name others with --layer")
    return wide[:most]


def _to_explain(subject: Subject, shown: Shown) -> list[tuple[Shown, int]]:
    """Some right answers, each of another class, and the surest mistakes, these for the answer and for the truth."""
    drawn = subject.sample
    right = drawn.predictions == drawn.targets
    chosen = [(shown, int(subject.probs(shown.image).argmax()))]
    seen = {shown.target}
    for place in np.flatnonzero(right).tolist():
        if len(chosen) < _RIGHT_EXPLAINED and int(drawn.targets[place]) not in seen:
            seen.add(int(drawn.targets[place]))
            chosen.append((subject.shown(int(drawn.indices[place])), int(drawn.predictions[place])))
    # The loss of an answer, were it right: the smaller, the surer.
    doubts = np.log(np.exp(drawn.logits - drawn.logits.max(axis=1, keepdims=True)).sum(axis=1))
    wrong = np.flatnonzero(~right)
    for place in wrong[np.argsort(doubts[wrong], kind="stable")][:_WRONG_EXPLAINED].tolist():
        one = subject.shown(int(drawn.indices[place]))
        chosen += [(one, int(drawn.predictions[place])), (one, int(drawn.targets[place]))]
    return chosen


def _both_sides(subject: Subject, shown: Shown) -> list[tuple[Shown, int]]:
    """An image for the answer, the runner-up, and the truth where it is neither."""
    order = np.argsort(-subject.probs(shown.image), kind="stable")[:2].tolist()
    if shown.target is not None and shown.target not in order:
        order.append(shown.target)
    return [(shown, target) for target in order]


def _explained(subject: Subject, shown: Shown, target: int, layer: str | None) -> Explained:
    classifier = subject.classifier
    return Explained(
        image=shown.image,
        name=shown.name,
        explained=classifier.spec.class_names[target],
        prob=float(subject.probs(shown.image)[target]),
        wrong=shown.target is not None and shown.target != target,
        gradients=integrated_gradients(classifier, shown.image, target),
        cam=None if layer is None else grad_cam(classifier, shown.image, target, layer),
        occlusion=occlusion(classifier, shown.image, target),
    )


def _about(subject: Subject, shown: Shown) -> dict[str, Any]:
    names, probs = subject.classifier.spec.class_names, subject.probs(shown.image)
    best = int(probs.argmax())
    return {
        "name": shown.name,
        "truth": None if shown.target is None else names[shown.target],
        "prediction": names[best],
        "probability": float(probs[best]),
    }


def _require(kind: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise GlyphlabError(f"unknown {kind} '{word}'; {did_you_mean(word, known)}")

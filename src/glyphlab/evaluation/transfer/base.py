"""What a transfer begins with: a trained network, how pictures are prepared for it, and the data it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset, names
from glyphlab.errors import DataError, ModelError, RunError
from glyphlab.evaluation.evaluate import match_classes, own_images
from glyphlab.evaluation.model_info import info_of
from glyphlab.evaluation.transfer.from_onnx import classifier_from_onnx
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier
from glyphlab.recognition.modelfile import ModelInfo, find_model, shipped_models
from glyphlab.training.run import Run


@dataclass(frozen=True, eq=False)
class Base:
    """A trained network to begin with.

    name: as the user gave it. classifier: in evaluation mode. info: how pictures become glyphs, as for reading
    (`recognition.preparation`). run: where it was trained; None for a model file.
    """

    name: str
    classifier: Classifier
    info: ModelInfo
    run: Run | None = None

    def data(self, split: Split, data_dir: Path | None) -> GlyphSet | None:
        """The data that the network learned from, classes numbered as it does.

        None where they are not at hand, where test images may be among those that a run learned from, and where a
        model file's data are not those of the public set of that name.
        """
        try:
            if self.run is not None:
                return own_images(self.run, self.classifier.spec, split, data_dir)
            glyphs = self._known(split, data_dir)
            return None if glyphs is None else match_classes(glyphs, self.classifier.spec)
        except (DataError, RunError):
            return None

    def _known(self, split: Split, data_dir: Path | None) -> GlyphSet | None:
        """One part of the public set that a model file names, and whose training images it learned from.

        To rehearse, another edition of the set that a shipped model names does as well.
        """
        name = str(self.info.data.get("name", ""))
        if name not in names():
            return None
        train = load_dataset(name, "train", data_dir)
        is_the_same = train.digest() == self.info.data.get("sha256")  # a user's folder may have the name, too
        if split == "train":
            return train if is_the_same or self.name in shipped_models() else None
        return load_dataset(name, split, data_dir) if is_the_same else None


def open_base(
    name: str | Path, runs_dir: str | Path = "runs", data_dir: Path | None = None, weights: Path | None = None
) -> Base:
    """Open a run (folder, or name within `runs_dir`), a model (shipped name or .onnx file), or an ImageNet network.

    weights: the file of an ImageNet network's weights; None: the usual ones, in the data directory. A folder goes
    before a shipped model of the same name. Of a run the best weights are taken, not its model file.
    Raises `RunError` and `ModelError`; where nothing of that name is found the message names all three kinds.
    """
    text = str(name)
    if text in registry.imagenet_names():
        return _pretrained(text, weights, data_dir)
    if weights is not None:
        known = " or ".join(registry.imagenet_names())
        raise ModelError(f"--weights has no effect with '{text}', which brings its own; expected {known}")
    if not Path(name).is_dir() and (text in shipped_models() or text.endswith(".onnx")):
        classifier, info = classifier_from_onnx(find_model(name))
        return Base(text, classifier, info)
    try:
        run = Run.open(name, runs_dir)
    except RunError as error:
        if Path(name).is_dir():
            raise
        models = ", ".join([*shipped_models(), *registry.imagenet_names()])
        raise RunError(f"{error} (or give an .onnx file, or one of: {models})") from None
    classifier = run.classifier()
    return Base(text, classifier, info_of(run, classifier.spec), run)


def _pretrained(network: str, weights: Path | None, data_dir: Path | None) -> Base:
    from glyphlab.networks.imagenet import load_pretrained

    classifier = load_pretrained(network, weights, data_dir)
    spec = classifier.spec
    return Base(network, classifier, ModelInfo(spec.class_names, spec.image_shape, framing=None))

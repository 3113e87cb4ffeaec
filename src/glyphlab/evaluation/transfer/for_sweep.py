"""What a sweep's trials begin with: the named networks opened, and the pictures prepared as each of them reads."""

from __future__ import annotations

from pathlib import Path

from glyphlab.data.locate import user_path
from glyphlab.errors import DataError
from glyphlab.evaluation.transfer.base import Base, open_base
from glyphlab.evaluation.transfer.pictures import OnPicture, prepare_pictures
from glyphlab.training.sweep.bases import Pair, PreparedBase, depths_of, is_laid_out, pairs_of
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.transfer.frozen import frozen_layers


def prepare_bases(
    definition: SweepDefinition,
    sweep_folder: Path,
    data_dir: Path | None = None,
    on_picture: OnPicture | None = None,
) -> dict[Pair, PreparedBase]:
    """Open the bases and prepare the pictures that are not in the sweep's folder yet. Writes nothing.

    data_dir: where ImageNet's weights lie. on_picture: told of (pictures done, pictures in all).
    Raises `RecipeError` (no base named), `RunError` and `ModelError` (no such base, more layers to freeze than it
    has), `DataError` (the pictures).
    """
    prepared: dict[Pair, PreparedBase] = {}
    for pair in pairs_of(definition):
        if is_laid_out(pair, sweep_folder):
            continue
        base = open_base(pair.base, data_dir=data_dir)
        for depth in depths_of(definition):
            frozen_layers(base.classifier, depth)
        prepared[pair] = _prepared(definition, pair, base, on_picture)
    return prepared


def _prepared(definition: SweepDefinition, pair: Pair, base: Base, on_picture: OnPicture | None) -> PreparedBase:
    folder = user_path(pair.data)
    if not folder.is_dir():
        raise DataError(
            f"sweep '{definition.name}' learns from a folder of pictures a class, and data.name is '{pair.data}', "
            "which is no folder here; name yours with --data FOLDER"
        )
    pictures = prepare_pictures(folder, base.info, on_picture, skip_bad=definition.base.data.skip_bad)
    return PreparedBase(
        classifier=base.classifier,
        train=pictures.train,
        test=pictures.test,
        framing=base.info.framing or "",
        invert=base.info.invert,
    )

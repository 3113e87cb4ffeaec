"""How the processes of one training begin together: the first one says what is trained, the others take it over.

Only the first reads the recipe, times the engine and opens the run folder. Of each host one process reads the images,
and the others there look at the same memory.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.training.checkpoint import TrainingState, pack, unpack
from glyphlab.training.distributed import World
from glyphlab.training.loop import Job
from glyphlab.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class HostImages:
    """Images in a block of memory that other processes on this host can map.

    address: JSON that says where, "" where the system has no such memory (anything but Linux).
    """

    glyphs: GlyphSet
    address: str

    @classmethod
    def of(cls, glyphs: GlyphSet, world: World) -> HostImages:
        """Move images and targets into such a block, where somebody else on this host will want them."""
        if world.local_size == 1 or not hasattr(os, "memfd_create"):
            return cls(glyphs, "")
        # Memory with a file descriptor but without a name: nothing is left behind, however the processes end. The
        # descriptor stays open, for it is by this process's that the others find the block.
        block = os.memfd_create("glyphlab-images")
        os.truncate(block, max(1, glyphs.images.nbytes + glyphs.targets.nbytes))
        about = {
            "path": f"/proc/{os.getpid()}/fd/{block}",
            "shape": list(glyphs.images.shape),
            "class_names": list(glyphs.class_names),
            "name": glyphs.name,
            "remark": glyphs.remark,
            "origin": glyphs.origin,
        }
        mapped = _mapped(about, mmap.ACCESS_WRITE)
        mapped.images[...], mapped.targets[...] = glyphs.images, glyphs.targets
        return cls(replace(mapped, ids=glyphs.ids, split=glyphs.split), json.dumps(about))

    @classmethod
    def at(cls, address: str) -> HostImages:
        """Another process's images; a change of them would be this process's own. Raises OSError."""
        return cls(_mapped(json.loads(address), mmap.ACCESS_COPY), address)


def _mapped(about: dict[str, Any], access: int) -> GlyphSet:
    shape = tuple(about["shape"])
    with Path(about["path"]).open("r+b" if access == mmap.ACCESS_WRITE else "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=access)
    # Targets first: they have to lie at a multiple of 8 bytes.
    targets = np.frombuffer(memory, np.int64, shape[0])
    images = np.frombuffer(memory, np.uint8, int(np.prod(shape)), offset=targets.nbytes).reshape(shape)
    said = {key: about[key] for key in ("name", "remark", "origin")}
    return GlyphSet(images, targets, tuple(about["class_names"]), **said)


def begin(world: World, recipe: Recipe, images: HostImages, state: TrainingState, data_dir: Path | None) -> None:
    """The first process's side: tell the others all they need, and wait until they are ready.

    recipe: with its engine settled. data_dir: where its data lie here. Raises `GaveUpError` with the words of another
    process that cannot take part.
    """
    if world.is_alone:
        return
    plan = {
        "recipe": recipe.to_toml(),
        "sha256": images.glyphs.digest(),
        "data_dir": str(data_dir.resolve()) if data_dir else None,
    }
    world.from_first(json.dumps(plan).encode())
    world.agree()
    world.from_each(images.address)
    world.agree()
    world.from_first(pack(state))


def join(
    world: World,
    load: Callable[[Recipe, Path | None], GlyphSet],
    build: Callable[[Recipe, GlyphSet], tuple[Job, TrainingState]],
) -> tuple[Job, TrainingState]:
    """The other processes' side of `begin`.

    load: reads the recipe's images, from the folder where the first process has its data unless it knows another one.
    build: makes the work, and its state at step 0, which is then brought to the first process's. Raises what these
    raise, `DataError` where this host has other images, and `GaveUpError` where another process cannot take part.
    """
    plan = json.loads(world.from_first())
    recipe, data_dir = Recipe.from_toml(plan["recipe"]), plan["data_dir"] and Path(plan["data_dir"])
    images = None
    with world.in_agreement():
        if world.local_rank == 0:
            images = HostImages.of(load(recipe, data_dir), world)
            if images.glyphs.digest() != plan["sha256"]:
                raise DataError(f"the images of '{recipe.data.name}' are not the first process's; copy its files here")
    addresses = world.from_each(images.address if images else "")
    with world.in_agreement():
        address = addresses[world.rank - world.local_rank]
        glyphs = images.glyphs if images else HostImages.at(address).glyphs if address else load(recipe, data_dir)
        job, state = build(recipe, glyphs)
    unpack(state, world.from_first())
    return job, state

"""The models that can be chosen: those we ship, those of the user's runs, and those that were taught in the browser.

A model is named by an id that is looked up in a list made here; nothing that a request says becomes a path.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glyphlab.errors import ModelError, did_you_mean
from glyphlab.recognition.modelfile import DEFAULT_MODEL, MODEL_NAME, ModelInfo, find_model, shipped_models
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.web.processes import command_of
from glyphlab.web.refusals import Refusal

Kind = Literal["shipped", "run", "taught"]

_MOST_LOADED = 8


@dataclass(frozen=True)
class Offer:
    """One model of the list. name: for people. path: of its .onnx file."""

    id: str
    name: str
    kind: Kind
    path: Path
    info: ModelInfo


class Shelf:
    """All models at hand. May be used from several threads at once.

    defaults: model names, files or run folders that the user named, the first being what an answer is by where a
    request names none. runs_dir, taught_dir: folders of run folders. Raises `ModelError` for a default that is none.
    """

    def __init__(self, defaults: Sequence[str | Path], runs_dir: Path, taught_dir: Path) -> None:
        self._defaults, self._runs_dir, self._taught_dir = list(defaults), runs_dir, taught_dir
        self._shipped = {name: find_model(name) for name in shipped_models()}
        self._folders: tuple[tuple[Kind, Path], ...] = (("run", runs_dir), ("taught", taught_dir))
        self._named = _named(defaults)
        self._fixed: dict[str, tuple[Kind, Path]] = {name: ("run", path) for name, path in self._named.items()}
        self._fixed |= {name: ("shipped", path) for name, path in self._shipped.items()}
        self._infos: dict[tuple[Path, int, int], ModelInfo] = {}
        self._loaded: OrderedDict[tuple[Path, int], Recognizer] = OrderedDict()
        self._lock = threading.RLock()
        self.default = next(iter(self._named), DEFAULT_MODEL)

    @property
    def loaded(self) -> int:
        """How many models are in memory, ready to answer."""
        return len(self._loaded)

    def require_defaults(self) -> None:
        """Load what the user named, which is no use to find missing later. Raises `ModelError` as `predict` does."""
        for id_, path in self._named.items():
            if id_ not in self._shipped:
                Recognizer.load(path, threads=1)

    def command(self, most_pixels: int) -> list[str]:
        """How a process is started that answers by the models of this shelf; see `processes.command_of`."""
        return command_of(self._defaults, self._runs_dir, self._taught_dir, most_pixels)

    def offers(self) -> list[Offer]:
        """Every model of now, shipped ones first. A file that cannot be used is passed over."""
        return [offer for offer in map(self._offer, *zip(*self._files(), strict=True)) if offer is not None]

    def find(self, wanted: str | None) -> Offer:
        """The model of an id; None: the default one. Raises `Refusal` (404)."""
        name = wanted or self.default
        fixed = [(name, *self._fixed[name])] if name in self._fixed else []  # found without a look at the folders
        for id_, kind, path in fixed or self._files():
            if id_ == name and (offer := self._offer(id_, kind, path)) is not None:
                return offer
        hint = did_you_mean(name, [id_ for id_, _, _ in self._files()])
        raise Refusal(404, "no_model", f"there is no model '{name[:80]}'", hint)

    def recognizer(self, wanted: str | None = None) -> tuple[Offer, Recognizer]:
        """A model, ready to answer; the eight used last stay in memory. Raises `Refusal`, `ModelError`."""
        with self._lock:
            offer = self.find(wanted)
            key = (offer.path, _stamp(offer.path)[1])
            if key not in self._loaded:
                # One thread each: requests, not parts of one, run side by side.
                self._loaded[key] = Recognizer.load(offer.path, threads=1)
            self._loaded.move_to_end(key)
            while len(self._loaded) > _MOST_LOADED:
                self._loaded.popitem(last=False)
            return offer, self._loaded[key]

    def id_of(self, path: Path) -> str | None:
        """The id of a model file; None where it is not on the list."""
        return next((id_ for id_, _, known in self._files() if known.resolve() == path.resolve()), None)

    def _files(self) -> list[tuple[str, Kind, Path]]:
        """Ids with their files, without looking into them."""
        found = [(id_, *file) for id_, file in sorted(self._fixed.items(), key=lambda entry: entry[1][0] == "run")]
        taken = {path.resolve() for _, _, path in found}
        for kind, folder in self._folders:
            for path in _models_in(folder):
                if path.resolve() not in taken:
                    found.append((f"{kind}-{path.parent.name}", kind, path))
        ids = _numbered([id_ for id_, _, _ in found])
        return [(own, kind, path) for own, (_, kind, path) in zip(ids, found, strict=True)]

    def _offer(self, id_: str, kind: Kind, path: Path) -> Offer | None:
        try:
            key = (path, *_stamp(path))
            with self._lock:
                if key not in self._infos:
                    self._infos[key] = Recognizer.load(path, threads=1).info
                info = self._infos[key]
        except (ModelError, OSError):
            return None
        return Offer(id_, _title(id_, kind, path, info), kind, path, info)


def _id_of_default(default: str | Path) -> str:
    """A shipped model keeps its name; a file goes by its own, a run folder by the folder's."""
    path = Path(default)
    if path.is_dir() or path.name == MODEL_NAME:
        return f"run-{path.resolve().name if path.is_dir() else path.resolve().parent.name}"
    return f"file-{path.stem}" if path.is_file() else str(default)


def _named(defaults: Sequence[str | Path]) -> dict[str, Path]:
    """The files that the user named, by id, in their order; one that is named twice counts once."""
    files: dict[tuple[str, Path], Path] = {}
    for default in defaults:
        path = find_model(default)
        files.setdefault((_id_of_default(default), path.resolve()), path)
    return dict(zip(_numbered([id_ for id_, _ in files]), files.values(), strict=True))


def _numbered(ids: Sequence[str]) -> list[str]:
    """Ids without repetitions: the first of several that are alike stays as it is, and so do all that are alone."""
    found: dict[str, None] = {}
    alone = set(ids)
    for id_ in ids:
        own, number = id_, 1
        while own in found or (number > 1 and own in alone):
            number += 1
            own = f"{id_}-{number}"
        found[own] = None
    return list(found)


def _models_in(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.glob(f"*/{MODEL_NAME}") if not path.parent.name.startswith("."))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _title(id_: str, kind: Kind, path: Path, info: ModelInfo) -> str:
    if kind == "taught":
        return str(info.data.get("name") or path.parent.name)
    return id_ if kind == "shipped" else id_.partition("-")[2]

"""A corrected data set in a folder of its own, which `load_dataset` reads and which can be trained on.

<out>/train.npz, test.npz   the two parts, the one that was corrected and the other as it was
<out>/corrections.csv       what was done
<out>/corrected.json        what it was done to
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.saved import is_saved_folder, saved_path
from glyphlab.errors import DataError
from glyphlab.evaluation.labels.corrections import Correction, apply_corrections, write_corrections
from glyphlab.files import write_json

_SUMMARY = "corrected.json"


def write_corrected_set(
    glyphs: GlyphSet, other: GlyphSet | None, corrections: Sequence[Correction], out: Path, *, force: bool = False
) -> dict[str, Any]:
    """Correct one part of a data set and save it with the other part in the folder `out`.

    glyphs: the part that the corrections concern. other: the other part; None where the set has none. Both get the
    name "<name>-corrected"; ids stay. force: replace a corrected set that is in `out`.
    Returns what corrected.json holds. Raises `DataError` for corrections that do not fit, and where `out` holds
    anything but a former corrected set; `RunError` when it cannot be written.
    """
    _require_free(out, force)
    corrected = apply_corrections(glyphs, corrections)
    name = f"{glyphs.name.removesuffix('-corrected')}-corrected"
    for former in (out / _SUMMARY, saved_path(out, "train"), saved_path(out, "test")):
        former.unlink(missing_ok=True)
    for part in (corrected.glyphs, other):
        if part is not None:
            replace(part, name=name).save(saved_path(out, _split_of(part)))
    write_corrections(corrections, out / "corrections.csv")
    summary = {
        "data": name,
        "split": glyphs.split,
        "remark": corrected.glyphs.remark,
        "images": len(corrected.glyphs),
        "relabelled": corrected.relabelled,
        "discarded": corrected.discarded,
        "kept": corrected.kept,
        "source": {"data": glyphs.name, "images": len(glyphs), "sha256": glyphs.digest()},
        "sha256": corrected.glyphs.digest(),
    }
    # Last: whoever finds it finds everything else.
    write_json(out / _SUMMARY, summary)
    return summary


def _split_of(glyphs: GlyphSet) -> Split:
    return "test" if glyphs.split == "test" else "train"


def _require_free(out: Path, force: bool) -> None:
    """Nothing of the user's is ever written over, and a corrected set only when asked."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = is_saved_folder(out) and ((out / _SUMMARY).is_file() or (out / "corrections.csv").is_file())
    if not ours:
        raise DataError(f"{out} is there already and is no corrected set; choose another --out")
    if not force:
        raise DataError(f"{out} holds a corrected set already; choose another --out, or --force to replace it")

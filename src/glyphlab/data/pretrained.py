"""What others learned on ImageNet: weights and labels, their official addresses and hashes, and fetching them.

They come only on request. Files lie in the folder ``imagenet`` of the data directory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from glyphlab.data.catalogue import Download
from glyphlab.data.download import Reporter, fetch_file, hash_problem
from glyphlab.data.locate import given_path, user_path
from glyphlab.errors import ModelError, did_you_mean, quoted
from glyphlab.files import read_text

FOLDER = "imagenet"
_MODELS = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Weights:
    """A file of a network's weights. top1_percent: as published, on ImageNet's validation pictures."""

    network: str
    download: Download
    top1_percent: float


def _weights(network: str, name: str, megabytes: float, top1_percent: float) -> Weights:
    """torchvision's names end in the first eight digits of the file's SHA-256."""
    digits = name.removesuffix(".pth").rsplit("-", 1)[1]
    download = Download(name, "", round(megabytes * 1e6), (_MODELS + name,), sha256=digits)
    return Weights(network, download, top1_percent)


# The first of a network is the one that is meant when none is named.
WEIGHTS = (
    _weights("resnet50", "resnet50-0676ba61.pth", 102.5, 76.13),
    _weights("resnet50", "resnet50-11ad3fa6.pth", 102.5, 80.86),
    _weights("alexnet", "alexnet-owt-7be5be79.pth", 244.4, 56.52),
)

LABELS = Download(
    "imagenet-simple-labels.json",
    md5="",
    size_bytes=14_201,
    addresses=(
        "https://raw.githubusercontent.com/anishathalye/imagenet-simple-labels/master/imagenet-simple-labels.json",
    ),
    sha256="987705581d9446328498f950454a1cc7d8dfc578a8243d8bfdcd2588a6905aae",
)


def find_weights(network: str, wanted: str | Path | None, data_dir: Path) -> Path:
    """The file of weights that is meant, its hash checked as far as it is known.

    network: "resnet50" or "alexnet". wanted: a path; the name of a known file, which lies in the data directory;
    None: the network's usual ones. The name of a known file states the start of its SHA-256; in any other name such
    digits may be a date. Raises `ModelError`: not there (says how to get it), or damaged.
    """
    path = given_path(wanted)
    if path is None or not path.is_file():
        known = known_weights(network, wanted)
        path = data_dir / FOLDER / known.name
        if not path.is_file():
            option = "" if wanted is None else f" --weights {known.name}"
            raise ModelError(
                f"the weights {known.name} are not in {path.parent}; fetch them ({known.size_bytes / 1e6:.0f} MB) "
                f"with: glyphlab classify --network {network}{option} --fetch --data-dir {quoted(data_dir)}, or name a "
                "file with --weights"
            )
    return _intact(path, _known_hash(path.name))


def known_weights(network: str, wanted: str | Path | None = None) -> Download:
    """The file in the catalogue; `ModelError` for a name that is neither there nor a file's."""
    mine = [weights.download for weights in WEIGHTS if weights.network == network]
    assert mine, network
    if wanted is None:
        return mine[0]
    name = str(wanted) if str(wanted).endswith(".pth") else f"{wanted}.pth"
    for download in mine:
        if download.name == name:
            return download
    hint = did_you_mean(str(wanted), [download.name for download in mine])
    raise ModelError(f"no weights file {wanted}; give the path of a .pth or .safetensors file, or a name; {hint}")


def find_labels(wanted: Path | None, data_dir: Path, network: str) -> tuple[str, ...]:
    """The names of the classes, in the order of the outputs.

    wanted: a JSON list of names, or a text with a name a line; None: ImageNet's, in the data directory, whose hash is
    checked. Raises `ModelError`.
    """
    if wanted is not None:
        return read_labels(wanted)
    path = data_dir / FOLDER / LABELS.name
    if not path.is_file():
        raise ModelError(
            f"ImageNet's labels ({LABELS.name}) are not in {path.parent}; fetch them with: "
            f"glyphlab classify --network {network} --fetch --data-dir {quoted(data_dir)}, or name a file with --labels"
        )
    return read_labels(_intact(path, LABELS.sha256))


def read_labels(path: Path) -> tuple[str, ...]:
    """Names from a JSON list, or one a line. Raises `ModelError` when there are fewer than two."""
    try:
        text = read_text(path)
        names = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"cannot read the labels {path}: {reason}") from error
    if (
        not isinstance(names, list)
        or len(names) < 2
        or not all(isinstance(name, str) and name.strip() for name in names)
    ):
        raise ModelError(f"the labels {path} are no list of names; expected a JSON list, or a text with a name a line")
    return tuple(name.strip() for name in names)


def fetch_pretrained(
    network: str, data_dir: Path, reporter: Reporter, *, weights: str | Path | None = None, labels: bool = True
) -> list[Path]:
    """Download the weights of a network, and the labels, where they are not at hand; returns their paths.

    weights: a path, which then must be there, or a name of the catalogue; None: the network's usual ones.
    labels: off when the user has some. Raises `DataError` when an address does not give the right file.
    """
    downloads = [LABELS] if labels else []
    if weights is None or not user_path(weights).is_file():
        downloads.insert(0, known_weights(network, weights))
    paths = [data_dir / FOLDER / download.name for download in downloads]
    for download, path in zip(downloads, paths, strict=True):
        if path.is_file() and hash_problem(path, download) is None:
            reporter.note(f"{download.name}: already there")
            continue
        fetch_file(download, path, reporter, f"By hand: get {download.addresses[0]} and put it into {path.parent}")
    return paths


def _known_hash(name: str) -> str:
    """The first digits of the SHA-256 of a file of the catalogue; "" for another name."""
    return next((weights.download.sha256 for weights in WEIGHTS if weights.download.name == name), "")


def _intact(path: Path, sha256: str) -> Path:
    """The path, when the file has the hash; `ModelError` otherwise."""
    expected = Download(path.name, "", 0, (), sha256=sha256)
    try:
        problem = hash_problem(path, expected) if sha256 else None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if problem:
        raise ModelError(f"{path} is not the file that it should be: {problem}; delete it and fetch it again")
    return path

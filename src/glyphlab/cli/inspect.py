"""`glyphlab inspect`: a look inside a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glyphlab.cli.bars import stage_bar
from glyphlab.cli.console import AsJson, DataDir, print_json, stdout
from glyphlab.errors import GlyphlabError, did_you_mean

if TYPE_CHECKING:
    from glyphlab.evaluation.inspect.filters import View
    from glyphlab.evaluation.inspect.inspection import Inspection
    from glyphlab.evaluation.inspect.subject import Subject
    from glyphlab.training.run import Run

EXAMPLES = """[bold]Examples[/]

glyphlab inspect runs/mnist-mnist-net-1

glyphlab inspect mnist-fast-1 --what filters,responses --layer conv2 --image 7

glyphlab inspect mnist-fast-1 --what saliency --image photo.jpg  (prepared as predict prepares it)

glyphlab inspect --network alexnet --layer 1 --image zebra.jpg
"""

_CONCERNS = {
    "layer": ("filters", "responses", "saliency"),
    "image": ("responses", "maps", "saliency", "excite"),
    "channel": ("filters",),
    "border": ("responses",),
    "method": ("space",),
    "seed": ("space", "excite"),
    "split": ("responses", "maps", "saliency", "space", "excite"),
}


def inspect(
    run: Annotated[
        str | None, typer.Argument(help="A run folder, or its name within --runs-dir.", show_default=False)
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(help="Some of filters,responses,maps,saliency,space,excite (default: all).", show_default=False),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="One convolution, by name or number from 1 (default: the first few).", show_default=False),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="INDEX|FILE",
            help="What the network is shown: an image of its data, or a picture (default: the first image).",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which images: test or train (default: test).", show_default=False)
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            help="Which input channel of the filters: a number from 0, norm, pca, or auto (default: auto).",
            show_default=False,
        ),
    ] = None,
    border: Annotated[
        str | None,
        typer.Option(
            help="Beyond the image's border: reflect, as cv2.filter2D (default), or zero, as the layer.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Map of the feature space: tsne (default) or pca.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="Of the feature space's map and of the inputs that excite (default: 0).",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="Instead of a run: alexnet or resnet50, with weights from ImageNet.", show_default=False),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --network: a file of weights.", show_default=False)
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare/--no-prepare", help="Off: the picture is a glyph of the network's size already.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to (default: RUN/inspect).", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files.")] = False,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are looked for by name.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Look inside a network and draw what is seen.

    Filters, their responses to an image, maps through the depth, the pixels
    that answers rest on, a map of the feature space, and the input that most
    excites each class.
    """
    from glyphlab.evaluation.inspect.inspection import Wishes, claim
    from glyphlab.evaluation.inspect.inspection import inspect as look_inside
    from glyphlab.evaluation.inspect.subject import image_of

    parts = None if what is None else tuple(word.strip() for word in what.split(",") if word.strip())
    wishes = Wishes.checked(
        what=parts,
        layer=layer,
        view=_view(channel or "auto"),
        border=border or "reflect",
        method=method or "tsne",
        seed=seed or 0,
    )
    given = {
        "layer": layer,
        "image": image,
        "split": split,
        "channel": channel,
        "border": border,
        "method": method,
        "seed": seed,
    }
    _refuse_without_effect(parts, [option for option, value in given.items() if value is not None])
    if not prepare and (image is None or image.isdecimal()):
        raise GlyphlabError("--no-prepare is for a picture that --image names; leave it out")
    subject, opened = _subject(run, network, weights, split, data_dir, runs_dir)
    folder = out or (opened.folder / "inspect" if opened else Path(f"inspect-{subject.name}"))
    if out is not None or opened is None:
        claim(folder, force)
    shown = None if image is None else image_of(subject, opened, image, prepared=not prepare)
    with stage_bar("looking inside") as tell:
        found = look_inside(subject, folder, wishes, image=shown, on_progress=tell)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)


def _refuse_without_effect(parts: tuple[str, ...] | None, options: list[str]) -> None:
    """Options that concern nothing of what was asked for."""
    for option in options:
        concerned = _CONCERNS[option]
        if parts is not None and not set(parts) & set(concerned):
            raise GlyphlabError(
                f"--{option} has no effect on {', '.join(parts)}: it is for {', '.join(concerned)}; leave it out"
            )


def _subject(
    run: str | None, network: str | None, weights: str | None, split: str | None, data_dir: Path | None, runs_dir: Path
) -> tuple[Subject, Run | None]:
    """The run's network, or a pretrained one, which has no run."""
    from glyphlab.evaluation.inspect.subject import Subject

    if (run is None) == (network is None):
        raise GlyphlabError("give a run, or --network with the name of a pretrained one; expected one of the two")
    if network is not None:
        from glyphlab.networks.imagenet import load_pretrained

        return Subject(network, load_pretrained(network, weights, data_dir)), None
    from glyphlab.training.run import Run

    if weights is not None:
        raise GlyphlabError("--weights goes with --network; a run has its own")
    if split not in (None, "test", "train"):
        raise GlyphlabError(f"--split is '{split}'; {did_you_mean(split, ['test', 'train'])}")
    opened = Run.open(run or "", runs_dir)
    return Subject.of_run(opened, "train" if split == "train" else "test", data_dir), opened


def _view(channel: str) -> View:
    """What --channel means."""
    if channel.isdecimal():
        return int(channel)
    views: dict[str, View] = {"auto": "auto", "pca": "pca", "norm": "norm"}
    if channel in views:
        return views[channel]
    raise GlyphlabError(f"--channel is '{channel}'; expected a number from 0, or {did_you_mean(channel, views)}")


def _print(found: Inspection) -> None:
    from rich.markup import escape

    console = stdout()
    for line in found.describe().splitlines():
        console.print(escape(line))

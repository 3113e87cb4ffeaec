"""`glyphlab classify`: what photographs show, by a network that learned ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glyphlab.cli.console import AsJson, DataDir, complain, print_json, shown, stdout
from glyphlab.cli.fetching import fetch_reporter
from glyphlab.errors import GlyphlabError, ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glyphlab.evaluation.classify import Guess

EXAMPLES = """[bold]Examples[/]

glyphlab classify --fetch  (ResNet-50's weights and ImageNet's labels, once)

glyphlab classify zebra.jpg

glyphlab classify photos/ --network alexnet --top 3 --json

glyphlab classify leaf.jpg --weights my-resnet50.safetensors --labels leaves.txt
"""


def classify(
    pictures: Annotated[
        list[str] | None, typer.Argument(help="Pictures, folders or patterns.", metavar="FILES_OR_FOLDERS...")
    ] = None,
    network: Annotated[str, typer.Option(help="resnet50 or alexnet.")] = "resnet50",
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The network's weights: a .pth or .safetensors file, or a known one's name."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the classes: a JSON list, or a text, a name a line.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download weights and labels first, where they are missing.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what photographs show, as one of ImageNet's 1,000 classes.

    The picture's shorter side is scaled to 256 pixels and the middle 224x224
    are looked at. Weights and labels are downloaded only with --fetch, and
    checked by their hashes.
    """
    from glyphlab.data.locate import default_data_dir
    from glyphlab.data.pretrained import fetch_pretrained, find_labels
    from glyphlab.evaluation.classify import classify as classify_pictures
    from glyphlab.networks.imagenet import check_network, load_pretrained
    from glyphlab.recognition.search import find_pictures

    check_network(network)
    if not pictures and not fetch:
        raise GlyphlabError("no picture was named; give files or folders, or --fetch to download weights and labels")
    where = data_dir or default_data_dir()
    if fetch:
        with fetch_reporter() as reporter:
            paths = fetch_pretrained(network, where, reporter, weights=weights, labels=labels is None)
        if not pictures:
            _say_ready(network, paths, as_json)
            return
    names = find_labels(labels, where, network)
    classifier = load_pretrained(network, weights, where, class_names=names)

    errors: list[str] = []
    predictions: list[dict[str, Any]] = []

    def fail(error: ImageError) -> None:
        errors.append(str(error))
        complain(error)

    for path, answer in classify_pictures(classifier, find_pictures(pictures or [], fail), top):
        if isinstance(answer, ImageError):
            fail(answer)
        elif as_json:
            predictions.append(_as_json(str(path), answer))
        else:
            _print(str(path), answer)
    if as_json:
        print_json({"network": network, "predictions": predictions, "errors": errors})
    if errors:
        raise typer.Exit(2)


def _say_ready(network: str, paths: Sequence[Path], as_json: bool) -> None:
    if as_json:
        print_json({"network": network, "files": [str(path) for path in paths]})
    else:
        stdout().print(f"{network} is ready: {', '.join(map(str, paths))}", markup=False)


def _as_json(path: str, guesses: Sequence[Guess]) -> dict[str, Any]:
    return {"file": path, **guesses[0].to_json(), "top": [guess.to_json() for guess in guesses]}


def _print(path: str, guesses: Sequence[Guess]) -> None:
    """A paragraph a picture."""
    best = guesses[0]
    lines = [shown(path), f"Predicted class index: {best.index}", f"Predicted label: {best.label}"]
    width = max(len(guess.label) for guess in guesses)
    lines += [f"{guess.index:5}  {guess.label:{width}}  {guess.probability:6.1%}" for guess in guesses]
    typer.echo("\n".join(lines) + "\n")

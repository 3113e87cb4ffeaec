"""`glyphlab networks`: which networks there are, and what one consists of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glyphlab.cli.console import AsJson, print_json, print_table
from glyphlab.cli.settings import parse_settings
from glyphlab.cli.usage import App
from glyphlab.errors import RecipeError

if TYPE_CHECKING:
    from glyphlab.networks.describe import LayerRow

SHOW_EXAMPLES = """[bold]Examples[/]

glyphlab networks show mnist-net

glyphlab networks show balanced-arch2 --set hidden=300 --classes 47 --picture arch2.svg

glyphlab networks show resnet50 --shape 3x128x128  (images of another size)
"""

app = App(
    help="List the networks; show one layer by layer.",
    epilog="Example: glyphlab networks show balanced-arch2 --set hidden=300 --classes 47",
    invoke_without_command=True,
)


@app.callback()
def list_networks(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks with their sizes."""
    if context.invoked_subcommand:
        if as_json:
            raise RecipeError("--json stands before the subcommand; expected behind it: networks show NAME --json")
        return
    from glyphlab.networks import registry
    from glyphlab.networks.describe import total_parameters

    names = [*registry.names(), *registry.imagenet_names()]
    sizes = {name: total_parameters(_layers(name, *registry.home(name), {})) for name in names}
    if as_json:
        print_json(
            [{"name": name, "parameters": size, "summary": registry.summary(name)} for name, size in sizes.items()]
        )
        return
    header = ("name", "parameters", "")
    print_table(header, [(name, f"{size:,}", registry.summary(name)) for name, size in sizes.items()], right={1})
    photographs = " and ".join(registry.imagenet_names())
    typer.echo(
        "\nParameters are for images of 1x28x28 and 10 classes, "
        f"of {photographs} for 3x224x224 and 1,000 classes. More: glyphlab networks show NAME"
    )


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    name: Annotated[str, typer.Argument(help="A name that `glyphlab networks` lists.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the network, as hidden=100; repeatable."),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape", metavar="CxHxW", help="Channels, height and width of the images (default: 1x28x28 for glyphs)."
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", help="Number of classes (default: 10 for glyphs).")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Diagram to write, .png, .svg or .pdf (default: NAME.png).", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a network's layers and options, and draw its diagram."""
    from glyphlab.networks import registry
    from glyphlab.networks.diagram import check_picture_path, save_diagram

    home_shape, home_classes = registry.home(name)
    image_shape = home_shape if shape is None else _parse_shape(shape)
    classes = home_classes if classes is None else classes
    given = parse_settings(settings or [])
    rows = _layers(name, image_shape, classes, given)
    options = registry.resolved_options(name, given)
    picture = picture or Path(f"{name}.png")
    check_picture_path(picture)
    if as_json:
        save_diagram(rows, name, picture)
        print_json(_as_json(name, image_shape, classes, options, rows) | {"picture": str(picture)})
        return
    typer.echo(f"{name}: {registry.summary(name)}\n")
    _print_layers(rows)
    _print_options(name, options)
    save_diagram(rows, name, picture)
    typer.echo(f"\nDiagram: {picture}")


def _layers(name: str, image_shape: tuple[int, int, int], classes: int, options: dict[str, object]) -> list[LayerRow]:
    """Describe a network that is made without numbers ("meta"), which takes neither time nor memory."""
    import torch

    from glyphlab.networks import registry
    from glyphlab.networks.describe import describe

    with torch.device("meta"):
        network = registry.create(name, image_shape, classes, **options)
    return describe(network, image_shape)


def _parse_shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise RecipeError(f"shape is '{text}'; expected channels x height x width, for example 1x28x28")
    channels, height, width = map(int, parts)
    return channels, height, width


def _as_json(
    name: str, image_shape: Sequence[int], classes: int, options: dict[str, Any], rows: Sequence[LayerRow]
) -> dict[str, Any]:
    from dataclasses import asdict

    from glyphlab.networks.describe import total_multiply_adds, total_parameters

    return {
        "name": name,
        "image_shape": list(image_shape),
        "classes": classes,
        "options": options,
        "layers": [asdict(row) for row in rows],
        "parameters": total_parameters(rows),
        "multiply_adds": total_multiply_adds(rows),
    }


def _print_layers(rows: Sequence[LayerRow]) -> None:
    from glyphlab.networks.describe import shape_text, total_multiply_adds, total_parameters

    table = [
        (
            row.name,
            f"{row.kind} {row.detail}".strip(),
            shape_text(row.input_shape),
            shape_text(row.output_shape),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
        )
        for row in rows
    ]
    total = ("total", "", "", "", f"{total_parameters(rows):,}", f"{total_multiply_adds(rows):,}")
    header = ("layer", "kind", "input", "output", "parameters", "multiply-adds")
    print_table(header, [*table, total], right={2, 3, 4, 5})


def _print_options(name: str, options: dict[str, Any]) -> None:
    from glyphlab.networks import registry

    specs = registry.option_specs(name)
    if not specs:
        typer.echo("\nThis network has no options.")
        return
    typer.echo("\nOptions (--set OPTION=VALUE; in a recipe under [network]):")
    table = [
        (option, _value(options[option]), _value(spec.default), f"{spec.help} ({spec.type}: {spec.allowed})")
        for option, spec in specs.items()
    ]
    print_table(("option", "here", "default", ""), table, right=set())


def _value(value: object) -> str:
    return str(list(value)) if isinstance(value, list | tuple) else str(value)

"""`glyphlab recipes`: which recipes come along, and what each of them says."""

from __future__ import annotations

from typing import Annotated

import typer

from glyphlab.cli.console import AsJson, print_json, print_table
from glyphlab.cli.usage import App
from glyphlab.errors import RecipeError

app = App(
    help="List the recipes that come with Glyphlab, or show one.",
    epilog="Example: glyphlab recipes show mnist-net > mine.toml, change it, then glyphlab train --recipe mine.toml",
    invoke_without_command=True,
)


@app.callback()
def listing(context: typer.Context, as_json: AsJson = False) -> None:
    """List the recipes that come with Glyphlab, or show one."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise RecipeError("--json stands before the subcommand; expected behind it: recipes show NAME --json")
        return
    from glyphlab.training.recipe import Recipe, shipped

    recipes = [Recipe.load(name) for name in shipped()]
    if as_json:
        print_json([{"name": recipe.name, "description": recipe.description} for recipe in recipes])
        return
    rows = [(recipe.name, recipe.data.name, str(recipe.training.epochs), recipe.description) for recipe in recipes]
    print_table(("recipe", "data", "epochs", "what for"), rows, right={2})


@app.command(epilog="Example: [bold]glyphlab recipes settings[/], then [bold]glyphlab train --set training.lr=0.01[/]")
def settings(as_json: AsJson = False) -> None:
    """List every setting of a recipe with its default and what it means."""
    from glyphlab.training.settings import settings_reference

    rows = settings_reference()
    if as_json:
        print_json([{"setting": name, "default": default, "meaning": meaning} for name, default, meaning in rows])
        return
    print_table(("setting", "default", "meaning"), rows)
    typer.echo("\nThe options of a network, [network] in a recipe: glyphlab networks show NAME")


@app.command(epilog="Example: [bold]glyphlab recipes show mnist-net > mine.toml[/]")
def show(
    name: Annotated[str, typer.Argument(help="A recipe's name, or a .toml file.")], as_json: AsJson = False
) -> None:
    """Print a recipe with every setting, defaults written out, as TOML (a recipe of one's own begins here)."""
    from glyphlab.training.recipe import Recipe

    recipe = Recipe.load(name)
    if as_json:
        print_json(recipe.resolved())
    else:
        typer.echo(recipe.to_toml(), nl=False)

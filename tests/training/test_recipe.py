from __future__ import annotations

from pathlib import Path

import pytest

from glyphlab.errors import RecipeError
from glyphlab.networks import registry
from glyphlab.training.distill import maker_of
from glyphlab.training.recipe import Recipe, shipped

EFFORTS = ("flash", "fast", "record")
OUR_SETS = ("mnist", "fashion-mnist", "emnist-balanced", "emnist-letters")
REPORT_TRIALS = {f"balanced-arch{arch}-t{trial}" for arch in (1, 2) for trial in range(1, 8)}


def test_the_reports_trials_are_shipped() -> None:
    efforts = {*EFFORTS, *(f"{data}-{effort}" for data in OUR_SETS for effort in EFFORTS)}
    expected = REPORT_TRIALS | efforts | {
        "characters", "digits", "transfer", "greek-frozen", *(f"emnist-balanced-teacher-{n}" for n in (1, 2, 3)),
        "mnist-teacher-1", "mnist-teacher-2",
        "mnist-net", "fashion-net", "letters-advancednet", "letters-advancednet-noflip",
        "mnist-3conv", "mnist-3conv-bn", "mnist-3conv-bn-b32", "mnist-3conv-bn-adam", "mnist-3conv-bn-adam-b32",
    }  # fmt: skip
    assert set(shipped()) == expected


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_loads_builds_and_comes_back_from_its_own_text(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.description
    again = Recipe.from_toml(recipe.to_toml())
    assert again.resolved() == recipe.resolved()
    assert again.to_toml() == recipe.to_toml()
    registry.create(recipe.network.name, (1, 28, 28), 47, **recipe.network.options)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("data", OUR_SETS)
def test_an_effort_means_the_recipe_made_for_the_data(data: str, effort: str) -> None:
    made, named = Recipe.load(effort, data), Recipe.load(f"{data}-{effort}")
    assert (made.name, made.data.name) == (effort, data)
    assert made.model_copy(update={"name": named.name}) == named
    assert Recipe.load(effort, "my-letters/") == Recipe.load(effort) != made


def test_a_recipe_made_for_one_set_alone_goes_by_its_short_name_there() -> None:
    assert Recipe.load("teacher-1", "emnist-balanced").name == "teacher-1"
    for data in (None, "emnist-letters"):
        with pytest.raises(RecipeError, match="no recipe 'teacher-1'"):
            Recipe.load("teacher-1", data)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipes_teachers_are_of_its_images(name: str) -> None:
    recipe = Recipe.load(name)
    for teacher in recipe.training.teachers or []:
        maker = maker_of(teacher, recipe.data.name)
        assert maker is not None, teacher
        made = Recipe.load(maker, recipe.data.name)
        assert made.data.name == recipe.data.name
        assert made.data.channels == recipe.data.channels


@pytest.mark.parametrize(
    ("name", "lr", "batch", "epochs", "widths", "hidden", "dropout"),
    [
        ("balanced-arch1-t1", 0.001, 10, 5, [32, 64], 128, 0.3),
        ("balanced-arch1-t5", 0.0001, 190, 5, [64, 104], 384, 0.1),
        ("balanced-arch2-t1", 0.001, 290, 20, [8, 32], 600, 0.5),
        ("balanced-arch2-t4", 0.01, 256, 20, [32, 56], 320, 0.2),
        ("balanced-arch2-t5", 0.001, 190, 20, [40, 64], 384, 0.1),
        ("balanced-arch2-t7", 0.001, 230, 20, [56, 80], 512, 0.5),
    ],
)
def test_trials_hold_the_reports_settings(
    name: str, lr: float, batch: int, epochs: int, widths: list[int], hidden: int, dropout: float
) -> None:
    recipe = Recipe.load(name)
    training = recipe.training
    assert (training.optimizer, training.lr, training.batch_size, training.epochs) == (
        "adam",
        lr,
        batch,
        epochs,
    )
    assert recipe.network.options == {"widths": widths, "hidden": hidden, "dropout": dropout}
    assert round(recipe.data.validation * 112_800) in range(12_790, 12_810)


def test_only_the_recipe_that_the_report_asks_for_mirrors_characters() -> None:
    mirroring = [recipe for recipe in map(Recipe.load, shipped()) if recipe.augment.flip_horizontal]
    assert [recipe.name for recipe in mirroring if recipe.data.name != "fashion-mnist"] == ["letters-advancednet"]


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'mnist-nett': did you mean 'mnist-net'"):
        Recipe.load("mnist-nett")


def test_missing_and_invalid_files(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*none\.toml"):
        Recipe.load(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[training\n")
    with pytest.raises(RecipeError, match="'broken' is not valid TOML"):
        Recipe.load(broken)


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(
            {
                "trainin": {},
                "training": {"lr": "fast", "epoch": 3, "batch_size": 0},
                "augment": {"rotation": 10},
                "network": {"name": "mnist-net", "hiden": 3},
            },
            name="mine",
        )
    message = str(caught.value)
    assert message.startswith("recipe 'mine': 6 mistakes: ")
    assert "unknown section 'trainin'; did you mean 'training'?" in message
    assert "training.lr is 'fast'; expected a valid number" in message
    assert "unknown setting 'training.epoch'; did you mean 'epochs'?" in message
    assert "training.batch_size is 0; expected greater than or equal to 1" in message
    assert "unknown setting 'augment.rotation'; did you mean 'rotation_degrees'?" in message
    assert "unknown option 'hiden' of network 'mnist-net', did you mean 'hidden'?" in message
    assert "\n" not in message


def test_all_mistakes_of_settings_are_reported_at_once() -> None:
    changes = {"training.lr": "fast", "foo.bar": 1, "network.hiden": 3, "augment.padding": "border"}
    with pytest.raises(RecipeError) as caught:
        Recipe.load("mnist-net").with_settings(changes)
    message = str(caught.value)
    assert message.startswith("recipe 'mnist-net': 4 mistakes: unknown setting 'foo.bar'")
    for part in ("training.lr is 'fast'", "unknown option 'hiden'", "augment.padding has no effect"):
        assert part in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training.epochs": -3}, r"training\.epochs is -3; expected 1 or more"),
        ({"training.epochs": 2.5}, r"training\.epochs is 2\.5; expected"),
        ({"training.epochs": "many"}, r": training\.epochs is 'many'; expected a valid integer or 'auto'$"),
        (
            {"training.momentum": 0.5},
            r"momentum has no effect with optimizer = 'adam'.* set optimizer = 'sgd'",
        ),
        ({"training.plateau_patience": 2}, r"plateau_patience has no effect with schedule = 'constant'"),
        ({"training.schedule": "one-cycle", "training.warmup_epochs": 1}, "one-cycle.*peak_at"),
        (
            {"training.epochs": 3, "training.warmup_epochs": 3},
            r"warmup_epochs is 3, but training\.epochs is 3: .* never",
        ),
        ({"training.schedule": "plateau", "data.validation": 0}, "watches the validation loss"),
        ({"training.early_stopping_epochs": 2, "data.validation": 0}, "watches the validation loss"),
        ({"training.early_stopping_epochs": 2, "training.keep": "last"}, r"training\.keep = 'best'"),
        ({"augment.elastic_cells": 5}, r"elastic_cells has no effect"),
        ({"augment.padding": "border"}, r"padding has no effect"),
        ({"data.mean": 0.5}, "belong together"),
        ({"network.name": "mnistnet"}, "unknown network 'mnistnet', did you mean 'mnist-net'"),
        ({"network.hiden": 3}, "unknown option 'hiden'"),
        ({"engine.threads": 0}, r"engine\.threads is 0"),
        ({"engine.threads": 99_999_999_999}, "engine.threads is 99999999999; expected 1 to 1024, or 'auto'"),
        ({"engine.precision": "fp16"}, r"engine\.precision is 'fp16'; expected 'auto', 'float32' or 'bf16'"),
        ({"data.name": ""}, r"data\.name is ''; expected at least 1 character"),
        ({"training.lr": float("nan")}, r"training\.lr is nan; expected a finite number"),
        ({"training.lr": True}, r"training\.lr is True; expected a valid number"),
        ({"lr": 0.1}, r"unknown setting 'lr'; did you mean 'training\.lr'"),
        ({"training.momentun": 0.1}, r"unknown setting 'training\.momentun'; did you mean 'momentum'"),
        ({"bogus.key": 1}, "unknown setting 'bogus.key'; settings are written section.key"),
    ],
)
def test_each_mistake_has_its_words(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.parse({"network": {"name": "mnist-net"}}).with_settings(settings)


def test_settings_replace_and_none_takes_out() -> None:
    recipe = Recipe.load("mnist-net")
    changed = recipe.with_settings({"training.lr": 0.5, "training.momentum": None, "network.hidden": 80})
    assert (changed.training.lr, changed.training.momentum, changed.network.options) == (
        0.5,
        None,
        {"hidden": 80},
    )
    assert recipe.training.lr == 0.01


def test_another_network_drops_the_former_options() -> None:
    changed = Recipe.load("balanced-arch2-t1").with_settings({"network.name": "linear"})
    assert changed.network.options == {}
    averaging = Recipe.load("record").with_settings({"network.name": "linear"})
    assert averaging.network.shift_averaging and averaging.network.options == {}


def test_a_mistake_elsewhere_makes_none_of_the_network_sections_own_setting() -> None:
    with pytest.raises(RecipeError, match=r"^recipe 'mine': training\.lr is 0; expected greater than 0$"):
        Recipe.parse({"network": {"shift_averaging": True}, "training": {"lr": 0}}, name="mine")


def test_a_whole_number_serves_as_a_float() -> None:
    assert Recipe.parse({"training": {"lr": 1}}).training.lr == 1.0


def test_resolved_writes_out_defaults_that_act_and_no_others() -> None:
    whole = Recipe.parse({"training": {"optimizer": "sgd"}}).resolved()
    assert whole["training"]["momentum"] == 0.9
    assert whole["training"]["nesterov"] is False
    assert "plateau_factor" not in whole["training"]
    assert whole["network"]["width"] > 0


def test_text_with_quotes_and_backslashes_survives() -> None:
    recipe = Recipe.parse({"description": 'say "hi" \\ \n there', "data": {"name": "C:\\letters"}})
    assert Recipe.from_toml(recipe.to_toml()).description == recipe.description
    assert Recipe.from_toml(recipe.to_toml()).data.name == "C:\\letters"


def test_any_text_comes_back_from_a_recipe() -> None:
    odd = 'a "quoted" \\ path,\r\n\ttabs, \x07, \x7f and ü'
    assert Recipe.from_toml(Recipe(description=odd).to_toml()).description == odd

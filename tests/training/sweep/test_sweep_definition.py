from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glyphlab.errors import RecipeError
from glyphlab.training.recipe import Recipe
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.parsing import shipped

Make = Callable[..., SweepDefinition]


@pytest.mark.parametrize("name", shipped())
def test_shipped_sweeps_load_and_come_back_from_their_record(name: str) -> None:
    definition = SweepDefinition.load(name)
    again = SweepDefinition.from_record(json.loads(json.dumps(definition.to_record())))
    assert definition.description
    assert definition.prediction is not None
    assert definition.differences(again) == []
    assert [trial.key for trial in again.plan()] == [trial.key for trial in definition.plan()]


def test_the_shipped_sweeps_are_those_of_the_reports() -> None:
    sizes = {name: len(list(SweepDefinition.load(name).plan())) for name in shipped()}
    assert sizes["fashion-60"] == 60
    assert sizes["balanced-arch1"] == sizes["balanced-arch2"] == 7
    fashion = list(SweepDefinition.load("fashion-60").plan())
    assert {trial.recipe.network.name for trial in fashion if trial.recipe} == {"mnist-net"}
    arch1 = SweepDefinition.load("balanced-arch1")
    assert [trial.reported for trial in arch1.listed] == [0.53, 0.66, 0.71, 0.62, 0.42, 0.74, 0.78]
    assert arch1.listed[3].recipe == Recipe.load("balanced-arch1-t4").with_settings({"engine.compile": False})
    assert "training.lr" in arch1.keys and "network.widths" in arch1.keys and "data.name" not in arch1.keys
    both = SweepDefinition.load("compare-classifiers").listed
    assert {trial.baseline.name for trial in both if trial.baseline} == {"k-nearest-neighbours", "support-vectors"}


def test_settings_apply_to_every_trial_and_data_can_be_replaced(tiny: Make, tmp_path: Path) -> None:
    trials = list(tiny().plan())
    assert [trial.point["training.lr"] for trial in trials] == [0.001, 0.001, 0.01, 0.01]
    assert {trial.recipe.network.options["width"] for trial in trials if trial.recipe} == {2}
    assert SweepDefinition.load("fashion-60", data="mnist").base.data.name == "mnist"
    assert SweepDefinition.load("fashion-60", skip_bad=True).base.data.skip_bad


def test_random_plans_are_repeatable_and_grow_at_the_end(tiny: Make) -> None:
    rest = '[search]\nmethod = "random"\ntrials = {n}\nseed = 2\n[space]\ntraining.lr = {{ low = 1e-4, high = 0.1 }}'
    short, long = (list(tiny(rest.format(n=n)).plan()) for n in (3, 6))
    assert [trial.key for trial in long[:3]] == [trial.key for trial in short]
    assert tiny(rest.format(n=3)).differences(tiny(rest.format(n=6))) == []


def test_points_that_come_to_the_same_are_one_trial(tiny: Make) -> None:
    rest = '[space]\ntraining.optimizer = ["sgd"]\ntraining.momentum = [0.9, 0.5]\ntraining.nesterov = [false]'
    assert len({trial.key for trial in tiny(rest).plan()}) == 2
    switched_off = "[space]\ntraining.weight_decay = [0, 0.0, 0.1]"
    assert [trial.point["training.weight_decay"] for trial in tiny(switched_off).plan()] == [0, 0.1]


def test_the_engine_makes_no_difference_unless_it_is_varied(tiny: Make) -> None:
    first = next(iter(tiny().plan()))
    assert first.recipe is not None
    threaded = first.model_copy(update={"recipe": first.recipe.with_settings({"engine.threads": 7})})
    assert threaded.key == first.key
    varied = list(tiny("[space]\nengine.threads = [1, 2]").plan())
    assert len({trial.key for trial in varied}) == 2


def test_a_change_is_named(tiny: Make) -> None:
    other = tiny("[space]\ntraining.lr = [0.001, 0.02]\ntraining.batch_size = [16, 32]")
    (change,) = tiny().differences(other)
    assert change == "space.training.lr.values was [0.001, 0.01], is [0.001, 0.02]"


def test_the_fingerprint_of_a_prediction_changes_with_every_word(tiny: Make) -> None:
    grid = "[space]\ntraining.lr = [0.001, 0.01]\n[prediction]\ntext = '{}'"
    first, second = (tiny(grid.format(text)).prediction for text in ("more", "less"))
    assert first is not None and second is not None
    assert first.sha256 != second.sha256 and len(first.sha256) == 64


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("[space]\ntraining.epoch = [1]", "unknown setting 'training.epoch'; did you mean 'training.epochs'"),
        ("[space]\nlr = [0.1]", "unknown setting 'lr'; did you mean 'training.lr'?"),
        ("[space]\nnetwork.widht = [4]", "unknown setting 'network.widht'; did you mean 'network.width'?"),
        ("", r"\[space\] is empty: there is nothing to vary"),
        ("[space]\ntraining.lr = []", "training.lr has no values; list at least one"),
        ("[space]\ntraining.lr = { low = 0.1, high = 1.0 }", "a grid needs values to count; give training.lr a list"),
        ("[space]\ntraining.lr = [-1.0]", "with training.lr = -1.0: training.lr is -1.0; expected greater than 0"),
        ("[space]\ndata.validation = [0.0]", "data.validation is 0, but trials are judged on validation images"),
        ('[search]\nmethod = "gird"\n[space]\ntraining.lr = [0.1]', "search.method is 'gird'; expected 'grid'"),
        ("[serach]\n[space]\ntraining.lr = [0.1]", "unknown entry 'serach'; did you mean 'search'?"),
        ("[search]\ntrials = 3\n[space]\ntraining.lr = [0.1]", "search.trials has no effect with method = 'grid'"),
        ('[search]\nmethod = "tpe"\n[space]\ntraining.lr = [0.1]', "search.trials is missing; method = 'tpe'"),
        ('[search]\nmethod = "list"\n', r"a list needs at least one \[\[trial\]\]"),
        ("[[trial]]\n[space]\ntraining.lr = [0.1]", r"\[\[trial\]\] goes with search.method = 'list', found 'grid'"),
        (
            '[search]\nmethod = "list"\n[[trial]]\nname = "a"\n[[trial]]\nname = "b"\n',
            "trials 'a' and 'b' are the same; a trial is never run twice",
        ),
        (
            '[search]\nmethod = "list"\n[[trial]]\nrecipe = "mnist-nett"\n',
            "trial '1': no recipe 'mnist-nett': did you mean 'mnist-net'",
        ),
        (
            "[space]\ntraining.lr = [0.1]\n[prediction]\ntext = 'x'\nmost_important = 'training.lt'",
            "prediction speaks of 'training.lt', which is not varied; did you mean 'training.lr'?",
        ),
        (
            "[space]\ntraining.optimizer = ['adam', 'sgd']\ntraining.momentum = [0.5]",
            "with training.optimizer = 'adam'.*has no effect with optimizer = 'adam'.*give it when",
        ),
        ("[space]\ntransfer.way = ['means']", "with transfer.way = 'means': transfer.way is 'means', but a sweep's"),
        (
            "[space]\ntraining.lr = [0.1]\n[prediction]\ntext = 'x'\nbest_accuracy = [86.0, 90.0]",
            r"prediction.best_accuracy is \[86.0, 90.0\]; expected two shares",
        ),
        (
            "[space]\ntraining.lr = [0.1]\n[prediction]\ntext = 'x'\nbest = { 'training.lr' = 0.2 }",
            "prediction.best says training.lr = 0.2, which no trial has; expected one of 0.1",
        ),
        (
            '[search]\nmethod = "list"\n[[trial]]\nname = "a"\nsettings = { "data.validation" = 0.0 }\n',
            "trial 'a': data.validation is 0, but trials are judged",
        ),
        ('[search]\nmethod = "list"\n[[trial]]\nsetting = 1\n', "unknown entry 'trial.1.setting'; did you mean"),
        ("not toml", "is not valid TOML"),
        ("[space]\ntraining.lr = [nan, 0.1]", "space.training.lr.1 is nan; expected a finite number"),
        ("[space]\nnetwork.widths = [[3, inf]]", "space.network.widths.1.2 is inf; expected a finite number"),
        ("[space]\ntraining.lr = { low = 0.1, high = inf }", "space.training.lr.high is inf; expected a finite number"),
        ("[space]\ntraining.lr = [2024-05-01]", "space.training.lr.1 is 2024-05-01; expected a number, a text in quo"),
        (
            '[search]\nmethod = "list"\n[[trial]]\nsettings = { "training.lr" = nan }\n',
            "trial.1.settings.training.lr is nan; expected a finite number",
        ),
    ],
)
def test_mistakes_are_one_clear_line(tiny: Make, rest: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        tiny(rest)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("sweep 'tiny'")


def test_unknown_names_and_files() -> None:
    with pytest.raises(RecipeError, match="no sweep 'fashion-6': did you mean 'fashion-60'"):
        SweepDefinition.load("fashion-6")
    with pytest.raises(RecipeError, match=r"cannot read the sweep missing\.toml"):
        SweepDefinition.load("missing.toml")

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glyphlab.errors import RecipeError, RunError
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Claim, Nothing, Standing
from glyphlab.training.sweep.ledger import MOST_ATTEMPTS, Ledger

Make = Callable[..., SweepDefinition]
TPE = (
    '[search]\nmethod = "tpe"\ntrials = {trials}\n[space]\ntraining.lr = [0.001, 0.01]\ntraining.batch_size = [16, 32]'
)


def figures(accuracy: float) -> dict[str, object]:
    return {"accuracy": accuracy, "loss": 1 - accuracy, "time_seconds": 1.0, "validation_images": 100}


def begun(folder: Path, definition: SweepDefinition, trials: int | None = None) -> Ledger:
    ledger = Ledger.open(definition.name, folder)
    ledger.begin(definition, trials)
    return ledger


def claimed(ledger: Ledger, owner: str, trials: int | None = None) -> Claim:
    claim = ledger.claim(owner, "here", trials)
    assert isinstance(claim, Claim), claim
    return claim


def test_every_point_is_claimed_once(tiny: Make, tmp_path: Path) -> None:
    first, second = begun(tmp_path, tiny()), begun(tmp_path, tiny())
    with first.at_work("a"), second.at_work("b"):
        claims = [
            claimed(ledger, owner) for ledger, owner in ((first, "a"), (second, "b"), (first, "a"), (second, "b"))
        ]
        assert sorted(claim.entry.number for claim in claims) == [1, 2, 3, 4]
        assert first.claim("a", "here") is Nothing.WAIT
        for ledger, claim in zip((first, second, first, second), claims, strict=True):
            ledger.end(claim, Standing.FINISHED, figures(0.5))
        assert second.claim("b", "here") is Nothing.DONE
    assert [entry.standing for entry in first.entries()] == [Standing.FINISHED] * 4


def test_what_a_dead_worker_left_is_taken_over_and_counted_once(tiny: Make, tmp_path: Path) -> None:
    ledger = begun(tmp_path, tiny())
    with ledger.at_work("dies"):
        lost = claimed(ledger, "dies")
        ledger.report(lost, 1, 0.4)
    assert ledger.entries()[0].standing is Standing.STOPPED
    with ledger.at_work("lives"):
        again = claimed(ledger, "lives")
        assert again.entry.number == lost.entry.number
        assert again.entry.by_epoch == ((1, 0.4),)
        assert ledger.entries()[0].standing is Standing.RUNNING
        with pytest.raises(RunError, match="trial 1 of 'tiny' was taken over by lives"):
            ledger.end(lost, Standing.FINISHED, figures(0.9))
        ledger.end(again, Standing.FINISHED, figures(0.6))
    assert len(ledger.entries()) == 4
    assert ledger.entries()[0].result == figures(0.6)


def test_a_trial_that_ends_one_worker_after_the_other_is_given_up(tiny: Make, tmp_path: Path) -> None:
    ledger = begun(tmp_path, tiny())
    for attempt in range(MOST_ATTEMPTS):
        with ledger.at_work(f"w{attempt}"):
            assert claimed(ledger, f"w{attempt}").entry.number == 1
    with ledger.at_work("last"):
        assert claimed(ledger, "last").entry.number == 2
    first = ledger.entries()[0]
    assert first.standing is Standing.FAILED
    assert "given up: 3 workers ended at it" in first.failure


def test_progress_makes_attempts_count_anew(tiny: Make, tmp_path: Path) -> None:
    ledger = begun(tmp_path, tiny())
    for attempt in range(MOST_ATTEMPTS + 2):
        with ledger.at_work(f"w{attempt}"):
            claim = claimed(ledger, f"w{attempt}")
            assert claim.entry.number == 1
            ledger.report(claim, attempt + 1, 0.5)


def test_a_sweep_goes_on_where_it_was_and_may_be_made_longer(tiny: Make, tmp_path: Path) -> None:
    rest = '[search]\nmethod = "random"\ntrials = 2\n[space]\ntraining.lr = { low = 1e-4, high = 0.1, log = true }'
    ledger = begun(tmp_path, tiny(rest))
    with ledger.at_work("a"):
        ledger.end(claimed(ledger, "a"), Standing.FINISHED, figures(0.5))
    again = begun(tmp_path, tiny(rest), trials=5)
    assert [entry.standing for entry in again.entries()] == [Standing.FINISHED] + [Standing.WAITING] * 4
    assert [entry.trial.key for entry in again.entries()] == [trial.key for trial in tiny(rest).plan(5)]


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_more_trials_in_the_file_are_run(tiny: Make, tmp_path: Path, method: str) -> None:
    rest = '[search]\nmethod = "{}"\ntrials = {}\n[space]\ntraining.lr = {{ low = 1e-4, high = 0.1, log = true }}'
    for trials in (2, 4):
        ledger = begun(tmp_path, tiny(rest.format(method, trials)))
        with ledger.at_work("a"):
            while isinstance(claim := ledger.claim("a", "here"), Claim):
                ledger.end(claim, Standing.FINISHED, figures(0.5))
        assert len(ledger.entries()) == trials


def test_at_most_so_many_trials_are_begun(tiny: Make, tmp_path: Path) -> None:
    ledger = begun(tmp_path, tiny(), trials=2)
    with ledger.at_work("a"):
        for _ in range(2):
            ledger.end(claimed(ledger, "a", trials=2), Standing.FINISHED, figures(0.5))
        assert ledger.claim("a", "here", trials=2) is Nothing.DONE
        assert ledger.claim("a", "here", trials=3) is Nothing.DONE  # only two were written down so far
        begun(tmp_path, tiny())
        assert claimed(ledger, "a", trials=3).entry.number == 3


def test_the_prediction_is_sealed_before_the_first_trial(tiny: Make, tmp_path: Path) -> None:
    grid = "[space]\ntraining.lr = [0.001, 0.01]\n[prediction]\ntext = '{}'\n"
    ledger = begun(tmp_path, tiny(grid.format("the higher one")))
    record = ledger.record
    assert record["prediction_sha256"] == ledger.definition.prediction.sha256  # type: ignore[union-attr]
    assert record["begun"].endswith("+00:00")
    kinds = [json.loads(line)["op_code"] for line in (tmp_path / "trials.journal").read_text().splitlines()]
    assert kinds.index(2) < kinds.index(4)  # Optuna's numbers of "study attribute" and "new trial"
    with ledger.at_work("a"):
        ledger.report(claimed(ledger, "a"), 1, 0.5)
    with pytest.raises(RecipeError, match=r"has changed since it began: prediction\.text was .* is sealed .* --name"):
        begun(tmp_path, tiny(grid.format("the lower one")))


def test_nothing_is_sealed_before_anything_was_trained(tiny: Make, tmp_path: Path) -> None:
    begun(tmp_path, tiny())
    other = "[space]\ntraining.lr = [0.5]"
    ledger = begun(tmp_path, tiny(other))
    assert [entry.trial.point for entry in ledger.entries()] == [{"training.lr": 0.5}]
    with ledger.at_work("a"):
        claimed(ledger, "a")
        with pytest.raises(RecipeError, match="has changed since it began"):
            begun(tmp_path, tiny())


def test_a_changed_space_is_refused(tiny: Make, tmp_path: Path) -> None:
    ledger = begun(tmp_path, tiny())
    with ledger.at_work("a"):
        ledger.report(claimed(ledger, "a"), 1, 0.5)
    with pytest.raises(RecipeError, match=r"space\.training\.lr\.values was \[0\.001, 0\.01\], is \[0\.5\]"):
        begun(tmp_path, tiny("[space]\ntraining.lr = [0.5]\ntraining.batch_size = [16, 32]"))


def test_tpe_never_runs_a_point_twice_and_ends_with_the_space(tiny: Make, tmp_path: Path) -> None:
    ledger = begun(tmp_path, tiny(TPE.format(trials=50)))
    keys = []
    with ledger.at_work("a"):
        while isinstance(claim := ledger.claim("a", "here"), Claim):
            keys.append(claim.entry.trial.key)
            ledger.end(claim, Standing.FINISHED, figures(0.1 * len(keys)))
    assert len(keys) == len(set(keys)) == 4
    assert [entry.number for entry in ledger.entries()] == [1, 2, 3, 4]


def test_tpe_learns_what_is_better(tiny: Make, tmp_path: Path) -> None:
    rest = '[search]\nmethod = "tpe"\ntrials = 40\n[space]\ntraining.lr = { low = 1e-4, high = 1.0, log = true }'
    ledger = begun(tmp_path, tiny(rest))
    rates = []
    with ledger.at_work("a"):
        while isinstance(claim := ledger.claim("a", "here"), Claim):
            rates.append(claim.entry.trial.point["training.lr"])
            ledger.end(claim, Standing.FINISHED, figures(1 - min(1.0, abs(rates[-1] - 0.01))))
    assert len(rates) == 40
    close = [0.003 < rate < 0.03 for rate in rates]
    assert sum(close[20:]) > 2 * sum(close[:10])


def test_tpe_is_repeatable(tiny: Make, tmp_path: Path) -> None:
    rest = '[search]\nmethod = "tpe"\ntrials = 5\n[space]\ntraining.lr = { low = 1e-4, high = 1.0, log = true }'
    plans = []
    for place in ("one", "two"):
        ledger = begun(tmp_path / place, tiny(rest))
        with ledger.at_work("a"):
            while isinstance(claim := ledger.claim("a", "here"), Claim):
                ledger.end(claim, Standing.FINISHED, figures(0.5))
        plans.append([entry.trial.point for entry in ledger.entries()])
    assert plans[0] == plans[1]


@pytest.mark.parametrize("pruning", ["median", "asha"])
def test_hopeless_trials_are_found(tiny: Make, tmp_path: Path, pruning: str) -> None:
    rates = ", ".join(str(0.001 * rate) for rate in range(1, 11))
    rest = f'[search]\npruning = "{pruning}"\n[space]\ntraining.lr = [{rates}]\ntraining.epochs = [9]'
    ledger = begun(tmp_path, tiny(rest))
    hopeless = []
    with ledger.at_work("a"):
        for number in range(10):
            claim, level = claimed(ledger, "a"), 0.9 if number < 6 else 0.1
            verdicts = [ledger.report(claim, epoch, level + 0.01 * epoch) for epoch in range(1, 4)]
            hopeless.append(any(verdicts))
            ledger.end(claim, Standing.PRUNED if any(verdicts) else Standing.FINISHED, figures(level))
    assert not any(hopeless[:3])
    assert all(hopeless[6:])


def test_a_list_is_run_whole_and_keeps_its_labels(tiny: Make, tmp_path: Path) -> None:
    rest = (
        '[search]\nmethod = "list"\n[[trial]]\nname = "slow"\nsettings = { "training.lr" = 0.001 }\nreported = 0.5\n'
        '[[trial]]\nname = "k-NN"\nbaseline = { name = "k-nearest-neighbours" }\n'
    )
    ledger = begun(tmp_path, tiny(rest))
    slow, neighbours = ledger.entries()
    assert (slow.label, slow.trial.reported) == ("slow", 0.5)
    assert neighbours.trial.recipe is None and neighbours.trial.baseline is not None


def test_a_sweep_that_has_not_begun(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no sweep 'none' has begun in this storage"):
        _ = Ledger.open("none", tmp_path).record


@pytest.mark.parametrize("storage", ["sqlite:///x.db", "mysql://a@b/c", "server"])
def test_other_storages_are_refused(tmp_path: Path, storage: str) -> None:
    with pytest.raises(RunError, match="expected postgresql://user:password@host/database"):
        Ledger.open("any", tmp_path, storage)


def test_half_a_record_at_the_end_is_taken_off_and_the_sweep_goes_on(tiny: Make, tmp_path: Path) -> None:
    with Ledger.open("tiny", tmp_path) as ledger:
        ledger.begin(tiny())
    journal = tmp_path / "trials.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":8,"worker_id":"x","tri')  # a disk that was full
    with Ledger.open("tiny", tmp_path) as ledger:
        assert journal.read_bytes() == whole
        ledger.set_fact("precision", "float32")
    with Ledger.open("tiny", tmp_path) as ledger:
        assert len(ledger.entries()) == 4 and ledger.fact("precision") == "float32"


@pytest.mark.parametrize("line", [b"hello\nthere\n", b'{"a": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_journal_is_said_to_be_one(line: bytes, tiny: Make, tmp_path: Path) -> None:
    with Ledger.open("tiny", tmp_path) as ledger:
        ledger.begin(tiny())
    with (tmp_path / "trials.journal").open("ab") as journal:
        journal.write(line)
    with pytest.raises(RunError, match=r"trials\.journal is damaged .*; put back a copy of it, or begin another sweep"):
        Ledger.open("tiny", tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"format": "glyphlab-sweep-9"}, "format 'glyphlab-sweep-9', expected"), ({"definition": {}}, "no 'space'")],
)
def test_a_sweep_of_another_version_is_refused(
    change: dict[str, object], reason: str, tiny: Make, tmp_path: Path
) -> None:
    with Ledger.open("tiny", tmp_path) as ledger:
        ledger.begin(tiny())
        ledger.set_fact("sweep", ledger.record | change)
    with Ledger.open("tiny", tmp_path) as ledger, pytest.raises(RunError, match=reason) as error:
        ledger.begin(tiny())
    assert "was begun by another version of Glyphlab" in str(error.value)

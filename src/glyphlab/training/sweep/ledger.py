"""The book of a sweep: which trials there are, who is at which, and what came out.

It is kept by Optuna, in a journal file of the sweep's folder or in a PostgreSQL database. Every change of hands, that
is claiming, taking over and ending a trial, happens under one exclusive lock, and a trial belongs to the worker written
down as its owner. So each trial is run by one worker at a time and counted once, whatever is killed when.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState

from glyphlab.errors import RecipeError, RunError
from glyphlab.files import writing
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Claim, Entry, Nothing, Standing, entry_of, trial_record
from glyphlab.training.sweep.locks import Locks, unreachable
from glyphlab.training.sweep.settings import Trial
from glyphlab.training.sweep.space import encoded
from glyphlab.training.sweep.storage import JOURNAL_NAME, open_journal, open_postgres

FORMAT = "glyphlab-sweep-1"
# A trial that ended so many workers without finishing a single epoch would end the next one too.
MOST_ATTEMPTS = 3
# TPE may choose a point again; after so many repeats in a row a random new one is taken.
_MOST_REPEATS = 10
# ASHA's rungs are epochs 1, 3, 9, ...; the median needs some trials to compare with.
_STARTUP_TRIALS = 5


class Ledger:
    """Open one with `Ledger.open`, close it with `close` or as a context; the first one to come calls `begin`."""

    def __init__(self, name: str, folder: Path, storage: BaseStorage, locks: Locks, address: str) -> None:
        self.name, self.folder, self.address = name, folder, address
        self._storage, self._locks = storage, locks
        self._study: Study | None = None
        self._definition: SweepDefinition | None = None

    @classmethod
    def open(cls, name: str, folder: Path, storage: str | None = None) -> Ledger:
        """Open the book of the sweep `name`.

        storage: ``postgresql://user:password@host:port/database``; None: a journal file in the sweep's `folder`.
        Raises `RunError` when the storage does not answer or is of another kind.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        if storage is None:
            journal, file_locks = open_journal(folder)
            return cls(name, folder, journal, file_locks, str(folder))
        database, server_locks = open_postgres(storage, name)
        return cls(name, folder, database, server_locks, storage)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections to a server."""
        self._locks.close()
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def begin(self, definition: SweepDefinition, trials: int | None = None) -> None:
        """Write down the definition and its prediction with the time, then all trials that are known in advance.

        A sweep that has begun is continued; more trials than before are added. Raises `RecipeError` when its
        definition has changed since, unless nothing has been trained yet: then it begins anew.
        """
        with self._locks.exclusive(), self._answering():
            if self.has_begun and self.definition.differences(definition) and not self._has_trained():
                self._storage.delete_study(self.study._study_id)
                self._study = self._definition = None
            if self.has_begun:
                self._require_same(definition)
            else:
                directions = [StudyDirection.MAXIMIZE if definition.search.maximised else StudyDirection.MINIMIZE]
                if self._study_id is None:
                    self._storage.create_new_study(directions, study_name=self.name)
                assert self._study_id is not None
                # One attribute, so that a sweep is never half begun.
                self._storage.set_study_user_attr(self._study_id, "sweep", _sealed(definition))
            # Beside what was sealed, for how many trials there are may change.
            self._storage.set_study_user_attr(self.study._study_id, "trials", definition.search.trials)
            written = {entry.trial.key for _, entry in self._entries()}
            for trial in definition.plan(trials):
                if trial.key not in written:
                    self._enqueue(trial)

    @property
    def has_begun(self) -> bool:
        """Whether the storage holds this sweep."""
        study_id = self._study_id
        return study_id is not None and "sweep" in self._storage.get_study_user_attrs(study_id)

    @property
    def record(self) -> dict[str, Any]:
        """What was written down at the beginning: definition, begun (UTC), prediction_sha256."""
        with self._answering():
            study_id = self._study_id
            found = {} if study_id is None else self._storage.get_study_user_attrs(study_id)
        if "sweep" not in found:
            raise RunError(f"no sweep '{self.name}' has begun in this storage")
        record: dict[str, Any] = found["sweep"]
        return record

    @property
    def definition(self) -> SweepDefinition:
        """The definition as it was written down."""
        if self._definition is None:
            record = self.record
            try:
                if record.get("format", FORMAT) != FORMAT:
                    raise RecipeError(f"format {record['format']!r}, expected {FORMAT!r}")
                self._definition = SweepDefinition.from_record(record["definition"])
            except (RecipeError, ValueError, KeyError, TypeError) as error:
                reason = f"no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
                raise RunError(
                    f"sweep '{self.name}' was begun by another version of Glyphlab ({reason[:200]}); go on with that "
                    "version, or begin another sweep with --name"
                ) from None
        return self._definition

    @property
    def study(self) -> Study:
        """Optuna's view of the sweep."""
        if self._study is None:
            self._study = optuna.load_study(study_name=self.name, storage=self._storage, pruner=self._pruner())
        return self._study

    @property
    def _study_id(self) -> int | None:
        """Optuna's number of the sweep; None before it has begun."""
        try:
            return self._storage.get_study_id_from_name(self.name)
        except KeyError:
            return None

    def at_work(self, owner: str) -> Any:
        """A context during which `owner` counts as alive, and after which others may take over what it left."""
        return self._locks.hold(owner)

    def entries(self) -> list[Entry]:
        """All trials in order, repeats that TPE chose left out."""
        with self._answering():
            return [entry for _, entry in self._entries()]

    def claim(self, owner: str, host: str, trials: int | None = None) -> Claim | Nothing:
        """The next trial for a worker: one that a dead worker left, one that waits, or one that TPE chooses.

        trials: no new one is begun once so many have been.
        """
        with self._locks.exclusive(), self._answering():
            entries = self._entries()
            for trial_id, entry in entries:
                if entry.standing is Standing.STOPPED and self._may_go_on(trial_id, entry):
                    return self._hand_over(trial_id, entry, owner, host)
            limit = trials or self.fact("trials")
            begun = sum(entry.standing is not Standing.WAITING for _, entry in entries)
            if limit is None or begun < limit:
                for trial_id, entry in entries:
                    if entry.standing is Standing.WAITING:
                        started = self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
                        assert started, "claimed by two workers, in spite of the lock"
                        return self._hand_over(trial_id, entry, owner, host)
                if self.definition.search.method == "tpe":
                    chosen = self._choose([entry for _, entry in entries])
                    if chosen is not None:
                        return self._hand_over(*chosen, owner, host)
            under_way = any(entry.standing is Standing.RUNNING for _, entry in entries)
            return Nothing.WAIT if under_way else Nothing.DONE

    def report(self, claim: Claim, epoch: int, value: float) -> bool:
        """Write down an epoch's objective; True: the trial is hopeless and shall end.

        Raises `RunError` when the trial is no longer this worker's.
        """
        with self._answering():
            self._locks.require_held()
            self._require_mine(claim)
            if epoch not in dict(claim.entry.by_epoch):
                self._storage.set_trial_intermediate_value(claim.trial_id, epoch, value)
            if self._storage.get_trial(claim.trial_id).user_attrs.get("attempts"):
                self.forgive(claim)
            if self.definition.search.pruning == "none":
                return False
            return self.study.pruner.prune(self.study, self._storage.get_trial(claim.trial_id))

    def forgive(self, claim: Claim) -> None:
        """Count the attempts anew, since this one came to something."""
        self._storage.set_trial_user_attr(claim.trial_id, "attempts", 0)

    def end(self, claim: Claim, standing: Standing, result: dict[str, Any] | None = None, failure: str = "") -> None:
        """Close a trial. A finished one has a result with the objective; a failed one a reason."""
        assert standing.is_over
        with self._locks.exclusive(), self._answering():
            self._require_mine(claim)
            if result is not None:
                self._storage.set_trial_user_attr(claim.trial_id, "result", result)
            if failure:
                self._storage.set_trial_user_attr(claim.trial_id, "failure", failure)
            state = {
                Standing.FINISHED: TrialState.COMPLETE,
                Standing.PRUNED: TrialState.PRUNED,
                Standing.FAILED: TrialState.FAIL,
            }[standing]
            values = None
            if result is not None and standing is not Standing.FAILED:
                values = [float(result["accuracy"] if self.definition.search.maximised else result["loss"])]
            self._storage.set_trial_state_values(claim.trial_id, state, values)

    def set_fact(self, key: str, value: Any) -> None:
        """Write down something for all workers, such as the precision they share."""
        with self._answering():
            self._storage.set_study_user_attr(self.study._study_id, key, value)

    def fact(self, key: str) -> Any:
        """What `set_fact` wrote down; None: nothing."""
        with self._answering():
            return self._storage.get_study_user_attrs(self.study._study_id).get(key)

    def exclusive(self) -> Any:
        """A context in which no other worker of this sweep claims or settles anything."""
        return self._locks.exclusive()

    def _entries(self) -> list[tuple[int, Entry]]:
        """Trial ids with their entries. A trial that runs without a living owner is stopped."""
        found = self._storage.get_all_trials(self.study._study_id, deepcopy=False)
        alive: dict[str, bool] = {}

        def lives(owner: str) -> bool:
            if owner not in alive:
                alive[owner] = bool(owner) and self._locks.is_alive(owner)
            return alive[owner]

        return [
            (trial._trial_id, entry_of(number, trial, lives))
            for number, trial in enumerate((trial for trial in found if "trial" in trial.user_attrs), start=1)
        ]

    def _has_trained(self) -> bool:
        """Whether any trial has got anywhere, or may be about to."""
        begun = any(entry.by_epoch or entry.standing.is_over for _, entry in self._entries())
        running = any(entry.standing is Standing.RUNNING for _, entry in self._entries())
        return begun or running or any((self.folder / "runs").glob("*"))

    def _enqueue(self, trial: Trial) -> None:
        params = {} if self.definition.listed else {key: encoded(value) for key, value in trial.point.items()}
        template = optuna.trial.create_trial(
            state=TrialState.WAITING,
            params=params,
            distributions={d.key: d.distribution() for d in self.definition.space.dimensions if d.key in params},
            user_attrs={"trial": trial_record(trial)},
        )
        self._storage.create_new_trial(self.study._study_id, template_trial=template)

    def _hand_over(self, trial_id: int, entry: Entry, owner: str, host: str) -> Claim:
        attributes = {"attempts": entry.attempts + 1, "host": host, "owner": owner}
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(trial_id, name, value)
        now = replace(entry, standing=Standing.RUNNING, owner=owner, host=host, attempts=entry.attempts + 1)
        return Claim(trial_id, now)

    def _may_go_on(self, trial_id: int, entry: Entry) -> bool:
        """Whether a stopped trial deserves another attempt; it is closed otherwise."""
        if entry.attempts < MOST_ATTEMPTS:
            return True
        reason = f"given up: {entry.attempts} workers ended at it without finishing an epoch (see the sweep's logs)"
        self._storage.set_trial_user_attr(trial_id, "failure", reason)
        self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        return False

    def _choose(self, entries: list[Entry]) -> tuple[int, Entry] | None:
        """A new trial of TPE's choice, or a random new one where TPE repeats itself; None: the space has no more."""
        keys = {entry.trial.key for entry in entries}
        for _ in range(_MOST_REPEATS):
            # Drawn from a seed that depends on how many trials there are, so that nothing else need be remembered.
            count = self._storage.get_n_trials(self.study._study_id)
            seed = int(np.random.SeedSequence([self.definition.search.seed, count]).generate_state(1)[0])
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            self.study.sampler = sampler
            asked = self.study.ask()
            trial = self.definition.trial(self.definition.space.suggest(asked))
            if trial.key not in keys:
                self._storage.set_trial_user_attr(asked._trial_id, "trial", trial_record(trial))
                return asked._trial_id, Entry(len(entries) + 1, trial, Standing.RUNNING)
            self._storage.set_trial_state_values(asked._trial_id, TrialState.FAIL)  # a repeat, no trial of its own
        return self._random_one(entries)

    def _random_one(self, entries: list[Entry]) -> tuple[int, Entry] | None:
        keys = {entry.trial.key for entry in entries}
        points = [entry.trial.point for entry in entries]
        for point in self.definition.space.sequence(self.definition.search.seed + len(entries), without=points):
            trial = self.definition.trial(point)
            if trial.key not in keys:
                self._enqueue(trial)
                trial_id, entry = self._entries()[-1]
                self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
                return trial_id, entry
        return None

    def _pruner(self) -> optuna.pruners.BasePruner:
        match self.definition.search.pruning:
            case "median":
                return optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS)
            case "asha":
                return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
            case _:
                return optuna.pruners.NopPruner()

    def _require_same(self, definition: SweepDefinition) -> None:
        changes = self.definition.differences(definition)
        if not changes:
            return
        sealed = " (a prediction is sealed once the sweep has begun)" if changes[0].startswith("prediction") else ""
        more = f" and {len(changes) - 2} more" if len(changes) > 2 else ""
        raise RecipeError(
            f"sweep '{self.name}' has changed since it began: {'; '.join(changes[:2])}{more}{sealed}; "
            "put it back, or begin another sweep with --name"
        )

    def _require_mine(self, claim: Claim) -> None:
        owner = self._storage.get_trial(claim.trial_id).user_attrs.get("owner")
        if owner != claim.entry.owner:
            raise RunError(f"trial {claim.entry.number} of '{self.name}' was taken over by {owner}; its result counts")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn a database that fails in the middle into a `RunError`."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with writing(self.folder / JOURNAL_NAME):
                yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise RunError(unreachable(self.address, error.__cause__ or error)) from None


def _sealed(definition: SweepDefinition) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "definition": definition.to_record(),
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "prediction_sha256": definition.prediction.sha256 if definition.prediction else None,
    }

"""Training speed: Glyphlab's engine beside the reports' own per-image pipelines, on the same networks.

    make bench                                    data from GLYPHLAB_DATA; where it is missing, the embedded digits
    python benchmarks/throughput.py --data-dir DATA --rounds 5 --seconds 20
    python benchmarks/throughput.py --only A --rounds 1 --seconds 2

Three networks: report A's on emnist-letters, report C's final one on emnist-balanced, and Glyphlab's own, whose peer is
a plain pipeline with Pillow without and with worker processes. Each measurement has a process of its own, which also
tells its peak of memory; variants take turns, and ratios are taken round by round. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import children
from children import Finished
from measuring import options, take_turns
from pipelines import PIPELINES
from results import counted, goal, provenance, ratios, spread, table, write_section

GOAL_FOR_A = 3.5
_WARM_STEPS = 10
_PLAIN = {"engine.precision": "float32", "engine.channels_last": False, "engine.compile": False}


@dataclass(frozen=True)
class Group:
    """A network and the pipeline it is measured beside.

    others: further pipelines of that network. workers: of the pipeline. larger_batch: beside the pipeline's own, for
    Glyphlab, which is then judged by it.
    """

    title: str
    peer: str
    others: tuple[str, ...] = ()
    workers: tuple[int, ...] = (0,)
    larger_batch: int | None = None


GROUPS = (
    Group("`advancednet`, report A", "A", larger_batch=256),
    Group("`balanced-arch2`, report C's final network", "C", others=("C in memory",)),
    Group("`glyphnet`, our own", "Pillow", workers=(0, 2)),
)


def peer_rate(name: str, data_dir: str | None, workers: int, seconds: float) -> dict[str, Any]:
    """Images a second of a per-image pipeline; the first steps do not count."""
    import samples
    from peers import Peer

    peer = Peer(name, samples.glyphs(PIPELINES[name].data, "train", data_dir))
    peer.network.train()
    step, done, began = 0, 0, 0.0
    while True:
        for images, targets in peer.loader(peer.train, shuffle=True, workers=workers):
            if step == _WARM_STEPS:
                done, began = 0, time.perf_counter()
            peer.step(images, targets)
            step, done = step + 1, done + len(images)
            if step > _WARM_STEPS and time.perf_counter() - began > seconds:
                return {"rate": done / (time.perf_counter() - began)}


def engine_rate(name: str, data_dir: str | None, seconds: float, settings: dict[str, Any]) -> dict[str, Any]:
    """Images a second that a real run of the pipeline's recipe records for itself, and the engine that it used."""
    import samples

    import glyphlab
    from glyphlab.training.engine import Engine

    pipeline = PIPELINES[name]
    changes = {
        "training.time_budget_seconds": seconds,
        "training.epochs": pipeline.epochs,
        "training.batch_size": pipeline.batch_size,
        "data.validation": 0.0,
        **settings,
    }
    data = samples.at_hand(pipeline.data, data_dir)["name"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(data_dir) if data_dir else None
        # The recipe itself, not another of its name that is made for these data: both sides train the same network.
        recipe = glyphlab.Recipe.load(pipeline.recipe)
        run = glyphlab.train(recipe, data, settings=changes, data_dir=place, runs_dir=folder)
        row = run.history[-1]
        engine = Engine(**run.recipe.engine.model_dump())
        return {"rate": row.images_seen / row.time_seconds, "engine": str(engine)}


def measure(group: Group, data_dir: Path | None, rounds: int, seconds: float) -> str:
    """The group's table: the plain pipeline without workers comes first, and all others are compared with it."""
    peer = PIPELINES[group.peer]
    theirs, ours = (
        partial(children.part, __file__, part, data_dir=data_dir, seconds=seconds) for part in ("peer", "engine")
    )
    variants = {
        peer.title if workers == 0 else f"the same with {workers} workers": partial(
            theirs, name=group.peer, workers=workers
        )
        for workers in group.workers
    }
    for other in group.others:
        variants[PIPELINES[other].title] = partial(theirs, name=other, workers=0)
    variants[f"Glyphlab, batch {peer.batch_size}, float32"] = partial(ours, name=group.peer, settings=_PLAIN)
    for size in filter(None, (peer.batch_size, group.larger_batch)):
        settings = {"training.batch_size": size}
        variants[f"Glyphlab, batch {size}, engine chosen"] = partial(ours, name=group.peer, settings=settings)
    found = take_turns(variants, rounds)
    rates = {name: [one.value["rate"] for one in outcomes] for name, outcomes in found.items()}
    base = rates[peer.title]
    rows = [
        (_titled(name, found[name]), spread(values), spread(ratios(values, base), ".2f"), _memory(found[name]))
        for name, values in rates.items()
    ]
    text = f"### {group.title}\n\n" + table(("variant", "images/s", "times the first", "peak memory, MB"), rows)
    if group.peer == "A":
        faster = ratios(list(rates.values())[-1], base)
        words = (
            f"at least {GOAL_FOR_A:g} times the report's pipeline, with a batch of {group.larger_batch}, in the median"
        )
        text += "\n\n" + goal(words, statistics.median(faster) >= GOAL_FOR_A)
    return text


def _titled(name: str, outcomes: list[Finished]) -> str:
    """A variant's name, with the engines that were chosen."""
    engines = sorted({one.value["engine"] for one in outcomes if "engine" in one.value})
    return f"{name} ({' / '.join(engines)})" if "engine chosen" in name else name


def _memory(outcomes: list[Finished]) -> str:
    return spread([one.peak_mb for one in outcomes])


def main() -> None:
    """Measure and write the section."""
    children.serve({"peer": peer_rate, "engine": engine_rate})
    parser = options(__doc__, rounds=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each variant in each round")
    parser.add_argument("--only", choices=[group.peer for group in GROUPS], help="one of the pipelines alone")
    chosen = parser.parse_args()
    groups = [group for group in GROUPS if chosen.only in (None, group.peer)]
    tables = [measure(group, chosen.data_dir, chosen.rounds, chosen.seconds) for group in groups]
    write_section("throughput", "\n\n".join([_introduction(groups, chosen.data_dir, chosen), *tables]), chosen.out)


def _introduction(groups: list[Group], data_dir: Path | None, chosen: Any) -> str:
    import samples

    asked = sorted({PIPELINES[group.peer].data for group in groups})
    data = " and ".join(samples.at_hand(name, data_dir)["words"] for name in asked)
    repeated = (
        f"{counted(chosen.rounds, 'round')} of {chosen.seconds:g} s each. Peak memory is that of the process, or of "
        "its largest worker where that is more; workers come on top."
    )
    return provenance(data, repeated)


if __name__ == "__main__":
    main()

"""How long one waits for the first answer: from the start of a process to its end.

    make bench
    python benchmarks/cold_start.py --data-dir DATA --rounds 20

Glyphlab's commands beside `import torch` and beside a script that asks a small network in torch about one picture, as
people write it (plain_predict.py): import, build, load the weights, crop, scale, answer. A first call of each, which
brings files into the system's cache, does not count. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import children
import samples
from measuring import options, take_turns
from results import counted, provenance, ratios, spread, table, write_section

_SCRIPT = Path(__file__).parent / "plain_predict.py"
_WARM = ". The files are in the system's cache: a first call of each does not count."
_PEER = "torch: a script that answers for one picture"


def save_weights(weights: str) -> None:
    """Untrained weights for the script; their values take no time."""
    import torch
    from report_networks import advancednet

    torch.save(advancednet(classes=27).state_dict(), weights)


def commands(picture: Path, page: Path) -> dict[str, Sequence[str | Path]]:
    """What is started, by its words."""
    glyphlab = [sys.executable, "-m", "glyphlab"]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import glyphlab": [sys.executable, "-c", "import glyphlab"],
        "glyphlab --help": [*glyphlab, "--help"],
        "glyphlab predict PICTURE": [*glyphlab, "predict", picture],
        "glyphlab read PAGE": [*glyphlab, "read", page],
        "import torch": [sys.executable, "-c", "import torch"],
    }


def measure(started: Mapping[str, Sequence[str | Path]], picture: Path, folder: Path, rounds: int) -> str:
    """The table; each is compared with the script in torch."""
    weights = folder / "weights.pt"
    children.part(__file__, "weights", weights=weights)
    variants = {words: partial(children.run, command) for words, command in started.items()}
    variants[_PEER] = partial(children.run, [sys.executable, _SCRIPT, weights, picture])
    for call in variants.values():
        call()
    found = take_turns(variants, rounds)
    seconds = {words: [one.seconds for one in outcomes] for words, outcomes in found.items()}
    rows = [
        (
            f"`{words}`" if words != _PEER else words,
            spread(values, ".3f"),
            spread(ratios(values, seconds[_PEER]), ".2f"),
        )
        for words, values in sorted(seconds.items(), key=lambda item: statistics.median(item[1]))
    ]
    return table(("process", "seconds", "of the script in torch"), rows)


def main() -> None:
    """Measure and write the section."""
    children.serve({"weights": save_weights})
    parser = options(__doc__, rounds=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pages").mkdir()
        pictures = samples.pictures(chosen.data_dir, 1, folder)
        pages = samples.pages(chosen.data_dir, 1, folder / "pages")
        page = next((folder / "pages").glob("*.png"))
        rows = measure(commands(pictures.paths[0], page), pictures.paths[0], folder, chosen.rounds)
    data = f"{pictures.words} and {pages}"
    write_section("cold_start", f"{provenance(data, counted(chosen.rounds, 'round') + _WARM)}\n\n{rows}", chosen.out)


if __name__ == "__main__":
    main()

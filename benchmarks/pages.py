"""How quickly, and how rightly, pages are read.

    make bench                                             18 pages
    python benchmarks/pages.py --data-dir DATA             all of them
    python benchmarks/pages.py --pages 5 --rounds 1

Reads the pages of pages/ with the model "characters", as `glyphlab evaluate characters --pages` does, with what letters
know of their neighbours and without. There is no peer: no other reader that can be installed here. Each round is a
process of its own. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import children
import samples
from measuring import options, take_turns
from results import counted, goal, provenance, spread, table, write_section

MODEL = "characters"
MOST_WRONG = 0.045
DEFAULT = "neighbours decide, the default"


def read(folder: str, context: bool) -> dict[str, Any]:
    """Read all pages of a folder; seconds for each, from pixels to text, and the error rates."""
    from glyphlab.evaluation.pages import Edits, compare, evaluate_pages
    from glyphlab.recognition.recognizer import Recognizer

    found = evaluate_pages(Recognizer.load(MODEL), folder, context=context)
    seconds = [page.time_seconds for page in found.pages]
    characters = sum(len("".join(page.truth.split())) for page in found.pages)
    later = sum((compare(page.truth.lower(), page.text.lower()) for page in found.pages[len(seconds) // 2 :]), Edits())
    return found.summary() | {"rate": characters / sum(seconds), "cer_of_second_half": later.error_rate}


def main() -> None:
    """Measure and write the section."""
    children.serve({"read": read})
    parser = options(__doc__, rounds=3)
    parser.add_argument("--pages", type=int, help="so many, spread over all (default: all)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = samples.pages(chosen.data_dir, chosen.pages, Path(folder))
        measure = partial(children.part, __file__, "read", folder=folder)
        variants = {
            DEFAULT: partial(measure, context=True),
            "each character for itself": partial(measure, context=False),
        }
        found = take_turns(variants, chosen.rounds)
    rows = []
    for name, outcomes in found.items():
        values = [one.value for one in outcomes]
        rows.append(
            (
                name,
                spread([value["time_ms_per_page"] for value in values]),
                spread([value["rate"] for value in values]),
                f"{100 * values[0]['cer']:.2f}",
                f"{100 * values[0]['cer_of_second_half']:.2f}",
                f"{100 * values[0]['word_accuracy']:.2f}",
                spread([one.peak_mb for one in outcomes]),
            )
        )
    columns = (
        "reading", "ms a page", "characters/s", "character error rate, %", "of the second half, %", "words right, %",
        "peak memory, MB",
    )  # fmt: skip
    count = outcomes[0].value["characters"]
    repeated = (
        f"{counted(chosen.rounds, 'round')}, one page at a time, of each round the median page; {count:,} characters "
        "with the spaces between words, which do not count as read; case is not counted. The reader was tuned on the "
        "first half, in order of names; the pages are composed of EMNIST's images, partly seen in training."
    )
    best = found[DEFAULT][0].value["cer"]
    aim = goal(f"at most {100 * MOST_WRONG:g} % of the characters wrong", best <= MOST_WRONG)
    write_section("pages", f"{provenance(words, repeated)}\n\n{table(columns, rows)}\n\n{aim}", chosen.out)


if __name__ == "__main__":
    main()

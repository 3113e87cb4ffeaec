"""`glyphlab labels`: find suspicious labels, review them, and make a corrected data set."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glyphlab.cli.bars import counting_bar
from glyphlab.cli.console import AsJson, DataDir, print_json, print_table, stdout
from glyphlab.cli.settings import parse_settings, require_once
from glyphlab.cli.stopping import stop_leaves
from glyphlab.cli.usage import App
from glyphlab.errors import GlyphlabError, did_you_mean, quoted

if TYPE_CHECKING:
    from glyphlab.data.catalogue import Split
    from glyphlab.evaluation.labels.search import LabelSearch

EXAMPLES = """[bold]Examples[/]

glyphlab labels find mnist

glyphlab labels review mnist

glyphlab labels apply mnist runs/labels-mnist/corrections.csv --out mnist-corrected
"""

app = App(
    help="Find suspicious labels, review them, and make a corrected data set. Originals are never touched.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

FIND_EXAMPLES = """[bold]Examples[/]

glyphlab labels find digits  (5 networks are trained, each judges the images that it did not see)

glyphlab labels find runs/mnist-fast-1 --epochs 3  (a run lends its data and recipe)

glyphlab labels find runs/mnist-fast-1 --split test  (the test labels, judged by the run's network)
"""
REVIEW_EXAMPLES = """[bold]Examples[/]

glyphlab labels review digits  (one image at a time, in the terminal; stop and go on at any time)

glyphlab labels review mnist --accept-top 50  (the fifty most suspicious get the suggested label)

glyphlab labels review mnist --list 200  (a table to be edited: keep, relabel or discard)
"""
APPLY_EXAMPLES = """[bold]Examples[/]

glyphlab labels apply mnist runs/labels-mnist/corrections.csv --out mnist-corrected

glyphlab train mnist-corrected
"""

Target = Annotated[
    str, typer.Argument(metavar="DATA|RUN", help="A known data set, a folder or CSV of yours, or a run (its data).")
]
SplitChoice = Annotated[str, typer.Option("--split", help="Which part: train, or test (of a run).")]
RunsDir = Annotated[Path, typer.Option(help="Where runs are looked for, and findings on data sets kept.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
_SHOWN = 10


@app.command("find", epilog=FIND_EXAMPLES)
def find(
    target: Target,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, max=100, help="Parts of the training images, and networks (default: 5).", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="With DATA: how the networks are trained (default: fast).")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each network; few do.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Replace a setting: training.lr=0.01. May be repeated.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without pictures that cannot be read.")] = False,
    split: SplitChoice = "train",
    out: Annotated[Path | None, typer.Option(help="Folder for the findings and the networks.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Train anew where other settings were used before.")] = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while working.")] = False,
) -> None:
    """Rank labels by how much networks that never saw the image disagree.

    Writes labels.csv and suspicious.png (the worst first), duplicates.csv and
    outliers.csv with pictures, to RUN/labels or RUNS-DIR/labels-DATA.

    A search that was stopped goes on where it was when called again.
    """
    from glyphlab.cli.progress import reporter_for
    from glyphlab.evaluation.labels.target import DEFAULT_FOLDS, LabelTarget

    part = _split(split)
    changes = parse_settings(settings or [])
    require_once(changes, "data.name", "DATA|RUN", target)
    require_once(changes, "training.epochs", "--epochs", epochs)
    require_once(changes, "data.skip_bad", "--skip-bad", skip_bad or None)
    if epochs is not None:
        changes["training.epochs"] = epochs
    if skip_bad:
        changes["data.skip_bad"] = True
    opened = LabelTarget.open(target, recipe=recipe, settings=changes, data_dir=data_dir, runs_dir=runs_dir)
    folder = out or opened.folder(part)
    with (
        stop_leaves("the same command goes on from here"),
        nullcontext() if quiet else counting_bar("comparing images") as on_progress,
    ):
        if part == "test":
            _refuse_training_options(recipe, changes, folds, force)
            search = opened.search_test(on_progress)
        else:
            search = opened.search_train(
                folds or DEFAULT_FOLDS,
                folder=out,
                reporter=reporter_for(quiet=quiet),
                force=force,
                on_progress=on_progress,
            )
        pictures = opened.write(search, folder)
    if as_json:
        print_json(search.summary() | {"folder": str(folder), "suspicious": search.rows(20)})
    else:
        there = f" --found {quoted(folder)}" if out is not None else ""
        then = f"glyphlab labels review {quoted(target)}{there}{_options(part, runs_dir, data_dir)}"
        _print_findings(search, part, folder, pictures, then)


@app.command("review", epilog=REVIEW_EXAMPLES)
def review(
    target: Target,
    accept_top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Give the N most suspicious their suggested label, unseen.")
    ] = None,
    for_editing: Annotated[
        int | None, typer.Option("--list", metavar="N", min=1, help="Write the N most suspicious as 'keep', to edit.")
    ] = None,
    split: SplitChoice = "train",
    found: Annotated[Path | None, typer.Option(help="Folder of the findings, where find had an --out.")] = None,
    out: Annotated[Path | None, typer.Option(help="The table (default: corrections.csv beside labels.csv).")] = None,
    force: Force = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Decide on suspicious labels: keep, relabel or discard.

    Writes corrections.csv (id, given, action, label), a table that may as well
    be edited by hand, for `glyphlab labels apply`.

    Without --accept-top and --list it shows one image at a time and asks;
    every answer is saved at once, and the next call goes on from there.
    """
    from glyphlab.evaluation.labels.corrections import write_corrections
    from glyphlab.evaluation.labels.search import decision
    from glyphlab.evaluation.labels.target import LabelTarget

    part = _split(split)
    if accept_top is not None and for_editing is not None:
        raise GlyphlabError("--accept-top and --list are two ways of deciding; choose one")
    opened = LabelTarget.open(target, data_dir=data_dir, runs_dir=runs_dir)
    folder = found or opened.folder(part)
    glyphs, suspicions = opened.searched(part, folder)
    path = out or folder / "corrections.csv"
    count = accept_top or for_editing
    if count is None:
        if not sys.stdin.isatty():
            raise GlyphlabError("labels review asks questions and needs a terminal; use --accept-top N or --list N")
        from glyphlab.cli.label_review import ask_one_by_one

        decided = ask_one_by_one(glyphs, suspicions, path)
    else:
        if path.exists() and not force:
            raise GlyphlabError(f"{path} is there already, with decisions in it; choose another --out, or --force")
        if count > len(suspicions):
            raise GlyphlabError(f"{count} images are asked for, but {folder / 'labels.csv'} lists {len(suspicions)}")
        action: Any = "relabel" if accept_top is not None else "keep"
        decided = [decision(row, action, row.suggested) for row in suspicions[:count]]
        write_corrections(decided, path)
    tally = {action: sum(row.action == action for row in decided) for action in ("relabel", "discard", "keep")}
    if as_json:
        print_json({"corrections": str(path), **tally})
        return
    figures = ", ".join(f"{number} {action}" for action, number in tally.items())
    stdout().print(f"{path}: {figures}", markup=False)
    options = _options(part, runs_dir, data_dir) + " --out NEW-FOLDER"
    stdout().print(f"next: glyphlab labels apply {quoted(target)} {quoted(path)}{options}", markup=False)


@app.command("apply", epilog=APPLY_EXAMPLES)
def apply(
    target: Target,
    corrections: Annotated[Path, typer.Argument(metavar="CORRECTIONS.CSV", help="Made by review, or by hand.")],
    out: Annotated[Path, typer.Option(help="Folder for the corrected set.")],
    split: SplitChoice = "train",
    force: Annotated[bool, typer.Option("--force", help="Replace a corrected set that is in --out.")] = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Make a new data set with corrected labels; the original stays as it is.

    The new folder is data like any other: glyphlab train FOLDER. Ids are
    kept, and the set's remark says what was corrected.
    """
    from glyphlab.evaluation.labels.corrected_set import write_corrected_set
    from glyphlab.evaluation.labels.corrections import read_corrections
    from glyphlab.evaluation.labels.target import LabelTarget

    part = _split(split)
    rows = read_corrections(corrections)
    opened = LabelTarget.open(target, data_dir=data_dir, runs_dir=runs_dir)
    glyphs = opened.unchanged(part, corrections.parent)
    summary = write_corrected_set(glyphs, opened.other_glyphs(part), rows, out, force=force)
    if as_json:
        print_json(summary | {"folder": str(out)})
        return
    console = stdout()
    console.print(
        f"{summary['data']} {part}: {summary['images']:,} images, {summary['relabelled']:,} relabelled, "
        f"{summary['discarded']:,} discarded, {summary['kept']:,} kept after review",
        markup=False,
    )
    console.print(f"saved in {out}; next: glyphlab train {quoted(out)}", markup=False)


def _options(split: str, runs_dir: Path, data_dir: Path | None) -> str:
    """The options of this call that the next command needs as well."""
    options = [
        "--split test" if split == "test" else "",
        f"--runs-dir {quoted(runs_dir)}" if runs_dir != Path("runs") else "",
        f"--data-dir {quoted(data_dir)}" if data_dir is not None else "",
    ]
    return "".join(f" {option}" for option in options if option)


def _split(text: str) -> Split:
    if text == "train":
        return "train"
    if text == "test":
        return "test"
    raise GlyphlabError(f"--split is '{text}'; {did_you_mean(text, ['train', 'test'])}")


def _refuse_training_options(recipe: str | None, settings: dict[str, Any], folds: int | None, force: bool) -> None:
    if recipe is not None or settings or folds is not None or force:
        raise GlyphlabError(
            "--split test trains nothing, the run's own network judges; leave --recipe, --epochs, --set, --folds and "
            "--force out"
        )


def _print_findings(search: LabelSearch, split: str, folder: Path, pictures: list[Path], then: str) -> None:
    """then: the command that comes next."""
    from rich.markup import escape

    figures, console = search.summary(), stdout()
    console.print(
        f"[bold]{escape(figures['data'])} {split}[/]: {figures['images']:,} images; networks that did not see them "
        f"agree with {figures['out_of_sample_accuracy']:.2%} of the labels"
    )
    if search.is_doubtful:
        cure = "more --epochs or another --recipe" if split == "train" else "a better run"
        console.print(f"networks as weak as that contradict many labels that are right; {cure} would tell more")
    if figures["remark"]:
        console.print(escape(figures["remark"]))
    console.print(
        f"another class is likelier for {figures['another_class_likelier']:,}; "
        f"label issues by confident learning: {figures['issues']:,}"
    )
    pairs, different = figures["duplicates"], figures["duplicates_with_different_labels"]
    console.print(f"pairs of (nearly) equal images: {pairs:,}, {different:,} of them with different labels\n")
    rows = search.rows(_SHOWN)
    print_table(
        ("rank", "id", "given", "suggested", "p(given)", "issue"),
        [
            (
                str(row["rank"]),
                str(row["id"]),
                str(row["given"]),
                str(row["suggested"]),
                f"{row['self_confidence']:.4f}",
                "yes" if row["issue"] else "no",
            )
            for row in rows
        ],
        right=(0, 4),
    )
    drawn = ", ".join(picture.name for picture in pictures)
    console.print(f"\nall of it: {escape(str(folder))}  (labels.csv, duplicates.csv, outliers.csv; {drawn})")
    console.print(f"next: {then}", markup=False)

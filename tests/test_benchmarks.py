"""What the benchmarks measure with: sections, turns, kept figures, processes, and the reports' own pipelines."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from glyphlab.data.glyphset import GlyphSet

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
NAMES = ("results", "measuring", "children", "pipelines", "peers", "samples", "robustness")


@pytest.fixture(scope="module")
def bench() -> Iterator[dict[str, ModuleType]]:
    """The benchmarks' shared modules, which lie beside the scripts and belong to no package."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not part of this distribution")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture
def letters() -> GlyphSet:
    images = np.random.default_rng(1).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    return GlyphSet(images, np.arange(300) % 26, tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def test_a_section_is_put_in_its_place_and_the_others_stay(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    results, path = bench["results"], tmp_path / "RESULTS.md"
    path.write_text("# Old\n\nwords\n\n## By hand\n\nkept\n\n### below\n\nkept, too\n\n## Pages\n\nold pages\n")
    results.write_section("cold_start", "cold", path)
    results.write_section("throughput", "### one\n\nfast\n", path)
    results.write_section("pages", "new pages", path)
    sections = results.sections_of(path.read_text())
    assert sections == {
        "Training throughput": "### one\n\nfast",
        "Pages": "new pages",
        "Cold start": "cold",
        "By hand": "kept\n\n### below\n\nkept, too",
    }
    assert list(sections) == ["Training throughput", "Pages", "Cold start", "By hand"]
    before = path.read_text()
    results.write_section("pages", "new pages", path)
    assert path.read_text() == before


def test_the_file_in_the_repository_holds_known_sections_only(bench: dict[str, ModuleType]) -> None:
    results = bench["results"]
    text = results.RESULTS.read_text(encoding="utf-8")
    assert text.startswith(results.HEAD)
    assert set(results.sections_of(text)) <= {*results.TITLES.values(), *results.BY_HAND}


def test_figures_with_their_spread(bench: dict[str, ModuleType]) -> None:
    results = bench["results"]
    assert results.spread([1300.0, 1200.0, 1000.0]) == "1,200 (1,000 to 1,300)"
    assert results.spread([0.5], ".2f") == "0.50"
    assert results.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    assert results.table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_command_is_told_without_places(bench: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/pages.py", "--data-dir", "/secret", "--rounds", "2", "--out=/y/R.md"])
    assert bench["results"]._command() == "python benchmarks/pages.py --rounds 2"


def test_variants_take_turns(bench: dict[str, ModuleType]) -> None:
    order: list[str] = []
    variants = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    assert bench["measuring"].take_turns(variants, 2) == {"a": [1, 6], "b": [2, 5], "c": [3, 4]}
    assert "".join(order) == "abccba"


def test_what_was_measured_is_not_measured_again(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    path = tmp_path / "work" / "journal.jsonl"
    journal = bench["measuring"].Journal(path)
    assert journal.find({"seed": 1}) is None
    assert journal.once({"seed": 1}, lambda: [1.5]) == [1.5]
    again = bench["measuring"].Journal(path)
    assert again.once({"seed": 1}, pytest.fail) == [1.5]
    assert again.once({"seed": 2}, lambda: 7) == 7
    assert again.dates == {date.today().isoformat()}


def test_figures_that_are_older_tell_their_dates(bench: dict[str, ModuleType]) -> None:
    provenance = bench["results"].provenance
    assert f"`, {date.today()}, on digits; " in provenance("digits", "1 round.")
    assert "`, 2026-01-02 to 2026-02-01, on digits; " in provenance("digits", "", {"2026-02-01", "2026-01-02"})
    assert "`, 2026-01-02, on digits; " in provenance("digits", "", {"2026-01-02"})


def test_pictures_to_judge_by_are_those_that_tuned_nothing(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    samples = bench["samples"]
    for writer in range(1, 28):
        for folder in ("digit_1", "upper_I", "lower_l"):
            path = tmp_path / "drawn-characters" / folder / f"writer{writer:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    found = samples.pictures(tmp_path, 20, tmp_path)
    assert len(found.paths) == 20 and {int(path.stem[6:]) % 2 for path in found.paths} == {0}
    assert len({path.stem for path in found.paths}) > 6, "from many writers"
    assert found.words == "20 of the 39 pictures of `drawn-characters` by even-numbered writers"
    assert found == samples.pictures(tmp_path, 20, tmp_path)
    assert len(samples.pictures(tmp_path, None, tmp_path).paths) == 39


def test_a_part_runs_in_a_process_of_its_own(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(BENCHMARKS)!r})\nimport children\n"
        "def hold(megabytes, place):\n"
        "    held = b'x' * (megabytes * 10**6)\n"
        "    print('a library speaks')\n"
        "    return {'held': len(held), 'place': place}\n"
        "children.serve({'hold': hold, 'fail': lambda: 1 / 0})\n"
    )
    done = bench["children"].part(script, "hold", megabytes=300, place=tmp_path)
    assert done.value == {"held": 300_000_000, "place": str(tmp_path)}
    assert 300 < done.peak_mb
    assert done.seconds > 0
    with pytest.raises(SystemExit, match="ended with 1"):
        bench["children"].part(script, "fail")


@pytest.mark.parametrize(("name", "classes", "parameters"), [("A", 27, 96_603), ("C", 47, 976_239)])
def test_the_reports_networks_are_theirs(
    bench: dict[str, ModuleType], name: str, classes: int, parameters: int
) -> None:
    network = bench["peers"].NETWORKS[name](classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, classes)


@pytest.mark.parametrize("name", ["A", "C", "C in memory", "Pillow"])
def test_a_pipeline_learns_and_judges(bench: dict[str, ModuleType], letters: GlyphSet, name: str) -> None:
    peer = bench["peers"].Peer(name, letters.subset(np.arange(64)))
    before = [parameter.clone() for parameter in peer.network.parameters()]
    assert 0 <= peer.train_epoch() <= 1
    assert all(not torch.equal(old, new) for old, new in zip(before, peer.network.parameters(), strict=True))
    assert 0 <= peer.accuracy(peer.test_images(letters.subset(np.arange(8)))) <= 1


def test_pictures_become_what_the_reports_make_of_them(bench: dict[str, ModuleType], letters: GlyphSet) -> None:
    peers = bench["peers"]
    lying, target = peers.Peer("A", letters).test_images(letters)[3]
    torch.testing.assert_close(lying[0], torch.from_numpy(letters.images[3].T / 127.5 - 1).float())
    assert target == 4  # labels began at 1
    upright, target = peers.Peer("C", letters).test_images(letters)[3]
    torch.testing.assert_close(upright[0], torch.from_numpy(letters.images[3] / 255).float())
    assert target == 3
    varied, _ = peers.Peer("A", letters).test_images(letters, varied=True)[3]
    assert varied.shape == (1, 28, 28)
    assert not torch.equal(varied, lying)


@pytest.mark.parametrize(("degrees", "quarters"), [(0, 0), (90, 1), (180, 2)])
def test_pillows_transform_turns_about_the_middle(
    bench: dict[str, ModuleType], letters: GlyphSet, monkeypatch: pytest.MonkeyPatch, degrees: int, quarters: int
) -> None:
    drawn = iter([np.array([1.0, 0.0, 0.0, 0.0]), 0.0])  # the whole angle, and nothing else
    monkeypatch.setattr(np.random, "uniform", lambda low, high, size=None: next(drawn))
    monkeypatch.setattr(bench["peers"], "ROTATION_DEGREES", degrees)
    turned = np.asarray(bench["peers"].vary_with_pillow(Image.fromarray(letters.images[0])))
    np.testing.assert_allclose(turned[1:-1, 1:-1], np.rot90(letters.images[0], quarters)[1:-1, 1:-1], atol=1)

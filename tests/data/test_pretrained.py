from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from glyphlab.data import pretrained
from glyphlab.data.download import Quiet
from glyphlab.data.pretrained import WEIGHTS, fetch_pretrained, find_labels, find_weights, known_weights, read_labels
from glyphlab.errors import DataError, ModelError

CONTENT = b"numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_every_known_file_states_its_hash_and_its_address() -> None:
    for weights in WEIGHTS:
        download = weights.download
        assert download.name.endswith(f"-{download.sha256}.pth") and len(download.sha256) == 8
        assert download.addresses == (f"https://download.pytorch.org/models/{download.name}",)
    assert len(pretrained.LABELS.sha256) == 64


def test_which_file_is_meant() -> None:
    assert known_weights("resnet50").name == "resnet50-0676ba61.pth"
    assert known_weights("resnet50", "resnet50-11ad3fa6").name == "resnet50-11ad3fa6.pth"
    with pytest.raises(ModelError, match=r"no weights file resnet50-1234; .* did you mean 'resnet50-"):
        known_weights("resnet50", "resnet50-1234")


def test_a_file_that_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"fetch them \(102 MB\) with: glyphlab classify --network resnet50 --fetch"):
        find_weights("resnet50", None, tmp_path)
    with pytest.raises(ModelError, match=r"--network resnet50 --weights resnet50-11ad3fa6.pth --fetch"):
        find_weights("resnet50", "resnet50-11ad3fa6", tmp_path)
    with pytest.raises(ModelError, match=rf"--fetch --data-dir '{tmp_path}/my data', or"):
        find_weights("resnet50", None, tmp_path / "my data")
    with pytest.raises(ModelError, match=r"labels .* fetch them with: glyphlab classify --network alexnet --fetch"):
        find_labels(None, tmp_path, "alexnet")


def test_the_hash_in_a_known_name_is_checked(tmp_path: Path) -> None:
    for name in ("mine.pth", "mine-best.pth", "resnet50-20240115.pth", "mine-deadbeef.pth"):
        (tmp_path / name).write_bytes(CONTENT)
        assert find_weights("resnet50", tmp_path / name, tmp_path) == tmp_path / name
    (tmp_path / "imagenet").mkdir()
    for path in (tmp_path / "resnet50-11ad3fa6.pth", tmp_path / "imagenet" / "resnet50-0676ba61.pth"):
        path.write_bytes(CONTENT)
        with pytest.raises(
            ModelError, match=rf"{path.name} is not the file .* SHA-256 {SHA256[:8]}, expected \w{{8}} "
        ):
            find_weights("resnet50", path if path.parent == tmp_path else None, tmp_path)


def test_labels(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(["oak", " elm "]))
    (tmp_path / "b.txt").write_text("oak\nelm\n")
    for name in ("a.json", "b.txt"):
        assert find_labels(tmp_path / name, tmp_path, "alexnet") == ("oak", "elm")
    for text in ('{"0": "oak"}', '["oak"]', '["oak", 3]', '["oak", ""]'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ModelError, match="are no list of names"):
            read_labels(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    for name in ("bad.json", "none.txt"):
        with pytest.raises(ModelError, match=f"cannot read the labels .*{name}"):
            read_labels(tmp_path / name)


def test_fetching_takes_what_is_missing_and_refuses_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "imagenet"
    folder.mkdir()
    labels = replace(pretrained.LABELS, sha256=SHA256, addresses=("http://127.0.0.1:9/labels.json",))
    dead = replace(WEIGHTS[0].download, addresses=("http://127.0.0.1:9/resnet50.pth",))
    monkeypatch.setattr(pretrained, "LABELS", labels)
    monkeypatch.setattr(pretrained, "WEIGHTS", (replace(WEIGHTS[0], download=dead),))
    (folder / labels.name).write_bytes(CONTENT)
    mine = tmp_path / "mine.pth"
    mine.write_bytes(CONTENT)
    assert fetch_pretrained("resnet50", tmp_path, Quiet(), weights=mine) == [folder / labels.name]
    with pytest.raises(DataError, match=r"cannot fetch resnet50-0676ba61.pth .* By hand: get .* and put it into"):
        fetch_pretrained("resnet50", tmp_path, Quiet())
    assert [path.name for path in folder.iterdir()] == [labels.name]

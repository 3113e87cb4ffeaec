from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from glyphlab.networks import registry
from glyphlab.networks.imagenet import MEAN, STD


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-50 that tells red from green and blue, labels, and pictures."""
    folder = tmp_path_factory.mktemp("photos")
    torch.manual_seed(0)
    network = registry.create("resnet50", (3, 224, 224), 3).eval()
    colours = ((torch.eye(3) - torch.tensor(MEAN)) / torch.tensor(STD)).view(3, 3, 1, 1).expand(3, 3, 224, 224)
    with torch.no_grad():
        features = network[:-1](colours)
        features = features - features.mean(dim=0)
        network.fc.weight.copy_(features / features.pow(2).sum(dim=1, keepdim=True).sqrt() * 50)
        network.fc.bias.copy_(-(network.fc.weight @ network[:-1](colours).mean(dim=0)))
    save_file(network.state_dict(), folder / "colours.safetensors")
    (folder / "labels.txt").write_text("red\ngreen\nblue\n")
    for index, name in enumerate(("red", "green", "blue")):
        pixels = np.zeros((90, 120, 3), dtype=np.uint8)
        pixels[..., index] = 255
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_index_label_and_the_best(cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    options = ("--weights", "colours.safetensors", "--labels", "labels.txt")
    done = cli("classify", "green.png", "blue.png", *options, "--top", 2)
    assert done.code == 0 and done.err == ""
    first, second = done.out.strip().split("\n\n")
    lines = first.splitlines()
    assert lines[:3] == ["green.png", "Predicted class index: 1", "Predicted label: green"]
    assert len(lines) == 5 and lines[3].split()[:2] == ["1", "green"] and lines[3].endswith("%")
    assert "Predicted label: blue" in second

    (folder / "bad.png").write_text("no picture")
    try:
        done = cli("classify", ".", *options, "--json")
    finally:
        (folder / "bad.png").unlink()
    told = json.loads(done.out)
    assert done.code == 2 and told["network"] == "resnet50"
    assert {row["file"]: (row["index"], row["label"]) for row in told["predictions"]} == {
        "blue.png": (2, "blue"), "green.png": (1, "green"), "red.png": (0, "red"),
    }  # fmt: skip
    row = told["predictions"][0]
    assert row["top"][0] == {key: row[key] for key in ("index", "label", "probability")} and len(row["top"]) == 3
    assert sum(guess["probability"] for guess in row["top"]) == pytest.approx(1, abs=1e-5)
    assert told["errors"] == ["bad.png: not a picture, or its start is damaged"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "no picture was named"),
        (("red.png", "--network", "resnet"), "did you mean 'resnet50'"),
        (("red.png",), "or name a file with --labels"),
        (("red.png", "--labels", "labels.txt"), "or name a file with --weights"),
        (("red.png", "--labels", "labels.txt", "--weights", "none.pth"), "no weights file none.pth"),
        (("red.png", "--labels", "labels.txt", "--weights", "red.png"), "is not a whole file of weights"),
        (("red.png", "--labels", "labels.txt", "--weights", "colours.safetensors", "--network", "alexnet"),
         "they are resnet50's; use --network resnet50"),
        (("red.png", "--labels", "red.png", "--weights", "colours.safetensors"), "cannot read the labels red.png"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    cli: Callable[..., Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], problem: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    done = cli("classify", *arguments, "--data-dir", tmp_path)
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1 and done.out == ""


def test_fetching_alone_and_a_dead_address(
    cli: Callable[..., Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from glyphlab.data import pretrained

    monkeypatch.setattr(pretrained, "LABELS", replace(pretrained.LABELS, addresses=("http://127.0.0.1:9/labels.json",)))
    options = ("--fetch", "--weights", folder / "colours.safetensors", "--data-dir", tmp_path)
    done = cli("classify", *options, "--labels", folder / "labels.txt")
    assert done.code == 0 and "resnet50 is ready" in done.out
    done = cli("classify", *options)
    last = done.err.splitlines()[-1]
    assert done.code == 2 and last.startswith("glyphlab: cannot fetch imagenet-simple-labels.json (http://127.0.0.1:9/")
    assert "no connection" in last and "By hand" in last

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.networks import registry


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_list_names_every_network_with_its_size(cli: Callable[..., Any]) -> None:
    done = cli("networks")
    assert done.code == 0
    for name in [*registry.names(), *registry.imagenet_names()]:
        assert any(line.startswith(f"{name} ") and registry.summary(name) in line for line in done.out.splitlines())
    assert "21,840" in done.out


def test_the_list_as_json(cli: Callable[..., Any]) -> None:
    listed = json.loads(cli("networks", "--json").out)
    assert [entry["name"] for entry in listed] == [*registry.names(), *registry.imagenet_names()]
    assert {entry["name"]: entry["parameters"] for entry in listed}["linear"] == 7850
    assert listed[-1]["parameters"] == 25_557_032  # ResNet-50 as published


def test_show_prints_layers_totals_options_and_draws(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("networks", "show", "mnist-net", "--set", "hidden=100", "--set", "activation=gelu")
    assert done.code == 0
    words = [line.split() for line in done.out.splitlines()]
    assert ["conv2", "Conv2d", "5x5", "10x12x12", "20x8x8", "5,020", "320,000"] in words
    assert ["act1", "GELU", "10x12x12", "10x12x12"] in words
    assert ["total", "38,390", "497,000"] in words
    assert any(line[:3] == ["hidden", "100", "50"] for line in words)
    assert "Diagram: mnist-net.png" in done.out
    assert (tmp_path / "mnist-net.png").read_bytes().startswith(b"\x89PNG")


def test_show_takes_shape_classes_and_picture(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli(
        "networks",
        "show",
        "linear",
        "--shape",
        "3x32x16",
        "--classes",
        47,
        "--picture",
        "sub/net.svg",
        "--json",
    )
    shown = json.loads(done.out)
    assert shown["image_shape"] == [3, 32, 16]
    assert shown["parameters"] == (3 * 32 * 16 + 1) * 47
    assert shown["multiply_adds"] == 3 * 32 * 16 * 47
    assert shown["layers"][-1] == {
        "name": "output",
        "kind": "Linear",
        "input_shape": [1536],
        "output_shape": [47],
        "parameters": 72_239,
        "multiply_adds": 72_192,
        "detail": "",
        "kernel": None,
    }
    assert shown["picture"] == "sub/net.svg"
    assert (tmp_path / "sub" / "net.svg").is_file()


def test_a_network_without_options_says_so(cli: Callable[..., Any]) -> None:
    assert "This network has no options." in cli("networks", "show", "linear").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "mnist-nett"], "unknown network 'mnist-nett', did you mean 'mnist-net'"),
        (["show", "mlp", "--set", "hiden=3"], "unknown option 'hiden' of network 'mlp', did you mean"),
        (["show", "mnist-net", "--set", "hidden"], "setting is 'hidden'; expected NAME=VALUE"),
        (["show", "mnist-net", "--set", "dropout=1.5"], "dropout is 1.5; expected 0 to below 1"),
        (["show", "mnist-net", "--classes", "1"], "classes is 1; expected 2 or more"),
        (["show", "mnist-net", "--shape", "28x28"], "shape is '28x28'; expected channels x height x width"),
        (["show", "mnist-net", "--shape", "1x12x28"], "expected at least 16x16"),
        (["show", "linear", "--picture", "net.jpg"], "picture is 'net.jpg'; expected a name that ends in"),
        (["--json", "show", "linear"], "--json stands before the subcommand; expected behind it"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_exit_code_2(
    cli: Callable[..., Any], tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = cli("networks", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("glyphlab: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert list(tmp_path.iterdir()) == []

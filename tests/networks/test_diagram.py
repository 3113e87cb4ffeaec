from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphlab.errors import RecipeError
from glyphlab.networks import registry
from glyphlab.networks.describe import LayerRow, describe
from glyphlab.networks.diagram import draw_network, group_layers, save_diagram


def rows_of(name: str, **options: object) -> list[LayerRow]:
    with torch.device("meta"):
        return describe(registry.create(name, (1, 28, 28), 10, **options), (1, 28, 28))


def test_blocks_begin_at_convolutions_and_before_the_head() -> None:
    blocks = group_layers(rows_of("mnist-net"))
    assert [[layer.name for layer in block.layers] for block in blocks] == [
        ["conv1", "pool1", "act1"],
        ["conv2", "dropout", "pool2", "act2"],
        ["flatten", "hidden", "act3"],
        ["output"],
    ]


@pytest.mark.parametrize("name", registry.names())
def test_blocks_hold_every_layer_once(name: str) -> None:
    rows = rows_of(name)
    assert [layer for block in group_layers(rows) for layer in block.layers] == rows


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in registry.names()] + [("glyphnet", {"depth": 8, "dropout": 0.1})],
)
def test_the_picture_says_everything_and_texts_stay_apart(name: str, options: dict[str, object]) -> None:
    rows = rows_of(name, **options)
    figure = draw_network(rows, "The title")
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    written = [text.get_text() for text in texts]
    assert written[0] == "The title"
    for block in group_layers(rows):
        assert "×".join(f"{side:,}" for side in block.shape) in written
        assert not block.parameters or f"{block.parameters:,} parameters" in written
    boxes = [text.get_window_extent() for text in texts]
    page = figure.bbox
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, written[i]
        for other in boxes[i + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 0 or along <= 2, written[i]  # lines of one paragraph may touch


def test_dropout_that_drops_nothing_is_not_drawn() -> None:
    def has_dropout(share: float) -> bool:
        texts = draw_network(rows_of("glyphnet", dropout=share), "").axes[0].texts
        return any("Dropout" in text.get_text() for text in texts)

    assert not has_dropout(0.0)
    assert has_dropout(0.1)


def test_boxes_shrink_with_the_maps() -> None:
    figure = draw_network(rows_of("mnist-3conv"), "")
    fronts = [np.ptp(patch.get_xy(), axis=0) for patch in figure.axes[0].patches if patch.get_zorder() == 3][::3]
    heights = [front[1] for front in fronts[:4]]
    breadths = [front[0] for front in fronts[:4]]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == 4
    assert breadths == sorted(breadths) and len(set(breadths)) == 4


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_equal_networks_give_equal_files(tmp_path: Path, suffix: str, magic: bytes) -> None:
    first, second = (tmp_path / f"{stem}{suffix}" for stem in ("first", "second"))
    for path in (first, second):
        save_diagram(rows_of("mnist-net"), "mnist-net", path)
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_has_ink(tmp_path: Path) -> None:
    save_diagram(rows_of("linear"), "linear", tmp_path / "linear.png")
    with Image.open(tmp_path / "linear.png") as picture:
        assert 0.02 < (np.asarray(picture.convert("L")) < 250).mean() < 0.5


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"picture is '.*net.jpg'; expected a name that ends in .png, .svg or .pdf"):
        save_diagram(rows_of("linear"), "linear", tmp_path / "net.jpg")

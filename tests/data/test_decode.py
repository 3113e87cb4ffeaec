from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.decode import PictureSettings, decode, is_coloured, picture_size
from glyphlab.errors import DataError, ImageError

GREY = np.random.default_rng(5).integers(0, 256, (16, 16), dtype=np.uint8)


def save(path: Path, picture: Image.Image | np.ndarray, **options: object) -> Path:
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "PNG", "tiff", "bmp", "webp"])
def test_lossless_formats_come_back_unchanged(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", GREY, **options)
    assert np.array_equal(decode(path, 16, "grey"), GREY)
    assert np.array_equal(decode(path, 16, "rgb"), np.repeat(GREY[..., None], 3, axis=2))
    assert np.array_equal(decode(path, 16, "grey", invert=True), 255 - GREY)
    assert picture_size(path) == (16, 16)
    assert not is_coloured(path)


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    path = save(tmp_path / "a.jpeg", smooth, quality=95)
    assert np.abs(decode(path, 16, "grey").astype(int) - smooth).max() <= 4


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated 90 degrees clockwise
    path = save(tmp_path / "a.png", GREY, exif=exif)
    assert np.array_equal(decode(path, 16, "grey"), np.rot90(GREY, -1))


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    layers = np.zeros((16, 16, 4), dtype=np.uint8)
    layers[4:8, :, 3] = 255
    layers[8:12, :, 3] = 128
    pixels = decode(save(tmp_path / "a.png", layers), 16, "grey")
    assert (pixels[:4] == 255).all() and (pixels[4:8] == 0).all() and (abs(pixels[8:12].astype(int) - 127) <= 1).all()
    grey_alpha = Image.fromarray(layers[..., 0]).convert("LA")
    grey_alpha.putalpha(0)
    assert (decode(save(tmp_path / "b.png", grey_alpha), 16, "rgb") == 255).all()


def test_transparent_palette_colour(tmp_path: Path) -> None:
    picture = Image.new("P", (16, 16), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(0, (0, 0, 16, 8))
    pixels = decode(save(tmp_path / "a.png", picture, transparency=0), 16, "rgb")
    assert (pixels[:8] == 255).all() and (pixels[8:] == (255, 0, 0)).all()


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(decode(save(tmp_path / "a.png", deep), 16, "grey"), GREY)
    assert np.array_equal(decode(save(tmp_path / "a.tif", deep), 16, "grey"), GREY)
    assert not is_coloured(tmp_path / "a.png")


def test_cmyk_palette_and_bilevel(tmp_path: Path) -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    cmyk = decode(save(tmp_path / "a.tif", red.convert("CMYK")), 16, "rgb")
    palette = decode(save(tmp_path / "a.png", red.convert("P", palette=Image.Palette.ADAPTIVE)), 16, "rgb")
    assert (cmyk == (255, 0, 0)).all() and (palette == (255, 0, 0)).all()
    bilevel = decode(save(tmp_path / "b.png", Image.fromarray(GREY > 127)), 16, "grey")
    assert np.array_equal(bilevel, np.where(GREY > 127, 255, 0))


def test_colour_is_seen_in_a_single_pixel(tmp_path: Path) -> None:
    pixels = np.repeat(GREY[..., None], 3, axis=2)
    assert not is_coloured(save(tmp_path / "a.png", pixels))
    pixels[3, 4] = (10, 11, 10)
    assert is_coloured(save(tmp_path / "a.png", pixels))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "not a picture|damaged"),
    ],
)
def test_unreadable_files_say_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (picture_size, is_coloured, lambda path: decode(path, 16, "grey")):
        with pytest.raises(ImageError, match=reason):
            read(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
def test_truncated_pictures_are_unreadable(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(8).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError):
        decode(path, 16, "grey")


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", GREY)
    for limit in (200, 100):  # Pillow only warns up to twice its limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ImageError, match=f"more than {limit} pixels, Pillow's limit"):
            decode(path, 16, "grey")


def test_float_pictures_have_no_known_range(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", GREY.astype(np.float32))
    with pytest.raises(ImageError, match="floating-point pixels"):
        decode(path, 16, "grey")


def test_settings_out_of_range() -> None:
    with pytest.raises(DataError, match="size 4; expected 8 to 512"):
        PictureSettings(size=4)
    with pytest.raises(DataError, match="channels 'gray'; expected auto, grey or rgb"):
        PictureSettings(channels="gray")  # type: ignore[arg-type]

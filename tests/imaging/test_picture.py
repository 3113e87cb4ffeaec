from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from glyphlab.errors import ImageError
from glyphlab.imaging import picture as picture_module
from glyphlab.imaging.picture import load_picture

GREY = np.random.default_rng(5).integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = np.random.default_rng(6).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(picture: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp", "webp", "gif"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_files_come_back_unchanged(kind: str, pixels: np.ndarray) -> None:
    if kind == "gif" and pixels.ndim == 3:
        pytest.skip("GIF holds 256 colours")
    loaded = load_picture(encoded(pixels, kind, **({"lossless": True} if kind == "webp" else {})))
    if loaded.ndim > pixels.ndim:  # WebP and GIF have no grey
        assert (loaded == loaded[..., :1]).all()
        loaded = loaded[..., 0]
    assert loaded.dtype == np.uint8 and np.array_equal(loaded, pixels)


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(COLOUR, "png"))
    for source in (path, str(path), path.read_bytes(), Image.fromarray(COLOUR), COLOUR):
        assert np.array_equal(load_picture(source), COLOUR)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_pillow_does(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(GREY, "png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    assert np.array_equal(load_picture(content), expected)


def test_sixteen_bits_floats_and_truth_values_are_scaled() -> None:
    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(load_picture(encoded(deep, "png")), GREY)
    assert np.array_equal(load_picture(deep), GREY)
    assert np.array_equal(load_picture(GREY / 255), GREY)
    assert np.array_equal(load_picture(GREY.astype(np.float32)[..., None] / 255), GREY)
    assert np.array_equal(load_picture(GREY > 127), np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("full", [255, 4095, 65535])
def test_white_in_sixteen_bits_is_what_the_values_need(full: int) -> None:
    deep = np.rint(GREY * (full / 255)).astype(np.uint16)
    assert deep.max() == full
    for source in (deep, encoded(deep, "png"), encoded(deep, "tiff"), encoded(deep.astype(np.int32), "tiff")):
        assert np.array_equal(load_picture(source), GREY)


def test_a_dark_picture_of_sixteen_bits_stays_dark() -> None:
    dark = np.array([[0, 1000, 4096, 5000]], dtype=np.uint16)
    for source in (dark, encoded(dark, "png"), encoded(dark, "tiff")):
        assert load_picture(source).tolist() == [[0, 4, 16, 19]]


def test_every_value_of_sixteen_bits_is_rounded_to_the_nearest() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(load_picture(every), np.rint(every / 257).astype(np.uint8))


def test_what_a_tiff_says_of_its_range_counts() -> None:
    values = np.array([[0, 100, 1000]], dtype=np.uint16)
    said = TiffImagePlugin.ImageFileDirectory_v2()
    for largest, expected in ((65535, [0, 0, 4]), (2000, [0, 13, 128]), (500, [0, 6, 62])):  # 500: it is exceeded
        said.tagtype[341], said[341] = 3, largest
        assert load_picture(encoded(values, "tiff", tiffinfo=said)).tolist() == [expected]
    assert load_picture(tiff_of_twelve_bits([0, 100, 1000, 200])).tolist() == [[0, 6, 62, 12]]


def tiff_of_twelve_bits(values: list[int]) -> bytes:
    """A row of an even number of pixels, packed, as Pillow reads but does not write it."""
    packed = int("".join(f"{value:03x}" for value in values), 16).to_bytes(len(values) * 3 // 2, "big")
    tags = {256: len(values), 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(packed)}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    start = struct.pack("<2sHI", b"II", 42, 8 + len(packed))
    return start + packed + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(("values", "told"), [([-5, 200], "from -5 to 200"), ([0, 70_000], "from 0 to 70,000")])
def test_values_beyond_sixteen_bits_are_refused(values: list[int], told: str) -> None:
    with pytest.raises(ImageError, match=f"grey values {told}; expected 0 to 65,535: save it with 8 or 16 bits"):
        load_picture(encoded(np.array([values], dtype=np.int32), "tiff"))


def test_cmyk_jpeg_and_palette() -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    assert np.abs(load_picture(encoded(red.convert("CMYK"), "jpeg")).astype(int) - (255, 0, 0)).max() <= 3
    assert (load_picture(encoded(red.convert("P", palette=Image.Palette.ADAPTIVE), "gif")) == (255, 0, 0)).all()


def test_transparency_is_laid_on_white() -> None:
    layers = np.zeros((16, 16, 4), dtype=np.uint8)
    layers[4:8, :, 3] = 255
    for source in (layers, encoded(layers, "png")):
        loaded = load_picture(source)
        assert (loaded[4:8] == 0).all() and (loaded[8:] == 255).all()
    assert (load_picture(np.zeros((16, 16, 4), dtype=np.uint8)) == 255).all()


def test_white_strokes_on_a_transparent_canvas_are_laid_on_black() -> None:
    layers = np.full((16, 16, 4), 255, dtype=np.uint8)
    layers[..., 3] = 0
    layers[4:8, :, 3] = 255
    loaded = load_picture(encoded(layers, "png"))
    assert (loaded[4:8] == 255).all() and (loaded[8:] == 0).all()


def laid_on_paper(picture: Image.Image) -> np.ndarray:
    """What transparency becomes, worked out on the whole picture at once."""
    layered = picture.convert("RGBA")
    pixels = np.asarray(layered)
    visible = pixels[pixels[..., 3] >= 128]
    vanishes = 0 < len(visible) < pixels[..., 3].size and visible[:, :3].min() > 240
    paper = Image.new("RGBA", layered.size, (0, 0, 0, 255) if vanishes else (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(paper, layered).convert("RGB"))


def with_transparency() -> dict[str, Image.Image]:
    layers = np.random.default_rng(7).integers(0, 256, (40, 30, 4), dtype=np.uint8)
    light = layers | np.array([241, 241, 241, 0], dtype=np.uint8)
    light_and_dark = light.copy()
    light_and_dark[-1, -1] = (240, 255, 255, 128)
    solid = light | np.array([0, 0, 0, 128], dtype=np.uint8)
    pictures = {
        name: Image.fromarray(pixels)
        for name, pixels in (("any", layers), ("light", light), ("one dark", light_and_dark), ("solid", solid))
    }
    pictures["hidden"] = Image.fromarray(layers & np.array([255, 255, 255, 127], dtype=np.uint8))
    pictures["LA"] = pictures["any"].convert("LA")
    pictures["RGBa"] = pictures["any"].convert("RGBa")
    pictures["P"] = pictures["any"].convert("RGB").quantize(16)
    pictures["P"].info["transparency"] = 3
    pictures["PA"] = pictures["P"].convert("PA")
    pictures["P many"] = pictures["P"].copy()
    pictures["P many"].info["transparency"] = bytes(range(0, 256, 16))
    pictures["L"] = pictures["any"].convert("L")
    pictures["L"].info["transparency"] = 200
    pictures["RGB"] = pictures["any"].convert("RGB")
    pictures["RGB"].info["transparency"] = pictures["RGB"].getpixel((5, 5))
    return pictures


@pytest.mark.parametrize("name", with_transparency())
@pytest.mark.parametrize("strip_pixels", [1, 210, 1 << 21])
def test_transparency_is_the_same_in_strips(name: str, strip_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_module, "_STRIP_PIXELS", strip_pixels)
    picture = with_transparency()[name]
    assert np.array_equal(load_picture(picture), laid_on_paper(picture))
    if picture.mode == "RGBA":
        assert np.array_equal(load_picture(np.asarray(picture)), laid_on_paper(picture))


@pytest.mark.parametrize("enough", [None, 8])
def test_strips_leave_the_pixels_as_they_are(enough: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = np.random.default_rng(9).integers(0, 65536, (41, 33), dtype=np.uint16)
    sources = [COLOUR, GREY / 255, deep, np.stack([deep] * 3, axis=2)]
    sources += [encoded(pixels, "png", exif=exif) for pixels in (GREY, COLOUR, deep)]
    whole = [load_picture(source, enough=enough) for source in sources]
    monkeypatch.setattr(picture_module, "_STRIP_PIXELS", 100)
    for source, expected in zip(sources, whole, strict=True):
        assert np.array_equal(load_picture(source, enough=enough), expected)


@pytest.mark.parametrize("kind", ["sixteen bits", "array of sixteen bits", "transparent", "colour"])
def test_a_large_picture_is_not_held_many_times(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_module, "_STRIP_PIXELS", 1 << 14)
    deep = np.full((1000, 1000), 65535, dtype=np.uint16)
    layers = np.full((1000, 1000, 4), 255, dtype=np.uint8)
    layers[0, 0, 3] = 0
    source = {
        "sixteen bits": encoded(deep, "png"),
        "array of sixteen bits": deep,
        "transparent": encoded(layers, "png"),
        "colour": encoded(layers[..., :3], "png"),
    }[kind]
    tracemalloc.start()  # of Pillow's own pixels it knows nothing
    try:
        loaded = load_picture(source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert loaded.nbytes <= peak < 3_800_000  # RGB once, or grey twice, and some strips


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("L", (16, 16), shade) for shade in (10, 200)]
    content = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert (load_picture(content) == 10).all()


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_enough_reduces_by_whole_numbers_but_never_below(kind: str) -> None:
    smooth = np.add.outer(np.arange(400), np.arange(600)).astype(np.float64)
    smooth = (smooth * 255 / smooth.max()).astype(np.uint8)
    content = encoded(smooth, kind)
    assert load_picture(content).shape == (400, 600)
    assert load_picture(content, enough=601).shape == (400, 600)
    reduced = load_picture(content, enough=200)
    assert reduced.shape == ((200, 300) if kind == "jpeg" else (134, 200))  # JPEG shrinks by powers of two only
    expected = np.asarray(Image.fromarray(smooth).resize(reduced.shape[::-1], Image.Resampling.BOX))
    assert np.abs(reduced.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize(("size", "reduced"), [((1, 3000), (1, 3000)), ((20, 3000), (10, 1500)), ((7, 800), (7, 800))])
def test_enough_leaves_the_shorter_side_what_a_character_needs(
    kind: str, size: tuple[int, int], reduced: tuple[int, int]
) -> None:
    for shape, expected in ((size, reduced), (size[::-1], reduced[::-1])):
        assert load_picture(encoded(np.full(shape, 90, np.uint8), kind), enough=600).shape == expected


def test_errors_name_the_file_and_the_reason(tmp_path: Path) -> None:
    noise = np.random.default_rng(8).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = encoded(noise, "jpeg")
    for content, reason in (
        (b"", "the file is empty"),
        (b"hello", "not a picture"),
        (whole[: len(whole) // 2], r"damaged \(.*\); save or copy the picture again"),
        (encoded(noise, "png")[:3000], r"damaged \(.*\); save or copy the picture again"),
    ):
        path = tmp_path / "bad.png"
        path.write_bytes(content)
        with pytest.raises(ImageError, match=f"bad.png: .*({reason})") as caught:
            load_picture(path)
        assert "\n" not in str(caught.value)
        with pytest.raises(ImageError, match=f"the bytes: .*({reason})"):
            load_picture(content)
    with pytest.raises(ImageError, match=r"none\.png: No such file"):
        load_picture(tmp_path / "none.png")
    with pytest.raises(ImageError, match="directory"):
        load_picture(tmp_path)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims its size, and has next to no data."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(100))))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match=r"more than 89,\d+,\d+ pixels"):
        load_picture(png_header(30_000, 30_000))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # even where Pillow's own check is switched off
    with pytest.raises(ImageError, match=r"30,000 x 30,000 pixels; expected at most 89,000,000"):
        load_picture(png_header(30_000, 30_000))
    monkeypatch.setattr(picture_module, "MAX_PIXELS", 500)
    with pytest.raises(ImageError, match="30 x 20 pixels; expected at most 500"):
        load_picture(GREY)
    with pytest.raises(ImageError, match="30 x 20 pixels"):
        load_picture(Image.fromarray(GREY))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"shape \[4, 4, 2\]; expected"),
        (np.zeros((0, 4), np.uint8), r"shape \[0, 4\]; expected"),
        (np.zeros(16, np.uint8), r"shape \[16\]; expected"),
        (np.zeros((4, 4), np.int32), "type int32; expected uint8"),
        (np.full((4, 4), 200.0), "floats from 200 to 200; expected 0 to 1"),
        (np.full((4, 4), np.nan), "floats from nan to nan"),
    ],
)
def test_arrays_of_unknown_meaning_are_refused(array: np.ndarray, reason: str) -> None:
    with pytest.raises(ImageError, match=f"the array: .*{reason}"):
        load_picture(array)


def test_threads_leave_the_warning_filters_as_they_were() -> None:
    before = list(warnings.filters)
    content = encoded(COLOUR, "png")
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(one, COLOUR) for one in pool.map(load_picture, [content] * 200))
    assert warnings.filters == before


def test_only_picture_formats_are_tried(tmp_path: Path) -> None:
    """Pillow would hand PostScript to another program, where that is installed."""
    path = tmp_path / "drawing.png"
    Image.new("RGB", (20, 20)).save(path, "EPS")
    with Image.open(path) as opened:
        assert opened.format == "EPS"
    with pytest.raises(ImageError, match="not a picture"):
        load_picture(path)

"""The embedded data set: scikit-learn's 1,797 scanned digits, brought to MNIST's form.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test half, as
shipped with scikit-learn). 8x8 pixels, each the count (0 to 16) of inked points in a 4x4 block of the scan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Source, Split
from glyphlab.data.glyphset import GlyphSet

# The file goes writer by writer, so its end comes mostly from other writers than its beginning. A test part
# cut off the end is harder than a shuffled one, and honest: it asks about people whose writing was not
# learned.
TEST_COUNT = 500
REMARK = (
    "scikit-learn's 8x8 digits enlarged to 28x28; test: the last 500 in file order, mostly other writers "
    "than the training part; not comparable with MNIST figures"
)
_MAX_INK = 16.0
_DIGIT_SIDE, _IMAGE_SIDE = 20, 28


def load_digits(source: Source, split: Split) -> GlyphSet:
    """The embedded digits: train the first 1,297, test the last 500; uint8 [N, 28, 28], white on black."""
    from sklearn.datasets import load_digits as load_embedded

    embedded = load_embedded()
    part = slice(None, -TEST_COUNT) if split == "train" else slice(-TEST_COUNT, None)
    return GlyphSet(
        images=np.stack([enlarge(small) for small in embedded.images[part]]),
        targets=embedded.target[part].astype(np.int64),
        class_names=source.class_names,
        name=source.name,
        split=split,
        remark=REMARK,
        origin=source.name,
    )


def enlarge(small: NDArray[np.float64]) -> NDArray[np.uint8]:
    """One digit [8, 8], 0 to 16, to uint8 [28, 28]: cubic to 20x20, in the middle, as MNIST places its
    digits.

    Cubic interpolation overshoots beside strong edges; what leaves the range is clipped.
    """
    from PIL import Image

    picture = Image.fromarray(small.astype(np.float32) / _MAX_INK * 255)
    large = np.asarray(picture.resize((_DIGIT_SIDE, _DIGIT_SIDE), Image.Resampling.BICUBIC))
    margin = (_IMAGE_SIDE - _DIGIT_SIDE) // 2
    image = np.zeros((_IMAGE_SIDE, _IMAGE_SIDE), dtype=np.uint8)
    image[margin:-margin, margin:-margin] = np.clip(np.rint(large), 0, 255).astype(np.uint8)
    return image

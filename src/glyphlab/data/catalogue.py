"""The public data sets that Glyphlab knows by name: what they hold, their files, addresses and hashes.

Facts only; nothing here opens a file or the network. Counts and class orders are those of the data sets' own
papers and pages, cited in each entry.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    addresses: full addresses of the same file; the first is tried first.
    md5: of the file as it is served, in hexadecimal; "" where `sha256` is known instead.
    members: for an archive, the files to take out of it (by file name, wherever in the archive they lie);
        empty for a file that is used as it is.
    sha256: the whole of it, or as many of its first digits as are known.
    """

    name: str
    md5: str
    size_bytes: int
    addresses: tuple[str, ...]
    members: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True)
class Source:
    """A public data set.

    image_shape: channels, height, width.
    layout: how its files are written; "embedded" needs no file.
    folders: where its files may lie within the data directory; the first is where `fetch` puts them.
    train_files, test_files: without ".gz", which may follow each; for IDX the images, then the labels.
    first_label: the smallest label in the files (it becomes target 0).
    transposed: each image is stored with rows and columns exchanged.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    train_count: int
    test_count: int
    image_shape: tuple[int, int, int]
    layout: Literal["embedded", "idx", "cifar"]
    citation: str
    folders: tuple[str, ...] = ()
    train_files: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    mapping_file: str | None = None
    downloads: tuple[Download, ...] = ()
    first_label: int = 0
    transposed: bool = False

    def files(self, split: Split) -> tuple[str, ...]:
        """The files that hold `split`, without ".gz"."""
        return self.train_files if split == "train" else self.test_files

    def count(self, split: Split) -> int:
        """The official number of images in `split`."""
        return self.train_count if split == "train" else self.test_count

    @property
    def download_bytes(self) -> int:
        """What `fetch` transfers when nothing is there yet."""
        return sum(download.size_bytes for download in self.downloads)


_DIGITS = tuple(string.digits)
_UPPER = tuple(string.ascii_uppercase)
_LOWER = tuple(string.ascii_lowercase)
# Lower-case letters that EMNIST's merged classes keep apart from their capitals.
_UNMERGED = tuple("abdefghnqrt")

_TRAIN_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_TEST_IDX = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _mnist_like(
    name: str,
    title: str,
    class_names: tuple[str, ...],
    citation: str,
    folders: tuple[str, ...],
    hosts: tuple[str, ...],
    files: tuple[tuple[str, int], ...],
) -> Source:
    """A set in MNIST's layout; `files` gives MD5 and size in the order of `_TRAIN_IDX`, `_TEST_IDX`."""
    downloads = tuple(
        Download(f"{stem}.gz", md5, size_bytes, tuple(f"{host}{stem}.gz" for host in hosts))
        for stem, (md5, size_bytes) in zip(_TRAIN_IDX + _TEST_IDX, files, strict=True)
    )
    return Source(
        name=name,
        title=title,
        class_names=class_names,
        train_count=60_000,
        test_count=10_000,
        image_shape=(1, 28, 28),
        layout="idx",
        citation=citation,
        folders=folders,
        train_files=_TRAIN_IDX,
        test_files=_TEST_IDX,
        downloads=downloads,
    )


_EMNIST_SPLITS = ("balanced", "letters", "digits", "mnist", "byclass", "bymerge")


def _emnist_files(part: str, split: str) -> tuple[str, str]:
    return (f"emnist-{part}-{split}-images-idx3-ubyte", f"emnist-{part}-{split}-labels-idx1-ubyte")


_EMNIST_ARCHIVE = Download(
    name="gzip.zip",
    md5="58c8d27c78d21e728a6bc7b3cc06412e",
    size_bytes=561_753_746,
    addresses=("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
    members=tuple(
        member
        for part in _EMNIST_SPLITS
        for member in (
            *(f"{stem}.gz" for split in ("train", "test") for stem in _emnist_files(part, split)),
            f"emnist-{part}-mapping.txt",
        )
    ),
)


def _emnist(part: str, title: str, class_names: tuple[str, ...], train_count: int, test_count: int) -> Source:
    return Source(
        name=f"emnist-{part}",
        title=title,
        class_names=class_names,
        train_count=train_count,
        test_count=test_count,
        image_shape=(1, 28, 28),
        layout="idx",
        citation="Cohen, Afshar, Tapson, van Schaik, EMNIST, 2017, arXiv:1702.05373; NIST, public domain",
        folders=("emnist", "emnist/gzip", "EMNIST/raw"),
        train_files=_emnist_files(part, "train"),
        test_files=_emnist_files(part, "test"),
        mapping_file=f"emnist-{part}-mapping.txt",
        downloads=(_EMNIST_ARCHIVE,),
        first_label=1 if part == "letters" else 0,
        transposed=True,
    )


_CIFAR_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_CIFAR_TEST = ("test_batch.bin",)

_ALL = (
    Source(
        name="digits",
        title="Scanned digits that come with scikit-learn",
        class_names=_DIGITS,
        train_count=1_297,
        test_count=500,
        image_shape=(1, 28, 28),
        layout="embedded",
        citation="Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998; CC BY 4.0",
    ),
    _mnist_like(
        "mnist",
        "MNIST, handwritten digits",
        _DIGITS,
        "LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86(11), 1998; CC BY-SA 3.0",
        ("mnist", "MNIST/raw"),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (
            ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
            ("d53e105ee54ea40749a09fcbcd1e9432", 28_881),
            ("9fb629c4189551a2d022fa330f9573f3", 1_648_877),
            ("ec29112dd5afa0611ce80d1b7f02629c", 4_542),
        ),
    ),
    _mnist_like(
        "fashion-mnist",
        "Fashion-MNIST, articles of clothing",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        "Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747; MIT licence",
        ("fashion-mnist", "FashionMNIST/raw"),
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        (
            ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
            ("25c81989df183df01b3e8a0aad5dffbe", 29_515),
            ("bef4ecab320f06d8554ea6380940ec79", 4_422_102),
            ("bb300cfdad3c16e7a12a480ee83cd310", 5_148),
        ),
    ),
    _mnist_like(
        "kmnist",
        "Kuzushiji-MNIST, cursive Japanese characters",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        "Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, arXiv:1812.01718; CC BY-SA 4.0",
        ("kmnist", "KMNIST/raw"),
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        (
            ("bdb82020997e1d708af4cf47b453dcf7", 18_165_135),
            ("e144d726b3acfaa3e44228e80efcd344", 29_497),
            ("5c965bf0a639b31b8f53240b1b52f4d7", 3_041_136),
            ("7320c461ea6c1c855c0b718fb2a4b134", 5_120),
        ),
    ),
    _emnist(
        "balanced",
        "EMNIST Balanced, digits and letters, as many of each",
        _DIGITS + _UPPER + _UNMERGED,
        112_800,
        18_800,
    ),
    # Capitals and small letters share a class; the capital names it.
    _emnist("letters", "EMNIST Letters, capitals and small ones together", _UPPER, 124_800, 20_800),
    _emnist("digits", "EMNIST Digits", _DIGITS, 240_000, 40_000),
    _emnist("mnist", "EMNIST MNIST, digits prepared as in MNIST", _DIGITS, 60_000, 10_000),
    _emnist(
        "byclass",
        "EMNIST By_Class, digits, capitals, small letters",
        _DIGITS + _UPPER + _LOWER,
        697_932,
        116_323,
    ),
    _emnist(
        "bymerge",
        "EMNIST By_Merge, like letter shapes merged",
        _DIGITS + _UPPER + _UNMERGED,
        697_932,
        116_323,
    ),
    Source(
        name="cifar10",
        title="CIFAR-10, small colour photographs",
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        train_count=50_000,
        test_count=10_000,
        image_shape=(3, 32, 32),
        layout="cifar",
        citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        folders=("cifar10", "cifar10/cifar-10-batches-bin"),
        train_files=_CIFAR_TRAIN,
        test_files=_CIFAR_TEST,
        downloads=(
            Download(
                name="cifar-10-binary.tar.gz",
                md5="c32a1d4ab5d03f1284b67883e8d87530",
                size_bytes=170_052_171,
                addresses=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                members=_CIFAR_TRAIN + _CIFAR_TEST,
            ),
        ),
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ALL}

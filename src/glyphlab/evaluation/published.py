"""What others report on the public data sets, so that a result can be seen where it stands.

Every figure is a test accuracy in percent as its source states it, on the data set's official split. Four kinds are
kept apart: results in line with what others reach, figures that nobody has reproduced (no independent work comes
near them on the same split), figures that measure something else, and the five project reports that this software
repeats (A to E).

Sources: Cohen et al. 2017, arXiv:1702.05373 (EMNIST); Dufourq and Bassett 2017, arXiv:1709.09161 (EDEN); Cavalin
and Oliveira 2018, CIARP (hierarchical CNN); Jayasundara et al. 2019, arXiv:1904.08095 (TextCaps); Kabir et al. 2020,
arXiv:2007.03347 (SpinalNet); An et al. 2020, arXiv:2008.10400 (MNIST ensembles); Jeevan et al. 2022,
arXiv:2205.14375 (WaveMix). Figures that we know only through report C's list of comparisons say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Standing = Literal["in line", "not reproduced", "another measure", "report"]


@dataclass(frozen=True)
class Published:
    """One figure.

    data: the data set's name in the catalogue. accuracy: on its official test part, 0 to 100 (percent).
    source: where the figure stands. standing: "in line" with what others reach, "not reproduced" by anybody,
    "another measure" than accuracy, or of a project "report". remark: what else a reader must know.
    """

    method: str
    data: str
    accuracy: float
    source: str
    standing: Standing = "in line"
    remark: str = ""


_COHEN = "Cohen et al. 2017"
_SPINAL = "Kabir et al. 2020 (SpinalNet)"
_WAVEMIX = "Jeevan et al. 2022"
_TEXTCAPS = "Jayasundara et al. 2019"
_EDEN = "Dufourq and Bassett 2017"
_TREE = "Cavalin and Oliveira 2018"
_AN = "An et al. 2020"
_LIST_C = "quoted in report C"
_LIST_MNIST = "published, quoted beside report C"

PUBLISHED: tuple[Published, ...] = (
    # ---- EMNIST balanced: 47 classes, 18,800 test images
    Published("linear classifier", "emnist-balanced", 50.93, _COHEN),
    Published("OPIUM", "emnist-balanced", 78.02, _COHEN),
    Published("PyTorch CNN", "emnist-balanced", 79.61, _SPINAL),
    Published("EDEN", "emnist-balanced", 88.3, _EDEN),
    Published("report C, architecture 2, trial 1", "emnist-balanced", 88.43, "report C, 2022", "report"),
    Published("six-layer CNN", "emnist-balanced", 90.59, _LIST_C),
    Published("VGG-5", "emnist-balanced", 91.04, _SPINAL),
    Published("VGG-5 with SpinalNet", "emnist-balanced", 91.05, _SPINAL),
    Published("WaveMix", "emnist-balanced", 91.06, _WAVEMIX),
    Published("autoencoder", "emnist-balanced", 36.1, _LIST_C, "another measure", "clustering, without labels"),
    Published("k-means", "emnist-balanced", 78.5, _LIST_C, "another measure", "clustering, without labels"),
    Published("AlexNet", "emnist-balanced", 96.9, _LIST_C, "not reproduced"),
    Published("spiking CNN", "emnist-balanced", 97.77, _LIST_C, "not reproduced"),
    Published("VGGNet", "emnist-balanced", 98.3, _LIST_C, "not reproduced"),
    Published("spiking CNN (second figure)", "emnist-balanced", 98.54, _LIST_C, "not reproduced"),
    Published("GoogleNet", "emnist-balanced", 98.9, _LIST_C, "not reproduced"),
    Published("CapsNet", "emnist-balanced", 99.7, _LIST_C, "not reproduced"),
    # ---- EMNIST letters: 26 classes, 20,800 test images
    Published(
        "report A, on a CPU", "emnist-letters", 87.38, "report A, 2024", "report", "with mirrored training images"
    ),
    Published(
        "report A, on a GPU", "emnist-letters", 87.91, "report A, 2024", "report", "with mirrored training images"
    ),
    Published("hierarchical CNN", "emnist-letters", 93.63, _TREE),
    Published("TextCaps", "emnist-letters", 95.36, _TEXTCAPS),
    Published("VGG-5 with SpinalNet", "emnist-letters", 95.88, _SPINAL),
    Published("WaveMix", "emnist-letters", 95.96, _WAVEMIX),
    # ---- EMNIST digits: 10 classes, 40,000 test images
    Published("EDEN", "emnist-digits", 99.3, _EDEN),
    Published("hierarchical CNN", "emnist-digits", 99.46, _TREE),
    Published("TextCaps", "emnist-digits", 99.79, _TEXTCAPS),
    Published("six-layer CNN", "emnist-digits", 99.79, _LIST_C),
    # ---- MNIST: 10,000 test images
    Published("report D, first figure", "mnist", 82.7, "report D, 2024", "report"),
    Published("report B, mnist-net", "mnist", 97.99, "report B, 2023", "report"),
    Published("report E, first run", "mnist", 98.4, "report E, 2024", "report"),
    Published("report D, second figure", "mnist", 99.08, "report D, 2024", "report"),
    Published("report D, mnist-3conv", "mnist", 99.35, "report D, 2024", "report"),
    Published("report E, mnist-3conv-bn", "mnist", 99.35, "report E, 2024", "report"),
    Published("best single networks, lower end", "mnist", 99.83, _LIST_MNIST),
    Published("best single networks, upper end", "mnist", 99.87, _LIST_MNIST),
    Published("three simple CNNs, majority vote", "mnist", 99.87, _AN, remark="an ensemble"),
    Published("simple CNNs, two layers of votes", "mnist", 99.91, _AN, remark="an ensemble"),
    # ---- Fashion-MNIST: 10,000 test images
    Published("report B, best of 60 variations", "fashion-mnist", 86.0, "report B, 2023", "report", "about"),
    Published("best published", "fashion-mnist", 96.91, _LIST_MNIST),
)


def published_on(data: str, split: str = "test") -> list[Published]:
    """The figures on the test part of a data set, the lowest first; none for other parts and unknown sets."""
    if split != "test":
        return []
    return sorted((entry for entry in PUBLISHED if entry.data == data), key=lambda entry: entry.accuracy)

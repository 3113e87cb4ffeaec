from __future__ import annotations

import re

from glyphlab.data.catalogue import SOURCES

CLASSES = {
    "digits": 10,
    "mnist": 10,
    "fashion-mnist": 10,
    "kmnist": 10,
    "emnist-balanced": 47,
    "emnist-letters": 26,
    "emnist-digits": 10,
    "emnist-mnist": 10,
    "emnist-byclass": 62,
    "emnist-bymerge": 47,
    "cifar10": 10,
}


def test_names_and_classes() -> None:
    assert {name: len(source.class_names) for name, source in SOURCES.items()} == CLASSES
    assert all(len(set(source.class_names)) == len(source.class_names) for source in SOURCES.values())
    assert "".join(SOURCES["emnist-balanced"].class_names[-11:]) == "abdefghnqrt"
    assert SOURCES["emnist-bymerge"].class_names == SOURCES["emnist-balanced"].class_names
    assert (
        "".join(SOURCES["emnist-byclass"].class_names[10:12] + SOURCES["emnist-byclass"].class_names[36:38]) == "ABab"
    )


def test_official_counts() -> None:
    counts = {name: (source.train_count, source.test_count) for name, source in SOURCES.items()}
    assert counts["emnist-balanced"] == (112_800, 18_800)
    assert counts["emnist-letters"] == (124_800, 20_800)
    assert counts["emnist-byclass"] == counts["emnist-bymerge"] == (697_932, 116_323)


def test_every_download_is_complete() -> None:
    for source in SOURCES.values():
        assert source.citation and source.title
        for download in source.downloads:
            assert re.fullmatch(r"[0-9a-f]{32}", download.md5) and download.size_bytes > 0
            assert download.addresses and all(address.endswith(f"/{download.name}") for address in download.addresses)
        given = {name for download in source.downloads for name in (*download.members, download.name)}
        needed = {*source.train_files, *source.test_files}
        assert all(name in given or f"{name}.gz" in given for name in needed), source.name
        assert source.layout == "embedded" or (source.folders and needed)

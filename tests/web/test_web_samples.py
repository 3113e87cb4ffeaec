"""Drawings that are kept: folders on the disk, and the routes to them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from glyphlab.data.folders import list_folder
from glyphlab.errors import GlyphlabError
from glyphlab.web.refusals import Refusal
from glyphlab.web.samples import Samples
from glyphlab.web.seams import Commission, Tell
from glyphlab.web.uploads import data_url

API = "/api/v1"
STROKES = [{"points": [[40, 40], [200, 42], [110, 260]], "size": 18}]


def keep(client: TestClient, label: str = "α", alphabet: str = "Greek", **how: Any) -> str:
    answer = client.post(f"{API}/samples", json={"alphabet": alphabet, "label": label, **(how or {"strokes": STROKES})})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_drawings_become_folders_that_training_reads(client: TestClient, seven: bytes, tmp_path: Path) -> None:
    ids = [keep(client), keep(client, glyph=data_url(seven)), keep(client, "β"), keep(client, "β")]
    form = client.post(f"{API}/samples", files={"file": ("x.jpg", seven)}, data={"alphabet": "Greek", "label": "α"})
    assert form.status_code == 201
    listing = list_folder(tmp_path / "home" / "drawings" / "Greek")
    assert listing.class_names == ("α", "β")
    assert len(listing.all_paths()) == 5
    assert {path.stem for path in listing.all_paths()} == {*ids, form.json()["id"]}
    found = client.get(f"{API}/samples", params={"alphabet": "Greek"}).json()
    assert [(row["label"], row["count"]) for row in found["classes"]] == [("α", 3), ("β", 2)]


def test_a_drawing_can_be_seen_and_deleted(client: TestClient) -> None:
    id_ = keep(client)
    picture = client.get(f"{API}/samples/{id_}.png")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert client.delete(f"{API}/samples/{id_}").status_code == 204
    assert client.get(f"{API}/samples/{id_}.png").status_code == 404
    assert client.delete(f"{API}/samples/{id_}").status_code == 404


def test_a_drawing_whose_file_somebody_deleted_is_not_there(client: TestClient, tmp_path: Path) -> None:
    id_ = keep(client)
    (path,) = (tmp_path / "home").rglob(f"{id_}.png")
    path.unlink()
    answer = client.get(f"{API}/samples/{id_}.png")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_sample")


def test_nothing_waits_while_the_folders_are_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [keep(client, label) for label in "αβ"]
    samples = client.app.state.service.samples  # type: ignore[attr-defined]
    assert client.portal is not None
    loop_thread = client.portal.call(threading.get_ident)
    taken = Watched(samples._lock)
    monkeypatch.setattr(samples, "_lock", taken)
    where = {"alphabet": "Greek"}
    client.get(f"{API}/samples/{ids[0]}.png")
    client.get(f"{API}/samples", params=where)
    client.get(f"{API}/alphabets")
    client.post(f"{API}/alphabets", json={"name": "Runes"})
    wait_for(client, client.post(f"{API}/teach", json=where).json()["job"])
    client.patch(f"{API}/alphabets", params=where, json={"name": "Letters"})
    removed = client.delete(f"{API}/alphabets", params={"alphabet": "Letters"}).json()
    assert client.post(f"{API}/alphabets/restored", json=removed).status_code == 201
    assert taken.threads and loop_thread not in taken.threads


@pytest.mark.parametrize("id_", ["..%2F..%2Fetc%2Fpasswd", "%2e%2e", "alphabet.json", "x" * 500, "%00"])
def test_ids_are_looked_up_and_never_become_paths(client: TestClient, id_: str) -> None:
    keep(client)
    assert client.get(f"{API}/samples/{id_}.png").status_code == 404
    assert client.delete(f"{API}/samples/{id_}").status_code in (404, 405)


@pytest.mark.parametrize("name", ["../../outside", "/etc", "..", "a/b", "con", "\u202eGreek", "."])
def test_names_that_want_out_stay_inside(client: TestClient, tmp_path: Path, name: str) -> None:
    id_ = keep(client, label=name, alphabet=name)
    (path,) = (tmp_path / "home").rglob(f"{id_}.png")
    assert path.parents[2] == tmp_path / "home" / "drawings"
    assert not list(tmp_path.rglob("outside")) and not (tmp_path.parent / "outside").exists()
    names = [row["name"] for row in client.get(f"{API}/alphabets").json()["alphabets"]]
    assert names == [name]


@pytest.mark.parametrize(
    "body",
    [
        {"alphabet": "Greek", "label": "α"},
        {"alphabet": "Greek", "label": "α", "strokes": []},
        {"alphabet": "Greek", "label": "", "strokes": STROKES},
        {"alphabet": "Greek", "label": " ", "strokes": STROKES},
        {"alphabet": " ", "label": "α", "strokes": STROKES},
        {"label": "α", "strokes": STROKES},
        {"alphabet": "Greek", "label": "α" * 41, "strokes": STROKES},
        {"alphabet": "Greek", "label": "α", "glyph": "data:image/png;base64,AAAA"},
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(
    client: TestClient, body: dict[str, Any], tmp_path: Path
) -> None:
    answer = client.post(f"{API}/samples", json=body)
    assert answer.status_code in (415, 422)
    assert not list((tmp_path / "home").rglob("*.png"))


def test_everything_is_there_again_after_a_restart(tmp_path: Path) -> None:
    first = Samples(tmp_path, most=10)
    first.name_characters("Greek letters", ["β", "α", "/"])
    ids = [first.add("Greek letters", label, b"png") for label in ("α", "α", "/", "A", "a")]
    second = Samples(tmp_path, most=10)
    assert second.counts() == first.counts() == {"Greek letters": {"β": 0, "α": 2, "/": 1, "A": 1, "a": 1}}
    assert all(second.find(id_).read_bytes() == b"png" for id_ in ids)
    folder, labels = second.data_of("Greek letters")
    assert labels == {"α": "α", "U+002F": "/", "A": "A", "lower_a": "a"}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(labels)


def test_without_its_list_an_alphabet_is_read_from_its_folders(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    samples.add("Greek", "α", b"png")
    for damage in ("not json", "[]", '{"name": "Greek", "classes": [{"label": "x", "folder": "../.."}]}'):
        (tmp_path / "Greek" / "alphabet.json").write_text(damage, encoding="utf-8")
        assert Samples(tmp_path, most=10).counts()["Greek"]["α"] == 1


def test_pictures_that_somebody_put_there_count_as_well(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    (tmp_path / "Mine" / "x").mkdir(parents=True)
    (tmp_path / "Mine" / "x" / "photo 1.jpg").write_bytes(b"jpeg")
    (tmp_path / "Mine" / "x" / "notes.txt").write_bytes(b"no picture")
    samples.refresh()
    (id_,) = samples.ids("Mine")["x"]
    assert samples.find(id_).name == "photo 1.jpg"


def test_links_to_nowhere_and_folders_are_no_drawings(tmp_path: Path) -> None:
    Samples(tmp_path, most=10).add("Greek", "α", b"png")
    inside = tmp_path / "Greek" / "α"
    (inside / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (inside / "folder.png").mkdir()
    assert Samples(tmp_path, most=10).counts() == {"Greek": {"α": 1}}


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_names_that_are_no_text_go_into_the_archive(tmp_path: Path) -> None:
    Samples(tmp_path, most=10).add("Greek", "α", b"png")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Greek/\xff"))
    odd.mkdir()
    (odd / "1.png").write_bytes(b"png")
    _, content = Samples(tmp_path, most=10).zipped("Greek")
    with content, zipfile.ZipFile(content) as archive:
        assert "Greek/\\udcff/1.png" in archive.namelist()


def test_a_class_without_drawings_leaves_no_empty_folder(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    id_ = samples.add("Greek", "α", b"png")
    samples.remove(id_)
    assert not (tmp_path / "Greek" / "α").exists()
    assert samples.counts() == {"Greek": {"α": 0}}
    assert samples.data_of("Greek")[1] == {}


def test_there_is_an_end_to_what_is_kept(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=1)
    samples.add("Greek", "α", b"png")
    with pytest.raises(Refusal, match="1 drawings are kept, which is all"):
        samples.add("Greek", "α", b"png")
    with pytest.raises(GlyphlabError, match="the label is empty"):
        samples.name_characters("Greek", [" "])


def test_the_archive_holds_what_training_reads(client: TestClient, tmp_path: Path) -> None:
    for label in ("α", "β", "/"):
        keep(client, label)
    answer = client.get(f"{API}/samples/export", params={"alphabet": "Greek"})
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="Greek.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "out")
        assert json.loads(archive.read("Greek/alphabet.json"))["name"] == "Greek"
    assert list_folder(tmp_path / "out" / "Greek").class_names == ("U+002F", "α", "β")
    assert client.get(f"{API}/samples/export", params={"alphabet": "None"}).status_code == 404


def test_characters_can_be_named_before_anything_is_drawn(client: TestClient) -> None:
    made = client.post(f"{API}/alphabets", json={"name": "Runes", "classes": ["ᚠ", "ᚢ"]})
    assert made.status_code == 201
    (alphabet,) = client.get(f"{API}/alphabets").json()["alphabets"]
    assert alphabet == made.json()
    assert alphabet["classes"] == [{"label": "ᚠ", "count": 0}, {"label": "ᚢ", "count": 0}]
    assert (alphabet["samples"], alphabet["model"], alphabet["job"]) == (0, None, None)


def test_an_alphabet_is_renamed_with_its_folder_its_model_and_its_teaching(client: TestClient, tmp_path: Path) -> None:
    ids = [keep(client, label) for label in "αβ" for _ in range(3)]
    job = client.post(f"{API}/teach", json={"alphabet": "Greek"}).json()["job"]
    wait_for(client, job)
    before = client.get(f"{API}/alphabets").json()["alphabets"][0]
    renamed = client.patch(f"{API}/alphabets", params={"alphabet": "Greek"}, json={"name": "Ελληνικά"})
    assert renamed.json() == before | {"name": "Ελληνικά"}
    assert renamed.json()["model"] is not None
    assert (tmp_path / "home" / "drawings" / "Ελληνικά" / "α" / f"{ids[0]}.png").is_file()
    assert client.get(f"{API}/samples/{ids[0]}.png").status_code == 200
    assert client.get(f"{API}/samples", params={"alphabet": "Greek"}).status_code == 404


def test_a_name_that_is_taken_or_empty_is_refused(client: TestClient) -> None:
    keep(client)
    keep(client, alphabet="Runes")
    for name, status, code in (("Runes", 409, "taken"), (" ", 422, "invalid"), ("Greek", 200, None)):
        answer = client.patch(f"{API}/alphabets", params={"alphabet": "Greek"}, json={"name": name})
        assert answer.status_code == status
        assert code is None or answer.json()["error"]["code"] == code
    assert client.patch(f"{API}/alphabets", params={"alphabet": "X"}, json={"name": "Y"}).status_code == 404


def test_a_deleted_alphabet_comes_back_as_it_was(client: TestClient, tmp_path: Path) -> None:
    for label in ("β", "α", "/"):
        keep(client, label, alphabet="a/b")
    client.post(f"{API}/teach", json={"alphabet": "a/b"})
    wait_for(client, client.get(f"{API}/alphabets").json()["alphabets"][0]["job"])
    before = client.get(f"{API}/alphabets").json()
    removed = client.delete(f"{API}/alphabets", params={"alphabet": "a/b"})
    assert removed.status_code == 200
    assert client.get(f"{API}/alphabets").json() == {"alphabets": []}
    client.post(f"{API}/alphabets", json={"name": "a/b"})
    (fresh,) = client.get(f"{API}/alphabets").json()["alphabets"]
    assert (fresh["samples"], fresh["model"], fresh["job"]) == (0, None, None)
    assert client.post(f"{API}/alphabets/restored", json=removed.json()).json()["error"]["code"] == "taken"
    client.delete(f"{API}/alphabets", params={"alphabet": "a/b"})
    assert client.post(f"{API}/alphabets/restored", json=removed.json()).status_code == 201
    assert client.get(f"{API}/alphabets").json() == before
    assert client.post(f"{API}/alphabets/restored", json=removed.json()).status_code == 404
    assert client.post(f"{API}/alphabets/restored", json={"removed": "../../Greek"}).status_code == 404


def test_a_deleted_character_comes_back_to_its_place(client: TestClient) -> None:
    ids = [keep(client, label) for label in "βαγ"]
    before = client.get(f"{API}/samples", params={"alphabet": "Greek"}).json()
    removed = client.delete(f"{API}/alphabets/characters", params={"alphabet": "Greek", "label": "α"})
    listed = client.get(f"{API}/samples", params={"alphabet": "Greek"}).json()["classes"]
    assert [row["label"] for row in listed] == ["β", "γ"]
    assert client.get(f"{API}/samples/{ids[1]}.png").status_code == 404
    assert client.post(f"{API}/alphabets/restored", json=removed.json()).status_code == 201
    assert client.get(f"{API}/samples", params={"alphabet": "Greek"}).json() == before
    unknown = client.delete(f"{API}/alphabets/characters", params={"alphabet": "Greek", "label": "x"})
    assert unknown.json()["error"]["code"] == "no_character"


def being_taught(serve: Callable[..., TestClient], alphabet: str) -> tuple[TestClient, str]:
    """A service that teaches two Greek letters without end, asked for by this name, and its job."""

    class Forever:
        async def teach(self, commission: Commission, tell: Tell) -> dict[str, Any]:
            await asyncio.sleep(60)
            raise AssertionError

    client = serve(teacher=Forever())
    for label in "αβ":
        keep(client, label)
    return client, client.post(f"{API}/teach", json={"alphabet": alphabet}).json()["job"]


def test_what_is_being_taught_stays_where_it_is(serve: Callable[..., TestClient]) -> None:
    client, job = being_taught(serve, "Greek")
    where = {"alphabet": " Greek "}
    assert client.delete(f"{API}/alphabets", params=where).json()["error"]["code"] == "being_taught"
    assert client.patch(f"{API}/alphabets", params=where, json={"name": "x"}).status_code == 409
    client.delete(f"{API}/teach/{job}")
    assert client.delete(f"{API}/alphabets", params=where).status_code == 200


def test_an_alphabet_that_is_being_taught_is_known_by_its_cleaned_name(serve: Callable[..., TestClient]) -> None:
    client, job = being_taught(serve, " Greek ")
    assert client.delete(f"{API}/alphabets", params={"alphabet": "Greek"}).json()["error"]["code"] == "being_taught"
    assert client.get(f"{API}/alphabets").json()["alphabets"][0]["job"] == job


def test_a_deleted_character_follows_its_alphabet(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    for label in "αβ":
        samples.add("Greek", label, b"png")
    character = samples.remove_character("Greek", "α")
    place = tmp_path / ".removed" / character
    os.utime(place, (1_000_000_000, time.time() - 86_400))
    since = place.stat().st_mtime_ns
    samples.rename("Greek", "Letters")
    assert place.stat().st_mtime_ns == since  # its 30 days have not begun anew
    samples.add("Greek", "γ", b"png")
    assert samples.restore(character) == "Letters"
    assert samples.counts() == {"Greek": {"γ": 1}, "Letters": {"α": 1, "β": 1}}


def test_a_deleted_character_comes_back_to_no_other_alphabet_of_the_name(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    for label in "αβ":
        samples.add("Greek", label, b"png")
    character, alphabet = samples.remove_character("Greek", "α"), samples.remove_alphabet("Greek")
    samples.add("Greek", "γ", b"png")
    with pytest.raises(Refusal, match="there is no alphabet of that name"):
        samples.restore(character)
    samples.rename("Greek", "Runes")
    samples.restore(alphabet)
    assert samples.restore(character) == "Greek"
    assert samples.counts() == {"Greek": {"α": 1, "β": 1}, "Runes": {"γ": 1}}


def test_of_deleted_things_the_last_fifty_are_kept(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    removed = []
    for number in range(52):
        samples.add("Greek", "α", b"png")
        removed.append(samples.remove_character("Greek", "α"))
        os.utime(tmp_path / ".removed" / removed[-1], (0, time.time() - 1_000 + number))
    assert {path.name for path in (tmp_path / ".removed").iterdir()} == set(removed[2:])


def test_deleted_things_are_not_kept_for_ever(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    samples.add("Greek", "α", b"png")
    id_ = samples.remove_alphabet("Greek")
    place = tmp_path / ".removed" / id_
    os.utime(place, (0, 0))
    Samples(tmp_path, most=10)
    assert not place.exists()


def test_half_written_files_of_a_killed_service_are_never_shown_and_go_in_time(tmp_path: Path) -> None:
    samples = Samples(tmp_path, most=10)
    samples.add("Greek", "α", b"png")
    half = tmp_path / "Greek" / "α" / ".writing-x.png"
    half.write_bytes(b"half")
    assert Samples(tmp_path, most=10).counts() == {"Greek": {"α": 1}}
    assert half.exists()  # somebody may be writing it
    os.utime(half, (0, 0))
    Samples(tmp_path, most=10)
    assert not half.exists()


class Watched:
    """A lock that remembers which threads took it."""

    def __init__(self, lock: Any) -> None:
        self._lock, self.threads = lock, set[int]()

    def __enter__(self) -> None:
        self.threads.add(threading.get_ident())
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def wait_for(client: TestClient, job: str) -> None:
    """Until a teaching is over."""
    for _ in range(500):
        if client.get(f"{API}/teach/{job}").json()["state"] == "done":
            return
        time.sleep(0.01)
    raise AssertionError("the teaching did not end")

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from glyphlab.errors import RunError
from glyphlab.recognition.answerfile import Note, Progress, answer_file

JOB = {"list": "abc", "part": 1}


def test_what_was_not_counted_in_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.csv"
    with answer_file(path, JOB, b"head\n") as answers:
        answers.append(b"one\n", replace(answers.progress, pictures=1))
    assert path.read_bytes() == b"head\none\n"
    with path.open("ab") as stream:  # a kill between the block and its note, or in the middle of the block
        stream.write(b"two\nthr")
    with answer_file(path, JOB, b"head\n") as answers:
        assert answers.progress == Progress(size_bytes=9, pictures=1)
        assert path.read_bytes() == b"head\none\n"
        answers.append(b"two\n", replace(answers.progress, pictures=2, done=True))
    assert path.read_bytes() == b"head\none\ntwo\n"
    assert Note.read(path.with_suffix(".json")) == Note(JOB, Progress(size_bytes=13, pictures=2, done=True))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said_and_nothing_hides_it(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with answer_file(path, JOB, b"head\n"):
        pass
    with pytest.raises(RunError, match=r"the disk is full"), answer_file(path, JOB, b"head\n") as answers:
        with Path("/dev/full").open("ab") as full:
            os.dup2(full.fileno(), answers._stream.fileno())
        answers.append(b"one\n", answers.progress)
    with answer_file(path, JOB, b"head\n") as answers:
        assert answers.progress.size_bytes == 5


def test_a_kill_before_the_first_note_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(b"he")
    with answer_file(path, JOB, b"head\n"):
        assert path.read_bytes() == b"head\n"


def test_answers_that_are_shorter_than_their_note_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with answer_file(path, JOB, b"head\n"):
        pass
    path.write_bytes(b"hea")
    with pytest.raises(RunError, match=r"has 3 bytes, but its note counts 5: it was changed or cut"), answer_file(
        path, JOB, b"head\n"
    ):  # fmt: skip
        pass
    assert path.read_bytes() == b"hea"


def test_other_settings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with answer_file(path, JOB, b"head\n"):
        pass
    other = JOB | {"list": "xyz"}
    with pytest.raises(RunError, match=r"begun with another list: 'abc', now 'xyz'; choose another --out"), answer_file(
        path, other, b"head\n"
    ):  # fmt: skip
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")
def test_two_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with (
        answer_file(path, JOB, b"head\n"),
        pytest.raises(RunError, match="being written by another process"),
        answer_file(path, JOB, b"head\n"),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{}", '{"format": "glyphlab-answers-1", "job": 3, "progress": {}}', "[1]"])
def test_a_note_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(RunError, match=r"answers\.json is no note of a job's progress"):
        Note.read(tmp_path / "answers.json")
    (tmp_path / "answers.json").write_text('{"format": "glyphlab-answers-2"}')
    with pytest.raises(RunError, match=r"has the format 'glyphlab-answers-2', expected"):
        Note.read(tmp_path / "answers.json")

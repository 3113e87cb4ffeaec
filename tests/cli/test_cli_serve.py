"""`glyphlab serve` as a process: starts, answers, stops; and what it refuses to begin with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glyphlab.recognition.modelfile import find_model

STROKES = [{"points": [[40, 40], [200, 42], [110, 260]], "size": 18}]
TOKEN = "0123456789abcdef0123"


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service on a free port, and the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "glyphlab", "serve", "--no-browser", "--port", str(port), "--home", "home"]
    process = subprocess.Popen([*command, *options], cwd=folder, stderr=subprocess.PIPE, text=True)
    api = f"http://127.0.0.1:{port}/api/v1"
    try:
        for _ in range(1200):
            with contextlib.suppress(OSError):
                if ask(f"{api}/health")[0] == 200:
                    break
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        yield process, api
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_what_was_saved_survives_a_kill_and_a_stop_finishes_in_order(tmp_path: Path) -> None:
    sample = {"alphabet": "Greek", "label": "α", "strokes": STROKES}
    with serving(tmp_path) as (process, api):
        status, saved = ask(f"{api}/samples", sample)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        assert status == 201
    with serving(tmp_path) as (process, api):
        found = ask(f"{api}/samples?alphabet=Greek")[1]
        assert found["classes"] == [{"label": "α", "count": 1, "ids": [saved["id"]]}]
        assert ask(f"{api}/predict/strokes", {"strokes": STROKES})[1]["character"] == "7"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        lines = [line for line in log.splitlines() if line.startswith("{")]
        assert all(json.loads(line)["level"] in ("info", "warning") for line in lines)
        assert any(json.loads(line).get("route", "").endswith("/predict/strokes") for line in lines)
        assert "Glyphlab is at http://127.0.0.1:" in log


def test_with_a_token_a_link_is_printed_and_the_token_is_not(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    with serving(tmp_path, "--token-file", "token") as (process, api):
        assert ask(f"{api}/models")[0] == 401
        assert ask(f"{api}/models", Authorization=f"Bearer {TOKEN}")[0] == 200
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=60)[1]
    assert "/enter?once=" in log
    assert TOKEN not in log


def test_beyond_this_machine_a_token_is_demanded(cli: Callable[..., Any], tmp_path: Path) -> None:
    outcome = cli("serve", "--host", "0.0.0.0", "--home", tmp_path, "--no-browser")
    assert outcome.code == 2
    assert "needs a token" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_second_service_on_the_same_home_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    with serving(tmp_path):
        done = cli("serve", "--no-browser", "--port", 0, "--home", tmp_path / "home")
        assert done.code == 2 and "another Glyphlab serves" in done.err and "choose another --home" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--token", "short"), "the token has 5 characters"),
        (("--token-file", "/nonexistent/token"), "cannot read the token from"),
        (
            ("--token", TOKEN, "--token-file", "token"),
            "by --token, or the variable GLYPHLAB_TOKEN, and by --",
        ),
        (("--model", "digit"), "no model 'digit'"),
        (("--host", "256.1.1.1", "--token", TOKEN), "cannot listen on 256.1.1.1"),
        (("--runs-dir", "/nonexistent/runs"), "--runs-dir is '/nonexistent/runs'; expected a folder of runs"),
    ],
)
def test_mistakes_are_one_line(cli: Callable[..., Any], tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    outcome = cli("serve", "--home", tmp_path, "--no-browser", "--port", "0", *options)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_damaged_model_is_refused_at_the_start_as_predict_refuses_it(cli: Callable[..., Any], tmp_path: Path) -> None:
    model = tmp_path / "cut.onnx"
    model.write_bytes(find_model("digits").read_bytes()[:100_000])
    home = tmp_path / "home"
    outcome = cli("serve", "--home", home, "--no-browser", "--port", "0", "--model", model)
    assert outcome.code == 2
    assert "cut.onnx (100,000 bytes) is not a whole ONNX model" in outcome.err
    assert outcome.err == cli("predict", tmp_path, "--model", model).err
    assert not home.exists()


def test_a_home_that_cannot_be_written_is_refused_at_the_start(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = cli("serve", "--home", tmp_path / "file" / "home", "--no-browser", "--port", "0")
    assert outcome.code == 2
    assert f"cannot write {tmp_path / 'file' / 'home'}: a part of the path is a file" in outcome.err


def test_a_port_in_use_is_said(cli: Callable[..., Any], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = cli("serve", "--home", tmp_path, "--no-browser", "--port", port)
    assert outcome.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in outcome.err
    assert "choose another --port" in outcome.err

"""The service itself: its description, its page's files, its log and counts, its models."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from glyphlab.errors import ModelError
from glyphlab.recognition.modelfile import find_model
from glyphlab.web import static_files
from glyphlab.web.refusals import Refusal
from glyphlab.web.shelf import Shelf
from glyphlab.web.watch import JsonLines, route_of

API = "/api/v1"


def test_health_says_that_it_is_there(client: TestClient) -> None:
    answer = client.get(f"{API}/health").json()
    assert answer["status"] == "ok"
    assert set(answer) == {"status", "version", "models_loaded"}


def test_the_description_names_every_route_and_no_page_of_other_hosts(client: TestClient) -> None:
    described = client.get(f"{API}/openapi.json").json()
    assert {path.removeprefix(API) for path in described["paths"]} == {
        "/health",
        "/metrics",
        "/models",
        "/models/{model}/file",
        "/predict",
        "/predict/strokes",
        "/predict/many",
        "/read",
        "/explain",
        "/alphabets",
        "/alphabets/characters",
        "/alphabets/restored",
        "/samples",
        "/samples/export",
        "/samples/{sample}.png",
        "/samples/{sample}",
        "/teach",
        "/teach/{job}",
        "/runs",
        "/runs/compare",
        "/runs/{name}/report",
        "/runs/{name}/model",
        "/runs/{name}/labels",
        "/runs/{name}/labels/{image}",
    }
    text = json.dumps(described)
    assert "HTTPValidationError" not in text
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        place = described
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for path in ("/docs", "/redoc"):
        assert client.get(path).status_code == 404


def test_what_is_not_there_is_said_in_one_shape(client: TestClient) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", f"{API}/x", 404), ("PUT", f"{API}/models", 405)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"code", "message", "cure"}


def test_a_method_that_an_address_does_not_know_is_refused_with_those_it_knows(client: TestClient) -> None:
    for method, path, allow in (
        ("GET", f"{API}/predict", "POST"),
        ("PUT", f"{API}/alphabets", "DELETE, GET, PATCH, POST"),
        ("OPTIONS", f"{API}/samples", "GET, POST"),
        ("POST", "/index.html", "GET, HEAD"),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow), (method, path)


def test_a_bug_is_a_500_that_tells_nothing_but_is_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, seven: bytes
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(client.app.state.service.shelf, "recognizer", broken)  # type: ignore[attr-defined]
    answer = client.post(f"{API}/predict", files={"file": seven})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "bug")
    assert "secret" not in answer.text


def test_static_files_have_types_and_tags_and_only_listed_ones_are_served(
    serve: Callable[..., TestClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "static"
    (folder / "js").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>x</title>", encoding="utf-8")
    (folder / "js" / "main.js").write_text("export {};", encoding="utf-8")
    (folder / "notes.py").write_text("secret", encoding="utf-8")
    (tmp_path / "outside.html").write_text("secret", encoding="utf-8")
    monkeypatch.setattr(static_files.StaticFiles.__init__, "__defaults__", (folder,))
    client = serve()
    index = client.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    script = client.get("/js/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    again = client.get("/js/main.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head("/").status_code == 200
    for path in ("/notes.py", "/../outside.html", "/%2e%2e/outside.html", "/js", "/js//main.js", "//etc/passwd"):
        assert client.get(path).status_code == 404, path


def test_the_log_holds_no_queries_names_or_tokens(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("glyphlab.web"), "propagate", True)
    caplog.set_level(logging.INFO, "glyphlab.web")
    client.get(f"{API}/samples?alphabet=my-secret", headers={"Authorization": "Bearer my-secret"})
    client.get("/my-secret")
    client.get(f"{API}/teach/my-secret")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "glyphlab.web"]
    assert [line["status"] for line in lines] == [404, 404, 404]
    assert {"time", "level", "event", "method", "route", "milliseconds", "bytes", "client"} <= set(lines[0])
    assert "my-secret" not in json.dumps(lines)


def test_metrics_count_requests_by_route(client: TestClient) -> None:
    client.get(f"{API}/teach/unknown")
    client.get(f"{API}/teach/other")
    client.get("/nowhere")
    answer = client.get(f"{API}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert f'glyphlab_requests_total{{method="GET",route="{API}/teach/{{job}}",status="404"}} 2' in lines
    assert 'glyphlab_requests_total{method="GET",route="/{name:path}",status="404"} 1' in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    buckets = [line for line in lines if f'_bucket{{route="{API}/teach/{{job}}",' in line]
    assert [int(line.split()[-1]) for line in buckets] == sorted(int(line.split()[-1]) for line in buckets)
    assert buckets[-1].endswith(" 2")


@pytest.mark.parametrize(
    ("path", "template", "route"),
    [
        (f"{API}/runs/mine-1", "/runs/{name}", f"{API}/runs/{{name}}"),
        (f"{API}/runs/mine-1", f"{API}/runs/{{name}}", f"{API}/runs/{{name}}"),
        (f"{API}/health", "/health", f"{API}/health"),
        (f"{API}/openapi.json", f"{API}/openapi.json", f"{API}/openapi.json"),
        (f"{API}/nothing", "/{name:path}", "/{name:path}"),
        (f"{API}/nothing", None, "other"),
    ],
)
def test_routes_are_named_whole_whatever_the_version_of_fastapi(path: str, template: str | None, route: str) -> None:
    assert route_of({"path": path, "route": SimpleNamespace(path=template)}, API) == route


def test_files_of_the_same_name_are_numbered_and_the_first_is_the_default(tmp_path: Path) -> None:
    for folder, model in (("a", "digits"), ("b", "characters"), ("c", "digits")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "best.onnx").write_bytes(find_model(model).read_bytes())
    (tmp_path / "c" / "best-2.onnx").write_bytes(find_model("digits").read_bytes())
    files = ["a/best.onnx", "b/best.onnx", "a/../a/best.onnx", "c/best-2.onnx", "c/best.onnx"]
    shelf = Shelf([tmp_path / file for file in files], tmp_path / "runs", tmp_path / "taught")
    found = {offer.id: str(offer.path.relative_to(tmp_path)) for offer in shelf.offers() if offer.kind == "run"}
    assert found == {
        "file-best": "a/best.onnx",
        "file-best-3": "b/best.onnx",
        "file-best-2": "c/best-2.onnx",  # which has this name of its own
        "file-best-4": "c/best.onnx",
    }
    assert shelf.default == "file-best"
    assert len(shelf.recognizer("file-best-3")[1].class_names) == 47
    assert {offer.name for offer in shelf.offers()} >= {"best", "best-3"}


def test_a_run_elsewhere_hides_no_run_of_the_same_name(
    serve: Callable[..., TestClient], looker: Any, tmp_path: Path
) -> None:
    for folder, model in (("runs/x", "digits"), ("runs/y", "digits"), ("other/x", "characters")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.onnx").write_bytes(find_model(model).read_bytes())
    client = serve(models=[tmp_path / "other" / "x"])
    sizes = {row["id"]: len(row["class_names"]) for row in client.get(f"{API}/models").json()["models"]}
    assert sizes == {"characters": 47, "digits": 10, "run-x": 47, "run-x-2": 10, "run-y": 10}
    row: dict[str, Any] = dict.fromkeys(("data", "recipe", "network", "epochs", "validation", "test", "parameters"))
    row |= {"time_seconds": None, "started": None, "report": False, "labels": [], "status": "finished", "problem": ""}
    rows = [row | {"name": name, "folder": str(tmp_path / "runs" / name)} for name in "xyz"]
    looker.answers["runs"] = {"runs": rows, "searches": []}
    assert [found["model"] for found in client.get(f"{API}/runs").json()["runs"]] == ["run-x-2", "run-y", None]


def test_the_shelf_finds_models_of_runs_and_files(tmp_path: Path) -> None:
    runs, taught = tmp_path / "runs", tmp_path / "taught"
    content = find_model("digits").read_bytes()
    for folder in (runs / "mine-1", runs / "broken-1", taught / "Greek-1", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"no model" if folder.name == "broken-1" else content)
    (tmp_path / "own.onnx").write_bytes(content)
    shelf = Shelf([str(tmp_path / "own.onnx"), tmp_path / "elsewhere", runs / "mine-1"], runs, taught)
    offers = {offer.id: (offer.kind, offer.name) for offer in shelf.offers()}
    assert offers == {
        "characters": ("shipped", "characters"),
        "digits": ("shipped", "digits"),
        "file-own": ("run", "own"),
        "run-elsewhere": ("run", "elsewhere"),
        "run-mine-1": ("run", "mine-1"),
        "taught-Greek-1": ("taught", "mnist"),
    }
    assert shelf.default == "file-own"
    assert shelf.recognizer()[0].id == "file-own"
    assert shelf.id_of(taught / "Greek-1" / "model.onnx") == "taught-Greek-1"
    with pytest.raises(Refusal, match="there is no model 'run-broken-1'"):
        shelf.find("run-broken-1")


def test_a_model_that_is_taught_anew_is_loaded_anew(tmp_path: Path) -> None:
    folder = tmp_path / "taught" / "x"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(find_model("digits").read_bytes())
    shelf = Shelf([], tmp_path / "runs", tmp_path / "taught")
    assert len(shelf.recognizer("taught-x")[1].class_names) == 10
    (folder / "model.onnx").write_bytes(find_model("characters").read_bytes())
    assert len(shelf.recognizer("taught-x")[1].class_names) == 47


def test_a_default_that_is_no_model_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model 'digit'"):
        Shelf(["digit"], tmp_path, tmp_path)


def test_runs_are_looked_at_through_the_looker(client: TestClient, looker: Any) -> None:
    row = {"name": "mine-1", "status": "finished", "folder": "/home/somebody/runs/mine-1", "problem": ""}
    row |= dict.fromkeys(("data", "recipe", "network", "epochs", "validation", "test", "parameters"))
    row |= {"time_seconds": None, "started": None, "report": False, "labels": []}
    looker.answers["runs"] = {"runs": [row], "searches": [{"name": "labels-x", "data": "/home/somebody/x"}]}
    answer = client.get(f"{API}/runs")
    assert answer.json()["runs"][0]["name"] == "mine-1" and answer.json()["searches"] == [
        {"name": "labels-x", "data": "x"}
    ]
    assert "somebody" not in answer.text


def test_reports_run_in_a_sandbox(client: TestClient, looker: Any, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<!doctype html>", encoding="utf-8")
    looker.answers["report"] = {"path": str(tmp_path / "report.html")}
    answer = client.get(f"{API}/runs/mine-1/report")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]
    assert "allow-same-origin" not in answer.headers["content-security-policy"]


def test_decisions_on_labels_reach_the_looker_whatever_the_images_id(client: TestClient, looker: Any) -> None:
    looker.answers |= {"decide": {"decided": 1}, "undo": {"decided": 0}}
    url = f"{API}/runs/mine-1/labels/test/9/003.png"
    assert client.post(url, json={"action": "relabel", "label": "7"}).json() == {"decided": 1}
    assert looker.asked[-1] == (
        "decide",
        {"name": "mine-1", "split": None, "image": "test/9/003.png", "action": "relabel", "label": "7"},
    )
    assert client.delete(url, params={"split": "test"}).json() == {"decided": 0}
    assert looker.asked[-1][1] == {"name": "mine-1", "split": "test", "image": "test/9/003.png"}
    assert client.post(url, json={"action": "burn"}).status_code == 422

"""Routes that look at runs: the list, reports, comparisons, and the review of suspicious labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, JSONResponse
from starlette.responses import Response

from glyphlab.recognition.modelfile import MODEL_NAME
from glyphlab.web import schemas
from glyphlab.web.headers import REPORT_POLICY
from glyphlab.web.service import TheLooker, TheService

router = APIRouter(tags=["runs"])

RunName = Annotated[str, Query(max_length=300)]
Split = Annotated[Literal["train", "test"] | None, Query(description="default: the part that was searched")]


@router.get("/runs", response_model=schemas.Runs)
async def runs(service: TheService, looker: TheLooker) -> Response:
    """All runs, newest first."""
    value = await looker.ask("runs")

    def work() -> None:
        known = {offer.path.resolve(): offer.id for offer in service.shelf.offers()}
        for row in value["searches"]:
            row["data"] = Path(row["data"]).name  # where it lies is for the people at the machine
        for row in value["runs"]:
            folder = Path(row.pop("folder"))
            row["model"] = known.get((folder / MODEL_NAME).resolve())

    await service.on_disk(work)
    return JSONResponse(value)


@router.get("/runs/compare", response_model=schemas.RunsCompared)
async def compare(looker: TheLooker, a: RunName, b: RunName) -> Response:
    """Two runs on the same images: figures, settings that differ, and whether the difference is chance."""
    return JSONResponse(await looker.ask("compare", a=a, b=b))


@router.get("/runs/{name}/report", response_class=Response)
async def report(looker: TheLooker, name: str) -> Response:
    """A run's report, one page of HTML; written now where there is none yet."""
    path = (await looker.ask("report", name=name))["path"]
    return FileResponse(path, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": REPORT_POLICY})


@router.get("/runs/{name}/labels", response_model=schemas.SuspiciousLabels)
async def labels(
    looker: TheLooker,
    name: str,
    split: Split = None,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Labels that networks which never saw the image doubt, the most suspicious first, with images and decisions.

    name: a run, or one of the searches.
    """
    return JSONResponse(await looker.ask("labels", name=name, split=split, offset=offset, limit=limit))


@router.post("/runs/{name}/labels/{image:path}", response_model=schemas.Decided)
async def decide(looker: TheLooker, name: str, image: str, decision: schemas.Decision, split: Split = None) -> Response:
    """Decide on a label; it stands in corrections.csv, on the disk, when this answers."""
    facts = {"name": name, "split": split, "image": image}
    return JSONResponse(await looker.ask("decide", **facts, action=decision.action, label=decision.label))


@router.delete("/runs/{name}/labels/{image:path}", response_model=schemas.Decided)
async def undo(looker: TheLooker, name: str, image: str, split: Split = None) -> Response:
    """Take a decision back."""
    return JSONResponse(await looker.ask("undo", name=name, split=split, image=image))


@router.post("/runs/{name}/model", status_code=201, response_model=schemas.RunModel)
async def export(service: TheService, looker: TheLooker, name: str) -> Response:
    """Write a run's model file, as `glyphlab export` does, so that the model can be chosen."""
    path = Path((await looker.ask("export", name=name))["path"])
    return JSONResponse({"model": await service.on_disk(partial(service.shelf.id_of, path))}, 201)

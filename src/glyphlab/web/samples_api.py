"""Routes for the drawings that people keep, and for teaching from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import IO, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.responses import Response

from glyphlab.errors import ImageError
from glyphlab.web import schemas
from glyphlab.web.asked import SampleQuestion, asked, body_of, strokes_of
from glyphlab.web.labels import clean_label
from glyphlab.web.refusals import Refusal
from glyphlab.web.removed import name_aside
from glyphlab.web.service import Service, TheService, TheTeaching
from glyphlab.web.strokes import render
from glyphlab.web.uploads import for_keeping, from_data_url, png

router = APIRouter(tags=["teaching"])

AlphabetQuery = Annotated[schemas.AlphabetName, Query()]
LabelQuery = Annotated[schemas.Label, Query()]
_CHUNK_BYTES = 256 * 1024
_TAKEN: dict[int | str, dict[str, Any]] = {
    409: {"model": schemas.Failure, "description": "The name is taken, or the alphabet is being taught."}
}


@router.get("/alphabets", response_model=schemas.Alphabets)
async def alphabets(service: TheService) -> schemas.Alphabets:
    """All alphabets, with how many drawings there are of each character, and the newest model of each."""

    def work() -> dict[str, dict[str, int]]:
        service.samples.refresh()
        return service.samples.counts()

    counts = await service.on_disk(work)
    return schemas.Alphabets(alphabets=[_alphabet(service, name, own) for name, own in counts.items()])


@router.post("/alphabets", status_code=201, response_model=schemas.Alphabet)
async def name_characters(service: TheService, named: schemas.AlphabetNamed) -> schemas.Alphabet:
    """Begin an alphabet, or add characters to one, before anything is drawn."""
    name, counts = await _changed(service, partial(service.samples.name_characters, named.name, named.classes))
    return _alphabet(service, name, counts)


@router.patch("/alphabets", response_model=schemas.Alphabet, responses=_TAKEN)
async def rename(service: TheService, alphabet: AlphabetQuery, renamed: schemas.AlphabetRenamed) -> schemas.Alphabet:
    """Give an alphabet another name. Its models and teachings stay with it."""
    alphabet = _at_rest(service, alphabet)
    name, counts = await _changed(service, partial(service.samples.rename, alphabet, renamed.name))
    if service.teaching is not None:
        service.teaching.rename(alphabet, name)
    return _alphabet(service, name, counts)


@router.delete("/alphabets", response_model=schemas.RemovedThing, responses=_TAKEN)
async def remove_alphabet(service: TheService, alphabet: AlphabetQuery) -> schemas.RemovedThing:
    """Delete an alphabet with its drawings. Models that were taught stay."""
    alphabet = _at_rest(service, alphabet)
    id_ = await service.on_disk(partial(service.samples.remove_alphabet, alphabet))
    if service.teaching is not None:  # a new alphabet of that name begins without the teachings of this one
        service.teaching.rename(alphabet, name_aside(alphabet, id_))
    return schemas.RemovedThing(removed=id_)


@router.delete("/alphabets/characters", response_model=schemas.RemovedThing, responses=_TAKEN)
async def remove_character(service: TheService, alphabet: AlphabetQuery, label: LabelQuery) -> schemas.RemovedThing:
    """Delete a character of an alphabet, with its drawings."""
    alphabet = _at_rest(service, alphabet)
    return schemas.RemovedThing(
        removed=await service.on_disk(partial(service.samples.remove_character, alphabet, label))
    )


@router.post("/alphabets/restored", status_code=201, response_model=schemas.Alphabet, responses=_TAKEN)
async def restore(service: TheService, thing: schemas.RemovedThing) -> schemas.Alphabet:
    """Bring back an alphabet or a character that was deleted."""
    name, counts = await _changed(service, partial(service.samples.restore, thing.removed))
    if service.teaching is not None:
        service.teaching.rename(name_aside(name, thing.removed), name)
    return _alphabet(service, name, counts)


@router.get("/samples", response_model=schemas.AlphabetSamples)
async def samples(service: TheService, alphabet: AlphabetQuery) -> schemas.AlphabetSamples:
    """The drawings of an alphabet, character by character, oldest first."""

    def work() -> dict[str, list[str]]:
        service.samples.refresh()
        return service.samples.ids(alphabet)

    found = await service.on_disk(work)
    return schemas.AlphabetSamples(
        alphabet=alphabet,
        classes=[schemas.ClassSamples(label=label, count=len(ids), ids=ids) for label, ids in found.items()],
    )


@router.post("/samples", status_code=201, response_model=schemas.SampleSaved, openapi_extra=body_of(SampleQuestion))
async def keep(service: TheService, request: Request) -> schemas.SampleSaved:
    """Keep a drawing or picture with its label; it is on the disk when this answers."""
    question, content = await asked(request, SampleQuestion)
    strokes = strokes_of(question.strokes or [], service.limits)
    if content is None and question.glyph is not None:
        content = from_data_url(question.glyph)

    def work() -> str:
        if content is not None:
            picture = for_keeping(content, service.limits.glyph_pixels)
        elif (drawing := render(strokes)) is not None:
            picture = png(drawing.image)
        else:
            raise ImageError("there is nothing to keep: the drawing is empty; draw something")
        return service.samples.add(question.alphabet, question.label, picture)

    return schemas.SampleSaved(id=await service.on_disk(work), alphabet=question.alphabet, label=question.label)


@router.get("/samples/export", response_class=Response)
async def export(service: TheService, alphabet: AlphabetQuery) -> Response:
    """All drawings of an alphabet as a zip archive of folders, as `glyphlab train` and `transfer` read them."""
    name, archive = await service.on_disk(partial(service.samples.zipped, alphabet))
    return StreamingResponse(
        iter(partial(_chunk, archive), b""),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
        background=BackgroundTask(archive.close),
    )


@router.get("/samples/{sample}.png", response_class=Response)
async def picture(service: TheService, sample: str) -> Response:
    """A drawing."""

    def work() -> bytes:
        path, content = service.samples.read(sample)
        return content if path.suffix == ".png" else for_keeping(content, service.limits.glyph_pixels)

    return Response(await service.on_disk(work), media_type="image/png")


@router.delete("/samples/{sample}", status_code=204)
async def remove(service: TheService, sample: str) -> None:
    """Delete a drawing."""
    await service.on_disk(partial(service.samples.remove, sample))


@router.post("/teach", status_code=202, response_model=schemas.TeachStarted)
async def teach(service: TheService, teaching: TheTeaching, order: schemas.TeachOrder) -> schemas.TeachStarted:
    """Teach a model an alphabet; the answer comes at once, the work goes on in another process."""
    base = order.base or service.shelf.default
    return schemas.TeachStarted(job=await teaching.order(order.alphabet, base, order.add))


@router.get("/teach/{job}", response_model=schemas.TeachState)
async def teach_state(teaching: TheTeaching, job: str) -> schemas.TeachState:
    """How far a teaching is, and what came out."""
    return teaching.state(job)


@router.delete("/teach/{job}", response_model=schemas.TeachState)
async def cancel(teaching: TheTeaching, job: str) -> schemas.TeachState:
    """Stop a teaching."""
    return teaching.cancel(job)


def _at_rest(service: Service, alphabet: str) -> str:
    """The alphabet's name. Raises `Refusal` (409) while it is taught, since that reads the drawings where they lie."""
    name = clean_label(alphabet)
    if service.teaching is not None and service.teaching.is_busy_with(name):
        raise Refusal(409, "being_taught", "the alphabet is being taught", "wait until that is over, or stop it")
    return name


async def _changed(service: Service, change: Callable[[], str]) -> tuple[str, dict[str, int]]:
    """What `change` makes of an alphabet: its name, and its drawings by label."""

    def work() -> tuple[str, dict[str, int]]:
        name = change()
        return name, service.samples.counts().get(name, {})  # somebody else may have deleted it meanwhile

    return await service.on_disk(work)


def _alphabet(service: Service, name: str, counts: dict[str, int]) -> schemas.Alphabet:
    last = service.teaching.last_of(name) if service.teaching is not None else None
    return schemas.Alphabet(
        name=name,
        classes=[schemas.ClassCount(label=label, count=count) for label, count in counts.items()],
        samples=sum(counts.values()),
        model=service.teaching.model_of(name) if service.teaching is not None else None,
        job=last.job if last is not None else None,
    )


def _chunk(archive: IO[bytes]) -> bytes:
    return archive.read(_CHUNK_BYTES)

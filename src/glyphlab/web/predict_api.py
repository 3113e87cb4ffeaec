"""Routes that answer for characters and pages."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import JSONResponse
from starlette.responses import Response

from glyphlab.errors import ImageError
from glyphlab.recognition.alphabet import Alphabet
from glyphlab.recognition.formats import WRITERS
from glyphlab.web import schemas
from glyphlab.web.answers import Wish, answer_strokes, glyph_of, page_value, read_page
from glyphlab.web.asked import AnswerForm, ExplainQuestion, asked, asked_with_file, body_of, form_of, strokes_of
from glyphlab.web.refusals import Refusal, error_value, refusal_of
from glyphlab.web.service import Service, TheLooker, TheService
from glyphlab.web.strokes import render
from glyphlab.web.uploads import check_picture, from_data_url

router = APIRouter(tags=["reading"])

Format = Literal["txt", "json", "hocr", "tsv", "alto"]
_FORMATS: dict[Format, tuple[str, str, str]] = {  # the writer's name, media type, suffix of the file
    "txt": ("text", "text/plain; charset=utf-8", "txt"),
    "json": ("json", "application/json", "json"),
    "hocr": ("hocr", "application/xhtml+xml; charset=utf-8", "hocr"),
    "tsv": ("tsv", "text/tab-separated-values; charset=utf-8", "tsv"),
    "alto": ("alto", "application/xml; charset=utf-8", "alto.xml"),
}
_PAGE_NAME = "page"  # in documents: the name of the user's file is nobody's business

ModelField = Annotated[schemas.ModelId | None, Form()]
OnlyField = Annotated[schemas.Only | None, Form()]
CoverageField = Annotated[schemas.Coverage, Form()]
TopField = Annotated[int, Form(ge=0, le=schemas.MOST_TOP)]


@router.post("/predict", response_model=schemas.Answer, openapi_extra=form_of(AnswerForm, "a picture of one character"))
async def predict(service: TheService, request: Request) -> Response:
    """Which character a picture shows: PNG, JPEG, WebP, TIFF, BMP or GIF, of any size."""
    service.glyphs.admit()  # before the body is looked at, so that too many requests cost as little as can be
    form, content = await asked_with_file(request, AnswerForm)
    answer = await service.answer(content, Wish(form.model, form.only, form.coverage, form.top))
    return Response(answer, media_type="application/json")


@router.post("/predict/strokes", response_model=schemas.StrokesAnswer)
async def predict_strokes(service: TheService, question: schemas.StrokesQuestion) -> Response:
    """Which character a drawing shows, and where several stand side by side, what they say."""
    strokes = strokes_of(question.strokes, service.limits)
    wish = Wish(question.model, question.only, question.coverage, question.top)
    return JSONResponse(await service.glyphs.run(partial(answer_strokes, service.shelf, strokes, wish, question.line)))


@router.post("/predict/many", response_model=schemas.Answers)
async def predict_many(
    service: TheService,
    files: Annotated[list[UploadFile], File(description="pictures of one character each")],
    model: ModelField = None,
    only: OnlyField = None,
    coverage: CoverageField = schemas.DEFAULT_COVERAGE,
    top: TopField = schemas.DEFAULT_TOP,
) -> Response:
    """The same for many pictures; one that cannot be used gets an error, the others their answers."""
    if len(files) > service.limits.files:
        raise Refusal(
            413,
            "too_many_files",
            f"{len(files)} files, expected at most {service.limits.files}",
            "send fewer at a time",
        )
    await service.on_disk(partial(service.shelf.find, model))
    wish, left = Wish(model, only, coverage, top), iter(enumerate(files))
    answers: list[dict[str, Any]] = [{} for _ in files]

    async def answer_some() -> None:
        for place, file in left:
            answers[place] = await _one_of_many(service, await file.read(), wish)

    try:
        await asyncio.gather(*(answer_some() for _ in range(service.limits.glyph_threads)))
    finally:
        # After a refusal nobody begins another. What runs is not cancelled: a process would be ended for that.
        deque(left, maxlen=0)
    return JSONResponse({"answers": answers})


@router.post("/read", response_model=schemas.PageText)
async def read(
    service: TheService,
    file: Annotated[UploadFile, File(description="a picture of a page")],
    model: ModelField = None,
    only: OnlyField = None,
    language: Annotated[str, Form(max_length=20)] = "en",
    context: Annotated[bool, Form()] = True,
    coverage: CoverageField = schemas.DEFAULT_COVERAGE,
    format: Annotated[Format | None, Query(description="the page as a file of this format")] = None,
) -> Response:
    """What is written on a page: text, lines, words, characters, and where they stand."""
    content = await file.read()

    def work() -> Response:
        began = time.perf_counter()
        check_picture(content, service.limits.page_pixels)
        offer, recognizer = service.shelf.recognizer(model)
        page = read_page(recognizer, content, only, context, language)
        if format is None:
            return JSONResponse(page_value(offer, recognizer, page, coverage, began))
        writer, media_type, suffix = _FORMATS[format]
        headers = {"Content-Disposition": f'attachment; filename="{_PAGE_NAME}.{suffix}"'}
        return Response(WRITERS[writer]([(_PAGE_NAME, page)]), media_type=media_type, headers=headers)

    return await service.pages.run(work)


@router.post("/explain", response_model=schemas.Explanation, openapi_extra=body_of(ExplainQuestion))
async def explain(service: TheService, looker: TheLooker, request: Request) -> Response:
    """What the network does with a drawing or picture: maps of its layers, or on which pixels the answer rests."""
    question, content = await asked(request, ExplainQuestion)
    strokes = strokes_of(question.strokes or [], service.limits)
    if content is None and question.glyph is not None:
        content = from_data_url(question.glyph)

    def prepared() -> tuple[str, dict[str, Any]]:
        offer, recognizer = service.shelf.recognizer(question.model)
        if question.only:
            Alphabet.parse(question.only, recognizer.class_names)  # a mistake in it is said here
        if content is not None:
            check_picture(content, service.limits.glyph_pixels)
        drawing = render(strokes) if content is None else None
        if content is None and drawing is None:
            raise ImageError("there is nothing to explain: the drawing is empty; draw something")
        glyph = glyph_of(recognizer, content if content is not None else drawing.image)  # type: ignore[union-attr]
        pixels = base64.b64encode(glyph.tobytes()).decode("ascii")
        facts = {"model": str(offer.path), "title": offer.name, "glyph": pixels, "shape": list(glyph.shape)}
        return offer.id, facts | {"only": question.only or None}

    id_, facts = await service.glyphs.run(prepared)
    return JSONResponse({"model": id_, **await looker.ask("explain", **facts, what=question.what)})


async def _one_of_many(service: Service, content: bytes, wish: Wish) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(await service.answer(content, wish))
        return answer
    except ImageError as error:
        refusal = refusal_of(error)
    except Refusal as error:
        if error.status_code == 503:
            raise
        refusal = error
    return error_value(refusal.code, refusal.message, refusal.cure)

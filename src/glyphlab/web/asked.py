"""Requests that may come as JSON or as a form: drawings and pictures take the same routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import UploadFile

from glyphlab.web import schemas
from glyphlab.web.limits import Limits
from glyphlab.web.refusals import Refusal
from glyphlab.web.strokes import Stroke

Q = TypeVar("Q", bound=BaseModel)

_MOST_FIELDS = 20


class PictureQuestion(schemas.Request):
    """A drawing, or a picture as a file (in a form) or as a "data:" address."""

    strokes: list[schemas.StrokeIn] | None = None
    width: float = Field(default=300, gt=0, le=100_000)
    height: float = Field(default=300, gt=0, le=100_000)
    glyph: str | None = None


class ExplainQuestion(PictureQuestion):
    """Maps: what each layer makes of the glyph. Saliency: on which pixels the answer rests."""

    model: schemas.ModelId | None = None
    what: Literal["maps", "saliency"] = "saliency"


class SampleQuestion(PictureQuestion):
    """A picture to be kept, and which character of which alphabet it shows."""

    alphabet: schemas.AlphabetName
    label: Annotated[schemas.Label, Field(description="the character that it shows")]


def body_of(question: type[PictureQuestion]) -> dict[str, Any]:
    """The OpenAPI description of a route that takes `question` as JSON or as a form with a file."""
    schema = question.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    form = {name: value for name, value in schema["properties"].items() if name not in ("strokes", "width", "height")}
    form["file"] = {"type": "string", "format": "binary"}
    required = ["file", *(name for name in schema.get("required", ()))]
    as_form = {"type": "object", "properties": form, "required": required}
    content = {"application/json": {"schema": schema}, "multipart/form-data": {"schema": as_form}}
    return {"requestBody": {"required": True, "content": content}}


async def asked(request: Request, question: type[Q]) -> tuple[Q, bytes | None]:
    """The question, and the file that came with it in a form. Raises `RequestValidationError`, `Refusal`."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        raw = await request.body()
        return _checked(lambda: question.model_validate_json(raw)), None
    content: bytes | None = None
    fields: dict[str, str] = {}
    async with request.form(max_files=1, max_fields=_MOST_FIELDS) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
            else:
                fields[name] = value
    return _checked(lambda: question.model_validate(fields)), content


def strokes_of(drawn: list[schemas.StrokeIn], limits: Limits) -> list[Stroke]:
    """The strokes of a request. Raises `Refusal` (413) for too many."""
    points = sum(len(stroke.points) for stroke in drawn)
    if len(drawn) > limits.strokes or points > limits.points:
        raise Refusal(
            413,
            "too_many_points",
            f"{len(drawn):,} strokes of {points:,} points, expected at most {limits.strokes:,} of {limits.points:,}",
            "draw fewer characters at a time",
        )
    return [Stroke.of(stroke.points, stroke.size, stroke.erases) for stroke in drawn]


def _checked(parse: Callable[[], Q]) -> Q:
    """What `parse` gives; a mistake as FastAPI itself would say it."""
    try:
        return parse()
    except ValidationError as error:
        problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors(include_input=False)]
        raise RequestValidationError(problems) from None

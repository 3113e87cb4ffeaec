"""Requests that come as a form, or as JSON or a form: drawings and pictures take the same routes.

FastAPI can take forms apart itself, but looks at the type of each field anew for each request, which takes as long as
all the rest that is done for it outside of the answer's own computation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from glyphlab.web import schemas
from glyphlab.web.limits import Limits
from glyphlab.web.refusals import Refusal
from glyphlab.web.strokes import Stroke

Q = TypeVar("Q", bound=BaseModel)

_MOST_FIELDS = 20


class AnswerForm(BaseModel):
    """How an answer is wanted, beside the picture; other fields of the form have no meaning and are passed over."""

    model: schemas.ModelId | None = None
    only: schemas.Only | None = None
    coverage: schemas.Coverage = schemas.DEFAULT_COVERAGE
    top: Annotated[int, Field(ge=0, le=schemas.MOST_TOP)] = schemas.DEFAULT_TOP


class PictureQuestion(schemas.Request):
    """A drawing, or a picture as a file (in a form) or as a "data:" address."""

    strokes: schemas.Strokes | None = None
    width: float = Field(default=300, gt=0, le=100_000)
    height: float = Field(default=300, gt=0, le=100_000)
    glyph: str | None = None


class ExplainQuestion(PictureQuestion):
    """Maps: what each layer makes of the glyph. Saliency: on which pixels the answer rests."""

    model: schemas.ModelId | None = None
    only: schemas.Only | None = None
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


def form_of(question: type[BaseModel], file: str) -> dict[str, Any]:
    """The OpenAPI description of a route that takes `question` as a form with a file. file: what that is."""
    schema = question.model_json_schema()
    schema.pop("description", None)
    upload = {"type": "string", "contentMediaType": "application/octet-stream", "title": "File", "description": file}
    schema |= {"properties": {"file": upload, **schema["properties"]}, "required": ["file"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


async def asked_with_file(request: Request, question: type[Q]) -> tuple[Q, bytes]:
    """The question and the file of a form; empty fields count as left out.

    Raises `RequestValidationError`, or `Refusal` (400) for a body that is no form.
    """
    fields, content = await _taken_apart(request)
    if content is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body", "file"), "msg": "Field required"}])
    given = {name: value for name, value in fields.items() if value != ""}
    return _checked(lambda: question.model_validate(given)), content


async def asked(request: Request, question: type[Q]) -> tuple[Q, bytes | None]:
    """The question as JSON, or as a form with or without a file. Raises as `asked_with_file`."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        raw = await request.body()
        return _checked(lambda: question.model_validate_json(raw)), None
    fields, content = await _taken_apart(request)
    return _checked(lambda: question.model_validate(fields)), content


async def _taken_apart(request: Request) -> tuple[dict[str, str | UploadFile], bytes | None]:
    """A form's fields, and the bytes of the file named "file", if there is one. Another file is a field gone wrong."""
    content: bytes | None = None
    fields: dict[str, str | UploadFile] = {}
    try:
        async with request.form(max_files=_MOST_FIELDS, max_fields=_MOST_FIELDS) as form:
            for name, value in form.multi_items():
                if name != "file":
                    fields[name] = value
                elif isinstance(value, UploadFile):
                    content = await value.read()
    except HTTPException:
        raise
    except Exception as error:  # the parsers raise anything at all on damaged bytes
        raise Refusal(400, "bad_request", "the body is no form", "send multipart/form-data with a file") from error
    return fields, content


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

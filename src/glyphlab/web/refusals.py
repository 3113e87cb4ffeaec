"""Answers to requests that cannot be served: one shape for all of them, with a code for programs and a cure for people.

{"error": {"code": "too_large", "message": "...", "cure": "..."}}
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from glyphlab.errors import GlyphlabError, ImageError, ModelError

_CODES = {400: "bad_request", 404: "not_found"}
_CURES = {
    400: "send JSON, or multipart/form-data as a browser's form does",
    404: "see /api/v1/openapi.json for what there is",
}


class Refusal(HTTPException):
    """A request is not served.

    status: HTTP status code. code: a word for programs. message: what is wrong. cure: what helps.
    """

    def __init__(self, status: int, code: str, message: str, cure: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code, self.message, self.cure = code, message, cure


def busy(message: str, retry_seconds: int = 1) -> Refusal:
    """503 with Retry-After: the deliberate answer of a service that has enough to do."""
    return Refusal(
        503,
        "busy",
        message,
        f"try again in {retry_seconds} second{'s' * (retry_seconds != 1)}",
        {"Retry-After": str(retry_seconds)},
    )


def lost() -> Refusal:
    """503: a worker process ended before it had answered."""
    return Refusal(503, "lost", "the process that was at work ended unexpectedly", "try again", {"Retry-After": "1"})


def bug() -> Refusal:
    """500: an error of ours; what it was stands in the log."""
    return Refusal(500, "bug", "an error in Glyphlab; its log tells more", "please report it")


def refusal_of(error: GlyphlabError) -> Refusal:
    """One of the family of errors as an answer; the message's part behind the semicolon is the cure."""
    message, _, cure = str(error).partition("; ")
    code = "picture" if isinstance(error, ImageError) else "model" if isinstance(error, ModelError) else "invalid"
    return Refusal(422, code, message, cure)


def error_value(code: str, message: str, cure: str) -> dict[str, Any]:
    """The error as it stands in an answer."""
    return {"error": {"code": code, "message": message, "cure": cure}}


def refused(refusal: Refusal) -> Response:
    """The answer, in ASCII, so that even text that is no valid Unicode can be quoted in it."""
    content = json.dumps(error_value(refusal.code, refusal.message, refusal.cure))
    return Response(content, refusal.status_code, refusal.headers, "application/json")


def install(app: FastAPI) -> None:
    """Let the application answer every error in this shape."""
    handlers: dict[type[Exception], Callable[[Any], Refusal]] = {
        HTTPException: _of_http,
        RequestValidationError: _of_validation,
        GlyphlabError: refusal_of,
        Exception: lambda error: bug(),
    }
    for kind, refusal_for in handlers.items():
        app.add_exception_handler(kind, _handler(refusal_for))


def _handler(refusal_for: Callable[[Any], Refusal]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return refused(refusal_for(error))

    return answer


def _of_http(error: HTTPException) -> Refusal:
    if isinstance(error, Refusal):
        return error
    code, status = _CODES.get(error.status_code, "refused"), error.status_code
    return Refusal(status, code, str(error.detail), _CURES.get(status, ""), dict(error.headers or {}))


def _of_validation(error: RequestValidationError) -> Refusal:
    """Where the first mistake is and what is wrong there; the value itself is not repeated."""
    problems = error.errors()
    first = problems[0]
    where = ".".join(str(part)[:40] for part in first["loc"][1:]) or "the request"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Refusal(422, "invalid", f"{where}: {first['msg']}{more}", "see /api/v1/openapi.json for what is expected")

"""The application: routes, and the guards that stand before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from glyphlab import __version__
from glyphlab.recognition.modelfile import DEFAULT_MODEL
from glyphlab.web import look_api, predict_api, refusals, samples_api, service_api
from glyphlab.web.access import Access, Keys
from glyphlab.web.flow import Flow
from glyphlab.web.headers import SecureHeaders
from glyphlab.web.limits import Limits
from glyphlab.web.refusals import Refusal
from glyphlab.web.schemas import Failure
from glyphlab.web.seams import Looker, Teacher
from glyphlab.web.service import TAUGHT, Service
from glyphlab.web.shelf import Shelf
from glyphlab.web.static_files import StaticFiles
from glyphlab.web.watch import Watch

PREFIX = "/api/v1"
_MODULES = (service_api, predict_api, samples_api, look_api)
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be understood."},
    401: {"description": "The token is missing."},
    403: {"description": "Another host's name, or another site's page."},
    404: {"description": "There is no such thing."},
    408: {"description": "The request did not arrive in time."},
    413: {"description": "More than is accepted."},
    415: {"description": "No picture of a format that is read."},
    422: {"description": "Something in the request cannot be used."},
    501: {"description": "An extra is not installed."},
    503: {"description": "Too much to do; see Retry-After."},
}


def create_app(
    home: Path,
    *,
    models: Sequence[str | Path] = (DEFAULT_MODEL,),
    runs_dir: Path = Path("runs"),
    teacher: Teacher | None = None,
    looker: Looker | None = None,
    limits: Limits | None = None,
    host_names: Collection[str] = (),
    any_address: bool = False,
    keys: Keys | None = None,
) -> FastAPI:
    """The service as an ASGI application.

    home: folder for drawings, taught models and jobs. models: the first is the default one. runs_dir: of runs, whose
    models are offered. teacher, looker: who does what needs torch; None: such requests are answered with 501.
    host_names, any_address, keys: see `access.Access`.

    Raises `ModelError` for a model that cannot be found or used.
    """
    limits = limits or Limits()
    shelf = Shelf(models, runs_dir, home / TAUGHT)
    shelf.require_defaults()
    service = Service.at(home, shelf, limits, teacher, looker)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = await service.start()
        try:
            yield
        finally:
            warming.cancel()
            await service.stop()

    app = FastAPI(
        title="Glyphlab",
        version=__version__,
        description="Reads, teaches and looks at handwritten characters. Nothing is sent anywhere.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # these pages would fetch scripts from other hosts
        redoc_url=None,
        lifespan=lifespan,
        responses={status: facts | {"model": Failure} for status, facts in _FAILURES.items()},
    )
    app.state.service = service
    refusals.install(app)
    for module in _MODULES:
        app.include_router(module.router, prefix=PREFIX)
    _add_page(app, StaticFiles())
    # The last one added is the first that a request meets.
    app.add_middleware(Flow, limits=limits)
    app.add_middleware(Access, host_names=host_names, any_address=any_address, keys=keys)
    app.add_middleware(SecureHeaders)
    app.add_middleware(Watch, metrics=service.metrics, prefix=PREFIX)
    return app


def _add_page(app: FastAPI, files: StaticFiles) -> None:
    """The page's files, and a plain answer wherever there is nothing, or nothing for this method."""
    # Routes are tried in their order, so this one gets all methods that an address of the API does not know.
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]

    @app.api_route("/{name:path}", methods=methods, include_in_schema=False)
    async def page(request: Request, name: str) -> Response:
        possible = _methods_at(f"/{name}") or {"GET", "HEAD"}
        if request.method not in possible:
            allow = ", ".join(sorted(possible))
            raise Refusal(
                405, "method_not_allowed", f"{request.method} is not possible here", f"use {allow}", {"Allow": allow}
            )
        return files.answer(name, request.headers)


def _methods_at(path: str) -> set[str]:
    """What the API offers at an address."""
    within = path.removeprefix(PREFIX)
    if within == path:
        return set()
    routes = [route for module in _MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    return set().union(*(route.methods or () for route in routes if route.path_regex.match(within)))

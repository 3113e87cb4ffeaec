"""Routes about the service itself: whether it is there, how it does, and which models it has."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse
from starlette.responses import Response

from glyphlab import __version__
from glyphlab.web import schemas
from glyphlab.web.service import TheService

router = APIRouter(tags=["service"])


@router.get("/health", response_model=schemas.Health)
async def health(service: TheService) -> schemas.Health:
    """Whether the service is there."""
    return schemas.Health(version=__version__, models_loaded=service.shelf.loaded)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(service: TheService) -> Response:
    """Counts and durations in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=service.metrics.content_type)


@router.get("/models", response_model=schemas.Models)
async def models(service: TheService) -> schemas.Models:
    """Every model that can be chosen."""
    offers = await service.on_disk(service.shelf.offers)
    return schemas.Models(
        models=[
            schemas.ModelOffer(
                id=offer.id,
                name=offer.name,
                kind=offer.kind,
                class_names=list(offer.info.class_names),
                figures=offer.info.figures,
                data=str(offer.info.data.get("name", "")),
                default=offer.id == service.shelf.default,
            )
            for offer in offers
        ]
    )


@router.get("/models/{model}/file", response_class=Response)
async def model_file(service: TheService, model: str) -> Response:
    """A model's .onnx file, for use anywhere."""
    offer = await service.on_disk(lambda: service.shelf.find(model))
    return FileResponse(offer.path, media_type="application/octet-stream", filename=f"{offer.id}.onnx")

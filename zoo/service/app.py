"""The HTTP interface: routes, and what they answer. No text is written to a log or to disk."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException as StarletteHTTPException

from zoo import __version__
from zoo.context.rules import load_rules
from zoo.errors import ZooError
from zoo.evaluation.cross import predictable_types
from zoo.linking.opening import Linking, concept_names
from zoo.modeling.windows import Window
from zoo.service.batching import Batcher, BusyError, Job
from zoo.service.gate import Gate
from zoo.service.keys import Keys
from zoo.service.limits import Limits
from zoo.service.messages import ModelInfo, ModelList, Problem, TagRequest, TagResponse
from zoo.service.metrics import Metrics
from zoo.service.models import Model, Shelf
from zoo.tagging.asserting import assert_document
from zoo.tagging.outputs.format import Run, entity_records
from zoo.tagging.texts import Tagged, Text

log = logging.getLogger("zoo.service")
ModelName = Annotated[str, Path(max_length=200)]
NDJSON = "application/x-ndjson"
_ROUTES = frozenset({"/v1/tag", "/v1/models", "/health", "/ready", "/metrics"})
_REFUSALS: dict[int | str, dict[str, object]] = {
    400: {"model": Problem, "description": "The body is no JSON"},
    401: {"model": Problem, "description": "No key, or an unknown one"},
    404: {"model": Problem, "description": "No such model"},
    409: {"model": Problem, "description": "Models do not come and go here"},
    413: {"model": Problem, "description": "Too large"},
    422: {"model": Problem, "description": "A field is missing, misspelt, or of another type"},
    429: {"model": Problem, "description": "Too much waits: come again after Retry-After seconds"},
    504: {"model": Problem, "description": "It took too long"},
}
_READ_SECONDS = 1.0
"""How often it is looked whether the client is still there."""


@dataclass
class Service:
    """A service and what it works with.

    Attributes:
        shelf: Its models.
        batcher: Labels their windows.
        limits: What it takes.
        metrics: What it counts.
        keys: Who may ask; None: anyone.
        fixed: Whether models neither come nor go while it runs.
        stopping: Whether it was told to stop: it is not ready for more then.
    """

    shelf: Shelf
    batcher: Batcher
    limits: Limits
    metrics: Metrics
    keys: Keys | None = None
    fixed: bool = False
    stopping: bool = False

    @classmethod
    def of(
        cls, shelf: Shelf, limits: Limits, keys: Keys | None = None, *, threads: int = 1, fixed: bool = False
    ) -> Service:
        """A service of some models.

        Args:
            shelf: The models.
            limits: What it takes.
            keys: Who may ask; None: anyone.
            threads: Batches at a time.
            fixed: Whether models neither come nor go while it runs.
        """
        metrics = Metrics(lambda: batcher.waiting_tokens, lambda: len(shelf.loaded))
        batcher = Batcher(
            batch_tokens=limits.batch_tokens,
            most_waiting_tokens=limits.waiting_tokens,
            threads=threads,
            on_batch=metrics.batch,
        )
        return cls(shelf, batcher, limits, metrics, keys, fixed)

    def models(self, request: TagRequest) -> list[Model]:
        """The models that a request names, or the only one.

        Raises:
            HTTPException: One is not loaded, it cannot do what is asked for, or there are several and none is named.
        """
        loaded = self.shelf.loaded
        names = request.models or (list(loaded) if len(loaded) == 1 else [])
        if not names:
            raise _refusal(422, f"{len(loaded)} models are loaded", "name some in models; GET /v1/models lists them")
        for name in names:
            if name not in loaded:
                what = "not loaded" if name in self.shelf.sources else "no model"
                raise _refusal(404, f"{what}: {name[:60]!r}", "GET /v1/models lists them")
        if request.link and any(loaded[name].linker is None for name in names):
            raise _refusal(422, "nothing is linked here", "start the service with --link ONTOLOGY")
        if request.assertion:
            try:
                load_rules(request.language)
            except ZooError as error:
                raise _refusal(422, f"language: {error.what}", "name another, or leave assertion out") from None
        if len(request.all_texts) * len(set(names)) > self.limits.texts:
            raise _refusal(413, f"more than {self.limits.texts:,} texts times models", "send fewer at once")
        return [loaded[name] for name in dict.fromkeys(names)]

    async def submit(self, texts: list[str], models: list[Model]) -> list[list[Job]]:
        """A job for each model, per text.

        Raises:
            HTTPException: Too much waits.
        """
        jobs: list[list[Job]] = [[] for _ in texts]
        encoded: dict[tuple[int, int, int], list[list[Window]]] = {}  # models of one base read the same windows
        for model in models:
            key = id(model.base), model.tagger.window_tokens, model.tagger.stride_tokens
            if key not in encoded:
                encoded[key] = [[] for _ in texts]
                for window in await anyio.to_thread.run_sync(model.tagger.encode, texts):
                    encoded[key][window.text].append(window)
            for own, windows in zip(jobs, encoded[key], strict=True):
                own.append(Job(model, windows))
        try:
            self.batcher.submit([job for own in jobs for job in own])
        except BusyError as error:
            headers = {"Retry-After": str(error.retry_after_seconds)}
            raise _refusal(429, "too much waits already", "come again after Retry-After seconds", headers) from None
        return jobs


Answer = dict[str, list[dict[str, Any]]]
"""A `TaggedText`, not checked again."""


async def _tagged(text: str, jobs: list[Job], request: TagRequest) -> Answer:
    """Wait for the jobs of a text."""
    labelled = [await asyncio.wrap_future(job.answer) for job in jobs]

    def finished() -> Answer:
        found = [job.model.tagger.finish(text, own) for job, own in zip(jobs, labelled, strict=True)]
        kept = tuple([entity for entity in entities if entity.score >= request.min_score] for entities in found)
        tagged, run = Tagged(Text("", text), kept), Run([job.model.name for job in jobs])
        if request.link:
            chains = [job.model.linker for job in jobs if job.model.linker]
            names = concept_names(index for chain in chains for index in chain.ontologies.values())
            tagged, run = Linking(chains, {}, []).link(tagged), replace(run, concept_name=names)
        if request.assertion:
            tagged = assert_document(tagged, request.language)
        return {"entities": entity_records(tagged, run)}

    if request.link or request.assertion or "\n" in text:  # more than a moment's work: others are answered meanwhile
        return await anyio.to_thread.run_sync(finished, abandon_on_cancel=True)
    return finished()


async def _answers(request: TagRequest, jobs: list[list[Job]], deadline: float, http: Request) -> AsyncIterator[Answer]:
    """Answers in the order of the texts; what is left is dropped when time is over or nobody waits any more."""
    watch = asyncio.create_task(_drop_when_gone(http, jobs))
    try:
        for text, own in zip(request.all_texts, jobs, strict=True):
            with anyio.fail_after(deadline - anyio.current_time()):
                answer = await _tagged(text, own, request)
            yield answer
    except TimeoutError:
        raise _refusal(504, "it took too long", "send fewer or shorter texts at once") from None
    finally:
        watch.cancel()
        for job in (job for own in jobs for job in own):
            job.dropped = True


async def _drop_when_gone(http: Request, jobs: list[list[Job]]) -> None:
    while not await http.is_disconnected():
        await asyncio.sleep(_READ_SECONDS)
    for job in (job for own in jobs for job in own):
        job.dropped = True


def create_app(service: Service) -> Gate:
    """The application, for an ASGI server.

    Args:
        service: What it works with; its threads end with the application.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.batcher.close()

    app = FastAPI(
        title="zoo serve",
        version=__version__,
        summary="Biomedical entities of texts, by many adapters on few bases.",
        lifespan=lifespan,
        responses=_REFUSALS,
    )

    @app.exception_handler(StarletteHTTPException)  # FastAPI's own, and those of routes that there are not
    async def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        detail = error.detail if isinstance(error.detail, dict) else {"error": str(error.detail), "fix": None}
        return JSONResponse(detail, error.status_code, error.headers)

    @app.exception_handler(Exception)  # raised again after the answer, and noted by the gate
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "the service failed at this request", "fix": None}, 500)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]  # without its `input`: an answer does not repeat what was sent
        place = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": f"{place}: {first['msg']}"[:300], "fix": "GET /docs says what is taken"}, 422)

    @app.post("/v1/tag", response_model=TagResponse)
    async def tag(request: TagRequest, http: Request) -> Response:
        """Find the entities of texts; with `Accept: application/x-ndjson` a line a text, as soon as it is there."""
        deadline = anyio.current_time() + service.limits.request_seconds
        models = service.models(request)
        jobs = await service.submit(request.all_texts, models)
        answers = _answers(request, jobs, deadline, http)
        if NDJSON in http.headers.get("accept", ""):
            return StreamingResponse(_lines(answers), media_type=NDJSON)
        results = [answer async for answer in answers]
        return JSONResponse({"models": [model.name for model in models], "results": results})

    @app.get("/v1/models")
    async def models() -> ModelList:
        """Models that may be served."""
        loaded = service.shelf.loaded
        return ModelList(models=[_info(name, loaded.get(name)) for name in service.shelf.sources])

    def refuse_if_fixed() -> None:
        if service.fixed:
            raise _refusal(409, "models do not come and go here", "name them when the service starts")

    @app.post("/v1/models/{name}/load")
    async def load(name: ModelName) -> ModelInfo:
        """Load a model of the allow-list."""
        refuse_if_fixed()
        if name not in service.shelf.sources:
            raise _refusal(404, "no such model", "GET /v1/models lists them")
        try:
            model = await anyio.to_thread.run_sync(service.shelf.load, name)
        except ZooError as error:
            log.error("cannot load %s: %s", name, error)
            raise _refusal(502, "it cannot be loaded", "the log of the service says why") from None
        return _info(name, model)

    @app.post("/v1/models/{name}/unload")
    async def unload(name: ModelName) -> ModelInfo:
        """Drop a model from memory; requests under way are answered."""
        refuse_if_fixed()
        try:
            await anyio.to_thread.run_sync(service.shelf.unload, name)
        except KeyError:
            raise _refusal(404, "no such model is loaded", "GET /v1/models lists them") from None
        return _info(name, None)

    @app.get("/health", response_class=PlainTextResponse)
    async def health() -> str:
        """Whether the process answers."""
        return "ok"

    @app.get("/ready", response_class=PlainTextResponse)
    async def ready() -> Response:
        """Whether it takes requests: it was not told to stop. It listens only once its models are loaded."""
        return PlainTextResponse("stopping", 503) if service.stopping else PlainTextResponse("ready")

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return Gate(app, service.limits, service.metrics, service.keys, _ROUTES)


def _info(name: str, model: Model | None) -> ModelInfo:
    types = list(predictable_types(model.tagger)) if model else None
    return ModelInfo(name=name, loaded=model is not None, types=types)


async def _lines(answers: AsyncIterator[Answer]) -> AsyncIterator[bytes]:
    """JSON lines; one with `error` is the last where time is over, as the status is sent by then."""
    try:
        async for answer in answers:
            yield json.dumps(answer).encode() + b"\n"
    except HTTPException as error:
        yield json.dumps(error.detail).encode() + b"\n"


def _refusal(status: int, error: str, fix: str, headers: dict[str, str] | None = None) -> HTTPException:
    return HTTPException(status, {"error": error, "fix": fix}, headers)

"""What people write today: one `pipeline()` a model behind FastAPI; `python plain.py PORT MODEL...`, for `load.py`."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

from zoo.modeling.windows import aggregation_strategy
from zoo.tagging.models import resolve_model
from zoo.tagging.tagger import Tagger

app = FastAPI()
PIPELINES: dict[str, Any] = {}


class Request(BaseModel):
    """As of `zoo serve`."""

    texts: list[str]
    models: list[str]


@app.post("/v1/tag")
def tag(request: Request) -> dict[str, Any]:
    """In a thread of its own, as FastAPI runs functions that wait."""
    found = PIPELINES[request.models[0]](request.texts)
    entities = [
        [{"start": e["start"], "end": e["end"], "type": e["entity_group"], "score": float(e["score"])} for e in each]
        for each in found
    ]
    return {"results": [{"entities": each} for each in entities]}


@app.get("/ready")
def ready() -> str:
    """Once all are loaded."""
    return "ready"


def load(model: str) -> Any:
    """A pipeline as the card of an adapter shows it."""
    tagger = Tagger.load(model)
    strategy = aggregation_strategy(tagger.tokenizer)
    return pipeline("token-classification", resolve_model(model), aggregation_strategy=strategy, stride=128)


if __name__ == "__main__":
    port, *models = sys.argv[1:]
    PIPELINES |= {str(number): load(model) for number, model in enumerate(models)}
    uvicorn.run(app, port=int(port), log_level="warning")

"""The part of a recipe that says how the mentions of a checkpoint are linked to concepts."""

from __future__ import annotations

from pydantic import Field

from zoo.registry.schema import Entry


class LinkRecipe(Entry):
    """Linking of a checkpoint's mentions, where its corpus is annotated with concepts."""

    enabled: bool = Field(default=True, description="link where the corpus entry or `ontologies` names an ontology")
    ontologies: dict[str, str] = Field(
        default_factory=dict, description="type -> ontology; empty: of each type the first that the corpus entry names"
    )
    train_names: bool = Field(default=True, description="mentions of the training split count as names")
    nil: bool = Field(default=True, description="answer none where no candidate is sure enough, by the dev split")
    reranker: bool = Field(default=True, description="order candidates with an adapter that is trained on synonyms")
    lora_rank: int = Field(default=8, ge=1, le=256, description="of the reranker's adapter")
    learning_rate: float = Field(default=5e-4, gt=0)
    batch_size: int = Field(default=256, ge=2, description="pairs of names of one step")
    epochs: int = Field(default=1, ge=1)
    pairs_max: int = Field(default=20_000, ge=2, description="most pairs of an epoch, drawn from all synonyms")
    margin: float = Field(default=0.2, gt=0, description="of the triplets that count: arXiv 2010.11784")

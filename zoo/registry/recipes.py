"""Recipes: hyper-parameters of a build, with defaults, per-pattern overrides and `--set path=value`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from zoo.errors import ZooError, did_you_mean
from zoo.registry.link_recipe import LinkRecipe
from zoo.registry.reading import check
from zoo.registry.schema import Entry


class LoraRecipe(Entry):
    """Low-rank adapters (arXiv 2106.09685)."""

    rank: int = Field(default=8, ge=1, le=256)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of what each adapter is given that is dropped")
    targets: tuple[str, ...] | None = Field(default=None, description="null: what the backbone's family says")
    upper_layers: int | None = Field(
        default=None,
        ge=1,
        description="adapt so many of the uppermost layers alone: when several such adapters tag together, the layers "
        "below run once; null: all layers",
    )


class HeadsRecipe(Entry):
    """How mentions that share characters are divided among heads; of corpora with `overlaps: keep` alone."""

    layout: Literal["auto", "flat", "types", "levels", "types-levels"] = Field(
        default="auto",
        description="one head, one for each type, for each level of nesting, for each level of each type; auto: the "
        "fewest heads that hold nearly all training mentions",
    )
    levels: int = Field(default=2, ge=2, le=4, description="of the layouts with levels; auto finds its own")
    discontinuous: bool = Field(
        default=True,
        description="find discontinuous mentions in what the heads find, where training has enough of them; names of "
        "training then lie beside the adapter, and are published with it",
    )


class FinetuneRecipe(Entry):
    """Token-classification training on one corpus."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=16, ge=1, description="documents in one step; a run counts as many as it joins")
    learning_rate: float = Field(default=5e-4, gt=0)
    loraplus_lr_ratio: float = Field(
        default=1.0, gt=0, description="learning rate of LoRA's B over that of all else: LoRA+, arXiv 2402.12354"
    )
    warmup_share: float = Field(default=0.1, ge=0, lt=1, description="share of all steps with rising learning rate")
    weight_decay: float = Field(default=0.01, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    join_sentences: float = Field(
        default=0.5,
        ge=0,
        le=0.9,
        description="sentence corpora: share of the sentences trained on in runs of 2 to 10; users tag documents",
    )
    noise: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the training documents that come twice in each epoch, the second time written as "
        "clinical notes are: shorthand, typing and reading errors, wrapped lines, headings",
    )
    patience: int = Field(
        default=5, ge=1, description="epochs without a better dev F1 before stopping; not counted in the first third"
    )
    backbone_dropout: bool = Field(
        default=True,
        description="the backbone's own dropout; off, training on CPUs takes an eighth to a quarter less time",
    )
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class DaptRecipe(Entry):
    """Domain-adaptive pre-training: masked language modelling with LoRA; defaults of arXiv 2508.01630, table 1."""

    passages: tuple[str, ...] = Field(default=(), description="registry entries to train on; empty: no DAPT")
    test_sets: tuple[str, ...] | None = Field(
        default=None,
        description="corpora whose test sentences are kept out of the passages; null: all that can be had",
    )
    rank: int = Field(default=16, ge=1, le=256)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    backbone_dropout: bool = Field(default=True, description="the backbone's own dropout, while LoRA is trained")
    targets: tuple[str, ...] | None = Field(
        default=None, description="null: query and value, as the backbone's family names them"
    )
    length_tokens: int = Field(default=256, ge=16, description="longest sequence, special tokens included")
    batch_size: int = Field(default=128, ge=1, description="sequences of one step")
    micro_batch_size: int = Field(default=16, ge=1, description="sequences of one forward pass on one device")
    learning_rate: float = Field(default=2e-4, gt=0)
    head_learning_rate: float = Field(
        default=1e-3, gt=0, description="of a new language-modelling head on the frozen backbone"
    )
    warmup_steps: int = Field(default=500, ge=0, description="at most a tenth of all steps")
    weight_decay: float = Field(default=0.01, ge=0)
    masked_share: float = Field(default=0.15, gt=0, lt=1)
    epochs: int = Field(default=3, ge=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    heldout_max: int = Field(default=500, ge=1, description="passages kept out of training to measure perplexity on")
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, description="one base serves checkpoints of any seed")


class Interval(Entry):
    """A range of a search."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Interval:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range starts above 0")
        return self


class Choice(Entry):
    """Values of a search without order."""

    choices: tuple[Any, ...] = Field(min_length=2)


def _kind_of_space(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """Which of the two was meant, so that an error is about that one alone."""
    return "choice" if isinstance(value, Choice) or (isinstance(value, Mapping) and "choices" in value) else "range"


Space = Annotated[Annotated[Interval, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind_of_space)]

DEFAULT_SPACE: dict[str, Space] = {
    "finetune.learning_rate": Interval(low=2e-4, high=5e-3, log=True),
    "lora.rank": Choice(choices=(2, 4, 6)),
    "lora.alpha": Choice(choices=(8, 16, 32)),
    "lora.dropout": Choice(choices=(0.0, 0.05, 0.1)),
    "finetune.batch_size": Choice(choices=(8, 16, 32)),
    "finetune.warmup_share": Interval(low=0.0, high=0.2),
    "finetune.weight_decay": Choice(choices=(0.0, 0.01, 0.1)),
    "finetune.label_smoothing": Choice(choices=(0.0, 0.05, 0.1)),
}
"""What `zoo tune` varies; epochs and targets can be added. Ranks stay under the trained share of 1.5 %."""


class TuneRecipe(Entry):
    """Bayesian search (Optuna's TPE) for the best dev strict micro-F1 before the final training."""

    trials: int = Field(default=0, ge=0, description="0: no search")
    minutes: float | None = Field(
        default=None, gt=0, description="no trial starts after so much time of trials; then come the repeats"
    )
    startup_trials: int = Field(default=5, ge=1, description="the first is the recipe itself, the others are random")
    prune_after_epochs: int = Field(default=2, ge=1, description="a trial below the median is ended after these")
    confirm_top: int = Field(
        default=3, ge=1, description="so many of the best, the recipe among them, are trained with more seeds; 1: none"
    )
    confirm_seeds: int = Field(default=2, ge=0, description="more seeds for each; the best mean is taken; 0: none")
    space: dict[str, Space] = Field(default_factory=lambda: dict(DEFAULT_SPACE))

    @property
    def repeats(self) -> int:
        """Most trainings with other seeds after the trials."""
        return min(self.confirm_top, self.trials) * self.confirm_seeds if min(self.confirm_top, self.trials) > 1 else 0


class EvaluationRecipe(Entry):
    """How intervals are drawn, and what is measured beside the scores."""

    bootstrap_samples: int = Field(default=10_000, ge=100)
    robustness_documents: int = Field(
        default=1000, ge=0, description="score so many of the test documents, evenly spread, in six worse spellings too"
    )


class Recipe(Entry):
    """All hyper-parameters of one checkpoint."""

    seed: int = Field(default=13, ge=0)
    seeds: int = Field(
        default=1, ge=1, le=10, description="trainings with seed, seed + 1, ... that the score is reported over"
    )
    dapt: DaptRecipe = DaptRecipe()
    tune: TuneRecipe = TuneRecipe()
    lora: LoraRecipe = LoraRecipe()
    heads: HeadsRecipe = HeadsRecipe()
    finetune: FinetuneRecipe = FinetuneRecipe()
    link: LinkRecipe = LinkRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()


FAST: dict[str, Any] = {"dapt.passages": [], "tune.trials": 0, "seeds": 1, "link.reranker": False}
"""What `--fast` sets: no pre-training, no search, one training, linking by names alone."""


class RecipeOverride(Entry):
    """Values that replace the defaults for the checkpoints whose id matches a shell pattern."""

    match: str
    set: dict[str, Any]


class RecipesEntry(Entry):
    """recipes.yaml."""

    default: Recipe = Recipe()
    overrides: tuple[RecipeOverride, ...] = ()

    def for_checkpoint(self, checkpoint_id: str, settings: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe of one checkpoint: defaults, then matching overrides in order, then `settings`.

        Args:
            checkpoint_id: `backbone/corpus`.
            settings: Dotted path -> value, as given by `--set`.

        Raises:
            ZooError: A path does not exist or a value is not allowed there.
        """
        recipe = self.default
        for override in self.overrides:
            if fnmatch.fnmatchcase(checkpoint_id, override.match):
                recipe = with_values(recipe, override.set, where=f"recipes.yaml: overrides: {override.match}")
        recipe = with_values(recipe, settings or {}, where="--set")
        if recipe.tune.trials:
            check_space(recipe)
        return recipe


def resolved(recipe: Recipe, lora_targets: Sequence[str], *, documents: bool) -> Recipe:
    """A recipe with nothing left open: what is trained is what it says.

    Args:
        recipe: A recipe as it was written.
        lora_targets: Modules that the backbone's family adapts where the recipe names none.
        documents: Whether the corpus is one of documents: these are texts as users have them, and are never joined.
    """
    lora = recipe.lora.model_copy(update={"targets": recipe.lora.targets or tuple(lora_targets)})
    changes: dict[str, Any] = {"lora": lora}
    if documents:
        space = {path: each for path, each in recipe.tune.space.items() if path != "finetune.join_sentences"}
        changes["finetune"] = recipe.finetune.model_copy(update={"join_sentences": 0.0})
        changes["tune"] = recipe.tune.model_copy(update={"space": space})
    return recipe.model_copy(update=changes)


_MAPPINGS = frozenset({"tune.space", "link.ontologies"})
"""Values that are mappings themselves: set as a whole."""


def with_values(recipe: Recipe, values: Mapping[str, Any], *, where: str) -> Recipe:
    """A copy of `recipe` with values at dotted paths replaced, checked again by the schema."""
    data = recipe.model_dump()
    for path, value in values.items():
        node: Any = data
        *parents, leaf = path.split(".")
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        branch = isinstance(node, dict) and isinstance(node.get(leaf), dict) and path not in _MAPPINGS
        if not isinstance(node, dict) or leaf not in node or branch:
            raise ZooError(
                f"no setting {path!r} in a recipe", where=where, fix=did_you_mean(path, _paths(recipe.model_dump()))
            )
        node[leaf] = value
    return check(Recipe, data, where=where)


def check_space(recipe: Recipe) -> None:
    """See that every value that a search may try is one that the recipe may have.

    Raises:
        ZooError: A path is none of `lora` or `finetune`, or what it may be is not allowed there.
    """
    where = "tune.space"
    known: dict[str, LoraRecipe | FinetuneRecipe] = {"lora": recipe.lora, "finetune": recipe.finetune}
    for path, space in recipe.tune.space.items():
        part, _, name = path.partition(".")
        if part not in known or name not in type(known[part]).model_fields:
            searched = [f"{part}.{name}" for part, values in known.items() for name in type(values).model_fields]
            raise ZooError(f"{path!r} cannot be searched", where=where, fix=did_you_mean(path, searched))
        own, data = getattr(known[part], name), known[part].model_dump()
        tried: tuple[Any, ...]
        if isinstance(space, Choice):
            tried = space.choices
        elif not isinstance(own, (int, float)):
            raise ZooError(f"{path} is no number: it has no range", where=where, fix="give choices")
        elif isinstance(own, int) and not space.integer:
            raise ZooError(f"{path} is a whole number", where=where, fix="add integer: true to its range")
        else:
            tried = (space.low, space.high)
        for value in tried:
            try:
                type(known[part]).model_validate({**data, name: value})
            except ValidationError as error:
                raise ZooError(f"{path} cannot be {value!r}: {error.errors()[0]['msg']}", where=where) from None


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """Read `path=value` arguments; values are YAML scalars or lists."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise ZooError(
                f"--set takes path=value, not {assignment!r}", where="--set", fix="for example --set finetune.epochs=3"
            )
        try:
            settings[path.strip()] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            raise ZooError(f"the value of {path} is not valid YAML: {value!r}", where="--set") from None
    return settings


def _number(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """YAML 1.1 reads `1e-3` as text; people mean a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _paths(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, value in data.items():
        path = f"{prefix}{name}"
        paths += _paths(value, f"{path}.") if isinstance(value, dict) and path not in _MAPPINGS else [path]
    return paths

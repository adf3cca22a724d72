"""A loaded model that turns texts into entities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.modeling.adapters import ADAPTER_CONFIG, find_base
from zoo.modeling.batches import forward, longest_window, token_batches
from zoo.modeling.device import Precision, best_device, has_bfloat16, has_fast_bfloat16, plain_attention
from zoo.modeling.windows import Entity, Window, decode, encode, finish

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_STRIDE_TOKENS = 128
_PLAIN_ATTENTION_TOKENS = 512
"""Longer windows would need too much memory for it; in float32 the fused kernel is faster on abstracts."""
_PACKED_TOKENS = 1024
"""Of a batch on a CPU: what a layer computes from it stays in a core's cache."""


@dataclass
class Tagger:
    """Finds entities in texts of any length.

    Attributes:
        model: A token-classification model, adapters included, in eval mode.
        tokenizer: Its fast tokenizer.
        window_tokens: Longest window, special tokens included.
        stride_tokens: Tokens shared by neighbouring windows.
        adapter: Name of its adapter where several share the model (`load_all`).
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    window_tokens: int
    stride_tokens: int
    adapter: str | None = None

    @classmethod
    def load(cls, model: str | Path, *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> Tagger:
        """Load an adapter or a whole model, from a folder or from the Hub.

        Args:
            model: Folder, checkpoint folder of a build (its `adapter/` is taken), or Hub id.
            stride_tokens: Tokens shared by neighbouring windows.

        Raises:
            ZooError: There is no such model, or it is not a token-classification model with a fast tokenizer.
        """
        import torch
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        source = resolve_model(model)
        try:
            loaded = AutoModelForTokenClassification.from_pretrained(source, dtype=torch.float32)
            base = getattr(loaded, "peft_config", {}).get("default")
            tokenizer = AutoTokenizer.from_pretrained(base.base_model_name_or_path if base else source)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ZooError(
                f"cannot load {str(model)!r} as a token-classification model: {str(error).splitlines()[0]}",
                fix="give a folder with an adapter or a model, or a Hub id",
            ) from None
        if not tokenizer.is_fast:
            raise ZooError(
                f"the tokenizer of {str(model)!r} gives no character offsets", fix="use a model with a fast tokenizer"
            )
        return cls.of(loaded.to(best_device()), tokenizer, stride_tokens=stride_tokens)

    @classmethod
    def load_all(cls, models: Sequence[str | Path], *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> list[Tagger]:
        """Load several models; adapters of one base share it, and its tokens.

        Args:
            models: As for `load`.
            stride_tokens: Tokens shared by neighbouring windows.

        Raises:
            ZooError: As for `load`.
        """
        from peft import PeftModel

        sources = [resolve_model(model) for model in models]
        bases = [_base_of(source) for source in sources]
        shared: dict[str, Tagger] = {}
        taggers = []
        for source, base, name in zip(sources, bases, map(str, range(len(sources))), strict=True):
            if base is None or bases.count(base) == 1:
                taggers.append(cls.load(source, stride_tokens=stride_tokens))
            elif base not in shared:
                plain = cls.load(base, stride_tokens=stride_tokens)
                tuned: Any = PeftModel.from_pretrained(plain.model, source, adapter_name=name).eval()
                shared[base] = replace(plain, model=tuned, adapter=name)
                taggers.append(shared[base])
            else:
                tuned = shared[base].model
                tuned.load_adapter(source, adapter_name=name)
                tuned.eval()
                taggers.append(replace(shared[base], adapter=name))
        return taggers

    @classmethod
    def of(
        cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, stride_tokens: int = DEFAULT_STRIDE_TOKENS
    ) -> Tagger:
        """Wrap a model in memory; the window is what tokenizer and position embeddings allow."""
        window = longest_window(model, tokenizer)
        model.eval()
        return cls(model, tokenizer, window, min(stride_tokens, window // 4))

    @property
    def labels(self) -> list[str]:
        """Label names by id."""
        return [self.model.config.id2label[index] for index in range(len(self.model.config.id2label))]

    def tag(
        self,
        texts: Sequence[str],
        *,
        batch_tokens: int | None = None,
        precision: Precision = "float32",
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Entity]]:
        """Find the entities of each text.

        Args:
            texts: Texts of any length.
            batch_tokens: Padded tokens in one forward pass; None: 512 on a CPU (more leave its cache, and take up to
                a third longer), 16,384 on a GPU.
            precision: Number format to compute in: bfloat16 and int8 are faster where the processor multiplies them;
                scores, and now and then an entity, differ. `auto`: the entities of float32, bfloat16 where it is
                certain to give them.
            progress: Called with the number of windows done after each batch.

        Returns:
            Per text, entities in order of their start.

        Raises:
            ZooError: The processor does not compute in int8.
        """
        windows = encode(self.tokenizer, texts, window_tokens=self.window_tokens, stride_tokens=self.stride_tokens)
        return self.tag_windows(texts, windows, batch_tokens=batch_tokens, precision=precision, progress=progress)

    def tag_windows(
        self,
        texts: Sequence[str],
        windows: Sequence[Window],
        *,
        batch_tokens: int | None = None,
        precision: Precision = "float32",
        merge: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Entity]]:
        """As `tag`, for windows that are encoded already; `merge` as for `decode_together`."""
        found = self.decode_windows(
            windows, batch_tokens=batch_tokens, precision=precision, merge=merge, progress=progress
        )
        per_text: list[list[list[Entity]]] = [[] for _ in texts]
        for window, entities in zip(windows, found, strict=True):
            per_text[window.text].append(entities)
        return [finish(text, per_window) for text, per_window in zip(texts, per_text, strict=True)]

    def decode_windows(
        self,
        windows: Sequence[Window],
        *,
        batch_tokens: int | None = None,
        precision: Precision = "float32",
        merge: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Entity]]:
        """The entities of each window by itself, not yet joined with those of its neighbours; see `decode_together`."""
        (found,) = decode_together(
            [self], windows, batch_tokens=batch_tokens, precision=precision, merge=merge, progress=progress
        )
        return found


def decode_together(
    taggers: Sequence[Tagger],
    windows: Sequence[Window],
    *,
    batch_tokens: int | None = None,
    precision: Precision = "float32",
    merge: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[list[list[Entity]]]:
    """The entities of each window by each model, not yet joined with those of neighbouring windows.

    Args:
        taggers: Models that take the same windows (`Tagger.load_all`).
        windows: Windows of any texts.
        batch_tokens: As for `Tagger.tag`.
        precision: As for `Tagger.tag`.
        merge: Make the weights ready first (`packed`, `merged_lora`): logits are the same up to rounding. It pays from
            some thousand tokens on; int8 always does.
        progress: As for `Tagger.tag`.

    Returns:
        Per model, per window.
    """
    from zoo import kernels
    from zoo.kernels.infer import can_pack

    merge = merge and kernels.enabled()
    if precision == "auto" and not has_fast_bfloat16():
        precision = "float32"
    formats = ("auto", "float32", *(["bfloat16"] if has_bfloat16() else []))
    if merge and precision in formats and all(can_pack(tagger.model) for tagger in taggers):
        from zoo.kernels.entities import decode_packed

        groups: dict[int, list[int]] = {}
        for number, tagger in enumerate(taggers):
            groups.setdefault(id(tagger.model), []).append(number)
        found: dict[int, list[list[Entity]]] = {}
        for group in groups.values():
            own = [taggers[number] for number in group]
            tokens = batch_tokens or _PACKED_TOKENS
            answers = decode_packed(
                [(one.model, one.adapter) for one in own],
                [one.labels for one in own],
                windows,
                precision=precision,  # type: ignore[arg-type]
                batch_tokens=tokens,
                progress=progress,
            )
            found |= dict(zip(group, answers, strict=True))
        return [found[number] for number in range(len(taggers))]
    number_format: Precision = "float32" if precision == "auto" else precision
    return [_decode(tagger, windows, batch_tokens, number_format, merge, progress) for tagger in taggers]


def _decode(
    tagger: Tagger,
    windows: Sequence[Window],
    batch_tokens: int | None,
    precision: Precision,
    merge: bool,
    progress: Callable[[int], None] | None,
) -> list[list[Entity]]:
    """As transformers computes it."""
    import torch

    from zoo.kernels.merged import merged_lora

    if tagger.adapter:
        tagger.model.set_adapter(tagger.adapter)
    names = tagger.labels
    batch_tokens = batch_tokens or (512 if tagger.model.device.type == "cpu" else 16_384)
    found: list[list[Entity]] = [[] for _ in windows]
    with torch.inference_mode(), ExitStack() as stack:
        if merge or precision == "int8":
            stack.enter_context(merged_lora(tagger.model, precision=precision))
            if precision == "bfloat16" and tagger.window_tokens <= _PLAIN_ATTENTION_TOKENS:
                stack.enter_context(plain_attention(tagger.model))
        for batch in token_batches(windows, batch_tokens):
            chosen, pad_id = [windows[i] for i in batch], int(tagger.tokenizer.pad_token_id or 0)
            logits = forward(tagger.model, chosen, pad_id, bfloat16=precision == "bfloat16")
            best = logits.float().softmax(-1).max(-1)
            for row, index in enumerate(batch):
                size = len(windows[index])
                ids, scores = best.indices[row, :size].cpu().numpy(), best.values[row, :size].cpu().numpy()
                found[index] = decode(windows[index], ids, scores, names)
            if progress:
                progress(len(batch))
    return found


def check_same_logits(trained: PreTrainedModel, shipped: Tagger, texts: Sequence[str]) -> None:
    """Assert that what was written computes exactly what was trained: logits differ by 0.0.

    Raises:
        ZooError: They differ.
    """
    import torch

    windows = encode(
        shipped.tokenizer, texts, window_tokens=shipped.window_tokens, stride_tokens=shipped.stride_tokens
    )[: len(texts)]
    pad_id = int(shipped.tokenizer.pad_token_id or 0)
    with torch.inference_mode():
        difference = (forward(trained, windows, pad_id) - forward(shipped.model, windows, pad_id)).abs().max().item()
    if difference != 0.0:
        raise ZooError(
            f"the adapter on disk differs from the trained model by {difference:.3g} in its logits",
            fix="check head_modules of the backbone's family",
        )


def resolve_model(model: str | Path) -> str:
    """The string that transformers loads: `adapter/` inside a checkpoint folder, else the folder itself, else a Hub id.

    Raises:
        ZooError: It looks like a folder but is none.
    """
    folder = Path(model).expanduser()
    if (folder / "adapter" / "adapter_config.json").is_file():
        folder = folder / "adapter"
    if folder.is_dir():
        if not any((folder / name).is_file() for name in ("adapter_config.json", "config.json")):
            raise ZooError(
                "the folder holds neither adapter_config.json nor config.json",
                where=folder,
                fix="give a folder written by zoo build or save_pretrained",
            )
        if (folder / ADAPTER_CONFIG).is_file():
            find_base(folder)
        return str(folder)
    if str(model).count("/") != 1 or str(model).startswith((".", "/", "~")):
        raise ZooError(
            f"there is no model folder {str(model)!r}",
            fix="give a folder that zoo build wrote, or a Hub id such as openmed/minilm-l6-bc5cdr-disease",
        )
    return str(model)


def _base_of(source: str) -> str | None:
    """The base that an adapter names; None: it is a whole model, or cannot be read, of which `load` tells."""
    from huggingface_hub.errors import HfHubHTTPError
    from peft import PeftConfig

    try:
        return PeftConfig.from_pretrained(source).base_model_name_or_path  # type: ignore[no-any-return]
    except (OSError, ValueError, HfHubHTTPError):
        return None

"""Languages that do not go together: no error, but nothing to be surprised by later."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.language import speaks
from zoo.language.names import language_name
from zoo.registry.loader import Checkpoint, Registry


def mismatches(checkpoints: Sequence[Checkpoint], registry: Registry) -> dict[str, list[str]]:
    """Corpora, and passages of pre-training, in a language that their backbone was not pre-trained on.

    Args:
        checkpoints: What is to be built.
        registry: Where passages say their language.

    Returns:
        What does not go together, in words, each once -> ids of the checkpoints.
    """
    found: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        backbone, corpus = checkpoint.backbone, checkpoint.corpus
        texts = {part.id: (part.language, "it finds less than one that was") for part in corpus.parts}
        for name in checkpoint.recipe.dapt.passages:
            texts[f"the passages {name}"] = (registry.passage(name).language, "pre-training may spoil what it knows")
        for name, (language, consequence) in texts.items():
            if not speaks(backbone.languages, language):
                known = " and ".join(map(language_name, backbone.languages))
                what = f"{backbone.id} was pre-trained on {known}, {name} "
                what += f"{'are' if name.startswith('the ') else 'is'} in {language_name(language)}: {consequence}"
                found.setdefault(what, []).append(checkpoint.id)
    return found

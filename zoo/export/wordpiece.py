"""What the page must know of a tokenizer: its vocabulary, and what it makes of each character of Unicode.

The page has a WordPiece of its own, as libraries of JavaScript give no offsets. Which characters are dropped, set apart
or written otherwise is asked of the tokenizer itself: page and Python agree, whatever Unicode either knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_HANGUL = range(0xAC00, 0xD7A4)
"""Syllables, which decompose by rule."""
_CHARACTERS = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0x110000))
"""All but surrogates and the planes that hold nothing."""
_PARTS = {"normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer", "model": "WordPiece"}


def describe_wordpiece(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """All that `page/wordpiece.js` needs to encode a text as a tokenizer does.

    Args:
        tokenizer: A fast tokenizer, of BERT's kind.

    Raises:
        ZooError: It is of another kind.
    """
    backend = tokenizer.backend_tokenizer
    parts = json.loads(backend.to_str())
    found = {part: (parts[part] or {}).get("type") for part in _PARTS}
    special = parts["added_tokens"]
    odd = [
        each["content"] for each in special if any(each[k] for k in ("single_word", "lstrip", "rstrip", "normalized"))
    ]
    if found != _PARTS or odd:
        what = f"adds {', '.join(map(repr, odd))}" if odd else " + ".join(f"{kind}" for kind in found.values())
        raise ZooError(
            f"the page knows tokenizers of BERT's kind only ({' + '.join(_PARTS.values())}); this one is {what}",
            fix="take adapters of another backbone, or --onnx",
        )
    one = tokenizer("x")["input_ids"]
    place = one.index(tokenizer.convert_tokens_to_ids(tokenizer.tokenize("x")[0]))
    vocabulary = tokenizer.get_vocab()
    return {
        "vocabulary": sorted(vocabulary, key=vocabulary.__getitem__),
        "unknown": parts["model"]["unk_token"],
        "prefix": parts["model"]["continuing_subword_prefix"],
        "longest_word": parts["model"]["max_input_chars_per_word"],
        "special": [each["content"] for each in special],
        "before": one[:place],
        "after": one[place + 1 :],
        **_characters(backend),
    }


def _characters(backend: Any) -> dict[str, Any]:  # noqa: ANN401 - of tokenizers
    """Ranges of characters that are dropped, blank, or have blanks put around them; others' other writing; punctuation.

    A range is two numbers, its first character and the one past its last.
    """
    dropped, blank, apart, written, punctuation = [], [], [], {}, []
    for code in chain(*_CHARACTERS):
        character = chr(code)
        normal = backend.normalizer.normalize_str(character)
        if normal == "":
            dropped.append(code)
        elif normal == " ":
            blank.append(code)
        elif normal == f" {character} ":
            apart.append(code)
        elif normal != character and code not in _HANGUL:
            written[character] = normal
        if len(backend.pre_tokenizer.pre_tokenize_str(f"a{character}a")) == 3:
            punctuation.append(code)
    syllables = backend.normalizer.normalize_str("가") != "가"
    sets = {"dropped": dropped, "blank": blank, "apart": apart, "punctuation": punctuation}
    return {
        **{name: list(_ranges(codes)) for name, codes in sets.items()},
        "written": written,
        "syllables_decompose": syllables,
    }


def _ranges(codes: Iterable[int]) -> Iterator[int]:
    end = -1
    for code in codes:
        if code != end:
            yield from (end, code) if end >= 0 else (code,)
        end = code + 1
    if end >= 0:
        yield end

"""The rules of a language: phrases that say something of mentions near them, and headers of sections.

`languages/LANGUAGE/` holds what libraries publish as it stands (see `languages/README.md`) and `own.json`, which names
these files, what of them is left out, and the rules of this project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

from zoo.context.tokens import fold, tokenize
from zoo.errors import ZooError
from zoo.language import primary

RULES = Path(__file__).parent / "languages"
OWN_FILE = "own.json"
NUMBER, YEAR, SENTENCE_END = "0", "1900", "$"
"""What stands in a phrase for any number, for a year, and for the end of the sentence."""
Axis = Literal["negation", "temporality", "experiencer"]
Direction = Literal["forward", "backward", "bidirectional", "terminate", "pseudo"]
_MEANING: Mapping[str, tuple[Axis | None, str]] = {
    "NEGATED_EXISTENCE": ("negation", "negated"),
    "POSSIBLE_EXISTENCE": ("negation", "possible"),
    "HISTORICAL": ("temporality", "historical"),
    "HYPOTHETICAL": ("temporality", "hypothetical"),
    "FAMILY": ("experiencer", "other"),
    "ANY": (None, ""),
}
"""medspaCy's categories, and `ANY` for what ends the reach of all."""
_TERMSETS: Mapping[str, Direction] = {
    "preceding_negations": "forward",
    "following_negations": "backward",
    "pseudo_negations": "pseudo",
    "termination": "terminate",
}
"""How negspacy names directions; all its phrases are about negation."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a phrase does.

    Attributes:
        axis: What it speaks of; a terminating one ends the reach of those with its value, without an axis of all.
        value: What it says.
        direction: Which side of it is meant; `terminate` ends the reach of others, `pseudo` hides phrases inside it.
        most_words: How far it reaches at most; None: to the end of the sentence.
    """

    axis: Axis | None
    value: str
    direction: Direction
    most_words: int | None = None


@dataclass
class Node:
    """A place in the tree of phrases: the words that may follow, and the rules of the phrase that ends here."""

    following: dict[str, Node] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """What is known of a language.

    Attributes:
        language: Its tag.
        phrases: Root of the tree of phrases, by folded words.
        headers: Folded words of a header -> name of the section.
        sections: Section -> what it says of the mentions in it where no phrase does.
    """

    language: str
    phrases: Node
    headers: Mapping[str, str]
    sections: Mapping[str, Mapping[str, str]]


def languages() -> list[str]:
    """Tags of the languages that there are rules for."""
    return sorted(path.parent.name for path in RULES.glob(f"*/{OWN_FILE}"))


@lru_cache(maxsize=8)
def load_rules(language: str) -> Rules:
    """The rules of a language; of `es-MX` those of `es`.

    Raises:
        ZooError: There are none.
    """
    name = primary(language)
    if name not in languages():
        raise ZooError(
            f"there are no rules of assertion for the language {language!r}, only for {', '.join(languages())}",
            where="--assertion",
            fix="name the language of the texts with --language, or leave --assertion out",
        )
    folder = RULES / name
    own = _read(folder / OWN_FILE)
    left_out = {fold(literal) for literal in own["left_out"]}
    root = Node()
    for file in own["files"]:
        for literal, phrases, rule in _published(_read(folder / file)):
            # as in medspaCy, what ends the reach of a negation ends that of any phrase
            ends_all = rule.direction == "terminate" and rule.axis == "negation"
            if fold(literal) not in left_out:
                _add(root, phrases, replace(rule, axis=None) if ends_all else rule)
    for _, phrases, rule in _medspacy(own["context_rules"]):
        _add(root, phrases, rule)
    headers = [header for file in own["section_files"] for header in _read(folder / file)["section_rules"]]
    return Rules(
        name,
        root,
        {header_key(h["literal"]): own["section_names"].get(h["category"], h["category"]) for h in headers}
        | {header_key(literal): name for name, literals in own["headers"].items() for literal in literals},
        own["sections_say"],
    )


def header_key(header: str) -> str:
    """A header as it is looked up: folded words, without signs but `/` and `&`."""
    return " ".join(token.folded for token in tokenize(header) if token.folded[0].isalnum() or token.folded in "/&")


def _read(path: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(path.read_text(encoding="utf-8"))


def _published(content: Any) -> Iterator[tuple[str, list[tuple[str, ...]], Rule]]:  # noqa: ANN401 - JSON
    """Phrases of medspaCy's format or of negspacy's."""
    if "context_rules" in content:
        yield from _medspacy(content["context_rules"])
        return
    for key, direction in _TERMSETS.items():
        for literal in content[key]:
            yield literal, [_words(literal)], Rule("negation", "negated", direction)


def _medspacy(rules: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[tuple[str, ...]], Rule]]:
    for rule in rules:
        direction: Direction = rule["direction"].lower()
        axis, value = _MEANING[rule["category"]]
        for literal in rule.get("literals") or [rule["literal"]]:
            phrases = list(_spelled(rule["pattern"])) if rule.get("pattern") else [_words(literal)]
            yield literal, phrases, Rule(axis, value, direction, rule.get("max_scope"))


def _spelled(pattern: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """All phrases of a token pattern: a word, or one of several, each perhaps optional."""
    choices = []
    for part in pattern:
        words = part["LOWER"]["IN"] if isinstance(part["LOWER"], dict) else [part["LOWER"]]
        choices.append([_words(word) for word in words] + ([()] if part.get("OP") == "?" else []))
    for chosen in product(*choices):
        yield tuple(word for words in chosen for word in words)


def _words(phrase: str) -> tuple[str, ...]:
    return tuple(token.folded for token in tokenize(phrase))


def _add(root: Node, phrases: Sequence[tuple[str, ...]], rule: Rule) -> None:
    for phrase in phrases:
        node = root
        for word in phrase:
            node = node.following.setdefault(word, Node())
        if rule not in node.rules:
            node.rules.append(rule)

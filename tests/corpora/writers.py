"""Write documents in every format, to read them back and to damage them; BioC by the package's own writers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from zoo.corpora.document import Document, Span


def token_document(name: str, *tagged: tuple[str, list[tuple[int, int, str]]]) -> Document:
    """A document of sentences: tokens separated by spaces, mentions as `(first token, last token, type)`."""
    tokens: list[tuple[int, int]] = []
    spans: list[Span] = []
    offset = 0
    for text, mentions in tagged:
        first = len(tokens)
        for word in text.split(" "):
            tokens.append((offset, offset + len(word)))
            offset += len(word) + 1
        spans += [Span(tokens[first + a][0], tokens[first + b][1], kind) for a, b, kind in mentions]
    return Document(name, "\n".join(text for text, _ in tagged), tuple(spans), tuple(tokens))


def iob2(document: Document) -> list[list[tuple[str, str]]]:
    """`(token, tag)` of each sentence."""
    assert document.tokens is not None
    starts = {span.start: span for span in document.spans}
    sentences: list[list[tuple[str, str]]] = [[]]
    inside: Span | None = None
    for start, end in document.tokens:
        if start and document.text[start - 1] == "\n":
            sentences.append([])
        inside = starts.get(start) or (inside if inside and start < inside.end else None)
        tag = "O" if inside is None else f"{'B' if inside.start == start else 'I'}-{inside.type}"
        sentences[-1].append((document.text[start:end], tag))
    return sentences


def conll(documents: Sequence[Document]) -> str:
    lines: list[str] = []
    for document in documents:
        for sentence in iob2(document):
            lines += [f"{word}\t{tag}" for word, tag in sentence] + [""]
    return "\n".join(lines) + "\n"


def jsonl(documents: Sequence[Document]) -> str:
    lines = []
    for document in documents:
        spans = [
            {
                "start": span.start,
                "end": span.end,
                "type": span.type,
                "concept_ids": list(span.concept_ids),
                "fragments": [list(part) for part in span.fragments],
            }
            for span in document.spans
        ]
        lines.append(json.dumps({"id": document.id, "text": document.text, "spans": spans}, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def pubtator(documents: Sequence[Document]) -> str:
    """The title ends at the first full stop; mentions must be continuous."""
    blocks = []
    for document in documents:
        cut = document.text.find(". ") + 1 or len(document.text)
        lines = [f"{document.id}|t|{document.text[:cut]}", f"{document.id}|a|{document.text[cut + 1 :]}"]
        for span in document.spans:
            quoted = document.text[span.start : span.end]
            concept = "|".join(span.concept_ids) or "-1"
            lines.append(f"{document.id}\t{span.start}\t{span.end}\t{quoted}\t{span.type}\t{concept}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks) + "\n"


def brat(documents: Sequence[Document], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        lines = []
        for number, span in enumerate(document.spans, start=1):
            parts = span.fragments or ((span.start, span.end),)
            offsets = ";".join(f"{start} {end}" for start, end in parts)
            quoted = " ".join(document.text[start:end].replace("\n", " ") for start, end in parts)
            lines.append(f"T{number}\t{span.type} {offsets}\t{quoted}")
            lines += [f"N{number}\tReference T{number} {concept}\tname" for concept in span.concept_ids]
        (folder / f"{document.id}.txt").write_bytes(document.text.encode())
        (folder / f"{document.id}.ann").write_text("".join(line + "\n" for line in lines))


def bioc(documents: Sequence[Document], form: str) -> str:
    """`xml` or `json`: a passage ends at every full stop."""
    from bioc import BioCAnnotation, BioCCollection, BioCDocument, BioCLocation, BioCPassage, biocjson, biocxml

    collection = BioCCollection()
    collection.source, collection.date, collection.key = "written", "2024", "none"
    for document in documents:
        written = BioCDocument()
        written.id = document.id
        offset = 0
        for text in document.text.split(". "):
            full = text + "." if offset + len(text) < len(document.text) else text
            passage = BioCPassage.of_text(full, offset)
            offset += len(full) + 1
            written.add_passage(passage)
            for number, span in enumerate(document.spans):
                if not passage.offset <= span.start < offset:
                    continue
                annotation = BioCAnnotation()
                annotation.id = str(number)
                annotation.infons = {"type": span.type}
                if span.concept_ids:
                    annotation.infons["identifier"] = "|".join(span.concept_ids)
                parts = span.fragments or ((span.start, span.end),)
                annotation.text = " ".join(document.text[start:end] for start, end in parts)
                for start, end in parts:
                    annotation.add_location(BioCLocation(start, end - start))
                passage.add_annotation(annotation)
        collection.add_document(written)
    return str(biocxml.dumps(collection) if form == "xml" else biocjson.dumps(collection))


def parquet(documents: Sequence[Document], path: Path, *, named: bool = True) -> list[str]:
    """A sentence a row; `named`: with the names of the tag ids in the file. Returns the names."""
    import pyarrow
    from datasets import ClassLabel, Features, Value
    from datasets import List as ListOf
    from pyarrow import parquet as files

    rows = [sentence for document in documents for sentence in iob2(document)]
    names = sorted({tag for row in rows for _, tag in row} | {"O"})
    inner = ClassLabel(names=names) if named else Value("int64")
    features = Features({"tokens": ListOf(Value("string")), "ner_tags": ListOf(inner)})
    data = {
        "tokens": [[word for word, _ in row] for row in rows],
        "ner_tags": [[names.index(tag) for _, tag in row] for row in rows],
    }
    files.write_table(pyarrow.table(data, schema=features.arrow_schema), path)
    return names


TOKEN_DOCUMENTS = (
    token_document(
        "one",
        ("Patients with chronic kidney disease took aspirin daily .", [(2, 4, "Disease"), (6, 6, "Chemical")]),
        ("Naïve β-blockers failed 😀 .", [(1, 1, "Chemical")]),
    ),
    token_document("two", ("No mention stands here .", [])),
    token_document(
        "three", ("Aspirin asthma asthma attack", [(0, 0, "Chemical"), (1, 1, "Disease"), (2, 3, "Disease")])
    ),
)
"""For columns and Parquet."""
RUNNING_DOCUMENTS = (
    Document(
        "101",
        "Aspirin in asthma. Breast and ovarian cancer were not seen with aspirin (0.5 mg).",
        (
            Span(0, 7, "Chemical", ("D001241",)),
            Span(11, 17, "Disease", ("D001249",)),
            Span(19, 44, "Disease", ("D001943", "D010051")),
            Span(64, 71, "Chemical"),
        ),
    ),
    Document("102", "Nothing to see. Or was it β-thalassæmia 😀 after all?", (Span(26, 39, "Disease", ("D017086",)),)),
    Document("103", "A title alone."),
    Document(
        "104",
        "Renal failure after cisplatin. It is dose dependent; hearing loss is not.",
        (Span(0, 13, "Disease", ("D051437",)), Span(20, 29, "Chemical", ("D002945",)), Span(53, 65, "Disease")),
    ),
)
"""For standoff."""

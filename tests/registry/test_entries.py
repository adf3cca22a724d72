"""The packaged entries: all there, all loadable, and the data they name is what they say."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from zoo.corpora.document import Document, count_mentions, count_tokens
from zoo.corpora.download import cached_path
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.retry import FetchOptions
from zoo.files import git_blob_sha1
from zoo.passages.load import read_passage_files
from zoo.registry.loader import PACKAGED, load_registry
from zoo.registry.reading import read_yaml
from zoo.registry.schema import SPLITS, ArchiveSource, BundledSource, CorpusEntry, UrlSource


def words(text: str) -> list[str]:
    return text.split()


OPENMED_12 = words(
    "bc4chemd bc5cdr-chem bc5cdr-disease ncbi-disease jnlpba linnaeus species-800 bc2gm anatem bionlp2013-cg cll fsu"
)
OPENMED_13 = [*OPENMED_12, "gellus"]
SAMPLES = ["sample-disease", "sample-chemical", "sample-gene", "sample-species"]
BACKBONES = words(
    "minilm-l6 deberta-v3-base deberta-v3-large pubmedbert-base pubmedbert-large bioelectra-base biomedelectra-large "
    "biolinkbert-base bioclinical-modernbert-base multilingual-e5-small xlm-roberta-base mdeberta-v3-base"
)
BIONLP_CG = words(
    "Amino_acid Anatomical_system Cancer Cell Cellular_component Developing_anatomical_structure Gene_or_gene_product "
    "Immaterial_anatomical_entity Multi-tissue_structure Organ Organism Organism_subdivision Organism_substance "
    "Pathological_formation Simple_chemical Tissue"
)
TYPES = {
    "bc4chemd": ["Chemical"],
    "bc5cdr-chem": ["Chemical"],
    "bc5cdr-disease": ["Disease"],
    "ncbi-disease": ["Disease"],
    "jnlpba": ["Cell_line", "Cell_type", "DNA", "Protein", "RNA"],
    "linnaeus": ["Species"],
    "species-800": ["Species"],
    "bc2gm": ["Gene"],
    "anatem": ["Anatomy"],
    "bionlp2013-cg": BIONLP_CG,
    "cll": ["Cell_line"],
    "fsu": ["Gene"],
    "gellus": ["Cell_line"],
}
SENTENCE_END = re.compile(r"[.?!]\s+|\n+")
"""A sentence ends at `.`, `?` or `!` before white space, or at a line break (notes are written in lines)."""


def registered() -> dict[str, CorpusEntry]:
    return dict(load_registry().corpora)


def load_sample(name: str) -> Corpus:
    return load_corpus(registered()[name], registry_folder=PACKAGED)


def documents_of(corpus: Corpus) -> Iterator[Document]:
    for split in SPLITS:
        yield from corpus.splits[split]


def test_every_yaml_file_is_an_entry_of_the_registry() -> None:
    registry = load_registry()
    for kind in ("backbones", "corpora", "passages"):
        files = {path.stem for path in (PACKAGED / kind).iterdir()}
        assert files == set(getattr(registry, kind)) != set()
    for name in ("families", "suites"):
        assert set(read_yaml(PACKAGED / f"{name}.yaml")) == set(getattr(registry, name))
    for path in PACKAGED.rglob("*.y*ml"):
        assert path.suffix == ".yaml" and read_yaml(path), path


def test_the_backbones_of_the_zoo_are_there() -> None:
    assert set(load_registry().backbones) >= set(BACKBONES)


def test_every_family_is_known_and_the_heads_are_named() -> None:
    families = load_registry().families
    assert set(families) >= {"bert", "electra", "deberta-v2", "roberta", "xlm-roberta", "modernbert"}
    assert all("classifier" in family.head_modules for family in families.values())


@pytest.mark.parametrize("name", OPENMED_13)
def test_the_13_corpora_of_the_openmed_zoo(name: str) -> None:
    assert sorted(registered()[name].entity_types) == TYPES[name]


def test_suites() -> None:
    suites = load_registry().suites
    assert list(suites["openmed"].corpora) == OPENMED_12
    assert list(suites["openmed"].backbones) == ["deberta-v3-large", "pubmedbert-large", "biomedelectra-large"]
    assert sorted(suites["openmed-base"].corpora) == sorted(OPENMED_13)
    assert all("large" not in name for name in suites["openmed-base"].backbones)
    assert (list(suites["quickstart"].backbones), list(suites["quickstart"].corpora)) == (["minilm-l6"], SAMPLES)
    sizes = {name: len(load_registry().suite_checkpoints(name)) for name in ("openmed", "openmed-base", "quickstart")}
    assert sizes == {"openmed": 3 * 12, "openmed-base": 3 * 13, "quickstart": 1 * 4}


def test_licences_say_where_they_were_read() -> None:
    registry = load_registry()
    for entry in (*registry.backbones.values(), *registry.corpora.values(), *registry.passages.values()):
        assert entry.license.source.strip(), entry.id
        assert entry.license.spdx == "NOASSERTION" or re.fullmatch(r"[A-Za-z0-9.+-]+", entry.license.spdx), entry.id
        if entry.license.spdx == "NOASSERTION":
            assert not entry.license.publishable or entry.license.note or getattr(entry, "note", ""), entry.id


def test_no_split_has_a_fingerprint_without_its_counts() -> None:
    for entry in registered().values():
        for split, info in entry.splits.items():
            assert info.fingerprint is None or None not in (info.documents, info.tokens, info.mentions), (
                entry.id,
                split,
            )


@pytest.mark.parametrize("name", SAMPLES)
class TestSamples:
    def test_counts_and_fingerprints_are_those_of_the_entry(self, name: str) -> None:
        entry = registered()[name]
        corpus = load_sample(name)
        assert corpus.verified and not corpus.repairs
        assert entry.sources == (BundledSource(kind="bundled", path=f"samples/{name}"),)
        for split in SPLITS:
            info, documents = entry.splits[split], corpus.splits[split]
            found = (len(documents), count_tokens(documents), count_mentions(documents), corpus.fingerprints[split])
            assert found == (info.documents, info.tokens, info.mentions, info.fingerprint), split

    def test_spans_have_clean_borders_and_do_not_overlap(self, name: str) -> None:
        for document in documents_of(load_sample(name)):
            end = 0
            for span in document.spans:
                mention = document.text[span.start : span.end]
                assert mention and mention == mention.strip(), (document.id, mention)
                assert span.start >= end, (document.id, mention)
                assert not document.text[max(0, span.start - 1) : span.start].isalnum(), (document.id, mention)
                end = span.end

    def test_documents_are_unique_across_splits(self, name: str) -> None:
        documents = list(documents_of(load_sample(name)))
        assert len({d.id for d in documents}) == len({d.text for d in documents}) == len(documents)

    def test_the_licence_lets_anyone_publish_and_a_guideline_lies_beside_the_data(self, name: str) -> None:
        licence = registered()[name].license
        assert licence.spdx == "CC0-1.0" and licence.publishable
        assert (PACKAGED / "samples" / name / "GUIDELINE.md").read_text().count("[[") >= 5


def test_the_samples_hold_400_annotated_sentences() -> None:
    """Only sentences with a mention in them count."""
    annotated: Counter[str] = Counter()
    for name in SAMPLES:
        for document in documents_of(load_sample(name)):
            ends = [match.end() for match in SENTENCE_END.finditer(document.text)] + [len(document.text) + 1]
            starts = [0, *ends[:-1]]
            annotated[name] += sum(
                any(start <= span.start < end for span in document.spans)
                for start, end in zip(starts, ends, strict=True)
            )
    assert annotated.total() >= 400, annotated
    assert set(annotated) == set(SAMPLES)


def test_passages_are_unique_and_as_many_as_the_entry_says() -> None:
    entry = load_registry().passages["sample-passages"]
    (source,) = entry.sources
    assert isinstance(source, BundledSource)
    texts = [passage.text for passage in read_passage_files(PACKAGED / source.path)]
    assert len(texts) == entry.passages and len(texts) >= 300
    assert len({" ".join(text.casefold().split()) for text in texts}) == len(texts)
    assert all(text == text.strip() and 50 <= len(text.split()) <= 256 for text in texts)


def test_no_passage_holds_a_sample_document() -> None:
    """Text of a test split must not be trained on in domain adaptation either."""
    (source,) = load_registry().passages["sample-passages"].sources
    assert isinstance(source, BundledSource)
    passages = " ".join(passage.text for passage in read_passage_files(PACKAGED / source.path))
    for name in SAMPLES:
        for document in load_sample(name).splits["test"]:
            for sentence in SENTENCE_END.split(document.text):
                assert len(sentence) < 40 or sentence not in passages, (document.id, sentence)


LINKED = words("ncbi-disease-abstracts bc5cdr-abstracts linnaeus-articles species-800-abstracts craft")
CDR_HALVES = "standoff/bc5cdr/train_dev_pmids.tsv"


def load_linked(name: str, shared_data: Path, tmp_path: Path) -> Corpus:
    """A corpus for linking, its pinned files in the cache, or (of one in an archive) as local copies."""
    entry = registered()[name]
    if isinstance(entry.sources[0], ArchiveSource):
        return load_corpus(entry, registry_folder=PACKAGED, local=shared_data / "nested")
    here = {sha256(data).hexdigest(): data for data in map(unpacked, shared_data.glob("standoff/*/*.gz"))}
    for source in entry.sources:
        assert isinstance(source, UrlSource)
        for file in source.files.values():
            path = cached_path(file, tmp_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(here[file.sha256 or ""])
            assert (git_blob_sha1(path), path.stat().st_size) == (file.git_blob_sha1, file.size_bytes)
    return load_corpus(entry, registry_folder=PACKAGED, cache=tmp_path, options=FetchOptions(offline=True))


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


@pytest.mark.parametrize("name", LINKED)
def test_a_corpus_for_linking_is_what_its_entry_says(name: str, shared_data: Path, tmp_path: Path) -> None:
    corpus = load_linked(name, shared_data, tmp_path)
    assert corpus.verified and corpus.split_infos() == corpus.entry.splits
    assert set(corpus.entry.ontologies) == set(corpus.entry.entity_types)
    linked = [bool(span.concept_ids) for document in documents_of(corpus) for span in document.spans]
    assert sum(linked) / len(linked) > 0.99


@pytest.mark.parametrize(("name", "folder"), [("genia", "genia"), ("craft-concepts", "craft")])
def test_nested_corpora_may_be_local_copies_of_json_lines(
    name: str, folder: str, shared_data: Path, tmp_path: Path
) -> None:
    (tmp_path / name).symlink_to(shared_data / "nested" / folder)
    corpus = load_corpus(registered()[name], registry_folder=PACKAGED, local=tmp_path)
    assert corpus.verified and corpus.split_infos() == corpus.entry.splits
    assert not corpus.dropped_mentions.total()
    assert {span.type for document in corpus.splits["train"] for span in document.spans} == set(
        corpus.entry.entity_types
    )


def test_pharmaconer_is_what_its_entry_says(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "pharmaconer").symlink_to(shared_data / "multilingual" / "pharmaconer-es")
    corpus = load_corpus(registered()["pharmaconer"], registry_folder=PACKAGED, local=tmp_path)
    assert corpus.verified and corpus.split_infos() == corpus.entry.splits and corpus.entry.language == "es"


def test_corpora_name_ontologies_of_the_registry_for_types_that_these_are_for() -> None:
    registry = load_registry()
    for entry in registry.corpora.values():
        for name, ontologies in entry.ontologies.items():
            assert name in entry.entity_types and ontologies, entry.id
            for ontology in ontologies:
                types = registry.ontology(ontology).types
                assert not types or name in types, (entry.id, ontology)


def test_the_halves_of_bc5cdr_are_its_official_splits(shared_data: Path, tmp_path: Path) -> None:
    corpus = load_linked("bc5cdr-abstracts", shared_data, tmp_path)
    lines = (shared_data / CDR_HALVES).read_text().splitlines()[1:]
    official = {pmid: split for pmid, _, split in (line.split("\t") for line in lines)}
    for split in ("train", "dev"):
        assert {official[document.id] for document in corpus.splits[split]} == {split}
        assert len(corpus.splits[split]) == 500


@pytest.mark.parametrize("name", sorted(set(registered()) - set(SAMPLES)))
def test_a_local_corpus_has_the_counts_and_fingerprints_of_its_entry(name: str, shared_data: Path) -> None:
    if not (shared_data / "corpora" / name).is_dir():
        pytest.skip(f"{name} is not among the real corpora here")
    entry = registered()[name]
    corpus = load_corpus(entry, registry_folder=PACKAGED, local=shared_data / "corpora")
    assert corpus.verified
    for split in SPLITS:
        info, documents = entry.splits[split], corpus.splits[split]
        found = (len(documents), count_tokens(documents), count_mentions(documents))
        assert found == (info.documents, info.tokens, info.mentions), split
    used = {span.type for document in corpus.splits["train"] for span in document.spans}
    assert used == set(entry.entity_types)

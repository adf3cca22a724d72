"""Formats of corpora, passages and ontologies, and homes of passages: a new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class Format:
    """How files of a format are called, and what reads them.

    Attributes:
        title: What it is, in a word or two.
        reader: `module:function` in the folder `readers` of the room, imported when needed. It takes the path and a
            counter (of corpora: `repairs`; of passages: `skipped`; of ontologies the `reading`), and streams what it
            reads.
        suffixes: What files end in, plain or with `.gz`; upper and lower case do not count. `/` stands for a folder.
        options: Fields of the entry, or of its Hub source, that the reader takes.
        signature: Pattern that the first characters of such files hold, where their names say too little.
        addable: Whether `zoo corpora add` takes it.
        members: Files that a folder of this format holds, where `/` is one of the suffixes.
    """

    title: str
    reader: str
    suffixes: tuple[str, ...]
    options: tuple[str, ...] = ()
    signature: str = ""
    addable: bool = True
    members: tuple[str, ...] = ()

    def matches(self, name: str) -> bool:
        """Whether a file is called so."""
        return name.lower().removesuffix(".gz").endswith(self.suffixes)


CORPUS_FORMATS: Mapping[str, Format] = {
    "conll": Format("CoNLL columns", "conll:read_conll", (".tsv", ".conll", ".txt"), ("default_type", "unit")),
    "jsonl": Format("JSON lines", "jsonl:read_jsonl", (".jsonl",)),
    "brat": Format("BRAT standoff", "brat:read_brat", ("/",)),
    "pubtator": Format("PubTator", "pubtator:read_pubtator", (".pubtator", ".txt"), signature=r"\A\s*[^|\s]+\|t\|"),
    "bioc": Format(
        "BioC", "bioc:read_bioc", (".xml", ".json", ".jsonl"), signature=r'<collection>|"(?:passages|PubTator3)"\s*:'
    ),
    "label-studio": Format(
        "an export of Label Studio",
        "label_studio:read_label_studio",
        (".json",),
        signature=r'"annotations"\s*:\s*\[\s*\{[\s\S]*?"result"\s*:|"from_name"\s*:',
    ),
    "doccano": Format(
        "an export of Doccano",
        "doccano:read_doccano",
        (".jsonl", ".json"),
        signature=r'"start_offset"\s*:|"labels?"\s*:\s*\[\s*\[\s*\d+\s*,\s*\d+\s*,',
    ),
    "prodigy": Format(
        "an export of Prodigy",
        "prodigy:read_prodigy",
        (".jsonl",),
        signature=r'"_(?:input|task)_hash"\s*:|"answer"\s*:\s*"(?:accept|reject|ignore)"',
    ),
    "knowtator": Format("Knowtator XML", "knowtator:read_knowtator", ("/",), addable=False),
    "parquet": Format(
        "Parquet of a Hub dataset",
        "parquet:read_parquet",
        (".parquet",),
        ("default_type", "tokens_column", "tags_column", "tag_names"),
        addable=False,
    ),
}
PASSAGE_FORMATS: Mapping[str, Format] = {
    "jsonl": Format("JSON lines", "jsonl:read_jsonl", (".jsonl",)),
    "text": Format("plain text", "text:read_text", (".txt",)),
    "pubmed-xml": Format("PubMed XML", "pubmed:read_pubmed", (".xml",)),
    "clinicaltrials-json": Format(
        "studies of ClinicalTrials.gov", "clinicaltrials:read_clinical_trials", (".json", ".jsonl")
    ),
    "arxiv-json": Format("metadata of arXiv", "arxiv:read_arxiv", (".json", ".jsonl")),
    "mimic-csv": Format("notes of MIMIC-III", "mimic:read_mimic", (".csv",)),
}
ONTOLOGY_FORMATS: Mapping[str, Format] = {
    "obo": Format("OBO", "obo:read_obo", (".obo",), ("same_as",), r"(?m)^(?:format-version:|\[Term\])"),
    "obographs": Format("OBO graphs JSON", "obographs:read_obographs", (".json",), ("same_as",), r'"graphs"\s*:'),
    "mesh-xml": Format("MeSH XML", "mesh:read_mesh", (".xml",), signature="<(?:Descriptor|Supplemental)RecordSet"),
    "ctd": Format("a vocabulary of CTD", "ctd:read_ctd", (".tsv",), signature=r"(?m)^# ?Fields:|^# \w+Name\t\w+ID\b"),
    "gene-info": Format(
        "NCBI's gene_info", "gene_info:read_gene_info", (".gene_info", ".tsv"), signature=r"\A#tax_id\tGeneID\t"
    ),
    "ncbi-taxdump": Format(
        "NCBI's taxonomy dump",
        "taxdump:read_taxdump",
        ("/", ".tar", ".tgz", ".zip"),
        members=("names.dmp", "nodes.dmp"),
    ),
    "umls-rrf": Format("UMLS RRF", "umls:read_umls", ("/",), ("languages", "vocabularies"), members=("MRCONSO.RRF",)),
    "skos": Format(
        "SKOS", "skos:read_skos", (".ttl", ".rdf", ".nt"), ("languages", "same_as"), r"w3\.org/2004/02/skos"
    ),
    "table": Format("TSV or CSV", "table:read_table", (".tsv", ".csv", ".txt"), ("same_as",)),
}
PASSAGE_HOMES: Mapping[str, str] = {
    "pubmed-baseline": "pubmed:PubmedBaseline",
    "clinicaltrials-api": "clinicaltrials:ClinicalTrials",
    "arxiv-oai": "arxiv:Arxiv",
    "notes-csv": "notes:Notes",
}
"""Kind of a source -> `module:class` in `zoo/passages/fetchers`, imported when needed."""

if TYPE_CHECKING:
    CorpusFormat = str
    AddableFormat = str
    PassageFormat = str
    OntologyFormat = str
else:
    CorpusFormat = Literal[tuple(CORPUS_FORMATS)]
    AddableFormat = Literal[tuple(name for name, item in CORPUS_FORMATS.items() if item.addable)]
    PassageFormat = Literal[tuple(PASSAGE_FORMATS)]
    OntologyFormat = Literal[tuple(ONTOLOGY_FORMATS)]

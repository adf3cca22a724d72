"""The frozen models that every registry entry is checked against.

Every Hub reference carries a 40-hex revision (null until `zoo lock` resolves it), every downloaded file a hash, every
entry its licence and where that licence was read, every figure its unit in the name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from zoo.registry.formats import CorpusFormat

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=60)]
HubId = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Url = Annotated[str, Field(pattern=r"^https?://")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha1 = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
TypeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=60)]
SplitName = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
OTHER_TYPES = "*"
"""In the types of a corpus: every type of its files that is not named."""


class Entry(BaseModel):
    """Base of all registry models: frozen, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LicenseInfo(Entry):
    """The licence of an entry, where it was read, and whether a model derived from it may be published."""

    spdx: str = Field(description="SPDX identifier, or NOASSERTION where none is known")
    source: str = Field(description="where the licence was read")
    publishable: bool = Field(description="may a model trained on it be published?")
    note: str = ""


class PackageSource(Entry):
    """A copy of the backbone inside an installed Python package."""

    distribution: str = Field(description="name on the package index, for the install hint")
    module: str
    path: str = Field(description="folder inside the module")
    sha256: dict[str, Sha256] = Field(min_length=1, description="file name -> sha256; verified before use")


class Family(Entry):
    """What an architecture family needs for LoRA token classification."""

    lora_targets: tuple[str, ...] = Field(min_length=1, description="names of the Linear modules that LoRA adapts")
    head_modules: tuple[str, ...] = Field(
        min_length=1, description="modules trained in full and stored with the adapter"
    )
    dapt_targets: tuple[str, ...] = Field(
        min_length=1, description="query and value, adapted in pre-training; where they are one module with key, that"
    )
    mlm_head: str = Field(description="module of the masked language model that turns hidden states into logits")


class Backbone(Entry):
    """A pretrained encoder: a Hub id at a revision, an installed package, or a local folder."""

    id: Identifier
    title: str
    family: str = Field(description="key of families.yaml")
    hub_id: HubId | None = None
    revision: Revision | None = None
    package: PackageSource | None = None
    path: str | None = Field(default=None, description="local folder with config, weights and tokenizer")
    license: LicenseInfo
    languages: tuple[Language, ...] = Field(
        default=("en",), min_length=1, description="BCP 47 tags of the languages it was pre-trained on"
    )
    parameters_million: float = Field(gt=0)
    config: dict[str, int | str | bool | list[str]] | None = Field(
        default=None, description="model_type and sizes of its config.json: what the parameter count depends on"
    )
    window_tokens: int = Field(default=512, ge=16, description="tokens of one window, special tokens included")
    stride_tokens: int = Field(default=128, ge=1, description="tokens shared by neighbouring windows")
    note: str = ""

    @model_validator(mode="after")
    def _has_a_source(self) -> Backbone:
        if not (self.hub_id or self.package or self.path):
            raise ValueError("one of hub_id, package, path is needed")
        if self.stride_tokens >= self.window_tokens // 2:
            raise ValueError("stride_tokens must be less than half of window_tokens")
        return self


class RemoteFile(Entry):
    """A file on the web, pinned by content: sha256, or git's own blob hash or md5 where only that is known.

    Of an archive of a commit, which a git host packs anew at each request, the folders are pinned that are read.
    """

    url: Url
    sha256: Sha256 | None = None
    git_blob_sha1: Sha1 | None = None
    md5: Md5 | None = None
    git_trees: dict[str, Sha1] = Field(
        default_factory=dict, description="of a zip archive: folder below its top folder -> hash of git's tree object"
    )
    size_bytes: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _is_pinned(self) -> RemoteFile:
        if not (self.sha256 or self.git_blob_sha1 or self.md5 or self.git_trees):
            raise ValueError("a file needs sha256, git_blob_sha1, md5 or git_trees")
        return self


class BundledSource(Entry):
    """Files inside this package or beside the overlay entry: `<path>/{train,dev,test}.<ext>`."""

    kind: Literal["bundled"]
    path: str


class UrlSource(Entry):
    """Files fetched over HTTP: one a split, or parts of one file where `documents` says so."""

    kind: Literal["url"]
    files: dict[SplitName, RemoteFile]
    documents: dict[SplitName, tuple[NonNegativeInt, NonNegativeInt]] = Field(
        default_factory=dict, description="split -> `[start, end)` of the documents of its file that it is; else all"
    )
    layers: dict[SplitName, tuple[RemoteFile, ...]] = Field(
        default_factory=dict, description="split -> more files with the same texts and other mentions, as one a type"
    )


class FolderSource(Entry):
    """A local folder with `{train,dev,test}.<ext>[.gz]`."""

    kind: Literal["folder"]
    path: str


class ArchiveSource(Entry):
    """A tar.gz or zip release with one file a document, or several, and lists of document ids that make the splits."""

    kind: Literal["archive"]
    archive: RemoteFile
    member: str = Field(description="path inside the archive with {id} for the document id")
    beside: tuple[str, ...] = Field(
        default=(), description="the same of its annotations where they are files of their own; {type}: each in `types`"
    )
    documents: dict[SplitName, RemoteFile] = Field(description="one document id a line")
    split_sentences: bool = Field(
        default=False, description="cut documents into sentences at full stops outside mentions"
    )


class PackedSource(Entry):
    """A zip or tar archive with one file a split; of a corpus that is divided in several ways, one of them."""

    kind: Literal["packed"]
    archive: RemoteFile
    member: str = Field(pattern=r"\{split\}", description="path inside the archive with {split}, and {fold} if any")
    fold: int = Field(default=0, ge=0, description="which division of the corpus is taken")
    folds: int = Field(default=1, ge=1, description="how many divisions there are")

    @model_validator(mode="after")
    def _has_the_fold(self) -> PackedSource:
        if self.fold >= self.folds:
            raise ValueError(f"fold is one of 0 to {self.folds - 1}")
        if (self.folds > 1) != ("{fold}" in self.member):
            raise ValueError("where there are several folds, member names {fold}")
        return self


class HubSource(Entry):
    """Parquet files of a Hub dataset at a revision, with `tokens` and tag ids."""

    kind: Literal["hub"]
    dataset: HubId
    revision: Revision
    files: dict[SplitName, str] = Field(description="path of each split's parquet file in the repository")
    tokens_column: str = "tokens"
    tags_column: str = "ner_tags"
    tag_names: tuple[str, ...] = Field(
        default=(), description="names of the tag ids; empty: the file's ClassLabel names"
    )


class JoinedSource(Entry):
    """Other corpora of the registry, for one adapter of them all.

    An epoch has as many training documents as they have together. The share of a corpus with n is proportional to
    n ** (1 / temperature): at 1 each document is read once, above it those of smaller corpora are read more often.
    So mBERT was trained (https://github.com/google-research/bert/blob/master/multilingual.md, with an exponent of 0.7)
    and XLM-R (arXiv 1911.02116, section 3.1).
    """

    kind: Literal["joined"]
    corpora: tuple[Identifier, ...] = Field(min_length=2, description="ids of the members, in the order they are read")
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)


Source = Annotated[
    BundledSource | UrlSource | FolderSource | ArchiveSource | PackedSource | HubSource | JoinedSource,
    Field(discriminator="kind"),
]


class ReportedScore(Entry):
    """A score that others report on a corpus; what they measured it on is theirs to say."""

    model: str
    micro_f1: float = Field(gt=0, le=1, description="as a fraction")
    source: str = Field(description="where it was read")
    protocol: str = Field(default="", description="what is known of splits, seeds and matching")


class SplitInfo(Entry):
    """Counts of a split, and the fingerprint of its parsed documents (null until known)."""

    documents: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    mentions: int | None = Field(default=None, ge=0)
    fingerprint: Sha256 | None = None


class Originals(Entry):
    """The original documents of a token-column corpus, for the score on raw text."""

    format: Literal["pubtator"]
    folder: str = Field(description="folder below ZOO_ORIGINALS with local copies, named as in `files`")
    files: dict[str, RemoteFile] = Field(min_length=1, description="file name -> where it publicly lies")
    types: dict[str, TypeName] = Field(min_length=1, description="type in the files -> type of the label space")


class CorpusEntry(Entry):
    """An annotated corpus with canonical splits."""

    id: Identifier
    title: str
    description: str
    homepage: str = ""
    citation: str = ""
    language: Language = Field(default="en", description="BCP 47 tag, shown in the card and on the Hub")
    format: CorpusFormat
    unit: Literal["sentence", "document"] = Field(
        description="what one document of this corpus is; the bootstrap draws it"
    )
    types: dict[str, TypeName] = Field(min_length=1, description="type in the files -> type of the label space")
    left_out: tuple[str, ...] = Field(default=(), description="types in the files that are not read, but counted")
    ontologies: dict[TypeName, tuple[Identifier, ...]] = Field(default_factory=dict, description="of its concept ids")
    overlaps: Literal["keep", "longest", "error"] = Field(
        default="error",
        description="nested, overlapping, discontinuous mentions: keep all, the longest (counting the rest), or refuse",
    )
    default_type: str | None = Field(default=None, description="type of bare B/I tags in the files")
    examples: dict[TypeName, tuple[str, ...]] = Field(default_factory=dict, description="mentions shown in the card")
    license: LicenseInfo
    sources: tuple[Source, ...] = Field(
        default=(), description="tried in order; ZOO_CORPORA comes first; a joined one stands alone"
    )
    members: tuple[CorpusEntry, ...] = Field(
        default=(), description="of a joined corpus, its members; the loader sets them (zoo/registry/joined.py)"
    )
    splits: dict[SplitName, SplitInfo] = Field(default_factory=dict)
    for_evaluation_only: bool = Field(default=False, description="it has a test split alone: no model is trained on it")
    originals: Originals | None = Field(default=None, description="original documents, for the raw-text score")
    reported: tuple[ReportedScore, ...] = Field(default=(), description="scores of others, shown apart in the card")
    note: str = ""

    @model_validator(mode="after")
    def _joins_by_its_source(self) -> CorpusEntry:
        if bool(self.members) != (self.joined is not None):
            raise ValueError("members follow from a joined source; they are not written down")
        return self

    @property
    def parts(self) -> tuple[CorpusEntry, ...]:
        """Its members; itself where it joins none."""
        return self.members or (self,)

    @property
    def joined(self) -> JoinedSource | None:
        """How it joins others; None where it joins none."""
        return next((source for source in self.sources if isinstance(source, JoinedSource)), None)

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP 47 tags of its languages, without repeats."""
        return tuple(dict.fromkeys(part.language for part in self.parts))

    @property
    def entity_types(self) -> tuple[str, ...]:
        """Types of the label space that this corpus annotates, without repeats, in the order of the entry."""
        return tuple(dict.fromkeys(self.types.values()))

    @property
    def split_names(self) -> tuple[SplitName, ...]:
        """The splits that it has."""
        return ("test",) if self.for_evaluation_only else SPLITS


class EntityType(Entry):
    """One type of the label space."""

    name: TypeName
    description: str


class LabelsEntry(Entry):
    """The label space: an append-only list and its capacity. An overlay appends types, and may raise the capacity."""

    capacity: int | None = Field(
        default=None, ge=1, description="types that the heads of new bases have room for; published bases keep theirs"
    )
    types: tuple[EntityType, ...]


class Suite(Entry):
    """A named set of checkpoints: every backbone with every corpus."""

    description: str
    backbones: tuple[Identifier, ...] = Field(min_length=1)
    corpora: tuple[Identifier, ...] = Field(min_length=1)

"""The paper's zoo in small: its backbones, corpora and passages at homes of this machine, built as a user builds it.

`benchmarks/rehearsal.py` rehearses whole suites with this, `tests/e2e/test_rehearsal.py` a part of one. Entries,
sources and addresses are those of the packaged registry; what is small is the content, so that its hashes are others.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.builds import Build, environment, started
from tests.hub_answers import Repo
from tests.layouts import save_layout
from tests.loopback_files import FileServer, Reply, serve_files
from tests.loopback_hub import WRITER, LoopbackHub, loopback_hub
from tests.passages.homes import Failure, Homes, abstract, serve_homes
from tests.tiny import TEXTS
from zoo.registry.loader import Registry, load_registry
from zoo.registry.passage_entry import NotesSource, PassageEntry
from zoo.registry.schema import ArchiveSource, BundledSource, CorpusEntry, PackedSource, RemoteFile, UrlSource

NOTES = "open-clinical-notes"

SPLITS = {"train": 24, "dev": 10, "test": 10}
"""Sentences of each split."""
POSITIONS = 512
"""Of the tiny models: windows are as long as those of the real ones."""
_FRAMES = (
    ("We", "studied", "{}", "in", "detail", "."),
    ("The", "role", "of", "{}", "was", "not", "clear", "."),
    ("No", "effect", "on", "{}", "was", "seen", "after", "two", "days", "."),
    ("Nothing", "was", "found", "in", "these", "samples", "."),
)
_HUB_FILE = re.compile(r"https://huggingface\.co/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo")
STRANGER = """
import json, sys
from transformers import pipeline

found = {}
for name in json.loads(sys.argv[1]):
    ner = pipeline("token-classification", name, aggregation_strategy="simple")
    found[name] = [len(ner(text)) for text in json.loads(sys.argv[2])]
assert "zoo" not in sys.modules
print(json.dumps(found))
"""
"""Someone with transformers and peft alone."""


@dataclass(frozen=True)
class World:
    """Where everything is.

    Attributes:
        hub: Has the backbones, and takes what is pushed.
        files: The homes of corpora.
        homes: The homes of passages.
        project: The user's folder, with `zoo.toml`.
    """

    hub: LoopbackHub
    files: FileServer
    homes: Homes
    project: Path

    @property
    def out(self) -> Path:
        """Where builds go."""
        return self.project / "builds"

    def environment(self, home: str = "home") -> dict[str, str]:
        """Of a user with a token, who has the Hub and a cache of their own."""
        return {
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": WRITER,
            "HF_HOME": str(self.project / home),
            "ZOO_CACHE": str(self.project / "cache"),
            "ZOO_COUNTRY": "DEU",
        }

    @contextmanager
    def command(self, *words: object, log: str) -> Iterator[Build]:
        """A `zoo` command of the user; nothing of it outlives the block."""
        with started(words, self.project / "logs" / log, cwd=self.project, **self.environment()) as build:
            yield build

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A `zoo` command of the user, to its end."""
        command = [sys.executable, "-m", "zoo", *map(str, words)]
        env = environment(**self.environment())
        return subprocess.run(command, env=env, cwd=self.project, capture_output=True, text=True)

    def traffic(self) -> dict[str, dict[str, int]]:
        """Requests and bytes at each home so far."""
        hub, files, homes = self.hub, self.files, self.homes
        return {
            "Hub": {"requests": len(hub.requests), "sent_bytes": hub.sent_bytes, "received_bytes": hub.received_bytes},
            "corpora and notes": {"requests": len(files.requests), "sent_bytes": files.sent_bytes},
            "passages": {"requests": len(homes.asked), "sent_bytes": homes.sent_bytes},
        }

    def stranger(self, repositories: Sequence[str], texts: Sequence[str]) -> dict[str, list[int]]:
        """Entities that plain `pipeline()` finds in each text with each model, from an empty cache."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ZOO_", "PYTHONPATH"))}
        env = {
            **clean,
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.project / "stranger"),
            "HF_HUB_DISABLE_XET": "1",
        }
        command = [sys.executable, "-c", STRANGER, json.dumps(list(repositories)), json.dumps(list(texts))]
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=self.project)
        assert done.returncode == 0, done.stderr
        found: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
        return found


@contextmanager
def world(
    folder: Path,
    suite: str,
    backbones: Sequence[str] = (),
    corpora: Sequence[str] = (),
    recipe: Mapping[str, Any] | None = None,
) -> Iterator[World]:
    """A world with what a suite of the packaged registry needs.

    Args:
        folder: An empty folder.
        suite: The suite.
        backbones: Those of the suite that are wanted; none: all.
        corpora: The same.
        recipe: Values that the recipes of this world have in the place of the packaged ones.
    """
    registry = load_registry()
    wanted = registry.suites[suite]
    backbones, corpora = backbones or wanted.backbones, corpora or wanted.corpora
    with loopback_hub() as hub, serve_files() as files, serve_homes() as homes:
        overlay = folder / "registry"
        for name in ("corpora", "passages"):
            (overlay / name).mkdir(parents=True)
        for name, entry in registry.corpora.items():  # all: pre-training keeps clear of every test set
            if entry.sources and not isinstance(entry.sources[0], BundledSource):
                _write(overlay / "corpora" / f"{name}.yaml", small_corpus(entry, files, hub))
        texts = [line for name in corpora for split in SPLITS for line in _texts(registry.corpora[name], split)]
        for name in backbones:
            _put_backbone(registry, name, hub, folder / "models" / name, texts)
        _write(overlay / "passages" / f"{NOTES}.yaml", small_notes(registry.passages[NOTES], files))
        homes.fill()
        suites = {suite: {"description": "In small.", "backbones": [*backbones], "corpora": [*corpora]}}
        _write(overlay / "suites.yaml", suites)
        _write(overlay / "recipes.yaml", {"overrides": [{"match": "*", "set": dict(recipe or {})}]})
        mirrors = {
            "https://raw.githubusercontent.com/": f"{files.url}/",
            "https://github.com/": f"{files.url}/",
            "https://ftp.ncbi.nlm.nih.gov/": f"{homes.url}/",
            "https://clinicaltrials.gov/": f"{homes.url}/",
            "https://oaipmh.arxiv.org/": f"{homes.url}/",
        }
        lines = [f"{json.dumps(start)} = {json.dumps(place)}\n" for start, place in mirrors.items()]
        (folder / "zoo.toml").write_text('registry = "registry"\n\n[mirrors]\n' + "".join(lines))
        yield World(hub, files, homes, folder)


def troubled(place: World) -> None:
    """Let every home be slow, broken and throttled at first; all of it passes if one asks again."""
    soon = {"Retry-After": "1"}
    first, second, *others = sorted(place.files.files)
    place.files.script[first] = [Reply(status=503, headers=soon), Reply(cut_after=40)]
    place.files.script[second] = [Reply(chunk=16)]
    place.files.script[others[0]] = [Reply(status=429, headers=soon)]
    place.homes.failures |= {
        "/pubmed/": [Failure(503, soon), Failure(cut_after=100)],
        "/api/v2/studies": [Failure(429, soon), Failure(cut_after=10)],
        "/oai": [Failure(503, soon), Failure(503, soon), Failure(cut_after=10)],
    }
    place.hub.fail("/resolve/", status=503, headers=soon, times=2)
    place.hub.fail("/resolve/.*bin", cut_response=1000)
    place.hub.fail("/commit/", method="POST", status=429, headers=soon, times=2)


def small_corpus(entry: CorpusEntry, files: FileServer, hub: LoopbackHub) -> dict[str, Any]:
    """The entry of a corpus, with small files at the addresses of its first source; it demands no fingerprints."""
    data = entry.model_dump(mode="json", exclude={"splits", "originals", "reported"})
    source = entry.sources[0]
    if isinstance(source, UrlSource) and entry.format == "pubtator":
        data["sources"][0] |= _standoff(entry, source, files)
    elif isinstance(source, UrlSource):
        for split, file in source.files.items():
            columns = "\n".join(_sentences(entry, split)).encode()
            data["sources"][0]["files"][split] = _serve(file, columns, files)
            if split in source.layers:
                layers = [_serve(layer, columns, files) for layer in source.layers[split]]
                data["sources"][0]["layers"][split] = layers
    elif isinstance(source, ArchiveSource):
        documents = {split: [f"{split}{n}" for n in range(4)] for split in SPLITS}
        for split, file in source.documents.items():
            data["sources"][0]["documents"][split] = _serve(file, "\n".join(documents[split]).encode(), files)
        if source.beside:
            members = {
                path: content
                for split, names in documents.items()
                for n, name in enumerate(names)
                for path, content in _knowtator(entry, source, split, n, name).items()
            }
            # craft-concepts, which comes first, has all that craft takes of the same archive
            content = files.files.get(urlsplit(source.archive.url).path, _zip(members))
            data["sources"][0]["archive"] = _serve(source.archive, content, files)
            return {**data, "sources": data["sources"][:1]}
        members = {
            source.member.replace("{id}", name): _document(entry, split, n, source.member)
            for split, names in documents.items()
            for n, name in enumerate(names)
        }
        data["sources"][0]["archive"] = _serve(source.archive, _tar(members), files)
    elif isinstance(source, PackedSource):
        members = {
            source.member.replace("{fold}", str(source.fold)).replace("{split}", split): "\n".join(
                _sentences(entry, split)
            )
            for split in SPLITS
        }
        content = _zip(members)
        repository, revision, path = _HUB_FILE.fullmatch(source.archive.url).groups()  # type: ignore[union-attr]
        hub._create(repository, "dataset", private=False)
        commit = hub.put(f"datasets/{repository}", {path: content})
        _rename(hub.repos[f"datasets/{repository}"], commit, revision)
        data["sources"][0]["archive"] = _pin(source.archive, content)
    else:
        raise NotImplementedError(source.kind)
    return {**data, "sources": data["sources"][:1]}


def _knowtator(entry: CorpusEntry, source: ArchiveSource, split: str, number: int, name: str) -> dict[str, str]:
    """Text and annotations, a file a type, of one of the four documents of a split; what is tagged is a mention."""
    text, found = "", dict.fromkeys(entry.types, "")
    for tokens, tags in _examples(entry, split)[number::4]:
        for token, tag in zip(tokens, tags, strict=True):
            if tag != "O":
                kind, mention = tag[2:], f"m{len(text)}"
                found[kind] += (
                    f'<annotation><mention id="{mention}" /><span start="{len(text)}" end="{len(text) + len(token)}" />'
                    f"<spannedText>{token}</spannedText></annotation>"
                    f'<classMention id="{mention}"><mentionClass id="{kind}:1">{token}</mentionClass></classMention>'
                )
            text += f"{token} "
    (pattern,) = source.beside
    files = {pattern.replace("{type}", kind): f"<annotations>{xml}</annotations>" for kind, xml in found.items()}
    return {path.replace("{id}", name): content for path, content in {source.member: text, **files}.items()}


def _standoff(entry: CorpusEntry, source: UrlSource, files: FileServer) -> dict[str, Any]:
    """Files of PubTator, several splits in one where the source has it so: each split's sentences are its documents."""
    texts: dict[str, list[str]] = {}  # by address
    parts: dict[str, tuple[int, int]] = {}
    for split, file in source.files.items():
        own = texts.setdefault(file.url, [])
        start = len(own)
        own += [f"{split}{number}|t|{text}\n" for number, text in enumerate(_texts(entry, split))]
        parts[split] = (start, len(own))
    served = {split: _serve(file, "\n".join(texts[file.url]).encode(), files) for split, file in source.files.items()}
    return {"files": served, "documents": {split: parts[split] for split in source.documents}}


def small_notes(entry: PassageEntry, files: FileServer) -> dict[str, Any]:
    """The entry of clinical notes, with small tables at its addresses."""
    data = entry.model_dump(mode="json", exclude={"passages"})
    (source,) = (source for source in entry.sources if isinstance(source, NotesSource))
    for number, file in enumerate(source.files):
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow([file.id_column, file.text_column])
        rows.writerows([n, abstract(10_000 + 100 * number + n)] for n in range(10))
        data["sources"][0]["files"][number] |= {"git_blob_sha1": None} | _serve(file, table.getvalue().encode(), files)
    return data


def _put_backbone(registry: Registry, name: str, hub: LoopbackHub, folder: Path, texts: Sequence[str]) -> None:
    """Put a tiny model on the Hub, in the layout of the real one and at the commit that the registry names."""
    backbone = registry.backbones[name]
    save_layout(
        {"deberta-v3-base": "deberta-v3-large", "pubmedbert-base": "pubmedbert-large"}.get(name, name),
        folder,
        texts=[*TEXTS, *texts],
        positions=POSITIONS,
    )
    commit = hub.put(str(backbone.hub_id), {path.name: path.read_bytes() for path in folder.iterdir()})
    if backbone.revision:
        _rename(hub.repos[str(backbone.hub_id)], commit, backbone.revision)


def _rename(repo: Repo, commit: str, revision: str) -> None:
    """Give a commit of main the hash that the registry names."""
    repo.commits[revision] = repo.commits.pop(commit)
    repo.refs["main"] = revision


def _serve(file: RemoteFile, content: bytes, files: FileServer) -> dict[str, Any]:
    """Serve other content at the path of a file, and pin it in its place."""
    files.put(urlsplit(file.url).path, content)
    return _pin(file, content)


def _pin(file: RemoteFile, content: bytes) -> dict[str, Any]:
    """A file with other content."""
    return {"url": file.url, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


def _examples(entry: CorpusEntry, split: str) -> list[tuple[list[str], list[str]]]:
    """Tokens and tags of the sentences of a split: each type's mentions are words of one kind."""
    found = []
    rng = random.Random(f"{entry.id} {split}")
    for number in range(SPLITS[split]):
        frame = _FRAMES[number % len(_FRAMES)]
        kind = list(entry.types)[number % len(entry.types)].replace("*", "protein")
        mention = [
            "".join(rng.choices(_SYLLABLES, k=2)) + kind.lower()[:4].replace("_", "") for _ in range(1 + number % 2)
        ]
        tags = ["B", "I"] if entry.default_type else [f"B-{kind}", f"I-{kind}"]
        tokens, labels = [], []
        for word in frame:
            tokens += mention if word == "{}" else [word]
            labels += tags[: len(mention)] if word == "{}" else ["O"]
        found.append((tokens, labels))
    return found


def _sentences(entry: CorpusEntry, split: str) -> list[str]:
    return ["".join(f"{t}\t{g}\n" for t, g in zip(*each, strict=True)) for each in _examples(entry, split)]


def _texts(entry: CorpusEntry, split: str) -> list[str]:
    return [" ".join(tokens) for tokens, _ in _examples(entry, split)]


def _document(entry: CorpusEntry, split: str, number: int, member: str) -> str:
    """One of the four documents of a split, in the columns of its member's name."""
    if not member.endswith(".nersuite"):
        return "\n".join(_sentences(entry, split)[number::4])
    lines, start = [], 0
    for tokens, tags in _examples(entry, split)[number::4]:
        for token, tag in zip(tokens, tags, strict=True):
            lines.append(f"{tag}\t{start}\t{start + len(token)}\t{token}\n")
            start += len(token) + 1
    return "".join(lines)


def _tar(members: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def _zip(members: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True))

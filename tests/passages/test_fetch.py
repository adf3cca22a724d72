"""Fetching passages from homes that are slow, break off, forget their tokens, change, or are not there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.passages.homes import Failure, Homes, abstract, pubmed_file, serve_homes
from zoo.corpora.client import user_agent
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.passages.fetch import fetch_passages
from zoo.passages.fetched import find_fetched
from zoo.passages.fetchers.desk import Desk
from zoo.passages.fetchers.pubmed import spread
from zoo.passages.load import load_passages, read_passage_files
from zoo.passages.mixture import passages_fingerprint
from zoo.passages.planned import not_fetched, planned_fingerprint
from zoo.registry.lock import LockedPassages, read_lock
from zoo.registry.passage_entry import (
    ArxivSource,
    ClinicalTrialsSource,
    NotesFile,
    NotesSource,
    PassageEntry,
    PubmedSource,
)
from zoo.registry.schema import LicenseInfo

NOTES = 'ID,kind,text\n1,exam,"Lungs are clear,\nheart is ""regular""."\n2,exam,\n3,plan,Return in a week.\n'


@pytest.fixture
def homes() -> Iterator[Homes]:
    with serve_homes() as served:
        served.fill()
        served.notes["/notes.csv"] = NOTES.encode()
        yield served


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with a cache of its own, which the functions without one take."""
    (folder := tmp_path / "project").mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return folder


def entry(kind: str, **fields: Any) -> PassageEntry:
    file = NotesFile(
        url="https://host.example/notes.csv",
        sha256=hashlib.sha256(NOTES.encode()).hexdigest(),
        name="demo",
        text_column="text",
        id_column="ID",
        source="Demo, CC0",
    )
    source = {
        "pubmed": PubmedSource(kind="pubmed-baseline", url="https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/"),
        "trials": ClinicalTrialsSource(
            kind="clinicaltrials-api",
            url="https://clinicaltrials.gov/api/v2/studies",
            first_year=2020,
            last_year=2021,
            page_size=3,
        ),
        "arxiv": ArxivSource(
            kind="arxiv-oai",
            url="https://oaipmh.arxiv.org/oai",
            sets=("q-bio", "physics:physics:bio-ph", "physics:physics:med-ph"),
            since=date(2024, 1, 1),
        ),
        "notes": NotesSource(kind="notes-csv", files=(file,)),
    }[kind]
    fields.setdefault("sample", {"pubmed": 30}.get(kind))
    license_ = LicenseInfo(spdx="CC0-1.0", source="tests", publishable=True)
    return PassageEntry(id=kind, title="Mine", license=license_, sources=(source,), **fields)


class Machine:
    """One machine: a cache, and a lock file that may be shared."""

    def __init__(self, homes: Homes, cache: Path, lock: Path = Path("zoo.lock.yaml"), **changes: Any) -> None:
        self.pauses: list[float] = []
        mirrors = {
            "https://ftp.ncbi.nlm.nih.gov": homes.url,
            "https://clinicaltrials.gov": homes.url,
            "https://oaipmh.arxiv.org": homes.url,
            "https://host.example": homes.url,
        }
        options = FetchOptions(offline=False, timeout_seconds=10, mirrors=mirrors, sleep=self.pauses.append)
        self.cache, self.lock, self.options = cache, lock, replace(options, **changes)

    def fetch(self, item: PassageEntry, **options: Any) -> LockedPassages:
        return fetch_passages(item, cache=self.cache, lock_file=self.lock, options=self.options, **options)

    def folder(self, item: PassageEntry) -> Path:
        found = find_fetched(item, self.cache, read_lock(self.lock))
        assert found is not None
        return found

    def left(self, suffix: str = ".tmp") -> list[str]:
        return [path.name for path in self.cache.rglob(f"*{suffix}")]


@pytest.fixture
def machine(homes: Homes, tmp_path: Path) -> Machine:
    return Machine(homes, tmp_path / "cache")


EXPECTED = {
    "pubmed": lambda ids: len(ids) >= 33 and all(int(i.removeprefix("pmid-")) % 4 for i in ids),
    "trials": lambda ids: sorted(ids) == [f"NCT{n:08}" for n in range(60)],
    "arxiv": lambda ids: sorted(ids) == [f"arxiv-24{n:02}.{n:05}" for n in range(30) if n % 5 != 4],
    "notes": lambda ids: ids == ["demo-1", "demo-3"],
}
KINDS = tuple(EXPECTED)


@pytest.mark.parametrize("kind", KINDS)
def test_passages_of_a_home_are_fetched_locked_and_read_like_a_local_copy(
    kind: str, homes: Homes, machine: Machine
) -> None:
    item = entry(kind)
    done = machine.fetch(item)
    read = list(load_passages(item, registry_folder=Path()))
    assert EXPECTED[kind]([passage.id for passage in read]) and len({p.id for p in read}) == len(read) == done.records
    assert all(passage.source and len(passage.text.split()) >= 4 for passage in read)
    assert homes.agents == {user_agent()} and user_agent().startswith("biomedical-ner-zoo/")
    locked = yaml.safe_load(machine.lock.read_text())["passages"][kind]
    assert locked["records"] == len(read) == sum(part["records"] for part in locked["parts"])
    assert (
        locked["fetched"] == datetime.now(timezone.utc).date().isoformat()
        and locked["source"]["kind"] == item.sources[0].kind
    )
    assert sorted(path.suffix for path in machine.folder(item).iterdir() if path.suffix != ".arrow") == [".json"] * 2
    assert not list(machine.cache.rglob("*.csv")) + list(machine.cache.rglob("*.gz"))  # what was read is not kept twice
    asked = len(homes.asked)
    assert machine.fetch(item) == done and len(homes.asked) == asked


def test_files_of_pubmed_are_spread_over_the_numbering_and_no_more_than_needed(homes: Homes, machine: Machine) -> None:
    done = machine.fetch(entry("pubmed"))
    assert len(done.parts) == 4  # nine abstracts each, 33 wanted
    first = sorted(int(part.name[9:13]) for part in done.parts)
    assert max(b - a for a, b in zip([first[-1] - 40, *first], first, strict=False)) <= 16
    part = done.parts[0]
    content = homes.pubmed[part.name]
    assert (part.md5, part.sha256) == (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
    assert part.size_bytes == len(content)
    for size in (1, 7, 1274):
        assert sorted(spread(size, "x")) == list(range(size))
        for taken in (5, 20, 100):
            places = sorted(place for place, _ in zip(spread(size, "x"), range(taken), strict=False))
            assert size < taken or max(b - a for a, b in pairwise(places)) < 2.7 * size / taken


def test_studies_are_taken_of_every_quarter_alike(homes: Homes, machine: Machine) -> None:
    item = entry("trials", sample=16)
    done = machine.fetch(item)
    assert len(done.parts) == 8 and {part.records for part in done.parts} == {3}  # 1.1 * 16 / 8, of pages of three
    assert homes.count("/api") == 8


def test_a_file_that_is_not_its_md5_is_refused_and_the_others_are_kept(homes: Homes, machine: Machine) -> None:
    item = entry("pubmed")
    bad = f"pubmed26n{1 + list(zip(spread(40, 'pubmed'), range(3), strict=False))[2][0]:04}.xml.gz"
    homes.md5[bad] = "0" * 32
    with pytest.raises(
        ZooError, match=f"the content of {bad} is not the registered one: md5 .*, registered 0000"
    ) as error:
        machine.fetch(item)
    assert "ZOO_PASSAGES" in str(error.value)
    assert not machine.lock.exists() and find_fetched(item, machine.cache) is None and not machine.left()
    homes.md5.clear()
    (kept,) = machine.cache.rglob(f"{bad}.md5")
    kept.unlink()
    before = list(homes.asked)
    machine.fetch(item)
    assert not {path for path in homes.asked[len(before) :] if bad not in path} & set(before)


@pytest.mark.parametrize("kind", ["trials", "arxiv"])
def test_an_expired_token_begins_its_part_anew_and_no_other(kind: str, homes: Homes, machine: Machine) -> None:
    whole = machine.fetch(entry(kind))
    pages = len(homes.asked)
    other = Machine(homes, machine.cache.with_name("other"), Path("other.yaml"))

    def expire(number: int, records: int) -> None:
        homes.dead_tokens = int(number == 1)

    assert other.fetch(entry(kind), on_part=expire).records_sha256 == whole.records_sha256
    assert len(homes.asked) - pages == pages + 2  # the dead token, and the first page again


def test_a_question_that_arxiv_refuses_is_not_asked_again(homes: Homes, machine: Machine) -> None:
    source = entry("arxiv").sources[0].model_copy(update={"since": date(2001, 1, 1)})
    with pytest.raises(ZooError, match="arXiv refuses the question: badArgument: start date too early"):
        machine.fetch(entry("arxiv").model_copy(update={"sources": (source,)}))
    assert len(homes.asked) == 1


@pytest.mark.parametrize("kind", ["trials", "arxiv"])
def test_a_home_that_forgets_its_tokens_at_once_is_named(kind: str, homes: Homes, machine: Machine) -> None:
    homes.dead_tokens = 10**9
    with pytest.raises(ZooError, match=f"{kind}: the token for page 2 of .* is refused, though it is new"):
        machine.fetch(entry(kind))
    assert not machine.lock.exists()


def test_a_throttling_home_is_waited_for(homes: Homes, machine: Machine) -> None:
    homes.failures["/oai"] = [Failure(503, {"Retry-After": "7"}), Failure(429, {"Retry-After": "3"}), Failure(503)]
    machine.fetch(entry("arxiv"))
    assert machine.pauses[:2] == [7.0, 3.0] and len(machine.pauses) == 3
    homes.failures["/api"] = [Failure(503, {"Retry-After": "9000"})]
    with pytest.raises(ZooError, match="asks to wait 9000 seconds"):
        machine.fetch(entry("trials"))


def test_requests_to_a_home_itself_keep_their_distance(homes: Homes) -> None:
    pauses: list[float] = []
    desk = Desk(FetchOptions(offline=False, sleep=pauses.append), gap_seconds=3.0)
    for _ in range(3):
        desk.ask(f"{homes.url}/notes.csv", "x", lambda answer: None)
    assert [round(pause) for pause in pauses] == [3, 6]  # the second and third, of a clock that stands still


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 3000), min_size=1, max_size=4))
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_broken_at_any_byte_changes_nothing(
    kind: str, cuts: list[int], homes: Homes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("machines")
    whole = Machine(homes, folder / "a", folder / "a.yaml").fetch(entry(kind))
    homes.failures["/"] = [Failure(cut_after=cut) for cut in cuts]
    broken = Machine(homes, folder / "b", folder / "b.yaml")
    assert broken.fetch(entry(kind)).records_sha256 == whole.records_sha256
    assert len(homes.failures["/"]) < len(cuts) and not broken.left()


SCRIPT = """
import os, resource, signal, sys
from pathlib import Path
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.passages.fetch import fetch_passages
from zoo.registry.passage_entry import PassageEntry
what, cache, url, text = sys.argv[1:]
options = FetchOptions(offline=False, mirrors={start: url for start in (
    "https://ftp.ncbi.nlm.nih.gov", "https://clinicaltrials.gov", "https://oaipmh.arxiv.org")})
if what == "full":
    import datasets.arrow_writer
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
def on_part(number, records):
    if what == "kill" and number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
try:
    fetch_passages(PassageEntry.model_validate_json(text), cache=Path(cache), options=options, on_part=on_part)
except ZooError as error:
    sys.exit(str(error))
"""


def run(what: str, item: PassageEntry, machine: Machine, homes: Homes) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, what, str(machine.cache), homes.url, item.model_dump_json()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("kind", ["pubmed", "trials", "arxiv"])
def test_killed_it_goes_on_without_asking_for_what_is_here(kind: str, homes: Homes, machine: Machine) -> None:
    item = entry(kind)
    assert run("kill", item, machine, homes).returncode == -signal.SIGKILL
    before = len(homes.asked)
    done = machine.fetch(item)
    assert 0 < before < len(homes.asked)
    assert len(set(homes.asked)) == len(homes.asked), "something was asked for twice"
    assert machine.fetch(item) == done
    other = Machine(homes, machine.cache.with_name("other"), Path("other.yaml"))
    assert other.fetch(item).records_sha256 == done.records_sha256


def test_pages_of_a_part_survive_too(homes: Homes, machine: Machine) -> None:
    homes.failures["/oai?verb=ListRecords&resumptionToken"] = [Failure(404)]
    with pytest.raises(ZooError, match="404"):
        machine.fetch(entry("arxiv"))
    machine.fetch(entry("arxiv"))
    assert len(homes.asked) == len(set(homes.asked)) + 1  # the refused one alone


def test_work_that_was_left_for_months_is_begun_anew(homes: Homes, machine: Machine) -> None:
    homes.failures["/oai?verb=ListRecords&resumptionToken"] = [Failure(404)]
    with pytest.raises(ZooError, match="404"):
        machine.fetch(entry("arxiv"))
    (day,) = machine.cache.rglob("day")
    day.write_text("2025-01-01")
    before = len(homes.asked)
    assert machine.fetch(entry("arxiv")).fetched == datetime.now(timezone.utc).date()
    assert set(homes.asked[: before - 1]) < set(homes.asked[before:])


def test_two_that_want_the_same_share_the_work(homes: Homes, machine: Machine) -> None:
    machine.fetch(entry("trials"))
    alone = len(homes.asked)
    others = [Machine(homes, machine.cache.with_name("shared"), Path("shared.yaml")) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda other: other.fetch(entry("trials")), others))
    assert done[0] == done[1] == done[2] and len(homes.asked) == 2 * alone


def test_a_full_disk_is_one_message_and_leaves_what_is_whole(homes: Homes, machine: Machine) -> None:
    item = entry("pubmed")
    homes.pubmed = {name: pubmed_file(1000 * n, 100) for n, name in enumerate(homes.pubmed)}
    done = run("full", item, machine, homes)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cannot write to the cache: File too large" in done.stderr and "free some space" in done.stderr
    assert not machine.left() and not machine.left(".arrow") and not Path("zoo.lock.yaml").exists()
    before = list(homes.asked)
    machine.fetch(item)
    assert not set(before) & set(homes.asked[len(before) :])  # the download was whole


def test_memory_does_not_grow_with_what_is_fetched(homes: Homes, tmp_path: Path) -> None:
    import pyarrow

    peaks = {}
    for run_, files in enumerate((1, 1, 8)):  # the first one imports libraries
        homes.pubmed = {f"pubmed26n{n:04}.xml.gz": pubmed_file(n * 10_000, 1200) for n in range(1, files + 1)}
        item = entry("pubmed", sample=None)
        machine = Machine(homes, tmp_path / str(run_), tmp_path / f"{run_}.yaml")
        tracemalloc.start()
        try:
            machine.fetch(item)
            assert sum(1 for _ in read_passage_files(machine.folder(item))) == files * 1200 * 3 // 4
            peaks[files] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peaks[8] < 1.2 * peaks[1], peaks
    assert pyarrow.total_allocated_bytes() < 2**20


@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_gives_another_machine_the_same_mixture(kind: str, homes: Homes, machine: Machine) -> None:
    item = entry(kind)
    folders = {f"passages/{kind}": Path()}
    assert planned_fingerprint([item], folders=folders) is None and not_fetched([item], folders=folders) == [item]
    done = machine.fetch(item)
    here = passages_fingerprint([item], folders=folders)
    lock = machine.lock.read_bytes()
    machine.cache.rename(machine.cache.with_name("elsewhere"))
    assert planned_fingerprint([item], folders=folders) == here, "the lock alone gives the key"
    homes.pubmed |= {f"pubmed26n{n:04}.xml.gz": pubmed_file(n * 1000, 12) for n in range(41, 60)}
    before = len(homes.asked)
    assert machine.fetch(item) == done and machine.lock.read_bytes() == lock
    assert passages_fingerprint([item], folders=folders) == here
    if kind == "pubmed":
        assert len(homes.asked) - before == len(done.parts), "the files of the lock, and no listing"


def change_pubmed(homes: Homes, done: LockedPassages) -> str:
    name = done.parts[1].name
    homes.pubmed[name] = pubmed_file(5, 12)
    return f"the content of {name} is not the registered one"


def change_trials(homes: Homes, done: LockedPassages) -> str:
    place = next(n for n, (_, day, _) in enumerate(homes.studies) if "2021-04" < day.isoformat() < "2021-07")
    homes.studies[place] = (*homes.studies[place][:2], abstract(999))
    return "2021-q2: the same records have another text"


def change_arxiv(homes: Homes, done: LockedPassages) -> str:
    homes.papers.append(("2501.99999", date(2025, 2, 2), "q-bio.BM", abstract(9)))
    return r"q-bio-2025: \d+ records, \d+ locked"


@pytest.mark.parametrize(
    ("kind", "change"), [("pubmed", change_pubmed), ("trials", change_trials), ("arxiv", change_arxiv)]
)
def test_a_home_that_has_changed_is_refused_by_name(kind: str, change: Any, homes: Homes, machine: Machine) -> None:
    done = machine.fetch(entry(kind))
    words = change(homes, done)
    lock = machine.lock.read_bytes()
    other = Machine(homes, machine.cache.with_name("other"), machine.lock)
    with pytest.raises(ZooError, match=words):
        other.fetch(entry(kind))
    assert other.lock.read_bytes() == lock and find_fetched(entry(kind), other.cache) is None
    assert machine.fetch(entry(kind)) == done, "what is here already is that of the lock"


def test_another_sample_or_source_is_another_fetch(homes: Homes, machine: Machine) -> None:
    small, large = entry("pubmed"), entry("pubmed", sample=60)
    first, second = machine.fetch(small), machine.fetch(large)
    assert second.records > first.records and read_lock(machine.lock).of(small) is None
    assert {part.name for part in first.parts} < {part.name for part in second.parts}


def test_damaged_passages_are_fetched_again(homes: Homes, machine: Machine) -> None:
    item = entry("trials")
    done = machine.fetch(item)
    shard = next(machine.folder(item).glob("*.arrow"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content[: -len(content) // 3]))
    with pytest.raises(ZooError, match=r"cannot be read|passages are here"):
        list(load_passages(item, registry_folder=Path()))
    assert machine.fetch(item) == done
    assert homes.asked and len(list(load_passages(item, registry_folder=Path()))) == done.records


@pytest.mark.parametrize("kind", KINDS)
def test_offline_says_so_and_asks_nobody(kind: str, homes: Homes, tmp_path: Path) -> None:
    machine = Machine(homes, tmp_path / "cache", offline=True)
    with pytest.raises(ZooError, match=f"the passages {kind} are not on this machine, and this is offline"):
        machine.fetch(entry(kind))
    assert not homes.asked
    online = Machine(homes, tmp_path / "cache")
    assert machine.fetch(entry(kind)) if online.fetch(entry(kind)) else False


@pytest.mark.parametrize(
    ("kind", "path", "answer", "words"),
    [
        ("trials", "/api/v2/studies", b"<html>login</html>", "the answer is no page of studies"),
        ("arxiv", "/oai", b"<html><body/></html>", "the answer is not OAI-PMH but <html>"),
        ("pubmed", "/pubmed/", b"<html>moved</html>", "the answer is not listing.html"),
    ],
)
def test_a_portal_in_the_way_is_no_data(
    kind: str, path: str, answer: bytes, words: str, homes: Homes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "answer", lambda asked: (200, answer))
    machine = Machine(homes, tmp_path / "cache", attempts=2)
    with pytest.raises(ZooError, match=words):
        machine.fetch(entry(kind))
    assert len(homes.asked) == 2


def test_nothing_is_written_to_a_lock_that_is_damaged(homes: Homes, machine: Machine) -> None:
    machine.lock.write_text("passages: {pubmed: 3}\n")
    with pytest.raises(ZooError, match="pubmed"):
        machine.fetch(entry("pubmed"))
    assert machine.lock.read_text() == "passages: {pubmed: 3}\n" and not homes.asked


def test_records_are_json(homes: Homes, machine: Machine) -> None:
    machine.fetch(entry("notes"))
    manifest = json.loads((machine.folder(entry("notes")) / "zoo_passages.json").read_text())
    assert set(manifest) == {"id", "records", "records_sha256"}

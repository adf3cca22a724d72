"""The homes of passages on 127.0.0.1, with the protocols of the real ones, that fail as they are told."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

TOPICS = ("fever", "asthma", "insulin", "tumour", "heart", "kidney", "virus", "liver", "migraine", "sepsis")


def abstract(number: int) -> str:
    """A text of forty words."""
    rng = random.Random(number)
    words = " ".join(f"{rng.choice(TOPICS)}{rng.randrange(40)}" for _ in range(36))
    return f"Study {number} of {TOPICS[number % 10]}: {words}"


def pubmed_file(first: int, articles: int) -> bytes:
    """A baseline file: every fourth article has no abstract."""
    body = "".join(
        f"<PubmedArticle><MedlineCitation><PMID Version='1'>{pmid}</PMID><Article><ArticleTitle>T</ArticleTitle>"
        + (f"<Abstract><AbstractText>{abstract(pmid)}</AbstractText></Abstract>" if pmid % 4 else "")
        + "</Article></MedlineCitation></PubmedArticle>"
        for pmid in range(first, first + articles)
    )
    text = f"<?xml version='1.0' encoding='utf-8'?>\n<PubmedArticleSet>{body}</PubmedArticleSet>"
    return gzip.compress(text.encode(), mtime=0)


@dataclass(frozen=True)
class Failure:
    """How a request goes wrong: a status, a body cut after so many bytes of those announced, or both."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


@dataclass
class Homes:
    """All homes at one address; `failures` are used up first, by the beginning of a path.

    Attributes:
        dead_tokens: So many tokens that come in next are not known any more.
    """

    url: str
    pubmed: dict[str, bytes] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)
    studies: list[tuple[str, date, str]] = field(default_factory=list)
    papers: list[tuple[str, date, str, str]] = field(default_factory=list)
    papers_of_page: int = 3
    dead_tokens: int = 0
    failures: dict[str, list[Failure]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    agents: set[str] = field(default_factory=set)
    tokens: int = 0

    def fill(self, files: int = 40, articles: int = 12) -> None:
        """Baseline files, studies of two years, papers of three."""
        for number in range(1, files + 1):
            self.pubmed[f"pubmed26n{number:04}.xml.gz"] = pubmed_file(number * 1000, articles)
        for number in range(60):
            day = date(2020 + number // 30, 1 + number % 12, 1 + number % 28)
            self.studies.append((f"NCT{number:08}", day, abstract(number)))
        for number in range(30):
            sets = ("q-bio.NC physics.med-ph", "cs.LG q-bio.QM", "physics.bio-ph", "physics.med-ph", "physics.optics")
            self.papers.append(
                (f"24{number:02}.{number:05}", date(2024 + number % 2, 5, 7), sets[number % 5], abstract(number))
            )

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body of a request."""
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/pubmed/baseline/":
            rows = "".join(
                f'<a href="{n}">{n}</a> 2026-01-29 14:48 20M\n<a href="{n}.md5">{n}.md5</a>\n' for n in self.pubmed
            )
            return 200, f"<pre><a href='README.txt'>README.txt</a>\n{rows}</pre>".encode()
        if parts.path.startswith("/pubmed/baseline/"):
            name = parts.path.removeprefix("/pubmed/baseline/")
            content = self.pubmed.get(name.removesuffix(".md5"))
            if content is None:
                return 404, b"no such file"
            md5 = self.md5.get(name.removesuffix(".md5"), hashlib.md5(content).hexdigest())
            return 200, f"MD5({name.removesuffix('.md5')})= {md5}\n".encode() if name.endswith(".md5") else content
        if parts.path in self.notes:
            return 200, self.notes[parts.path]
        if parts.path == "/api/v2/studies":
            return self._studies(query)
        if parts.path == "/oai":
            return 200, self._papers(query)
        return 404, b"no such path"

    def _token(self, key: str, place: int) -> str:
        self.tokens += 1
        return quote(f"t{self.tokens}|{key}={place}&x")  # that of arXiv is quoted twice on its way

    def _place(self, token: str) -> int | None:
        if self.dead_tokens:
            self.dead_tokens -= 1
            return None
        return int(unquote(token).split("=")[1][:-2])

    def _studies(self, query: dict[str, str]) -> tuple[int, bytes]:
        assert query["fields"] == "NCTId,BriefSummary,DetailedDescription" and query["format"] == "json"
        first, last = query["filter.advanced"].removeprefix("AREA[StudyFirstPostDate]RANGE[")[:-1].split(",")
        found = sorted((day, name, text) for name, day, text in self.studies if first <= day.isoformat() <= last)
        place = self._place(query["pageToken"]) if "pageToken" in query else 0
        if place is None:
            return 400, b"Invalid page token"
        size = int(query["pageSize"])
        page = {
            "studies": [
                {
                    "protocolSection": {
                        "identificationModule": {"nctId": name},
                        "descriptionModule": {"briefSummary": text},
                    }
                }
                for _, name, text in found[place : place + size]
            ]
        }
        if len(page["studies"]) == size:  # the real one gives a token with a page that is full, even the last
            page["nextPageToken"] = self._token(first, place + size)  # type: ignore[assignment]
        return 200, json.dumps(page).encode()

    def _papers(self, query: dict[str, str]) -> bytes:
        assert query["verb"] == "ListRecords"
        if token := query.get("resumptionToken"):
            assert set(query) == {"verb", "resumptionToken"}
            if (place := self._place(token)) is None:
                return self._oai("<error code='badResumptionToken'>expired</error>")
            wanted, first, last = unquote(token).split("|")[1].split("=")[0].split("/")
        else:
            place, wanted, first, last = 0, query["set"], query["from"], query["until"]
        if first < "2005-09-16" or date.fromisoformat(last) > datetime.now(timezone.utc).date():
            return self._oai("<error code='badArgument'>start date too early, or until date too late</error>")
        found = [p for p in self.papers if wanted in _sets(p[2]) and first <= p[1].isoformat() <= last]
        if not found:
            return self._oai("<error code='noRecordsMatch'/>")
        records = "".join(
            f"<record><header><identifier>oai:arXiv.org:{name}</identifier><datestamp>{day}</datestamp>"
            + "".join(f"<setSpec>{item}</setSpec>" for item in _leaves(categories))
            + f"</header><metadata><arXiv xmlns='http://arxiv.org/OAI/arXiv/'><id>{name}</id><title>T</title>"
            f"<categories>{categories}</categories><abstract>  {escape(text)}\n</abstract></arXiv></metadata></record>"
            for name, day, categories, text in found[place : place + self.papers_of_page]
        )
        rest = place + self.papers_of_page < len(found)
        token = escape(self._token(f"{wanted}/{first}/{last}", place + self.papers_of_page)) if rest else ""
        return self._oai(f"<ListRecords>{records}<resumptionToken>{token}</resumptionToken></ListRecords>")

    @staticmethod
    def _oai(body: str) -> bytes:
        return (
            "<?xml version='1.0' encoding='UTF-8'?><OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'>"
            f"<responseDate>2026-01-01T00:00:00Z</responseDate>{body}</OAI-PMH>"
        ).encode()

    def count(self, start: str) -> int:
        """Requests whose path begins so."""
        return sum(path.startswith(start) for path in self.asked)


def _leaves(categories: str) -> list[str]:
    leaves = []
    for item in categories.split():
        archive, _, rest = item.partition(".")
        leaves.append(f"{archive}:{archive}:{rest}")
    return leaves


def _sets(categories: str) -> set[str]:
    return {":".join(leaf.split(":")[:n]) for leaf in _leaves(categories) for n in (1, 2, 3)}


@contextmanager
def serve_homes() -> Iterator[Homes]:
    """Run the homes in a thread until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            homes.asked.append(self.path)
            homes.agents.add(self.headers["User-Agent"])
            queue: list[Failure] = next(
                (q for start, q in homes.failures.items() if q and self.path.startswith(start)), []
            )
            failure = queue.pop(0) if queue else Failure()
            status, body = homes.answer(self.path) if failure.status == 200 else (failure.status, b"no")
            start = 0
            if status == 200 and (wanted := self.headers.get("Range")):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                status = 206 if start < len(body) else 416
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            for name, value in failure.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            rest = body[start:]
            homes.sent_bytes += len(rest)
            self.wfile.write(rest if failure.cut_after is None else rest[: failure.cut_after])
            if failure.cut_after is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        handle_error: Callable[..., None] = lambda *args: None

    server = Server(("127.0.0.1", 0), Handler)
    homes = Homes(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield homes
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

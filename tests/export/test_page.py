"""The page of `zoo export --web` in Chromium: its JavaScript gives what Python gives, and nothing leaves its origin."""

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.export.conftest import nasty_texts, serve, stub_logits
from tests.loopback_files import serve_files
from zoo.errors import ZooError
from zoo.export.graph import HeadLabels, graph_tagger, open_graph
from zoo.export.runtime import find_runtime, write_runtime
from zoo.export.web import GRAPH_FILE, TOKENIZER_FILE, WebRecord
from zoo.tagging.tagger import Tagger

PATIENCE_MS = 60_000
TOKENS = """async ([description, text]) => {
  const { WordPiece } = await import("/wordpiece.js");
  const tokens = new WordPiece(JSON.parse(description)).encode(Array.from(text));
  return JSON.stringify(tokens.map(({ id, start, end }) => [id, start, end]));
}"""
ENTITIES = """async ([description, settings, texts, heads]) => {
  const { WordPiece } = await import("/wordpiece.js");
  const { Tagger } = await import("/tagger.js");
  const { logits } = await import("/runtime/ort.wasm.bundle.min.mjs");
  const tagger = new Tagger(new WordPiece(description), settings, async (ids) => logits(ids));
  const found = [];
  for (const text of texts) found.push(await tagger.tag(text, { heads }));
  return JSON.stringify(found);
}"""


@pytest.fixture(scope="module")
def site(stub_page: Path) -> Iterator[str]:
    with serve(stub_page) as url:
        yield url


@pytest.fixture
def bare(site: str, chromium: Any) -> Iterator[Any]:
    """A page of the same origin without the policy, for modules alone."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site}not-there")
    yield page
    context.close()


class Visit:
    """The page, and all that must not happen on it."""

    def __init__(self, chromium: Any, url: str, **options: Any) -> None:
        self.context = chromium.new_context(**options)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(PATIENCE_MS)
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.context.on("request", lambda r: None if _own(r.url, url) else self.outside.append(r.url))
        self.page = self.context.new_page()
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)

    def status(self, words: str) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("#status")).to_have_text(re.compile(words), timeout=PATIENCE_MS)

    def find(self, text: str) -> dict[str, Any]:
        self.page.fill("#text", text)
        self.page.click("#find")
        self.status(r"found in .* s\.$")
        found: dict[str, Any] = json.loads(self.page.locator("#json").text_content())
        return found

    def close(self) -> None:
        self.context.close()
        assert self.outside == [] and self.errors == []


def _own(url: str, origin: str) -> bool:
    return url.removeprefix("blob:").startswith((origin, "data:"))


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def begin(url: str, **options: Any) -> Visit:
        visits.append(Visit(chromium, url, **options))
        return visits[-1]

    yield begin
    for each in visits:
        each.close()


@pytest.mark.parametrize("cased", [False, True])
def test_every_character_gives_the_tokens_of_the_tokenizer(cased: bool, bare: Any) -> None:
    from tokenizers import normalizers

    from tests.tiny import tiny_tokenizer
    from zoo.export.wordpiece import describe_wordpiece

    letters = ["".join(chr(code) for code in range(first, first + 400)) for first in range(0, 0x3000, 400)]
    tokenizer = tiny_tokenizer("wordpiece", ["ab áb ñ, ü 中 가 각 ᄀ " * 5, *letters])
    tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not cased)
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200)]
    text = "".join(f"a{chr(code)}b " for code in codes)
    expected = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    found = bare.evaluate(TOKENS, [json.dumps(describe_wordpiece(tokenizer)), text])
    wanted = [[i, *pair] for i, pair in zip(expected.ids, expected.offsets, strict=True)]
    wrong = next((k for k, (a, b) in enumerate(zip(json.loads(found), wanted, strict=False)) if a != b), None)
    assert wrong is None and len(json.loads(found)) == len(wanted), wanted[wrong or -1]
    assert len(set(expected.ids)) > 150


@pytest.mark.parametrize("heads", [1, 2])
def test_windows_decoding_and_lines_are_those_of_python(
    heads: int, stub_page: Path, adapters: list[Path], bare: Any
) -> None:
    import torch

    like = Tagger.load(adapters[0])
    names = like.labels
    columns = {1: [(0, names)], 2: [(0, names[:3]), (2, ["O", *names[3:]])]}[heads]
    described = [HeadLabels(start=start, labels=labels) for start, labels in columns]
    tagger = graph_tagger(like, lambda ids: torch.tensor([stub_logits(ids[0].tolist())]), described)
    texts = [text for text in nasty_texts(300) if all(unicodedata.category(c) != "Cn" for c in text)]
    record = json.loads((stub_page / "export.json").read_text())
    given = [json.loads((stub_page / TOKENIZER_FILE).read_text()), record, texts, [h.model_dump() for h in described]]
    found = json.loads(bare.evaluate(ENTITIES, given))
    cut = 0
    for text, entities in zip(texts, found, strict=True):
        (expected,) = tagger.tag([text])
        assert [(e["start"], e["end"], e["type"]) for e in entities] == [e.key[:3] for e in expected], repr(text)
        assert [e["score"] for e in entities] == pytest.approx([e.score for e in expected], abs=1e-6)
        cut += expected != tagger.tag_windows([text], tagger.encode([text]))[0]
    assert sum(map(len, found)) > 2000 and cut > 5 and max(map(len, texts)) > 200


def test_what_is_seen(site: str, visit: Callable[..., Visit]) -> None:
    on = visit(site)
    on.status("^Ready")
    boxes = on.page.get_by_role("checkbox")
    assert [boxes.nth(k).get_attribute("checked") for k in range(2)] == ["", ""]
    assert "nothing says what it was trained on" in on.page.locator("#licences").inner_text()
    text = "Asthma 🦠 and <b>chronic\u00a0fever</b> after ibuprofen.\nNo e\u0301dema\ud800"
    answer = on.find(text)
    seen = text.replace("\ud800", "\ufffd")
    assert answer["text"] == seen
    assert {entity["model"] for entity in answer["entities"]} == {"first", "second"}
    assert all(entity["text"] == seen[entity["start"] : entity["end"]] for entity in answer["entities"])
    marked = on.page.locator("#marked")
    labels = marked.locator(".label").all_inner_texts()
    assert len(labels) == len(answer["entities"]) == on.page.locator("#rows tr").count() > 4
    assert (
        "".join(marked.evaluate("e => [...e.childNodes].filter(n => n.className !== 'label').map(n => n.textContent)"))
        == seen
    )
    assert marked.locator("b").count() == 0
    on.page.click("#copy")
    on.status("Copied")
    assert json.loads(on.page.evaluate("navigator.clipboard.readText()")) == answer

    boxes.nth(0).uncheck()
    assert {entity["model"] for entity in on.find(text)["entities"]} == {"second"}
    boxes.nth(1).uncheck()
    on.page.click("#find")
    on.status("Choose a model first")
    boxes.nth(1).check()
    on.page.fill("#text", " ")
    on.page.click("#find")
    on.status("Enter a text first")
    on.page.click("#example")
    on.page.press("#text", "Control+Enter")
    on.status("found in")
    assert "clopidogrel" in json.loads(on.page.locator("#json").text_content())["text"]


def test_a_long_text_is_stopped_and_the_next_one_is_read(site: str, visit: Callable[..., Visit]) -> None:
    on = visit(site)
    on.page.fill("#text", "Asthma after ibuprofen. " * 20_000)
    on.page.click("#find")
    on.status(r"part \d+ of \d+")
    on.page.click("#stop")
    on.status("Stopped")
    assert on.find("Asthma")["text"] == "Asthma"


def test_the_browser_refuses_to_send_anything_elsewhere(site: str, visit: Callable[..., Visit]) -> None:
    on = visit(site)
    on.status("^Ready")
    with serve_files() as elsewhere:
        elsewhere.files["/"] = b"here"
        elsewhere.headers["/"] = {"Access-Control-Allow-Origin": "*"}
        ask = f"() => fetch('{elsewhere.url}/').then(() => 'sent', () => 'refused')"
        (worker,) = on.page.workers
        assert [place.evaluate(ask) for place in (on.page, worker)] == ["refused", "refused"]
        assert elsewhere.requests == []
    assert [error for error in on.errors if "Content Security Policy" in error]
    on.errors.clear(), on.outside.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_and_a_narrow_page(scheme: str, site: str, visit: Callable[..., Visit]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    on = visit(site, color_scheme=scheme, viewport={"width": 360, "height": 800}, bypass_csp=True)
    on.find("Asthma and chronic fever after ibuprofen. " * 5)
    assert on.page.evaluate("document.documentElement.scrollWidth") <= 360
    found = axe.run(on.page).response["violations"]
    assert [violation for violation in found if violation["impact"] in ("serious", "critical")] == []


@pytest.fixture(scope="session")
def runtime() -> Path:
    """onnxruntime-web: by ZOO_TEST_RUNTIME, of the cache, or fetched."""
    from zoo.corpora.retry import FetchOptions
    from zoo.settings import Settings

    given = os.environ.get("ZOO_TEST_RUNTIME")
    try:
        options = FetchOptions(offline=False, attempts=1, timeout_seconds=10)
        return find_runtime(Path(given) if given else None, Settings().cache, options)
    except ZooError as error:
        pytest.skip(f"no onnxruntime-web: {error}")


def test_the_real_runtime_finds_what_python_finds(
    runtime: Path, stub_page: Path, adapters: list[Path], tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    folder = tmp_path / "page"
    shutil.copytree(stub_page, folder)
    write_runtime(runtime, folder / "runtime")
    record = WebRecord.from_file(folder / "export.json", what="not a page")
    taggers = [
        graph_tagger(Tagger.load(adapter), open_graph(folder / GRAPH_FILE, folder / model.file), model.heads)
        for adapter, model in zip(adapters, record.models, strict=True)
    ]
    with serve(folder) as url:
        on = visit(url)
        on.status("^Ready")
        on.context.set_offline(True)
        answered = 0
        for text in nasty_texts(12):
            if not text.strip() or "\r" in text or "\x00" in text:  # which a text box changes
                continue
            entities = on.find(text)["entities"]
            for name, tagger in zip(("first", "second"), taggers, strict=True):
                own = [(e["start"], e["end"], e["type"]) for e in entities if e["model"] == name]
                assert own == [e.key[:3] for e in tagger.tag([text])[0]], repr(text)
                answered += len(own)
    assert answered > 100

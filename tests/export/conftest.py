"""A page with two tiny adapters, its runtime a stub; a Chromium; texts that are hard to get right."""

from __future__ import annotations

import functools
import io
import random
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.adapters import save_adapter, save_base
from tests.tiny import TEXTS
from zoo.export.runtime import RUNTIME_FILES
from zoo.export.source import ExportSource
from zoo.registry.loader import load_registry

PIECES = (
    *TEXTS[:3],
    "aspirin\nibuprofen\nmetformin\n",
    "- aspirin\n- diabetes, chronic\n12) ibuprofen\r\n• migraine",
    "type 2\ndiabetes\x85asthma\x1cfever\u2028",
    "[SEP] [MASK][PAD][unk] [CLS",
    "e\u0301crit E\u0301\u0323 Ångström A\u030angstro\u0308m ﬁbrosis",
    "ibu\u00adprofen dia\u200bbetes \ufeffasthma\u2060 5\u00a0mg\u202f%",
    "糖尿病とアスピリン 한국어 \u1112\u1161\u11ab\u1100\u1173\u11af 가각",
    "🦠👩\u200d⚕️🇩🇪 fever 👍🏽 𝛽-blocker 𠀀𠮷",
    "مرض السكري \u0645\u064e\u0631\u064e\u0636 म\u094dह\u200dा क\u094d\u200cष",
    "x" * 101 + " " + "y" * 100,
    "İstanbul ẞ ß Σίσυφος ΑΣ ǅ ŉ",
    "a\x00b\ufffdc\x07d\te\x0bf\x0cg \u3000 —–‐‑ … «q» ‹›¿¡§¶",
    "  \n \t ",
    "α-synuclein/β-catenin(IL-2)±5µg·mL⁻¹ ½ Ⅳ ①",
    "\u0301leading \u0301 mark\u0301\u0301\u0301 \u00a0\u0301",
)


def nasty_texts(number: int) -> list[str]:
    """Texts of what is hard: other scripts, marks, what is invisible, lists, names of special tokens, long words."""
    chance = random.Random(23)
    joined = ["".join(chance.choices(PIECES, k=chance.randint(1, 5))) for _ in range(number // 2)]
    words = [word for text in TEXTS[:6] for word in text.split() if word.isalpha()]
    for _ in range(number // 5):
        lines = (" ".join(chance.choices(words, k=chance.randint(1, 2))) for _ in range(chance.randint(2, 6)))
        joined.append(
            "".join(chance.choice(("", "", "- ", "2) ")) + line + chance.choice("\n\n\v\u2028") for line in lines)
        )
    letters = "".join(PIECES)
    mixed = ["".join(chance.choices(letters, k=chance.randint(1, 120))) for _ in range(number - number // 2)]
    return ["", *PIECES, *joined, *mixed]


def stub_logits(ids: Sequence[int]) -> list[list[float]]:
    """What `stub_runtime.mjs` computes; every number has few digits, so that both are equal to the last bit."""
    return [
        [
            ((((i * 31 + label * 7 + 1) * 2654435761) & 0xFFFFFFFF) >> 8 & 0xFFFF) / 8192
            + (place * 7919 % 64) / 1024 * (label + 1)
            for label in range(5)
        ]
        for place, i in enumerate(ids)
    ]


def stub_package(folder: Path) -> Path:
    """A package of npm that holds the stub."""
    path, content = folder / "stub.tgz", Path(__file__).with_name("stub_runtime.mjs").read_bytes()
    with tarfile.open(path, "w:gz") as archive:
        for name in RUNTIME_FILES:
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(scope="session")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters of one base, that find much."""
    folder = tmp_path_factory.mktemp("adapters")
    base = save_base(folder / "base")
    return [save_adapter(folder / name, base, seed=seed) for seed, name in enumerate(("first", "second"), start=1)]


@pytest.fixture(scope="session")
def stub_page(adapters: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of both, its runtime the stub."""
    from zoo.export.web import export_web

    folder = tmp_path_factory.mktemp("page")
    sources = [ExportSource(str(path), None, None, "") for path in adapters]
    export_web(sources, load_registry(), stub_package(folder), folder / "page", lambda _: None)
    return folder / "page"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The folder over HTTP, as `python -m http.server` serves it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()

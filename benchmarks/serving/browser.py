"""The page of `zoo export --web` in headless Chromium: its entities beside Python's, its size, the time to an answer.

    python benchmarks/serving/browser.py MODEL... --texts FILE [--texts-used 200] [--runtime FILE]

The models are adapters of one base. Each text is entered on the page, with the network cut off once it is loaded. What
is found is compared with what onnxruntime in Python finds by the same files, and with the models in float32. The first
answer is timed from an empty browser, by a server on loopback, to the entities of the example by all models. Every
request of the page is looked at. Writes `benchmarks/results/browser.{json,md}`.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import playwright.sync_api as browsers

from zoo.evaluation.latency import processor_name
from zoo.export.graph import graph_tagger, open_graph
from zoo.export.web import GRAPH_FILE, WebRecord
from zoo.files import write_whole
from zoo.tagging.inputs import read_texts
from zoo.tagging.tagger import Tagger

RESULTS = Path(__file__).parents[1] / "results"
OPENINGS = 5
PATIENCE_MS = 120_000
Key = tuple[int, int, str, str]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="folders of checkpoints")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--texts-used", type=int, default=200, help="drawn from the file")
    parser.add_argument("--runtime", type=Path)
    arguments = parser.parse_args()
    texts = [text.text for text in read_texts(arguments.texts)]
    texts = random.Random(1).sample(texts, arguments.texts_used)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "page"
        given = ["--runtime", str(arguments.runtime)] if arguments.runtime else []
        command = [sys.executable, "-m", "zoo", "export", *arguments.models, "--web", str(folder), *given]
        subprocess.run(command, check=True)
        record = WebRecord.from_file(folder / "export.json", what="not a page")
        originals = Tagger.load_all(arguments.models)
        exact, int8 = _python(record, folder, originals, texts)
        page = _page(folder, texts)
        sizes = {part: _size(folder, files) for part, files in PARTS.items()}
    names = [model.name for model in record.models]
    found = [{key[:3] for key in keys if key[3] == name} for keys in page.pop("found") for name in names]
    same, ours, full = (sum(len(a & b) for a, b in zip(found, side, strict=True)) for side in (int8, found, exact))
    data = {
        "machine": {"processor": processor_name(), "cores": os.cpu_count()},
        "models": names,
        "texts": len(texts),
        "words_per_text": statistics.mean(len(text.split()) for text in texts),
        "command": f"python benchmarks/serving/browser.py MODEL... --texts FILE --texts-used {len(texts)}",
        "entities": {"page": ours, "python": sum(map(len, int8)), "equal": same},
        "answers_that_differ": sum(a != b for a, b in zip(found, int8, strict=True)),
        "float32": {
            "entities": sum(map(len, exact)),
            "equal": full,
            "share": full / (ours + sum(map(len, exact)) - full),
        },
        "sizes": sizes,
        **page,
    }
    write_whole(RESULTS / "browser.json", json.dumps(data, indent=1) + "\n")
    write_whole(RESULTS / "browser.md", _report(data))


PARTS = {
    "base and adapters": (GRAPH_FILE, "adapters/*", "tokenizer.json"),
    "runtime": ("runtime/*",),
    "page": ("*.html", "*.js", "*.css", "export.json"),
}


def _size(folder: Path, patterns: tuple[str, ...]) -> dict[str, int]:
    files = [path for pattern in patterns for path in folder.glob(pattern)]
    packed = sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)
    return {"bytes": sum(path.stat().st_size for path in files), "gzip_bytes": packed}


def _python(
    record: WebRecord, folder: Path, originals: list[Tagger], texts: list[str]
) -> tuple[list[set[tuple[int, int, str]]], ...]:
    """Entities of each text by each model: in float32, and by the page's files in Python."""
    sides = [], []
    for model, original in zip(record.models, originals, strict=True):
        run = open_graph(folder / GRAPH_FILE, folder / model.file)
        for side, tagger in zip(sides, (original, graph_tagger(original, run, model.heads)), strict=True):
            side.append([{(e.start, e.end, e.type) for e in found} for found in tagger.tag(texts)])
    return tuple([found for per_model in zip(*side, strict=True) for found in per_model] for side in sides)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _page(folder: Path, texts: list[str]) -> dict[str, Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}/"
    path = os.environ.get("ZOO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    requests: list[str] = []
    first, found, seconds = [], [], []
    with browsers.sync_playwright() as play:
        for opening in range(OPENINGS):
            browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
            context = browser.new_context()
            context.on("request", lambda request: requests.append(request.url))
            page = context.new_page()
            began = time.perf_counter()
            page.goto(origin)
            _find(page)
            first.append(time.perf_counter() - began)
            if opening == OPENINGS - 1:
                context.set_offline(True)
                for text in texts:
                    page.fill("#text", text)
                    began = time.perf_counter()
                    _find(page)
                    seconds.append(time.perf_counter() - began)
                    answer = json.loads(page.locator("#json").text_content() or "")
                    assert answer["text"] == text
                    found.append({(e["start"], e["end"], e["type"], e["model"]) for e in answer["entities"]})
            version = browser.version
            browser.close()
    server.shutdown()
    outside = [url for url in requests if not url.removeprefix("blob:").startswith((origin, "data:"))]
    return {
        "browser": f"Chromium {version}",
        "found": found,
        "first_answer_seconds": {"median": statistics.median(first), "longest": max(first), "openings": OPENINGS},
        "text_seconds": {"median": statistics.median(seconds), "longest": max(seconds)},
        "requests": len(requests),
        "requests_to_other_origins": len(outside),
    }


def _find(page: Any) -> None:
    page.click("#find")
    browsers.expect(page.locator("#status")).to_have_text(re.compile(r"found in|cannot"), timeout=PATIENCE_MS)


def _report(data: dict[str, Any]) -> str:
    entities, exact, first = data["entities"], data["float32"], data["first_answer_seconds"]
    everything = {key: sum(size[key] for size in data["sizes"].values()) for key in ("bytes", "gzip_bytes")}
    lines = [
        "# The page of `zoo export --web`",
        "",
        f"One base with {len(data['models'])} adapters ({', '.join(data['models'])}) in headless {data['browser']}, "
        f"one thread, on {data['machine']['processor']}, {data['machine']['cores']} cores; {data['texts']} texts of "
        f"{data['words_per_text']:.0f} words on average, tagged with the network cut off. Made by "
        f"`{data['command']}`.",
        "",
        "| what | measured |",
        "|---|---|",
        f"| entities of the page equal to Python's by the same files (start, end, type) | {entities['equal']:,} of "
        f"{entities['python']:,}; {entities['page'] - entities['equal']} others |",
        f"| answers (a text by a model) that differ | {data['answers_that_differ']} of "
        f"{data['texts'] * len(data['models']):,} |",
        f"| entities equal to those of the models in float32 | {exact['equal']:,} of {exact['entities']:,}; "
        f"of those that either finds {100 * exact['share']:.2f} % |",
        f"| first answer, all models, from an empty browser: median, longest of {first['openings']} | "
        f"{first['median']:.1f} s, {first['longest']:.1f} s |",
        f"| a text by all models: median, longest | {data['text_seconds']['median']:.2f} s, "
        f"{data['text_seconds']['longest']:.2f} s |",
        f"| requests to another origin | {data['requests_to_other_origins']} of {data['requests']} |",
        "",
        "| part | MB | gzip, MB |",
        "|---|---|---|",
    ]
    for name, size in {**data["sizes"], "all": everything}.items():
        lines.append(f"| {name} | {size['bytes'] / 1e6:.2f} | {size['gzip_bytes'] / 1e6:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Make the documentation site with Sphinx: `python docs/build.py [OUT]`, by default into `builds/docs/`.

Beside the pages of this folder it has generated ones: the commands from their own help, the Python reference from
docstrings, the fields of `result.json` from its schema, and the reports of `benchmarks/`. Links to other files of the
repository, which work where pages are read as files, become links to their page, or code where they have none here.
Warnings are errors: a link that leads nowhere ends the build.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = "benchmarks/results"
PYTHON = {
    "Text to entities": ["zoo.tagging.tagger.Tagger", "zoo.tagging.stream.tag_stream", "zoo.tagging.pool.Pool"],
    "Concepts and assertion": ["zoo.linking.linker.Linker", "zoo.tagging.asserting.assert_entities"],
    "Scores": ["zoo.evaluation.scoring.score_predictions", "zoo.evaluation.statistics.bootstrap_interval"],
    "The service": ["zoo.service.client.Client"],
    "The registry": ["zoo.registry.loader.load_registry", "zoo.registry.loader.Registry"],
}
"""What the Python reference documents, by heading."""
LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def main() -> None:
    """Gather all pages, then run Sphinx."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "builds" / "docs"
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch)
        for place, origin, text in pages():
            (source / place).parent.mkdir(parents=True, exist_ok=True)
            (source / place).write_text(relinked(text, place, origin), encoding="utf-8")
        shutil.copytree(ROOT / "docs" / "images", source / "images")
        for image in (ROOT / RESULTS).rglob("*.png"):
            shutil.copy(image, source / _place(f"{RESULTS}/{image.relative_to(ROOT / RESULTS).as_posix()}"))
        shutil.copy(ROOT / "docs" / "conf.py", source)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html", source, out]
        sys.exit(subprocess.run([str(part) for part in command], check=False).returncode)


def pages() -> Iterator[tuple[str, str, str]]:
    """Place on the site, file that it is read from in the repository, text."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        yield page.name, f"docs/{page.name}", page.read_text(encoding="utf-8")
    yield "tour.md", "docs/tour.md", notebook(ROOT / "docs" / "tour.ipynb")
    yield "reference/commands.md", "docs/reference/commands.md", commands()
    yield "reference/python.md", "docs/reference/python.md", python()
    yield "reference/result.md", "docs/reference/result.md", result()
    reports = [f"{RESULTS}/{path.relative_to(ROOT / RESULTS).as_posix()}" for path in (ROOT / RESULTS).rglob("*.md")]
    for file in ["benchmarks/README.md", *sorted(reports)]:
        text = (ROOT / file).read_text(encoding="utf-8")
        if file == "benchmarks/README.md":
            listed = "\n".join(_place(report).removeprefix("measured/") for report in sorted(reports))
            text += f"\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
        yield _place(file), file, text


def _place(file: str) -> str:
    """Where a file of the repository stands on the site."""
    file = re.sub(r"^docs/", "", file)
    return "measured/index.md" if file == "benchmarks/README.md" else file.replace(RESULTS, "measured", 1)


def relinked(text: str, place: str, origin: str) -> str:
    """A page whose relative links, right in the repository, are right on the site."""

    def turned(match: re.Match[str]) -> str:
        image, words, target, anchor = match.groups()
        if re.match(r"[a-z]+:", target):
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target)).replace(".ipynb", ".md")
        if file.startswith(("docs/", RESULTS, "benchmarks/README.md")) and file.endswith((".md", ".svg", ".png")):
            there = posixpath.relpath(_place(file), posixpath.dirname(place) or ".")
            return f"{image}[{words}]({there}{anchor or ''})"
        if not (ROOT / file).exists():
            raise SystemExit(f"{origin}: the link to {target} leads nowhere")
        return words if words.strip("`") == file else f"{words} (`{file}`)"

    return LINK.sub(turned, text)


def notebook(file: Path) -> str:
    """The cells of a notebook as a page."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    code = [
        f"```python\n{text}\n```" if cell["cell_type"] == "code" else text
        for cell, text in zip(cells, texts, strict=True)
    ]
    return "\n\n".join(code) + "\n"


def commands() -> str:
    """Every command with its options, from typer."""
    import typer
    from typer.cli import get_docs_for_click

    from zoo.cli import app

    command = typer.main.get_command(app)
    text: str = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="zoo"), name="zoo")
    return re.sub(r"^# `zoo`", "# Commands", text, count=1)


def python() -> str:
    """Objects for autodoc."""
    lines = ["# Python", "", "What scripts may rely on; everything else may change with any version.", ""]
    for heading, names in PYTHON.items():
        lines += [f"## {heading}", ""]
        for name in names:
            kind = "autoclass" if name.rpartition(".")[2][0].isupper() else "autofunction"
            members = "   :members:\n" if kind == "autoclass" else ""
            lines += ["```{eval-rst}", f".. {kind}:: {name}", members.rstrip("\n"), "```", ""]
    return "\n".join(lines)


def result() -> str:
    """The fields of `result.json`, from its JSON schema."""
    schema = json.loads((ROOT / "zoo" / "evaluation" / "result.schema.json").read_text(encoding="utf-8"))
    lines = ["# result.json", "", str(schema.get("description", "")), ""]
    for name, record in [("All of it", schema), *sorted(schema.get("$defs", {}).items())]:
        if "properties" in record:
            lines += [f"## {name}", "", "| field | type | what |", "|---|---|---|"]
            lines += [f"| `{field}` | {_type(of)} | {_told(of)} |" for field, of in record["properties"].items()]
            lines.append("")
    return "\n".join(lines)


def _type(of: dict[str, Any]) -> str:
    if "$ref" in of:
        name = of["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in of:
        return " or ".join(_type(each) for each in of["anyOf"])
    if of.get("type") == "array":
        return f"list of {_type(of['items'])}" if "items" in of else "list"
    return str(of.get("type", "any"))


def _told(of: dict[str, Any]) -> str:
    return " ".join(str(of.get("description", "")).split()).replace("|", "\\|")


if __name__ == "__main__":
    main()

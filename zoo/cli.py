"""The `zoo` command: parse, call, print. Exit codes: 0 all good, 1 some builds failed, 2 usage or bad input."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo import __version__, cli_corpora, cli_evaluation
from zoo.errors import ZooError
from zoo.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.evaluation.scoring import SplitScore
    from zoo.registry.loader import Checkpoint, Registry

app = typer.Typer(
    help="Build, score and publish LoRA adapters for biomedical named-entity recognition.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Split(str, Enum):
    """A split, as an option."""

    train = "train"
    dev = "dev"
    test = "test"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry", metavar="DIR", help="Your own registry folder, overlaid on the packaged one [ZOO_REGISTRY]."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Output folder [ZOO_OUT; default: builds].")
]
SuiteOption = Annotated[str | None, typer.Option("--suite", help="A named set of checkpoints.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the recipe, e.g. finetune.epochs=3."),
]


def main() -> None:
    """Run the command; errors a user can fix become one message and exit code 2."""
    try:
        app()
    except ZooError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        sys.stdout.write(f"zoo {__version__}\n")
        raise typer.Exit


@app.command("list")
def list_checkpoints(suite: SuiteOption = None, registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List checkpoints: of a suite, or every backbone x corpus."""
    found = _registry(registry)[0]
    if suite:
        checkpoints = found.suite_checkpoints(suite)
    else:
        checkpoints = [found.checkpoint(f"{b}/{c}") for b in found.backbones for c in found.corpora]
    rows = [
        {
            "id": c.id,
            "family": c.backbone.family,
            "entity_types": list(c.corpus.entity_types),
            "backbone_license": c.backbone.license.spdx,
            "corpus_license": c.corpus.license.spdx,
        }
        for c in checkpoints
    ]
    if as_json:
        _print_json(rows)
        return
    _print_table(["id", "family", "entity types", "licences (backbone, corpus)"], [_list_row(row) for row in rows])
    _console().print(f"{len(rows)} checkpoints; suites: {', '.join(found.suites)}", highlight=False)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A checkpoint (backbone/corpus), backbone, corpus or suite.")
    ],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show one entry of the registry; for a checkpoint, with the recipe that would build it."""
    found = _registry(registry)[0]
    if "/" in name:
        checkpoint = found.checkpoint(name)
        data: dict[str, Any] = {
            "id": checkpoint.id,
            "backbone": checkpoint.backbone.model_dump(),
            "corpus": checkpoint.corpus.model_dump(),
            "recipe": checkpoint.recipe.model_dump(),
            "family": found.families[checkpoint.backbone.family].model_dump(),
        }
    else:
        known: dict[str, Any] = {**found.suites, **found.passages, **found.corpora, **found.backbones}
        if name not in known:
            from zoo.errors import did_you_mean

            raise ZooError(f"unknown id {name!r}", fix=f"{did_you_mean(name, known)} `zoo list` shows all checkpoints")
        data = known[name].model_dump()
    if as_json:
        _print_json(data)
    else:
        import yaml

        sys.stdout.write(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True, width=120))


@app.command()
def build(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checkpoints, backbone/corpus.")] = None,
    build_all: Annotated[bool, typer.Option("--all", help="Every checkpoint of --suite, or of all suites.")] = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    settings_: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built, and stop.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Train, score and document checkpoints."""
    from zoo.registry.recipes import parse_settings

    found, settings = _registry(registry)
    settings = replace(settings, out=out or settings.out)
    values = parse_settings(settings_ or [])
    checkpoints = _chosen(found, ids or [], build_all, suite, values)
    if dry_run:
        _print_plan(checkpoints, found, settings, as_json)
        return
    from zoo.build.progress import ConsoleReporter
    from zoo.build.run import run

    outcome = run(
        checkpoints, found, settings, keep_going=build_all, reporter=ConsoleReporter(_console(stderr=as_json))
    )
    if as_json:
        failed = [{"checkpoint_id": f.checkpoint_id, "message": f.message} for f in outcome.failures]
        _print_json({"results": [r.model_dump(mode="json") for r in outcome.results], "failures": failed})
    else:
        rows = [_summary_row(result.model_dump()) for result in outcome.results]
        rows += [
            [failure.checkpoint_id, "FAILED: " + failure.message.splitlines()[0], "", "", "", "", ""]
            for failure in outcome.failures
        ]
        _print_table(["checkpoint", "test F1", "95% interval", "trained", "adapter MB", "seconds", "Wh / g CO2e"], rows)
        _console().print(
            f"written to {settings.out}; `zoo board --out {settings.out}` ranks them",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    if outcome.failures:
        raise typer.Exit(1)


@app.command()
def board(out: OutOption = None, as_json: AsJson = False) -> None:
    """Rank what was built, corpus by corpus; writes board.json and board.csv."""
    from zoo.build.run import refresh_board

    folder = out or Settings.from_env().out
    if not (folder / "checkpoints").is_dir():
        raise ZooError(
            "nothing was built here yet", where=folder, fix="run zoo build, or name another folder with --out"
        )
    rows = refresh_board(folder)
    if as_json:
        _print_json(rows)
        return
    table = [
        [
            row["corpus"],
            str(row["rank"]),
            row["checkpoint_id"],
            _percent(row["test_micro_f1"]),
            f"[{_percent(row['test_ci95_low'])}, {_percent(row['test_ci95_high'])}]",
            _percent(row["test_precision"]),
            _percent(row["test_recall"]),
            f"{row['adapter_bytes'] / 1e6:.2f}",
        ]
        for row in rows
    ]
    _print_table(["corpus", "rank", "checkpoint", "test F1", "95% interval", "P", "R", "adapter MB"], table)


@app.command()
def tag(
    model: Annotated[
        str, typer.Option("--model", metavar="DIR_OR_ID", help="Checkpoint folder, adapter, model folder or Hub id.")
    ],
    text: Annotated[str | None, typer.Argument(help="Text to tag.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="A UTF-8 text file, one document; - for standard input."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the entities of a text of any length; offsets are [start, end) in characters."""
    if (text is None) == (file is None):
        raise ZooError("give either a text or --file", fix='zoo tag --model DIR "text", or --file note.txt')
    content = text if text is not None else _read_text(file or Path("-"))
    from zoo.modeling.tagger import Tagger

    _quiet_libraries()
    entities = Tagger.load(model).tag([content])[0]
    if as_json:
        _print_json(
            [
                {
                    "start": e.start,
                    "end": e.end,
                    "type": e.type,
                    "text": content[e.start : e.end],
                    "score": round(e.score, 4),
                }
                for e in entities
            ]
        )
        return
    _print_table(
        ["start", "end", "type", "text", "score"],
        [[str(e.start), str(e.end), e.type, content[e.start : e.end], f"{e.score:.3f}"] for e in entities],
    )


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Checkpoint folder, adapter, model folder or Hub id.")],
    corpus: Annotated[str, typer.Argument(help="Corpus id.")],
    split: Annotated[Split, typer.Option("--split")] = Split.test,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="FROM=TO", help="Rename a type that the model predicts.")
    ] = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on a corpus: strict micro-F1 with a 95% document-bootstrap interval."""
    from zoo.corpora.load import load_corpus

    found, settings = _registry(registry)
    entry = found.corpus(corpus)
    renames = dict(_rename(item) for item in mapping or [])
    corpus_ = load_corpus(entry, registry_folder=found.folders[f"corpora/{entry.id}"], local=settings.corpora)
    documents = corpus_.splits[split.value]
    from zoo.evaluation.scoring import rename_types, score_predictions, tag_documents
    from zoo.modeling.tagger import Tagger

    _quiet_libraries()
    predictions = rename_types(tag_documents(Tagger.load(model), documents), renames)
    score = score_predictions(documents, predictions, samples=10_000)
    if as_json:
        _print_json({"model": model, "corpus": corpus, "split": split.value, **score.model_dump(mode="json")})
    else:
        _print_score(score)


@app.command()
def lock(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BACKBONE]...", help="Backbones to resolve; none means all on the Hub."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", metavar="FILE")] = Path("zoo.lock.yaml"),
    registry: RegistryOption = None,
) -> None:
    """Resolve Hub ids without a revision to commits and file hashes, written to zoo.lock.yaml."""
    from zoo.registry.lock import resolve

    found = _registry(registry)[0]
    chosen = [found.backbone(name) for name in ids] if ids else [b for b in found.backbones.values() if b.hub_id]
    locked = resolve(chosen, output)
    _print_table(
        ["backbone", "Hub id", "commit", "files"],
        [[name, item.hub_id, item.revision, str(len(item.files))] for name, item in locked.items()],
    )


cli_evaluation.register(app)
app.add_typer(cli_corpora.corpora_app, name="corpora")


def _registry(overlay: Path | None) -> tuple[Registry, Settings]:
    from zoo.registry.loader import load_registry

    settings = Settings.from_env()
    settings = replace(settings, registry=overlay or settings.registry)
    return load_registry(settings.registry), settings


def _chosen(
    registry: Registry, ids: list[str], build_all: bool, suite: str | None, values: dict[str, Any]
) -> list[Checkpoint]:
    if ids and (build_all or suite):
        raise ZooError("give checkpoint ids, or --all with --suite, not both")
    if suite and not build_all:
        raise ZooError("--suite needs --all", fix=f"zoo build --all --suite {suite}")
    if not ids and not build_all:
        raise ZooError("nothing to build", fix="name checkpoints (zoo list), or say --all [--suite NAME]")
    return (
        registry.suite_checkpoints(suite, values)
        if build_all
        else [registry.checkpoint(name, values) for name in dict.fromkeys(ids)]
    )


def _print_plan(checkpoints: list[Checkpoint], registry: Registry, settings: Settings, as_json: bool) -> None:
    from zoo.build.layout import Layout

    layout = Layout(settings.out)
    rows: list[dict[str, Any]] = []
    for checkpoint in checkpoints:
        folder = layout.checkpoint(checkpoint.backbone.id, checkpoint.corpus.id)
        base = layout.base(checkpoint.backbone.id)
        rows.append(
            {
                "checkpoint_id": checkpoint.id,
                "folder": str(folder),
                "replaces_existing": folder.exists(),
                "base_exists": base.exists(),
                "epochs": checkpoint.recipe.finetune.epochs,
                "entity_types": list(checkpoint.corpus.entity_types),
            }
        )
    if as_json:
        _print_json(rows)
        return
    _print_table(
        ["checkpoint", "folder", "base", "epochs"],
        [
            [
                r["checkpoint_id"],
                r["folder"] + (" (replaced)" if r["replaces_existing"] else ""),
                "exists" if r["base_exists"] else "to build",
                str(r["epochs"]),
            ]
            for r in rows
        ],
    )
    _console().print(f"{len(rows)} checkpoints would be built; nothing was written", highlight=False)


def _rename(item: str) -> tuple[str, str]:
    source, equals, target = item.partition("=")
    if not (source and equals and target):
        raise ZooError(f"--map takes FROM=TO, not {item!r}", where="--map", fix="for example --map Disease=DISEASE")
    return source, target


def _read_text(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ZooError(f"not UTF-8: byte {error.start}", where=path, fix="convert the file to UTF-8") from None
    except OSError as error:
        raise ZooError(f"cannot read the file: {error.strerror}", where=path) from None


def _summary_row(result: dict[str, Any]) -> list[str]:
    test, energy = result["scores"]["test"], result["energy"]
    return [
        result["checkpoint_id"],
        _percent(test["micro_f1"]),
        f"[{_percent(test['ci95'][0])}, {_percent(test['ci95'][1])}]",
        f"{result['trained_parameters']:,} ({100 * result['trained_share']:.2f} %)",
        f"{result['adapter_bytes'] / 1e6:.2f}",
        f"{result['train_seconds']:.0f}",
        f"{energy['energy_wh']:.2f} / {energy['emissions_g']:.2f}",
    ]


def _list_row(row: dict[str, Any]) -> list[str]:
    types = row["entity_types"]
    shown = ", ".join(types[:5]) + (f" and {len(types) - 5} more" if len(types) > 5 else "")
    return [row["id"], row["family"], shown, f"{row['backbone_license']}, {row['corpus_license']}"]


def _print_score(score: SplitScore) -> None:
    rows = [
        [
            "all",
            _percent(score.micro_f1),
            f"[{_percent(score.ci95[0])}, {_percent(score.ci95[1])}]",
            _percent(score.precision),
            _percent(score.recall),
            str(score.gold_mentions),
        ]
    ]
    rows += [
        [name, _percent(s.f1), "", _percent(s.precision), _percent(s.recall), str(s.gold_mentions)]
        for name, s in score.per_type.items()
    ]
    _print_table(["type", "strict F1", "95% interval", "P", "R", "mentions"], rows)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _quiet_libraries() -> None:
    from zoo.modeling.quiet import quiet_libraries

    quiet_libraries()


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if terminal else 160)


def _print_table(columns: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table)


def _print_json(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")

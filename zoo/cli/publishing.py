"""The commands that publish and check what is published: `zoo push`, `zoo verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.options import AsJson, MapOption, OutOption, RegistryOption, SuiteOption, open_registry, parse_renames
from zoo.cli.output import print_json, print_line, print_step, print_table
from zoo.errors import HubError, ZooError
from zoo.settings import check_org

if TYPE_CHECKING:
    from zoo.hub.client import Hub
    from zoo.hub.verification import Verification
    from zoo.pipeline.context import Context
    from zoo.pipeline.progress import Reporter
    from zoo.pipeline.publish import Publication, Publisher
    from zoo.registry.loader import Checkpoint, Registry
    from zoo.registry.names import Names
    from zoo.settings import Settings

OrgOption = Annotated[
    str | None,
    typer.Option("--org", metavar="NAME", help="Organisation or user on the Hub [ZOO_ORG; default: openmed]."),
]
PrivateOption = Annotated[
    bool, typer.Option("--private", help="Into private repositories, where the licences allow it.")
]


def push(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checkpoints, backbone/corpus.")] = None,
    push_all: Annotated[bool, typer.Option("--all", help="All that is built, or every checkpoint of --suite.")] = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    org: OrgOption = None,
    private: PrivateOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Propose the changes by pull requests.")] = False,
    verify_: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Download and score again what was pushed.")
    ] = True,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish built checkpoints and their bases on the Hub; what is there already is not pushed again."""
    from zoo.hub.client import Hub
    from zoo.hub.push import PushOptions
    from zoo.hub.retry import RetryPolicy
    from zoo.pipeline.context import Context
    from zoo.pipeline.publish import Publisher, check_access

    found, settings = open_registry(registry)
    settings = _with_org(replace(settings, out=out or settings.out), org)
    checkpoints = _chosen(found, settings, ids or [], push_all, suite)
    options = PushOptions(private=private, create_pr=create_pr, dry_run=dry_run)
    check_access(settings, options)
    hub = Hub(RetryPolicy(report=print_step))
    with Publisher(Context(found, settings), hub, options, checkpoints, verify=verify_, tell=print_step) as publisher:
        for checkpoint in checkpoints:
            publisher.add(checkpoint)
        done = publisher.finish()
    if any(item.verification for item in done):
        refresh_quietly(settings.out)
    if as_json:
        print_json([publication_record(item) for item in done])
    else:
        print_publications(done, dry_run=dry_run)
    if code := max((item.exit_code for item in done), default=0):
        raise typer.Exit(code)


def verify(
    repos: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REPO]...", help="Hub ids, of zoo's models or others; or checkpoints."),
    ] = None,
    verify_all: Annotated[bool, typer.Option("--all", help="All models of the registry that --org has.")] = False,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch or commit; default: main.")] = None,
    org: OrgOption = None,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", metavar="ID", help="Corpus of another's card, where its name does not tell."),
    ] = None,
    mapping: MapOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Download models into an empty cache, check every file, score them again and compare with their cards."""
    from zoo.hub.client import Hub
    from zoo.hub.retry import RetryPolicy, is_offline_client
    from zoo.hub.verify import VerifyRequest
    from zoo.hub.verify import verify as verify_one

    if is_offline_client():
        raise HubError("verifying needs the network, but the environment says offline", fix="unset HF_HUB_OFFLINE")
    found, settings = open_registry(registry)
    settings = _with_org(settings, org)
    if corpus:
        found.corpus(corpus)
    hub = Hub(RetryPolicy(report=print_step))
    names = (
        _repositories(found, settings.names, hub) if verify_all else [_repo_id(n, found, settings) for n in repos or []]
    )
    if not names:
        raise ZooError("nothing to verify", fix="name repositories of the Hub, or say --all [--org NAME]")
    types = parse_renames(mapping)
    outcomes: list[dict[str, Any]] = []
    code = 0
    for name in names:
        print_step(f"verifying {name}")
        request = VerifyRequest(repo_id=name, revision=revision, registry=settings.registry, corpus=corpus, types=types)
        try:
            outcome = verify_one(request, hub)
        except ZooError as error:
            if len(names) == 1:
                raise
            outcomes.append({"repo_id": name, "passed": False, "problems": [error.what]})
            code = max(code, error.exit_code)
            print_line(f"{name}: {error}", wrap=False)
            continue
        outcomes.append(outcome.model_dump(mode="json"))
        code = max(code, 0 if outcome.passed else 1)
        if not as_json:
            _print_verification(outcome)
    if as_json:
        print_json(outcomes)
    if code:
        raise typer.Exit(code)


def open_publisher(
    checkpoints: Sequence[Checkpoint], context: Context, private: bool, keep_going: bool, reporter: Reporter
) -> Publisher:
    """What publishes the checkpoints of a build, once it is sure that it may.

    Args:
        checkpoints: What is going to be built.
        context: Surroundings of the build.
        private: Value of `--private`.
        keep_going: Build what may not be published, too; it is said now.
        reporter: Hears what is pushed.

    Raises:
        ZooError: No country is set, the token may not write, or (without `keep_going`) a licence forbids it.
    """
    from zoo.hub.client import Hub
    from zoo.hub.push import PushOptions
    from zoo.hub.retry import RetryPolicy
    from zoo.pipeline.publish import Publisher, check_access, check_licenses

    options = PushOptions(private=private)
    refused = check_licenses(checkpoints, context, options)
    if refused and not keep_going:
        raise next(iter(refused.values()))
    check_access(context.settings, options)
    for error in refused.values():
        reporter.note("push", f"will be built, but not pushed: {error.what}")

    def tell(text: str) -> None:
        reporter.note("push", text)

    return Publisher(context, Hub(RetryPolicy(report=tell)), options, checkpoints, tell=tell)


def publication_record(item: Publication) -> dict[str, Any]:
    """A publication for `--json`."""
    record = {name: value for name, value in asdict(item).items() if name != "verification"}
    return {**record, "verified": bool(item.verification and item.verification.passed)}


def print_publications(done: Sequence[Publication], *, dry_run: bool = False) -> None:
    """A table of what was published, the changes of a dry run, and what went wrong."""
    would = {"created": "would create", "updated": "would update", "proposed": "would propose"} if dry_run else {}
    rows = [
        [
            item.repo_id,
            would.get(item.status, item.status),
            (item.commit or "")[:12],
            "yes" if item.verification and item.verification.passed else "",
        ]
        for item in done
    ]
    if rows:
        print_table(["repository", "outcome", "commit", "verified"], rows)
    for item in done:
        if dry_run and item.changes:
            print_line(f"{item.repo_id}:", wrap=False)
            for line in item.changes:
                print_line(f"  {line}", wrap=False)
        if item.status == "proposed" and item.url:
            print_line(f"{item.repo_id}: {item.url}", wrap=False)
        if item.message:
            print_line(f"{item.subject}: {item.message}", wrap=False)


def refresh_quietly(out: Path) -> None:
    """Write the board anew, with what is verified; a board that cannot be written does not spoil a push."""
    from zoo.board.rows import refresh_board

    try:
        refresh_board(out)
    except ZooError as error:
        print_line(f"the board was not written: {error}", wrap=False)


def _with_org(settings: Settings, org: str | None) -> Settings:
    return replace(settings, org=check_org(org, where="--org")) if org else settings


def _chosen(
    registry: Registry, settings: Settings, ids: list[str], push_all: bool, suite: str | None
) -> list[Checkpoint]:
    if push_all and not suite and not ids:
        from zoo.evaluation.result import find_results

        ids = [result.checkpoint_id for result in find_results(settings.out)]
        if not ids:
            raise ZooError(
                "nothing is built here", where=settings.out, fix="run zoo build, or name another folder with --out"
            )
        return [registry.checkpoint(name) for name in ids]
    from zoo.cli.build import choose

    return choose(registry, ids, push_all, suite, [])


def _repo_id(name: str, registry: Registry, settings: Settings) -> str:
    """A Hub id, or the one of a checkpoint."""
    backbone, _, corpus = name.partition("/")
    if backbone in registry.backbones and corpus in registry.corpora:
        return registry.checkpoint(name).repo_id(settings.names)
    if name.count("/") != 1:
        raise ZooError(f"{name!r} is no repository", fix="for example openmed/minilm-l6-bc5cdr-disease")
    return name


def _repositories(registry: Registry, names: Names, hub: Hub) -> list[str]:
    """Repositories of an organisation that are named like checkpoints and bases of the registry."""
    about = f"models of {names.org}"
    there = hub.retry.call(lambda: [m.id for m in hub.api.list_models(author=names.org)], about=about)
    known = {names.of_base(backbone) for backbone in registry.backbones}
    known |= {names.of_checkpoint(backbone, corpus) for backbone in registry.backbones for corpus in registry.corpora}
    return sorted(known & set(there))


def _print_verification(outcome: Verification) -> None:
    print_line(
        f"{outcome.repo_id} at {outcome.revision[:12]}: {'verified' if outcome.passed else 'NOT verified'}", wrap=False
    )
    if outcome.measured and outcome.expected:
        counts = [[name, *map(str, (c.tp, c.fp, c.fn))] for name, c in _counts(outcome)]
        print_table(["test split", "found", "wrong", "missed"], counts)
    if outcome.pipeline_documents:
        same = outcome.pipeline_documents - outcome.pipeline_differs
        print_line(f"plain pipeline: the same entities in {same} of {outcome.pipeline_documents} documents", wrap=False)
    for claim in outcome.claims:
        print_line(f"  {claim}", wrap=False)
    for problem in outcome.problems:
        print_line(f"  problem: {problem}", wrap=False)
    for note in outcome.notes:
        print_line(f"  note: {note}", wrap=False)


def _counts(outcome: Verification) -> list[tuple[str, Any]]:
    return [("measured again", outcome.measured), ("result.json", outcome.expected)]

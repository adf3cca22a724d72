"""`zoo verify`: download models, score them again, compare with their cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_registry, with_org
from zoo.cli.options import AsJson, MapOption, OrgOption, RegistryOption, parse_renames
from zoo.cli.output import print_json, print_line, print_step, print_table
from zoo.errors import HubError, ZooError

if TYPE_CHECKING:
    from zoo.hub.client import Hub
    from zoo.hub.verification import Verification
    from zoo.registry.loader import Registry
    from zoo.registry.names import Names
    from zoo.settings import Settings


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
        typer.Option("--corpus", metavar="ID", help="Corpus of another's card, where the card does not name it."),
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
    settings = with_org(settings, org)
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
    if outcome.linking:
        print_line(f"  {outcome.linking}", wrap=False)
    for claim in outcome.claims:
        print_line(f"  {claim}", wrap=False)
    for problem in outcome.problems:
        print_line(f"  problem: {problem}", wrap=False)
    for note in outcome.notes:
        print_line(f"  note: {note}", wrap=False)


def _counts(outcome: Verification) -> list[tuple[str, Any]]:
    return [("measured again", outcome.measured), ("result.json", outcome.expected)]

"""From finished builds to the Hub: the base of each backbone first, then its checkpoints, then verification."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from zoo.cards.current import current_result
from zoo.cards.licenses import check_publication, judge, judge_result
from zoo.energy import WORLD, check_country
from zoo.errors import HubError, ZooError
from zoo.evaluation.result import RESULT_FILE, Result, load_result
from zoo.files import write_whole
from zoo.hub.access import ask_hub, hub_endpoint
from zoo.hub.bundle import Bundle, base_bundle, checkpoint_bundle
from zoo.hub.client import Hub
from zoo.hub.manifest import VERIFICATION_FILE
from zoo.hub.push import Pushed, PushOptions, Status, push
from zoo.hub.retry import is_offline_client
from zoo.hub.verification import Verification
from zoo.hub.verify import VerifyRequest, verify_pushed
from zoo.pipeline.context import Context
from zoo.pipeline.stages.dapt import passage_entries
from zoo.registry.loader import Checkpoint
from zoo.settings import Settings

_ASK_SECONDS = 60.0
_COUNTRY_FIX = "set ZOO_COUNTRY or country in zoo.toml (ISO 3166 alpha-3, such as DEU); zoo build then updates the card"


@dataclass(frozen=True)
class Publication:
    """What became of one repository.

    Attributes:
        subject: Backbone of a base, id of a checkpoint.
        status: What the push did; `refused` before the Hub was asked for it, `failed` after.
        commit: Head of the repository.
        url: Its page, or that of a pull request.
        changes: Lines `+ file`, `~ file`, `- file`.
        verification: What verification found; None: it did not run.
        message: Why it did not go well.
        exit_code: 0, or that of the error.
    """

    subject: str
    repo_id: str
    status: Status | Literal["refused", "failed"]
    commit: str | None = None
    url: str | None = None
    changes: tuple[str, ...] = ()
    verification: Verification | None = None
    message: str | None = None
    exit_code: int = 0


def check_access(settings: Settings, options: PushOptions) -> None:
    """Before any work: there is a network, a country, and a token that may write.

    Raises:
        HubError: The Hub cannot be reached, or the token may not write.
        ZooError: No country is set.
    """
    where = hub_endpoint()
    if is_offline_client():
        raise HubError("pushing needs the network, but the environment says offline", fix="unset HF_HUB_OFFLINE")
    if check_country(settings.country) is None:
        raise ZooError("the card needs the country that the electricity is from", where="--push", fix=_COUNTRY_FIX)
    access = ask_hub(seconds=_ASK_SECONDS)
    if access is None:
        raise HubError("there is no token for the Hub", where=where, fix="hf auth login, or set HF_TOKEN")
    if not options.create_pr and access.may_write(settings.org) is False:
        is_member = access.is_member(settings.org)
        role = f"its role is {access.role!r}" if is_member else f"{access.user} is not a member"
        fix = "take a token with write access" if is_member else "join it, or name another one with --org or ZOO_ORG"
        raise HubError(f"the token may not write to {settings.org}: {role}", where=where, fix=fix)


def check_licenses(checkpoints: Sequence[Checkpoint], context: Context, options: PushOptions) -> dict[str, ZooError]:
    """Checkpoint id -> why its licences forbid the push; by the registry, before anything is built."""
    refused = {}
    for checkpoint in checkpoints:
        verdict = judge(checkpoint.backbone, checkpoint.corpus, passage_entries(checkpoint.recipe.dapt, context))
        try:
            check_publication(checkpoint.id, verdict, private=options.private)
        except ZooError as error:
            refused[checkpoint.id] = error
    return refused


class Publisher:
    """Publishes checkpoints one after the other, in a thread of its own, so that a build goes on meanwhile.

    Args:
        context: Registry, settings, layout.
        hub: Where to.
        options: How.
        wanted: All that this run is to publish: a base may change if all its adapters are among them.
        verify: Verify what was pushed.
        report: Called with a line about what is being done.
    """

    def __init__(
        self,
        context: Context,
        hub: Hub,
        options: PushOptions,
        wanted: Sequence[Checkpoint],
        *,
        verify: bool = True,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._context, self._hub, self._options, self._report = context, hub, options, report
        self._verify = verify and not (options.dry_run or options.create_pr)
        self._together = frozenset(checkpoint.repo_id(context.settings.names) for checkpoint in wanted)
        self._bases: dict[str, Bundle | ZooError] = {}
        self._pushed: list[tuple[Checkpoint, Bundle, Pushed]] = []
        self._done: list[Publication] = []
        self._asked: list[Future[None]] = []
        self._thread = ThreadPoolExecutor(1, "push")

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=kind is None, cancel_futures=True)

    def add(self, checkpoint: Checkpoint) -> None:
        """Publish a built checkpoint as soon as those before it are."""
        self._asked.append(self._thread.submit(self._publish, checkpoint))

    def finish(self) -> list[Publication]:
        """Wait for the pushes, then verify; what was done, bases before what stands on them."""
        for asked in self._asked:
            asked.result()  # a bug there is one here
        if self._verify:
            with tempfile.TemporaryDirectory(prefix="zoo-verify-") as home:
                for checkpoint, bundle, pushed in self._pushed:
                    self._verify_one(checkpoint, bundle, pushed, Path(home))
        return self._done

    def _publish(self, checkpoint: Checkpoint) -> None:
        try:
            self._report(f"pushing {checkpoint.id}")
            result = self._result(checkpoint)
            on = self._base(checkpoint, result)
            bundle = self._bundle(checkpoint, result, on)
            options = replace(self._options, must_be_private=self._options.private)
            pushed = push(bundle, self._hub, options)
        except (ZooError, OSError) as error:
            self._done.append(_failure(checkpoint.id, checkpoint.repo_id(self._context.settings.names), error))
            return
        self._done.append(_publication(checkpoint.id, pushed))
        self._pushed.append((checkpoint, bundle, pushed))
        if pushed.verification:
            self._keep(checkpoint, pushed.verification)

    def _result(self, checkpoint: Checkpoint) -> Result:
        """The record of a built checkpoint that may be published."""
        path = self._folder(checkpoint) / RESULT_FILE
        result = current_result(load_result(path).named(self._context.settings.names), self._context.registry)
        verdict = judge_result(result, checkpoint.backbone, checkpoint.corpus)
        check_publication(checkpoint.id, verdict, private=self._options.private)
        if result.energy.country == WORLD:
            raise ZooError(
                "its emissions are those of the world average: no country was set", where=path, fix=_COUNTRY_FIX
            )
        return result

    def _base(self, checkpoint: Checkpoint, result: Result) -> Bundle:
        """The base of a checkpoint, pushed once a run.

        Raises:
            ZooError: It could not be pushed; nothing that stands on it is then.
        """
        known = self._bases.get(result.base_repo_id)
        if known is None:
            try:
                known = self._push_base(checkpoint, result)
            except ZooError as error:
                known = error
                self._done.append(_failure(result.base_folder, result.base_repo_id, error))
            self._bases[result.base_repo_id] = known
        if isinstance(known, ZooError):
            kind = HubError if isinstance(known, HubError) else ZooError
            raise kind(f"its base {result.base_repo_id} was not pushed: {known.what}", where=known.where, fix=known.fix)
        if known.result.fingerprints.get("base") != result.fingerprints.get("base"):
            raise ZooError(
                f"it stands on another base than {known.result.checkpoint_id}; only one can be {result.base_repo_id}",
                where=self._folder(checkpoint) / RESULT_FILE,
                fix="build both with the same pre-training and versions of the libraries",
            )
        return known

    def _push_base(self, checkpoint: Checkpoint, result: Result) -> Bundle:
        context, name = self._context, f"the base of {checkpoint.backbone.id}"
        verdict = judge_result(result, checkpoint.backbone, None)
        check_publication(name, verdict, private=self._options.private)
        folder = context.layout.base_of(result)
        bundle = base_bundle(folder, result, checkpoint, context.registry, self._places())
        options = replace(self._options, must_be_private=not verdict.publishable)
        pushed = push(bundle, self._hub, options, together=self._together)
        self._done.append(_publication(result.base_folder, pushed))
        return bundle

    def _bundle(self, checkpoint: Checkpoint, result: Result, on: Bundle) -> Bundle:
        base = self._context.layout.base_of(result)
        folder, registry = self._folder(checkpoint), self._context.registry
        return checkpoint_bundle(folder, base, result, checkpoint, registry, on, self._places())

    def _verify_one(self, checkpoint: Checkpoint, bundle: Bundle, pushed: Pushed, home: Path) -> None:
        place = next(i for i, item in enumerate(self._done) if item.repo_id == bundle.repo_id)
        if pushed.verification is None:
            self._report(f"verifying {bundle.repo_id}")
        request = VerifyRequest(repo_id=bundle.repo_id, registry=self._context.settings.registry)
        try:
            options = replace(self._options, must_be_private=self._options.private)
            verification = verify_pushed(bundle, pushed, request, self._hub, options, home=home)
        except ZooError as error:
            message = f"pushed, but not verified: {error}"
            self._done[place] = replace(self._done[place], message=message, exit_code=error.exit_code)
            return
        done = replace(self._done[place], verification=verification)
        if verification.passed:
            self._keep(checkpoint, verification)
        else:
            done = replace(done, message=f"pushed, but not verified: {'; '.join(verification.problems)}", exit_code=1)
        self._done[place] = done

    def _keep(self, checkpoint: Checkpoint, verification: Verification) -> None:
        """Leave what the Hub has beside the result: the board reads it there."""
        write_whole(self._folder(checkpoint) / VERIFICATION_FILE, verification.to_json())

    def _folder(self, checkpoint: Checkpoint) -> Path:
        return self._context.layout.checkpoint(checkpoint.backbone.id, checkpoint.corpus.id)

    def _places(self) -> list[Path]:
        return list(self._context.settings.folders)


def _publication(subject: str, pushed: Pushed) -> Publication:
    return Publication(
        subject,
        pushed.repo_id,
        pushed.status,
        pushed.commit,
        pushed.url,
        tuple(pushed.difference.lines),
        pushed.verification,
    )


def _failure(subject: str, repo_id: str, error: ZooError | OSError) -> Publication:
    if isinstance(error, HubError):
        return Publication(subject, repo_id, "failed", message=str(error), exit_code=error.exit_code)
    text = str(error) if isinstance(error, ZooError) else f"{error.strerror or error}\n  where: {error.filename}"
    return Publication(subject, repo_id, "refused", message=text, exit_code=1)

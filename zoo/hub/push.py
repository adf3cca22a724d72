"""Push: one atomic commit a repository, none where the Hub already has the same, never over another model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from zoo.errors import ZooError
from zoo.hub.bundle import Bundle
from zoo.hub.client import Hub, Remote
from zoo.hub.manifest import (
    CARD_FILE,
    HUB_FILES,
    MANIFEST_FILE,
    VERIFICATION_FILE,
    Manifest,
    file_record,
    read_manifest,
)
from zoo.hub.verification import Verification, read_verification

Status = Literal["created", "updated", "unchanged", "proposed"]
_STARTER = frozenset({CARD_FILE, "LICENSE", ".gitignore"}) | HUB_FILES
"""What a repository may hold that somebody made by hand for this model."""


@dataclass(frozen=True)
class Difference:
    """From the repository to the bundle."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.paths)

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.added, *self.changed, *self.deleted)

    @property
    def lines(self) -> list[str]:
        """For people: `+` added, `~` changed, `-` deleted."""
        parts = (("+", self.added), ("~", self.changed), ("-", self.deleted))
        return [f"{sign} {path}" for sign, paths in parts for path in paths]


@dataclass(frozen=True)
class PushOptions:
    """How to push.

    Attributes:
        private: Make new repositories private.
        must_be_private: Do not push into a public one.
        create_pr: Propose the change by a pull request.
        dry_run: Change nothing on the Hub.
    """

    private: bool = False
    must_be_private: bool = False
    create_pr: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Pushed:
    """What a push came to.

    Attributes:
        status: What was, or in a dry run would be, done.
        commit: Head of the repository afterwards; None in a dry run of a new one.
        difference: What was, or would be, changed.
        verification: That of the repository, where it is about the same model.
        url: Page of the repository or of the pull request.
    """

    repo_id: str
    status: Status
    commit: str | None
    difference: Difference
    verification: Verification | None
    url: str


def push(bundle: Bundle, hub: Hub, options: PushOptions, *, together: Collection[str] = ()) -> Pushed:
    """Bring a repository to the state of a bundle.

    Args:
        bundle: All it is to hold.
        hub: Where to.
        options: How.
        together: Repositories that this run pushes too: a base may change if all its adapters do.

    Raises:
        HubError: The Hub refuses or cannot be reached; the repository is as before, or has the whole commit.
        ZooError: The repository holds something else, is public and must not be, or other adapters need it as it is.
    """
    sent: list[Status] = []
    pushed = hub.retrying(lambda: _attempt(bundle, hub, options, together, sent), bundle.repo_id)
    if pushed.status == "unchanged" and sent:  # an earlier attempt did it, and its answer was lost
        return replace(pushed, status=sent[0])
    return pushed


def _attempt(bundle: Bundle, hub: Hub, options: PushOptions, together: Collection[str], sent: list[Status]) -> Pushed:
    """Look, compare, commit; it begins by looking, so that it can be done again after any failure.

    `sent` gets the status of a commit that is on its way: its answer may be lost.
    """
    remote, url = hub.find(bundle.repo_id), f"{hub.api.endpoint}/{bundle.repo_id}"
    created = remote is None or not set(remote.files) - HUB_FILES
    if remote is None:
        if options.dry_run:
            everything = Difference(tuple(sorted(bundle.everything())), (), ())
            return Pushed(bundle.repo_id, "created", None, everything, None, url)
        if options.create_pr:
            raise ZooError("there is no such repository to propose a change to", where=hub.about(bundle.repo_id))
        hub.api.create_repo(bundle.repo_id, private=options.private, exist_ok=True)
        remote = hub.find(bundle.repo_id)
        if remote is None:
            raise ConnectionError("the repository that was just made is not there yet")
    if options.must_be_private and not remote.private:
        raise ZooError(
            "the repository is public, and a private one was asked for",
            where=hub.about(bundle.repo_id),
            fix="make it private in its settings, or push without --private if the licences allow it",
        )
    there = _manifest(remote, hub, bundle)
    bundle, verification = _with_verification(bundle, remote, there, hub)
    difference = compare(bundle, remote, there)
    if not difference:
        return Pushed(bundle.repo_id, "unchanged", remote.head, difference, verification, url)
    if bundle.manifest.kind == "base" and there is not None and there.content != bundle.manifest.content:
        _check_adapters(bundle, hub, together)
    status: Status = "created" if created else "updated"
    if options.dry_run:
        return Pushed(bundle.repo_id, status, remote.head, difference, verification, url)
    files = bundle.everything()
    add = {path: files[path] for path in (*difference.added, *difference.changed)}
    title = f"zoo: {bundle.manifest.subject}, content {bundle.manifest.content[:12]}"
    if options.create_pr:
        address = hub.open_pull_request(bundle.repo_id, title)  # an answer may have been lost
        if address is None:
            address = hub.commit(remote, add, difference.deleted, title, create_pr=True).pr_url
        return Pushed(bundle.repo_id, "proposed", remote.head, difference, verification, address or url)
    sent.append(status)
    oid = hub.commit(remote, add, difference.deleted, title).oid
    _check_stored(bundle, hub, oid)
    return Pushed(bundle.repo_id, status, oid, difference, verification, url)


def compare(bundle: Bundle, remote: Remote, there: Manifest | None) -> Difference:
    """What a commit must do.

    Args:
        bundle: What is to be.
        remote: What is.
        there: The manifest there; one that differs only in the commit of the project is left as it is.
    """
    files, records = bundle.everything(), bundle.manifest.files
    added = sorted(set(files) - set(remote.files))
    deleted = sorted(set(remote.files) - set(files) - HUB_FILES)
    changed = sorted(
        path for path in records if path in remote.files and not remote.files[path].is_same(files[path], records[path])
    )
    alike = there is not None and bundle.manifest.is_like(there) and not (added or changed or deleted)
    manifest = remote.files.get(MANIFEST_FILE)
    if manifest and not alike and not manifest.is_same(files[MANIFEST_FILE], file_record(files[MANIFEST_FILE])):
        changed.append(MANIFEST_FILE)
    return Difference(tuple(added), tuple(changed), tuple(deleted))


def _manifest(remote: Remote, hub: Hub, bundle: Bundle) -> Manifest | None:
    """The manifest of a repository, once it is sure that the repository is this model's.

    Raises:
        ZooError: It holds files of another model.
    """
    where = hub.about(remote.repo_id)
    fix = "choose another organisation with --org, or move that repository away"
    if MANIFEST_FILE not in remote.files:
        foreign = sorted(set(remote.files) - _STARTER)
        if foreign:
            raise ZooError(
                f"the repository holds files that zoo did not put there: {', '.join(foreign[:5])}", where=where, fix=fix
            )
        return None
    try:
        manifest = read_manifest(hub.read(remote.repo_id, MANIFEST_FILE, remote.head), where)
    except ZooError as error:
        raise ZooError(f"the repository's {MANIFEST_FILE} is {error.what}", where=where, fix=fix) from None
    if (manifest.kind, manifest.subject) != (bundle.manifest.kind, bundle.manifest.subject):
        raise ZooError(
            f"the repository holds another model: the {manifest.kind} {manifest.subject}", where=where, fix=fix
        )
    return manifest


def _with_verification(
    bundle: Bundle, remote: Remote, there: Manifest | None, hub: Hub
) -> tuple[Bundle, Verification | None]:
    """Keep the verification that the repository has, if it is of the same model."""
    if VERIFICATION_FILE in bundle.files:
        content = bundle.files[VERIFICATION_FILE]
        assert isinstance(content, bytes)
        return bundle, read_verification(content)
    if there is None or there.content != bundle.manifest.content or VERIFICATION_FILE not in remote.files:
        return bundle, None
    content = hub.read(remote.repo_id, VERIFICATION_FILE, remote.head)
    verification = read_verification(content)
    if verification is None or not verification.passed or verification.content != bundle.manifest.content:
        return bundle, None
    return bundle.verified(content, verification), verification


def _check_adapters(bundle: Bundle, hub: Hub, together: Collection[str]) -> None:
    """Another base makes every adapter that was trained on the old one wrong, without a word.

    Raises:
        ZooError: There are such adapters, and they are not pushed in this run.
    """
    left = [name for name in hub.adapters_of(bundle.repo_id) if name not in together]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise ZooError(
            f"the base on the Hub is another one, and adapters stand on it that this run does not push: "
            f"{', '.join(left[:3])}{more}",
            where=hub.about(bundle.repo_id),
            fix="push all checkpoints of this backbone at once (zoo push --all), or remove those repositories",
        )


def _check_stored(bundle: Bundle, hub: Hub, oid: str) -> None:
    """The Hub has what was sent.

    Raises:
        ZooError: It has something else.
    """
    stored = hub.find(bundle.repo_id, oid) or Remote(bundle.repo_id, oid, False, {})
    wrong = compare(bundle, stored, None)
    if wrong:
        raise ZooError(
            f"the Hub stored something else than was sent: {', '.join(wrong.paths[:5])}",
            where=hub.about(bundle.repo_id),
            fix="look at the repository, then run the same command again",
        )

"""The Hub as publishing needs it: what a repository holds, one file of it, one commit to it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from zoo.hub.access import hub_endpoint
from zoo.hub.manifest import Content, FileRecord
from zoo.hub.retry import RetryPolicy

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, HfApi

_Value = TypeVar("_Value")
RepoType = Literal["model", "space"]
REQUEST_SECONDS = 100.0
"""Without a sign of the Hub for so long, a request counts as lost; the client itself would wait without end."""


@dataclass(frozen=True)
class HubFile:
    """A file on the Hub: git's hash, and the sha256 where it is stored beside git."""

    size_bytes: int
    git_oid: str
    sha256: str | None

    def is_same(self, content: Content, record: FileRecord) -> bool:
        """Whether a local file has the same content."""
        if self.size_bytes != record.size_bytes:
            return False
        if self.sha256:
            return self.sha256 == record.sha256
        data = content if isinstance(content, bytes) else content.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == self.git_oid


@dataclass(frozen=True)
class Remote:
    """A repository at one commit."""

    repo_id: str
    head: str
    private: bool
    files: Mapping[str, HubFile]
    repo_type: RepoType = "model"


@dataclass(frozen=True)
class Hub:
    """A connection, with the token of this machine. Its methods try once: whoever composes them calls `retrying`."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        from huggingface_hub import set_client_factory
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]
        from huggingface_hub.utils._http import default_client_factory  # it has no public name

        def client() -> Any:  # noqa: ANN401 - of httpx or httpx2
            made = default_client_factory()
            made.timeout = REQUEST_SECONDS
            return made

        set_client_factory(client)
        disable_progress_bars()

    @property
    def api(self) -> HfApi:
        """The client."""
        from huggingface_hub import HfApi

        return HfApi()

    def about(self, repo_id: str) -> str:
        """A repository in a message."""
        return f"{repo_id} at {hub_endpoint()}"

    def retrying(self, function: Callable[[], _Value], repo_id: str) -> _Value:
        """Call a function until it works; see `RetryPolicy.call`."""
        return self.retry.call(function, about=self.about(repo_id))

    def find(self, repo_id: str, revision: str | None = None, *, repo_type: RepoType = "model") -> Remote | None:
        """What a repository holds now; None: there is no such repository, or none that the token may see."""
        from huggingface_hub import RepoFile
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = self.api.repo_info(repo_id, revision=revision, repo_type=repo_type, timeout=REQUEST_SECONDS)
        except RepositoryNotFoundError:
            return None
        head = str(info.sha)
        entries = self.api.list_repo_tree(repo_id, recursive=True, revision=head, repo_type=repo_type)
        files = {
            entry.path: HubFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in entries
            if isinstance(entry, RepoFile)
        }
        return Remote(repo_id, head, bool(info.private), files, repo_type)

    def is_private(self, repo_id: str) -> bool:
        """Whether a repository is private."""
        return bool(self.api.model_info(repo_id, timeout=REQUEST_SECONDS).private)

    def read(self, repo_id: str, path: str, revision: str) -> bytes:
        """The content of one small file, past the cache of this machine."""
        with tempfile.TemporaryDirectory(prefix="zoo-") as cache:
            return Path(self.api.hf_hub_download(repo_id, path, revision=revision, cache_dir=cache)).read_bytes()

    def commit(
        self,
        remote: Remote,
        add: Mapping[str, Content],
        delete: Collection[str],
        title: str,
        *,
        create_pr: bool = False,
    ) -> CommitInfo:
        """One commit on top of what was seen; it fails with status 412 if another came in between.

        Weights go the xet way where the client has it, else, and where the Hub has no xet, by classic LFS.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants
        from huggingface_hub.utils._runtime import is_xet_available

        def send() -> CommitInfo:
            operations = [
                CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
                for path, content in add.items()
            ]
            return self.api.create_commit(
                remote.repo_id,
                [*operations, *(CommitOperationDelete(path) for path in sorted(delete))],
                commit_message=title,
                parent_commit=remote.head,
                repo_type=remote.repo_type,
                create_pr=create_pr,
            )

        try:
            return send()
        except (OSError, RuntimeError) as error:
            if not is_xet_available() or not _is_of_xet(error):
                raise
            constants.HF_HUB_DISABLE_XET = True  # for the rest of this process: the Hub, or a proxy before it, has none
            self.retry.report("the upload by xet failed: going on by classic LFS")
            return send()

    def adapters_of(self, base_repo_id: str) -> list[str]:
        """Repositories of the same owner whose card names a base."""
        owner = base_repo_id.split("/")[0]
        found = self.api.list_models(author=owner, filter=f"base_model:adapter:{base_repo_id}")
        return sorted(model.id for model in found)

    def open_pull_request(self, repo_id: str, title: str) -> str | None:
        """Address of the open pull request of a title; None: there is none."""
        for item in self.api.get_repo_discussions(repo_id, discussion_type="pull_request", discussion_status="open"):
            if item.is_pull_request and item.status == "open" and item.title == title:
                return item.url
        return None


def _is_of_xet(error: BaseException) -> bool:
    """Whether an upload failed in hf_xet, which raises plain exceptions of Python, not those of the client."""
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]

    return "xet" in str(error).lower() and not isinstance(error, TransportError)

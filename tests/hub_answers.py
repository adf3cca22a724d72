"""What a Hub answers: repositories in memory, whose commits are atomic and whose trees point to blobs."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

WRITER, READER, STRANGER = "hf_writer", "hf_reader", "hf_stranger"
TOKENS: dict[str, dict[str, Any]] = {
    WRITER: {"name": "admin", "role": "write", "orgs": ["openmed"]},
    READER: {"name": "reader", "role": "read", "orgs": ["openmed"]},
    STRANGER: {"name": "stranger", "role": "write", "orgs": []},
}
LFS_PATTERNS = ("*.safetensors", "*.bin", "*.onnx", "*.parquet")
_KINDS = {"": "model", "models/": "model", "datasets/": "dataset", "spaces/": "space"}
_API = re.compile(r"^/api/(models/|datasets/|spaces/)([^/]+/[^/]+)(?:/([a-z-]+))?(?:/([^/]+))?(?:/(.*))?$")
_LFS = re.compile(r"^/(datasets/|spaces/|)([^/]+/[^/]+)\.git/info/lfs/objects/batch$")
_FILE = re.compile(r"^/(datasets/|spaces/|)([^/]+/[^/]+)/(?:resolve|raw)/([^/]+)/(.+)$")
_FRONT = re.compile(r"^---\s*\n(.*?)\n---", re.DOTALL)
_EMPTY_GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()


@dataclass
class Commit:
    """A commit: path -> blob sha256."""

    tree: dict[str, str]
    parent: str | None
    title: str
    author: str


@dataclass
class Repo:
    """A repository."""

    kind: str
    private: bool = False
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    pull_requests: list[dict[str, Any]] = field(default_factory=list)

    def add(self, ref: str, commit: Commit) -> str:
        content = json.dumps([commit.tree, commit.parent, commit.title, len(self.commits)])
        sha = hashlib.sha1(content.encode()).hexdigest()
        self.commits[sha], self.refs[ref] = commit, sha
        return sha

    def resolve(self, revision: str) -> str:
        sha = self.refs.get(revision) or (revision if revision in self.commits else None)
        if sha is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}

    def response(self) -> Response:
        headers = {"X-Error-Message": self.message, **self.headers} | ({"X-Error-Code": self.code} if self.code else {})
        return JSONResponse({"error": self.message}, self.status, headers=headers)


class Answers:
    """The state of the Hub and its answers.

    Attributes:
        url: Its address.
        repos: `openmed/x` -> repository (`datasets/..`, `spaces/..` for the others).
        quota_bytes: Blobs of this total size fit; None: any.
        all_regular: Every file is committed without LFS.
        xet: Address of a CAS that is named to clients; None: the Hub has none.
    """

    def __init__(self) -> None:
        self.url = ""
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.quota_bytes: int | None = None
        self.all_regular = False
        self.xet: str | None = None

    def save(self, folder: Path) -> None:
        """Write all repositories, for another process."""
        folder.mkdir()
        for sha, content in self.blobs.items():
            (folder / sha).write_bytes(content)
        (folder / "repos.json").write_text(json.dumps({name: asdict(repo) for name, repo in self.repos.items()}))

    def load(self, folder: Path) -> None:
        """Take over what another has saved."""
        for name, repo in json.loads((folder / "repos.json").read_text()).items():
            commits = {sha: Commit(**commit) for sha, commit in repo.pop("commits").items()}
            self.repos[name] = Repo(commits=commits, **repo)
        self.blobs |= {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "repos.json"}

    async def answer(self, request: Request, path: str) -> Response:
        try:
            user = self._user(request)
            query = {name: values[-1] for name, values in parse_qs(request.url.query).items()}
            if path == "/api/whoami-v2":
                return _whoami(user)
            if path == "/api/agent-harnesses":
                return JSONResponse({"standardEnvVars": [], "harnesses": {}})
            if path == "/api/validate-yaml":
                return _validate(await request.json())
            if path == "/api/repos/create":
                return self._create_repo(await request.json(), user)
            if path in ("/api/models", "/api/spaces", "/api/datasets"):
                return self._list(path.removeprefix("/api/")[:-1], request, user)
            if found := re.match(r"^/__lfs/([0-9a-f]{64})$", path):
                return self._lfs_put(found[1], await request.body())
            if path == "/__lfs-verify":
                body = await request.json()
                if len(self.blobs.get(body["oid"], b"")) != body["size"]:
                    raise Refusal(404, "object missing")
                return JSONResponse({})
            if found := _API.match(path):
                kind, repo_id, verb, revision, rest = found.groups()
                return await self._api(
                    request, user, kind, unquote(repo_id), verb, unquote(revision or "main"), unquote(rest or ""), query
                )
            if found := _LFS.match(path):
                return self._lfs_batch(await request.json(), user, found[1], unquote(found[2]))
            if found := _FILE.match(path):
                return self._file(user, found[1], *(unquote(part) for part in found.groups()[1:]))
            raise Refusal(404, "Sorry, we can't find the page you are looking for.")
        except Refusal as refusal:
            return refusal.response()

    def _user(self, request: Request) -> dict[str, Any] | None:
        header = request.headers.get("authorization")
        if not header:
            return None
        user = TOKENS.get(header.removeprefix("Bearer ").strip())
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def _blob(self, content: bytes) -> str:
        sha = hashlib.sha256(content).hexdigest()
        self.blobs[sha] = content
        return sha

    def _create(self, repo_id: str, kind: str, private: bool) -> Repo:
        repo = Repo(kind, private)
        self.repos[_key(kind, repo_id)] = repo
        repo.add("main", Commit({".gitattributes": self._blob(_EMPTY_GITATTRIBUTES)}, None, "initial commit", "hub"))
        return repo

    def _repo(self, prefix: str, repo_id: str, user: dict[str, Any] | None) -> Repo:
        repo = self.repos.get(_key(_KINDS[prefix], repo_id))
        member = user is not None and repo_id.split("/")[0] in (user["name"], *user["orgs"])
        if repo is None or (repo.private and not member):  # the Hub does not tell strangers what there is
            raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")
        return repo

    def _create_repo(self, body: dict[str, Any], user: dict[str, Any] | None) -> Response:
        repo_id, kind = (
            f"{body.get('organization') or (user or {}).get('name')}/{body['name']}",
            body.get("type", "model"),
        )
        _need_write(user, repo_id)
        answer = {"url": f"{self.url}/{_key(kind, repo_id)}", "name": repo_id, "id": repo_id}
        if _key(kind, repo_id) in self.repos:
            return JSONResponse({"error": "You already created this repo", **answer}, 409)
        self._create(repo_id, kind, bool(body.get("private") or body.get("visibility") == "private"))
        return JSONResponse(answer)

    async def _api(
        self,
        request: Request,
        user: dict[str, Any] | None,
        prefix: str,
        repo_id: str,
        verb: str | None,
        revision: str,
        rest: str,
        query: dict[str, str],
    ) -> Response:
        repo = self._repo(prefix, repo_id, user)
        if verb in (None, "revision"):
            return JSONResponse(self._info(repo_id, repo, revision))
        if verb == "tree":
            tree = repo.commits[repo.resolve(revision)].tree
            files = [{"type": "file", **self._entry(path, sha)} for path, sha in sorted(tree.items())]
            folders = {path.rpartition("/")[0] for path in tree if "/" in path}
            return JSONResponse(
                files + [{"type": "directory", "path": p, "oid": "0" * 40, "size": 0} for p in sorted(folders)]
            )
        if verb == "paths-info":
            tree, form = repo.commits[repo.resolve(revision)].tree, await request.form()
            paths = [str(path) for path in form.getlist("paths")]
            return JSONResponse([{"type": "file", **self._entry(p, tree[p])} for p in paths if p in tree])
        if verb == "refs":
            branches = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha}
                for name, sha in repo.refs.items()
                if not name.startswith("refs/")
            ]
            return JSONResponse({"branches": branches, "tags": [], "converts": [], "pullRequests": []})
        if verb == "preupload":
            return self._preupload(await request.json(), user, repo_id, repo, revision, "create_pr" in query)
        if verb == "commit":
            return self._commit(await request.body(), user, repo_id, repo, revision, "create_pr" in query)
        if verb == "discussions":
            items = repo.pull_requests
            return JSONResponse({"discussions": items, "count": len(items), "start": 0})
        if verb == "xet-write-token" and self.xet:
            expiry = int(datetime.now(timezone.utc).timestamp()) + 3600
            headers = {"X-Xet-Cas-Url": self.xet, "X-Xet-Access-Token": "t", "X-Xet-Token-Expiration": str(expiry)}
            return JSONResponse({"accessToken": "t", "exp": expiry, "casUrl": self.xet}, headers=headers)
        raise Refusal(404, "not there")

    def _card(self, tree: dict[str, str]) -> dict[str, Any]:
        found = _FRONT.match(self.blobs[tree["README.md"]].decode()) if "README.md" in tree else None
        return (yaml.safe_load(found[1]) or {}) if found else {}

    def _info(self, repo_id: str, repo: Repo, revision: str) -> dict[str, Any]:
        sha = repo.resolve(revision)
        tree = repo.commits[sha].tree
        card = self._card(tree)
        bases = card.get("base_model") or []
        bases = [bases] if isinstance(bases, str) else bases
        tags = [*(card.get("tags") or []), *(f"base_model:{base}" for base in bases)]
        if "adapter_config.json" in tree:
            tags += [f"base_model:adapter:{base}" for base in bases]
        return {
            "_id": hashlib.sha1(repo_id.encode()).hexdigest()[:24],
            "id": repo_id,
            "modelId": repo_id,
            "author": repo_id.split("/")[0],
            "sha": sha,
            "private": repo.private,
            "disabled": False,
            "gated": False,
            "downloads": 0,
            "likes": 0,
            "tags": tags,
            "pipeline_tag": card.get("pipeline_tag"),
            "library_name": card.get("library_name"),
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "cardData": card,
            "siblings": [{"rfilename": path} for path in sorted(tree)],
        }

    def _list(self, kind: str, request: Request, user: dict[str, Any] | None) -> Response:
        wanted, author = request.query_params.getlist("filter"), request.query_params.get("author")
        found = []
        for key, repo in self.repos.items():
            repo_id = key.removeprefix(f"{kind}s/")
            member = user is not None and repo_id.split("/")[0] in (user["name"], *user["orgs"])
            info = self._info(repo_id, repo, "main") if repo.kind == kind and (member or not repo.private) else None
            if info and author in (None, info["author"]) and set(wanted) <= set(info["tags"]):
                found.append(info)
        return JSONResponse(found)

    def _entry(self, path: str, sha: str) -> dict[str, Any]:
        content = self.blobs[sha]
        if not self._is_lfs(path):
            return {"path": path, "size": len(content), "oid": git_oid(content)}
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {len(content)}\n".encode()
        lfs = {"oid": sha, "size": len(content), "pointerSize": len(pointer)}
        return {"path": path, "size": len(content), "oid": git_oid(pointer), "lfs": lfs}

    def _is_lfs(self, path: str) -> bool:
        return not self.all_regular and any(fnmatch.fnmatch(path, pattern) for pattern in LFS_PATTERNS)

    def _preupload(
        self, body: dict[str, Any], user: dict[str, Any] | None, repo_id: str, repo: Repo, revision: str, pr: bool
    ) -> Response:
        if not pr:
            _need_write(user, repo_id)
        tree = repo.commits[repo.resolve(revision)].tree
        files = []
        for item in body["files"]:
            sha, lfs = tree.get(item["path"]), self._is_lfs(item["path"])
            oid = None if sha is None else sha if lfs else git_oid(self.blobs[sha])
            files.append(
                {"path": item["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid}
            )
        return JSONResponse({"files": files})

    def _lfs_batch(self, body: dict[str, Any], user: dict[str, Any] | None, prefix: str, repo_id: str) -> Response:
        self._repo(prefix, repo_id, user)
        objects: list[dict[str, Any]] = []
        for item in body["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if self.quota_bytes is not None and sum(map(len, self.blobs.values())) + item["size"] > self.quota_bytes:
                answer["error"] = {"code": 403, "message": "Storage limit reached: 100 GB of 100 GB are in use"}
            elif item["oid"] not in self.blobs:
                answer["actions"] = {
                    "upload": {"href": f"{self.url}/__lfs/{item['oid']}"},
                    "verify": {"href": f"{self.url}/__lfs-verify"},
                }
            objects.append(answer)
        return JSONResponse({"transfer": "basic", "objects": objects}, media_type="application/vnd.git-lfs+json")

    def _lfs_put(self, oid: str, content: bytes) -> Response:
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refusal(400, "sha256 mismatch")
        self.blobs[oid] = content
        return Response()

    def _commit(
        self, body: bytes, user: dict[str, Any] | None, repo_id: str, repo: Repo, revision: str, pr: bool
    ) -> Response:
        if not pr:
            _need_write(user, repo_id)
        assert user is not None
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        head = repo.resolve(revision)
        if header.get("parentCommit") and header["parentCommit"] != head:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(repo.commits[head].tree)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                tree[value["path"]] = self._blob(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.blobs:
                    raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                tree[value["path"]] = value["oid"]
            elif line["key"] == "deletedFile" and tree.pop(value["path"], None) is None:
                raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        answer: dict[str, Any] = {"success": True}
        ref = revision
        if pr:
            number = len(repo.pull_requests) + 1
            ref, answer["pullRequestUrl"] = f"refs/pr/{number}", f"{self.url}/{repo_id}/discussions/{number}"
            repo.pull_requests.append(
                {
                    "num": number,
                    "title": header["summary"],
                    "author": {"name": user["name"]},
                    "createdAt": "2026-01-01T00:00:00.000Z",
                    "status": "open",
                    "repo": {"name": repo_id, "type": repo.kind},
                    "isPullRequest": True,
                }
            )
        sha = repo.add(ref, Commit(tree, head, header["summary"], user["name"]))
        return JSONResponse({**answer, "commitOid": sha, "commitUrl": f"{self.url}/{repo_id}/commit/{sha}"})

    def _file(self, user: dict[str, Any] | None, prefix: str, repo_id: str, revision: str, path: str) -> Response:
        repo = self._repo(prefix, repo_id, user)
        commit = repo.resolve(revision)
        sha = repo.commits[commit].tree.get(path)
        if sha is None:
            raise Refusal(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit})
        content, lfs = self.blobs[sha], self._is_lfs(path)
        etag = sha if lfs else git_oid(content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"'}
        if lfs:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        return Response(content, headers=headers, media_type="application/octet-stream")


def git_oid(content: bytes) -> str:
    """Git's hash of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _key(kind: str, repo_id: str) -> str:
    return repo_id if kind == "model" else f"{kind}s/{repo_id}"


def _need_write(user: dict[str, Any] | None, repo_id: str) -> None:
    if user is None:
        raise Refusal(401, "Invalid username or password.")
    owner = repo_id.split("/")[0]
    if user["role"] != "write" or owner not in (user["name"], *user["orgs"]):
        raise Refusal(403, f'You don\'t have the rights to create a model under the namespace "{owner}"')


def _whoami(user: dict[str, Any] | None) -> Response:
    if user is None:
        raise Refusal(401, "Invalid credentials in Authorization header")
    orgs = [{"name": name, "type": "org", "roleInOrg": user["role"]} for name in user["orgs"]]
    token = {"displayName": "local", "role": user["role"]}
    return JSONResponse(
        {
            "type": "user",
            "name": user["name"],
            "orgs": orgs,
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


def _validate(body: dict[str, Any]) -> Response:
    found = _FRONT.match(body["content"])
    errors = []
    try:
        card = (yaml.safe_load(found[1]) or {}) if found else {}
    except yaml.YAMLError as error:
        return JSONResponse({"errors": [{"message": f"YAML: {error}"}], "warnings": []}, 400)
    base = card.get("base_model") or []
    for name in [base] if isinstance(base, str) else base:
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(name)):  # the Hub refuses the path of a machine
            errors.append({"message": f'"base_model" with value "{name}" is not valid.'})
    return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

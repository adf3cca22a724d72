"""Who a Hub token belongs to, what it may do, and the environment of a stranger who has none."""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasPath, BaseModel, Field

from zoo.errors import HubError, ZooError
from zoo.hub.retry import redact

_ONLINE_FIX = "check the network, the proxy and HF_ENDPOINT, or work offline with HF_HUB_OFFLINE=1"
_NOT_PASSED_ON = re.compile(
    r"(HF_HUB|TRANSFORMERS|HF_DATASETS)_OFFLINE|(HF|HUGGING_FACE_HUB)_TOKEN|HF_TOKEN_PATH"
    r"|(HF_HUB|HUGGINGFACE_HUB|TRANSFORMERS|HF_XET|HF_MODULES)_CACHE"
)
"""Environment variables that say offline, hold or name a token, or name a cache."""
_TOKEN_FIX = "make a new one in the settings of your account, then: hf auth login, or set HF_TOKEN"


class _Scope(BaseModel):
    name: str | None = Field(default=None, validation_alias=AliasPath("entity", "name"))
    permissions: tuple[str, ...] = ()


class _Organisation(BaseModel):
    name: str
    role: str | None = Field(default=None, alias="roleInOrg")


class _WhoAmI(BaseModel):
    """What we read of `GET /api/whoami-v2`; the rest of the answer is ignored."""

    name: str
    orgs: tuple[_Organisation, ...] = ()
    role: str = Field(default="", validation_alias=AliasPath("auth", "accessToken", "role"))
    scopes: tuple[_Scope, ...] = Field(
        default=(), validation_alias=AliasPath("auth", "accessToken", "fineGrained", "scoped")
    )


@dataclass(frozen=True)
class Access:
    """The owner of a token and its rights.

    Attributes:
        user: Name of the account; empty without a token.
        role: Of the token: `read`, `write`, `fineGrained`, another one that the Hub may add, or empty.
        organisations: Organisations of the user -> the user's role there, where the Hub tells it.
        writable: Users and organisations that a fine-grained token may write to.
    """

    user: str
    role: str
    organisations: Mapping[str, str | None]
    writable: frozenset[str] = frozenset()

    def is_member(self, org: str) -> bool:
        """Whether the account is that user or in that organisation."""
        return org == self.user or org in self.organisations

    def may_write(self, org: str) -> bool | None:
        """Whether the token can create repositories of a user or organisation; None: its role does not say."""
        if not self.is_member(org) or self.role == "read" or self.organisations.get(org) == "read":
            return False
        if self.role == "fineGrained":
            return org in self.writable
        return True if self.role == "write" else None


class TokenError(HubError):
    """The Hub does not know the token."""


def hub_endpoint(env: Mapping[str, str] | None = None) -> str:
    """Address of the Hub (`HF_ENDPOINT`), fit to be shown: without name and password.

    Raises:
        ZooError: It is not an address.
    """
    try:
        address = urlsplit((os.environ if env is None else env).get("HF_ENDPOINT") or "https://huggingface.co")
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if host is None or address.scheme not in ("http", "https"):
        raise ZooError("HF_ENDPOINT is not an address", where="HF_ENDPOINT", fix="for example https://huggingface.co")
    return f"{address.scheme}://{host}{f':{port}' if port else ''}{address.path}".rstrip("/")


def token_source(env: Mapping[str, str] | None = None) -> Literal["HF_TOKEN", "hf auth login"] | None:
    """Where the token on this machine is from; None: there is none."""
    from huggingface_hub import get_token

    if not get_token():
        return None
    env = os.environ if env is None else env
    named = any(env.get(name, "").strip() for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
    return "HF_TOKEN" if named else "hf auth login"


def ask_hub(*, seconds: float) -> Access | None:
    """Ask the Hub whose token this machine has.

    Args:
        seconds: How long to wait for the whole answer; the client itself would wait without end.

    Returns:
        Its owner and rights; None: there is no token, but the Hub answers.

    Raises:
        HubError: The Hub cannot be reached, or does not answer as a Hub; `TokenError`: it does not know the token.
    """
    answers: queue.SimpleQueue[Access | HubError | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(_ask())
        except HubError as error:
            answers.put(error)

    threading.Thread(target=work, name="hub", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise HubError(f"the Hub did not answer within {seconds:g} s", where=hub_endpoint(), fix=_ONLINE_FIX) from None
    if isinstance(answer, HubError):
        raise answer
    return answer


def _ask() -> Access | None:
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]  # httpx's or httpx2's

    where, token = hub_endpoint(), None
    try:
        token = get_token()
        if token is None:
            next(iter(HfApi(token=False).list_models(limit=1)), None)
            return None
        if not (token.isascii() and token.isprintable()):
            raise TokenError("no token has such characters as the one", where=where, fix=_TOKEN_FIX)
        answer = _WhoAmI.model_validate(HfApi().whoami(token=token))
    except HfHubHTTPError as error:
        status = error.response.status_code
        if token is not None and status == 401:
            raise TokenError("the Hub does not know the token", where=where, fix=_TOKEN_FIX) from None
        raise HubError(f"the Hub answers with HTTP status {status}", where=where, fix=_ONLINE_FIX) from None
    except (TransportError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise HubError(f"the Hub cannot be reached: {redact(reason)}", where=where, fix=_ONLINE_FIX) from None
    except (ValueError, RuntimeError) as error:  # no JSON, or other JSON
        raise HubError(f"no answer of a Hub ({type(error).__name__})", where=where, fix=_ONLINE_FIX) from None
    return Access(
        user=answer.name,
        role=answer.role,
        organisations={org.name: org.role for org in answer.orgs},
        writable=frozenset(s.name for s in answer.scopes if s.name and "repo.write" in s.permissions),
    )


def fresh_environment(env: Mapping[str, str], home: Path, *, private: bool) -> dict[str, str]:
    """The environment of a stranger: no cache, no token unless the repository is private, online.

    Args:
        env: Ours.
        home: Empty folder for the libraries' caches.
        private: Whether the repository is private.
    """
    from huggingface_hub import get_token

    clean = {name: value for name, value in env.items() if not _NOT_PASSED_ON.fullmatch(name)}
    clean |= {"HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    token = get_token() if private else None
    return {**clean, "HF_TOKEN": token} if token else {**clean, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}

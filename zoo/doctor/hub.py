"""The Hub: within reach, and a token that may publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from zoo.doctor.check import Check, problem
from zoo.errors import ZooError
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.hub.access import Access


def check_hub(settings: Settings, *, seconds: float, env: Mapping[str, str] | None = None) -> list[Check]:
    """Whether the Hub answers, whose token this machine has, and whether it may publish."""
    from zoo.hub.access import TokenError, ask_hub, hub_endpoint, token_source

    endpoint, source = hub_endpoint(env), token_source(env)
    if settings.offline:
        token = f"from {source}, not tried" if source else "none, none is needed"
        return [Check("Hub", "ok", "not asked: offline (HF_HUB_OFFLINE or ZOO_OFFLINE)"), Check("token", "ok", token)]
    try:
        access = ask_hub(seconds=seconds)
    except TokenError as error:
        return [Check("Hub", "ok", endpoint), replace(problem("token", error), finding=f"{error.what} from {source}")]
    except ZooError as error:
        return [problem("Hub", error)]
    return [Check("Hub", "ok", endpoint), *check_access(access, settings.org, source or "")]


def check_access(access: Access | None, org: str, source: str) -> list[Check]:
    """Whether a token may publish under an organisation.

    Args:
        access: What the Hub says of the token; None: there is none.
        org: The organisation or user.
        source: Where the token is from.
    """
    new = "make one that may write in the settings of your account, then: hf auth login, or set HF_TOKEN"
    if access is None:
        return [Check("token", "warning", "none: models can be fetched, not published", new)]
    token = f"from {source}, of {access.user}, role {access.role or 'unknown'}"
    if access.role == "read":
        return [Check("token", "warning", f"{token}: it may not publish", new)]
    checks = [Check("token", "ok", token)]
    may = access.may_write(org)
    if may:
        return [*checks, Check("organisation", "ok", f"{access.user} may publish under {org}")]
    if not access.is_member(org):
        others = ", ".join([access.user, *access.organisations])
        finding, fix = f"{access.user} is not in {org}", f"set org in zoo.toml, or ZOO_ORG, to one of: {others}"
    elif may is None:
        finding, fix = f"whether the token may write to {org} is not known", "see the settings of your account"
    elif access.role == "fineGrained":
        finding, fix = f"the token may not write to {org}", "let it write to repositories there, in its settings"
    else:
        finding, fix = f"{access.user} may only read in {org}", "ask an administrator there for a role that may write"
    return [*checks, Check("organisation", "warning", finding, fix)]

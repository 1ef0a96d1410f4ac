"""The settings of an OpenID provider (YAML), read and checked.

Knows nothing about tokens or HTTP.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator

from control_room.access.addresses import LOOPBACK
from control_room.access.roles import ROLES, AccessError, Role

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    issuer: Text
    client_id: Text
    redirect_url: Text
    roles: dict[Text, Role]
    client_secret_file: Path | None = None
    scopes: tuple[Text, ...] = ("openid", "profile")
    groups_claim: Text = "groups"
    name_claim: Text = "name"
    ca_file: Path | None = None

    @field_validator("issuer", "redirect_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in LOOPBACK):
            raise ValueError("give an https:// address")
        return url


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """What is agreed with the provider."""

    issuer: str
    """Exactly as the provider writes it in its tokens."""
    client_id: str
    client_secret: str | None
    redirect_url: str
    """Where browsers come back to: the page's address with `/login/oidc/back`."""
    roles: dict[str, Role]
    """Group at the provider -> role here; who is in none is not let in."""
    scopes: tuple[str, ...]
    groups_claim: str
    name_claim: str
    ca_file: Path | None

    def role_of(self, groups: object) -> Role | None:
        """Give the highest role of somebody's groups; none: not let in."""
        listed = [groups] if isinstance(groups, str) else groups
        if not isinstance(listed, list):
            return None
        mine = [
            self.roles[group] for group in listed if isinstance(group, str) and group in self.roles
        ]
        return max(mine, key=ROLES.index, default=None)


def read_oidc(path: Path) -> OidcSettings:
    """Read the file; raises `AccessError` that names it, the field and what to do."""
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AccessError(f"{path}: can't be read: {' '.join(str(error).split())}") from None
    try:
        read = _File.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise AccessError(f"{path}: {where}: {first['msg']}; see docs/access.md") from None
    if not read.redirect_url.endswith("/login/oidc/back"):
        raise AccessError(f"{path}: redirect_url: must end in /login/oidc/back")
    if "openid" not in read.scopes:
        raise AccessError(f"{path}: scopes: openid must be among them")
    return OidcSettings(
        issuer=read.issuer,
        client_id=read.client_id,
        client_secret=_secret(path, read.client_secret_file),
        redirect_url=read.redirect_url,
        roles=read.roles,
        scopes=read.scopes,
        groups_claim=read.groups_claim,
        name_claim=read.name_claim,
        ca_file=_beside(path, read.ca_file) if read.ca_file else None,
    )


def _secret(path: Path, file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return _beside(path, file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"{path}: client_secret_file: {error}") from None


def _beside(path: Path, file: Path) -> Path:
    """Files are named as seen from the settings."""
    return path.parent / file

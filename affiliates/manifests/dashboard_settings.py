"""dashboard.yaml: how a team reaches the dashboard, who logs people in, and which roles they have.

Without the file the dashboard is for one person on this machine, who opens it by a one-time link.
"""

import os
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from affiliates.errors import Code, refused
from affiliates.manifests.alert_settings import Url
from affiliates.manifests.base import Environment, Model, Name, Text

RoleName = Literal["viewer", "affiliate", "legal", "deals", "admin"]
"""What a person may do with the dashboard."""


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("is no IP address, and no network such as 10.0.0.0/24") from None
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("has a path: write scheme, host and port alone, such as https://mauwatch.example.com")
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise ValueError("is not https: cookies and figures would cross the network in the clear")
    return value.rstrip("/")


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise ValueError("is not https: anybody on the way could log in as anybody")
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


Network = Annotated[str, AfterValidator(_network)]
"""An IP address, or a network of addresses."""
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$", max_length=100)]
"""The name of an HTTP header; without an underscore, which servers take for a hyphen."""
Origin = Annotated[Url, AfterValidator(_origin)]
"""Scheme, host and port of a web address."""
Issuer = Annotated[Url, AfterValidator(_issuer)]
"""The address of a login provider, as the provider itself writes it."""


class Rights(Model):
    """What somebody may do with the dashboard, and whose figures an affiliate's person sees."""

    roles: Annotated[tuple[RoleName, ...], Field(min_length=1)]
    """The roles: `viewer` sees the group's figures, `affiliate` those of its own affiliates alone, `legal` licences and evidence,
    `deals` scenarios, `admin` runs and refusals."""
    affiliates: tuple[Name, ...] = ()
    """The affiliates whose figures the role `affiliate` sees."""

    @model_validator(mode="after")
    def _affiliates_named(self) -> Self:
        if ("affiliate" in self.roles) != bool(self.affiliates):
            raise ValueError("needs `affiliates` for the role `affiliate`, and for no other")
        return self


class Proxy(Model):
    """A reverse proxy that logs people in, and says in headers who they are."""

    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    """The proxy's addresses. From any other address the headers are refused."""
    user_header: Header = "X-Forwarded-User"
    """The header with the person's name."""
    groups_header: Header | None = None
    """The header with the person's groups, separated by commas, in one header."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The addresses as networks."""
        return tuple(ip_network(address) for address in self.addresses)


class Oidc(Model):
    """A login provider by OpenID Connect."""

    issuer: Issuer
    """The provider's address; its settings are read at ISSUER/.well-known/openid-configuration."""
    client_id: Text
    """The dashboard's id at the provider."""
    client_secret_env: Environment
    """The variable of the environment that holds the dashboard's secret at the provider."""
    name_claim: Text = "email"
    """The claim with the person's name; one that people can't change themselves."""
    groups_claim: Text = "groups"
    """The claim with the person's groups, a list or a text. The userinfo endpoint must give the claim: it is read anew in each
    request."""
    scopes: tuple[Text, ...] = ("openid", "email", "profile")
    """The scopes that are asked for; some providers give groups by a scope of their own."""

    @model_validator(mode="after")
    def _with_openid(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("`scopes` must name `openid`")
        return self

    def client_secret(self) -> str:
        """The secret at the provider. Raises `RefusedError` (dashboard-unusable) where the variable is empty."""
        if secret := os.environ.get(self.client_secret_env, "").strip():
            return secret
        raise refused(
            Code.DASHBOARD_UNUSABLE,
            "the dashboard's login",
            "has no client secret",
            f"environment variable {self.client_secret_env}",
            "put the secret there",
        )


class Dashboard(Model):
    """dashboard.yaml: who sees the dashboard of a team."""

    url: Origin | None = None
    """The address at which browsers reach the dashboard, such as https://mauwatch.example.com."""
    proxy: Proxy | None = None
    """A reverse proxy that logs people in."""
    oidc: Oidc | None = None
    """In the place of `proxy`: a login provider by OpenID Connect."""
    groups: dict[str, Rights] = Field(default_factory=dict)
    """Rights by a group of the person, as the proxy's header or the provider's claim names the group."""
    viewers: dict[str, Rights] = Field(default_factory=dict)
    """Rights by the person's name, beside those of groups."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.proxy and self.oidc:
            raise ValueError("needs one of `proxy` and `oidc`: two ways in are one too many to watch")
        if self.is_of_a_team and self.url is None:
            raise ValueError("needs `url`: the address at which browsers reach the dashboard")
        if not self.is_of_a_team and (self.url or self.groups or self.viewers):
            raise ValueError("needs `proxy` or `oidc`: without a login nobody has a name")
        if self.is_of_a_team and not (self.groups or self.viewers):
            raise ValueError("needs `groups` or `viewers`: without rights everybody is refused")
        return self

    @property
    def is_of_a_team(self) -> bool:
        """Whether people log in; else one person opens the dashboard on this machine by a one-time link."""
        return self.proxy is not None or self.oidc is not None

    def rights(self, name: str, groups: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """The roles and the affiliates of a person: those of the name and of all groups together; empty for a stranger."""
        given = [self.groups[group] for group in groups if group in self.groups]
        given += [self.viewers[name]] if name in self.viewers else []
        roles = frozenset(role for rights in given for role in rights.roles)
        return roles, frozenset(affiliate for rights in given for affiliate in rights.affiliates)

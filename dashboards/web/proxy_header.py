"""Who a reverse proxy says somebody is: believed from the addresses in dashboard.yaml alone, and said once."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any

from affiliates.errors import unseen_sign
from affiliates.manifests.dashboard_settings import Proxy

TWICE = "HTTP_MAUWATCH_HEADER_TWICE"
"""What `mark_repeated` has put into a request that has one of the proxy's headers twice. Who sends it refuses himself."""
_LONGEST_NAME = 200


class HeaderRefusedError(Exception):
    """A proxy's header that isn't believed; the text says why, without the header's value."""


def is_from_proxy(environ: Mapping[str, Any], proxy: Proxy) -> bool:
    """Whether a request comes from one of the proxy's addresses, by the connection itself."""
    # Nothing rewrites REMOTE_ADDR: the server is told to believe nobody's X-Forwarded-For.
    try:
        peer = ip_address(str(environ.get("REMOTE_ADDR", "")).partition("%")[0])
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(peer in network for network in proxy.networks)


def person(environ: Mapping[str, Any], proxy: Proxy) -> tuple[str, tuple[str, ...]] | None:
    """The name and the groups that the proxy's headers say; null where the proxy names nobody.

    Raises `HeaderRefusedError` for headers from elsewhere, repeated ones, and names that can't be one person's.
    """
    name = _value(environ, proxy.user_header)
    groups = _value(environ, proxy.groups_header) if proxy.groups_header else ""
    if not is_from_proxy(environ, proxy):
        if name or groups:
            raise HeaderRefusedError("a header that names a person comes from an address that dashboard.yaml doesn't list")
        return None
    if environ.get(TWICE):
        raise HeaderRefusedError("a header that names a person comes twice")
    if not name:
        return None
    # A header that is sent twice arrives joined by a comma.
    if "," in name or unseen_sign(name) or len(name) > _LONGEST_NAME:
        raise HeaderRefusedError("the header that names a person doesn't name one")
    return name, tuple(group.strip() for group in groups.split(",") if group.strip())


def mark_repeated(headers: list[tuple[str, str]], names: Sequence[str]) -> None:
    """Mark a request's headers, as the server has read them, where one of these names comes more than once.

    The groups of two headers would arrive as one list: those of the proxy, and those that the browser has sent beside them.
    """
    arrived = [name.upper().replace("_", "-") for name, _ in headers]
    if any(arrived.count(name.upper()) > 1 for name in names):
        headers.append(("MAUWATCH-HEADER-TWICE", "1"))


def _value(environ: Mapping[str, Any], header: str) -> str:
    """A header's text. Servers give the bytes as Latin-1, and proxies send UTF-8. Raises `HeaderRefusedError` for neither."""
    raw = str(environ.get(f"HTTP_{header.upper().replace('-', '_')}", ""))
    try:
        return raw.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        raise HeaderRefusedError("the header that names a person isn't in UTF-8") from None

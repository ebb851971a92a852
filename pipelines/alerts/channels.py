"""Ways to people and services, by apprise: the only file that has it. What an address holds is a secret and is never said."""

import logging
import re
import urllib.error
import urllib.request
import warnings
from collections.abc import Collection, Mapping
from functools import cache
from http.client import HTTPException
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase


KEY = "X-Mauwatch-Key"
"""Header of mails and webhooks by which a receiver knows a repeat; it is a line of every text, too."""
_TIMEOUT = 10.0
"""Seconds for the heartbeat."""

NO_ADDRESS = "no address that can be sent to"


def send(url: str, title: str, text: str, key: str, fields: Mapping[str, str]) -> str | None:
    """Send a message; says what kind of failure there was, or nothing.

    `fields` go into webhooks as fields of their own. apprise's own log is silenced: it quotes addresses.
    """
    import apprise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of modules that some services' plugins import.
        try:
            service = _service(url, {KEY: key}, fields)
            if service is None:
                return NO_ADDRESS
            sending = apprise.Apprise(asset=service.asset)
            sending.add(service)
            done = sending.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001 a plugin's error may quote its address; the message is tried again
            return type(error).__name__
    return None if done else "not taken, or not reached"


def _service(url: str, headers: Mapping[str, str], fields: Mapping[str, str]) -> "NotifyBase | None":
    """The service that a URL names. Headers and fields go into the URLs of those that take them: `+name=`, `:name=`."""
    import apprise

    asset = _asset()
    made = apprise.Apprise.instantiate(url, asset=asset)
    if made is None or not hasattr(made, "headers"):
        return made
    more = [f"%2B{quote(name)}={quote(value)}" for name, value in headers.items()]
    if hasattr(made, "payload_extras"):
        more += [f"%3A{quote(name)}={quote(value, safe='')}" for name, value in fields.items()]
    if not more:
        return made
    return apprise.Apprise.instantiate(url + ("&" if "?" in url else "?") + "&".join(more), asset=asset)


@cache
def _asset() -> "AppriseAsset":
    """No redirect is followed: it may lead out of the allowed domains. Nothing is kept on the disk."""
    import apprise

    log = logging.getLogger("apprise")
    log.setLevel(logging.CRITICAL + 10)
    return apprise.AppriseAsset(app_id="mauwatch", http_redirects=False, storage_mode="memory", plugin_paths=[])


def domains(url: str) -> frozenset[str]:
    """Where a message to this URL goes: a mail's recipients, a webhook's host, or else the service's own; empty if that can't
    be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from apprise.plugins.email.base import NotifyEmail

        try:
            service = _service(url, {}, {})
        except Exception:  # noqa: BLE001 as in `send`
            return frozenset()
    if isinstance(service, NotifyEmail):
        people = [address for _, address in service.targets] + sorted({*service.cc, *service.bcc})
        return frozenset(address.rpartition("@")[2].lower() for address in people)
    if service is None:
        return frozenset()
    host = service.host if re.match(r"(json|xml|form)s?://", url, re.IGNORECASE) else urlsplit(service.service_url or "").hostname
    return frozenset({str(host).lower()}) if host else frozenset()


def is_known(url: str) -> bool:
    """Whether this is an address that can be sent to, as far as that can be told without sending."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return _service(url, {}, {}) is not None
        except Exception:  # noqa: BLE001 as in `send`
            return False


def may_have_figures(url: str, allowed: Collection[str]) -> bool:
    """Whether all that a message to this URL reaches is in an allowed domain, or below one."""
    reached = domains(url)
    return bool(reached) and all(any(d == a or d.endswith(f".{a}") for a in allowed) for d in reached)


def ping(url: str, kind: Literal["get", "post"]) -> str | None:
    """Call a heartbeat's address; says what kind of failure there was, or nothing."""
    if urlsplit(url).scheme not in ("http", "https"):
        return "its URL isn't one of http or https"
    asked = urllib.request.Request(url, data=b"" if kind == "post" else None)  # noqa: S310 the scheme is looked at above
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT) as answer:  # noqa: S310
            return None if 200 <= answer.status < 300 else f"it answers with {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return f"it answers with {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__

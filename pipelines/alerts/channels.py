"""Sending to people and services by apprise, which no other module imports. An address holds secrets and is never shown."""

import logging
import re
import urllib.error
import urllib.request
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from http.client import HTTPException
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

# apprise is imported inside functions: it takes long to import, and most commands send nothing.

KEY = "X-Mauwatch-Key"
"""Header of mails and webhooks by which a receiver knows a repeat; the key is a line of every text, too."""
_TIMEOUT = 10.0
"""Seconds that the heartbeat's address has to answer."""

NO_ADDRESS = "no address that can be sent to"
"""The failure of an address that apprise doesn't understand."""


def send(url: str, title: str, text: str, key: str, fields: Mapping[str, str], attached: Sequence[str] = ()) -> str | None:
    """Send a message to an address; the kind of failure, or null where the message was taken.

    `fields` go into webhooks as fields of their own; `attached`: paths of files that go with it.
    """
    import apprise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # From modules that some services' plugins import.
        try:
            service = _service(url, {KEY: key}, fields)
            if service is None:
                return NO_ADDRESS
            sender = apprise.Apprise(asset=service.asset)
            sender.add(service)
            files = apprise.AppriseAttachment(list(attached), asset=service.asset) if attached else None
            was_taken = sender.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT, attach=files)
        except Exception as error:  # noqa: BLE001 a plugin's error may quote its address; the message is tried again
            return type(error).__name__
    return None if was_taken else "not taken, or not reached"


def _service(url: str, headers: Mapping[str, str], fields: Mapping[str, str]) -> "NotifyBase | None":
    """The service that a URL names, with headers and fields for those services that take them; null where there is none."""
    import apprise

    asset = _asset()
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None or not hasattr(service, "headers"):
        return service
    # apprise takes them as parameters of the URL alone: `+name=` is a header, `:name=` a field of a webhook's body.
    parameters = [f"%2B{quote(name)}={quote(value)}" for name, value in headers.items()]
    if hasattr(service, "payload_extras"):
        parameters += [f"%3A{quote(name)}={quote(value, safe='')}" for name, value in fields.items()]
    if not parameters:
        return service
    return apprise.Apprise.instantiate(url + ("&" if "?" in url else "?") + "&".join(parameters), asset=asset)


@cache
def _asset() -> "AppriseAsset":
    """apprise's settings: no redirect is followed, since one may lead out of the allowed domains; nothing is kept on the disk."""
    import apprise

    # apprise's log quotes addresses: no level is high enough to be written.
    log = logging.getLogger("apprise")
    log.setLevel(logging.CRITICAL + 10)
    return apprise.AppriseAsset(app_id="mauwatch", http_redirects=False, storage_mode="memory", plugin_paths=[])


def domains(url: str) -> frozenset[str]:
    """The domains that a message to this URL reaches: of a mail's recipients, of a webhook's host, or else of the service.

    Empty where they can't be known.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from apprise.plugins.email.base import NotifyEmail

        try:
            service = _service(url, {}, {})
        except Exception:  # noqa: BLE001 as in `send`
            return frozenset()
    if isinstance(service, NotifyEmail):
        recipients = [address for _, address in service.targets] + sorted({*service.cc, *service.bcc})
        return frozenset(address.rpartition("@")[2].lower() for address in recipients)
    if service is None:
        return frozenset()
    host = service.host if re.match(r"(json|xml|form)s?://", url, re.IGNORECASE) else urlsplit(service.service_url or "").hostname
    return frozenset({str(host).lower()}) if host else frozenset()


def is_known(url: str) -> bool:
    """Whether apprise can send to an address, as far as that can be known without sending."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return _service(url, {}, {}) is not None
        except Exception:  # noqa: BLE001 as in `send`
            return False


def may_have_figures(url: str, allowed: Collection[str]) -> bool:
    """Whether every domain that a message to this URL reaches is an allowed one, or below one; not where none is known."""
    reached = domains(url)
    return bool(reached) and all(any(host == name or host.endswith(f".{name}") for name in allowed) for host in reached)


def ping(url: str, kind: Literal["get", "post"]) -> str | None:
    """Call a heartbeat's address; the kind of failure, or null where the address answers with a status from 200 to 299."""
    if urlsplit(url).scheme not in ("http", "https"):
        return "its URL isn't one of http or https"
    request = urllib.request.Request(url, data=b"" if kind == "post" else None)  # noqa: S310 the scheme is looked at above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            return None if 200 <= answer.status < 300 else f"it answers with {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return f"it answers with {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__

"""Links that open the dashboard once: a token that whoever sees this machine's terminal has, and nobody else.

A link is a file, named by the token's digest, so that all workers agree on whether it was used: using it renames the file, and
one process alone succeeds in that.
"""

import hashlib
import re
import secrets
import time
from pathlib import Path

from affiliates.concurrency import write_secret

LIFETIME = 300
"""Seconds for which a link can be used."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def make(folder: Path) -> str:
    """Make a link and give its token; `folder` is the dashboard's. Links that nobody has used in time are removed."""
    _remove_expired(folder)
    token = secrets.token_urlsafe(32)
    write_secret(_place(folder, token), str(time.time() + LIFETIME).encode())
    return token


def use(folder: Path, token: str) -> bool:
    """Use a link up; whether the token is one that was made here, in time, and was used by nobody before."""
    if not _TOKEN.fullmatch(token):
        return False
    used = folder / "links" / f"used-{secrets.token_hex(8)}"
    try:
        _place(folder, token).rename(used)
        expires = float(used.read_text())
    except (OSError, ValueError):
        return False
    finally:
        used.unlink(missing_ok=True)
    # A clock that was put back doesn't prolong a link's life.
    return 0 <= expires - time.time() <= LIFETIME


def remove_all(folder: Path) -> None:
    """Remove all links: a link of an earlier start opens nothing of this one."""
    for path in (folder / "links").iterdir():
        path.unlink(missing_ok=True)


def _place(folder: Path, token: str) -> Path:
    return folder / "links" / hashlib.sha256(token.encode()).hexdigest()


def _remove_expired(folder: Path) -> None:
    for path in (folder / "links").iterdir():
        try:
            if path.stat().st_mtime < time.time() - LIFETIME:
                path.unlink()
        except FileNotFoundError:  # Used in this moment.
            continue

"""Sessions kept on the server: a cookie has a session's number alone, so logging out ends the session, whoever has the cookie.

A session is a file that all workers read, encrypted by the secret of this start: after a restart nobody can read the file.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from affiliates.concurrency import atomic_write

LIFETIME = 12 * 3600
"""Seconds after which a session ends, used or not: a working day."""
_NUMBER = re.compile(r"[A-Za-z0-9_-]{43}")


class Sessions:
    """The sessions of one start."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder = folder / "sessions"
        self._cipher = Fernet(base64.urlsafe_b64encode(_derived(secret, "sessions")))
        self._csrf = _derived(secret, "csrf")

    def begin(self, content: Mapping[str, str]) -> str:
        """Keep a new session and give its number, a secret of the browser's."""
        number = secrets.token_urlsafe(32)
        sealed = self._cipher.encrypt(json.dumps(dict(content)).encode())
        with atomic_write(self._place(number), 0o600, durable=False) as unfinished:
            unfinished.write_bytes(sealed)
        return number

    def read(self, number: object) -> dict[str, str] | None:
        """A session's content; null for a number that was never given, has ended or is too old."""
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            return None
        try:
            content = self._cipher.decrypt(self._place(number).read_bytes(), ttl=LIFETIME)
        except (OSError, InvalidToken):
            return None
        return {str(key): str(value) for key, value in json.loads(content).items()}

    def end(self, number: object) -> None:
        """End a session for everybody who has its number."""
        if isinstance(number, str) and _NUMBER.fullmatch(number):
            self._place(number).unlink(missing_ok=True)

    def remove_old(self) -> None:
        """Remove sessions that have ended by their age."""
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < time.time() - LIFETIME:
                    path.unlink()
            except FileNotFoundError:
                continue

    def remove_all(self) -> None:
        """Remove all sessions: those of an earlier start."""
        for path in self._folder.iterdir():
            path.unlink(missing_ok=True)

    def csrf_token(self, subject: str) -> str:
        """The token that whoever changes something has to send in a header, which no other site's page can do.

        `subject`: a session's number, or what stands in its place.
        """
        return hmac.new(self._csrf, subject.encode(), "sha256").hexdigest()

    def _place(self, number: str) -> Path:
        return self._folder / hashlib.sha256(number.encode()).hexdigest()


def _derived(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose."""
    return hmac.new(secret, purpose.encode(), "sha256").digest()

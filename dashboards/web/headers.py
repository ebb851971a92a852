"""Headers of every answer: what a browser may load and run beside a page, who may frame it, and what may be kept."""

from collections.abc import Sequence

from flask import Response


def policy(script_hashes: Sequence[str]) -> str:
    """The content security policy; `script_hashes`: those of the scripts that stand in the page itself, such as Dash's renderer.

    Styles may stand in the page, since components set them; no text is ever run as a script.
    """
    scripts = " ".join(["'self'", *(f"'{text.strip(chr(39))}'" for text in script_hashes)])
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def apply(response: Response, content_policy: str, is_secure: bool, is_kept: bool) -> None:
    """Put the headers on an answer. `is_kept`: whether a browser may keep it, as scripts are; figures are never kept."""
    headers = response.headers
    headers["Content-Security-Policy"] = content_policy
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"  # For browsers that don't know frame-ancestors.
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    if is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if not is_kept:
        headers["Cache-Control"] = "no-store"

"""Login by OpenID Connect: Authlib speaks with the provider, and each request asks the provider anew who somebody is.

The claims are asked for at the userinfo endpoint with the access token of the login. So a role that was taken away counts with
the next request, and a token that was revoked or has expired ends the session.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from affiliates.errors import unseen_sign
from affiliates.manifests.dashboard_settings import Oidc

_WAIT = 10
"""Seconds for an answer of the provider."""
_LEEWAY = 30
"""Seconds by which the provider's clock may differ from this machine's."""
_LONGEST_NAME = 200


class LoginRefusedError(Exception):
    """A login that isn't believed, or has ended; the text says why, without a value of anybody's."""


class ProviderUnreachableError(Exception):
    """The provider doesn't answer, or not as it should: who somebody is can't be told now."""


class OidcLogin:
    """The provider of dashboard.yaml. Raises `RefusedError` where the client's secret is missing."""

    def __init__(self, flask_app: Flask, oidc: Oidc, redirect_uri: str) -> None:
        self._oidc = oidc
        self._redirect_uri = redirect_uri
        self._client: Any = OAuth(flask_app).register(
            "login",
            client_id=oidc.client_id,
            client_secret=oidc.client_secret(),
            server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": " ".join(oidc.scopes), "code_challenge_method": "S256", "default_timeout": _WAIT},
        )

    @cached_property
    def _http(self) -> requests.Session:
        """Connections to the provider that are kept; made by each worker for itself, after it was forked."""
        return requests.Session()

    def begin(self) -> Response:
        """The answer that sends a browser to the provider. Raises `ProviderUnreachableError`."""
        self._metadata()
        answer: Response = self._client.authorize_redirect(self._redirect_uri)
        return answer

    def finish(self) -> dict[str, str]:
        """What a session keeps of a login, from the request that comes back from the provider.

        Raises `LoginRefusedError` for a wrong state or nonce, an expired or forged token, and `ProviderUnreachableError`.
        """
        metadata = self._metadata()
        try:
            token = self._client.authorize_access_token(
                claims_options={"iss": {"essential": True, "value": metadata["issuer"]}}, leeway=_LEEWAY
            )
        # The library's texts quote the token's claims.
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
            raise LoginRefusedError(f"the provider's answer isn't believed ({type(error).__name__})") from None
        except (requests.RequestException, RuntimeError) as error:
            raise ProviderUnreachableError(type(error).__name__) from None
        claims = token.get("userinfo")
        if not claims or not claims.get("sub") or not token.get("access_token"):
            raise LoginRefusedError("the provider's answer has no identity token")
        return {"subject": str(claims["sub"]), "access_token": str(token["access_token"])}

    def person(self, session: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        """Name and groups, as the provider says now. Raises as `finish`."""
        endpoint = self._metadata().get("userinfo_endpoint")
        if not endpoint:
            raise ProviderUnreachableError("no userinfo_endpoint")
        try:
            answer = self._http.get(
                str(endpoint),
                headers={"Authorization": f"Bearer {session['access_token']}"},
                timeout=_WAIT,
                allow_redirects=False,
            )
            status = answer.status_code
            claims = answer.json() if status == 200 else {}
        except (requests.RequestException, ValueError) as error:
            raise ProviderUnreachableError(type(error).__name__) from None
        if status in (400, 401, 403):
            raise LoginRefusedError("the login has ended at the provider")
        if status != 200:
            raise ProviderUnreachableError(f"status {status}")
        # OpenID Connect 5.3.2: a response for another subject than the identity token's must not be used.
        if not isinstance(claims, dict) or claims.get("sub") != session["subject"]:
            raise LoginRefusedError("the provider's claims are another person's")
        return self._name(claims), self._groups(claims)

    def _metadata(self) -> Mapping[str, Any]:
        """The provider's own settings, which name its addresses; read once."""
        try:
            metadata: dict[str, Any] = self._client.load_server_metadata()
        except (requests.RequestException, ValueError) as error:
            raise ProviderUnreachableError(type(error).__name__) from None
        # Else one provider could send logins of another one.
        if str(metadata.get("issuer", "")).rstrip("/") != self._oidc.issuer:
            raise ProviderUnreachableError("another issuer than dashboard.yaml's")
        return metadata

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._oidc.name_claim)
        if not isinstance(name, str) or not name.strip() or unseen_sign(name) or len(name) > _LONGEST_NAME:
            raise LoginRefusedError(f"the provider gives no name (claim {self._oidc.name_claim})")
        if self._oidc.name_claim == "email" and claims.get("email_verified") is False:
            raise LoginRefusedError("the provider hasn't verified the address")
        return name.strip()

    def _groups(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        groups = claims.get(self._oidc.groups_claim)
        if isinstance(groups, str):
            return (groups,)
        return tuple(group for group in groups if isinstance(group, str)) if isinstance(groups, list) else ()

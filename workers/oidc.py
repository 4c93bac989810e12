"""
The issuer of identities, asked: a code for whom it knows (OpenID Connect, authorization code).

What an issuer says of somebody is a token it has signed for us, in answer to this very sign-in:
signature, issuer, audience, time and nonce are all checked, whatever way it came.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import orjson
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException

from core.access.issuers import Handed
from workers.errors import Unreachable
from workers.transport import Timeouts, Transport

_TIMEOUTS: Final = Timeouts(connect_seconds=2.0, read_seconds=3.0)
_CLOCKS_DIFFER_SECONDS: Final = 60
# None of them can be verified with what everybody knows.
_ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA"]
_DISCOVERY: Final = "/.well-known/openid-configuration"


class NotVouched(Exception):
    """The issuer does not stand by it, or what it says is not what we asked."""


class Issuer:
    """
    One issuer, and us as its client.

    Args:
        issuer: Its name, which is its address.
        client_id: Ours with it.
        client_secret: What shows that we are that client.
        redirect_url: Where it sends browsers back to.
        clock: What time it is.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        client_secret: str,
        redirect_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = issuer.rstrip("/")
        self._client_id, self._redirect_url, self._clock = client_id, redirect_url, clock
        self._secret = client_secret
        self._transport = Transport(headers={"Accept": "application/json"})

    def identity_of(self, handed: Handed) -> str:
        """
        Whom the issuer knows (its `sub`).

        Raises:
            NotVouched: It says nobody, or what it says does not hold.
            CallFailed: It did not answer.
        """
        about = self._get(self.name + _DISCOVERY)
        if _named(about, "issuer").rstrip("/") != self.name:
            raise NotVouched("it says to be another issuer")
        token_url, keys_url = _named(about, "token_endpoint"), _named(about, "jwks_uri")
        told = self._exchange(token_url, handed)
        keys = self._get(keys_url)
        try:
            read = jwt.decode(told["id_token"], _keys(keys), algorithms=_ALGORITHMS)
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={
                    "iss": {"essential": True, "value": about["issuer"]},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True},
                    "nonce": {"essential": True},
                },
                params={
                    "nonce": handed.once,
                    "client_id": self._client_id,
                    "access_token": told.get("access_token"),
                },
            )
            claims.validate(now=int(self._clock().timestamp()), leeway=_CLOCKS_DIFFER_SECONDS)
        except (JoseError, AuthlibBaseError, KeyError, ValueError, TypeError) as error:
            raise NotVouched(type(error).__name__) from None
        identity = claims["sub"]
        if not isinstance(identity, str) or not identity:
            raise NotVouched("it knows nobody")
        return identity

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _exchange(self, endpoint: str, handed: Handed) -> dict[str, Any]:
        client = OAuth2Session(
            self._client_id,
            self._secret,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - a method's name
            redirect_uri=self._redirect_url,
        )
        with client:
            client.trust_env = False
            try:
                told: dict[str, Any] = client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=handed.code,
                    code_verifier=handed.verifier,
                    timeout=_TIMEOUTS,
                    allow_redirects=False,
                )
            except RequestException as error:
                raise Unreachable(type(error).__name__) from None
            except (AuthlibBaseError, ValueError) as error:
                raise NotVouched(type(error).__name__) from None
        return told

    def _get(self, url: str) -> dict[str, Any]:
        answer = self._transport.request(
            "GET", url, headers={}, data=None, params=None, timeouts=_TIMEOUTS
        )
        if answer.status != 200 or answer.body is None:  # noqa: PLR2004 - OK
            raise Unreachable(f"HTTP {answer.status}")
        try:
            told = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise Unreachable("that is no JSON") from None
        if not isinstance(told, dict):
            raise Unreachable("that is not what was asked for")
        return told


def _named(about: dict[str, Any], name: str) -> str:
    """
    What an issuer says of itself under a name.

    Raises:
        NotVouched: Nothing that is an address.
    """
    address = about.get(name)
    if not isinstance(address, str) or not address.startswith(("https://", "http://")):
        raise NotVouched(f"it has no {name}")
    return address


def _keys(told: dict[str, Any]) -> KeySet:
    """
    Read an issuer's keys.

    Raises:
        ValueError: They are none.
    """
    keys = told.get("keys")
    if not isinstance(keys, list):
        raise ValueError("there are no keys")  # noqa: TRY004 - what was told is wrong, not its type
    return KeySet.import_key_set({"keys": keys})

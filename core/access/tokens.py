"""
Access tokens: JWT signed with Ed25519, good for fifteen minutes.

One algorithm and one type are accepted, whatever a token says of itself, and the key is looked up
among ours by its id: a token can name no key of its own. The first key signs, all of them verify;
a new one is put before the others, and an old one goes when its last tokens are over.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.access.principals import NotAuthenticated

LIVES: Final = timedelta(minutes=15)
# Our own servers' clocks may differ by so much.
_CLOCKS_DIFFER: Final = timedelta(seconds=5)

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"  # RFC 9068: no other JWT of ours, or of anybody's, passes for one
_AUDIENCE: Final = "kabambe-api"
_CLAIMS: Final = ("iss", "aud", "sub", "iat", "exp", "jti")
# Ours have some 300 letters; what is far longer is not looked into.
_LENGTH_MAX: Final = 2048
_SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Signed:
    """An access token and when it ends."""

    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "Signed(…)"


class Keyring:
    """The keys that tokens are signed with and known by."""

    def __init__(self, keys: dict[str, Ed25519PrivateKey], *, issuer: str) -> None:
        """Take the keys by their ids, the one that signs first; and who we are in a token."""
        self._kid, self._key = next(iter(keys.items()))
        self._public = {kid: key.public_key() for kid, key in keys.items()}
        self._issuer = issuer

    @classmethod
    def parse(cls, written: str, *, issuer: str) -> Self:
        """
        Read `kid:seed,kid:seed`, each seed 32 bytes in base 64.

        Raises:
            ValueError: That is not how keys are written, or two have one id.
        """
        keys: dict[str, Ed25519PrivateKey] = {}
        for each in written.split(","):
            kid, colon, seed = each.strip().partition(":")
            try:
                raw = base64.b64decode(seed, validate=True)
            except binascii.Error:
                raw = b""
            if not (kid and colon) or len(raw) != _SEED_BYTES or kid in keys:
                raise ValueError("Signing keys are `id:32 bytes in base 64`, with commas between.")
            keys[kid] = Ed25519PrivateKey.from_private_bytes(raw)
        return cls(keys, issuer=issuer)

    def sign(self, device: str, *, now: datetime) -> Signed:
        """Sign a token for a device, by the device's public id."""
        expires_at = now + LIVES
        claims = {
            "iss": self._issuer,
            "aud": _AUDIENCE,
            "sub": device,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": secrets.token_urlsafe(12),
        }
        headers = {"kid": self._kid, "typ": _TYPE}
        return Signed(
            jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers=headers), expires_at
        )

    def device_of(self, token: str, *, now: datetime) -> str:
        """
        The public id of the device that a token was signed for.

        Raises:
            NotAuthenticated: It is not a token of ours, or its time is over. Why is not told.
        """
        try:
            claims = self._claims(token)
        except (jwt.InvalidTokenError, ValueError) as error:
            raise NotAuthenticated from error
        issued, expires, device = claims["iat"], claims["exp"], claims["sub"]
        if type(issued) is not int or type(expires) is not int or not isinstance(device, str):
            raise NotAuthenticated
        if expires <= now.timestamp() or issued > (now + _CLOCKS_DIFFER).timestamp():
            raise NotAuthenticated
        return device

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LENGTH_MAX:
            raise ValueError("That is longer than any token of ours.")
        header = jwt.get_unverified_header(token)
        key = self._public.get(str(header.get("kid")))
        if key is None or header.get("typ") != _TYPE:
            raise ValueError("No token of ours says that of itself.")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=self._issuer,
            # What time it is, is handed in.
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
        )
        return claims

"""
A small issuer of identities (OpenID Connect), to sign in with: `/oidc` is its name.

`/oidc/authorize` shows whom one may be; whoever is chosen is sent back with a code. The code is
worth an ID token once, to the client it was made for, with the verifier of its challenge.
`PUT /oidc/fault` lets the next tokens be wrong in a way that a client must notice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from flask import Blueprint, Response, abort, jsonify, redirect, request
from jwt.algorithms import ECAlgorithm
from markupsafe import escape

PEOPLE: Final = ("wanjiru", "otieno", "amina")
_CODE_SECONDS: Final = 60
_TOKEN_SECONDS: Final = 300
FAULTS: Final = frozenset(
    {"nonce", "no-nonce", "issuer", "audience", "expired", "future", "key", "none", "hs256",
     "down", "garbage", "other-name", "no-name", "no-sub", "no-token-url", "no-keys-url"}
)  # fmt: skip
_UNTOLD: Final = {
    "no-name": "issuer",
    "no-token-url": "token_endpoint",
    "no-keys-url": "jwks_uri",
}


@dataclass
class Issuer:
    """What the issuer knows: its key, its client, and codes it has given."""

    client_id: str = "kabambe-sandbox"
    client_secret: str = "sandbox-oidc-secret"  # noqa: S105 - the sandbox's
    redirect_url: str = ""
    clock: Callable[[], float] = time.time
    fault: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = generate_private_key(SECP256R1())

    def code_for(self, who: str, asked: dict[str, str]) -> str:
        """Give a code for somebody, to who has asked like this."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked | {"who": who, "until": str(self.clock() + _CODE_SECONDS)}
        return code

    def token_for(self, name: str, code: str, verifier: str) -> str | None:
        """The ID token of a code, once; None where it is worth nothing."""
        asked = self.codes.pop(code, None)
        if asked is None or float(asked["until"]) < self.clock():
            return None
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not hmac.compare_digest(challenge, asked.get("code_challenge", "")):
            return None
        now = int(self.clock())
        claims: dict[str, Any] = {
            "iss": name,
            "aud": asked["client_id"],
            "sub": f"sandbox|{asked['who']}",
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "nonce": asked.get("nonce", ""),
        }
        return self._signed(claims, now)

    def public(self) -> dict[str, Any]:
        """The key that others verify with."""
        told: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return told | {"kid": "sandbox", "use": "sig", "alg": "ES256"}

    def _signed(self, claims: dict[str, Any], now: int) -> str:
        head = {"kid": "sandbox"}
        wrong: dict[str, dict[str, Any]] = {
            "nonce": {"nonce": "another"},
            "issuer": {"iss": "https://another.example"},
            "audience": {"aud": "another-client"},
            "expired": {"exp": now - 3600, "iat": now - 7200},
            "future": {"iat": now + 3600, "nbf": now + 3600, "exp": now + 7200},
        }
        claims |= wrong.get(self.fault, {})
        for fault, gone in (("no-nonce", "nonce"), ("no-sub", "sub")):
            if self.fault == fault:
                del claims[gone]
        if self.fault == "none":
            return jwt.encode(claims, None, algorithm="none", headers=head)  # type: ignore[arg-type]
        if self.fault == "hs256":
            public = str(self.public()).encode()
            return jwt.encode(claims, public.ljust(32), algorithm="HS256", headers=head)
        key = generate_private_key(SECP256R1()) if self.fault == "key" else self.key
        return jwt.encode(claims, key, algorithm="ES256", headers=head)


def create_blueprint(issuer: Issuer) -> Blueprint:
    """Hang the issuer's doors."""
    doors = Blueprint("oidc", __name__, url_prefix="/oidc")

    @doors.get("/.well-known/openid-configuration")
    def about() -> Response:
        said = "https://another.example" if issuer.fault == "other-name" else _name()
        told: dict[str, object] = {
            "issuer": said,
            "authorization_endpoint": f"{_name()}/authorize",
            "token_endpoint": f"{_name()}/token",
            "jwks_uri": f"{_name()}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        told.pop(_UNTOLD.get(issuer.fault, ""), None)
        return jsonify(told)

    @doors.get("/jwks")
    def keys() -> Response:
        return jsonify(keys=[issuer.public()])

    _hang_pages(doors, issuer)
    _hang_token(doors, issuer)
    return doors


def _hang_pages(doors: Blueprint, issuer: Issuer) -> None:
    @doors.get("/authorize")
    def choose() -> str:
        _want_client(issuer)
        asked = urlencode(request.args.to_dict())
        links = "".join(
            f'<p><a href="authorize/{who}?{escape(asked)}">Continue as {who}</a></p>'
            for who in PEOPLE
        )
        return f"<!DOCTYPE html><title>Sandbox accounts</title><h1>Who are you?</h1>{links}"

    @doors.get("/authorize/<who>")
    def approve(who: str) -> Response:
        _want_client(issuer)
        asked = request.args.to_dict()
        told = {
            "code": issuer.code_for(who, asked),
            "state": asked.get("state", ""),
            "iss": _name(),
        }
        answer = redirect(f"{asked['redirect_uri']}?{urlencode(told)}")
        assert isinstance(answer, Response)
        return answer

    @doors.get("/landed")
    def landed() -> Response:
        """Where browsers are sent back to: shows what an app would finish with."""
        return jsonify(request.args.to_dict())

    @doors.put("/fault")
    def fail() -> tuple[str, int]:
        fault = str((request.get_json(silent=True) or {}).get("fault", ""))
        if fault and fault not in FAULTS:
            abort(400)
        issuer.fault = fault
        return "", 204


def _hang_token(doors: Blueprint, issuer: Issuer) -> None:
    @doors.post("/token")
    def token() -> Response | tuple[Response, int]:
        if issuer.fault == "down":
            return Response("not now"), 503
        if issuer.fault == "garbage":
            return Response("<html>", mimetype="text/html")
        said = request.authorization
        if said is None or (said.username, said.password) != (
            issuer.client_id,
            issuer.client_secret,
        ):
            return jsonify(error="invalid_client"), 401
        made = issuer.token_for(
            _name(), request.form.get("code", ""), request.form.get("code_verifier", "")
        )
        if made is None:
            return jsonify(error="invalid_grant"), 400
        return jsonify(
            access_token=secrets.token_urlsafe(16),
            token_type="Bearer",  # noqa: S106 - its name
            expires_in=_TOKEN_SECONDS,
            id_token=made,
        )


def _name() -> str:
    return request.host_url.rstrip("/") + "/oidc"


def _want_client(issuer: Issuer) -> None:
    """Send nobody anywhere but to the client that we know."""
    asked = request.args
    fits = (
        asked.get("client_id") == issuer.client_id
        and asked.get("response_type") == "code"
        and asked.get("code_challenge_method") == "S256"
        and (not issuer.redirect_url or asked.get("redirect_uri") == issuer.redirect_url)
        and asked.get("redirect_uri", "").startswith("http")
    )
    if not fits:
        abort(400)

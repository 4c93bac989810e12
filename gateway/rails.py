"""
The doors that payment rails call: `POST /callbacks/{paystack,flutterwave}`.

Each webhook is signed, and the signature is checked here, on the bytes as they came. What is well
signed goes into the inbox and is acknowledged; a worker understands it, and asks the rail whether
it is true. Nothing is kept of what is not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Literal

import structlog
from flask import Blueprint, Response, abort, request

from core import inbox
from core.db import Databases, transact
from core.inbox import Kind
from core.money import Currency
from core.rail_settings import Flutterwave, Paystack
from core.rails import Provider

BODY_BYTES_MAX: Final = 64 * 1024
_HEADER_LENGTH_MAX: Final = 500

SignatureMode = Literal["v3-literal", "v4-hmac", "v4-literal"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Signed:
    """
    By what a rail's webhooks are known to be its own.

    Args:
        header: Where it says so.
        expected: What must stand there, for a body.
    """

    header: str
    expected: Callable[[bytes], str]

    def by(self, body: bytes, said: str) -> bool:
        """Whether a body came with what it must come with; told in constant time."""
        if len(said) > _HEADER_LENGTH_MAX:
            return False
        expected = self.expected(body)
        return hmac.compare_digest(said.encode(), expected.encode())

    def __repr__(self) -> str:
        return "Signed(…)"


def paystack(secret_key: str) -> Signed:
    """HMAC-SHA512 in hex; the account's secret API key is the key of it, there is no other."""
    key = secret_key.encode()

    def expected(body: bytes) -> str:
        return hmac.new(key, body, hashlib.sha512).hexdigest()

    return Signed("x-paystack-signature", expected)


def flutterwave(secret_hash: str, mode: SignatureMode) -> Signed:
    """
    HMAC-SHA256 in base64, or the secret itself, under the header of either version.

    The secret itself says nothing of the body: what stands there, anybody may have written who has
    seen one webhook. That is why each is verified by asking.
    """
    if mode != "v4-hmac":
        header = "verif-hash" if mode == "v3-literal" else "flutterwave-signature"
        return Signed(header, lambda _body: secret_hash)
    key = secret_hash.encode()

    def expected(body: bytes) -> str:
        return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()

    return Signed("flutterwave-signature", expected)


def signed(
    paystack_account: Paystack | None, flutterwave_account: Flutterwave | None
) -> Mapping[str, Signed]:
    """By what the webhooks of the rails are known that we have an account with."""
    made = {}
    if paystack_account is not None:
        made["paystack"] = paystack(paystack_account.secret_key.get_secret_value())
    if flutterwave_account is not None:
        word = flutterwave_account.secret_hash.get_secret_value()
        made["flutterwave"] = flutterwave(word, flutterwave_account.signature)
    return made


def offered(
    paystack_account: Paystack | None, flutterwave_account: Flutterwave | None, *, has_mpesa: bool
) -> Mapping[Provider, frozenset[Currency]]:
    """By which rails money comes in and goes out here, in which currencies."""
    made = {Provider.MPESA: frozenset({Currency.KES})} if has_mpesa else {}
    if paystack_account is not None:
        made[Provider.PAYSTACK] = frozenset(paystack_account.currencies)
    if flutterwave_account is not None:
        made[Provider.FLUTTERWAVE] = frozenset(flutterwave_account.currencies)
    return made


def door(
    databases: Databases, clock: Callable[[], datetime], *, signed: Mapping[str, Signed]
) -> Blueprint:
    """
    Hang the doors of the rails we have an account with.

    Args:
        databases: Where the inbox is.
        clock: What time it is.
        signed: By what each rail's webhooks are known, by its name.
    """
    door = Blueprint("rails", __name__, url_prefix="/callbacks")

    @door.post("/<any(paystack, flutterwave):rail>")
    def told(rail: str) -> Response:
        if rail not in signed:
            abort(404)
        request.max_content_length = BODY_BYTES_MAX
        body = request.get_data()
        how = signed[rail]
        if not how.by(body, request.headers.get(how.header, "")):
            log.error("rail.signature_wrong", rail=rail)
            abort(401)
        letter = partial(
            inbox.receive,
            provider=rail,
            kind=Kind.RAIL_NEWS,
            key=hashlib.sha256(body).hexdigest(),
            body=body,
            now=clock(),
        )
        transact(databases, letter)
        return Response(mimetype="text/plain")

    return door

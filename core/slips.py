"""
Slips: what a voucher shows openly, signed, so that anybody can check it without asking us.

A slip says which voucher it is, what it is worth and until when. It is worth nothing by itself: the
code is, which it seals. A slip is one line of letters that a QR code holds in its small alphabet:

    KV1:<key>:<serial>:<currency>:<value>:<until, UTC>:<seal>:<signature>

The signature is Ed25519's (RFC 8032) over everything before its colon. The seal is a slow hash of
the code over everything before the seal's colon: a shop that sees both knows that they belong
together, and who sees the slip alone cannot try 10¹⁹ codes against it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.errors import Invalid
from core.money import Currency, Money

_VERSION: Final = "KV1"
_FIELDS: Final = 8
_UNTIL: Final = "%Y%m%dT%H%M%SZ"
_SEAL_LENGTH: Final = 15
# RFC 7914. A quarter of a mebibyte and half a millisecond for each guess, of which there are 10¹⁹.
_SCRYPT: Final = {"n": 256, "r": 8, "p": 1}
_LENGTH_MAX: Final = 400


@dataclass(eq=False)
class NotASlip(Invalid):
    """That is no voucher that we have signed."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What a voucher shows openly. It can be redeemed before `until`."""

    serial: str
    value: Money
    until: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """A slip whose signature is ours."""

    slip: Slip
    salt: str
    seal: str

    def seals(self, code: str) -> bool:
        """Whether a code is this voucher's own; compared in constant time."""
        return hmac.compare_digest(self.seal, _seal(code, self.salt))


def key_id(key: Ed25519PublicKey) -> str:
    """What a slip calls the key it was signed with."""
    return _base32(hashlib.sha256(key.public_bytes_raw()).digest()[:5])


def sign(slip: Slip, *, code: str, key: Ed25519PrivateKey) -> str:
    """Write a slip, seal its code and sign it."""
    figures = slip.value.figures.replace(",", "")
    until = slip.until.astimezone(UTC).strftime(_UNTIL)
    name = key_id(key.public_key())
    salt = f"{_VERSION}:{name}:{slip.serial}:{slip.value.currency.value}:{figures}:{until}"
    said = f"{salt}:{_seal(code, salt)}"
    return f"{said}:{_base32(key.sign(said.encode()))}"


def read(text: str, *, keys: Sequence[Ed25519PublicKey]) -> Read:
    """
    Read a slip, if it was signed with one of these keys. Asks nobody.

    That it was not redeemed already is more than a slip can say.

    Raises:
        NotASlip: It was not, or a letter of it was changed.
    """
    if len(text) > _LENGTH_MAX or text.count(":") != _FIELDS - 1 or not text.isascii():
        raise NotASlip
    said, _, signature = text.rpartition(":")
    named = {key_id(key): key for key in keys}
    version, name, serial, currency, figures, until, seal = said.split(":")
    if version != _VERSION or name not in named:
        raise NotASlip
    try:
        raw = base64.b32decode(signature + "=" * (-len(signature) % 8))
        named[name].verify(raw, said.encode())
    except (binascii.Error, InvalidSignature):
        raise NotASlip from None
    if signature != _base32(raw):  # the last letter has bits that say nothing
        raise NotASlip
    found = Currency[currency]
    value = Money(int(Decimal(figures).scaleb(found.exponent)), found)
    ends = datetime.strptime(until, _UNTIL).replace(tzinfo=UTC)
    return Read(Slip(serial, value, ends), said.rpartition(":")[0], seal)


def _seal(code: str, salt: str) -> str:
    return _base32(hashlib.scrypt(code.encode(), salt=salt.encode(), **_SCRYPT, dklen=_SEAL_LENGTH))


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")

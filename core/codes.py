"""
Voucher codes: twenty digits that a person types, as everybody knows them from electricity tokens.

Nineteen digits are drawn at random from 10¹⁹ (63 bits); the last checks the others, so that a slip
of the finger is told from a guess. A code is kept nowhere: it is derived, when it is printed, from
a secret that is not on our servers, and looked up by a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from stdnum import luhn

from core.errors import Invalid

LENGTH: Final = 20
_BODY_LENGTH: Final = LENGTH - 1
_GROUP_LENGTH: Final = 4
_MENTION: Final = re.compile(r"voucher:([0-9a-f]{64})")


@dataclass(eq=False)
class InvalidVoucherCode(Invalid):
    """That is not a voucher's code: a digit is wrong or missing."""


def parse(typed: str) -> str:
    """
    Take a code as people type it, with or without blanks and dashes.

    Raises:
        InvalidVoucherCode: Not twenty digits, or the last does not fit the others.
    """
    code = re.sub(r"[ \r\n-]", "", typed)
    if not re.fullmatch(rf"[0-9]{{{LENGTH}}}", code) or not luhn.is_valid(code):
        raise InvalidVoucherCode
    return code


def grouped(code: str) -> str:
    """Write a code in groups of four, to be printed; a spreadsheet leaves that alone."""
    return " ".join(code[at : at + _GROUP_LENGTH] for at in range(0, LENGTH, _GROUP_LENGTH))


def mention(hashed: bytes) -> str:
    """Write a hash in a text in the place of its code."""
    return f"voucher:{hashed.hex()}"


def mentioned(said: str) -> list[bytes]:
    """The hashes of the codes that a text mentioned, each once."""
    return [bytes.fromhex(found) for found in dict.fromkeys(_MENTION.findall(said))]


class Veil:
    """
    A keyed hash over codes: all that is ever kept of one.

    Without the key a stolen database tells nobody which codes are good. As nobody can choose what a
    code's hash looks like, how long the index takes to find one tells nothing about it either.
    """

    def __init__(self, key: str) -> None:
        """Take the key, a secret of the servers."""
        self._key = key.encode()

    def hash(self, code: str) -> bytes:
        """Hash a code for keeping, and for finding."""
        return hmac.new(self._key, b"voucher code\n" + code.encode(), hashlib.sha256).digest()


def derive(secret: bytes, *, salt: bytes, number: int) -> str:
    """
    Derive the code of one voucher.

    Args:
        secret: 32 bytes that only who issues has.
        salt: The batch's own, so that no two batches ever share codes, even after a restore.
        number: Which voucher of the batch.
    """
    info = b"kabambe voucher code 1\n" + salt + number.to_bytes(4, "big")
    random = HKDFExpand(SHA256(), 32, info).derive(secret)  # 32 bytes of 10¹⁹: no bias to speak of
    body = f"{int.from_bytes(random, 'big') % 10**_BODY_LENGTH:0{_BODY_LENGTH}}"
    return body + luhn.calc_check_digit(body)

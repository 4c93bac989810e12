"""
The six digits of a one-time password: derived under a key, typed by people, hidden where kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

from core.errors import Invalid

LENGTH: Final = 6
_MENTION: Final = re.compile(r"otp:([0-9a-f]{64})")


@dataclass(eq=False)
class InvalidOtp(Invalid):
    """A code is six digits."""


@dataclass(frozen=True, slots=True)
class Code:
    """Six digits, to be put into words. They show in no error and no log."""

    digits: str = field(repr=False)

    def __str__(self) -> str:
        return self.digits


class OtpKey:
    """What codes are derived under, and hidden under where one was sent to us."""

    def __init__(self, key: str) -> None:
        """Take the key, a secret of the servers."""
        self._key = key.encode()

    def derive(self, *, otp: int, purpose: str, msisdn: str, salt: bytes) -> Code:
        """Derive the code of a row."""
        digest = self._digest(b"code", f"{otp}\n{purpose}\n{msisdn}\n".encode() + salt)
        # 2²⁵⁶ of 10⁶: no bias to speak of.
        return Code(f"{int.from_bytes(digest, 'big') % 10**LENGTH:0{LENGTH}}")

    def veil(self, *, msisdn: str, digits: str) -> bytes:
        """Hash what a number said: all that is kept of a code that came by SMS."""
        return self._digest(b"said", f"{msisdn}\n{digits}".encode())

    def address(self, address: str) -> bytes:
        """Hash an address, to count by."""
        return self._digest(b"address", address.encode())

    def caller(self, shown: str) -> bytes:
        """Hash what somebody who is not known yet shows of themselves, to count by."""
        return self._digest(b"caller", shown.encode())

    def _digest(self, what: bytes, of: bytes) -> bytes:
        return hmac.new(self._key, b"kabambe otp 1 " + what + b"\n" + of, hashlib.sha256).digest()


def parse(typed: str) -> str:
    """
    Take six digits, ASCII ones, with or without a blank or a dash between them.

    Raises:
        InvalidOtp: Anything else.
    """
    digits = re.sub(r"[ \r\n-]", "", typed)
    if not re.fullmatch(rf"[0-9]{{{LENGTH}}}", digits):
        raise InvalidOtp
    return digits


def mention(veiled: bytes) -> str:
    """Write a hash in a text in the place of its digits."""
    return f"otp:{veiled.hex()}"


def mentioned(said: str) -> bytes | None:
    """The hash of the first code that a text mentioned, if any."""
    found = _MENTION.search(said)
    return bytes.fromhex(found.group(1)) if found else None

"""
The safe: secrets that must be read again are in the database only under keys that are not.

The first key closes, all of them open: a new one is put before the others, and an old one goes
when nothing is under it any more.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet


class Safe:
    """Closes and opens secrets, and derives what can be made again."""

    def __init__(self, keys: Sequence[str]) -> None:
        """
        Take the keys, the newest first.

        Raises:
            ValueError: One is not 32 bytes in URL-safe base 64, or there is none.
        """
        if not keys:
            raise ValueError("There is no key.")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._derives = hashlib.sha256(b"kabambe safe 1\n" + keys[0].encode()).digest()

    def close(self, secret: bytes) -> bytes:
        """Encrypt and sign a secret."""
        return self._fernet.encrypt(secret)

    def open(self, closed: bytes) -> bytes:
        """
        Have a secret back.

        Raises:
            InvalidToken: It was not closed under any of the keys, or was changed.
        """
        return self._fernet.decrypt(closed)

    def derive(self, what: str, *of: str) -> bytes:
        """Make 32 bytes that nobody can make without the key: the same of the same."""
        said = "\n".join((what, *(f"{len(each)}:{each}" for each in of)))
        return hmac.new(self._derives, said.encode(), hashlib.sha256).digest()

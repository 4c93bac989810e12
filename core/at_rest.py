"""
Secrets that must be read again, unlike a PIN: locked where they are kept, under a key of ours.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FOR: Final = b"kabambe at rest 1"


class Unreadable(Exception):
    """What was locked is not ours, was tampered with, or its key is no longer listed."""


class Chest:
    """
    Locks and opens. What was locked for one purpose does not open for another.

    Whoever can write the database could else give themselves another's secret by copying it.
    """

    def __init__(self, keys: str) -> None:
        """Take the keys, with commas between them: the first locks, each opens."""
        self._lock = MultiFernet([_fernet(key) for key in keys.split(",")])

    def __repr__(self) -> str:
        return "Chest(…)"

    def lock(self, secret: str, *, purpose: str) -> str:
        """
        Lock a secret.

        Args:
            secret: What nobody may read where it is kept.
            purpose: What it is for, and whose: `webhook:17`. It must be said again to open it.
        """
        assert "\n" not in purpose
        return self._lock.encrypt(f"{purpose}\n{secret}".encode()).decode()

    def open(self, locked: str, *, purpose: str) -> str:
        """
        Read a secret.

        Raises:
            Unreadable: It was not locked for that, or not by us.
        """
        try:
            said, _, secret = self._lock.decrypt(locked.encode()).decode().partition("\n")
        except InvalidToken:
            raise Unreadable from None
        if said != purpose:
            raise Unreadable
        return secret


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=_FOR).derive(key.strip().encode())
    return Fernet(base64.urlsafe_b64encode(derived))

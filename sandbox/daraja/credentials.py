"""Who may ask for money to be moved, and whether they are who they say."""

from __future__ import annotations

import hmac
import threading

from sandbox.daraja.certificate import Key

_WRONG_MAX = 3


class Initiators:
    """
    The operators of the API, by name.

    Args:
        key: Safaricom's, to open credentials with.
        passwords: of each operator.

    """

    def __init__(self, key: Key, passwords: dict[str, str]) -> None:
        self._key = key
        self._passwords = passwords
        self._lock = threading.Lock()
        self._wrong: dict[str, int] = {}
        self._forbidden: set[str] = set()
        self._opened: dict[str, str | None] = {}

    def judged(self, name: str, credential: str) -> str:
        """Whether somebody may do it: `0`, or the code that it ends with."""
        with self._lock:
            if credential not in self._opened:
                self._opened = {credential: self._key.opened(credential)}  # the same each time
            said, known = self._opened[credential], self._passwords.get(name)
            if self._wrong.get(name, 0) >= _WRONG_MAX:
                return "8006"
            if known is None or said is None or not _same(said, known):
                self._wrong[name] = self._wrong.get(name, 0) + 1
                return "2001"
            self._wrong[name] = 0
            return "21" if name in self._forbidden else "0"

    def unlock(self) -> None:
        """Do for every operator what staff do in the portal."""
        with self._lock:
            self._wrong.clear()
            self._forbidden.clear()

    def forbid(self, name: str) -> None:
        """Take an operator's role away."""
        with self._lock:
            self._forbidden.add(name)

    def set_password(self, name: str, password: str) -> None:
        """Change a password, as must be done every ninety days."""
        with self._lock:
            self._passwords[name] = password
            self._opened.clear()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())

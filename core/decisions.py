"""
What two people decide: one proposes with a reason, another decides with a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.errors import Denied, Invalid, Refused

_WORDS_LENGTH_MAX: Final = 500


@dataclass(eq=False)
class AlreadyRequested(Refused):
    """It was asked for before, and is not declined."""


@dataclass(eq=False)
class AlreadyDecided(Refused):
    """Somebody has decided about it."""


@dataclass(eq=False)
class OwnRequest(Denied):
    """Nobody decides about what they asked for themselves."""


@dataclass(eq=False)
class NoReason(Invalid):
    """A request needs a reason, and a decision a note, of at most 500 characters."""


def words(given: str) -> str:
    """
    A reason or a note, without the blanks around it.

    Raises:
        NoReason: There is none, or it is too long.
    """
    if not 0 < len(given.strip()) <= _WORDS_LENGTH_MAX:
        raise NoReason
    return given.strip()

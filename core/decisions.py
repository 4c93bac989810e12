"""
What two people decide: one proposes with a reason, another decides with a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

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


class Proposal:
    """What one member of staff proposes and another decides; columns of a table of such."""

    proposed_by: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    proposed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="proposed")
    decided_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def decide(self, state: str, *, by: str, note: str, now: datetime) -> None:
        """
        Decide about it, whose lock is held.

        Args:
            state: `approved` or `declined`.
            by: Who decides.
            note: Why, without blanks around it (`words`).
            now: When.

        Raises:
            AlreadyDecided: Somebody was faster.
            OwnRequest: It is the same person.
        """
        if self.state != "proposed":
            raise AlreadyDecided
        if self.proposed_by == by:
            raise OwnRequest
        self.state, self.decided_by = state, by
        self.note, self.decided_at = note, now


def words(given: str) -> str:
    """
    A reason or a note, without the blanks around it.

    Raises:
        NoReason: There is none, or it is too long.
    """
    if not 0 < len(given.strip()) <= _WORDS_LENGTH_MAX:
        raise NoReason
    return given.strip()

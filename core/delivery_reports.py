"""
What providers report of messages, kept one a message: reports come late, doubled and out of order.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import db
from core.db import Base


class State(StrEnum):
    """Where a message is."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"

    @property
    def behind(self) -> list[State]:
        """The states from which a report of this one moves a message forward."""
        return [state for state, rank in _RANK.items() if rank < _RANK[self]]


# Whoever has a message has it: a failure that is reported after the delivery, or before it, was of
# a try of the network's.
_RANK: Final = {
    State.QUEUED: 0,
    State.SENDING: 1,
    State.UNKNOWN: 2,
    State.SENT: 3,
    State.REJECTED: 4,
    State.WITHHELD: 4,
    State.FAILED: 5,
    State.DELIVERED: 6,
}


class Report(Base):
    """
    A delivery report as it was understood, kept even when its message is not yet known.

    A report may come before the send call has returned; the message then finds it here. `status`
    is the provider's own word, the newest it said.
    """

    __tablename__ = "delivery_reports"

    provider_id: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    reported_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    status: Mapped[str | None] = mapped_column(Text)


def keep(
    session: Session,
    *,
    provider_id: str,
    state: State,
    why: str | None,
    status: str,
    now: datetime,
) -> Report:
    """Keep a report, in whatever order and however often it comes; return how far they have got."""
    alone_with(session, provider_id)
    kept = session.get(Report, provider_id, with_for_update=True)
    if kept is None:
        kept = Report(provider_id=provider_id, state=state.value, why=why, reported_at=now)
        session.add(kept)
    elif State(kept.state) in state.behind:
        kept.state, kept.why, kept.reported_at = state.value, why, now
    kept.status = status
    session.flush()
    return kept


def alone_with(session: Session, provider_id: str) -> None:
    """
    Let one transaction at a time speak of a provider's message.

    Its report and the end of its sending may come at once; neither would see the other's row.
    """
    db.alone(session, provider_id)

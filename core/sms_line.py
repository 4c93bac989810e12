"""
The line to the provider of SMS: the credit there is with it, and whether it takes our sender id.

Both outlive a worker, and every worker acts on them: a sender id that was refused is not tried
again with each message, and nothing promotional goes out on the last shillings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from sqlalchemy import BigInteger, DateTime, Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.money import Money, kes

PROVIDER: Final = "africastalking"
# For so long messages go out under the provider's shared sender, before ours is tried again.
SENDER_REFUSED_FOR: Final = timedelta(hours=1)
# An alert that nobody heeds is said again.
ALERT_AGAIN: Final = timedelta(hours=1)


class SmsLine(Base):
    """What we know of the line to a provider; `credit` is in minor units of KES."""

    __tablename__ = "sms_line"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    credit: Mapped[int | None] = mapped_column(BigInteger)
    credit_told_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    credit_gone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    alerted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sender_refused_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Line:
    """
    The line as it is now.

    Args:
        credit: What was left when the provider was last asked; None before it has told.
        credit_told_at: When that was.
        is_out_of_credit: Whether it has refused a message for want of credit since.
        is_sender_refused: Whether it does not take our sender id for now.
    """

    credit: Money | None
    credit_told_at: datetime | None
    is_out_of_credit: bool
    is_sender_refused: bool

    def may_promote(self, *, least: Money) -> bool:
        """Whether news may go out: under our own name, and on credit that receipts do not need."""
        is_low = self.credit is not None and self.credit < least
        return not (is_low or self.is_out_of_credit or self.is_sender_refused)


class News(Enum):
    """What staff should hear of the credit."""

    LOW = auto()
    BACK = auto()


def look(session: Session, *, now: datetime) -> Line:
    """Look at the line."""
    row = session.get(SmsLine, PROVIDER)
    if row is None:
        return Line(None, None, is_out_of_credit=False, is_sender_refused=False)
    return Line(
        None if row.credit is None else kes(row.credit),
        row.credit_told_at,
        row.credit_gone_at is not None,
        _is_recent(row.sender_refused_at, now),
    )


def is_sender_refused(session: Session, *, now: datetime) -> bool:
    """Whether our sender id was refused a short while ago."""
    refused = select(SmsLine.sender_refused_at).where(SmsLine.provider == PROVIDER)
    return _is_recent(session.scalar(refused), now)


def refuse_sender(session: Session, *, now: datetime) -> None:
    """Remember that our sender id is not taken."""
    _set(session, sender_refused_at=now)


def run_out(session: Session, *, now: datetime) -> None:
    """Remember that a message was refused for want of credit."""
    _set(session, credit_gone_at=now)


def tell_credit(session: Session, *, credit: Money, least: Money, now: datetime) -> News | None:
    """
    Keep what credit there is; return what staff should hear of it.

    That it is low is said when it becomes so, and again every hour.
    """
    _set(session, credit=credit.minor, credit_told_at=now)
    row = session.get_one(SmsLine, PROVIDER, with_for_update=True, populate_existing=True)
    if not credit < least:
        was_low = row.alerted_at is not None or row.credit_gone_at is not None
        row.alerted_at = row.credit_gone_at = None
        return News.BACK if was_low else None
    if row.alerted_at is not None and now - row.alerted_at < ALERT_AGAIN:
        return None
    row.alerted_at = now
    return News.LOW


def _is_recent(refused_at: datetime | None, now: datetime) -> bool:
    return refused_at is not None and now - refused_at < SENDER_REFUSED_FOR


def _set(session: Session, **values: object) -> None:
    session.execute(
        insert(SmsLine)
        .values(provider=PROVIDER, **values)
        .on_conflict_do_update(index_elements=[SmsLine.provider], set_=values)
    )

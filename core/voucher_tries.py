"""
Wrong voucher codes: five within a day, and there is none for the rest of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.audit import Action, Actor
from core.db import Base
from core.subscribers import Person, Subscriber

TRIES_MAX: Final = 5
TRIES_FOR: Final = timedelta(days=1)


class VoucherTries(Base):
    """A subscriber's wrong codes since `first_at`."""

    __tablename__ = "voucher_tries"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    wrong_tries: Mapped[int] = mapped_column(server_default="0")
    first_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def wrong(session: Session, person: Person, *, now: datetime) -> int:
    """How many wrong codes somebody has typed within a day; their row is locked from here on."""
    session.execute(
        text(
            "INSERT INTO voucher_tries (subscriber_id, first_at) VALUES (:subscriber, :now)"
            " ON CONFLICT (subscriber_id) DO NOTHING"
        ),
        {"subscriber": person.id, "now": now},
    )
    wrong_tries, first_at = session.execute(
        text(
            "SELECT wrong_tries, first_at FROM voucher_tries"
            " WHERE subscriber_id = :subscriber FOR UPDATE"
        ),
        {"subscriber": person.id},
    ).one()
    return 0 if first_at + TRIES_FOR <= now else int(wrong_tries)


def count(
    session: Session, person: Person, wrong_tries: int, *, actor: Actor, now: datetime
) -> None:
    """Keep a wrong try. A right one forgets none: a code of one's own must buy no more guesses."""
    session.execute(
        text(
            "UPDATE voucher_tries SET wrong_tries = :tries,"
            " first_at = CASE WHEN :tries = 1 THEN :now ELSE first_at END"
            " WHERE subscriber_id = :subscriber"
        ),
        {"tries": wrong_tries, "now": now, "subscriber": person.id},
    )
    if wrong_tries >= TRIES_MAX:
        subject = f"subscriber:{person.id}"
        action = Action.VOUCHER_TRIES_USED
        audit.record(session, actor=actor, action=action, subject=subject, now=now)

"""
Wrong tries to log in by a program: five, and nobody is let in there for fifteen minutes.

What is counted against a number are wrong codes: whoever types those has shown nothing, so they
close this door alone. What is counted against a subscriber are wrong PINs and second factors of
somebody who has shown the phone; those close the phone's side too (`core.logins`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, SmallInteger, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import db
from core.db import Base
from core.errors import Denied

TRIES_MAX: Final = 5
LOCK: Final = timedelta(minutes=15)
# Wrong tries are forgotten after a day.
TRIES_FOR: Final = timedelta(hours=24)


@dataclass(eq=False)
class LogInLocked(Denied):
    """Too many wrong tries to show who one is."""

    until: datetime


class Tries(Base):
    """The wrong tries counted against a number or a subscriber, by the name of either."""

    __tablename__ = "log_in_tries"

    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    wrong_tries: Mapped[int] = mapped_column(SmallInteger)
    tried_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


def of_number(msisdn: str) -> str:
    """Name the tries of who says to have a number."""
    return f"number:{msisdn}"


def of_subscriber(subscriber: int) -> str:
    """Name the tries of who has shown to have somebody's phone."""
    return f"subscriber:{subscriber}"


def of_staff(name: str) -> str:
    """Name the tries of who says to be a member of staff."""
    return f"staff:{name}"


def of_staff_at(name: str, address: str) -> str:
    """Name the tries of who says to be a member of staff, from one address."""
    return f"staff:{name}@{address}"


def require_unlocked(session: Session, *, subject: str, now: datetime) -> None:
    """
    See that tries are taken, one at a time until this commits: nobody guesses in parallel.

    Raises:
        LogInLocked: They are not, and until when.
    """
    db.alone(session, f"tries:{subject}")
    until = session.scalar(
        select(Tries.locked_until).where(Tries.subject == subject, Tries.locked_until > now)
    )
    if until is not None:
        raise LogInLocked(until=until)


def count(session: Session, *, subject: str, now: datetime) -> datetime | None:
    """Count a wrong try; return until when it locks, if it does."""
    until = now + LOCK
    row = session.execute(
        text(
            "INSERT INTO log_in_tries AS t (subject, wrong_tries, tried_at)"
            " VALUES (:subject, 1, :now)"
            " ON CONFLICT (subject) DO UPDATE SET tried_at = :now,"
            " wrong_tries = CASE WHEN t.tried_at <= :forgotten OR t.locked_until <= :now THEN 1"
            "   ELSE least(t.wrong_tries + 1, :most) END,"
            " locked_until = CASE"
            "   WHEN t.locked_until > :now THEN t.locked_until"
            "   WHEN t.locked_until IS NULL AND t.tried_at > :forgotten"
            "     AND t.wrong_tries + 1 >= :most THEN CAST(:until AS timestamptz) END"
            " RETURNING locked_until"
        ),
        {
            "subject": subject,
            "now": now,
            "forgotten": now - TRIES_FOR,
            "most": TRIES_MAX,
            "until": until,
        },
    ).one()
    locked_until: datetime | None = row.locked_until
    return locked_until


def forget(session: Session, *, subject: str) -> None:
    """Forget the wrong tries of who has shown who they are."""
    session.execute(
        text("UPDATE log_in_tries SET wrong_tries = 0, locked_until = NULL WHERE subject = :it"),
        {"it": subject},
    )

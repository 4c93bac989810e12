"""
Numbers that are nobody's: how many somebody may ask for in a day before they are told no names.

Whoever has a SIM sees a part of the number of whoever money was sent to, and the whole of it is an
answer that replaces a forgotten PIN (`core.recovery`). Trying out the rest finds nobody nearly each
time, which whoever pays people they know hardly ever does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, ForeignKey, Integer, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, subscribers
from core.audit import Action, Actor
from core.db import Base
from core.errors import Denied
from core.subscribers import Person, Subscriber, UnknownRecipient

ASKED_MAX: Final = 20
ASKED_FOR: Final = timedelta(days=1)


@dataclass(eq=False)
class TooManyStrangers(Denied):
    """Twenty numbers without an account were asked for within a day."""


class Strangers(Base):
    """How many numbers without an account a subscriber has asked for since `first_at`."""

    __tablename__ = "strangers"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    asked: Mapped[int] = mapped_column(Integer)
    first_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


# A day after the first it begins anew.
_COUNTED: Final = text("""
    INSERT INTO strangers AS s (subscriber_id, asked, first_at) VALUES (:subscriber, 1, :now)
    ON CONFLICT (subscriber_id) DO UPDATE SET
        asked = CASE WHEN s.first_at > :since THEN s.asked + 1 ELSE 1 END,
        first_at = CASE WHEN s.first_at > :since THEN s.first_at ELSE :now END
    RETURNING asked
""")


def find(
    reading: Session,
    *,
    number: str,
    person: Person,
    actor: Actor,
    now: datetime,
    counting: Callable[[], Session],
) -> Person:
    """
    Find whose number somebody has asked for, and count where it is nobody's.

    Known numbers are refused like others once too many were nobody's: else the answer would tell
    which they are.

    Args:
        reading: Where it is looked up.
        number: A phone number in E.164, or one of ours.
        person: Who asks.
        actor: As whom.
        now: When.
        counting: The transaction in which it is counted, outside of anything that is undone.

    Raises:
        UnknownRecipient: It is nobody's.
        TooManyStrangers: So were too many, within a day of the first.
    """
    asked = reading.scalar(
        select(Strangers.asked).where(
            Strangers.subscriber_id == person.id, Strangers.first_at > now - ASKED_FOR
        )
    )
    if asked is not None and asked >= ASKED_MAX:
        raise TooManyStrangers
    try:
        if number.startswith("+"):
            return subscribers.recipient(reading, msisdn=number)
        return subscribers.by_wallet_number(reading, number=number)
    except UnknownRecipient:
        _count(counting(), person=person, actor=actor, now=now)
        raise


def _count(session: Session, *, person: Person, actor: Actor, now: datetime) -> None:
    since = now - ASKED_FOR
    asked = session.scalar(_COUNTED, {"subscriber": person.id, "now": now, "since": since})
    if asked < ASKED_MAX:
        return
    if asked == ASKED_MAX:
        subject = f"subscriber:{person.id}"
        action = Action.STRANGERS_ASKED_FOR
        audit.record(session, actor=actor, action=action, subject=subject, now=now)
    raise TooManyStrangers

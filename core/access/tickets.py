"""
Tickets: what shows for ten minutes that somebody has a number's phone, or is whom an issuer knows.

With one, and a PIN, somebody signs up or logs in, once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.errors import Refused

LIVES: Final = timedelta(minutes=10)


@dataclass(eq=False)
class TicketOver(Refused):
    """The ticket was used, or its ten minutes are over, or it is none."""


class Shown(StrEnum):
    """What somebody has shown."""

    CODE = "code"
    """A one-time code that was sent to the number."""
    ISSUER = "issuer"
    """That an issuer of identities knows them as who has linked it to the account."""


class Ticket(Base):
    """A ticket, by its hash."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("hash"),
        Index("ix_tickets_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    msisdn: Mapped[str] = mapped_column(Text)
    shown: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Seen:
    """A ticket that is good: whose number it is for, and what was shown for it."""

    id: int
    msisdn: str
    shown: Shown


def give(session: Session, *, msisdn: str, shown: Shown, now: datetime) -> str:
    """Give a ticket for a number."""
    ticket = "tk_" + secrets.token_urlsafe(32)
    session.execute(
        insert(Ticket).values(
            hash=_hash(ticket), msisdn=msisdn, shown=shown.value, expires_at=now + LIVES
        )
    )
    return ticket


def look(session: Session, *, ticket: str, now: datetime) -> Seen:
    """
    Look at a ticket, and let nobody else use it until this transaction is over.

    Raises:
        TicketOver: It is not good.
    """
    row = session.execute(
        select(Ticket.id, Ticket.msisdn, Ticket.shown)
        .where(Ticket.hash == _hash(ticket), Ticket.used_at.is_(None), Ticket.expires_at > now)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise TicketOver
    return Seen(row.id, row.msisdn, Shown(row.shown))


def use(session: Session, *, seen: Seen, now: datetime) -> None:
    """Use a ticket up."""
    session.execute(update(Ticket).where(Ticket.id == seen.id).values(used_at=now))


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()

"""
Inquiries: questions we put to a provider whose answer comes later, at an address of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    Text,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.rails import Provider


class Kind(StrEnum):
    """What is asked."""

    STATUS = "status"
    """What became of a payment."""
    BALANCE = "balance"
    """What we have there."""
    REVERSAL = "reversal"
    """That a payment to us go back."""


class State(StrEnum):
    """Where an inquiry is."""

    ASKING = "asking"
    ASKED = "asked"
    ANSWERED = "answered"
    FAILED = "failed"
    """It was not taken, or refused: nothing has come of it."""
    LOST = "lost"


class Inquiry(Base):
    """
    A question. `subject` is what it is about: `withdrawal:3`, `paybill:5`, or an account's name.

    `token_hash` is of what the answer's address holds; `provider_ref` what the provider calls the
    question itself.
    """

    __tablename__ = "inquiries"
    __table_args__ = (
        Index(
            "ix_inquiries_open", "asked_at", postgresql_where=text("state IN ('asking', 'asked')")
        ),
        Index("ix_inquiries_subject", "subject", "id"),
        Index("ix_inquiries_provider_ref", "provider", "provider_ref"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    provider_ref: Mapped[str | None] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="asking")
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    why: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that an answer belongs to."""

    id: int
    kind: Kind
    subject: str
    state: State
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Put:
    """A question; `provider_ref` is what the provider calls it, where it said so."""

    id: int
    provider_ref: str | None


def ask(
    session: Session,
    *,
    kind: Kind,
    subject: str,
    token_hash: bytes,
    now: datetime,
    provider: Provider = Provider.MPESA,
) -> int:
    """Write down that something is about to be asked; return the inquiry's id. Commit first."""
    return int(
        session.execute(
            insert(Inquiry)
            .values(
                provider=provider.value,
                kind=kind.value,
                subject=subject,
                token_hash=token_hash,
                asked_at=now,
            )
            .returning(Inquiry.id)
        ).scalar_one()
    )


def asked(session: Session, *, inquiry: int, provider_ref: str | None) -> None:
    """Say that the provider has taken the question; what was answered meanwhile stands."""
    session.execute(
        update(Inquiry)
        .where(Inquiry.id == inquiry, Inquiry.state == State.ASKING)
        .values(state=State.ASKED.value, provider_ref=provider_ref)
    )


def failed(session: Session, *, inquiry: int, why: str, now: datetime) -> None:
    """Say that the question was not taken, or that its answer is none."""
    session.execute(
        update(Inquiry)
        .where(Inquiry.id == inquiry, Inquiry.state.in_([State.ASKING, State.ASKED]))
        .values(state=State.FAILED.value, why=why, answered_at=now)
    )


def refused(session: Session, *, inquiry: int, why: str) -> None:
    """
    Say that what was asked for was certainly not done: its answer, just taken, is a refusal; or
    the provider, asked about one whose answer never came, says so.
    """
    session.execute(
        update(Inquiry)
        .where(Inquiry.id == inquiry, Inquiry.state.in_([State.ANSWERED, State.LOST]))
        .values(state=State.FAILED.value, why=why)
    )


def answer(session: Session, *, inquiry: int, now: datetime) -> bool:
    """Be the one who takes the answer; False where somebody has had it before."""
    taken = session.scalar(
        update(Inquiry)
        .where(Inquiry.id == inquiry, Inquiry.state.in_([State.ASKING, State.ASKED, State.LOST]))
        .values(state=State.ANSWERED.value, answered_at=now)
        .returning(Inquiry.id)
    )
    return taken is not None


def lose(session: Session, *, now: datetime, after: timedelta) -> int:
    """Give up on questions that nobody answered in time; return how many there were."""
    lost = session.scalars(
        update(Inquiry)
        .where(Inquiry.state.in_([State.ASKING, State.ASKED]), Inquiry.asked_at <= now - after)
        .values(state=State.LOST.value)
        .returning(Inquiry.id)
    ).all()
    return len(lost)


def by_token(session: Session, *, token_hash: bytes) -> Asked | None:
    """The inquiry whose answer's address holds a token, by its SHA-256."""
    row = session.scalars(select(Inquiry).where(Inquiry.token_hash == token_hash)).one_or_none()
    if row is None:
        return None
    return Asked(row.id, Kind(row.kind), row.subject, State(row.state), row.asked_at)


def may_be_done(session: Session, *, subject: str, kind: Kind) -> bool:
    """Whether anything that was asked for may have been done, or may yet be."""
    found = (
        select(Inquiry.id)
        .where(Inquiry.subject == subject, Inquiry.kind == kind.value)
        .where(Inquiry.state != State.FAILED)
    )
    return session.scalar(found.limit(1)) is not None


def find(session: Session, *, inquiry: int) -> Put:
    """A question that was put, by its id."""
    row = session.get_one(Inquiry, inquiry, populate_existing=True)
    return Put(row.id, row.provider_ref)


def in_doubt(session: Session, *, subject: str, kind: Kind) -> Sequence[Put]:
    """What the provider took, as it said, and never said the end of, in the order of asking."""
    found = (
        select(Inquiry.id, Inquiry.provider_ref)
        .where(Inquiry.subject == subject, Inquiry.kind == kind.value)
        .where(Inquiry.state.in_([State.LOST, State.ANSWERED]), Inquiry.provider_ref.is_not(None))
        .order_by(Inquiry.id)
    )
    return [Put(row.id, row.provider_ref) for row in session.execute(found)]


def newest(session: Session, *, subject: str, kind: Kind) -> Asked | None:
    """The newest question about something."""
    row = session.scalars(
        select(Inquiry)
        .where(Inquiry.subject == subject, Inquiry.kind == kind.value)
        .order_by(Inquiry.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Asked(row.id, Kind(row.kind), row.subject, State(row.state), row.asked_at)

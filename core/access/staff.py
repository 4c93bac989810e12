"""
Staff: who works here, where they are logged in, and the tokens by which they stay so.

A log-in lasts for a working day, whatever happens. Its refresh tokens are good once each, and one
that is shown twice ends it: somebody has a copy. Nothing here is looked up in a copy.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.access.principals import NotAuthenticated
from core.audit import Action, Actor
from core.db import Base

LASTS: Final = timedelta(hours=10)
_PREFIX: Final = "stf_"


class Because(StrEnum):
    """Why a log-in has ended."""

    LOGGED_OUT = "logged-out"
    REUSED = "reused"
    """A refresh token of its was used twice."""
    RESET = "reset"
    """Their password and second factor were set anew."""
    ENDED = "ended"
    """They work here no longer."""


class StaffMember(Base):
    """
    Somebody who works here. `secret` is that of their second factor, locked.

    `last_step` is the half minute of the newest code that was used: none up to it is good again.
    """

    __tablename__ = "staff"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class StaffLogIn(Base):
    """One log-in. `public_id` is what its tokens call it by. What is revoked stays so."""

    __tablename__ = "staff_log_ins"
    __table_args__ = (
        UniqueConstraint("public_id"),
        Index("ix_staff_log_ins_standing", "staff_id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    public_id: Mapped[str] = mapped_column(Text)
    staff_id: Mapped[int] = mapped_column(ForeignKey(StaffMember.id))
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_because: Mapped[str | None] = mapped_column(Text)


class StaffRefresh(Base):
    """A refresh token, by its hash. Who was given it has it; we do not."""

    __tablename__ = "staff_refreshes"
    __table_args__ = (Index("ix_staff_refreshes_log_in_id", "log_in_id"),)

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log_in_id: Mapped[int] = mapped_column(ForeignKey(StaffLogIn.id))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Opened:
    """A log-in, and the refresh token that keeps it."""

    public_id: str
    refresh: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A log-in that stands, and whose."""

    log_in: int
    staff: int
    name: str


def is_of_staff(public_id: str) -> bool:
    """Whether a token that names this was signed for staff."""
    return public_id.startswith(_PREFIX)


def begin(session: Session, *, staff: int, now: datetime) -> Opened:
    """Let a member of staff who has shown both factors be logged in."""
    public_id, until = _PREFIX + secrets.token_hex(13), now + LASTS
    log_in = session.scalars(
        insert(StaffLogIn)
        .values(public_id=public_id, staff_id=staff, begun_at=now, ends_at=until)
        .returning(StaffLogIn.id)
    ).one()
    return Opened(public_id, _add(session, log_in), until)


def refresh(session: Session, *, token: str, actor: Actor, now: datetime) -> Opened:
    """
    Use up a refresh token and give the next.

    A log-in that ends here must stay so although this raises: call it outside of anything that is
    undone.

    Raises:
        NotAuthenticated: It is none, it is over, or it was used before: then its log-in has ended.
    """
    row = session.scalar(
        select(StaffRefresh).where(StaffRefresh.hash == _hash(token)).with_for_update()
    )
    if row is None:
        raise NotAuthenticated
    log_in = session.execute(
        select(
            StaffLogIn.id,
            StaffLogIn.public_id,
            StaffLogIn.staff_id,
            StaffLogIn.revoked_at,
            StaffLogIn.ends_at,
        )
        .where(StaffLogIn.id == row.log_in_id)
        .with_for_update()
    ).one()
    if log_in.revoked_at is not None or log_in.ends_at <= now:
        raise NotAuthenticated
    if row.used_at is not None:
        end(session, log_in=log_in.id, because=Because.REUSED, now=now)
        copied, whose = Action.STAFF_LOG_IN_COPIED, f"staff:{log_in.staff_id}"
        audit.record(session, actor=actor, action=copied, subject=whose, now=now)
        raise NotAuthenticated
    row.used_at = now
    session.flush()
    return Opened(log_in.public_id, _add(session, log_in.id), log_in.ends_at)


def find(session: Session, *, public_id: str, now: datetime) -> Standing | None:
    """The log-in of that public id, if it stands and its owner works here."""
    row = session.execute(
        select(StaffLogIn.id, StaffMember.id, StaffMember.name)
        .join(StaffMember, StaffMember.id == StaffLogIn.staff_id)
        .where(
            StaffLogIn.public_id == public_id,
            StaffLogIn.revoked_at.is_(None),
            StaffLogIn.ends_at > now,
            StaffMember.ended_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else Standing(row[0], row[1], row[2])


def end(session: Session, *, log_in: int, because: Because, now: datetime) -> None:
    """End a log-in, at once; twice is as good as once."""
    session.execute(
        update(StaffLogIn)
        .where(StaffLogIn.id == log_in, StaffLogIn.revoked_at.is_(None))
        .values(revoked_at=now, revoked_because=because.value)
    )


def end_all(session: Session, *, staff: int, because: Because, now: datetime) -> None:
    """End every log-in of somebody's, at once."""
    session.execute(
        update(StaffLogIn)
        .where(StaffLogIn.staff_id == staff, StaffLogIn.revoked_at.is_(None))
        .values(revoked_at=now, revoked_because=because.value)
    )


def _add(session: Session, log_in: int) -> str:
    token = "srt_" + secrets.token_urlsafe(32)
    session.execute(insert(StaffRefresh).values(hash=_hash(token), log_in_id=log_in))
    return token


def _hash(token: str) -> bytes:
    # 256 bits of chance need no slow hash, and are looked up by it: no comparison takes its time.
    return hashlib.sha256(token.encode()).digest()

"""
SMS of ours and what became of each: at most one per outbox row, and never sent twice in doubt.

    queued ── begin ──► sending ──► sent ──► delivered | failed      (delivery reports)
                           ├──► queued       it certainly did not go; try again later
                           ├──► rejected     the provider will not send it
                           └──► unknown      it may have gone; never repeated, a report may tell
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Text,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.outbox import Event, Outbox

TRIES_MAX: Final = 8
_BACKOFF_FIRST: Final = timedelta(seconds=2)
_BACKOFF_MAX: Final = timedelta(minutes=10)


class State(StrEnum):
    """Where a message is."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


# A report may only move a message forward: they come late, doubled and out of order.
_RANK: Final = {
    State.QUEUED: 0,
    State.SENDING: 1,
    State.UNKNOWN: 2,
    State.SENT: 3,
    State.REJECTED: 4,
    State.FAILED: 5,
    State.DELIVERED: 6,
}


class Message(Base):
    """One SMS. Its words are not kept: they can be found again from the outbox row."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outbox_id: Mapped[int] = mapped_column(ForeignKey(Outbox.id), unique=True)
    state: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    provider_id: Mapped[str | None] = mapped_column(Text, unique=True)
    parts: Mapped[int | None] = mapped_column(Integer)
    cost: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Report(Base):
    """
    A delivery report as it was understood, kept even when its message is not yet known.

    A report may come before the send call has returned; the message then finds it here.
    """

    __tablename__ = "delivery_reports"

    provider_id: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    reported_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class OptOut(Base):
    """A number that wants no promotional messages. Receipts are sent all the same."""

    __tablename__ = "opt_outs"

    msisdn: Mapped[str] = mapped_column(Text, primary_key=True)
    opted_out_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that is ours to send now."""

    id: int
    outbox_id: int
    event: Event
    msisdn: str
    language: str
    facts: dict[str, Any]
    staged_at: datetime


def begin(session: Session, *, outbox_id: int, now: datetime) -> Sending | None:
    """
    Claim the message of an outbox row; commit this before calling the provider.

    None when there is nothing to do: it was sent, or it is being sent.
    A message left `sending` by a worker that died may have gone out, so it is never claimed again.
    """
    row = session.execute(
        select(Outbox).where(Outbox.id == outbox_id, Outbox.done_at.is_(None)).with_for_update()
    ).scalar_one_or_none()
    if row is None:
        return None
    session.execute(
        text(
            "INSERT INTO messages (outbox_id, state, changed_at) VALUES (:outbox, 'queued', :now)"
            " ON CONFLICT (outbox_id) DO NOTHING"
        ),
        {"outbox": outbox_id, "now": now},
    )
    message = session.scalar(
        update(Message)
        .where(Message.outbox_id == outbox_id, Message.state == State.QUEUED.value)
        .values(state=State.SENDING.value, tries=Message.tries + 1, changed_at=now)
        .returning(Message.id)
    )
    if message is None:
        return None
    return Sending(
        message, row.id, Event(row.event), row.msisdn, row.language, row.facts, row.staged_at
    )


def sent(
    session: Session,
    *,
    message: Sending,
    provider_id: str,
    parts: int | None,
    cost: str | None,
    now: datetime,
) -> None:
    """The provider took it. A report that came before this answer is applied at once."""
    _alone_with(session, provider_id)
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(
            state=State.SENT.value,
            provider_id=provider_id,
            parts=parts,
            cost=cost,
            why=None,
            changed_at=now,
        )
    )
    _close(session, outbox_id=message.outbox_id, now=now)
    early = session.get(Report, provider_id)
    if early is not None:
        _advance(session, early, now=now)


def unreachable(
    session: Session,
    *,
    message: Sending,
    why: str,
    retry_after: timedelta | None = None,
    now: datetime,
) -> None:
    """It certainly did not go: try again later, and give up after eight tries."""
    tries = session.scalar(select(Message.tries).where(Message.id == message.id)) or 0
    if tries >= TRIES_MAX:
        _end(session, message=message, state=State.FAILED, why=why, now=now)
        return
    backoff = min(_BACKOFF_FIRST * 2 ** (tries - 1), _BACKOFF_MAX)
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(
            state=State.QUEUED.value,
            why=why,
            changed_at=now,
        )
    )
    ring_at = now + max(backoff, retry_after or timedelta(0))
    session.execute(update(Outbox).where(Outbox.id == message.outbox_id).values(ring_at=ring_at))


def rejected(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """The provider will not send it, however often it is asked."""
    _end(session, message=message, state=State.REJECTED, why=why, now=now)


def failed(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """It did not go, for a fault of ours: the runbook says how it is sent after all."""
    _end(session, message=message, state=State.FAILED, why=why, now=now)


def unknown(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """It may have gone out. A receipt sent twice misleads; one not sent can be asked for."""
    _end(session, message=message, state=State.UNKNOWN, why=why, now=now)


def abandoned(session: Session, *, older_than: datetime, now: datetime) -> int:
    """Call messages `unknown` whose worker died between claiming and recording; return how many."""
    outbox_ids = session.scalars(
        update(Message)
        .where(Message.state == State.SENDING.value, Message.changed_at < older_than)
        .values(state=State.UNKNOWN.value, why="the worker died while sending", changed_at=now)
        .returning(Message.outbox_id)
    ).all()
    for outbox_id in outbox_ids:
        _close(session, outbox_id=outbox_id, now=now)
    return len(outbox_ids)


def report(
    session: Session, *, provider_id: str, state: State, why: str | None, now: datetime
) -> None:
    """Take a delivery report in, in whatever order and however often it comes."""
    _alone_with(session, provider_id)
    kept = session.get(Report, provider_id, with_for_update=True)
    if kept is None:
        kept = Report(provider_id=provider_id, state=state.value, why=why, reported_at=now)
        session.add(kept)
    elif _RANK[State(kept.state)] < _RANK[state]:
        kept.state, kept.why, kept.reported_at = state.value, why, now
    session.flush()
    _advance(session, kept, now=now)


def opt_out(session: Session, *, msisdn: str, now: datetime) -> None:
    """Remember that a number wants no promotional messages."""
    session.execute(
        text(
            "INSERT INTO opt_outs (msisdn, opted_out_at) VALUES (:msisdn, :now)"
            " ON CONFLICT (msisdn) DO NOTHING"
        ),
        {"msisdn": msisdn, "now": now},
    )


def opt_in(session: Session, *, msisdn: str) -> None:
    """Forget that a number wanted no promotional messages."""
    session.execute(delete(OptOut).where(OptOut.msisdn == msisdn))


def _alone_with(session: Session, provider_id: str) -> None:
    """
    Let one transaction at a time speak of a provider's message.

    Its report and the end of its sending may come at once; neither would see the other's row.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(provider_id, 0))))


def _advance(session: Session, report: Report, *, now: datetime) -> None:
    reached = State(report.state)
    behind = [state.value for state, rank in _RANK.items() if rank < _RANK[reached]]
    session.execute(
        update(Message)
        .where(Message.provider_id == report.provider_id, Message.state.in_(behind))
        .values(state=reached.value, why=report.why, changed_at=now)
    )


def _end(session: Session, *, message: Sending, state: State, why: str, now: datetime) -> None:
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(state=state.value, why=why, changed_at=now)
    )
    _close(session, outbox_id=message.outbox_id, now=now)


def _close(session: Session, *, outbox_id: int, now: datetime) -> None:
    session.execute(update(Outbox).where(Outbox.id == outbox_id).values(done_at=now))

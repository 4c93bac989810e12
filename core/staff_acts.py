"""
Acts of staff: what somebody at the doors has decided, written down, and done once by a worker.

The doors cannot do any of it: they may only say who has asked for what. Whose act it is, is what
the log-in says when it is done: one that ended meanwhile decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.access.staff import StaffLogIn
from core.audit import Actor
from core.db import Base
from core.errors import DomainError
from core.orders import KeyReused, Outcome, error_of


class What(StrEnum):
    """What staff may do at the doors."""

    SET_TIER = "set-tier"
    PROPOSE_LIFT = "propose-lift"
    APPROVE_LIFT = "approve-lift"
    DECLINE_LIFT = "decline-lift"
    NOTE_CASE = "note-case"
    CLOSE_CASE = "close-case"
    REPORT_CASE = "report-case"
    REQUEST_REVERSAL = "request-reversal"
    APPROVE_REVERSAL = "approve-reversal"
    DECLINE_REVERSAL = "decline-reversal"
    CLOSE_BREAKER = "close-breaker"
    CREDIT_SUSPENSE = "credit-suspense"
    STRIKE_SUSPENSE = "strike-suspense"
    DISMISS_SUSPENSE = "dismiss-suspense"
    DECIDE_PAYOUT = "decide-payout"


# What moves money, or says that it will not: not while the log's tail is lost.
WITH_MONEY: Final = (
    What.APPROVE_REVERSAL,
    What.DECLINE_REVERSAL,
    What.CREDIT_SUSPENSE,
    What.STRIKE_SUSPENSE,
    What.DISMISS_SUSPENSE,
    What.DECIDE_PAYOUT,
)


class ActState(StrEnum):
    """Where an act is. It leaves `placed` once."""

    PLACED = "placed"
    DONE = "done"
    REFUSED = "refused"


class Act(Base):
    """One act. `outcome` is what came of it, or why it was refused."""

    __tablename__ = "staff_acts"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_staff_acts_placed", "id", postgresql_where=text("state = 'placed'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    log_in_id: Mapped[int] = mapped_column(ForeignKey(StaffLogIn.id))
    request: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    placed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="placed")
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Seen:
    """An act as whoever asked for it sees it."""

    id: int
    what: What
    state: ActState
    outcome: Mapping[str, Any]

    @property
    def refusal(self) -> DomainError | None:
        """Why it was refused, as the error that says so."""
        return error_of(self.outcome) if self.state is ActState.REFUSED else None


@dataclass(frozen=True, slots=True)
class Taken:
    """An act that is ours to do, until this transaction ends; `actor` is None where nobody is."""

    id: int
    what: What
    args: Mapping[str, Any]
    actor: Actor | None


_PLACE = text("""
    INSERT INTO staff_acts (key, hash, log_in_id, request, what, args, placed_at)
    VALUES (:key, :hash, :log_in, :request, :what, CAST(:args AS jsonb), :now)
    ON CONFLICT (key) DO NOTHING RETURNING id
""")


def place(
    session: Session,
    *,
    key: str,
    hashed: bytes,
    log_in: int,
    request: str,
    what: What,
    args: Mapping[str, object],
    now: datetime,
) -> int:
    """
    Write down what is asked for; return the act's id, the same for the same key.

    Raises:
        KeyReused: The key was used before, by another request.
    """
    given = {
        "key": key,
        "hash": hashed,
        "log_in": log_in,
        "request": request,
        "what": what.value,
        "args": json.dumps(args),
        "now": now,
    }
    made = session.scalar(_PLACE, given)
    if made is None:
        there = session.execute(select(Act.id, Act.hash).where(Act.key == key)).one()
        if there.hash != hashed:
            raise KeyReused
        made = there.id
    return int(made)


def seen(session: Session, *, act: int, staff: int) -> Seen | None:
    """An act of somebody's, as it stands."""
    row = session.execute(
        select(Act.id, Act.what, Act.state, Act.outcome)
        .join(StaffLogIn, StaffLogIn.id == Act.log_in_id)
        .where(Act.id == act, StaffLogIn.staff_id == staff)
    ).one_or_none()
    if row is None:
        return None
    return Seen(row.id, What(row.what), ActState(row.state), row.outcome or {})


def is_due(session: Session) -> bool:
    """Whether there is anything that nobody has done."""
    return bool(
        session.scalar(text("SELECT EXISTS (SELECT FROM staff_acts WHERE state = 'placed')"))
    )


_TAKE = text("""
    SELECT a.id, a.what, a.args, a.request, s.name,
           l.revoked_at IS NULL AND l.ends_at > :now AND s.ended_at IS NULL AS stands
    FROM staff_acts a
    JOIN staff_log_ins l ON l.id = a.log_in_id
    JOIN staff s ON s.id = l.staff_id
    WHERE a.state = 'placed' AND (:with_money OR a.what <> ALL (:money))
    ORDER BY a.id LIMIT 1 FOR UPDATE OF a SKIP LOCKED
""")


def take(session: Session, *, with_money: bool, now: datetime) -> Taken | None:
    """The next act that nobody else is doing; of those with money only where that may move."""
    money = [each.value for each in WITH_MONEY]
    given = {"now": now, "with_money": with_money, "money": money}
    row = session.execute(_TAKE, given).one_or_none()
    if row is None:
        return None
    actor = Actor(f"staff:{row.name}", "api", row.request) if row.stands else None
    return Taken(row.id, What(row.what), row.args, actor)


def done(session: Session, *, act: int, outcome: Mapping[str, object], now: datetime) -> None:
    """Say that an act was done, and what came of it."""
    _finish(session, act, ActState.DONE, dict(outcome), now)


def refused(session: Session, *, act: int, error: DomainError, now: datetime) -> None:
    """Say that an act was refused, and why."""
    _finish(session, act, ActState.REFUSED, dict(Outcome.refused(act, error).facts), now)


def _finish(
    session: Session, act: int, state: ActState, outcome: dict[str, object], now: datetime
) -> None:
    session.execute(
        update(Act).where(Act.id == act).values(state=state.value, outcome=outcome, done_at=now)
    )

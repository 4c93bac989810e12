"""
Cases: what staff must look at, with its evidence. Nobody else hears of them, the subject least.

A case is opened by a rule or a list, collects facts that nobody can change, and is closed by a
member of staff with a note. One is open at a time for a subscriber, a kind and a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.audit import Action, Actor
from core.db import Base
from core.decisions import words
from core.errors import NotFound, Refused
from core.subscribers import Subscriber


class Kind(StrEnum):
    """What is suspected."""

    STRUCTURING = "structuring"
    """Amounts kept just under what would be looked at."""
    VELOCITY = "velocity"
    """Too often, too much at once, or in and out again."""
    SANCTIONS = "sanctions"
    """Somebody of their name or number is on a list."""


class FactKind(StrEnum):
    """What a case is made of."""

    RULE = "rule"
    MOVEMENT = "movement"
    HIT = "hit"
    NOTE = "note"
    REPORT = "report"


@dataclass(eq=False)
class UnknownCase(NotFound):
    """There is no such case."""


@dataclass(eq=False)
class CaseClosed(Refused):
    """The case is closed."""


class Case(Base):
    """A suspicion. `window_from` is when what is suspected began."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "uq_cases_open",
            "subscriber_id",
            "kind",
            "window_from",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_cases_subscriber_id", "subscriber_id", "kind"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    window_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="open")
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)


class CaseFact(Base):
    """One thing a case rests on, or that staff say of it. Append-only; `key` makes it once."""

    __tablename__ = "case_facts"
    __table_args__ = (UniqueConstraint("case_id", "kind", "key", name="uq_case_facts_key"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey(Case.id))
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    actor: Mapped[str] = mapped_column(Text)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    A fact about to be added to a case.

    Args:
        kind: What it is.
        key: What makes it the same fact when it is found again, as `journal:17`.
        at: When it happened.
        detail: JSON: references, amounts in minor units, instants.
    """

    kind: FactKind
    key: str
    at: datetime
    detail: Mapping[str, Any]


def suspect(
    session: Session,
    *,
    kind: Kind,
    subscriber: int,
    evidence: Sequence[Evidence],
    within: timedelta | None,
    actor: Actor,
    now: datetime,
) -> int | None:
    """
    Open a case, or add to the one that is open. Safe to repeat: what is known opens nothing.

    Args:
        session: The caller's transaction.
        kind: What is suspected.
        subscriber: Of whom.
        evidence: Of what. Rules explain the other facts, and are no news by themselves.
        within: How far from its own facts an open case still takes new ones; None: any.
        actor: Who suspects.
        now: When.

    Returns:
        The case's id; None when no case of theirs lacks any of this, open or closed.
    """
    news = {each.key: each for each in evidence if each.kind is not FactKind.RULE}
    known = session.scalars(
        select(CaseFact.key)
        .join(Case, Case.id == CaseFact.case_id)
        .where(Case.subscriber_id == subscriber, Case.kind == kind.value)
        .where(CaseFact.kind != FactKind.RULE, CaseFact.key.in_(news))
    ).all()
    if set(known) == set(news):
        return None
    first, last = min(each.at for each in news.values()), max(each.at for each in news.values())
    case = _open(session, kind=kind, subscriber=subscriber, first=first, last=last, within=within)
    if case is None:
        case = session.scalars(
            insert(Case)
            .values(kind=kind.value, subscriber_id=subscriber, window_from=first, opened_at=now)
            .returning(Case.id)
        ).one()
        audit.record(
            session,
            actor=actor,
            action=Action.CASE_OPENED,
            subject=f"case:{case}",
            detail={"kind": kind.value, "subscriber": subscriber},
            now=now,
        )
    _keep(session, case, evidence, by=actor.name)
    return case


def _open(
    session: Session,
    *,
    kind: Kind,
    subscriber: int,
    first: datetime,
    last: datetime,
    within: timedelta | None,
) -> int | None:
    """The open case that facts from `first` to `last` belong to."""
    mine = (Case.subscriber_id == subscriber, Case.kind == kind.value, Case.state == "open")
    found = (
        select(Case.id)
        .join(CaseFact, CaseFact.case_id == Case.id)
        .where(*mine, CaseFact.kind.in_([FactKind.MOVEMENT, FactKind.HIT]))
        .group_by(Case.id)
        .order_by(Case.id.desc())
        .limit(1)
    )
    if within is not None:
        found = found.having(func.max(CaseFact.at) >= first - within)
        found = found.having(func.min(CaseFact.at) <= last + within)
    return session.scalar(found)


def _keep(session: Session, case: int, evidence: Sequence[Evidence], *, by: str) -> None:
    session.execute(
        insert(CaseFact).on_conflict_do_nothing(constraint="uq_case_facts_key"),
        [
            {
                "case_id": case,
                "kind": each.kind.value,
                "key": each.key,
                "at": each.at,
                "actor": by,
                "evidence": dict(each.detail),
            }
            for each in evidence
        ],
    )


def note(session: Session, *, case: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Say something of an open case; the report will tell it.

    Raises:
        UnknownCase: There is none.
        CaseClosed: Nothing is said of it any more.
        NoReason: There are no words, or too many.
    """
    said = words(note)
    _locked(session, case)
    count = session.scalar(select(func.count()).where(CaseFact.case_id == case)) or 0
    fact = Evidence(FactKind.NOTE, f"note:{count}", now, {"note": said})
    _keep(session, case, [fact], by=actor.name)
    audit.record(
        session,
        actor=actor,
        action=Action.CASE_NOTED,
        subject=f"case:{case}",
        detail={"note": said},
        now=now,
    )


def close(session: Session, *, case: int, actor: Actor, note: str, now: datetime) -> None:
    """
    End a case. What it holds stays; whose money stands still because of it stays so.

    Raises:
        UnknownCase, CaseClosed, NoReason: As `note`.
    """
    said = words(note)
    found = _locked(session, case)
    found.state, found.closed_at, found.closed_by, found.note = "closed", now, actor.name, said
    session.flush()
    audit.record(
        session,
        actor=actor,
        action=Action.CASE_CLOSED,
        subject=f"case:{case}",
        detail={"note": said},
        now=now,
    )


def reported(
    session: Session, *, case: int, actor: Actor, reason: str, report: str, now: datetime
) -> None:
    """Keep that a report of a case, open or closed, was exported, by whom and why."""
    detail = {"report": report, "reason": reason}
    _keep(session, case, [Evidence(FactKind.REPORT, report, now, detail)], by=actor.name)
    audit.record(
        session,
        actor=actor,
        action=Action.CASE_REPORTED,
        subject=f"case:{case}",
        detail=detail,
        now=now,
    )


def _locked(session: Session, case: int) -> Case:
    found = session.get(Case, case, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownCase
    if found.state != "open":
        raise CaseClosed
    return found


def get(session: Session, *, case: int) -> Case:
    """
    A case as it stands.

    Raises:
        UnknownCase: There is none.
    """
    found = session.get(Case, case, populate_existing=True)
    if found is None:
        raise UnknownCase
    return found


def facts(session: Session, *, case: int) -> Sequence[CaseFact]:
    """What a case rests on, in the order in which it happened."""
    found = select(CaseFact).where(CaseFact.case_id == case)
    return session.scalars(found.order_by(CaseFact.at, CaseFact.id)).all()


def listed(
    session: Session, *, state: str = "open", before: int | None = None, count: int = 50
) -> Sequence[tuple[Case, str]]:
    """Cases and the numbers of those they are about, newest first; `before` is where to go on."""
    found = select(Case, Subscriber.msisdn).join(Subscriber, Subscriber.id == Case.subscriber_id)
    found = found.where(Case.state == state)
    if before is not None:
        found = found.where(Case.id < before)
    rows = session.execute(found.order_by(Case.id.desc()).limit(count))
    return [(row[0], row[1]) for row in rows]

"""
Suspense: what came in, or may have gone out, and is nobody's until staff have looked.

Each is a case with its evidence, closed once. Its `amount` stands on the suspense account; a case
without one is evidence that contradicts itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import arrivals
from core.db import Base
from core.errors import NotFound, Refused
from core.money import Currency, Money
from core.rails import Provider
from core.subscribers import Subscriber


class Kind(StrEnum):
    """Why staff must look."""

    UNKNOWN_ACCOUNT = "unknown-account"
    """Nobody has the account number that was typed."""
    NOT_RECEIVABLE = "not-receivable"
    """Its owner is suspended, has left, or would hold more than they may."""
    UNCONFIRMED = "unconfirmed"
    """It was told by one side alone; the provider is being asked."""
    REFUTED = "refuted"
    """The provider, when asked, knows nothing of it."""
    MISMATCH = "mismatch"
    """Amount, payer or identifier are not those of what we asked for."""
    CONFLICT = "conflict"
    """It was told that it failed, and that it was paid."""
    SECOND_RECEIPT = "second-receipt"
    """What was paid once was told again under another receipt."""
    REPLAYED = "replayed"
    """A receipt was told of something else than what it was used for."""
    UNDECIDED = "undecided"
    """The provider could not say within a day what became of it."""


class Outcome(StrEnum):
    """What a case came to."""

    CREDITED = "credited"
    """Somebody has the money."""
    RETURNED = "returned"
    """It went back to who had paid it."""
    STRUCK = "struck"
    """It had never come: the provider knows nothing of it."""
    DISMISSED = "dismissed"
    """There was no money in it, and nothing is left to do."""


@dataclass(eq=False)
class UnknownSuspense(NotFound):
    """No case of suspense has that number."""


@dataclass(eq=False)
class SuspenseClosed(Refused):
    """The case is closed, or the money is just being sent back."""


class Case(Base):
    """
    Something that staff must look at. `subject` is the row it is about: `deposit:17`.

    One is open at a time for a subject; what is told later of the same is added to its evidence.
    """

    __tablename__ = "suspense_cases"
    __table_args__ = (
        Index(
            "uq_suspense_cases_open",
            "subject",
            unique=True,
            postgresql_where=text("state <> 'closed'"),
        ),
        Index("ix_suspense_cases_subject", "subject"),
        Index(
            "ix_suspense_cases_subscriber_id",
            "subscriber_id",
            postgresql_where=text("state <> 'closed'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger, server_default="0")
    receipt: Mapped[str | None] = mapped_column(Text)
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id))
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="open")
    outcome: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)

    @property
    def money(self) -> Money:
        """What stands in suspense because of it."""
        return Money(self.amount, Currency[self.currency])


_OPEN = text("""
    INSERT INTO suspense_cases AS c (kind, subject, provider, currency, receipt, subscriber_id,
        evidence, opened_at)
    VALUES (:kind, :subject, :provider, :currency, :receipt, :subscriber,
        jsonb_build_array(CAST(:evidence AS jsonb)), :now)
    ON CONFLICT (subject) WHERE state <> 'closed' DO UPDATE
    SET kind = CASE WHEN c.kind = 'unconfirmed' THEN excluded.kind ELSE c.kind END,
        receipt = coalesce(c.receipt, excluded.receipt),
        evidence = CASE WHEN c.evidence @> excluded.evidence OR jsonb_array_length(c.evidence) >= 50
            THEN c.evidence ELSE c.evidence || excluded.evidence END
    RETURNING id
""")


def look(
    session: Session,
    *,
    kind: Kind,
    subject: str,
    provider: Provider,
    currency: Currency,
    evidence: Mapping[str, object],
    now: datetime,
    receipt: str | None = None,
    subscriber: int | None = None,
) -> int:
    """
    Let staff look at something, or add to what they are to look at already; return the case's id.

    Args:
        session: The caller's transaction, which holds the lock of the subject.
        kind: Why.
        subject: At what, as `deposit:17`.
        provider: Whose rail.
        currency: Of the money in question.
        evidence: JSON: what was told, what stood against it. The same again is kept once.
        now: When.
        receipt: The provider's, if one is known.
        subscriber: Whose it may be.
    """
    given = {
        "kind": kind.value,
        "subject": subject,
        "provider": provider.value,
        "currency": currency.value,
        "receipt": receipt,
        "subscriber": subscriber,
        "evidence": json.dumps({"why": kind.value, **evidence}),
        "now": now,
    }
    return int(session.execute(_OPEN, given).scalar_one())


def put_in(session: Session, *, case: int, amount: Money, now: datetime) -> None:
    """Let money that has come in stand in suspense for a case: once, however often it is told."""
    found = session.get(Case, case, with_for_update=True, populate_existing=True)
    assert found is not None, "whoever puts money into a case has just looked"
    if found.amount:
        return
    arrivals.suspend(
        session, provider=found.provider, key=f"suspense:{case}", amount=amount, now=now
    )
    found.amount = amount.minor
    session.flush()


def stood(session: Session, *, subject: str) -> Case | None:
    """The closed case for which a subject's money stood in suspense; a struck one if no other."""
    was_struck = Case.outcome == Outcome.STRUCK
    return session.scalars(
        select(Case)
        .where(Case.subject == subject, Case.state == "closed", Case.amount > 0)
        .order_by(was_struck, Case.id.desc())
        .limit(1)
    ).one_or_none()


def locked(session: Session, *, case: int, state: str = "open") -> Case:
    """
    Be the one who decides about a case.

    Raises:
        UnknownSuspense: There is none.
        SuspenseClosed: It is closed, or elsewhere on its way.
    """
    found = session.get(Case, case, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownSuspense
    if found.state != state:
        raise SuspenseClosed
    return found


def close(
    session: Session, *, found: Case, outcome: Outcome, by: str, note: str, now: datetime
) -> None:
    """Close a case that is locked; what was to be done about its money is done."""
    found.state, found.outcome = "closed", outcome.value
    found.closed_at, found.closed_by, found.note = now, by, note
    session.flush()


def of(session: Session, *, subject: str) -> Case | None:
    """The open case of a subject, locked."""
    return session.scalars(
        select(Case)
        .where(Case.subject == subject, Case.state != "closed")
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def get(session: Session, *, case: int) -> Case:
    """
    A case as it stands.

    Raises:
        UnknownSuspense: There is none.
    """
    found = session.get(Case, case, populate_existing=True)
    if found is None:
        raise UnknownSuspense
    return found


def listed(session: Session, *, after: int = 0, count: int = 50) -> Sequence[Case]:
    """Cases that are not closed, oldest first; `after` is the id to go on from."""
    found = select(Case).where(Case.state != "closed", Case.id > after)
    return session.scalars(found.order_by(Case.id).limit(count)).all()

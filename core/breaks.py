"""
Breaks: what does not agree with what, found by a reconciliation. Each is a row, opened once.

    open ── no longer found ──► closed by `reconciliation`
      └──── a person explains it ──► closed by `staff:…`, with a note; the same is not opened again
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.audit import Action, Actor
from core.db import Base
from core.decisions import words
from core.errors import NotFound, Refused

RECONCILIATION: Final = "reconciliation"


@dataclass(eq=False)
class UnknownBreak(NotFound):
    """There is no such break."""


@dataclass(eq=False)
class BreakClosed(Refused):
    """The break was closed before."""


class Kind(StrEnum):
    """What does not agree."""

    BALANCE = "balance"
    """An account's balance is not the sum of its entries."""
    NUMBERING = "numbering"
    """An account's entries are not numbered one by one up to its version."""
    RUNNING = "running"
    """The balance after an entry is not the one before it and its amount."""
    ACCOUNT_DIFFERS = "account-differs"
    """An account's bounds, mode, holder or path are not those of the chart."""
    ACCOUNT_MISSING = "account-missing"
    """There are entries on an account that does not exist."""
    JOURNAL_MISSING = "journal-missing"
    """There are entries of a journal that does not exist."""
    JOURNAL_EMPTY = "journal-empty"
    """A journal has no entries."""
    JOURNAL_UNBALANCED = "journal-unbalanced"
    """A journal does not sum to zero in each currency."""
    JOURNAL_UNEXPLAINED = "journal-unexplained"
    """Nothing that anybody asked for is behind a journal."""
    CURRENCY_UNBALANCED = "currency-unbalanced"
    """The balances of a currency do not sum to zero."""
    ORDER_WITHOUT_JOURNAL = "order-without-journal"
    """An order is done, and the book says nothing of it."""
    ORDER_NOT_DONE = "order-not-done"
    """The book holds the journal of an order that is not done."""
    ORDER_DIFFERS = "order-differs"
    """An order's journal moved something else than was ordered."""
    OUTCOME_DIFFERS = "outcome-differs"
    """What an order's owner was told is not what the book says."""
    ORDER_LATE = "order-late"
    """An order has waited for an hour."""
    HOLD_DIFFERS = "hold-differs"
    """A hold's journals are not what the hold says."""
    HELD_DIFFERS = "held-differs"
    """What is set aside is not the sum of the open holds."""
    VOUCHERS_DIFFER = "vouchers-differ"
    """A batch of vouchers is not what was paid for and given back."""
    REFUND_DIFFERS = "refund-differs"
    """What is kept of a refund is not what was ordered, or all of them are more than was paid."""
    REVERSAL_DIFFERS = "reversal-differs"
    """A reversal's journal is not the mirror it should be, or is not there."""
    DEPOSIT_DIFFERS = "deposit-differs"
    """A deposit's journal is not what was asked for, or is not there."""
    PAYBILL_DIFFERS = "paybill-differs"
    """What was paid to our paybill is neither on an account as it should be, nor in suspense."""
    WITHDRAWAL_DIFFERS = "withdrawal-differs"
    """A payout's journals are not what became of it."""
    SUSPENSE_DIFFERS = "suspense-differs"
    """What stands in suspense is not what the open cases say."""
    MISSING_HERE = "missing-here"
    """A provider has something that we have not."""
    MISSING_THERE = "missing-there"
    """We have something that a provider has not."""
    DOUBLED = "doubled"
    """One side has twice what the other has once."""
    WRONG_AMOUNT = "wrong-amount"
    """A provider's amount is another than ours."""
    WRONG_CURRENCY = "wrong-currency"
    """A provider's currency is another than ours."""
    LATE = "late"
    """A provider's time is too far from ours."""


# These are found by comparing with a provider's statement, and by nothing else.
OF_PROVIDERS: Final = frozenset(
    {
        Kind.MISSING_HERE,
        Kind.MISSING_THERE,
        Kind.DOUBLED,
        Kind.WRONG_AMOUNT,
        Kind.WRONG_CURRENCY,
        Kind.LATE,
    }
)


class Break(Base):
    """
    One thing that does not agree with another.

    `expected` and `found` are what is wrong with it, and stay so while money moves on; `detail`
    helps to find it. Only `seen_at`, and once the closing, are ever written to.
    """

    __tablename__ = "breaks"
    __table_args__ = (
        Index(
            "uq_breaks_open",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_breaks_subject", "subject", "kind"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    expected: Mapped[str] = mapped_column(Text)
    found: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that does not agree, as a look found it.

    Args:
        kind: What.
        subject: Of what: `account:17`, `order:3`, or a provider and its reference.
        expected: What should be, in a form that stays the same while money moves on.
        found: What is, likewise.
        detail: What helps to find it.
    """

    kind: Kind
    subject: str
    expected: str
    found: str
    detail: Mapping[str, Any] = field(default_factory=dict, hash=False)


# The same finding that a person has explained is not opened again; another one is.
_RECORD = text("""
    INSERT INTO breaks (kind, subject, expected, found, detail, found_at, seen_at)
    SELECT f.kind, f.subject, f.expected, f.found, f.detail, :now, :now
    FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:expected AS text[]),
        CAST(:found AS text[]), CAST(:details AS jsonb[]))
        AS f (kind, subject, expected, found, detail)
    WHERE NOT EXISTS (
        SELECT FROM breaks b
        WHERE b.subject = f.subject AND b.kind = f.kind AND b.closed_by <> 'reconciliation'
          AND b.expected = f.expected AND b.found = f.found)
    ORDER BY f.kind, f.subject
    ON CONFLICT (kind, subject) WHERE closed_at IS NULL DO UPDATE SET seen_at = excluded.seen_at
    RETURNING id, kind, subject, expected, found, xmax = 0 AS is_new
""")


def record(session: Session, *, findings: Sequence[Finding], now: datetime) -> list[Finding]:
    """Open what is not open yet, and say of the rest that it was seen again; return what is new."""
    once = {(finding.kind, finding.subject): finding for finding in findings}
    if not once:
        return []
    rows = session.execute(
        _RECORD,
        {
            "kinds": [finding.kind.value for finding in once.values()],
            "subjects": [finding.subject for finding in once.values()],
            "expected": [finding.expected for finding in once.values()],
            "found": [finding.found for finding in once.values()],
            "details": [json.dumps(dict(finding.detail)) for finding in once.values()],
            "now": now,
        },
    )
    return [once[Kind(row.kind), row.subject] for row in rows if row.is_new]


def opened(session: Session, *, after: int = 0, count: int = 1000) -> Sequence[Break]:
    """Breaks that are open, oldest first, page by page: `after` is the id to go on from."""
    found = select(Break).where(Break.closed_at.is_(None), Break.id > after)
    return session.scalars(found.order_by(Break.id).limit(count)).all()


def open_counts(session: Session) -> dict[Kind, int]:
    """How many breaks of each kind are open."""
    rows = session.execute(
        select(Break.kind, func.count()).where(Break.closed_at.is_(None)).group_by(Break.kind)
    )
    return {Kind(row[0]): row[1] for row in rows}


def close_gone(session: Session, *, ids: Sequence[int], now: datetime) -> int:
    """Close breaks that are no longer found; return how many of them were open."""
    closed = session.scalars(
        update(Break)
        .where(Break.id.in_(ids), Break.closed_at.is_(None))
        .values(closed_at=now, closed_by=RECONCILIATION)
        .returning(Break.id)
    ).all()
    return len(closed)


def close(session: Session, *, id_: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Close a break that a person can explain. The same, as it is now, is not opened again.

    Args:
        session: The caller's transaction, a worker's.
        id_: Of the break.
        actor: The staff member who explains it.
        note: How, in words.
        now: When.

    Raises:
        UnknownBreak: There is none.
        BreakClosed: It was closed before.
        NoReason: There is no note, or it is too long.
    """
    said = words(note)
    found = session.get(Break, id_, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownBreak
    if found.closed_at is not None:
        raise BreakClosed
    found.closed_at, found.closed_by, found.note = now, actor.name, said
    audit.record(
        session,
        actor=actor,
        action=Action.BREAK_CLOSED,
        subject=f"break:{id_}",
        detail={"kind": found.kind, "subject": found.subject, "note": found.note},
        now=now,
    )

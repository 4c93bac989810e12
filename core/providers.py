"""
What a provider says it did for us, line by line, against what we have of it.

A provider is anything that tells lines of a period; our side of it is a query of ours. Both are
matched by the provider's reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import breaks
from core.breaks import OF_PROVIDERS, Break, Finding, Kind
from core.money import Currency
from core.statements import Period

LINES_MAX: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """
    One thing that one side says was done.

    Args:
        reference: The provider's own.
        amount: In whole units: what a provider bills is finer than our minor units, at times.
        currency: Its code; a provider may name one that we do not hold.
        at: When.
        kind: What it was, in the side's own words.
    """

    reference: str
    amount: Decimal
    currency: str
    at: datetime
    kind: str = ""


class Provider(Protocol):
    """Both sides of what somebody does for us."""

    name: str
    """Lower case; subjects of breaks begin with it."""
    late_after: timedelta
    """How far the two times of one thing may be apart."""
    reach: timedelta
    """How far beyond a period the other half of a line is looked for."""

    def lines(self, period: Period) -> Iterable[Line]:
        """What they say they did in a period."""
        ...

    def ours(self, session: Session, period: Period) -> Iterable[Line]:
        """What we have of it. Where a price was not told, the line has no currency."""
        ...


class TooManyLines(Exception):
    """A statement is longer than can be compared at once: take a shorter period."""


def compare(
    period: Period,
    *,
    name: str,
    late_after: timedelta,
    theirs: Iterable[Line],
    ours: Iterable[Line],
) -> tuple[list[Finding], set[str]]:
    """
    Match both sides by reference; return what does not agree, and the references looked at.

    Either side may tell more than the period: what is outside it is matched, but not missed. Nor
    is what we have near its ends, as their half of it may be in another statement: let the periods
    of statements overlap.

    Raises:
        TooManyLines: One side has more than two million lines.
    """
    there, here = _by_reference(theirs), _by_reference(ours)
    first, last = period.begin + late_after, period.end - late_after
    findings: list[Finding] = []
    looked_at: set[str] = set()
    for reference in there.keys() | here.keys():
        their_lines, our_lines = there.get(reference, []), here.get(reference, [])
        told = any(line.at in period for line in their_lines)
        if not told and not any(first <= line.at < last for line in our_lines):
            continue
        looked_at.add(reference)
        findings += [
            Finding(kind, f"{name}:{reference}", expected, found, _detail(their_lines, our_lines))
            for kind, expected, found in _pair(their_lines, our_lines, late_after)
        ]
    return sorted(findings, key=lambda each: (each.subject, each.kind)), looked_at


def _by_reference(lines: Iterable[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for number, line in enumerate(lines):
        if number >= LINES_MAX:
            raise TooManyLines(f"more than {LINES_MAX:,} lines: take a shorter period")
        found.setdefault(line.reference, []).append(line)
    return found


def _pair(
    theirs: Sequence[Line], ours: Sequence[Line], late_after: timedelta
) -> Iterable[tuple[Kind, str, str]]:
    """What does not agree between all lines of one reference: kind, ours, theirs."""
    if not ours:
        yield Kind.MISSING_HERE, "nothing", _said(theirs[0])
        return
    if not theirs:
        yield Kind.MISSING_THERE, _said(ours[0]), "nothing"
        return
    if len(theirs) > 1 or len(ours) > 1:
        yield Kind.DOUBLED, f"{len(ours)} of ours", f"{len(theirs)} of theirs"
    first, other = ours[0], theirs[0]
    if first.currency and first.currency != other.currency:
        yield Kind.WRONG_CURRENCY, _said(first), _said(other)
    elif first.amount != other.amount:
        yield Kind.WRONG_AMOUNT, _said(first), _said(other)
    if abs(first.at - other.at) > late_after:
        yield Kind.LATE, first.at.isoformat(), other.at.isoformat()


def _said(line: Line) -> str:
    return f"{line.currency} {line.amount:f}".strip()


def _detail(theirs: Sequence[Line], ours: Sequence[Line]) -> Mapping[str, object]:
    return {
        side: {"at": lines[0].at.isoformat(), "kind": lines[0].kind}
        for side, lines in (("theirs", theirs), ("ours", ours))
        if lines
    }


def reconcile(
    session: Session, *, provider: Provider, period: Period, now: datetime
) -> tuple[list[Finding], int, int]:
    """
    Compare a period, open what does not agree, and close what does by now.

    Args:
        session: The caller's transaction, REPEATABLE READ so that our side is of one moment.
        provider: Both sides.
        period: Which lines are judged; their other halves are looked for around it.
        now: When.

    Returns:
        Breaks that are new, how many were closed, and how many references were looked at.

    Raises:
        TooManyLines: One side has more than two million lines.
    """
    wide = period.widened(provider.reach)
    findings, looked_at = compare(
        period,
        name=provider.name,
        late_after=provider.late_after,
        theirs=provider.lines(wide),
        ours=provider.ours(session, wide),
    )
    new = breaks.record(session, findings=findings, now=now)
    still = {(finding.kind.value, finding.subject) for finding in findings}
    subjects = {f"{provider.name}:{reference}" for reference in looked_at}
    open_ = session.execute(
        select(Break.id, Break.kind, Break.subject).where(
            Break.closed_at.is_(None),
            Break.kind.in_(OF_PROVIDERS),
            Break.subject.startswith(f"{provider.name}:", autoescape=True),
        )
    )
    gone = [
        row.id for row in open_ if row.subject in subjects and (row.kind, row.subject) not in still
    ]
    return new, breaks.close_gone(session, ids=gone, now=now), len(looked_at)


_COST: Final = re.compile(r"([A-Z]{3,4}) ([0-9]{1,12}(?:\.[0-9]{1,12})?)")

_MESSAGES: Final = text("""
    SELECT m.provider_id, m.cost, m.state, o.staged_at
    FROM messages m JOIN outbox o ON o.id = m.outbox_id
    WHERE o.staged_at >= :begin AND o.staged_at < :end AND m.provider_id IS NOT NULL
    ORDER BY m.id
""")


def messages(session: Session, period: Period) -> Iterable[Line]:
    """
    SMS that an aggregator took, at the cost it named then (`KES 0.8000`).

    One whose fate is unknown has no reference: billed all the same, it is missing here.
    """
    given = {"begin": period.begin, "end": period.end}
    for row in session.execute(_MESSAGES, given, execution_options={"yield_per": 10_000}):
        told = _COST.fullmatch(row.cost or "")
        currency, amount = told.groups() if told else ("", "0")
        yield Line(row.provider_id, Decimal(amount), currency, row.staged_at, row.state)


# What a provider gave back is its own line in a statement, under a receipt of which we may never
# have heard: its answer may be lost, or say only that it was given back before.
_REVERSED: Final = ":reversed"


def reversal_of(receipt: str) -> str:
    """How both sides call it that what was paid under a receipt was given back."""
    return f"{receipt}{_REVERSED}"


# What was told twice, by a prompt's result and as a payment to us, is the deposit's. What was given
# back was so when the provider was first asked to of all times that it said nothing to.
_MPESA: Final = text("""
    SELECT x.reference, x.amount, x.currency, x.at, x.kind FROM (
        SELECT coalesce(d.receipt, d.reference) AS reference, d.amount, d.currency,
               d.ended_at AS at, 'deposit' AS kind
        FROM deposits d WHERE d.provider = 'mpesa' AND d.state = 'settled'
        UNION ALL
        SELECT c.receipt, c.amount, c.currency, c.opened_at, 'suspense'
        FROM suspense_cases c
        WHERE c.provider = 'mpesa' AND c.subject LIKE 'deposit:%' AND c.amount > 0
          AND coalesce(c.outcome, '') NOT IN ('struck', 'credited') AND c.receipt IS NOT NULL
        UNION ALL
        SELECT p.receipt, p.amount, p.currency, p.paid_at, 'payment'
        FROM paybill_payments p
        WHERE p.provider = 'mpesa' AND p.state NOT IN ('duplicate', 'struck')
          AND NOT (p.state = 'unconfirmed' AND p.deposit_id IS NOT NULL)
        UNION ALL
        SELECT c.receipt || :reversed, -c.amount, c.currency, coalesce(
            (SELECT min(i.asked_at) FROM inquiries i WHERE i.subject = concat('reversal:', c.id)
                AND i.kind = 'reversal' AND i.state IN ('asking', 'asked', 'lost')),
            (SELECT max(i.asked_at) FROM inquiries i WHERE i.subject = concat('reversal:', c.id)
                AND i.kind = 'reversal' AND i.state = 'answered'),
            c.closed_at), 'return'
        FROM suspense_cases c
        WHERE c.provider = 'mpesa' AND c.outcome = 'returned' AND c.receipt IS NOT NULL
        UNION ALL
        SELECT coalesce(w.receipt, w.reference), -w.amount, w.currency, w.ended_at, 'withdrawal'
        FROM withdrawals w WHERE w.provider = 'mpesa' AND w.state = 'paid'
    ) x
    WHERE x.at >= :begin AND x.at < :end ORDER BY x.at, x.reference
""")


def mpesa(session: Session, period: Period) -> Iterable[Line]:
    """
    What came in over M-Pesa, and what went out, which is negative, under its receipts.

    What was confirmed without one stands under our own reference, which no statement has: that is
    a break until somebody has found its receipt.
    """
    given = {"begin": period.begin, "end": period.end, "reversed": _REVERSED}
    for row in session.execute(_MPESA, given, execution_options={"yield_per": 10_000}):
        amount = Decimal(row.amount).scaleb(-Currency[row.currency].exponent)
        yield Line(row.reference, amount, row.currency, row.at, row.kind)


OURS: Final = {"messages": messages, "mpesa": mpesa}
"""Our sides, by the names that statements' descriptions call them."""

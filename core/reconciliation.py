"""
Reconciliation: the book against itself and against what was asked for, while money moves.

`newest` looks at what was written since the last run: cheap, every minute. `whole` looks at
everything. Both look once more at what is open already, and close what is no longer so. Every look
is one short snapshot of a few thousand ids: complete, as each question is answered within one, and
nothing that cleans up after updates is kept waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Integer,
    Row,
    Text,
    TextClause,
    insert,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import breaks, causes, checks, order_causes, rail_causes
from core.breaks import OF_PROVIDERS, Finding
from core.checks import Scope
from core.db import Base, Databases

log = structlog.get_logger(__name__)

NEWEST: Final = "newest"
WHOLE: Final = "whole"
# What one periodic run looks at, at most; what is left over is the next one's.
NEWEST_MAX: Final = 50_000
_CHUNK: Final = 2_000
_ACCOUNTS_CHUNK: Final = 500
_LOGGED_MAX: Final = 20
_STATEMENT_SECONDS_MAX: Final = 600

_QUESTIONS: Final[dict[Scope, Sequence[TextClause]]] = {
    Scope.ACCOUNT: (checks.WHOLE_ACCOUNTS, checks.PLACES, causes.HELD, rail_causes.SUSPENDED),
    Scope.JOURNAL: (checks.JOURNALS, causes.UNEXPLAINED, rail_causes.UNEXPLAINED),
    Scope.ORDER: (order_causes.ORDERS,),
    Scope.HOLD: (causes.HOLDS,),
    Scope.REVERSAL: (causes.REVERSALS,),
    Scope.BATCH: (causes.BATCHES,),
    Scope.DEPOSIT: (rail_causes.DEPOSITS,),
    Scope.PAYBILL: (rail_causes.PAYBILL,),
    Scope.WITHDRAWAL: (rail_causes.WITHDRAWALS,),
    Scope.SUSPENSE: (rail_causes.SUSPENSE,),
}


class Run(Base):
    """
    One reconciliation that was carried through: how far it looked, and what came of it.

    `journals_last` and `orders_last` are the last ids there were when it began, `running_to` the
    first transaction that began later. All up to `…_settled` was looked at when it was final.
    """

    __tablename__ = "reconciliations"
    __table_args__ = (Index("ix_reconciliations_what", "what", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    looked_at: Mapped[int] = mapped_column(BigInteger)
    opened: Mapped[int] = mapped_column(Integer)
    closed: Mapped[int] = mapped_column(Integer)
    journals_last: Mapped[int | None] = mapped_column(BigInteger)
    orders_last: Mapped[int | None] = mapped_column(BigInteger)
    running_to: Mapped[int | None] = mapped_column(BigInteger)
    journals_settled: Mapped[int | None] = mapped_column(BigInteger)
    orders_settled: Mapped[int | None] = mapped_column(BigInteger)


@dataclass
class Summary:
    """
    What a reconciliation came to.

    Args:
        what: `newest`, `whole`, or a provider's name.
        looked_at: How many ids, or lines of a statement.
        opened: Breaks it was the first to find.
        closed: How many were no longer found.
        is_behind: Whether there is more to look at now.
    """

    what: str
    looked_at: int = 0
    opened: list[Finding] = field(default_factory=list)
    closed: int = 0
    is_behind: bool = False


Progress = Callable[[str, int, int], None]


@contextmanager
def snapshot(databases: Databases) -> Iterator[Session]:
    """Look at the book as it stands now, whatever is written meanwhile; nothing can be changed."""
    with databases.begin() as session:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        session.execute(text(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS_MAX}s'"))
        session.execute(text("SET LOCAL jit = off"))
        yield session


def whole(
    databases: Databases,
    *,
    clock: Callable[[], datetime],
    progress: Progress = lambda *_: None,
) -> Summary:
    """
    Look at everything.

    Args:
        databases: The workers' own.
        clock: What time it is.
        progress: Told after each look: of what, how far, of how much.
    """
    started, summary = clock(), Summary(WHOLE)
    with snapshot(databases) as session:
        last = session.execute(_LAST).one()
    for scope in Scope:
        step = _ACCOUNTS_CHUNK if scope is Scope.ACCOUNT else _CHUNK
        to: int = getattr(last, scope)
        for first in range(1, to + 1, step):
            ids = range(first, min(first + step, to + 1))
            with snapshot(databases) as session:
                found = checks.look(session, scope, _QUESTIONS[scope], ids, now=clock())
            _keep(databases, summary, found, now=clock())
            summary.looked_at += len(ids)
            progress(scope, ids[-1], to)
    _look_again(databases, summary, clock=clock)
    _end(databases, summary, started=started, now=clock())
    return summary


def newest(
    databases: Databases, *, clock: Callable[[], datetime], most: int = NEWEST_MAX
) -> Summary:
    """
    Look at what was written since the last run, and at the accounts it touched.

    Numbers are given before they are committed, so a lower one may appear after a higher: a run
    begins where no transaction can have been under way any more when an earlier one looked.
    """
    started, summary = clock(), Summary(NEWEST)
    with databases() as session:
        before = session.scalars(
            select(Run).where(Run.what == NEWEST).order_by(Run.id.desc()).limit(1)
        ).one_or_none()
    journals_from = before.journals_settled or 0 if before else 0
    orders_from = before.orders_settled or 0 if before else 0
    with snapshot(databases) as session:
        last = session.execute(_NEWEST_IDS, {"now": started}).one()
    journals_to = min(last.journal, journals_from + most)
    orders_to = min(last.order_done, orders_from + most)
    _look_through(databases, summary, Scope.JOURNAL, journals_from, journals_to, clock=clock)
    _look_through(databases, summary, Scope.ORDER, orders_from, orders_to, clock=clock)
    _look_again(databases, summary, clock=clock)
    summary.is_behind = journals_to < last.journal or orders_to < last.order_done
    settled = _settled(databases, last.running_from)
    bounds = {
        "journals_last": last.journal,
        "orders_last": last.order,
        "running_to": last.running_to,
        "journals_settled": max(journals_from, min(settled.journals or 0, journals_to)),
        "orders_settled": max(orders_from, min(settled.orders or 0, orders_to)),
    }
    _end(databases, summary, started=started, now=clock(), **bounds)
    return summary


def _look_through(
    databases: Databases,
    summary: Summary,
    scope: Scope,
    after: int,
    to: int,
    *,
    clock: Callable[[], datetime],
) -> None:
    """Look at newly written ids, and at what they touched, in snapshots of a few thousand."""
    for first in range(after + 1, to + 1, _CHUNK):
        ids = range(first, min(first + _CHUNK, to + 1))
        with snapshot(databases) as session:
            found = checks.look(session, scope, _QUESTIONS[scope], ids, now=clock())
            if scope is Scope.JOURNAL:
                found += _touched(session, ids, now=clock())
        _keep(databases, summary, found, now=clock())
        summary.looked_at += len(ids)


def _touched(session: Session, journals: Sequence[int], *, now: datetime) -> list[Finding]:
    """Look at whatever some journals have to do with."""
    given = {"ids": list(journals)}
    found = checks.look(session, Scope.ACCOUNT, [checks.RUN_OF_JOURNALS], journals, now=now)
    accounts = session.scalars(_ACCOUNTS_OF, given).all()
    questions = [checks.NEWEST_OF_ACCOUNTS, checks.PLACES, causes.HELD, rail_causes.SUSPENDED]
    found += checks.look(session, Scope.ACCOUNT, questions, accounts, now=now)
    for scope, query in _BEHIND.items():
        ids = session.scalars(query, given).all()
        found += checks.look(session, scope, _QUESTIONS[scope], ids, now=now)
    return found


def _look_again(databases: Databases, summary: Summary, *, clock: Callable[[], datetime]) -> None:
    """
    Look at what is open, at the currencies too, and close what is no longer found.

    Whatever was opened before the snapshot can be judged by it.
    """
    with snapshot(databases) as session:
        _keep(databases, summary, checks.currencies(session), now=clock())
    after = 0
    while True:
        with databases() as session:
            page = [
                (each.id, each.kind, each.subject)
                for each in breaks.opened(session, after=after, count=_ACCOUNTS_CHUNK)
            ]
        if not page:
            return
        after = page[-1][0]
        mine = [each for each in page if each[1] not in OF_PROVIDERS]
        subjects: dict[str, list[int]] = {}
        for _, _, subject in mine:
            scope, _, rest = subject.partition(":")
            if scope in _QUESTIONS:
                subjects.setdefault(scope, []).append(int(rest))
        with snapshot(databases) as session:
            found = checks.currencies(session)
            for name, ids in subjects.items():
                scope = Scope(name)
                found += checks.look(session, scope, _QUESTIONS[scope], ids, now=clock())
        still = {(finding.kind.value, finding.subject) for finding in found}
        gone = [id_ for id_, kind, subject in mine if (kind, subject) not in still]
        _keep(databases, summary, found, now=clock())
        with databases.begin() as session:
            summary.closed += breaks.close_gone(session, ids=gone, now=clock())


def _keep(
    databases: Databases, summary: Summary, findings: Sequence[Finding], *, now: datetime
) -> None:
    """Record what was found, and raise the alarm for what is new."""
    if not findings:
        return
    with databases.begin() as session:
        new = breaks.record(session, findings=findings, now=now)
    announce(new, already=len(summary.opened))
    summary.opened += new


def announce(new: Sequence[Finding], *, already: int = 0) -> None:
    """Raise the alarm: one line for each break, and no flood."""
    for finding in new[: max(_LOGGED_MAX - already, 0)]:
        log.error(
            "reconciliation.break_found",
            kind=finding.kind.value,
            subject=finding.subject,
            expected=finding.expected,
            found=finding.found,
        )


def _end(
    databases: Databases,
    summary: Summary,
    *,
    started: datetime,
    now: datetime,
    **bounds: int,
) -> None:
    """Write down that it was carried through; a run that was not is done again by the next."""
    with databases.begin() as session:
        keep_run(session, summary, started=started, now=now, **bounds)


def keep_run(
    session: Session, summary: Summary, *, started: datetime, now: datetime, **bounds: int
) -> None:
    """Write down that a reconciliation was carried through, and say so in the log."""
    session.execute(
        insert(Run).values(
            what=summary.what,
            started_at=started,
            ended_at=now,
            looked_at=summary.looked_at,
            opened=len(summary.opened),
            closed=summary.closed,
            **bounds,
        )
    )
    log.info(
        "reconciliation.ended",
        what=summary.what,
        looked_at=summary.looked_at,
        opened=len(summary.opened),
        closed=summary.closed,
    )


def _settled(databases: Databases, running_from: int) -> Row[Any]:
    """What there was at an earlier run whose every contemporary transaction has ended."""
    with databases() as session:
        return session.execute(_SETTLED, {"running_from": running_from}).one()


# Ids may be missing from the tables whose rows went: entries tell of accounts and journals, too.
_LAST: Final = text("""
    SELECT greatest((SELECT max(id) FROM accounts), (SELECT max(account_id) FROM entries), 0)
               AS account,
           greatest((SELECT max(id) FROM journals), (SELECT max(journal_id) FROM entries), 0)
               AS journal,
           coalesce((SELECT max(id) FROM orders), 0) AS order,
           coalesce((SELECT max(id) FROM holds), 0) AS hold,
           coalesce((SELECT max(id) FROM reversals), 0) AS reversal,
           coalesce((SELECT max(id) FROM voucher_batches), 0) AS batch,
           coalesce((SELECT max(id) FROM deposits), 0) AS deposit,
           coalesce((SELECT max(id) FROM paybill_payments), 0) AS paybill,
           coalesce((SELECT max(id) FROM withdrawals), 0) AS withdrawal,
           coalesce((SELECT max(id) FROM suspense_cases), 0) AS suspense
""")

# Orders are looked at when they are done: not past one that is still to be executed. One that has
# waited for an hour is a break of its own, and holds nothing up.
_NEWEST_IDS: Final = text("""
    SELECT greatest((SELECT max(id) FROM journals), (SELECT max(journal_id) FROM entries), 0)
               AS journal,
           coalesce((SELECT max(id) FROM orders), 0) AS order,
           coalesce(
               (SELECT min(id) - 1 FROM orders WHERE state = 'placed'
                  AND placed_at >= CAST(:now AS timestamptz) - interval '1 hour'),
               (SELECT max(id) FROM orders), 0) AS order_done,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS running_from,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS running_to
""")

_SETTLED: Final = text("""
    SELECT max(journals_last) AS journals, max(orders_last) AS orders FROM (
        SELECT journals_last, orders_last, running_to FROM reconciliations
        WHERE what = 'newest' ORDER BY id DESC LIMIT 10
    ) r WHERE running_to <= :running_from
""")

_ACCOUNTS_OF: Final = text(
    "SELECT DISTINCT account_id FROM entries WHERE journal_id = ANY (:ids) ORDER BY 1"
)

# Keys tell whose they are, and references.
_BEHIND: Final = {
    Scope.ORDER: text(
        "SELECT o.id FROM journals j CROSS JOIN LATERAL"
        " (SELECT x.id FROM orders x WHERE x.key = j.key UNION"
        " SELECT x.id FROM orders x WHERE x.reference = j.reference) o WHERE j.id = ANY (:ids)"
    ),
    Scope.HOLD: text(
        "SELECT DISTINCT CAST(substring(key, '^hold:([0-9]{1,18}):') AS bigint) FROM journals"
        " WHERE id = ANY (:ids) AND key ~ '^hold:[0-9]{1,18}:'"
    ),
    Scope.REVERSAL: text(
        "SELECT CAST(substring(key, '^reversal:([0-9]{1,9})$') AS bigint) FROM journals"
        " WHERE id = ANY (:ids) AND key ~ '^reversal:[0-9]{1,9}$'"
    ),
    Scope.BATCH: text(
        "SELECT b.id FROM voucher_batches b WHERE b.journal_id = ANY (:ids) UNION"
        " SELECT CAST(substring(key, '^vouchers:refund:([0-9]{1,9}):') AS integer) FROM journals"
        " WHERE id = ANY (:ids) AND key ~ '^vouchers:refund:[0-9]{1,9}:'"
    ),
    **{
        scope: text(
            "SELECT DISTINCT CAST(split_part(key, ':', 2) AS bigint) FROM journals"
            " WHERE id = ANY (:ids) AND key ~ ('^' || :scope || ':[0-9]{1,18}(:|$)')"
        ).bindparams(scope=scope.value)
        for scope in (Scope.DEPOSIT, Scope.PAYBILL, Scope.WITHDRAWAL, Scope.SUSPENSE)
    },
}

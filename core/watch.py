"""
The watch: what was posted is held against the rules, once, in the order in which it was committed.

It never looks into the future of the book: a journal's id is taken before its transaction commits,
so a later id may be there before an earlier one. The watch goes up to an id only when every
transaction that could still commit a journal below it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, Integer, Row, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import cases, patterns
from core.audit import Actor
from core.cases import Evidence, FactKind, Kind
from core.db import Base
from core.ledger import Reason
from core.patterns import Finding, Movement, Pattern, Rule
from core.subscribers import Tier

WATCHER: Final = Actor("system", "job", "watch")
JOURNALS_MAX: Final = 500

# How far back somebody's entries are read; a window with more of them is looked at in part.
_ENTRIES_BACK: Final = 2_000

# What moves nothing from one person to another, or gives back what did.
_STILL: Final = (
    Reason.HOLD,
    Reason.RELEASE,
    Reason.EXCHANGE,
    Reason.REVERSAL,
    Reason.REPAYMENT,
    Reason.REFUND,
    Reason.OPENING,
)


class WatchRule(Base):
    """
    A rule in force for a kind of holder and a tier from an instant on: dated rows, as all tariffs.

    The newest row that has begun counts. `amount` is minor units of `currency`; 0 and a
    `count_min` of a million switch a rule off.
    """

    __tablename__ = "watch_rules"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    tier: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    share: Mapped[int] = mapped_column(Integer)
    count_min: Mapped[int] = mapped_column(Integer)
    window_seconds: Mapped[int] = mapped_column(Integer)


class Watch(Base):
    """
    How far the watch has come. `next_id` is where it will go as soon as no transaction older than
    `next_xid` is left.
    """

    __tablename__ = "watches"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    journal_id: Mapped[int] = mapped_column(BigInteger, server_default="0")
    next_id: Mapped[int | None] = mapped_column(BigInteger)
    next_xid: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class _Subject:
    holder: str
    tier: str
    movements: list[Movement]
    fresh: set[int]


def watch(session: Session, *, now: datetime, journals_max: int = JOURNALS_MAX) -> int:
    """
    Look at what was posted since the last time; return how many journals were.

    Only one worker does at a time; the others find nothing to do.
    """
    state = session.execute(
        text(
            "SELECT journal_id, next_id, next_xid FROM watches WHERE name = 'patterns'"
            " FOR UPDATE SKIP LOCKED"
        )
    ).one_or_none()
    if state is None:
        return 0
    done, until, xid = state.journal_id, state.next_id, state.next_xid
    if until is None:
        # First the id, then our own transaction's number: whoever took an id up to this one had
        # locked an account before, and so has a smaller number.
        until = session.scalar(text("SELECT max(id) FROM journals")) or 0
        if until <= done:
            return 0
        xid = session.scalar(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)"))
    is_settled = session.scalar(
        text(
            "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) >= :xid"
        ),
        {"xid": xid},
    )
    if not is_settled:
        _go_on(session, done, until, xid)
        return 0
    journals = session.scalars(
        text("SELECT id FROM journals WHERE id > :done AND id <= :until ORDER BY id LIMIT :most"),
        {"done": done, "until": until, "most": journals_max},
    ).all()
    if len(journals) < journals_max:
        _go_on(session, until, None, None)
    else:
        _go_on(session, journals[-1], until, xid)
    if not journals:  # the last lot ended just there; since then there may be more
        return watch(session, now=now, journals_max=journals_max)
    _look_at(session, journals, now=now)
    return len(journals)


def _go_on(session: Session, done: int, until: int | None, xid: int | None) -> None:
    session.execute(
        text(
            "UPDATE watches SET journal_id = :done, next_id = :until, next_xid = :xid"
            " WHERE name = 'patterns'"
        ),
        {"done": done, "until": until, "xid": xid},
    )


def rules(session: Session, *, now: datetime) -> list[Rule]:
    """The rules in force, amounts in cents of KES."""
    rows = session.execute(
        text(
            "SELECT DISTINCT ON (name, holder, tier) *,"
            " equivalent(amount, currency, 'KES', :now) AS cents FROM watch_rules"
            " WHERE valid_from <= :now ORDER BY name, holder, tier, valid_from DESC"
        ),
        {"now": now},
    )
    return [
        Rule(
            name=row.name,
            holder=row.holder,
            tier=row.tier,
            valid_from=row.valid_from,
            pattern=Pattern(row.kind),
            source=row.source,
            amount=row.cents,
            share=row.share,
            count_min=row.count_min,
            window=timedelta(seconds=row.window_seconds),
        )
        for row in rows
    ]


# What journals did to people: the sum of a person's entries in it, set aside or not, and the amount
# that was ordered, paid in or paid out, which no fee has changed. Of each account of theirs, the
# entries about the newest that is looked at now: those of one account come in order, whatever the
# journals do.
_LOOKED_AT: Final = """
    WITH looked AS (
        SELECT a.holder_id, e.account_id, max(e.version) AS version
        FROM entries e JOIN accounts a ON a.id = e.account_id
        WHERE e.journal_id = ANY (:journals) AND a.holder_id IS NOT NULL
        GROUP BY a.holder_id, e.account_id
    ), theirs AS (
        SELECT a.holder_id, a.currency, e.journal_id, sum(e.amount) AS net
        FROM accounts a
        LEFT JOIN looked l ON l.account_id = a.id
        JOIN entries e ON e.account_id = a.id
            AND e.version > coalesce(l.version, a.version) - :back
            AND e.version <= coalesce(l.version, a.version) + :back
        WHERE a.holder_id IN (SELECT holder_id FROM looked) AND a.path LIKE 'user:%'
        GROUP BY a.holder_id, a.currency, e.journal_id
    )
"""
_OF_ONE: Final = """
    WITH theirs AS (
        SELECT a.holder_id, a.currency, e.journal_id, sum(e.amount) AS net
        FROM accounts a
        JOIN entries e ON e.account_id = a.id AND e.version > a.version - :back
        WHERE a.holder_id = :subscriber AND a.path LIKE 'user:%'
        GROUP BY a.holder_id, a.currency, e.journal_id
    )
"""
_TOLD: Final = """
    SELECT t.holder_id, s.kind, s.tier, t.currency, t.net, j.id, j.posted_at,
           coalesce(j.reference, w.reference, j.key) AS reference, m.minor,
           equivalent(m.minor, t.currency, 'KES', j.posted_at) AS cents,
           ARRAY(
               SELECT DISTINCT b.holder_id FROM entries x JOIN accounts b ON b.id = x.account_id
               WHERE x.journal_id = j.id AND b.holder_id <> t.holder_id
           ) AS others
    FROM theirs t
    JOIN journals j ON j.id = t.journal_id
    JOIN subscribers s ON s.id = t.holder_id
    LEFT JOIN orders o ON o.key = j.key
    LEFT JOIN withdrawals w ON j.key LIKE 'withdrawal:%'
        AND w.id = CAST(substring(j.key, '^withdrawal:([0-9]{1,18}):') AS bigint)
    LEFT JOIN deposits d ON j.reason = 'deposit'
        AND d.id = CAST(substring(j.key, '^deposit:([0-9]{1,18})$') AS bigint)
        AND d.subscriber_id = t.holder_id
    CROSS JOIN LATERAL (
        SELECT coalesce(CAST(o.args ->> 'amount' AS bigint), w.amount, d.amount, abs(t.net))::bigint
            AS minor
    ) m
    WHERE t.net <> 0 AND j.reason <> ALL (:still) AND j.posted_at > CAST(:since AS timestamptz)
"""


def _look_at(session: Session, journals: Sequence[int], *, now: datetime) -> None:
    in_force = rules(session, now=now)
    subjects = _subjects(session, journals, longest=max(rule.window for rule in in_force))
    for subscriber, subject in subjects.items():
        for rule in in_force:
            if (rule.holder, rule.tier) == (subject.holder, subject.tier):
                finding = patterns.find(rule, subject.movements, fresh=subject.fresh)
                if finding is not None:
                    _suspect(session, subscriber, finding, now=now)


def _subjects(
    session: Session, journals: Sequence[int], *, longest: timedelta
) -> Mapping[int, _Subject]:
    """Everybody these journals touched, with what they did within the longest window."""
    first = session.scalar(
        text("SELECT min(posted_at) FROM journals WHERE id = ANY (:ids)"), {"ids": list(journals)}
    )
    assert first is not None, "there are journals"
    rows = session.execute(
        text(_LOOKED_AT + _TOLD),
        {
            "journals": list(journals),
            "back": _ENTRIES_BACK,
            "still": [reason.value for reason in _STILL],
            "since": first - longest,
        },
    )
    looked_at = set(journals)
    found: dict[int, _Subject] = {}
    for row in rows:
        # Whoever was stopped meanwhile is no less suspicious: the strictest rules are theirs.
        tier = Tier.PENDING if row.tier in {Tier.REJECTED, Tier.SUSPENDED} else row.tier
        subject = found.setdefault(row.holder_id, _Subject(row.kind, tier, [], set()))
        subject.movements.append(_movement(row))
        if row.id in looked_at:
            subject.fresh.add(row.id)
    return found


def _movement(row: Row[Any]) -> Movement:
    return Movement(
        journal=row.id,
        reference=row.reference,
        at=row.posted_at,
        amount=row.cents,
        is_in=row.net > 0,
        others=tuple(row.others),
        currency=row.currency,
        minor=int(row.minor),
    )


def recent(session: Session, *, subscriber: int, since: datetime) -> list[Movement]:
    """What somebody moved since an instant, in order; of a great deal, the newest."""
    rows = session.execute(
        text(_OF_ONE + _TOLD + " ORDER BY j.posted_at, j.id"),
        {
            "subscriber": subscriber,
            "back": _ENTRIES_BACK,
            "still": [reason.value for reason in _STILL],
            "since": since,
        },
    )
    return [_movement(row) for row in rows]


def told(movement: Movement) -> dict[str, Any]:
    """A movement as the evidence of a case."""
    return {
        "reference": movement.reference,
        "at": movement.at.isoformat(),
        "direction": "in" if movement.is_in else "out",
        "amount": movement.minor,
        "currency": movement.currency,
        "cents_kes": movement.amount,
        "others": list(movement.others),
    }


def _suspect(session: Session, subscriber: int, finding: Finding, *, now: datetime) -> None:
    rule = finding.rule
    is_structuring = rule.pattern is Pattern.JUST_UNDER
    by = {
        "rule": rule.name,
        "pattern": rule.pattern.value,
        "source": rule.source,
        "valid_from": rule.valid_from.isoformat(),
        "holder": rule.holder,
        "tier": rule.tier,
        "amount": rule.amount,
        "share": rule.share,
        "count_min": rule.count_min,
        "window_seconds": int(rule.window.total_seconds()),
    }
    first = finding.movements[0].at
    key = f"{rule.name}:{rule.valid_from.isoformat()}"
    evidence = [Evidence(FactKind.RULE, key, first, by)]
    evidence += [
        Evidence(FactKind.MOVEMENT, f"journal:{each.journal}", each.at, told(each))
        for each in finding.movements
    ]
    cases.suspect(
        session,
        kind=Kind.STRUCTURING if is_structuring else Kind.VELOCITY,
        subscriber=subscriber,
        evidence=evidence,
        within=rule.window,
        actor=WATCHER,
        now=now,
    )

"""
Webhook calls: what is due is claimed, and called once that is committed.

It is at least once: who dies between calling and recording (`core.webhook_ends`) is followed by
somebody who calls again, with the same id and the same body. Nobody waits for anybody else's
endpoint: one that answers may have four calls at once; one that fails has one, of hands set aside
for such, and is left alone for a moment after each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Row,
    Select,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from core import webhook_bodies
from core.outbox import Outbox
from core.webhook_deliveries import Attempt, Delivery
from core.webhooks import Endpoint

# Longer than any call may take.
LEASE: Final = timedelta(seconds=90)
KEPT_FOR: Final = timedelta(days=30)
CLEARED_MAX: Final = 1000

_AT_ONCE: Final = 4
# So many attempts in a row whose callers died are a failure, as if there had been no answer.
INTERRUPTED_MAX: Final = 3
_INTERRUPTED: Final = "interrupted"


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call that is ours to make. `secrets` are locked; the newest is the first.

    Args:
        delivery: What is told, by its row.
        code: And by its `webhook-id`.
        number: Which attempt this is.
        endpoint: Who is told.
        owner: Whose program that is.
        url: Where it listens.
        secrets: What the call is signed with.
        body: What is said.
        started_at: When it was claimed.
        is_over_and_over: Whether whoever made the attempts before this one died of them. It is
            not made again now, but recorded as failed.
    """

    delivery: int
    code: str
    number: int
    endpoint: int
    owner: int
    url: str
    secrets: Sequence[str]
    body: str
    started_at: datetime
    is_over_and_over: bool = False


# Endpoints that may be called, those with the oldest first. Their rows are locked, so that two
# workers do not both find room at one of them.
_READY = text("""
    SELECT e.id
    FROM webhook_endpoints e
    JOIN LATERAL (
        SELECT d.due_at FROM webhook_deliveries d
        WHERE d.endpoint_id = e.id AND d.state IN ('waiting', 'sending') AND d.due_at <= :now
        ORDER BY d.due_at LIMIT 1
    ) d ON true
    WHERE e.state = 'active' AND (e.rests_until IS NULL OR e.rests_until <= :now)
      AND (e.failing_since IS NOT NULL) = :failing
    ORDER BY d.due_at, e.id LIMIT :most
    FOR NO KEY UPDATE OF e SKIP LOCKED
""")
# In turns, one of each first: who has much to be told is not told all of it before the others.
_CLAIMED = text("""
    UPDATE webhook_deliveries x
    SET state = 'sending', due_at = :until, tries = x.tries + 1,
        tried_from = coalesce(x.tried_from, :now)
    FROM (
        SELECT d.id, d.endpoint_id
        FROM unnest(CAST(:endpoints AS bigint[])) AS e (id)
        CROSS JOIN LATERAL (
            SELECT count(*) AS under_way FROM webhook_deliveries s
            WHERE s.endpoint_id = e.id AND s.state = 'sending' AND s.due_at > :now
        ) u
        CROSS JOIN LATERAL (
            SELECT w.id, w.endpoint_id, w.due_at, row_number() OVER (ORDER BY w.due_at, w.id) AS n
            FROM webhook_deliveries w
            WHERE w.endpoint_id = e.id AND w.state IN ('waiting', 'sending') AND w.due_at <= :now
            ORDER BY w.due_at, w.id LIMIT greatest(:at_once - u.under_way, 0)
        ) d
        ORDER BY d.n, d.due_at, d.id LIMIT :most
    ) c
    WHERE x.id = c.id
    RETURNING x.id, x.code, x.endpoint_id, x.outbox_id, x.type, x.body, x.tries, x.staged_at
""")


# The relay asks at every notice: put together anew, it cost ten times what PostgreSQL takes for it.
_DUE: Final = text("""
    SELECT EXISTS (
        SELECT FROM webhook_endpoints e
        WHERE e.state = 'active' AND (e.rests_until IS NULL OR e.rests_until <= :now)
            AND EXISTS (
                SELECT FROM webhook_deliveries d
                WHERE d.endpoint_id = e.id AND d.state IN ('waiting', 'sending')
                    AND d.due_at <= :now
            )
    )
""")


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether there is anybody to call."""
    return bool(session.scalar(_DUE, {"now": now}))


def claim(session: Session, *, failing: bool, calls_max: int, now: datetime) -> list[Call]:
    """
    Take calls that are due. Commit before they are made.

    Args:
        session: The caller's transaction, a worker's.
        failing: Whether of endpoints that failed when they were last called, or of the others.
        calls_max: How many there are hands for.
        now: When.
    """
    given = {"now": now, "failing": failing, "most": calls_max}
    endpoints = session.scalars(_READY, given).all()
    if not endpoints:
        return []
    given |= {"endpoints": endpoints, "until": now + LEASE, "at_once": 1 if failing else _AT_ONCE}
    rows = session.execute(_CLAIMED, given).all()
    if not rows:
        return []
    unheard = update(Attempt).where(
        Attempt.delivery_id.in_([row.id for row in rows]), Attempt.duration_ms.is_(None)
    )
    session.execute(unheard.values(why=_INTERRUPTED))
    over_and_over = _over_and_over(session, rows)
    session.execute(
        insert(Attempt),
        [{"delivery_id": row.id, "number": row.tries, "started_at": now} for row in rows],
    )
    unworded = {row.id: row for row in rows if row.body is None}
    bodies = {row.id: row.body for row in rows} | _worded(session, unworded)
    owners = {row.id: row for row in session.execute(_endpoints(endpoints))}
    return [
        Call(
            delivery=row.id,
            code=row.code,
            number=row.tries,
            endpoint=row.endpoint_id,
            owner=(owner := owners[row.endpoint_id]).subscriber_id,
            url=owner.url,
            secrets=[
                owner.secret,
                *([owner.secret_before] if _is_signing(owner.secret_before_until, now) else []),
            ],
            body=bodies[row.id],
            started_at=now,
            is_over_and_over=row.id in over_and_over,
        )
        for row in rows
    ]


def clear(session: Session, *, now: datetime) -> int:
    """Forget what ended long ago; return how much. What is in the outbox stays there."""
    old = (
        select(Delivery.id)
        .where(Delivery.ended_at < now - KEPT_FOR)
        .where(text("state IN ('delivered', 'failed', 'missed')"))
        .limit(CLEARED_MAX)
    )
    return len(
        session.scalars(delete(Delivery).where(Delivery.id.in_(old)).returning(Delivery.id)).all()
    )


def _over_and_over(session: Session, rows: Sequence[Row[Any]]) -> set[int]:
    """Which of these deliveries were interrupted each of the last few times."""
    tried = {row.id: row.tries for row in rows}
    found = session.execute(
        select(Attempt.delivery_id, Attempt.number).where(
            Attempt.delivery_id.in_(tried), Attempt.why == _INTERRUPTED
        )
    )
    lately = Counter(it for it, number in found if number >= tried[it] - INTERRUPTED_MAX)
    return {it for it, count in lately.items() if count >= INTERRUPTED_MAX}


def _is_signing(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now


def _endpoints(
    ids: Sequence[int],
) -> Select[tuple[int, int, str, str, str | None, datetime | None]]:
    return select(
        Endpoint.id,
        Endpoint.subscriber_id,
        Endpoint.url,
        Endpoint.secret,
        Endpoint.secret_before,
        Endpoint.secret_before_until,
    ).where(Endpoint.id.in_(ids))


def _worded(session: Session, rows: Mapping[int, Row[Any]]) -> dict[int, str]:
    """Word what is sent for the first time, and keep it: every copy is the same."""
    if not rows:
        return {}
    facts = dict(
        session.execute(
            select(Outbox.id, Outbox.facts).where(
                Outbox.id.in_([row.outbox_id for row in rows.values()])
            )
        )
        .tuples()
        .all()
    )
    bodies = {
        delivery: webhook_bodies.body(kind=row.type, facts=facts[row.outbox_id], at=row.staged_at)
        for delivery, row in rows.items()
    }
    keep = text("UPDATE webhook_deliveries SET body = :body WHERE id = :id")
    session.execute(keep, [{"id": each, "body": said} for each, said in bodies.items()])
    return bodies

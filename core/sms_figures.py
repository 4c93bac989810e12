"""
What SMS came to: how many, in what state, in how many parts, at what cost, and what waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages nobody has sent yet, by category, and the age of the oldest code or receipt."""

    codes: int
    receipts: int
    promotional: int
    oldest: timedelta


@dataclass(frozen=True, slots=True)
class Figure:
    """
    Messages of one day (Nairobi's, on which they were staged), event and state.

    `costs` are in whole units, by currency: what the provider said it would charge.
    """

    day: date
    event: str
    state: str
    count: int
    parts: int
    costs: dict[str, Decimal]


_WAITING = text("""
    SELECT count(*) FILTER (WHERE category = 'code'),
           count(*) FILTER (WHERE category = 'receipt'),
           (SELECT count(*) FROM outbox WHERE done_at IS NULL AND category = 'promotional'),
           min(staged_at)
    FROM outbox WHERE done_at IS NULL AND category <> 'promotional'
""")

_BY_DAY = text("""
    WITH said AS (
        SELECT (o.staged_at AT TIME ZONE 'Africa/Nairobi')::date AS day, o.event,
               coalesce(m.state, 'queued') AS state, coalesce(m.parts, 0) AS parts,
               regexp_match(m.cost, '^([A-Z]{3,4}) ([0-9]{1,12}(\\.[0-9]{1,12})?)$') AS cost
        FROM outbox o LEFT JOIN messages m ON m.outbox_id = o.id
        WHERE o.staged_at >= :since AND o.staged_at < :until
    ), paid AS (
        SELECT day, event, state, count(*) AS messages, sum(parts) AS parts, cost[1] AS currency,
               sum(cost[2]::numeric) AS cost
        FROM said GROUP BY day, event, state, cost[1]
    )
    SELECT day, event, state, sum(messages), sum(parts),
           coalesce(jsonb_object_agg(currency, cost::text) FILTER (WHERE currency IS NOT NULL),
                    '{}')
    FROM paid GROUP BY day, event, state ORDER BY day, event, state
""")


def waiting(session: Session, *, now: datetime) -> Waiting:
    """Count what waits."""
    codes, receipts, promotional, oldest = session.execute(_WAITING).one()
    return Waiting(codes, receipts, promotional, now - oldest if oldest else timedelta(0))


def by_day(session: Session, *, since: datetime, until: datetime) -> list[Figure]:
    """Add up what was staged in a period, from the first instant to before the last."""
    rows = session.execute(_BY_DAY, {"since": since, "until": until})
    return [
        Figure(
            day,
            event,
            state,
            int(count),
            int(parts),
            {currency: Decimal(cost) for currency, cost in costs.items()},
        )
        for day, event, state, count, parts, costs in rows
    ]

"""
Journeys: from the dial in which money was asked for to the last SMS about it, and what they take.

Hops and the session's cost are the aggregator's word, unsigned, as in `core/endings.py`; parts of
SMS and their cost are those of the messages themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from core import endings
from core.inbox import Kind


@dataclass(frozen=True, slots=True)
class Journey:
    """
    What was asked for by phone of one kind, taken together.

    Args:
        kind: Of the order, or `deposit`.
        count: How often.
        hops: Of its sessions, on the average; None where no end of one was told.
        parts: Of its SMS to everybody, on the average.
        session_costs: What its sessions cost, by currency; empty is the one that was not named.
        sms_costs: What its SMS cost, by currency.
    """

    kind: str
    count: int
    hops: float | None
    parts: float
    session_costs: Mapping[str, Decimal]
    sms_costs: Mapping[str, Decimal]


# An end may be told after the period in which its session asked.
_JOURNEYS = endings.question("""
    , asked AS MATERIALIZED (
        SELECT kind, reference, split_part(key, ':', 2) AS session FROM orders
        WHERE key LIKE 'ussd:%' AND placed_at >= :since AND placed_at < :before
        UNION ALL
        SELECT 'deposit', reference, split_part(key, ':', 2) FROM deposits
        WHERE key LIKE 'ussd:%' AND expected_at >= :since AND expected_at < :before
    ), said AS (
        SELECT o.facts->>'reference' AS reference, m.parts,
               regexp_match(m.cost, '^([A-Z]{3,4}) ([0-9]{1,12}([.][0-9]{1,12})?)$') AS cost
        FROM outbox o JOIN messages m ON m.outbox_id = o.id WHERE o.staged_at >= :since
    ), counts AS (
        SELECT kind, count(*) AS times, avg(hops)::float AS hops
        FROM asked LEFT JOIN ended USING (session) GROUP BY kind
    ), parts AS (
        SELECT kind, sum(parts) AS parts FROM asked JOIN said USING (reference) GROUP BY kind
    ), spent AS (
        SELECT kind, coalesce(currency, '') AS currency, sum(cost) AS cost, 'session' AS for
        FROM asked JOIN ended USING (session) WHERE cost IS NOT NULL GROUP BY kind, currency
        UNION ALL
        SELECT kind, cost[1], sum(cost[2]::numeric), 'sms'
        FROM asked JOIN said USING (reference) WHERE cost IS NOT NULL GROUP BY kind, cost[1]
    )
    SELECT kind, times, hops, coalesce(parts, 0)::float / times AS parts,
           (SELECT jsonb_object_agg(currency, cost::text) FROM spent s
            WHERE s.kind = counts.kind AND s.for = 'session') AS session_costs,
           (SELECT jsonb_object_agg(currency, cost::text) FROM spent s
            WHERE s.kind = counts.kind AND s.for = 'sms') AS sms_costs
    FROM counts LEFT JOIN parts USING (kind) ORDER BY times DESC, kind
""")


def figures(session: Session, *, since: datetime, until: datetime) -> Sequence[Journey]:
    """Count what was asked for by phone from `since` on and before `until`, the most first."""
    told = {"kind": Kind.USSD_ENDED.value, "since": since, "until": "infinity", "before": until}
    return [
        Journey(
            row.kind,
            row.times,
            row.hops,
            row.parts,
            session_costs=_costs(row.session_costs),
            sms_costs=_costs(row.sms_costs),
        )
        for row in session.execute(_JOURNEYS, told)
    ]


def _costs(told: Mapping[str, str] | None) -> dict[str, Decimal]:
    return {currency: Decimal(cost) for currency, cost in (told or {}).items()}

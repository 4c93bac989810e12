"""
What the ledger says people did, beside what they saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bench import stack
from bench.town.people import Neighbour
from core import endings
from core.db import Databases
from core.endings import Endings
from core.orders import Kind


def waiting(databases: Databases) -> int:
    """How many orders nobody has executed, and letters nobody has read."""
    with databases() as session:
        found = session.scalar(
            text("""
                SELECT (SELECT count(*) FROM orders WHERE state = 'placed')
                    + (SELECT count(*) FROM inbox WHERE done_at IS NULL)
            """)
        )
    return int(found or 0)


def compare(databases: Databases, people: Sequence[Neighbour]) -> list[str]:
    """Say of whom the ledger did less than they saw done, or more than they asked for."""
    found = []
    done = _done(databases)
    for each in people:
        theirs = done.get(each.msisdn, Counter())
        missing, more = each.ordered - theirs, theirs - each.ordered - each.maybe
        if missing:
            found.append(f"{each.msisdn} saw done what was not: {dict(missing)}")
        if more:
            found.append(f"{each.msisdn} did not ask for this: {dict(more)}")
    if not stack.balanced(databases):
        found.append("the book does not balance")
    return [*found, *_untold(databases)]


def _done(databases: Databases) -> Mapping[str, Counter[tuple[Kind, int]]]:
    done: dict[str, Counter[tuple[Kind, int]]] = {}
    with databases() as session:
        rows = session.execute(
            text("""
                SELECT s.msisdn, o.kind, coalesce(CAST(o.args ->> 'amount' AS bigint), q.give,
                    (SELECT max(e.amount) FROM journals j JOIN entries e ON e.journal_id = j.id
                     WHERE j.key = o.key)) AS amount
                FROM orders o
                JOIN subscribers s ON s.id = o.subscriber_id
                LEFT JOIN quotes q ON q.order_id = o.id
                WHERE o.state = 'done'
            """)
        )
        for msisdn, kind, amount in rows:
            done.setdefault(msisdn, Counter())[(Kind(kind), amount)] += 1
    return done


def _untold(databases: Databases) -> list[str]:
    """Done orders whose owner has no receipt, or two."""
    with databases() as session:
        rows = session.execute(
            text("""
                SELECT o.id, count(x.id) FROM orders o
                JOIN subscribers s ON s.id = o.subscriber_id
                LEFT JOIN outbox x ON x.msisdn = s.msisdn
                    AND x.facts ->> 'reference' = o.reference
                    AND x.event IN ('transfer-sent', 'payment-sent', 'exchanged',
                        'voucher-redeemed')
                WHERE o.state = 'done' GROUP BY o.id HAVING count(x.id) <> 1
            """)
        ).all()
    return [f"order {order} has {count} receipts" for order, count in rows[:20]]


def ended(databases: Databases, *, since: datetime) -> Endings:
    """How calls ended, by the product's own figures."""
    now = datetime.now(UTC) + timedelta(minutes=1)
    with databases() as session:
        return endings.figures(session, since=since, until=now, now=now)

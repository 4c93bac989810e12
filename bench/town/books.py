"""
What the product's own rows say people did, beside what they saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, text

from bench import stack
from bench.town import mpesa_books
from bench.town.people import PIN, Deeds, Neighbour
from bench.town.safaricom import Book
from core import endings
from core.db import Databases
from core.endings import Endings
from core.pins import Hasher

# Every thing that was done, with whose it is: M-Pesa's, the payer's or the payee's; of what people
# were told, what they asked for by it alone.
_DONE: Final = text("""
    SELECT s.msisdn, o.kind, to_jsonb(coalesce(CAST(o.args ->> 'amount' AS bigint), q.give,
        (SELECT max(e.amount) FROM journals j JOIN entries e ON e.journal_id = j.id
         WHERE j.key = o.key)))
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    LEFT JOIN quotes q ON q.order_id = o.id
    WHERE o.state = 'done' AND o.kind <> 'withdrawal'
    UNION ALL
    SELECT s.msisdn, CASE w.purpose WHEN 'settlement' THEN w.purpose ELSE 'withdrawal' END,
        to_jsonb(w.amount)
    FROM withdrawals w JOIN subscribers s ON s.id = w.subscriber_id
    WHERE w.state = 'paid'
    UNION ALL
    SELECT payer, CASE purpose WHEN 'till' THEN 'till' ELSE 'deposit' END
        || CASE state WHEN 'settled' THEN '' WHEN 'failed' THEN ' not paid' ELSE ' ' || state END,
        to_jsonb(amount)
    FROM deposits
    UNION ALL
    SELECT msisdn, event, CASE event WHEN 'name-changed' THEN facts -> 'name' ELSE to_jsonb(0) END
    FROM outbox
    WHERE event LIKE 'sms-%' OR event IN ('pin-changed', 'name-changed')
    UNION ALL
    SELECT s.msisdn, a.action, a.detail -> 'language'
    FROM audit_log a JOIN subscribers s ON a.subject = 'subscriber:' || s.id
    WHERE a.action = 'language-set' AND a.origin IN ('ussd', 'sms')
""")
_RECEIPTS: Final = text("""
    SELECT o.reference, count(x.id) FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    LEFT JOIN outbox x ON x.msisdn = s.msisdn
        AND x.facts ->> 'reference' = o.reference
        AND x.event IN ('transfer-sent', 'payment-sent', 'exchanged', 'voucher-redeemed',
            'withdrawal-paid', 'settlement-paid')
    WHERE o.state = 'done' GROUP BY o.id HAVING count(x.id) <> 1
    UNION ALL
    SELECT d.reference, count(x.id) FROM deposits d
    JOIN subscribers s ON s.id = d.subscriber_id
    LEFT JOIN outbox x ON x.msisdn = s.msisdn
        AND x.facts ->> 'reference' = d.reference
        AND x.event IN ('deposit-settled', 'till-received')
    WHERE d.state = 'settled' GROUP BY d.id HAVING count(x.id) <> 1
""")
_THEY_ARE: Final = text("""
    SELECT s.msisdn, s.language, s.name, p.hash, o.msisdn IS NOT NULL AS has_stopped
    FROM subscribers s
    LEFT JOIN pins p ON p.subscriber_id = s.id
    LEFT JOIN opt_outs o ON o.msisdn = s.msisdn AND NOT o.has_come_back
""")
_NAMED_MAX: Final = 20


def waiting(databases: Databases) -> int:
    """
    How many orders nobody has executed, letters nobody has read, and moves M-Pesa has yet to.

    Reports of deliveries are none of them: they come in for as long as SMS go out.
    """
    with databases() as session:
        found = session.scalar(
            text("""
                SELECT (SELECT count(*) FROM orders WHERE state = 'placed')
                    + (SELECT count(*) FROM inbox
                       WHERE done_at IS NULL AND kind <> 'sms-delivery')
                    + (SELECT count(*) FROM deposits
                       WHERE state IN ('expected', 'prompting', 'prompted', 'unsure'))
                    + (SELECT count(*) FROM withdrawals
                       WHERE state IN ('requested', 'sending', 'sent', 'unsure'))
            """)
        )
    return int(found or 0)


def compare(databases: Databases, people: Sequence[Neighbour], theirs: Book) -> list[str]:
    """Say of whom the product did less than they saw done, or more than they asked for."""
    found = []
    done = _done(databases)
    for each in people:
        came = done.get(each.msisdn, Counter())
        missing, more = each.ordered - came, came - each.ordered - each.maybe
        if missing:
            found.append(f"{each.msisdn} saw done what was not: {dict(missing)}")
        if more:
            found.append(f"{each.msisdn} did not ask for this: {dict(more)}")
    if left := waiting(databases):
        found.append(f"{left} orders, letters or moves by M-Pesa are still to be done")
    if not stack.balanced(databases):
        found.append("the book does not balance")
    found += mpesa_books.compare(databases, theirs)
    return [
        *found,
        *_unlike(databases, people),
        *_untold(databases),
        *_kept_pins(databases, people),
    ]


def _done(databases: Databases) -> Mapping[str, Deeds]:
    done: dict[str, Deeds] = {}
    with databases() as session:
        for msisdn, kind, what in session.execute(_DONE):
            done.setdefault(msisdn, Counter())[kind, what] += 1
    return done


def _untold(databases: Databases) -> list[str]:
    """What was done and its owner has no receipt of, or two."""
    with databases() as session:
        rows = session.execute(_RECEIPTS).all()
    return [f"{reference} has {count} receipts" for reference, count in rows[:_NAMED_MAX]]


def _unlike(databases: Databases, people: Sequence[Neighbour]) -> list[str]:
    """Of whom we know otherwise than they made sure we would."""
    with databases() as session:
        rows = {row["msisdn"]: row for row in session.execute(_THEY_ARE).mappings()}
    hasher = Hasher("sandbox-pin-pepper")
    return [
        f"{each.msisdn}: we do not have the {name} that is theirs"
        for each in people
        if not each.is_new
        for name in ("language", "name", "has_stopped", "pin")
        if name not in each.doubts and not _is_known(hasher, rows[each.msisdn], each, name)
    ]


def _is_known(hasher: Hasher, row: RowMapping, each: Neighbour, name: str) -> bool:
    if name != "pin":
        return bool(row[name] == getattr(each, name))
    # To try a PIN takes long, so only theirs who have changed it.
    return each.pin == PIN or hasher.matches(row["hash"], each.pin)


def _kept_pins(databases: Databases, people: Sequence[Neighbour]) -> list[str]:
    """PINs that stand in what is kept of an SMS, alone or between words."""
    pins = "|".join(sorted({each.pin for each in people}))
    with databases() as session:
        count = session.scalar(
            text("SELECT count(*) FROM inbox WHERE form ->> 'text' ~ :pins"),
            {"pins": rf"(^|[^0-9])({pins})([^0-9]|$)"},
        )
    return [f"{count} SMS were kept with a PIN in them"] if count else []


def ended(databases: Databases, *, since: datetime) -> Endings:
    """How calls ended, by the product's own figures."""
    now = datetime.now(UTC) + timedelta(minutes=1)
    with databases() as session:
        return endings.figures(session, since=since, until=now, now=now)

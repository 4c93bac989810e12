"""
What the product has of M-Pesa, beside Safaricom's own book: by receipt, in sum, and in the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from bench.town.safaricom import IN, OUT, Book, Moved
from core.db import Databases

_NAMED_MAX: Final = 20


def compare(databases: Databases, theirs: Book) -> list[str]:
    """Say what Safaricom has moved that we do not know of once, and what we know of alone."""
    ours = _ours(databases)
    found = [
        f"M-Pesa moved what we have not: {what}"
        for what in sorted((theirs.moved - ours).elements())
    ]
    found += [
        f"we have what M-Pesa did not move: {what}"
        for what in sorted((ours - theirs.moved).elements())
    ]
    return [*found[:_NAMED_MAX], *_sums(ours, theirs), *_posted(databases, theirs)]


def _ours(databases: Databases) -> Moved:
    with databases() as session:
        rows = session.execute(
            text("""
                SELECT 'c2b', coalesce(receipt, reference), payer, amount
                FROM deposits WHERE provider = 'mpesa' AND state = 'settled'
                UNION ALL
                SELECT 'b2c', coalesce(receipt, reference), payee, amount
                FROM withdrawals WHERE provider = 'mpesa' AND state = 'paid'
            """)
        ).all()
    return Counter((row[0], row[1], row[2], row[3]) for row in rows)


def _sums(ours: Moved, theirs: Book) -> list[str]:
    found = []
    for kind, total in theirs.totals.items():
        mine = [amount for each, _receipt, _phone, amount in ours.elements() if each == kind]
        if (len(mine), sum(mine)) != total:
            found.append(f"of {kind} we have {len(mine)} of {sum(mine)}, M-Pesa has {total}")
    return found


def _posted(databases: Databases, theirs: Book) -> list[str]:
    """Whether the ledger has what we hold at M-Pesa: what came in, and what went out since."""
    posted = _entries(databases)
    found = []
    for path, kind, sign in (("mpesa:paybill:kes", IN, -1), ("mpesa:utility:kes", OUT, 1)):
        total = theirs.totals[kind][1]
        if sign * posted.get(path, 0) != total:
            found.append(f"{path} moved by {posted.get(path, 0)}, of {kind} M-Pesa has {total}")
    if posted.get("mpesa:underway:kes", 0):
        found.append(f"{posted['mpesa:underway:kes']} are still on their way to M-Pesa")
    return found


def _entries(databases: Databases) -> Mapping[str, int]:
    """How each of our places at M-Pesa has changed, but for the float that we were lent."""
    with databases() as session:
        rows = session.execute(
            text("""
                SELECT a.path, sum(e.amount)
                FROM accounts a
                JOIN entries e ON e.account_id = a.id
                JOIN journals j ON j.id = e.journal_id
                WHERE a.path LIKE 'mpesa:%' AND j.reason <> 'float'
                GROUP BY a.path
            """)
        ).all()
    return {row[0]: int(row[1]) for row in rows}

"""
What must hold of a book, as the database itself can be asked; each answer is a number of faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import Databases

# One statement, so that all of it is of one moment, however many are writing.
_BALANCED: Final = text("""
    WITH entered AS (
        SELECT account_id, sum(amount) AS amount FROM entries GROUP BY account_id
    ), unrolled_of AS (
        SELECT account_id, sum(amount) AS amount FROM unrolled GROUP BY account_id
    ), account AS (
        SELECT a.currency, a.path, coalesce(e.amount, 0) AS entered,
               a.balance + coalesce(u.amount, 0) AS balance
        FROM accounts a
        LEFT JOIN entered e ON e.account_id = a.id
        LEFT JOIN unrolled_of u ON u.account_id = a.id
    ), currency AS (
        SELECT abs(sum(entered)) + abs(sum(balance)) AS off FROM account GROUP BY currency
    )
    SELECT (SELECT coalesce(sum(off), 0) FROM currency)
        + (SELECT coalesce(sum(abs(balance - entered)), 0) FROM account)
        + abs((SELECT coalesce(sum(balance), 0) FROM account WHERE path LIKE '%:held:%')
            - (SELECT coalesce(sum(amount), 0) FROM holds WHERE state = 'open'))
""")

_BELOW: Final = text("""
    SELECT (SELECT count(*) FROM accounts WHERE balance < balance_min OR balance > balance_max)
        + (SELECT count(*) FROM entries e JOIN accounts a ON a.id = e.account_id
           WHERE e.balance_after < a.balance_min OR e.balance_after > a.balance_max)
""")

_TOLD: Final = """
    CREATE TEMPORARY TABLE told (
        movement text, key text, is_posted boolean, is_unknown boolean,
        account bigint, amount bigint
    ) ON COMMIT DROP
"""

# What is in the book of the movements that clients know of; a movement's journals are found by
# its key, whatever was appended to it.
_TRUTH: Final = text("""
    WITH movement AS (
        SELECT movement, bool_or(is_posted) AS is_posted, bool_or(is_unknown) AS is_unknown,
               count(*) AS legs
        FROM told GROUP BY movement
    ), journal AS (
        SELECT id, key, CASE WHEN key LIKE 'hold:%' THEN key ELSE split_part(key, ':', 2) END
            AS movement
        FROM journals WHERE key LIKE 'storm:%' OR key LIKE 'hold:%'
    ), written AS (
        SELECT j.movement, count(DISTINCT j.id) AS journals, count(e.journal_id) AS entries
        FROM journal j LEFT JOIN entries e ON e.journal_id = j.id GROUP BY j.movement
    ), found AS (
        SELECT t.movement, count(*) AS legs FROM told t
        JOIN journals j ON j.key = t.key
        JOIN entries e ON e.journal_id = j.id AND e.account_id = t.account AND e.amount = t.amount
        GROUP BY t.movement
    ), truth AS (
        SELECT m.is_posted, m.is_unknown, coalesce(w.journals, 0) AS journals,
               m.is_posted AND coalesce(f.legs, 0) <> m.legs AS is_lost,
               coalesce(w.journals, 0) > m.is_posted::integer
                   OR coalesce(w.entries, 0) > m.legs AS is_doubled
        FROM movement m
        LEFT JOIN written w ON w.movement = m.movement
        LEFT JOIN found f ON f.movement = m.movement
    )
    SELECT count(*) FILTER (WHERE is_lost) AS lost,
           count(*) FILTER (WHERE is_doubled) AS doubled,
           count(*) FILTER (WHERE is_unknown) AS unknown,
           count(*) FILTER (WHERE is_unknown AND NOT is_lost AND NOT is_doubled) AS resolved,
           (SELECT count(*) FROM journal j LEFT JOIN movement m ON m.movement = j.movement
            WHERE m.movement IS NULL) AS strangers
    FROM truth
""")

# The balances again, from what the clients were told alone.
_REPLAYED: Final = text("""
    WITH opened AS (
        SELECT e.account_id, sum(e.amount) AS amount FROM entries e
        JOIN journals j ON j.id = e.journal_id WHERE j.reason = 'opening' GROUP BY e.account_id
    ), moved AS (
        SELECT account, sum(amount) AS amount FROM told WHERE is_posted GROUP BY account
    ), unrolled_of AS (
        SELECT account_id, sum(amount) AS amount FROM unrolled GROUP BY account_id
    )
    SELECT count(*) FROM accounts a
    LEFT JOIN opened o ON o.account_id = a.id
    LEFT JOIN moved m ON m.account = a.id
    LEFT JOIN unrolled_of u ON u.account_id = a.id
    WHERE a.balance + coalesce(u.amount, 0) <> coalesce(o.amount, 0) + coalesce(m.amount, 0)
""")


@dataclass(frozen=True)
class Truth:
    """What became of the movements that clients were told of."""

    lost: int
    """Told posted, and not in the book as they were asked for."""
    doubled: int
    """In the book more often than they were told."""
    unknown: int
    resolved: int
    """Those of them that the repeat told the truth about."""
    strangers: int
    """In the book, and nobody was told."""
    replayed_off: int
    """Accounts whose balance is not what the answers come to."""


def unbalanced(databases: Databases) -> int:
    """Minor units by which currencies do not sum to zero, and balances are not their entries."""
    with databases() as session:
        _unhurried(session)
        return int(session.scalar(_BALANCED) or 0)


def beyond_bounds(databases: Databases) -> int:
    """How often an account was beyond its bounds, now or after any of its entries."""
    with databases() as session:
        _unhurried(session)
        return int(session.scalar(_BELOW) or 0)


def truth(databases: Databases, files: Sequence[Path]) -> Truth:
    """Compare the book with what the clients of a storm were told."""
    with databases.begin() as session:
        _unhurried(session)
        session.connection().exec_driver_sql(_TOLD)
        raw = session.connection().connection.driver_connection
        assert raw is not None
        for path in files:
            with path.open() as file, raw.cursor() as cursor:
                cursor.copy_expert("COPY told FROM STDIN", file)
        session.execute(text("ANALYZE told"))
        row = session.execute(_TRUTH).one()
        replayed = int(session.scalar(_REPLAYED) or 0)
        return Truth(row.lost, row.doubled, row.unknown, row.resolved, row.strangers, replayed)


def _unhurried(session: Session) -> None:
    session.execute(text("SET LOCAL statement_timeout = '120s'"))
    session.execute(text("SET LOCAL enable_nestloop = off"))
    session.execute(text("SET LOCAL work_mem = '128MB'"))

"""
What must hold of the book, as questions whose every answer is a break.

Each question is asked about the ids of one scope and answered in one snapshot, so that money that
moves in between is no false alarm. A question about newest things is cheap however long the history
is; the others read all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from core.breaks import Finding, Kind
from core.chart import CHART, Place


class Scope(StrEnum):
    """What a question is about. Subjects of findings begin with it: `account:17`."""

    ACCOUNT = "account"
    JOURNAL = "journal"
    ORDER = "order"
    HOLD = "hold"
    REVERSAL = "reversal"
    BATCH = "batch"
    DEPOSIT = "deposit"
    PAYBILL = "paybill"
    WITHDRAWAL = "withdrawal"
    SUSPENSE = "suspense"


# The whole of an account: its entries are numbered, each follows from the one before it, and their
# sum is its balance. A record account's entries are neither numbered nor summed up as they come;
# what its balance does not contain yet is in `unrolled`. `previous` is taken by number, so that one
# missing entry is one break and not one for each that follows.
WHOLE_ACCOUNTS: Final = text("""
    WITH entered AS (
        SELECT e.account_id, e.version, e.amount, e.balance_after,
               row_number() OVER follow AS n, lag(e.balance_after) OVER follow AS previous
        FROM entries e WHERE e.account_id = ANY (:ids)
        WINDOW follow AS (PARTITION BY e.account_id ORDER BY e.version)
    ), summed AS (
        SELECT account_id, count(*) AS count, sum(amount) AS total, max(version) AS newest,
               min(version) FILTER (WHERE version <> n) AS misnumbered,
               min(version) FILTER (
                   WHERE balance_after IS DISTINCT FROM coalesce(previous, 0) + amount
               ) AS misrun
        FROM entered GROUP BY account_id
    ), looked AS (
        SELECT coalesce(a.id, s.account_id) AS id, a.id IS NULL AS is_missing, a.path, a.mode,
               a.currency, a.balance, a.version, coalesce(s.count, 0) AS count, s.misnumbered,
               s.misrun, coalesce(s.newest, 0) AS newest, coalesce(s.total, 0) AS total,
               coalesce((SELECT sum(u.amount) FROM unrolled u WHERE u.account_id = a.id), 0)
                   AS unrolled
        FROM (SELECT x.* FROM accounts x WHERE x.id = ANY (:ids)) a
        FULL JOIN summed s ON s.account_id = a.id
    )
    SELECT 'account-missing' AS kind, id, 'an account' AS expected, 'none' AS found,
           jsonb_build_object('entries', count) AS detail
    FROM looked WHERE is_missing
    UNION ALL
    SELECT 'balance', id, 'the sum of its entries',
           to_char(balance + unrolled - total, 'FMSG999999999999999999')
               || ' ' || currency || ' minor',
           jsonb_build_object('path', path, 'balance', balance, 'unrolled', unrolled,
               'entries', total)
    FROM looked WHERE balance + unrolled <> total
    UNION ALL
    SELECT 'numbering', id, 'entries numbered up to its version',
           CASE WHEN misnumbered IS NULL THEN 'another version than that of its newest entry'
                ELSE 'number ' || misnumbered || ' out of place' END,
           jsonb_build_object('path', path, 'version', version, 'entries', count,
               'newest', newest)
    FROM looked WHERE mode = 'authorise' AND (misnumbered IS NOT NULL OR version <> newest)
    UNION ALL
    SELECT 'running', id, 'the balance before it and its amount', 'another at entry ' || misrun,
           jsonb_build_object('path', path)
    FROM looked WHERE mode = 'authorise' AND misrun IS NOT NULL
""")

# An account is as the chart opens it, and one of somebody who has left takes and gives nothing. Its
# bounds are what `post` keeps: whoever widened them could overdraw it without a break elsewhere.
_PLACED: Final = """
    WITH chart (path, is_owned, low, high, mode) AS (VALUES {chart}), looked AS (
        SELECT a.id, a.path, a.mode, a.balance_min, a.balance_max, c.path AS place,
               c.mode AS expected_mode,
               CASE WHEN s.closed_at IS NULL THEN c.low ELSE 0 END AS low,
               CASE WHEN s.closed_at IS NULL THEN c.high ELSE 0 END AS high
        FROM accounts a
        LEFT JOIN subscribers s ON s.id = a.holder_id
        LEFT JOIN chart c ON c.is_owned = (a.holder_id IS NOT NULL)
            AND a.path = replace(replace(c.path, '{owner}', coalesce(a.holder_id::text, '')),
                                 '{currency}', lower(a.currency))
        WHERE a.id = ANY (:ids)
    )
    SELECT 'account-differs' AS kind, id, 'a place of the chart' AS expected,
           CASE WHEN place IS NULL THEN 'none of this holder, currency and path'
                WHEN mode::text <> expected_mode THEN 'another mode' ELSE 'other bounds' END
               AS found,
           jsonb_build_object('path', path, 'mode', mode, 'least', balance_min, 'most', balance_max)
               AS detail
    FROM looked
    WHERE place IS NULL OR mode::text <> expected_mode
       OR balance_min IS DISTINCT FROM low OR balance_max IS DISTINCT FROM high
"""


def _row(place: Place) -> str:
    """A line of the chart, as SQL has it."""
    bounds = (place.balance_min, place.balance_max)
    low, high = ("NULL::bigint" if bound is None else str(bound) for bound in bounds)
    path = place.path.replace(":", r"\:")  # what follows a colon is no parameter
    return f"('{path}', {'{owner}' in place.path}, {low}, {high}, '{place.mode}')"


PLACES: Final = text(_PLACED.replace("{chart}", ", ".join(map(_row, CHART))))

# The newest entry of an account says what its balance is. What came before it was looked at then.
NEWEST_OF_ACCOUNTS: Final = text("""
    SELECT f.* FROM (
        SELECT x.*, n.version AS newest, n.balance_after FROM accounts x
        LEFT JOIN LATERAL (
            SELECT e.version, e.balance_after FROM entries e WHERE e.account_id = x.id
            ORDER BY e.version DESC LIMIT 1
        ) n ON true
        WHERE x.id = ANY (:ids) AND x.mode = 'authorise'
    ) a
    CROSS JOIN LATERAL (
        SELECT 'balance' AS kind, a.id, 'the sum of its entries' AS expected,
               to_char(a.balance - coalesce(a.balance_after, 0), 'FMSG999999999999999999')
                   || ' ' || a.currency || ' minor' AS found,
               jsonb_build_object('path', a.path, 'balance', a.balance,
                   'entries', coalesce(a.balance_after, 0)) AS detail
        WHERE a.balance <> coalesce(a.balance_after, 0)
        UNION ALL
        SELECT 'numbering', a.id, 'entries numbered up to its version',
               'another version than that of its newest entry',
               jsonb_build_object('path', a.path, 'version', a.version, 'newest', a.newest)
        WHERE a.version <> coalesce(a.newest, 0)
    ) f
""")

# Each entry of these journals follows from the one before it on its account.
RUN_OF_JOURNALS: Final = text("""
    SELECT f.* FROM (
        SELECT DISTINCT ON (e.account_id) e.account_id, a.path, e.version, p.version AS before
        FROM entries e
        JOIN accounts a ON a.id = e.account_id AND a.mode = 'authorise'
        -- Looked up one by one: joined, the whole book would be read for a few entries of it.
        LEFT JOIN LATERAL (
            SELECT x.version, x.balance_after FROM entries x
            WHERE x.account_id = e.account_id AND x.version = e.version - 1 LIMIT 1
        ) p ON true
        WHERE e.journal_id = ANY (:ids)
          AND (e.balance_after IS DISTINCT FROM coalesce(p.balance_after, 0) + e.amount
               OR p.version IS NULL AND e.version <> 1)
        ORDER BY e.account_id, e.version
    ) e
    CROSS JOIN LATERAL (
        SELECT 'numbering' AS kind, e.account_id AS id,
               'entries numbered up to its version' AS expected,
               'number ' || e.version || ' out of place' AS found,
               jsonb_build_object('path', e.path) AS detail
        WHERE e.before IS NULL AND e.version <> 1
        UNION ALL
        SELECT 'running', e.account_id, 'the balance before it and its amount',
               'another at entry ' || e.version, jsonb_build_object('path', e.path)
        WHERE e.before IS NOT NULL OR e.version = 1
    ) f
""")

JOURNALS: Final = text("""
    WITH entered AS (
        SELECT e.journal_id, coalesce(a.currency, 'of no account') AS currency,
               sum(e.amount) AS total, count(*) AS count
        FROM entries e LEFT JOIN accounts a ON a.id = e.account_id
        WHERE e.journal_id = ANY (:ids) GROUP BY 1, 2
    ), summed AS (
        SELECT journal_id, sum(count) AS count,
               string_agg(to_char(total, 'FMSG999999999999999999') || ' ' || currency, ', '
                   ORDER BY currency) FILTER (WHERE total <> 0) AS off
        FROM entered GROUP BY journal_id
    ), looked AS (
        SELECT coalesce(j.id, s.journal_id) AS id, j.id IS NULL AS is_missing, j.key, j.reason,
               s.count, s.off
        FROM (SELECT x.id, x.key, x.reason FROM journals x WHERE x.id = ANY (:ids)) j
        FULL JOIN summed s ON s.journal_id = j.id
    )
    SELECT 'journal-missing' AS kind, id, 'a journal' AS expected, 'none' AS found,
           jsonb_build_object('entries', count) AS detail
    FROM looked WHERE is_missing
    UNION ALL
    SELECT 'journal-empty', id, 'entries', 'none', jsonb_build_object('key', key, 'reason', reason)
    FROM looked WHERE count IS NULL
    UNION ALL
    SELECT 'journal-unbalanced', id, 'zero in each currency', off,
           jsonb_build_object('key', key, 'reason', reason, 'entries', count)
    FROM looked WHERE off IS NOT NULL
""")

# The trial balance: of accounts alone, as each balance is compared with its entries elsewhere.
CURRENCIES: Final = text("""
    SELECT 'currency-unbalanced' AS kind, a.currency AS id, 'zero' AS expected,
           to_char(a.total + coalesce(u.total, 0), 'FMSG999999999999999999') AS found,
           '{}'::jsonb AS detail
    FROM (SELECT currency, sum(balance) AS total FROM accounts GROUP BY currency) a
    LEFT JOIN (
        SELECT x.currency, sum(n.amount) AS total
        FROM unrolled n JOIN accounts x ON x.id = n.account_id GROUP BY x.currency
    ) u ON u.currency = a.currency
    WHERE a.total + coalesce(u.total, 0) <> 0
""")


def look(
    session: Session,
    scope: Scope,
    questions: Sequence[TextClause],
    ids: Iterable[int],
    *,
    now: datetime,
) -> list[Finding]:
    """Ask questions about ids of a scope, in the caller's snapshot."""
    given: dict[str, Any] = {"ids": list(ids)}
    if not given["ids"]:
        return []
    found = []
    for question in questions:
        wanted = given | ({"now": now} if "now" in question.compile().params else {})
        found += [
            Finding(Kind(row.kind), f"{scope}:{row.id}", row.expected, row.found, row.detail)
            for row in session.execute(question, wanted)
        ]
    return found


def currencies(session: Session) -> list[Finding]:
    """The trial balance: what each currency is off zero."""
    return [
        Finding(Kind(row.kind), f"currency:{row.id}", row.expected, row.found, row.detail)
        for row in session.execute(CURRENCIES)
    ]

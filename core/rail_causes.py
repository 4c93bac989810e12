"""
Why money moved over rails: deposits, payments, payouts and suspense against their journals.

As in `core.causes`, what a row comes to is said a second time: neither can be wrong alone.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import TextClause, text

# The journal under a key: why it was written, and its legs by path.
_UNDER: Final = """
    LEFT JOIN LATERAL (
        SELECT j.id, j.reason, j.reference, j.posted_at, (
            SELECT jsonb_object_agg(coalesce(a.path, 'no account'), e.amount)
            FROM entries e LEFT JOIN accounts a ON a.id = e.account_id WHERE e.journal_id = j.id
        ) AS legs
        FROM journals j WHERE j.key = {key}
    ) {name} ON true
"""
# What comes in, to whom, and what we keep of it; zeroes are no legs.
_CREDITED: Final = """
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(l.path, l.amount) AS legs FROM (
            SELECT excise(r.fee, {at}) AS duty
        ) c
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', r.provider, CASE r.provider WHEN 'mpesa' THEN 'paybill'
                ELSE 'balance' END, lower(r.currency)), -r.amount),
            (concat_ws(':', 'user', r.subscriber_id, 'main', lower(r.currency)),
                r.amount - r.fee),
            (concat_ws(':', 'fees', {income}, lower(r.currency)), r.fee - c.duty),
            ('tax:excise:' || lower(r.currency), c.duty)
        ) AS l (path, amount)
        WHERE l.amount <> 0
    ) w
"""
_RESOLVED: Final = """
    LEFT JOIN LATERAL (
        SELECT c.id FROM suspense_cases c
        WHERE c.subject = {subject} AND c.outcome = 'credited' AND c.amount > 0 LIMIT 1
    ) s ON true
"""


def _asked(*parts: str) -> TextClause:
    """A question about rows of one table."""
    return text(" ".join(parts))


DEPOSITS: Final = _asked(
    "SELECT f.* FROM deposits r",
    _UNDER.format(key="concat_ws(':', 'deposit', r.id)", name="p"),
    _RESOLVED.format(subject="concat_ws(':', 'deposit', r.id)"),
    _CREDITED.format(
        at="coalesce(p.posted_at, r.expected_at)",
        income="CASE r.purpose WHEN 'till' THEN 'payment' ELSE 'deposit' END",
    ),
    """
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.state <> 'settled' OR s.id IS NOT NULL THEN 'no journal'
                    ELSE concat_ws(' ', 'deposit', r.reference, w.legs::text) END AS expected,
               CASE WHEN p.id IS NULL THEN 'no journal'
                    ELSE concat_ws(' ', p.reason, p.reference, p.legs::text) END AS found
    ) c
    CROSS JOIN LATERAL (
        SELECT 'deposit-differs' AS kind, r.id, c.expected, c.found,
               jsonb_build_object('reference', r.reference, 'state', r.state) AS detail
        WHERE c.expected <> c.found
    ) f
    WHERE r.id = ANY (:ids)
""",
)

PAYBILL: Final = _asked(
    "SELECT f.* FROM paybill_payments r",
    _UNDER.format(key="concat_ws(':', 'paybill', r.id)", name="p"),
    _RESOLVED.format(subject="concat_ws(':', 'paybill', r.id)"),
    _CREDITED.format(
        at="coalesce(p.posted_at, r.received_at)",
        income="CASE WHEN p.legs ? ('fees:payment:' || lower(r.currency))"
        " THEN 'payment' ELSE 'deposit' END",
    ),
    """
    LEFT JOIN LATERAL (
        SELECT x.amount FROM suspense_cases x
        WHERE x.subject = concat_ws(':', 'paybill', r.id) AND x.state <> 'closed'
    ) o ON true
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.state = 'credited' AND s.id IS NULL
                    THEN concat_ws(' ', 'deposit', r.reference, w.legs::text)
                    WHEN r.state = 'suspended'
                        OR r.state = 'unconfirmed' AND r.deposit_id IS NULL
                    THEN 'in suspense ' || r.amount
                    ELSE 'no journal' END AS expected,
               CASE WHEN p.id IS NOT NULL THEN concat_ws(' ', p.reason, p.reference, p.legs::text)
                    WHEN o.amount > 0 THEN 'in suspense ' || o.amount
                    ELSE 'no journal' END AS found
    ) c
    CROSS JOIN LATERAL (
        SELECT 'paybill-differs' AS kind, r.id, c.expected, c.found,
               jsonb_build_object('receipt', r.receipt, 'state', r.state) AS detail
        WHERE c.expected <> c.found
    ) f
    WHERE r.id = ANY (:ids)
""",
)

# Float that was taken for it, and what became of what is set aside. A payout that came to light
# after its money had come back may leave its owner owing us, or the house at a loss. What came back
# after it was paid gives everybody what was theirs, unless its owner has left: then it is a case's.
WITHDRAWALS: Final = _asked(
    "SELECT f.* FROM withdrawals r",
    _UNDER.format(key="concat_ws(':', 'withdrawal', r.id, 'send')", name="s"),
    _UNDER.format(key="concat_ws(':', 'withdrawal', r.id, 'paid')", name="p"),
    _UNDER.format(key="concat_ws(':', 'withdrawal', r.id, 'bounce')", name="b"),
    _UNDER.format(key="concat_ws(':', 'withdrawal', r.id, 'late')", name="t"),
    _UNDER.format(key="concat_ws(':', 'withdrawal', r.id, 'return')", name="x"),
    _UNDER.format(key="concat_ws(':', 'withdrawal', r.id, 'cost')", name="k"),
    """
    CROSS JOIN LATERAL (
        SELECT r.amount + r.fee + r.tariff AS total, lower(r.currency) AS currency,
               excise(r.fee, r.requested_at) AS duty,
               concat_ws(':', r.provider, CASE r.provider WHEN 'mpesa' THEN 'utility'
                   ELSE 'balance' END, lower(r.currency)) AS pot,
               concat_ws(':', r.provider, 'underway', lower(r.currency)) AS underway,
               concat_ws(':', 'costs', r.provider, lower(r.currency)) AS costs,
               EXISTS (
                   SELECT FROM suspense_cases u WHERE u.subject = concat_ws(':', 'withdrawal', r.id)
                     AND u.kind = 'not-receivable' AND u.amount = r.amount
               ) AS is_suspended
    ) n
    CROSS JOIN LATERAL (SELECT -coalesce(CAST(k.legs ->> n.costs AS bigint), 0) AS cost) g
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(l.path, l.amount) FILTER (WHERE l.name = 's') AS s,
               jsonb_object_agg(l.path, l.amount) FILTER (WHERE l.name = 'p') AS p,
               jsonb_object_agg(l.path, l.amount)
                   FILTER (WHERE l.name = 'b' AND (s.id IS NOT NULL OR l.path LIKE 'user:%')) AS b,
               jsonb_object_agg(l.path, l.amount) FILTER (WHERE l.name = 'x') AS x
        FROM (VALUES
            ('s', n.pot, r.amount),
            ('s', n.underway, -r.amount),
            ('p', concat_ws(':', 'user', r.subscriber_id, 'held', n.currency), -n.total),
            ('p', n.underway, r.amount),
            ('p', 'fees:withdrawal:' || n.currency, r.fee - n.duty),
            ('p', 'tax:excise:' || n.currency, n.duty),
            ('p', n.costs, r.tariff),
            ('b', concat_ws(':', 'user', r.subscriber_id, 'held', n.currency), -n.total),
            ('b', concat_ws(':', 'user', r.subscriber_id, 'main', n.currency), n.total),
            ('b', n.underway, r.amount),
            ('b', n.pot, -r.amount),
            ('x', concat_ws(':', 'user', r.subscriber_id, 'main', n.currency), n.total),
            ('x', 'fees:withdrawal:' || n.currency, n.duty - r.fee),
            ('x', 'tax:excise:' || n.currency, -n.duty),
            ('x', n.costs, g.cost - r.tariff),
            ('x', n.pot, -(r.amount + g.cost))
        ) AS l (name, path, amount)
        WHERE l.amount <> 0
    ) w
    CROSS JOIN LATERAL (SELECT r.state IN ('paid', 'returned') AS is_paid) o
    CROSS JOIN LATERAL (
        SELECT concat_ws(', ',
                   CASE WHEN r.sends > 0 THEN 'sending ' || w.s::text
                        ELSE 'sending ' || s.legs::text END,
                   CASE WHEN o.is_paid AND b.id IS NULL THEN 'payout ' || w.p::text END,
                   CASE WHEN r.held = 0 AND NOT (o.is_paid AND b.id IS NULL)
                        THEN 'bounce ' || w.b::text END,
                   CASE WHEN o.is_paid AND b.id IS NOT NULL THEN 'late' END,
                   CASE WHEN r.state = 'returned' AND NOT n.is_suspended
                        THEN 'return ' || w.x::text END) AS expected,
               concat_ws(', ', concat_ws(' ', s.reason, s.legs::text),
                   concat_ws(' ', p.reason, p.legs::text),
                   concat_ws(' ', b.reason, b.legs::text),
                   CASE WHEN t.legs ->> n.pot = r.amount::text
                        THEN 'late' WHEN t.id IS NOT NULL THEN t.legs::text END,
                   concat_ws(' ', x.reason, x.legs::text)) AS found
    ) c
    CROSS JOIN LATERAL (
        SELECT 'withdrawal-differs' AS kind, r.id,
               btrim(regexp_replace(c.expected, '(, )+', ', ', 'g'), ', ') AS expected,
               btrim(regexp_replace(c.found, '(, )+', ', ', 'g'), ', ') AS found,
               jsonb_build_object('reference', r.reference, 'state', r.state) AS detail
    ) f
    WHERE r.id = ANY (:ids) AND f.expected <> f.found
""",
)

# What a case put into suspense, and what was taken out for it.
SUSPENSE: Final = _asked(
    "SELECT f.* FROM suspense_cases r",
    _UNDER.format(key="concat_ws(':', 'suspense', r.id)", name="i"),
    _UNDER.format(key="concat_ws(':', 'suspense', r.id, 'out')", name="o"),
    """
    CROSS JOIN LATERAL (
        SELECT concat_ws(':', 'suspense', r.provider, lower(r.currency)) AS path
    ) n
    CROSS JOIN LATERAL (
        SELECT concat_ws(', ',
                   CASE WHEN r.amount > 0 THEN 'suspense ' || r.amount END,
                   CASE WHEN r.amount > 0 AND r.state = 'closed'
                        THEN 'resolution ' || -r.amount END) AS expected,
               concat_ws(', ',
                   i.reason || ' ' || (i.legs ->> n.path),
                   o.reason || ' ' || (o.legs ->> n.path))
                   AS found
    ) c
    CROSS JOIN LATERAL (
        SELECT 'suspense-differs' AS kind, r.id, c.expected, c.found,
               jsonb_build_object('subject', r.subject, 'state', r.state) AS detail
        WHERE c.expected <> c.found
    ) f
    WHERE r.id = ANY (:ids)
""",
)

# Asked of accounts: what stands in suspense is what its open cases say.
SUSPENDED: Final = text("""
    SELECT 'suspense-differs' AS kind, a.id, h.total || ' ' || a.currency || ' minor' AS expected,
           a.balance || ' ' || a.currency || ' minor' AS found,
           jsonb_build_object('path', a.path) AS detail
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(x.amount), 0) AS total FROM suspense_cases x
        WHERE a.path = concat_ws(':', 'suspense', x.provider, lower(x.currency))
          AND x.state <> 'closed'
    ) h
    WHERE a.id = ANY (:ids) AND a.path LIKE 'suspense:%' AND a.balance <> h.total
""")

# A journal of a rail's that no row is behind. What staff saw going from pot to pot is in the audit.
UNEXPLAINED: Final = text("""
    SELECT 'journal-unexplained' AS kind, j.id, 'what it was written for' AS expected,
           'nothing' AS found,
           jsonb_build_object('key', j.key, 'reason', j.reason, 'reference', j.reference) AS detail
    FROM journals j
    CROSS JOIN LATERAL (
        SELECT CAST(substring(j.key, '^[a-z]+:([0-9]{1,18})(:|$)') AS bigint) AS id
    ) k
    WHERE j.id = ANY (:ids) AND CASE
        WHEN j.reason = 'deposit' AND j.key LIKE 'deposit:%'
            THEN NOT EXISTS (SELECT FROM deposits d WHERE d.id = k.id)
        WHEN j.reason = 'deposit'
            THEN NOT EXISTS (
                SELECT FROM paybill_payments p WHERE j.key = concat_ws(':', 'paybill', k.id)
                  AND p.id = k.id)
        WHEN j.reason IN ('suspense', 'resolution')
            THEN NOT EXISTS (
                SELECT FROM suspense_cases c WHERE c.id = k.id AND j.key = concat_ws(':',
                    'suspense', c.id, CASE j.reason WHEN 'resolution' THEN 'out' END))
        WHEN j.reason = 'withdrawal' THEN NOT EXISTS (SELECT FROM orders o WHERE o.key = j.key)
        WHEN j.reason IN ('sending', 'payout', 'bounce', 'return')
            THEN NOT EXISTS (
                SELECT FROM withdrawals w WHERE w.id = k.id
                  AND j.key LIKE concat_ws(':', 'withdrawal', w.id, '%'))
        WHEN j.reason = 'cost'
            THEN NOT EXISTS (
                SELECT FROM deposits d WHERE d.id = k.id AND d.state = 'settled'
                  AND j.key = concat_ws(':', 'deposit', d.id, 'cost'))
             AND NOT EXISTS (
                SELECT FROM withdrawals w WHERE w.id = k.id AND w.state IN ('paid', 'returned')
                  AND j.key = concat_ws(':', 'withdrawal', w.id, 'cost'))
        WHEN j.reason = 'float'
            THEN NOT EXISTS (
                SELECT FROM audit_log l WHERE l.subject = j.key AND l.action = 'float-moved')
        ELSE false END
""")

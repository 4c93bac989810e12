"""
Why money moved: holds, vouchers and reversals against the journals that carried them out.

Expected and found are compared as a whole: minor units by account, the journal's other half too.
What belongs to an id is looked up for it (LATERAL … LIMIT 1): joined, a planner that misjudges how
few the ids are would read the whole of the other table for them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

# A journal that nobody asked for: no order, hold, batch, reversal or debt has its key.
UNEXPLAINED: Final = text("""
    SELECT 'journal-unexplained' AS kind, j.id, 'what it was written for' AS expected,
           'nothing' AS found,
           jsonb_build_object('key', j.key, 'reason', j.reason, 'reference', j.reference) AS detail
    FROM journals j
    WHERE j.id = ANY (:ids) AND CASE
        WHEN j.reason IN ('transfer', 'payment', 'exchange', 'redemption', 'payment-refund')
            THEN NOT EXISTS (SELECT FROM orders o WHERE o.key = j.key)
        WHEN j.reason IN ('hold', 'capture', 'release')
            THEN NOT EXISTS (
                SELECT FROM holds h WHERE h.id = CAST(substring(j.key, '^hold:([0-9]{1,18}):')
                    AS bigint)
                  AND j.key = concat_ws(':', 'hold', h.id,
                      CASE WHEN j.reason = 'hold' THEN 'place' ELSE 'resolve' END))
        WHEN j.reason = 'vouchers'
            THEN NOT EXISTS (SELECT FROM voucher_batches b WHERE b.journal_id = j.id)
        WHEN j.reason = 'refund'
            THEN NOT EXISTS (
                SELECT FROM voucher_batches b
                WHERE b.id = CAST(substring(j.key, '^vouchers:refund:([0-9]{1,9}):') AS integer))
        WHEN j.reason = 'reversal'
            THEN NOT EXISTS (SELECT FROM reversals r WHERE r.journal_id = j.id)
        -- Collected by staff, who signed for it: so much, from its owner to what they owed.
        WHEN j.reason = 'repayment'
            THEN NOT EXISTS (
                SELECT FROM audit_log l
                CROSS JOIN LATERAL (
                    SELECT concat_ws(':', 'user', split_part(j.key, ':', 2)) AS owner,
                           lower(l.detail ->> 'currency') AS currency,
                           CAST(l.detail ->> 'amount' AS bigint) AS amount
                ) o
                WHERE l.subject = 'subscriber:' || split_part(j.key, ':', 2)
                  AND l.action = 'debt-collected' AND l.detail ->> 'key' = j.key
                  AND jsonb_build_object(
                          concat_ws(':', o.owner, 'main', o.currency), -o.amount,
                          concat_ws(':', o.owner, 'owed', o.currency), o.amount)
                      = (SELECT jsonb_object_agg(coalesce(a.path, 'no account'), e.amount)
                         FROM entries e LEFT JOIN accounts a ON a.id = e.account_id
                         WHERE e.journal_id = j.id))
        ELSE false END
""")

# A hold's two journals, and what is on the account of all its owner's holds in its currency.
HOLDS: Final = text("""
    WITH looked AS (
        SELECT h.*, p.legs AS placed, p.reason AS placed_reason,
               r.legs AS resolved, r.reason AS resolved_reason
        FROM holds h
        LEFT JOIN LATERAL (
            SELECT j.reason, (SELECT jsonb_object_agg(e.account_id, e.amount) FROM entries e
                              WHERE e.journal_id = j.id) AS legs
            FROM journals j WHERE j.key = concat_ws(':', 'hold', h.id, 'place')
        ) p ON true
        LEFT JOIN LATERAL (
            SELECT j.reason, (SELECT jsonb_object_agg(e.account_id, e.amount) FROM entries e
                              WHERE e.journal_id = j.id) AS legs
            FROM journals j WHERE j.key = concat_ws(':', 'hold', h.id, 'resolve')
        ) r ON true
        WHERE h.id = ANY (:ids)
    ), wanted AS (
        SELECT l.*, jsonb_build_object(l.account_id, -l.amount, l.held_account_id, l.amount)
                   AS placing,
               CASE WHEN l.state = 'open' THEN NULL
                    WHEN l.state = 'captured' THEN 'capture' ELSE 'release' END AS resolving,
               CASE WHEN l.state IN ('released', 'expired')
                    THEN jsonb_build_object(l.held_account_id, -l.amount, l.account_id, l.amount)
                    WHEN l.state = 'captured'
                    THEN jsonb_build_object(l.held_account_id, -l.amount)
                        || CASE WHEN l.captured < l.amount
                                THEN jsonb_build_object(l.account_id, l.amount - l.captured)
                                ELSE '{}' END
               END AS returning
        FROM looked l
    )
    SELECT 'hold-differs' AS kind, w.id,
           concat_ws(' ', 'hold', w.placing::text, w.resolving, w.returning::text,
               CASE WHEN w.state = 'captured' THEN 'and ' || w.captured || ' elsewhere' END)
               AS expected,
           concat_ws(' ', coalesce(w.placed_reason, 'nothing'), w.placed::text, w.resolved_reason,
               w.resolved::text) AS found,
           jsonb_build_object('key', w.key, 'state', w.state) AS detail
    FROM wanted w
    WHERE (w.placed_reason, w.placed, w.resolved_reason)
            IS DISTINCT FROM ('hold', w.placing, w.resolving)
       OR w.state <> 'captured' AND w.resolved IS DISTINCT FROM w.returning
       OR w.state = 'captured'
          -- What goes on to the owner's own account is one leg with what comes back.
          AND w.resolved IS DISTINCT FROM
              jsonb_build_object(w.held_account_id, -w.amount, w.account_id, w.amount)
          AND (
            NOT w.resolved @> w.returning
            -- All that was captured, on whichever accounts it went to, a fee's among them.
            OR (SELECT sum(rest.value::bigint) IS DISTINCT FROM w.captured
                       OR min(rest.value::bigint) <= 0
                FROM jsonb_each_text(w.resolved) rest
                WHERE NOT w.returning ? rest.key))
""")

# Asked of accounts: what is set aside is what its owner's open holds, and payouts, say.
HELD: Final = text("""
    SELECT 'held-differs' AS kind, a.id, h.total || ' ' || a.currency || ' minor' AS expected,
           a.balance || ' ' || a.currency || ' minor' AS found,
           jsonb_build_object('path', a.path) AS detail
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(x.amount), 0) + (
            SELECT coalesce(sum(w.held), 0) FROM withdrawals w
            WHERE w.subscriber_id = a.holder_id AND w.currency = a.currency AND w.held > 0
        ) AS total
        FROM holds x WHERE x.held_account_id = a.id AND x.state = 'open'
    ) h
    WHERE a.id = ANY (:ids) AND a.path LIKE 'user:%:held:%' AND a.balance <> h.total
""")

# Original and mirror together leave nothing but the debt: the receiver's, and what they owe us.
REVERSALS: Final = text("""
    WITH looked AS (
        SELECT r.id, r.state, r.debt, r.journal_id, o.id AS original, m.id AS mirror, m.reason,
               m.key, k.id AS keyed,
               -- What is mirrored is the journal of the order that staff were shown.
               EXISTS (
                   SELECT FROM orders x WHERE x.id = r.order_id AND x.key = o.key
                     AND o.reason IN ('transfer', 'payment')
               ) AS is_tied
        FROM reversals r
        LEFT JOIN journals o ON o.id = r.original_id
        LEFT JOIN journals m ON m.id = r.journal_id
        LEFT JOIN LATERAL (
            SELECT x.id FROM journals x WHERE x.key = 'reversal:' || r.id LIMIT 1
        ) k ON true
        WHERE r.id = ANY (:ids)
    ), left_over AS (
        SELECT l.id,
               string_agg(
                   x.amount || CASE WHEN a.path LIKE '%:owed:%' THEN ' owed' ELSE '' END,
                   ', ' ORDER BY x.amount) AS legs
        FROM looked l
        CROSS JOIN LATERAL (
            SELECT e.account_id, sum(e.amount) AS amount FROM entries e
            WHERE e.journal_id IN (l.original, l.mirror)
            GROUP BY e.account_id HAVING sum(e.amount) <> 0
        ) x
        LEFT JOIN accounts a ON a.id = x.account_id
        GROUP BY l.id
    ), compared AS (
        SELECT l.id, l.mirror, l.state,
               CASE WHEN l.state <> 'approved' THEN 'no journal'
                    WHEN l.debt = 0 THEN 'a mirror'
                    ELSE 'a mirror but for ' || -l.debt || ' owed, ' || l.debt END AS expected,
               CASE WHEN l.original IS NULL THEN 'no original'
                    WHEN NOT l.is_tied THEN 'the journal of another order'
                    WHEN l.state <> 'approved' AND l.keyed IS NULL AND l.journal_id IS NULL
                        THEN 'no journal'
                    WHEN l.mirror IS NULL AND l.state = 'approved' THEN 'no journal'
                    WHEN l.state <> 'approved' THEN 'a journal'
                    WHEN (l.reason, l.key) IS DISTINCT FROM ('reversal', 'reversal:' || l.id)
                        THEN 'journal ' || l.key || ' for ' || l.reason
                    WHEN x.legs IS NULL THEN 'a mirror'
                    ELSE 'a mirror but for ' || x.legs END AS found
        FROM looked l LEFT JOIN left_over x ON x.id = l.id
    )
    SELECT 'reversal-differs' AS kind, c.id, c.expected, c.found,
           jsonb_build_object('journal', c.mirror, 'state', c.state) AS detail
    FROM compared c WHERE c.expected <> c.found
""")

# A batch of vouchers: what was paid for it, what went back, and which vouchers there are.
BATCHES: Final = text("""
    SELECT f.* FROM (
        SELECT b.id, b.key,
               concat_ws(', ', 'vouchers', 'vouchers:issue:' || b.key,
                   jsonb_build_object(
                       CASE WHEN b.issuer_id IS NULL
                            THEN concat_ws(':', 'vouchers:given', lower(b.currency))
                            ELSE concat_ws(':', 'user', b.issuer_id, 'main', lower(b.currency))
                       END, -b.value * b.count,
                       concat_ws(':', 'vouchers:open', lower(b.currency)), b.value * b.count
                   )::text,
                   b.count || ' vouchers', b.refunded || ' refunded for '
                       || b.refunded * b.value) AS expected,
               concat_ws(', ', j.reason, j.key,
                   (SELECT jsonb_object_agg(coalesce(a.path, 'no account'), e.amount)::text
                    FROM entries e LEFT JOIN accounts a ON a.id = e.account_id
                    WHERE e.journal_id = j.id),
                   v.count || ' vouchers', v.refunded || ' refunded for '
                       || coalesce(r.refunded, 0)) AS found
        FROM voucher_batches b
        LEFT JOIN journals j ON j.id = b.journal_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS count, count(*) FILTER (WHERE x.state = 'refunded') AS refunded
            FROM vouchers x WHERE x.batch_id = b.id
        ) v
        CROSS JOIN LATERAL (
            SELECT -sum(e.amount) AS refunded
            FROM journals x
            JOIN entries e ON e.journal_id = x.id
            JOIN accounts a ON a.id = e.account_id
                AND a.path = concat_ws(':', 'vouchers:open', lower(b.currency))
            -- All keys that begin with this batch's: a semicolon comes right after a colon.
            WHERE x.key >= concat_ws(':', 'vouchers:refund', b.id, '')
              AND x.key < concat_ws(':', 'vouchers:refund', b.id || ';')
        ) r
        WHERE b.id = ANY (:ids)
    ) b
    CROSS JOIN LATERAL (
        SELECT 'vouchers-differ' AS kind, b.id, b.expected, b.found,
               jsonb_build_object('key', b.key) AS detail
        WHERE b.expected <> b.found
    ) f
""")

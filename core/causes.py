"""
Why money moved: orders, holds, vouchers and reversals against the journals that carried them out.

Expected and found are compared as a whole: minor units by account, the journal's other half too.
What belongs to an id is looked up for it (LATERAL … LIMIT 1): joined, a planner that misjudges how
few the ids are would read the whole of the other table for them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

# What an order comes to, from its own row and what it names: the same as `core.transfers` and the
# others draft, said a second time so that neither can be wrong alone.
ORDERS: Final = text("""
    WITH asked AS (
        SELECT o.*, CAST(o.args ->> 'amount' AS bigint) AS amount,
               CAST(o.args ->> 'fee' AS bigint) AS fee, lower(o.args ->> 'currency') AS currency,
               CAST(o.args ->> 'recipient' AS bigint) AS recipient,
               -- Of a refund, whoever paid; and what it is called in the book.
               (SELECT p.subscriber_id FROM orders p
                WHERE p.reference = o.args ->> 'payment' AND p.kind = 'payment') AS payer,
               CASE o.kind WHEN 'refund' THEN 'payment-refund' ELSE o.kind END AS why,
               q.give, q.get, q.spread, b.value, lower(b.currency) AS voucher_currency,
               lower(q.give_currency) AS give_currency, lower(q.get_currency) AS get_currency,
               h.owner_id AS owner, h.amount AS held, lower(h.currency) AS held_currency,
               CASE WHEN o.kind = 'capture' THEN CAST(o.args ->> 'amount' AS bigint) ELSE 0 END
                   AS taken,
               CASE WHEN o.kind = 'capture' THEN coalesce(CAST(o.args ->> 'fee' AS bigint),
                   -- Ordered before fees were ordered with it.
                   fee('payment', h.currency, CAST(o.args ->> 'amount' AS bigint), o.placed_at))
                   ELSE 0 END AS borne,
               o.kind IN ('hold', 'capture', 'release') AS is_of_hold
        FROM orders o
        LEFT JOIN LATERAL (SELECT x.* FROM quotes x WHERE x.order_id = o.id LIMIT 1) q ON true
        -- The voucher must say, too, that this order has it.
        LEFT JOIN LATERAL (
            SELECT y.* FROM vouchers x JOIN voucher_batches y ON y.id = x.batch_id
            WHERE x.order_id = o.id AND x.state = 'redeemed'
              AND x.batch_id = CAST(o.args ->> 'batch' AS integer)
              AND x.number = CAST(o.args ->> 'number' AS integer) LIMIT 1
        ) b ON true
        LEFT JOIN LATERAL (
            SELECT x.* FROM holds x
            WHERE x.id = CAST(o.args ->> 'hold' AS bigint) AND x.beneficiary_id = o.subscriber_id
            LIMIT 1
        ) h ON true
        WHERE o.id = ANY (:ids)
    ), drafted AS (
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (
            SELECT excise(o.fee, o.placed_at) AS duty,
                   CASE WHEN o.kind = 'transfer' THEN o.fee ELSE 0 END AS by_payer
        ) c
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.currency),
                -(o.amount + c.by_payer)),
            (concat_ws(':', 'user', o.recipient, 'main', o.currency),
                o.amount - (o.fee - c.by_payer)),
            (concat_ws(':', 'fees', o.kind, o.currency), o.fee - c.duty),
            (concat_ws(':', 'tax:excise', o.currency), c.duty)
        ) AS l (path, amount)
        WHERE o.kind IN ('transfer', 'payment') AND l.amount <> 0
        UNION ALL
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (
            SELECT o.amount + o.fee + CAST(o.args ->> 'tariff' AS bigint) AS total
        ) c
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.currency), -c.total),
            (concat_ws(':', 'user', o.subscriber_id, 'held', o.currency), c.total)
        ) AS l (path, amount)
        WHERE o.kind = 'withdrawal'
        UNION ALL
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.give_currency), -o.give),
            (concat_ws(':', 'fx:liquidity', o.give_currency), o.give),
            (concat_ws(':', 'fx:liquidity', o.get_currency), -(o.get + o.spread)),
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.get_currency), o.get),
            (concat_ws(':', 'fx:spread', o.get_currency), o.spread)
        ) AS l (path, amount)
        WHERE o.kind = 'exchange' AND l.amount <> 0
        UNION ALL
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'vouchers:open', o.voucher_currency), -o.value),
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.voucher_currency), o.value)
        ) AS l (path, amount)
        WHERE o.kind = 'redemption' AND l.amount <> 0
        UNION ALL
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.currency), -o.amount),
            (concat_ws(':', 'user', o.payer, 'main', o.currency), o.amount)
        ) AS l (path, amount)
        WHERE o.kind = 'refund' AND l.amount <> 0
        UNION ALL
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.currency), -o.amount),
            (concat_ws(':', 'user', o.subscriber_id, 'held', o.currency), o.amount)
        ) AS l (path, amount)
        WHERE o.kind = 'hold'
        UNION ALL
        SELECT o.id, l.path, l.amount
        FROM asked o
        CROSS JOIN LATERAL (SELECT excise(o.borne, o.placed_at) AS duty) c
        CROSS JOIN LATERAL (VALUES
            (concat_ws(':', 'user', o.owner, 'held', o.held_currency), -o.held),
            (concat_ws(':', 'user', o.owner, 'main', o.held_currency), o.held - o.taken),
            (concat_ws(':', 'user', o.subscriber_id, 'main', o.held_currency), o.taken - o.borne),
            (concat_ws(':', 'fees:payment', o.held_currency), o.borne - c.duty),
            (concat_ws(':', 'tax:excise', o.held_currency), c.duty)
        ) AS l (path, amount)
        WHERE o.kind IN ('capture', 'release') AND l.amount <> 0
    ), wanted AS (
        SELECT id, jsonb_object_agg(path, amount) AS legs FROM drafted GROUP BY id
    ), looked AS (
        SELECT o.id, o.kind, o.why, o.reference, o.key, o.state, o.outcome, o.placed_at, o.amount,
               o.is_of_hold,
               j.id AS journal, j.reason, j.reference AS journal_reference, w.legs AS wanted,
               e.legs, e.balances
        FROM asked o
        LEFT JOIN LATERAL (
            SELECT x.* FROM journals x WHERE x.key = o.key AND NOT o.is_of_hold
            UNION ALL
            -- Its key is the hold's; what people call it is the order's.
            SELECT x.* FROM journals x WHERE x.reference = o.reference AND o.is_of_hold
            LIMIT 1
        ) j ON true
        LEFT JOIN wanted w ON w.id = o.id
        LEFT JOIN LATERAL (
            SELECT jsonb_object_agg(coalesce(x.path, 'no account'), x.amount) AS legs,
                   jsonb_object_agg(x.account_id, x.balance_after)
                       FILTER (WHERE x.balance_after IS NOT NULL) AS balances
            FROM (
                SELECT n.account_id, a.path, sum(n.amount) AS amount,
                       CASE count(*) WHEN 1 THEN max(n.balance_after) END AS balance_after
                FROM entries n LEFT JOIN accounts a ON a.id = n.account_id
                WHERE n.journal_id = j.id GROUP BY n.account_id, a.path
            ) x
        ) e ON true
    )
    SELECT f.* FROM looked o
    CROSS JOIN LATERAL (
        SELECT 'order-without-journal' AS kind, o.id, 'a journal' AS expected, 'none' AS found,
               jsonb_build_object('reference', o.reference, 'key', o.key) AS detail
        WHERE o.state = 'done' AND o.journal IS NULL
        UNION ALL
        SELECT 'order-not-done', o.id, 'no journal', 'journal ' || o.journal || ', and ' || o.state,
               jsonb_build_object('reference', o.reference)
        WHERE o.state <> 'done' AND o.journal IS NOT NULL
        UNION ALL
        SELECT 'order-differs', o.id,
               concat_ws(' ', o.why, o.reference, coalesce(o.wanted::text, 'that is known')),
               concat_ws(' ', o.reason, o.journal_reference, coalesce(o.legs::text, '{}')),
               jsonb_build_object('journal', o.journal)
        WHERE o.state = 'done' AND o.journal IS NOT NULL
          AND (o.reason, o.journal_reference, o.legs)
              IS DISTINCT FROM (o.why, o.reference, o.wanted)
        UNION ALL
        SELECT 'outcome-differs', o.id, o.balances::text, o.outcome::text,
               jsonb_build_object('reference', o.reference, 'journal', o.journal)
        WHERE o.state = 'done' AND o.journal IS NOT NULL
          AND NOT o.is_of_hold  -- what is told of a hold is its row's
          AND o.outcome IS DISTINCT FROM coalesce(o.balances, '{}')
        UNION ALL
        SELECT 'refund-differs', o.id, 'what was given back of the payment', 'nothing',
               jsonb_build_object('reference', o.reference)
        WHERE o.state = 'done' AND o.kind = 'refund'
          AND NOT EXISTS (SELECT FROM refunds x WHERE x.order_id = o.id AND x.amount = o.amount)
        UNION ALL
        SELECT 'refund-differs', o.id, 'at most ' || o.amount, 'refunds of ' || x.total,
               jsonb_build_object('reference', o.reference)
        FROM (SELECT sum(r.amount) AS total FROM refunds r WHERE r.payment_id = o.id) x
        WHERE o.kind = 'payment' AND x.total > o.amount
        UNION ALL
        SELECT 'order-late', o.id, 'an outcome', 'none',
               jsonb_build_object('reference', o.reference, 'placed_at', o.placed_at)
        WHERE o.state = 'placed' AND o.placed_at < CAST(:now AS timestamptz) - interval '1 hour'
    ) f
""")

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

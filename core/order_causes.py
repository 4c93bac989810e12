"""
Why money moved: orders against the journals that carried them out.

As in `core.causes`, expected and found are compared as a whole, and what belongs to an id is looked
up for it.
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

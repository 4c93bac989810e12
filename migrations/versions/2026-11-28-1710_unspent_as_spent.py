"""
A payout that failed gives its owner's limits what it had used up of them: its equivalent.

What was taken from them for payouts in other currencies than the shilling, in their own minor
units, is put right. Spending is never less than nothing; the next revision looks at old rows.
"""

from __future__ import annotations

from alembic import op

revision = "unspent_as_spent"
down_revision = "strangers"
branch_labels = None
depends_on = None

# Never below nothing, whatever has become of the rates: money that comes back is not refused.
UNSPEND = """
CREATE OR REPLACE FUNCTION unspend(p_withdrawal bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE spending p
    SET amount = greatest(
            p.amount - equivalent(w.amount, w.currency, 'KES', o.placed_at), 0),
        count = greatest(p.count - 1, 0)
    FROM withdrawals w
    JOIN orders o ON o.id = w.order_id
    JOIN subscribers s ON s.id = w.subscriber_id
    WHERE w.id = p_withdrawal AND w.state = 'failed'
      AND p.account_id = s.account_id AND p.hour = date_trunc('hour', w.requested_at)
$$;
"""
BEFORE = """
ALTER TABLE spending DROP CONSTRAINT ck_spending_spent;
CREATE OR REPLACE FUNCTION unspend(p_withdrawal bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE spending p SET amount = p.amount - w.amount, count = p.count - 1
    FROM withdrawals w JOIN subscribers s ON s.id = w.subscriber_id
    WHERE w.id = p_withdrawal AND w.state = 'failed'
      AND p.account_id = s.account_id AND p.hour = date_trunc('hour', w.requested_at)
$$;
"""

# Under the lock that the constraint takes: nobody spends meanwhile, and few payouts are meant.
CHECKED = """
ALTER TABLE spending ADD CONSTRAINT ck_spending_spent
    CHECK (amount >= 0 AND count >= 0) NOT VALID;
"""
PUT_RIGHT = """
UPDATE spending p SET amount = greatest(p.amount + d.wrong, 0)
FROM (
    SELECT s.account_id, date_trunc('hour', w.requested_at) AS hour,
           sum(w.amount - equivalent(w.amount, w.currency, 'KES', o.placed_at))::bigint AS wrong
    FROM withdrawals w
    JOIN orders o ON o.id = w.order_id
    JOIN subscribers s ON s.id = w.subscriber_id
    JOIN journals j ON j.key = concat_ws(':', 'withdrawal', w.id, 'bounce')
    WHERE w.currency <> 'KES' AND w.state = 'failed'
    GROUP BY 1, 2
) d
WHERE p.account_id = d.account_id AND p.hour = d.hour
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (UNSPEND, CHECKED, PUT_RIGHT):
        op.execute(part)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(BEFORE)

"""
Fees and limits as dated rows, and the two functions that read them.

The first tariff has always been in force. Nairobi's clock decides which day a
transfer counts in. New tables: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "tariffs"
down_revision = "ledger"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE fee_tiers (
    kind text NOT NULL,
    currency text NOT NULL,
    valid_from timestamptz NOT NULL,
    amount_from bigint NOT NULL,
    flat bigint NOT NULL,
    basis_points integer NOT NULL,
    CONSTRAINT pk_fee_tiers PRIMARY KEY (kind, currency, valid_from, amount_from)
);

CREATE TABLE limits (
    kind text NOT NULL,
    currency text NOT NULL,
    valid_from timestamptz NOT NULL,
    order_min bigint NOT NULL,
    order_max bigint NOT NULL,
    day_max bigint NOT NULL,
    hour_count_max integer NOT NULL,
    CONSTRAINT pk_limits PRIMARY KEY (kind, currency, valid_from)
);

CREATE TABLE spending (
    account_id bigint NOT NULL
        CONSTRAINT fk_spending_account_id REFERENCES accounts (id),
    hour timestamptz NOT NULL,
    amount bigint NOT NULL,
    count integer NOT NULL,
    CONSTRAINT pk_spending PRIMARY KEY (account_id, hour)
) WITH (fillfactor = 50);
"""

# Cents. Sending up to KES 100 is free. The limits are the Central Bank of Kenya's of 2023:
# 250,000 a transaction, 500,000 a day.
FIRST_TARIFF = """
INSERT INTO fee_tiers VALUES
    ('transfer', 'KES', '2020-01-01', 1, 0, 0),
    ('transfer', 'KES', '2020-01-01', 10001, 500, 0),
    ('transfer', 'KES', '2020-01-01', 100001, 1500, 0),
    ('transfer', 'KES', '2020-01-01', 500001, 3000, 0),
    ('transfer', 'KES', '2020-01-01', 2000001, 6000, 0);
INSERT INTO accounts (path, currency, mode) VALUES ('fees:transfer:kes', 'KES', 'record');
INSERT INTO limits VALUES
    ('transfer', 'KES', '2020-01-01', 100, 25000000, 50000000, 60);
"""

FUNCTIONS = """
CREATE FUNCTION fee(p_kind text, p_currency text, p_amount bigint, p_at timestamptz)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT t.flat + (t.basis_points * p_amount + 9999) / 10000
    FROM fee_tiers t
    WHERE t.kind = p_kind AND t.currency = p_currency AND t.amount_from <= p_amount
      AND t.valid_from = (
        SELECT max(v.valid_from) FROM fee_tiers v
        WHERE v.kind = p_kind AND v.currency = p_currency AND v.valid_from <= p_at)
    ORDER BY t.amount_from DESC LIMIT 1
$$;

CREATE FUNCTION limit_refusal(p_kind text, p_account bigint, p_amount bigint, p_at timestamptz)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    due limits;
    day timestamptz := date_trunc('day', p_at AT TIME ZONE 'Africa/Nairobi')
        AT TIME ZONE 'Africa/Nairobi';
    spent bigint;
    ordered integer;
BEGIN
    SELECT l.* INTO due FROM limits l JOIN accounts a ON a.currency = l.currency
    WHERE a.id = p_account AND l.kind = p_kind AND l.valid_from <= p_at
    ORDER BY l.valid_from DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no limits for % of account %', p_kind, p_account;
    END IF;
    IF p_amount < due.order_min THEN
        RETURN jsonb_build_object('code', 'amount-too-small', 'least', due.order_min);
    END IF;
    IF p_amount > due.order_max THEN
        RETURN jsonb_build_object('code', 'amount-too-large', 'most', due.order_max);
    END IF;
    SELECT coalesce(sum(s.amount), 0),
           coalesce(sum(s.count) FILTER (WHERE s.hour = date_trunc('hour', p_at)), 0)
    INTO spent, ordered
    FROM spending s WHERE s.account_id = p_account AND s.hour >= day;
    IF ordered >= due.hour_count_max THEN
        RETURN jsonb_build_object('code', 'too-many-transfers', 'count_max', due.hour_count_max);
    END IF;
    IF spent + p_amount > due.day_max THEN
        RETURN jsonb_build_object('code', 'daily-limit-reached',
            'limit', due.day_max, 'left', greatest(due.day_max - spent, 0));
    END IF;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(FIRST_TARIFF)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION limit_refusal, fee")
    op.execute("DROP TABLE spending, limits, fee_tiers")
    op.execute("DELETE FROM accounts WHERE path = 'fees:transfer:kes'")

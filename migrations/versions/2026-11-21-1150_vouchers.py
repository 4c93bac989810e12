"""
Vouchers: batches that are paid for, and what became of each voucher. New tables: safe under load.

No code is in any of them: only its keyed hash. A batch names the journal that paid for it, and a
voucher leaves `open` once; the database holds both.
"""

from __future__ import annotations

from alembic import op

revision = "vouchers"
down_revision = "audit_log"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE voucher_batches (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_voucher_batches PRIMARY KEY,
    key text COLLATE "C" NOT NULL CONSTRAINT uq_voucher_batches_key UNIQUE,
    issuer_id bigint CONSTRAINT fk_voucher_batches_issuer_id REFERENCES subscribers (id),
    currency text NOT NULL,
    value bigint NOT NULL CONSTRAINT ck_voucher_batches_value CHECK (value > 0),
    count integer NOT NULL CONSTRAINT ck_voucher_batches_count CHECK (count > 0),
    salt bytea NOT NULL,
    key_id text NOT NULL,
    journal_id bigint NOT NULL CONSTRAINT uq_voucher_batches_journal_id UNIQUE
        CONSTRAINT fk_voucher_batches_journal_id REFERENCES journals (id),
    issued_by text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    closed_at timestamptz,
    refunded integer NOT NULL DEFAULT 0,
    CONSTRAINT ck_voucher_batches_refunded CHECK (refunded BETWEEN 0 AND count),
    CONSTRAINT ck_voucher_batches_expires_at CHECK (expires_at > issued_at)
);
CREATE INDEX ix_voucher_batches_open ON voucher_batches (expires_at) WHERE closed_at IS NULL;

CREATE TABLE vouchers (
    batch_id integer NOT NULL CONSTRAINT fk_vouchers_batch_id REFERENCES voucher_batches (id),
    number integer NOT NULL,
    code_hash bytea NOT NULL CONSTRAINT uq_vouchers_code_hash UNIQUE,
    state text NOT NULL DEFAULT 'open' CONSTRAINT ck_vouchers_state
        CHECK (state IN ('open', 'redeemed', 'refunded')),
    order_id bigint CONSTRAINT uq_vouchers_order_id UNIQUE
        CONSTRAINT fk_vouchers_order_id REFERENCES orders (id),
    resolved_at timestamptz,
    CONSTRAINT pk_vouchers PRIMARY KEY (batch_id, number),
    CONSTRAINT ck_vouchers_resolved CHECK (
        (state = 'redeemed') = (order_id IS NOT NULL) AND (state = 'open') = (resolved_at IS NULL))
);
CREATE INDEX ix_vouchers_open ON vouchers (batch_id, number) WHERE state = 'open';

CREATE TABLE voucher_tries (
    subscriber_id bigint NOT NULL CONSTRAINT pk_voucher_tries PRIMARY KEY
        CONSTRAINT fk_voucher_tries_subscriber_id REFERENCES subscribers (id),
    wrong_tries integer NOT NULL DEFAULT 0,
    first_at timestamptz NOT NULL
);
"""

# What was resolved, or issued, is never changed back, and no row of either ever goes.
TRIGGERS = """
CREATE FUNCTION refuse_voucher_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % was issued and is not changed, or was resolved: that is final',
        TG_TABLE_NAME, to_jsonb(OLD) - 'code_hash' - 'salt';
END $$;
CREATE TRIGGER resolution_is_final BEFORE UPDATE ON vouchers
    FOR EACH ROW WHEN (OLD.state <> 'open'
        OR (OLD.batch_id, OLD.number, OLD.code_hash)
            IS DISTINCT FROM (NEW.batch_id, NEW.number, NEW.code_hash))
    EXECUTE FUNCTION refuse_voucher_change();
CREATE TRIGGER issue_is_final BEFORE UPDATE ON voucher_batches
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL
        OR OLD.cancelled_at IS DISTINCT FROM NEW.cancelled_at AND OLD.cancelled_at IS NOT NULL
        OR NEW.refunded < OLD.refunded
        OR to_jsonb(OLD) - 'cancelled_at' - 'closed_at' - 'refunded'
            <> to_jsonb(NEW) - 'cancelled_at' - 'closed_at' - 'refunded')
    EXECUTE FUNCTION refuse_voucher_change();
CREATE TRIGGER kept BEFORE DELETE ON vouchers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON vouchers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON voucher_batches
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON voucher_batches
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# A door may look one code up, and list none: with the servers' key, a list could be guessed from.
LOOKUP = """
CREATE FUNCTION voucher_of(p_code_hash bytea) RETURNS TABLE (
    batch_id integer, number integer, state text, value bigint, currency text,
    expires_at timestamptz, cancelled_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT v.batch_id, v.number, v.state, b.value, b.currency, b.expires_at, b.cancelled_at
    FROM vouchers v JOIN voucher_batches b ON b.id = v.batch_id
    WHERE v.code_hash = p_code_hash
$$;
REVOKE EXECUTE ON FUNCTION voucher_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION voucher_of TO kabambe_web, kabambe_worker;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE (cancelled_at, closed_at, refunded)
    ON voucher_batches TO kabambe_worker;
GRANT SELECT, INSERT (batch_id, number, code_hash), UPDATE (state, order_id, resolved_at)
    ON vouchers TO kabambe_worker;
GRANT SELECT, INSERT, UPDATE (wrong_tries, first_at) ON voucher_tries
    TO kabambe_web, kabambe_worker;
"""

# Cents. A merchant pays a whole batch at once, within the day's limit. What comes in by a voucher
# is no spending: it counts for the hour's number, and `ceiling_refusal` sees to what may be held.
LIMITS = """
INSERT INTO limits (kind, holder, tier, currency, valid_from, order_min, order_max, day_max,
    hour_count_max, month_max, balance_max)
SELECT 'vouchers', holder, tier, currency, valid_from, order_min, day_max, day_max,
    hour_count_max, month_max, balance_max
FROM limits WHERE kind = 'transfer' AND holder = 'merchant';
INSERT INTO limits (kind, holder, tier, currency, valid_from, order_min, order_max, day_max,
    hour_count_max, month_max, balance_max)
SELECT 'redemption', holder, tier, currency, valid_from, 0, order_max, 1000000000000000,
    hour_count_max, 1000000000000000, balance_max
FROM limits WHERE kind = 'transfer';
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLES, TRIGGERS, LOOKUP, GRANTS, LIMITS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DELETE FROM limits WHERE kind IN ('vouchers', 'redemption')")
    op.execute("DROP FUNCTION voucher_of")
    op.execute("DROP TABLE voucher_tries, vouchers, voucher_batches")
    op.execute("DROP FUNCTION refuse_voucher_change")

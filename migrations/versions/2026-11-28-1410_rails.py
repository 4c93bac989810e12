"""
Money in and out over payment rails: deposits, what was paid to our paybill, withdrawals, receipts.

Each row's state goes one way, by triggers too. What stands in suspense is a case each. New
tables: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "rails"
down_revision = "letters_as_they_came"
branch_labels = None
depends_on = None

# Payers and payees are E.164 where we chose them; of a paybill they are what the provider tells:
# masked, or a digest. A token is kept as its SHA-256. `held` is what is set aside for a payout.
TABLES = """
CREATE TABLE deposits (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_deposits PRIMARY KEY,
    key text COLLATE "C" NOT NULL CONSTRAINT uq_deposits_key UNIQUE,
    reference text NOT NULL CONSTRAINT uq_deposits_reference UNIQUE,
    provider text NOT NULL,
    purpose text NOT NULL CONSTRAINT ck_deposits_purpose CHECK (purpose IN ('own', 'till')),
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_deposits_subscriber_id REFERENCES subscribers (id),
    payer text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    fee bigint NOT NULL,
    state text NOT NULL DEFAULT 'expected' CONSTRAINT ck_deposits_state
        CHECK (state IN ('expected', 'prompting', 'prompted', 'unsure', 'settled', 'failed',
            'expired', 'review', 'duplicate')),
    expected_at timestamptz NOT NULL,
    prompt_at timestamptz NOT NULL,
    begun_at timestamptz,
    token_hash bytea CONSTRAINT uq_deposits_token_hash UNIQUE,
    provider_ref text,
    asks integer NOT NULL DEFAULT 0,
    next_ask_at timestamptz,
    claimed_receipt text,
    receipt text,
    code text,
    why text,
    ended_at timestamptz,
    CONSTRAINT ck_deposits_amount CHECK (amount > 0 AND fee >= 0 AND fee < amount),
    CONSTRAINT ck_deposits_begun CHECK ((begun_at IS NULL) = (token_hash IS NULL))
);
CREATE INDEX ix_deposits_expected ON deposits (prompt_at) WHERE state = 'expected';
CREATE INDEX ix_deposits_open ON deposits (begun_at)
    WHERE state IN ('prompting', 'prompted', 'unsure', 'expired');
CREATE INDEX ix_deposits_asked ON deposits (next_ask_at) WHERE next_ask_at IS NOT NULL;
CREATE INDEX ix_deposits_payer ON deposits (payer, expected_at);
CREATE INDEX ix_deposits_subscriber_id ON deposits (subscriber_id, id);
CREATE UNIQUE INDEX uq_deposits_provider_ref ON deposits (provider, provider_ref)
    WHERE provider_ref IS NOT NULL;

CREATE TABLE paybill_payments (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_paybill_payments PRIMARY KEY,
    provider text NOT NULL,
    receipt text NOT NULL,
    reference text NOT NULL CONSTRAINT uq_paybill_payments_reference UNIQUE,
    account text NOT NULL,
    payer text NOT NULL,
    subscriber_id bigint
        CONSTRAINT fk_paybill_payments_subscriber_id REFERENCES subscribers (id),
    deposit_id bigint CONSTRAINT fk_paybill_payments_deposit_id REFERENCES deposits (id),
    currency text NOT NULL,
    amount bigint NOT NULL CONSTRAINT ck_paybill_payments_amount CHECK (amount > 0),
    fee bigint NOT NULL DEFAULT 0,
    state text NOT NULL CONSTRAINT ck_paybill_payments_state
        CHECK (state IN ('unconfirmed', 'credited', 'suspended', 'duplicate', 'returned',
            'struck')),
    paid_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    CONSTRAINT uq_paybill_payments_receipt UNIQUE (provider, receipt)
);
CREATE INDEX ix_paybill_payments_unconfirmed ON paybill_payments (received_at)
    WHERE state = 'unconfirmed';
CREATE INDEX ix_paybill_payments_subscriber_id ON paybill_payments (subscriber_id, id);

CREATE TABLE withdrawals (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_withdrawals PRIMARY KEY,
    order_id bigint NOT NULL CONSTRAINT uq_withdrawals_order_id UNIQUE
        CONSTRAINT fk_withdrawals_order_id REFERENCES orders (id),
    reference text NOT NULL CONSTRAINT uq_withdrawals_reference UNIQUE,
    provider text NOT NULL,
    purpose text NOT NULL
        CONSTRAINT ck_withdrawals_purpose CHECK (purpose IN ('own', 'settlement')),
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_withdrawals_subscriber_id REFERENCES subscribers (id),
    payee text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CONSTRAINT ck_withdrawals_amount CHECK (amount > 0),
    fee bigint NOT NULL CONSTRAINT ck_withdrawals_fee CHECK (fee >= 0),
    tariff bigint NOT NULL CONSTRAINT ck_withdrawals_tariff CHECK (tariff >= 0),
    held bigint NOT NULL,
    conversation text NOT NULL CONSTRAINT uq_withdrawals_conversation UNIQUE,
    state text NOT NULL DEFAULT 'requested' CONSTRAINT ck_withdrawals_state
        CHECK (state IN ('requested', 'sending', 'sent', 'unsure', 'paid', 'failed', 'review')),
    requested_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    begun_at timestamptz,
    sends integer NOT NULL DEFAULT 0,
    provider_ref text,
    asks integer NOT NULL DEFAULT 0,
    next_ask_at timestamptz,
    not_found integer NOT NULL DEFAULT 0,
    not_found_from timestamptz,
    delay_told_at timestamptz,
    receipt text,
    payee_name text,
    code text,
    why text,
    ended_at timestamptz,
    CONSTRAINT ck_withdrawals_held CHECK (held IN (0, amount + fee + tariff)
        AND (held > 0 OR state IN ('paid', 'failed', 'review')))
);
CREATE INDEX ix_withdrawals_requested ON withdrawals (due_at, id) WHERE state = 'requested';
CREATE INDEX ix_withdrawals_open ON withdrawals (begun_at)
    WHERE state IN ('sending', 'sent', 'unsure');
CREATE INDEX ix_withdrawals_asked ON withdrawals (next_ask_at) WHERE next_ask_at IS NOT NULL;
CREATE INDEX ix_withdrawals_subscriber_id ON withdrawals (subscriber_id, id);
CREATE INDEX ix_withdrawals_held ON withdrawals (subscriber_id) WHERE held > 0;
CREATE INDEX ix_withdrawals_provider_ref ON withdrawals (provider, provider_ref);

CREATE TABLE withdrawal_tokens (
    token_hash bytea NOT NULL CONSTRAINT pk_withdrawal_tokens PRIMARY KEY,
    withdrawal_id bigint NOT NULL
        CONSTRAINT fk_withdrawal_tokens_withdrawal_id REFERENCES withdrawals (id)
);

CREATE TABLE receipts (
    provider text NOT NULL,
    code text NOT NULL,
    source text NOT NULL
        CONSTRAINT ck_receipts_source CHECK (source IN ('deposit', 'paybill', 'withdrawal')),
    source_id bigint NOT NULL,
    used_at timestamptz NOT NULL,
    CONSTRAINT pk_receipts PRIMARY KEY (provider, code),
    CONSTRAINT uq_receipts_source UNIQUE (source, source_id)
);

CREATE TABLE suspense_cases (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_suspense_cases PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    provider text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL DEFAULT 0 CONSTRAINT ck_suspense_cases_amount CHECK (amount >= 0),
    receipt text,
    subscriber_id bigint
        CONSTRAINT fk_suspense_cases_subscriber_id REFERENCES subscribers (id),
    evidence jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CONSTRAINT ck_suspense_cases_state
        CHECK (state IN ('open', 'returning', 'closed')),
    outcome text,
    closed_at timestamptz,
    closed_by text,
    note text,
    CONSTRAINT ck_suspense_cases_closed
        CHECK ((state = 'closed') = (closed_by IS NOT NULL AND outcome IS NOT NULL))
);
CREATE UNIQUE INDEX uq_suspense_cases_open ON suspense_cases (subject) WHERE state <> 'closed';
CREATE INDEX ix_suspense_cases_subject ON suspense_cases (subject);
CREATE INDEX ix_suspense_cases_subscriber_id ON suspense_cases (subscriber_id)
    WHERE state <> 'closed';

CREATE TABLE breakers (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_breakers PRIMARY KEY,
    provider text NOT NULL,
    opened_at timestamptz NOT NULL,
    code text NOT NULL,
    why text NOT NULL,
    until timestamptz,
    closed_at timestamptz,
    closed_by text,
    note text
);
CREATE UNIQUE INDEX uq_breakers_open ON breakers (provider) WHERE closed_at IS NULL;

CREATE TABLE provider_balances (
    provider text NOT NULL,
    account text NOT NULL,
    currency text NOT NULL,
    available bigint NOT NULL,
    told_at timestamptz NOT NULL,
    CONSTRAINT pk_provider_balances PRIMARY KEY (provider, account, currency)
);

CREATE TABLE inquiries (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_inquiries PRIMARY KEY,
    provider text NOT NULL,
    kind text NOT NULL
        CONSTRAINT ck_inquiries_kind CHECK (kind IN ('status', 'balance', 'reversal')),
    subject text NOT NULL,
    token_hash bytea NOT NULL CONSTRAINT uq_inquiries_token_hash UNIQUE,
    provider_ref text,
    asked_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'asking' CONSTRAINT ck_inquiries_state
        CHECK (state IN ('asking', 'asked', 'answered', 'failed', 'lost')),
    answered_at timestamptz,
    why text
);
CREATE INDEX ix_inquiries_open ON inquiries (asked_at) WHERE state IN ('asking', 'asked');
CREATE INDEX ix_inquiries_subject ON inquiries (subject, id);
CREATE INDEX ix_inquiries_provider_ref ON inquiries (provider, provider_ref);

CREATE TABLE merchant_settlements (
    subscriber_id bigint NOT NULL CONSTRAINT pk_merchant_settlements PRIMARY KEY
        CONSTRAINT fk_merchant_settlements_subscriber_id REFERENCES subscribers (id),
    is_daily boolean NOT NULL,
    changed_at timestamptz NOT NULL,
    settled_on date
);
CREATE INDEX ix_merchant_settlements_daily ON merchant_settlements (subscriber_id)
    WHERE is_daily;
"""

# Where a row may go from where it is. What it is about is never changed.
TRIGGERS = """
CREATE FUNCTION refuse_rail_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is %: it does not become %, nor about something else',
        TG_TABLE_NAME, OLD.id, OLD.state, NEW.state;
END $$;
CREATE TRIGGER states_go_one_way BEFORE UPDATE ON deposits FOR EACH ROW WHEN (
    (OLD.id, OLD.key, OLD.reference, OLD.provider, OLD.purpose, OLD.subscriber_id, OLD.payer,
        OLD.currency, OLD.amount, OLD.fee, OLD.expected_at)
    IS DISTINCT FROM
    (NEW.id, NEW.key, NEW.reference, NEW.provider, NEW.purpose, NEW.subscriber_id, NEW.payer,
        NEW.currency, NEW.amount, NEW.fee, NEW.expected_at)
    OR OLD.begun_at IS NOT NULL AND (OLD.begun_at, OLD.token_hash)
        IS DISTINCT FROM (NEW.begun_at, NEW.token_hash)
    OR OLD.receipt IS NOT NULL AND OLD.receipt IS DISTINCT FROM NEW.receipt
    OR OLD.state <> NEW.state AND NOT CASE OLD.state
        WHEN 'expected' THEN NEW.state IN ('prompting', 'settled', 'duplicate', 'expired', 'review')
        WHEN 'prompting' THEN NEW.state <> 'expected'
        WHEN 'prompted' THEN NEW.state NOT IN ('expected', 'prompting', 'unsure')
        WHEN 'unsure' THEN NEW.state NOT IN ('expected', 'prompting')
        WHEN 'expired' THEN NEW.state IN ('settled', 'failed', 'review', 'duplicate')
        WHEN 'failed' THEN NEW.state = 'review'
        WHEN 'review' THEN NEW.state IN ('settled', 'failed')
        ELSE false END)
    EXECUTE FUNCTION refuse_rail_change();
CREATE TRIGGER states_go_one_way BEFORE UPDATE ON paybill_payments FOR EACH ROW WHEN (
    (OLD.id, OLD.provider, OLD.receipt, OLD.reference, OLD.account, OLD.payer, OLD.currency,
        OLD.amount, OLD.paid_at, OLD.received_at)
    IS DISTINCT FROM
    (NEW.id, NEW.provider, NEW.receipt, NEW.reference, NEW.account, NEW.payer, NEW.currency,
        NEW.amount, NEW.paid_at, NEW.received_at)
    OR OLD.state <> NEW.state AND NOT CASE OLD.state
        WHEN 'unconfirmed' THEN true
        WHEN 'suspended' THEN NEW.state IN ('credited', 'duplicate', 'returned', 'struck')
        ELSE false END)
    EXECUTE FUNCTION refuse_rail_change();
CREATE TRIGGER states_go_one_way BEFORE UPDATE ON withdrawals FOR EACH ROW WHEN (
    (OLD.id, OLD.order_id, OLD.reference, OLD.provider, OLD.purpose, OLD.subscriber_id, OLD.payee,
        OLD.currency, OLD.amount, OLD.fee, OLD.tariff, OLD.conversation, OLD.requested_at)
    IS DISTINCT FROM
    (NEW.id, NEW.order_id, NEW.reference, NEW.provider, NEW.purpose, NEW.subscriber_id, NEW.payee,
        NEW.currency, NEW.amount, NEW.fee, NEW.tariff, NEW.conversation, NEW.requested_at)
    OR OLD.held = 0 AND NEW.held <> 0
    OR OLD.receipt IS NOT NULL AND OLD.receipt IS DISTINCT FROM NEW.receipt
    OR OLD.state <> NEW.state AND NOT CASE OLD.state
        WHEN 'requested' THEN NEW.state IN ('sending', 'failed', 'review')
        WHEN 'sending' THEN true
        WHEN 'sent' THEN NEW.state IN ('sending', 'unsure', 'paid', 'failed', 'review')
        WHEN 'unsure' THEN NEW.state IN ('sending', 'sent', 'paid', 'failed', 'review')
        WHEN 'failed' THEN NEW.state = 'review'
        WHEN 'review' THEN NEW.state IN ('paid', 'failed')
        ELSE false END)
    EXECUTE FUNCTION refuse_rail_change();
CREATE TRIGGER closing_is_final BEFORE UPDATE ON suspense_cases
    FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION refuse_reopening();

CREATE FUNCTION refuse_breaker_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'breaker % was closed: that is final', OLD.id;
END $$;
CREATE TRIGGER closing_is_final BEFORE UPDATE ON breakers
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_breaker_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON receipts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
KEPT = ("deposits", "paybill_payments", "withdrawals", "suspense_cases", "breakers")
KEEPING = """
CREATE TRIGGER kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# Whether money that has come in may be given to somebody, asked under the locks under which it will
# be: of their account, and of the others that the same journal touches, in id order.
ARRIVAL = """
CREATE FUNCTION arrival_refusal(
    p_account bigint, p_others bigint[], p_amount bigint, p_at timestamptz
) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found record;
BEGIN
    PERFORM FROM accounts WHERE id = ANY (p_others || p_account) AND mode = 'authorise'
        ORDER BY id FOR NO KEY UPDATE;
    SELECT a.balance, s.closed_at INTO found
    FROM accounts a LEFT JOIN subscribers s ON s.id = a.holder_id WHERE a.id = p_account;
    IF found.closed_at IS NOT NULL THEN
        RETURN jsonb_build_object('code', 'account-closed');
    END IF;
    RETURN ceiling_refusal(p_account, found.balance + p_amount, p_at, '{}', '{}');
END $$;
REVOKE EXECUTE ON FUNCTION arrival_refusal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION arrival_refusal TO kabambe_worker;
"""

# A payout that failed has used up nothing of its owner's limits.
UNSPENT = """
CREATE FUNCTION unspend(p_withdrawal bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE spending p SET amount = p.amount - w.amount, count = p.count - 1
    FROM withdrawals w JOIN subscribers s ON s.id = w.subscriber_id
    WHERE w.id = p_withdrawal AND w.state = 'failed'
      AND p.account_id = s.account_id AND p.hour = date_trunc('hour', w.requested_at)
$$;
REVOKE EXECUTE ON FUNCTION unspend FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unspend TO kabambe_worker;
"""

GRANTS = """
GRANT SELECT ON deposits, paybill_payments, withdrawals, withdrawal_tokens, inquiries, breakers,
    merchant_settlements TO kabambe_web;
GRANT INSERT (key, reference, provider, purpose, subscriber_id, payer, currency, amount, fee,
    expected_at, prompt_at) ON deposits TO kabambe_web, kabambe_worker;
GRANT INSERT (subscriber_id, is_daily, changed_at), UPDATE (is_daily, changed_at)
    ON merchant_settlements TO kabambe_web;

GRANT SELECT ON deposits, paybill_payments, withdrawals, withdrawal_tokens, receipts,
    suspense_cases, breakers, provider_balances, inquiries, merchant_settlements
    TO kabambe_worker;
GRANT UPDATE (state, prompt_at, begun_at, token_hash, provider_ref, asks, next_ask_at,
    claimed_receipt, receipt, code, why, ended_at) ON deposits TO kabambe_worker;
GRANT INSERT (provider, receipt, reference, account, payer, subscriber_id, deposit_id, currency,
    amount, fee, state, paid_at, received_at, confirmed_at),
    UPDATE (state, subscriber_id, deposit_id, fee, confirmed_at)
    ON paybill_payments TO kabambe_worker;
GRANT INSERT (order_id, reference, provider, purpose, subscriber_id, payee, currency, amount, fee,
    tariff, held, conversation, requested_at, due_at),
    UPDATE (state, held, due_at, begun_at, sends, provider_ref, asks, next_ask_at,
    not_found, not_found_from, delay_told_at, receipt, payee_name, code, why, ended_at)
    ON withdrawals TO kabambe_worker;
GRANT INSERT ON receipts, withdrawal_tokens TO kabambe_worker;
GRANT INSERT (kind, subject, provider, currency, amount, receipt, subscriber_id, evidence,
    opened_at), UPDATE (amount, kind, receipt, subscriber_id, evidence, state, outcome, closed_at,
    closed_by, note) ON suspense_cases TO kabambe_worker;
GRANT INSERT (provider, opened_at, code, why, until),
    UPDATE (until, closed_at, closed_by, note) ON breakers TO kabambe_worker;
GRANT INSERT, UPDATE ON provider_balances TO kabambe_worker;
GRANT INSERT (provider, kind, subject, token_hash, asked_at),
    UPDATE (provider_ref, state, answered_at, why) ON inquiries TO kabambe_worker;
GRANT UPDATE (settled_on) ON merchant_settlements TO kabambe_worker;
"""

BEFORE = """
DROP TABLE merchant_settlements, inquiries, provider_balances, breakers, suspense_cases, receipts,
    withdrawal_tokens, withdrawals, paybill_payments, deposits;
DROP FUNCTION refuse_rail_change, refuse_breaker_change, arrival_refusal, unspend;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLES, TRIGGERS, ARRIVAL, UNSPENT, GRANTS):
        op.execute(part)
    for table in KEPT:
        op.execute(KEEPING.format(table=table))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(BEFORE)

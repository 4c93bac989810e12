"""
Kinds of account holder and their tiers, wallet and till numbers, fees in per cent, excise duty.

Fees and limits in other currencies go by reference rates: dated rows too, so that what is quoted
at one moment is charged the next, whatever the market does in between.

Whoever has an account already keeps the limits they had: they count as verified. Rewrites
`subscribers`: run it when few people are about.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "holders"
down_revision = "letters_tried"
branch_labels = None
depends_on = None

# Both numbers end in a check digit (Luhn, ISO/IEC 7812-1 annex B), which tells any wrong digit and
# nearly any two that changed places. Ids are spread over all numbers: 736,338,717 and 387,419 have
# no divisor in common with a power of ten, so no two ids share one, and neighbours do not look it.
NUMBERS = """
CREATE FUNCTION check_digit(p_digits text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT ((10 - sum(CASE WHEN place % 2 = 1 THEN d / 5 + 2 * d % 10 ELSE d END) % 10) % 10)::text
    FROM (
        SELECT substr(p_digits, length(p_digits) - n + 1, 1)::integer AS d, n AS place
        FROM generate_series(1, length(p_digits)) AS n
    ) AS digits
$$;
CREATE FUNCTION wallet_number(p_subscriber bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT body || check_digit(body) FROM (
        SELECT '384' || lpad((p_subscriber * 736338717 % 1000000000)::text, 9, '0') AS body
    ) AS x
$$;
CREATE FUNCTION till_number(p_merchant integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT body || check_digit(body) FROM (
        SELECT lpad((p_merchant::bigint * 387419 % 1000000)::text, 6, '0') AS body
    ) AS x
$$;
"""

PEOPLE = """
ALTER TABLE subscribers
    ADD COLUMN kind text NOT NULL DEFAULT 'personal'
        CONSTRAINT ck_subscribers_kind CHECK (kind IN ('personal', 'merchant')),
    ADD COLUMN tier text NOT NULL DEFAULT 'verified' CONSTRAINT ck_subscribers_tier
        CHECK (tier IN ('pending', 'verified', 'rejected', 'suspended')),
    ADD COLUMN wallet_number text NOT NULL GENERATED ALWAYS AS (wallet_number(id)) STORED
        CONSTRAINT uq_subscribers_wallet_number UNIQUE;
ALTER TABLE subscribers ALTER COLUMN tier SET DEFAULT 'pending';

CREATE TABLE merchants (
    number integer GENERATED ALWAYS AS IDENTITY (MAXVALUE 999999)
        CONSTRAINT pk_merchants PRIMARY KEY,
    subscriber_id bigint NOT NULL CONSTRAINT uq_merchants_subscriber_id UNIQUE
        CONSTRAINT fk_merchants_subscriber_id REFERENCES subscribers (id),
    till text NOT NULL GENERATED ALWAYS AS (till_number(number)) STORED
        CONSTRAINT uq_merchants_till UNIQUE,
    opened_at timestamptz NOT NULL
);

ALTER TABLE accounts ADD COLUMN holder_id bigint;
UPDATE accounts SET holder_id = split_part(path, ':', 2)::bigint WHERE path ~ '^user:[0-9]+:';
CREATE INDEX ix_accounts_holder_id ON accounts (holder_id);
ALTER TABLE accounts ADD CONSTRAINT fk_accounts_holder_id
    FOREIGN KEY (holder_id) REFERENCES subscribers (id) DEFERRABLE INITIALLY DEFERRED;
"""

# Doors may open accounts, and must not say what they may owe: who could, could print money. The
# places, their modes and bounds are the chart's (core/chart.py).
CHARTED = """
CREATE FUNCTION refuse_uncharted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.holder_id IS NOT NULL OR NEW.path LIKE 'user:%' OR current_user = 'kabambe_web')
        AND (NEW.mode = 'authorise' AND CASE NEW.path
            WHEN format('user:%s:main:%s', NEW.holder_id, lower(NEW.currency))
            THEN NEW.balance_min = 0 AND NEW.balance_max IS NULL
            WHEN format('user:%s:held:%s', NEW.holder_id, lower(NEW.currency))
            THEN NEW.balance_min = 0 AND NEW.balance_max IS NULL
            WHEN format('user:%s:owed:%s', NEW.holder_id, lower(NEW.currency))
            THEN NEW.balance_min IS NULL AND NEW.balance_max = 0
        END) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'account % is not as the chart has it', NEW.path;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER charted BEFORE INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_uncharted();

CREATE FUNCTION refuse_others_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM accounts
        WHERE id = NEW.account_id AND path = format('user:%s:main:kes', NEW.id)
    ) THEN
        RAISE EXCEPTION 'account % is not the main account of subscriber %',
            NEW.account_id, NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER own_account BEFORE INSERT ON subscribers
    FOR EACH ROW EXECUTE FUNCTION refuse_others_account();
"""

# Whole units of US dollars for one. For tiers and limits only; nobody is paid by these. In PL/pgSQL
# these functions are planned once a connection; in SQL they would be by every statement.
RATES = """
CREATE TABLE reference_rates (
    currency text NOT NULL,
    valid_from timestamptz NOT NULL,
    usd numeric(30, 18) NOT NULL CONSTRAINT ck_reference_rates_usd CHECK (usd > 0),
    CONSTRAINT pk_reference_rates PRIMARY KEY (currency, valid_from)
);
INSERT INTO reference_rates VALUES
    ('KES', '2020-01-01', 1.0 / 130), ('NGN', '2020-01-01', 1.0 / 1500), ('USD', '2020-01-01', 1),
    ('EUR', '2020-01-01', 1.1), ('GBP', '2020-01-01', 1.25), ('USDT', '2020-01-01', 1),
    ('BTC', '2020-01-01', 100000);

CREATE FUNCTION exponent(p_currency text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_currency WHEN 'BTC' THEN 8 WHEN 'USDT' THEN 6 ELSE 2 END
$$;
CREATE FUNCTION reference_usd(p_currency text, p_at timestamptz) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT usd FROM reference_rates WHERE currency = p_currency AND valid_from <= p_at
        ORDER BY valid_from DESC LIMIT 1);
END $$;
CREATE FUNCTION equivalent(p_amount bigint, p_from text, p_to text, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_from = p_to THEN p_amount ELSE ceil(round(
        p_amount * reference_usd(p_from, p_at) / reference_usd(p_to, p_at)
        * 10::numeric ^ (exponent(p_to) - exponent(p_from)), 6))::bigint END;
END $$;
"""

# From US dollar equivalents up, in cents: 2 % below a dollar, 1 %, 0.75 %, and 0.5 % from a
# thousand up; at least a cent and at most twenty dollars. A shop pays 0.5 %, at most two dollars.
FEES = """
ALTER TABLE fee_tiers ADD COLUMN fee_min bigint NOT NULL DEFAULT 0, ADD COLUMN fee_max bigint;
INSERT INTO fee_tiers (kind, currency, valid_from, amount_from, flat, basis_points, fee_min,
    fee_max) VALUES
    ('transfer', 'USD', '2026-11-01', 0, 0, 200, 1, 2000),
    ('transfer', 'USD', '2026-11-01', 100, 0, 100, 1, 2000),
    ('transfer', 'USD', '2026-11-01', 10000, 0, 75, 1, 2000),
    ('transfer', 'USD', '2026-11-01', 100000, 0, 50, 1, 2000),
    ('payment', 'USD', '2026-11-01', 0, 0, 50, 0, 200);

CREATE OR REPLACE FUNCTION fee(
    p_kind text, p_currency text, p_amount bigint, p_at timestamptz
) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT least(
        greatest(
            equivalent(t.flat, t.currency, p_currency, p_at)
                + (t.basis_points * p_amount + 9999) / 10000,
            equivalent(t.fee_min, t.currency, p_currency, p_at)),
        equivalent(t.fee_max, t.currency, p_currency, p_at))
    FROM fee_tiers t
    WHERE t.kind = p_kind
      AND (t.valid_from, t.currency) = (
        SELECT v.valid_from, v.currency FROM fee_tiers v
        WHERE v.kind = p_kind AND v.currency IN (p_currency, 'USD') AND v.valid_from <= p_at
        ORDER BY v.valid_from DESC, (v.currency = p_currency) DESC LIMIT 1)
      AND p_amount >= equivalent(t.amount_from, t.currency, p_currency, p_at)
    ORDER BY t.amount_from DESC LIMIT 1);
END $$;

CREATE TABLE excise_duty (
    valid_from timestamptz NOT NULL CONSTRAINT pk_excise_duty PRIMARY KEY,
    basis_points integer NOT NULL
);
INSERT INTO excise_duty VALUES ('2020-01-01', 1500);

CREATE FUNCTION excise(p_fee bigint, p_at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT p_fee * basis_points / (10000 + basis_points) FROM excise_duty
        WHERE valid_from <= p_at ORDER BY valid_from DESC LIMIT 1);
END $$;
"""

# Cents. Verified: the Central Bank of Kenya's of 2023. Pending: what a number alone is good for.
# What is not limited by law is limited by what a shop or a person could honestly need.
LIMITS = """
ALTER TABLE limits
    ADD COLUMN holder text NOT NULL DEFAULT 'personal',
    ADD COLUMN tier text NOT NULL DEFAULT 'verified',
    ADD COLUMN month_max bigint NOT NULL DEFAULT 500000000,
    ADD COLUMN balance_max bigint NOT NULL DEFAULT 50000000;
ALTER TABLE limits ALTER COLUMN holder DROP DEFAULT, ALTER COLUMN tier DROP DEFAULT,
    ALTER COLUMN month_max DROP DEFAULT, ALTER COLUMN balance_max DROP DEFAULT;
ALTER TABLE limits DROP CONSTRAINT pk_limits;
ALTER TABLE limits ADD CONSTRAINT pk_limits PRIMARY KEY (kind, holder, tier, currency, valid_from);
INSERT INTO limits (kind, holder, tier, currency, valid_from, order_min, order_max, day_max,
    hour_count_max, month_max, balance_max) VALUES
    ('transfer', 'personal', 'pending', 'KES', '2020-01-01', 100, 7000000, 14000000, 30,
        50000000, 14000000),
    ('transfer', 'merchant', 'pending', 'KES', '2020-01-01', 100, 7000000, 14000000, 60,
        100000000, 50000000),
    ('transfer', 'merchant', 'verified', 'KES', '2020-01-01', 100, 25000000, 500000000, 600,
        5000000000, 1000000000);

CREATE OR REPLACE FUNCTION limit_refusal(
    p_kind text, p_account bigint, p_amount bigint, p_at timestamptz
) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    due record;
    local timestamp := p_at AT TIME ZONE 'Africa/Nairobi';
    day timestamptz := date_trunc('day', local) AT TIME ZONE 'Africa/Nairobi';
    month timestamptz := date_trunc('month', local) AT TIME ZONE 'Africa/Nairobi';
    spent bigint;
    spent_in_month bigint;
    ordered integer;
BEGIN
    SELECT l.*, s.tier AS held_tier INTO due
    FROM accounts a
    LEFT JOIN subscribers s ON s.id = a.holder_id
    LEFT JOIN limits l ON l.currency = a.currency AND l.kind IN (p_kind, 'transfer')
        AND l.holder = coalesce(s.kind, 'personal') AND l.tier = coalesce(s.tier, 'verified')
        AND l.valid_from <= p_at
    WHERE a.id = p_account
    ORDER BY (l.kind = p_kind) DESC, l.valid_from DESC LIMIT 1;
    IF due.held_tier IN ('rejected', 'suspended') THEN
        RETURN jsonb_build_object('code', 'account-suspended');
    ELSIF due.order_max IS NULL THEN
        RAISE EXCEPTION 'no limits for % of account %', p_kind, p_account;
    END IF;
    IF p_amount < due.order_min THEN
        RETURN jsonb_build_object('code', 'amount-too-small', 'least', due.order_min);
    END IF;
    IF p_amount > due.order_max THEN
        RETURN jsonb_build_object('code', 'amount-too-large', 'most', due.order_max);
    END IF;
    SELECT coalesce(sum(s.amount) FILTER (WHERE s.hour >= day), 0), coalesce(sum(s.amount), 0),
           coalesce(sum(s.count) FILTER (WHERE s.hour = date_trunc('hour', p_at)), 0)
    INTO spent, spent_in_month, ordered
    FROM spending s WHERE s.account_id = p_account AND s.hour >= month;
    IF ordered >= due.hour_count_max THEN
        RETURN jsonb_build_object('code', 'too-many-transfers', 'count_max', due.hour_count_max);
    END IF;
    IF spent + p_amount > due.day_max THEN
        RETURN jsonb_build_object('code', 'daily-limit-reached',
            'limit', due.day_max, 'left', greatest(due.day_max - spent, 0));
    END IF;
    IF spent_in_month + p_amount > due.month_max THEN
        RETURN jsonb_build_object('code', 'monthly-limit-reached',
            'limit', due.month_max, 'left', greatest(due.month_max - spent_in_month, 0));
    END IF;
    RETURN NULL;
END $$;

-- The ceiling is for all that somebody holds, in whatever currency, set aside or not. What `post`
-- has decided but not written yet stands in p_held, by the ids in p_ids.
CREATE FUNCTION ceiling_refusal(
    p_account bigint, p_balance bigint, p_at timestamptz, p_ids bigint[], p_held bigint[]
) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    due record;
    others bigint;
BEGIN
    SELECT s.id, s.kind, s.tier, l.balance_max,
           equivalent(p_balance, a.currency, 'KES', p_at) AS balance
    INTO due
    FROM accounts a
    JOIN subscribers s ON s.id = a.holder_id
    LEFT JOIN limits l ON l.currency = 'KES' AND l.kind = 'transfer' AND l.holder = s.kind
        AND l.tier = s.tier AND l.valid_from <= p_at
    WHERE a.id = p_account
    ORDER BY l.valid_from DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;  -- nobody's
    ELSIF due.tier IN ('rejected', 'suspended') THEN
        RETURN jsonb_build_object('code', 'recipient-suspended');
    ELSIF due.balance_max IS NULL THEN
        RAISE EXCEPTION 'no ceiling for a % holder who is %', due.kind, due.tier;
    END IF;
    SELECT sum(equivalent(x.balance, x.currency, 'KES', p_at)) INTO others
    FROM (
        SELECT a.currency, coalesce(p_held[array_position(p_ids, a.id)], a.balance) AS balance
        FROM accounts a WHERE a.holder_id = due.id AND a.id <> p_account
    ) x WHERE x.balance > 0;
    IF due.balance + coalesce(others, 0) > due.balance_max THEN
        RETURN jsonb_build_object('code', 'ceiling-reached');
    END IF;
    RETURN NULL;
END $$;
"""

GRANTS = """
REVOKE INSERT ON subscribers FROM kabambe_web;
GRANT INSERT (id, msisdn, name, language, account_id, terms_version, registered_at)
    ON subscribers TO kabambe_web;
GRANT SELECT ON reference_rates, excise_duty, merchants TO kabambe_web, kabambe_worker;
GRANT INSERT (subscriber_id, opened_at) ON merchants TO kabambe_worker;
GRANT UPDATE (kind, tier) ON subscribers TO kabambe_worker;
GRANT INSERT (holder_id) ON accounts TO kabambe_web, kabambe_worker;
"""

BEFORE = """
REVOKE UPDATE (kind, tier) ON subscribers FROM kabambe_worker;
DROP FUNCTION ceiling_refusal, limit_refusal, excise, fee;
DROP TABLE excise_duty;
DELETE FROM limits WHERE (holder, tier) <> ('personal', 'verified');
ALTER TABLE limits DROP CONSTRAINT pk_limits, DROP COLUMN holder, DROP COLUMN tier,
    DROP COLUMN month_max, DROP COLUMN balance_max;
ALTER TABLE limits ADD CONSTRAINT pk_limits PRIMARY KEY (kind, currency, valid_from);
DELETE FROM fee_tiers WHERE currency = 'USD' AND valid_from = '2026-11-01';
ALTER TABLE fee_tiers DROP COLUMN fee_min, DROP COLUMN fee_max;
DROP FUNCTION equivalent, reference_usd, exponent;
DROP TABLE reference_rates, merchants;
DROP TRIGGER own_account ON subscribers;
DROP TRIGGER charted ON accounts;
DROP FUNCTION refuse_others_account, refuse_uncharted;
ALTER TABLE accounts DROP COLUMN holder_id;
ALTER TABLE subscribers DROP COLUMN wallet_number, DROP COLUMN tier, DROP COLUMN kind;
DROP FUNCTION till_number, wallet_number, check_digit;
REVOKE INSERT (id, msisdn, name, language, account_id, terms_version, registered_at)
    ON subscribers FROM kabambe_web;
GRANT INSERT ON subscribers TO kabambe_web;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (NUMBERS, PEOPLE, CHARTED, RATES, FEES, LIMITS, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute(BEFORE)
    op.execute(_revision("tariffs").FUNCTIONS)


def _revision(name: str) -> ModuleType:
    """An earlier revision: what stood before is said there."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module

"""
`post_alone` posts one journal, and nothing but a plain one; `post` is again what it was before.

Safe under load: a function is added, and one replaced.
"""

from __future__ import annotations

from alembic import op

from migrations.earlier import earlier

revision = "posted_alone"
down_revision = "moved_at_once"
branch_labels = None
depends_on = None

# Says the balance after each leg, or NULL: then nothing has moved, and `post` says why.
#
# What is not plain: an account that does not exist, a balance out of bounds, legs that do not sum
# to zero or are of several currencies, a key that was written before.
#
# Each leg is a statement of its own, as what PostgreSQL makes ready for one that takes them all
# costs more than two or three of these. Accounts are locked in id order, as `post` locks them; so
# is one that stays as it is, which `post` would lock later, behind those of higher ids.
POST_ALONE = """
CREATE FUNCTION post_alone(
    p_at timestamptz, p_key text, p_reason text, p_reference text,
    p_accounts bigint[], p_amounts bigint[]
) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    balances bigint[];
    versions bigint[];
    record_legs integer[];
    journal bigint;
    total bigint := 0;
    is_plain boolean := true;
    currency text;
    leg_balance bigint;
    leg_version bigint;
    leg_currency text;
    is_record boolean;
    record_leg integer;
BEGIN
    FOR leg IN 1 .. cardinality(p_accounts) LOOP
        UPDATE accounts a SET balance = a.balance + p_amounts[leg], version = a.version + 1
        WHERE a.id = p_accounts[leg] AND a.mode = 'authorise'
            AND (a.balance + p_amounts[leg] < a.balance_min
                OR a.balance + p_amounts[leg] > a.balance_max) IS NOT TRUE
        RETURNING a.balance, a.version, a.currency INTO leg_balance, leg_version, leg_currency;
        IF NOT FOUND THEN
            SELECT a.currency, a.mode = 'record' INTO leg_currency, is_record
            FROM accounts a WHERE a.id = p_accounts[leg];
            IF is_record THEN
                leg_version := nextval('entry_numbers');
                record_legs := record_legs || leg;
            ELSE
                is_plain := false;
                PERFORM FROM accounts a WHERE a.id = p_accounts[leg] FOR NO KEY UPDATE;
            END IF;
        END IF;
        IF leg_currency <> currency OR p_accounts[leg] <= p_accounts[leg - 1] THEN
            is_plain := false;
            IF p_accounts[leg] <= p_accounts[leg - 1] THEN  -- in here, as each look at it costs
                RAISE EXCEPTION 'accounts come in id order, each once: %', p_accounts;
            END IF;
        END IF;
        balances[leg] := leg_balance;
        versions[leg] := leg_version;
        currency := leg_currency;
        total := total + p_amounts[leg];
    END LOOP;
    IF total = 0 AND is_plain AND currency IS NOT NULL THEN
        INSERT INTO journals (key, reason, reference, posted_at)
        VALUES (p_key, p_reason, p_reference, p_at)
        ON CONFLICT (key) DO NOTHING RETURNING id INTO journal;
    END IF;
    IF journal IS NULL THEN
        UPDATE accounts a
        SET balance = a.balance - p_amounts[array_position(p_accounts, a.id)],
            version = a.version - 1
        WHERE a.id = ANY (p_accounts)
            AND a.version = versions[array_position(p_accounts, a.id)] AND a.mode = 'authorise';
        RETURN NULL;
    END IF;
    INSERT INTO entries (account_id, version, journal_id, amount, balance_after)
    SELECT unnest(p_accounts), unnest(versions), journal, unnest(p_amounts), unnest(balances);
    IF record_legs IS NOT NULL THEN
        FOREACH record_leg IN ARRAY record_legs LOOP
            INSERT INTO unrolled (account_id, version, amount)
            VALUES (p_accounts[record_leg], versions[record_leg], p_amounts[record_leg]);
        END LOOP;
    END IF;
    RETURN balances;
END $$;
"""

GRANTS = """
GRANT CREATE ON SCHEMA public TO kabambe_book;
ALTER FUNCTION post_alone OWNER TO kabambe_book;
REVOKE CREATE ON SCHEMA public FROM kabambe_book;
REVOKE EXECUTE ON FUNCTION post_alone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION post_alone TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(POST_ALONE)
    op.execute(GRANTS)
    earlier("moved_at_once").downgrade()


def downgrade() -> None:
    earlier("moved_at_once").upgrade()
    op.execute("DROP FUNCTION post_alone")

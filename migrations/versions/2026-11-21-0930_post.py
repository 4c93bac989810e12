"""
`post`, the one function that writes the book, and `roll_up` for accounts that are never locked.

Both run as their owner with a fixed search path; callers need EXECUTE and nothing on the tables.
Safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "post"
down_revision = "tariffs"
branch_labels = None
depends_on = None

# Draft i has the legs from p_leg_ends[i - 1] + 1 to p_leg_ends[i]. Every account that has bounds
# is locked before anything is read, in id order: what is checked below cannot change under us,
# and two calls may wait for each other but never deadlock.
POST = """
CREATE FUNCTION post(
    p_at timestamptz, p_keys text[], p_reasons text[], p_references text[],
    p_spenders bigint[], p_spends bigint[],
    p_leg_ends integer[], p_leg_accounts bigint[], p_leg_amounts bigint[]
) RETURNS TABLE (item integer, outcome text, detail jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    leg_first integer := 1;
    leg_accounts bigint[];
    leg_amounts bigint[];
    refusal jsonb;
    written bigint;
    journal bigint;
BEGIN
    PERFORM FROM accounts a WHERE a.id = ANY (p_leg_accounts) AND a.mode = 'authorise'
        ORDER BY a.id FOR NO KEY UPDATE;

    FOR i IN 1 .. coalesce(cardinality(p_keys), 0) LOOP
        leg_accounts := p_leg_accounts[leg_first : p_leg_ends[i]];
        leg_amounts := p_leg_amounts[leg_first : p_leg_ends[i]];
        leg_first := p_leg_ends[i] + 1;
        item := i;

        SELECT j.id INTO journal FROM journals j WHERE j.key = p_keys[i];
        IF FOUND THEN
            outcome := 'exists';
            SELECT jsonb_object_agg(e.account_id, e.balance_after)
                FILTER (WHERE e.balance_after IS NOT NULL)
            INTO detail FROM entries e WHERE e.journal_id = journal;
            RETURN NEXT;
            CONTINUE;
        END IF;

        refusal := NULL;
        IF p_spenders[i] IS NOT NULL THEN
            refusal := limit_refusal(p_reasons[i], p_spenders[i], p_spends[i], p_at);
        END IF;
        IF refusal IS NULL THEN
            SELECT jsonb_build_object('code', 'insufficient-funds', 'available',
                    abs(a.balance - CASE WHEN a.balance + l.amount < a.balance_min
                                         THEN a.balance_min ELSE a.balance_max END))
            INTO refusal
            FROM unnest(leg_accounts, leg_amounts) AS l (account, amount)
            JOIN accounts a ON a.id = l.account
            WHERE a.balance + l.amount < a.balance_min OR a.balance + l.amount > a.balance_max
            ORDER BY a.id LIMIT 1;
        END IF;
        IF refusal IS NOT NULL THEN
            outcome := refusal ->> 'code';
            detail := refusal - 'code';
            RETURN NEXT;
            CONTINUE;
        END IF;

        INSERT INTO journals (key, reason, reference, posted_at)
        VALUES (p_keys[i], p_reasons[i], p_references[i], p_at) RETURNING id INTO journal;

        WITH leg AS (
            SELECT l.account, l.amount FROM unnest(leg_accounts, leg_amounts) AS l (account, amount)
        ), moved AS (
            UPDATE accounts a SET balance = a.balance + leg.amount, version = a.version + 1
            FROM leg WHERE a.id = leg.account AND a.mode = 'authorise'
            RETURNING a.id, a.version, leg.amount, a.balance
        ), entered AS (
            INSERT INTO entries (account_id, version, journal_id, amount, balance_after)
            SELECT m.id, m.version, journal, m.amount, m.balance FROM moved m
            UNION ALL
            SELECT a.id, nextval('entry_numbers'), journal, leg.amount, NULL
            FROM leg JOIN accounts a ON a.id = leg.account AND a.mode = 'record'
            RETURNING entries.account_id, entries.version, entries.amount, entries.balance_after
        ), listed AS (
            INSERT INTO unrolled (account_id, version, amount)
            SELECT e.account_id, e.version, e.amount FROM entered e WHERE e.balance_after IS NULL
        )
        SELECT count(*), jsonb_object_agg(e.account_id, e.balance_after)
            FILTER (WHERE e.balance_after IS NOT NULL)
        INTO written, detail FROM entered e;
        IF written <> cardinality(leg_accounts) THEN
            RAISE EXCEPTION 'journal % names an account twice, or one that does not exist',
                p_keys[i];
        END IF;

        IF p_spenders[i] IS NOT NULL THEN
            INSERT INTO spending AS s (account_id, hour, amount, count)
            VALUES (p_spenders[i], date_trunc('hour', p_at), p_spends[i], 1)
            ON CONFLICT ON CONSTRAINT pk_spending DO UPDATE
            SET amount = s.amount + excluded.amount, count = s.count + 1;
        END IF;

        outcome := 'posted';
        RETURN NEXT;
    END LOOP;
END $$;
"""

ROLL_UP = """
CREATE FUNCTION roll_up(p_entries_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH next AS (
        SELECT account_id, version FROM unrolled
        ORDER BY account_id, version LIMIT p_entries_max FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM unrolled u USING next n
        WHERE u.account_id = n.account_id AND u.version = n.version
        RETURNING u.account_id, u.amount
    ), sums AS (
        SELECT account_id, sum(amount) AS amount, count(*) AS taken FROM taken GROUP BY account_id
    ), added AS (
        UPDATE accounts a SET balance = a.balance + s.amount FROM sums s WHERE a.id = s.account_id
    )
    SELECT coalesce(sum(taken), 0)::bigint FROM sums
$$;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(POST)
    op.execute(ROLL_UP)
    op.execute("REVOKE EXECUTE ON FUNCTION post, roll_up FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION roll_up, post")

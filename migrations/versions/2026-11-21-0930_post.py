"""
`post`, the one function that writes the book, and `roll_up` for accounts that are never locked.

`post` runs as `kabambe_book`, a role that may do what it does and nothing else, and that nobody
logs in as: what that role writes was checked by `post` itself, and everybody else's entries are
checked by a trigger. Both have a fixed search path; callers need EXECUTE and nothing on the tables.
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
# and two calls may wait for each other but never deadlock. Everything is then decided in memory,
# draft after draft, and written in three statements however many drafts there are.
#
# One plan for all calls: planning anew for each length of array would cost more than the work,
# and a plan made while the tables were small must not read them whole when they are not.
POST = """
CREATE FUNCTION post(
    p_at timestamptz, p_keys text[], p_reasons text[], p_references text[],
    p_spenders bigint[], p_spends bigint[],
    p_leg_ends integer[], p_leg_accounts bigint[], p_leg_amounts bigint[]
) RETURNS TABLE (item integer, outcome text, balances bigint[], detail jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    -- The locked accounts in id order, as what was accepted so far leaves them.
    ids bigint[];
    held bigint[];
    minima bigint[];
    maxima bigint[];
    versions bigint[];
    currencies text[];
    touched integer[];
    -- The others, which are never locked.
    record_ids bigint[];
    record_currencies text[];
    currency text;
    currency_before text;
    total bigint;
    mixed boolean;
    -- What will be written.
    new_journals bigint[] := '{}';
    new_items integer[] := '{}';
    entry_accounts bigint[] := '{}';
    entry_versions bigint[] := '{}';
    entry_journals bigint[] := '{}';
    entry_amounts bigint[] := '{}';
    entry_balances bigint[] := '{}';
    written text[];
    recorded boolean := false;
    journal bigint;
    leg_first integer := 1;
    at_leg integer;
    refusal jsonb;
BEGIN
    SELECT array_agg(a.id), array_agg(a.balance), array_agg(a.balance_min),
           array_agg(a.balance_max), array_agg(a.version), array_agg(a.currency), array_agg(0)
    INTO ids, held, minima, maxima, versions, currencies, touched
    FROM (
        SELECT x.id, x.balance, x.balance_min, x.balance_max, x.version, x.currency
        FROM accounts x
        WHERE x.id = ANY (p_leg_accounts) AND x.mode = 'authorise'
        ORDER BY x.id FOR NO KEY UPDATE
    ) a;
    IF NOT p_leg_accounts <@ ids THEN
        SELECT array_agg(a.id), array_agg(a.currency) INTO record_ids, record_currencies
        FROM accounts a WHERE a.id = ANY (p_leg_accounts) AND a.mode = 'record';
    END IF;
    SELECT array_agg(j.key) INTO written FROM journals j WHERE j.key = ANY (p_keys);

    FOR i IN 1 .. coalesce(cardinality(p_keys), 0) LOOP
        item := i;
        balances := NULL;
        detail := NULL;
        IF written IS NOT NULL AND p_keys[i] = ANY (written) THEN
            outcome := 'exists';
            SELECT array_agg(e.balance_after ORDER BY leg.n) INTO balances
            FROM unnest(p_leg_accounts[leg_first : p_leg_ends[i]])
                WITH ORDINALITY AS leg (account, n)
            JOIN journals j ON j.key = p_keys[i]
            LEFT JOIN entries e ON e.journal_id = j.id AND e.account_id = leg.account;
            leg_first := p_leg_ends[i] + 1;
            RETURN NEXT;
            CONTINUE;
        END IF;

        refusal := NULL;
        IF p_spenders[i] IS NOT NULL THEN
            refusal := limit_refusal(p_reasons[i], p_spenders[i], p_spends[i], p_at);
        END IF;
        IF refusal IS NULL THEN
            total := 0;
            mixed := false;
            FOR leg IN leg_first .. p_leg_ends[i] LOOP
                total := total + p_leg_amounts[leg];
                at_leg := array_position(ids, p_leg_accounts[leg]);
                IF at_leg IS NULL THEN
                    currency := record_currencies[
                        array_position(record_ids, p_leg_accounts[leg])];
                    IF currency IS NULL THEN
                        RAISE EXCEPTION 'journal % names an account that does not exist',
                            p_keys[i];
                    END IF;
                    mixed := mixed OR (leg > leg_first AND currency <> currency_before);
                    currency_before := currency;
                    CONTINUE;
                END IF;
                mixed := mixed OR (leg > leg_first AND currencies[at_leg] <> currency_before);
                currency_before := currencies[at_leg];
                IF touched[at_leg] = i THEN
                    RAISE EXCEPTION 'journal % names an account twice', p_keys[i];
                END IF;
                touched[at_leg] := i;
                IF held[at_leg] + p_leg_amounts[leg] < minima[at_leg] THEN
                    refusal := jsonb_build_object('code', 'insufficient-funds',
                        'available', held[at_leg] - minima[at_leg]);
                    EXIT;
                ELSIF held[at_leg] + p_leg_amounts[leg] > maxima[at_leg] THEN
                    refusal := jsonb_build_object('code', 'insufficient-funds',
                        'available', maxima[at_leg] - held[at_leg]);
                    EXIT;
                END IF;
            END LOOP;
        END IF;
        IF refusal IS NULL AND (total <> 0 OR mixed) THEN
            PERFORM FROM unnest(p_leg_accounts[leg_first : p_leg_ends[i]],
                    p_leg_amounts[leg_first : p_leg_ends[i]]) AS leg (account, amount)
            GROUP BY (SELECT a.currency FROM accounts a WHERE a.id = leg.account)
            HAVING sum(leg.amount) <> 0;
            IF FOUND THEN
                RAISE EXCEPTION 'journal % does not sum to zero', p_keys[i];
            END IF;
        END IF;
        IF refusal IS NOT NULL THEN
            outcome := refusal ->> 'code';
            detail := refusal - 'code';
            leg_first := p_leg_ends[i] + 1;
            RETURN NEXT;
            CONTINUE;
        END IF;

        journal := nextval('journals_id_seq');
        new_journals := new_journals || journal;
        new_items := new_items || i;
        balances := '{}';
        FOR leg IN leg_first .. p_leg_ends[i] LOOP
            at_leg := array_position(ids, p_leg_accounts[leg]);
            entry_accounts := entry_accounts || p_leg_accounts[leg];
            entry_journals := entry_journals || journal;
            entry_amounts := entry_amounts || p_leg_amounts[leg];
            IF at_leg IS NULL THEN
                recorded := true;
                entry_versions := entry_versions || nextval('entry_numbers');
                entry_balances := array_append(entry_balances, NULL);
                balances := array_append(balances, NULL);
            ELSE
                held[at_leg] := held[at_leg] + p_leg_amounts[leg];
                versions[at_leg] := versions[at_leg] + 1;
                entry_versions := entry_versions || versions[at_leg];
                entry_balances := entry_balances || held[at_leg];
                balances := balances || held[at_leg];
            END IF;
        END LOOP;
        leg_first := p_leg_ends[i] + 1;

        IF p_spenders[i] IS NOT NULL THEN
            INSERT INTO spending AS s (account_id, hour, amount, count)
            VALUES (p_spenders[i], date_trunc('hour', p_at), p_spends[i], 1)
            ON CONFLICT ON CONSTRAINT pk_spending DO UPDATE
            SET amount = s.amount + excluded.amount, count = s.count + 1;
        END IF;
        written := written || p_keys[i];
        outcome := 'posted';
        RETURN NEXT;
    END LOOP;

    IF cardinality(new_journals) > 0 THEN
        INSERT INTO journals (id, key, reason, reference, posted_at) OVERRIDING SYSTEM VALUE
        SELECT j.id, p_keys[j.i], p_reasons[j.i], p_references[j.i], p_at
        FROM unnest(new_journals, new_items) AS j (id, i);
        INSERT INTO entries (account_id, version, journal_id, amount, balance_after)
        SELECT * FROM unnest(
            entry_accounts, entry_versions, entry_journals, entry_amounts, entry_balances);
        UPDATE accounts a SET balance = n.balance, version = n.version
        FROM unnest(ids, held, versions, touched) AS n (id, balance, version, touched)
        WHERE a.id = n.id AND n.touched > 0;
        IF recorded THEN
            INSERT INTO unrolled (account_id, version, amount)
            SELECT e.account, e.version, e.amount
            FROM unnest(entry_accounts, entry_versions, entry_amounts, entry_balances)
                AS e (account, version, amount, balance)
            WHERE e.balance IS NULL;
        END IF;
    END IF;
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


BOOK = """
GRANT SELECT ON accounts, journals, entries, limits, spending TO kabambe_book;
GRANT UPDATE (balance, version) ON accounts TO kabambe_book;
GRANT INSERT ON journals, entries, unrolled, spending TO kabambe_book;
GRANT UPDATE ON spending TO kabambe_book;
GRANT USAGE ON SEQUENCE journals_id_seq, entry_numbers TO kabambe_book;
GRANT CREATE ON SCHEMA public TO kabambe_book;
ALTER FUNCTION post OWNER TO kabambe_book;
REVOKE CREATE ON SCHEMA public FROM kabambe_book;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(POST)
    op.execute(ROLL_UP)
    op.execute("REVOKE EXECUTE ON FUNCTION post, roll_up FROM PUBLIC")
    op.execute(BOOK)


def downgrade() -> None:
    op.execute("DROP FUNCTION roll_up, post")
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM kabambe_book")
    op.execute("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM kabambe_book")

"""
`post` takes fewer steps: a lone key is found by its insert, and legs are gone over once.

The whole of `post` as it stands is here; what it was before, in the revision `ceilings`. PL/pgSQL
makes each of its expressions ready anew in every transaction, so what a call costs is how many
different ones it comes by.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "fewer_steps"
down_revision = "sealed_log"
branch_labels = None
depends_on = None

# What is said of a key that was written before: nothing, if it was not.
REPEATED = """
CREATE FUNCTION repeated(p_key text, p_accounts bigint[], p_amounts bigint[])
RETURNS TABLE (said jsonb, balances bigint[]) LANGUAGE sql STABLE AS $$
    SELECT CASE
            WHEN NOT EXISTS (SELECT FROM journals j WHERE j.key = p_key) THEN NULL
            WHEN is_same THEN '{"code": "exists"}'::jsonb
            ELSE '{"code": "key-reused"}'
        END,
        CASE WHEN is_same THEN balances_then END
    FROM (
        SELECT bool_and(e.amount IS NOT DISTINCT FROM leg.amount) AS is_same,
            array_agg(e.balance_after ORDER BY leg.n) FILTER (WHERE leg.n IS NOT NULL)
                AS balances_then
        FROM (
            SELECT x.* FROM entries x JOIN journals j ON j.id = x.journal_id WHERE j.key = p_key
        ) e
        FULL JOIN unnest(p_accounts, p_amounts) WITH ORDINALITY AS leg (account, amount, n)
            ON leg.account = e.account_id
    ) x
$$;
"""

# Draft i has the legs from p_leg_ends[i - 1] + 1 to p_leg_ends[i]. Every account that has bounds
# is locked before anything is read, in id order: what is checked below cannot change under us,
# and two calls may wait for each other but never deadlock. So is whoever spends, as limits count
# all their currencies together. Everything is then decided in memory, draft after draft, each done
# as it is gone over and undone if it is refused, and written in a few statements however many
# drafts there are.
#
# Keys of several drafts are looked for at once. A lone one is not: its insert finds it, and if the
# draft is refused, it is looked for then, since what was done before is a repeat, not a refusal.
#
# One plan for all calls: planning anew for each length of array would cost more than the work,
# and a plan made while the tables were small must not read them whole when they are not. Arrays are
# taken apart in select lists, which cost a tenth of a call less than in FROM.
POST = """
CREATE OR REPLACE FUNCTION post(
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
    -- The others, which are never locked.
    record_ids bigint[];
    currency_min text;
    currency_max text;
    written text[];
    -- What will be written: of a leg that was accepted, its journal, version and balance.
    journals_new bigint[];
    items_new integer[];
    keys_new text[];
    leg_journals bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_leg_accounts)]);
    leg_versions bigint[] := leg_journals;
    leg_balances bigint[] := leg_journals;
    is_lone boolean := cardinality(p_keys) = 1;
    journal bigint;
    leg_first integer := 1;
    total bigint := 0;
    at_leg integer;
    first integer;
    first_leg integer;
    refusal jsonb;
BEGIN
    SELECT array_agg(a.id), array_agg(a.balance), array_agg(a.balance_min),
           array_agg(a.balance_max), array_agg(a.version), min(a.currency), max(a.currency)
    INTO ids, held, minima, maxima, versions, currency_min, currency_max
    FROM (
        SELECT x.id, x.balance, x.balance_min, x.balance_max, x.version, x.currency
        FROM accounts x
        WHERE x.id = ANY (p_leg_accounts || p_spenders) AND x.mode = 'authorise'
        ORDER BY x.id FOR NO KEY UPDATE
    ) a;
    IF p_leg_accounts <@ ids IS NOT TRUE THEN
        SELECT array_agg(a.id), least(currency_min, min(a.currency)),
               greatest(currency_max, max(a.currency))
        INTO record_ids, currency_min, currency_max
        FROM accounts a WHERE a.id = ANY (p_leg_accounts) AND a.mode = 'record';
        IF p_leg_accounts <@ (coalesce(ids, '{}') || record_ids) IS NOT TRUE THEN
            RAISE EXCEPTION 'there is a leg on an account that does not exist';
        END IF;
    END IF;
    IF NOT is_lone THEN
        SELECT array_agg(j.key) INTO written FROM journals j WHERE j.key = ANY (p_keys);
    END IF;

    FOR i IN 1 .. coalesce(cardinality(p_keys), 0) LOOP
        IF p_keys[i] = ANY (keys_new) THEN  -- it was posted by this very call
            first := items_new[array_position(keys_new, p_keys[i])];
            first_leg := CASE WHEN first = 1 THEN 1 ELSE p_leg_ends[first - 1] + 1 END;
            IF p_leg_accounts[first_leg : p_leg_ends[first]]
                    = p_leg_accounts[leg_first : p_leg_ends[i]]
                AND p_leg_amounts[first_leg : p_leg_ends[first]]
                    = p_leg_amounts[leg_first : p_leg_ends[i]] THEN
                refusal := '{"code": "exists"}';
                balances := leg_balances[first_leg : p_leg_ends[first]];
            ELSE
                refusal := '{"code": "key-reused"}';
            END IF;
        ELSIF p_keys[i] = ANY (written) THEN
            SELECT r.said, r.balances INTO refusal, balances
            FROM repeated(p_keys[i], p_leg_accounts[leg_first : p_leg_ends[i]],
                p_leg_amounts[leg_first : p_leg_ends[i]]) AS r;
        ELSIF p_spenders[i] IS NOT NULL THEN
            refusal := limit_refusal(p_reasons[i], p_spenders[i], p_spends[i], p_at);
        END IF;
        IF refusal IS NULL THEN
            journal := nextval('journals_id_seq');
            FOR leg IN leg_first .. p_leg_ends[i] LOOP
                total := total + p_leg_amounts[leg];
                at_leg := array_position(ids, p_leg_accounts[leg]);
                leg_journals[leg] := journal;
                IF at_leg IS NULL THEN
                    leg_versions[leg] := nextval('entry_numbers');
                ELSE
                    held[at_leg] := held[at_leg] + p_leg_amounts[leg];
                    versions[at_leg] := versions[at_leg] + 1;
                    leg_balances[leg] := held[at_leg];
                    leg_versions[leg] := versions[at_leg];
                    IF held[at_leg] < minima[at_leg] OR held[at_leg] > maxima[at_leg] THEN
                        refusal := jsonb_build_object('code', 'insufficient-funds', 'available',
                            CASE WHEN held[at_leg] < minima[at_leg]
                                THEN held[at_leg] - p_leg_amounts[leg] - minima[at_leg]
                                ELSE maxima[at_leg] - held[at_leg] + p_leg_amounts[leg]
                            END);
                        EXIT;
                    ELSIF p_spenders[i] IS NOT NULL AND p_leg_amounts[leg] > 0 THEN
                        refusal := ceiling_refusal(
                            p_leg_accounts[leg], held[at_leg], p_at, ids, held);
                        EXIT WHEN refusal IS NOT NULL;
                    END IF;
                END IF;
            END LOOP;
        END IF;
        IF is_lone THEN
            IF refusal IS NULL THEN
                INSERT INTO journals (id, key, reason, reference, posted_at)
                OVERRIDING SYSTEM VALUE
                VALUES (journal, p_keys[1], p_reasons[1], p_references[1], p_at)
                ON CONFLICT (key) DO NOTHING;
            END IF;
            IF refusal IS NOT NULL OR NOT FOUND THEN
                SELECT coalesce(r.said, refusal), r.balances INTO refusal, balances
                FROM repeated(p_keys[1], p_leg_accounts, p_leg_amounts) AS r;
            END IF;
        END IF;
        IF refusal IS NOT NULL THEN
            FOR leg IN leg_first .. p_leg_ends[i] LOOP  -- as if it had never been tried
                EXIT WHEN leg_journals[leg] IS NULL;
                leg_journals[leg] := NULL;
                at_leg := array_position(ids, p_leg_accounts[leg]);
                IF at_leg IS NOT NULL THEN
                    held[at_leg] := held[at_leg] - p_leg_amounts[leg];
                    versions[at_leg] := versions[at_leg] - 1;
                END IF;
            END LOOP;
            item := i;
            outcome := refusal ->> 'code';
            detail := nullif(refusal - 'code', '{}');
            IF outcome <> 'exists' THEN
                balances := NULL;
            END IF;
            RETURN NEXT;
            refusal := NULL;
            total := 0;
            detail := NULL;
            leg_first := p_leg_ends[i] + 1;
            CONTINUE;
        END IF;
        IF total <> 0 OR currency_min <> currency_max THEN  -- a query in here would be run always
            IF total <> 0 OR EXISTS (
                SELECT FROM unnest(p_leg_accounts[leg_first : p_leg_ends[i]],
                    p_leg_amounts[leg_first : p_leg_ends[i]]) AS leg (account, amount)
                GROUP BY (SELECT a.currency FROM accounts a WHERE a.id = leg.account)
                HAVING sum(leg.amount) <> 0
            ) THEN
                RAISE EXCEPTION 'journal % does not sum to zero', p_keys[i];
            END IF;
        END IF;
        IF NOT is_lone THEN
            journals_new := journals_new || journal;
            items_new := items_new || i;
            keys_new := keys_new || p_keys[i];
        END IF;
        IF p_spenders[i] IS NOT NULL THEN
            INSERT INTO spending AS s (account_id, hour, amount, count)
            VALUES (p_spenders[i], date_trunc('hour', p_at), p_spends[i], 1)
            ON CONFLICT ON CONSTRAINT pk_spending DO UPDATE
            SET amount = s.amount + excluded.amount, count = s.count + 1;
        END IF;
        item := i;
        outcome := 'posted';
        balances := leg_balances[leg_first : p_leg_ends[i]];
        RETURN NEXT;
        leg_first := p_leg_ends[i] + 1;
    END LOOP;

    IF NOT is_lone THEN
        INSERT INTO journals (id, key, reason, reference, posted_at) OVERRIDING SYSTEM VALUE
        SELECT j.id, j.key, p_reasons[j.i], p_references[j.i], p_at
        FROM (
            SELECT unnest(journals_new) AS id, unnest(items_new) AS i, unnest(keys_new) AS key
        ) AS j;
    END IF;
    INSERT INTO entries (account_id, version, journal_id, amount, balance_after)
    SELECT e.account, e.version, e.journal, e.amount, e.balance
    FROM (
        SELECT unnest(p_leg_accounts) AS account, unnest(leg_versions) AS version,
               unnest(leg_journals) AS journal, unnest(p_leg_amounts) AS amount,
               unnest(leg_balances) AS balance
    ) AS e
    WHERE e.journal IS NOT NULL;
    UPDATE accounts a SET balance = n.balance, version = n.version
    FROM (
        SELECT unnest(ids) AS id, unnest(held) AS balance, unnest(versions) AS version
    ) AS n
    WHERE a.id = n.id AND a.version <> n.version;
    IF record_ids <> '{}' THEN
        INSERT INTO unrolled (account_id, version, amount)
        SELECT e.account, e.version, e.amount
        FROM unnest(p_leg_accounts, leg_versions, leg_journals, p_leg_amounts, leg_balances)
            AS e (account, version, journal, amount, balance)
        WHERE e.journal IS NOT NULL AND e.balance IS NULL;
    END IF;
END $$;
"""


def upgrade() -> None:
    op.execute(REPEATED)
    op.execute(POST)


def downgrade() -> None:
    op.execute(_revision("ceilings").POST)
    op.execute("DROP FUNCTION repeated")


def _revision(name: str) -> ModuleType:
    """An earlier revision: what stood before is said there."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module

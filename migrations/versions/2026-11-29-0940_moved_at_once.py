"""
`post` moves at once what is posted alone: its accounts are locked and moved in one statement.

A row that is locked and then updated is written twice, and gone to twice. A journal by itself that
asks for nobody's limits (a deposit, a settlement, a capture) is moved first, bounds and all, and
looked at then; if it is anything but plain it is moved back, and goes the way of any other. Safe
under load: a function is replaced.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "moved_at_once"
down_revision = "batches_paged"
branch_labels = None
depends_on = None

# What is not plain: an account that does not exist or comes twice, a balance out of bounds, legs
# that do not sum to zero or are of several currencies, a key that was written before.
#
# Accounts are moved in id order, as they are locked in id order below: the index has them so, and a
# bitmap of it would not. One that would be out of bounds is written as well, with a version below
# zero that nobody sees: left alone it would be locked later, behind those of higher ids.
VARIABLES = """
    moved_legs integer[];
    amount bigint;
    record_id bigint;
    number bigint;
"""
ALONE = """
    IF is_lone AND p_spenders[1] IS NULL AND p_leg_ends[1] = cardinality(p_leg_accounts)
        AND p_leg_ends[1] = cardinality(p_leg_amounts) THEN
        WITH moved AS (
            UPDATE accounts a
            SET balance = CASE
                    WHEN a.balance + p_leg_amounts[array_position(p_leg_accounts, a.id)]
                        < a.balance_min THEN a.balance
                    WHEN a.balance + p_leg_amounts[array_position(p_leg_accounts, a.id)]
                        > a.balance_max THEN a.balance
                    ELSE a.balance + p_leg_amounts[array_position(p_leg_accounts, a.id)]
                END,
                version = CASE
                    WHEN a.balance + p_leg_amounts[array_position(p_leg_accounts, a.id)]
                        < a.balance_min THEN -1 - a.version
                    WHEN a.balance + p_leg_amounts[array_position(p_leg_accounts, a.id)]
                        > a.balance_max THEN -1 - a.version
                    ELSE a.version + 1
                END
            WHERE a.id = ANY (p_leg_accounts) AND a.mode = 'authorise'
            RETURNING a.id, array_position(p_leg_accounts, a.id) AS n, a.balance, a.version,
                a.currency
        )
        SELECT array_agg(m.id), array_agg(m.n), array_agg(m.balance), array_agg(m.version),
               min(m.currency), max(m.currency),
               CASE WHEN count(*) < cardinality(p_leg_accounts) THEN (
                   SELECT array_agg(x.id) FROM accounts x
                   WHERE x.id = ANY (p_leg_accounts) AND x.mode = 'record'
                       AND x.currency = min(m.currency)
               ) END
        INTO ids, moved_legs, held, versions, currency_min, currency_max, record_ids
        FROM (SELECT * FROM moved ORDER BY n) AS m;
        FOREACH amount IN ARRAY p_leg_amounts LOOP
            total := total + amount;
        END LOOP;
        IF total = 0 AND currency_min = currency_max AND 0 < ALL (versions) AND cardinality(ids)
                + coalesce(cardinality(record_ids), 0) = cardinality(p_leg_accounts) THEN
            INSERT INTO journals (key, reason, reference, posted_at)
            VALUES (p_keys[1], p_reasons[1], p_references[1], p_at)
            ON CONFLICT (key) DO NOTHING RETURNING id INTO journal;
        END IF;
        IF journal IS NOT NULL THEN
            balances := held;
            IF record_ids IS NOT NULL THEN
                balances := array_fill(NULL::bigint, ARRAY[cardinality(p_leg_accounts)]);
                FOR i IN 1 .. cardinality(ids) LOOP
                    balances[moved_legs[i]] := held[i];
                END LOOP;
                FOREACH record_id IN ARRAY record_ids LOOP
                    at_leg := array_position(p_leg_accounts, record_id);
                    number := nextval('entry_numbers');
                    INSERT INTO unrolled (account_id, version, amount)
                    VALUES (record_id, number, p_leg_amounts[at_leg]);
                    ids := ids || record_id;
                    moved_legs := moved_legs || at_leg;
                    versions := versions || number;
                    held := held || NULL::bigint;
                END LOOP;
            END IF;
            INSERT INTO entries (account_id, version, journal_id, amount, balance_after)
            SELECT unnest(ids), unnest(versions), journal, p_leg_amounts[unnest(moved_legs)],
                   unnest(held);
            item := 1;
            outcome := 'posted';
            RETURN NEXT;
            RETURN;
        END IF;
        UPDATE accounts a
        SET balance = CASE WHEN a.version < 0 THEN a.balance
                ELSE a.balance - p_leg_amounts[array_position(p_leg_accounts, a.id)] END,
            version = CASE WHEN a.version < 0 THEN -1 - a.version ELSE a.version - 1 END
        WHERE a.id = ANY (ids);
        record_ids := NULL;
        total := 0;
    END IF;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    post = _revision("fewer_steps").POST
    for before, more in (
        ("SET enable_seqscan = off", " SET enable_bitmapscan = off"),
        ("record_ids bigint[];\n", VARIABLES[1:]),
        ("\nBEGIN\n", ALONE[1:]),
    ):
        assert post.count(before) == 1, before
        post = post.replace(before, before + more)
    op.execute(post)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_revision("fewer_steps").POST)


def _revision(name: str) -> ModuleType:
    """An earlier revision: what stood before is said there."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module

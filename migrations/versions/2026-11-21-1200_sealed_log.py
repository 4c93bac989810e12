"""
The tamper-evident log: a leaf for every journal, its place in the tree, blocks, checkpoints.

A leaf is made once, by `make_leaves`, and its exact bytes are kept: `data` is what a receipt shows
to either side; `kept` is what it must not show (balances, the journal's key) and holds the salt.
`data` ends in the digest of `kept`, so that nobody can guess a leaf from its hash.

New tables and functions, nothing on the way of `post`: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "sealed_log"
down_revision = "sms_orders"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE leaves (
    journal_id bigint CONSTRAINT pk_leaves PRIMARY KEY,
    data bytea NOT NULL,
    kept bytea NOT NULL,
    hash bytea NOT NULL CONSTRAINT uq_leaves_hash UNIQUE
);
CREATE TABLE positions (
    position bigint CONSTRAINT pk_positions PRIMARY KEY,
    journal_id bigint NOT NULL CONSTRAINT uq_positions_journal_id UNIQUE
);
CREATE TABLE subtrees (
    level smallint NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_subtrees PRIMARY KEY (level, position)
);
CREATE TABLE blocks (
    number bigint CONSTRAINT pk_blocks PRIMARY KEY,
    first bigint NOT NULL CONSTRAINT uq_blocks_first UNIQUE,
    count integer NOT NULL CONSTRAINT ck_blocks_count CHECK (count BETWEEN 1 AND 50),
    root bytea NOT NULL,
    sealed_at timestamptz NOT NULL
);
CREATE TABLE checkpoints (
    size bigint CONSTRAINT pk_checkpoints PRIMARY KEY,
    note text NOT NULL
);
"""

# What a leaf says of its journal. No account's balance and no key: either side may show it.
FUNCTIONS = """
CREATE FUNCTION make_leaves(p_journals bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
    INSERT INTO leaves (journal_id, data, kept, hash)
    SELECT l.id, l.data, l.kept, sha256('\\x00'::bytea || l.data)
    FROM (
        SELECT k.id, k.kept, convert_to(concat_ws('|', 'kabambe/1', k.id, k.reason,
            coalesce(k.reference, '-'), k.posted, coalesce(k.mirrors::text, '-'), k.moved,
            encode(sha256(k.kept), 'hex')), 'UTF8') AS data
        FROM (
            SELECT j.id, j.reason, j.reference, e.moved,
                   (extract(epoch FROM j.posted_at) * 1000000)::bigint AS posted,
                   (SELECT r.original_id FROM reversals r WHERE r.journal_id = j.id) AS mirrors,
                   convert_to(concat_ws('|', replace(gen_random_uuid()::text, '-', ''),
                       e.left_at, j.key), 'UTF8') AS kept
            FROM journals j, LATERAL (
                SELECT string_agg(concat_ws(' ', e.account_id, a.currency, e.amount), ','
                           ORDER BY e.account_id, e.version) AS moved,
                       string_agg(concat_ws(' ', a.path, coalesce(a.holder_id::text, '-'),
                           e.version, coalesce(e.balance_after::text, '-')), ','
                           ORDER BY e.account_id, e.version) AS left_at
                FROM entries e JOIN accounts a ON a.id = e.account_id
                WHERE e.journal_id = j.id
            ) e
            WHERE j.id = ANY (p_journals)
            ORDER BY j.id
        ) k
    ) l
    ON CONFLICT (journal_id) DO NOTHING
$$;

-- Two may make a leaf at once; what stands afterwards is what both say.
CREATE FUNCTION leaf_of(p_journal bigint) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found bytea;
BEGIN
    SELECT hash INTO found FROM leaves WHERE journal_id = p_journal;
    IF found IS NULL THEN
        PERFORM make_leaves(ARRAY[p_journal]);
        SELECT hash INTO found FROM leaves WHERE journal_id = p_journal;
    END IF;
    RETURN found;
END $$;
"""

GRANTS = """
REVOKE EXECUTE ON FUNCTION make_leaves, leaf_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_leaves, leaf_of TO kabambe_worker;
GRANT SELECT ON leaves, positions, subtrees, blocks, checkpoints TO kabambe_worker;
GRANT INSERT ON positions, subtrees, blocks, checkpoints TO kabambe_worker;
GRANT SELECT (journal_id, data, hash) ON leaves TO kabambe_web;
GRANT SELECT ON positions, subtrees, blocks, checkpoints TO kabambe_web;
"""

# Columns are computed with these, and pg_restore computes them with no search path at all: without
# one of their own no copy of the database could be restored.
NUMBERS = ("wallet_number(bigint)", "till_number(integer)")

LOG = ("leaves", "positions", "subtrees", "blocks", "checkpoints")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    for table in LOG:
        op.execute(f"""
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION refuse_change();
            CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
        """)
    op.execute(GRANTS)
    for function in NUMBERS:
        op.execute(f"ALTER FUNCTION {function} SET search_path = public, pg_temp")


def downgrade() -> None:
    for function in NUMBERS:
        op.execute(f"ALTER FUNCTION {function} RESET search_path")
    op.execute("DROP FUNCTION leaf_of, make_leaves")
    op.execute(f"DROP TABLE {', '.join(LOG)}")

"""
The book: accounts, journals, entries; append-only and balanced by the database itself.

`fillfactor 50` and no index on a balance keep every account update a heap-only one.
New tables: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "ledger"
down_revision = "roles"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_accounts PRIMARY KEY,
    path text NOT NULL CONSTRAINT uq_accounts_path UNIQUE,
    currency text NOT NULL,
    mode text NOT NULL DEFAULT 'authorise'
        CONSTRAINT ck_accounts_mode CHECK (mode IN ('authorise', 'record')),
    balance bigint NOT NULL DEFAULT 0,
    balance_min bigint,
    balance_max bigint,
    version bigint NOT NULL DEFAULT 0,
    CONSTRAINT ck_accounts_balance_min CHECK (balance >= balance_min),
    CONSTRAINT ck_accounts_balance_max CHECK (balance <= balance_max)
) WITH (fillfactor = 50);

CREATE TABLE journals (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_journals PRIMARY KEY,
    key text COLLATE "C" NOT NULL CONSTRAINT uq_journals_key UNIQUE,
    reason text NOT NULL,
    reference text,
    posted_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX uq_journals_reference ON journals (reference) WHERE reference IS NOT NULL;

-- That account and journal exist, and that the journal balances, is seen to by `post`, and by a
-- trigger for everybody else: foreign keys would look once an entry. Neither can be deleted.
CREATE TABLE entries (
    account_id bigint NOT NULL,
    version bigint NOT NULL,
    journal_id bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT ck_entries_amount CHECK (amount <> 0),
    balance_after bigint,
    CONSTRAINT pk_entries PRIMARY KEY (account_id, version)
);
CREATE INDEX ix_entries_journal_id ON entries (journal_id);

-- Orders the entries of record accounts, which are never locked and so cannot count their own.
CREATE SEQUENCE entry_numbers AS bigint CACHE 32;

CREATE TABLE unrolled (
    account_id bigint NOT NULL,
    version bigint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT pk_unrolled PRIMARY KEY (account_id, version)
);
"""

RULES = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: reverse, do not change', TG_TABLE_NAME;
END $$;

CREATE FUNCTION refuse_imbalance() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT added.journal_id INTO wrong FROM added
    GROUP BY added.journal_id,
        (SELECT a.currency FROM accounts a WHERE a.id = added.account_id)
    HAVING sum(added.amount) <> 0
        OR (SELECT a.currency FROM accounts a WHERE a.id = min(added.account_id)) IS NULL
        OR (SELECT j.id FROM journals j WHERE j.id = added.journal_id) IS NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % does not sum to zero, or is of accounts or a journal that'
            ' do not exist', wrong;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION refuse_orphans() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM entries WHERE account_id = OLD.id) THEN
        RAISE EXCEPTION 'account % has entries', OLD.path;
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journals
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON journals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_orphans();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER balanced AFTER INSERT ON entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT WHEN (current_user <> 'kabambe_book')
    EXECUTE FUNCTION refuse_imbalance();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP TABLE unrolled, entries, journals, accounts")
    op.execute("DROP SEQUENCE entry_numbers")
    op.execute("DROP FUNCTION refuse_imbalance, refuse_orphans, refuse_change")

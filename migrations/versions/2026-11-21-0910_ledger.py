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
    reference text CONSTRAINT uq_journals_reference UNIQUE,
    posted_at timestamptz NOT NULL
);

CREATE TABLE entries (
    account_id bigint NOT NULL
        CONSTRAINT fk_entries_account_id REFERENCES accounts (id),
    version bigint NOT NULL,
    journal_id bigint NOT NULL
        CONSTRAINT fk_entries_journal_id REFERENCES journals (id),
    amount bigint NOT NULL CONSTRAINT ck_entries_amount CHECK (amount <> 0),
    balance_after bigint,
    CONSTRAINT pk_entries PRIMARY KEY (account_id, version)
);
CREATE INDEX ix_entries_journal_id ON entries (journal_id);

-- Orders the entries of record accounts, which are never locked and so cannot count their own.
CREATE SEQUENCE entry_numbers AS bigint CACHE 32;

CREATE TABLE unrolled (
    account_id bigint NOT NULL
        CONSTRAINT fk_unrolled_account_id REFERENCES accounts (id),
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

CREATE FUNCTION refuse_imbalance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM entries WHERE journal_id = NEW.id) OR EXISTS (
        SELECT FROM entries e JOIN accounts a ON a.id = e.account_id
        WHERE e.journal_id = NEW.id GROUP BY a.currency HAVING sum(e.amount) <> 0
    ) THEN
        RAISE EXCEPTION 'journal % does not sum to zero', NEW.key;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journals
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON journals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON journals
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_imbalance();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP TABLE unrolled, entries, journals, accounts")
    op.execute("DROP SEQUENCE entry_numbers")
    op.execute("DROP FUNCTION refuse_imbalance, refuse_change")

"""
Breaks that reconciliations find, and how far each of them looked.

A break's facts are never changed, it is closed once, and no row goes away. Safe under load: new
tables, and an index on the few holds that are open.
"""

from __future__ import annotations

from alembic import op

revision = "reconciliation"
down_revision = "cases"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE breaks (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_breaks PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    expected text NOT NULL,
    found text NOT NULL,
    detail jsonb NOT NULL,
    found_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by text,
    note text,
    CONSTRAINT ck_breaks_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL)
        AND (closed_by IS NULL OR closed_by = 'reconciliation' OR note IS NOT NULL))
);
CREATE UNIQUE INDEX uq_breaks_open ON breaks (kind, subject) WHERE closed_at IS NULL;
CREATE INDEX ix_breaks_subject ON breaks (subject, kind);

CREATE FUNCTION refuse_other_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'break % is closed: that is final', OLD.id;
    ELSIF (OLD.id, OLD.kind, OLD.subject, OLD.expected, OLD.found, OLD.detail, OLD.found_at)
        IS DISTINCT FROM
        (NEW.id, NEW.kind, NEW.subject, NEW.expected, NEW.found, NEW.detail, NEW.found_at)
    THEN
        RAISE EXCEPTION 'what was found is never changed (break %)', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER facts_are_final BEFORE UPDATE ON breaks
    FOR EACH ROW EXECUTE FUNCTION refuse_other_facts();
CREATE TRIGGER append_only BEFORE DELETE ON breaks
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON breaks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE reconciliations (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_reconciliations PRIMARY KEY,
    what text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    looked_at bigint NOT NULL,
    opened integer NOT NULL,
    closed integer NOT NULL,
    journals_last bigint,
    orders_last bigint,
    running_to bigint,
    journals_settled bigint,
    orders_settled bigint
);
CREATE INDEX ix_reconciliations_what ON reconciliations (what, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON reconciliations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON reconciliations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What an account holds for its open holds is summed up for each that was touched.
CREATE INDEX ix_holds_held ON holds (held_account_id) WHERE state = 'open';

GRANT SELECT ON breaks, reconciliations TO kabambe_web, kabambe_worker;
GRANT INSERT (kind, subject, expected, found, detail, found_at, seen_at),
    UPDATE (seen_at, closed_at, closed_by, note) ON breaks TO kabambe_worker;
GRANT INSERT (what, started_at, ended_at, looked_at, opened, closed, journals_last, orders_last,
    running_to, journals_settled, orders_settled) ON reconciliations TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP INDEX ix_holds_held")
    op.execute("DROP TABLE reconciliations, breaks")
    op.execute("DROP FUNCTION refuse_other_facts")

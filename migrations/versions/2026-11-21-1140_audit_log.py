"""
The audit log, which the web adds to and cannot read: it tells of cases and of what staff think.

Safe under load: a new table.
"""

from __future__ import annotations

from alembic import op

revision = "audit_log"
down_revision = "ceilings"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_audit_log PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    origin text NOT NULL,
    request text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL
);
CREATE INDEX ix_audit_log_subject ON audit_log (subject, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT (id), INSERT ON audit_log TO kabambe_web;
GRANT SELECT, INSERT ON audit_log TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE audit_log")

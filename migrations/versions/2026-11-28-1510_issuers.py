"""
Signing in with an issuer of identities: attempts, and which account of an issuer's is whose.

What is secret of an attempt is locked under a key that is not in the database, and emptied when it
is done. The web begins and ends attempts, a worker exchanges what the issuer sent, and neither can
do the other's part. New tables: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "issuers"
down_revision = "checkouts"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE sign_ins (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_sign_ins PRIMARY KEY,
    hash bytea NOT NULL CONSTRAINT uq_sign_ins_hash UNIQUE,
    state_hash bytea NOT NULL,
    secrets text NOT NULL,
    subscriber_id bigint CONSTRAINT fk_sign_ins_subscriber_id REFERENCES subscribers (id),
    expires_at timestamptz NOT NULL,
    code text,
    handed_at timestamptz,
    taken_at timestamptz,
    issuer text,
    identity text,
    done_at timestamptz,
    used_at timestamptz
);
CREATE INDEX ix_sign_ins_handed ON sign_ins (id)
    WHERE handed_at IS NOT NULL AND taken_at IS NULL;

CREATE TABLE links (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_links PRIMARY KEY,
    issuer text NOT NULL,
    identity text NOT NULL,
    subscriber_id bigint NOT NULL CONSTRAINT fk_links_subscriber_id REFERENCES subscribers (id),
    linked_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX uq_links_identity ON links (issuer, identity) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX uq_links_subscriber ON links (issuer, subscriber_id) WHERE ended_at IS NULL;
"""

TRIGGERS = """
CREATE TRIGGER use_is_final BEFORE UPDATE ON sign_ins
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL AND OLD.used_at IS DISTINCT FROM NEW.used_at)
    EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER end_is_final BEFORE UPDATE ON links
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION refuse_second_coming();
"""

GRANTS = """
GRANT SELECT, INSERT (hash, state_hash, secrets, subscriber_id, expires_at),
    UPDATE (code, handed_at, used_at) ON sign_ins TO kabambe_web;
GRANT SELECT, UPDATE (code, secrets, taken_at, issuer, identity, done_at)
    ON sign_ins TO kabambe_worker;
GRANT SELECT, INSERT (issuer, identity, subscriber_id, linked_at), UPDATE (ended_at)
    ON links TO kabambe_web;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLES, TRIGGERS, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE links, sign_ins")

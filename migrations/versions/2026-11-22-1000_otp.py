"""
One-time passwords: what a code is derived from, and what became of it. New table: safe under load.

No code is in it, and none can be had from it without the servers' key.
"""

from __future__ import annotations

from alembic import op

revision = "otp"
down_revision = "fewer_steps"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE otps (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_otps PRIMARY KEY,
    msisdn text NOT NULL,
    purpose text NOT NULL CONSTRAINT ck_otps_purpose
        CHECK (purpose IN ('pin-reset', 'sms-order', 'sign-up', 'log-in')),
    salt bytea NOT NULL,
    address_hash bytea,
    wrong_tries smallint NOT NULL DEFAULT 0
        CONSTRAINT ck_otps_wrong_tries CHECK (wrong_tries BETWEEN 0 AND 5),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT ck_otps_expires_at CHECK (expires_at > issued_at),
    CONSTRAINT ck_otps_used_at CHECK (used_at IS NULL OR used_at < expires_at AND wrong_tries < 5)
);
CREATE INDEX ix_otps_number ON otps (msisdn, purpose, issued_at);
CREATE INDEX ix_otps_purpose ON otps (purpose, issued_at);
CREATE INDEX ix_otps_address ON otps (address_hash, issued_at) WHERE address_hash IS NOT NULL;
"""

# A code is used once, a try is never taken back, and what it is derived from stays.
TRIGGERS = """
CREATE FUNCTION refuse_otp_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'code % was used, or a try would be taken back', OLD.id;
END $$;
CREATE TRIGGER use_is_final BEFORE UPDATE ON otps
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL OR NEW.wrong_tries < OLD.wrong_tries
        OR to_jsonb(OLD) - 'used_at' - 'wrong_tries' <> to_jsonb(NEW) - 'used_at' - 'wrong_tries')
    EXECUTE FUNCTION refuse_otp_change();
"""

GRANTS = """
GRANT SELECT, INSERT (msisdn, purpose, salt, address_hash, issued_at, expires_at),
    UPDATE (wrong_tries, used_at) ON otps TO kabambe_web, kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLES, TRIGGERS, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE otps")
    op.execute("DROP FUNCTION refuse_otp_change")

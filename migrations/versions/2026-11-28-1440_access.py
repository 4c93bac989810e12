"""
Who may call by a program: devices and their refresh tokens, second factors, API keys, tickets,
wrong tries.

Nothing in these tables lets anybody in: tokens, tickets and keys are there as hashes, second
factors under a key that is not in the database. What has ended stays so. New tables: safe under
load.
"""

from __future__ import annotations

from alembic import op

revision = "access"
down_revision = "webhooks"
branch_labels = None
depends_on = None

DEVICES = """
CREATE TABLE devices (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_devices PRIMARY KEY,
    public_id text NOT NULL CONSTRAINT uq_devices_public_id UNIQUE,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_devices_subscriber_id REFERENCES subscribers (id),
    name text NOT NULL CONSTRAINT ck_devices_name CHECK (length(name) BETWEEN 1 AND 24),
    second_factor boolean NOT NULL,
    begun_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_because text,
    CONSTRAINT ck_devices_revoked CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
);
CREATE INDEX ix_devices_standing ON devices (subscriber_id) WHERE revoked_at IS NULL;

CREATE TABLE refreshes (
    hash bytea NOT NULL CONSTRAINT pk_refreshes PRIMARY KEY,
    device_id bigint NOT NULL CONSTRAINT fk_refreshes_device_id REFERENCES devices (id),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    following text
);
CREATE INDEX ix_refreshes_device_id ON refreshes (device_id);

CREATE TABLE tickets (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_tickets PRIMARY KEY,
    hash bytea NOT NULL CONSTRAINT uq_tickets_hash UNIQUE,
    msisdn text NOT NULL,
    shown text NOT NULL CONSTRAINT ck_tickets_shown CHECK (shown IN ('code', 'issuer')),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE log_in_tries (
    subject text NOT NULL CONSTRAINT pk_log_in_tries PRIMARY KEY,
    wrong_tries smallint NOT NULL
        CONSTRAINT ck_log_in_tries_wrong_tries CHECK (wrong_tries BETWEEN 0 AND 5),
    tried_at timestamptz NOT NULL,
    locked_until timestamptz
);

CREATE TABLE totps (
    subscriber_id bigint NOT NULL CONSTRAINT pk_totps PRIMARY KEY
        CONSTRAINT fk_totps_subscriber_id REFERENCES subscribers (id),
    secret text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);
"""

KEYS = """
CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_api_keys PRIMARY KEY,
    public_id text NOT NULL CONSTRAINT uq_api_keys_public_id UNIQUE,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_api_keys_subscriber_id REFERENCES subscribers (id),
    name text NOT NULL,
    hash bytea NOT NULL CONSTRAINT uq_api_keys_hash UNIQUE,
    "end" text NOT NULL,
    permissions text[] NOT NULL CONSTRAINT ck_api_keys_permissions CHECK (
        permissions <@ ARRAY['read', 'deposit', 'transfer', 'withdraw']
        AND cardinality(permissions) > 0),
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    used_at timestamptz,
    follows_id bigint CONSTRAINT uq_api_keys_follows_id UNIQUE
        CONSTRAINT fk_api_keys_follows_id REFERENCES api_keys (id),
    CONSTRAINT ck_api_keys_expires_at
        CHECK (expires_at > made_at AND expires_at <= made_at + interval '366 days')
);
CREATE INDEX ix_api_keys_subscriber_id ON api_keys (subscriber_id);
"""

# Whoever took the web over could else bring back what was ended, or make a key do more.
TRIGGERS = """
CREATE FUNCTION refuse_second_coming() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what has ended in % stays so, and what it is stays', TG_TABLE_NAME;
END $$;
CREATE TRIGGER end_is_final BEFORE UPDATE ON devices
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER use_is_final BEFORE UPDATE ON refreshes
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER use_is_final BEFORE UPDATE ON tickets
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER end_is_final BEFORE UPDATE ON api_keys
    FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND OLD.revoked_at IS DISTINCT FROM NEW.revoked_at)
    EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER step_is_final BEFORE UPDATE ON totps
    FOR EACH ROW WHEN (OLD.confirmed_at IS NOT NULL AND (NEW.last_step < OLD.last_step
        OR NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at))
    EXECUTE FUNCTION refuse_second_coming();
"""

GRANTS = """
GRANT SELECT,
    INSERT (public_id, subscriber_id, name, second_factor, begun_at, seen_at, ends_at),
    UPDATE (seen_at, ends_at, revoked_at, revoked_because) ON devices TO kabambe_web;
GRANT SELECT, INSERT (hash, device_id, issued_at, expires_at), UPDATE (used_at, following)
    ON refreshes TO kabambe_web;
GRANT SELECT, INSERT (hash, msisdn, shown, expires_at), UPDATE (used_at)
    ON tickets TO kabambe_web;
GRANT SELECT, INSERT, UPDATE (wrong_tries, tried_at, locked_until)
    ON log_in_tries TO kabambe_web;
GRANT SELECT, INSERT (subscriber_id, secret, proposed_at),
    UPDATE (secret, proposed_at, confirmed_at, last_step), DELETE ON totps TO kabambe_web;
GRANT SELECT, INSERT (public_id, subscriber_id, name, hash, "end", permissions, made_at,
        expires_at, follows_id),
    UPDATE (revoked_at, used_at) ON api_keys TO kabambe_web;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (DEVICES, KEYS, TRIGGERS, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE api_keys, totps, log_in_tries, tickets, refreshes, devices")
    op.execute("DROP FUNCTION refuse_second_coming")

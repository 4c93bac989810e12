"""
Webhooks: endpoints of subscribers, what is delivered to them, and every attempt at it.

A delivery is made by a trigger on `outbox`, in the transaction that stages the event: whoever
records an outcome cannot forget it, and needs no rights on these tables. The web keeps secrets and
never reads them back. New tables and a column without a default: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "webhooks"
down_revision = "for_programs"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE outbox ADD COLUMN webhook_type text;

CREATE TABLE webhook_endpoints (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_webhook_endpoints PRIMARY KEY,
    code text NOT NULL CONSTRAINT uq_webhook_endpoints_code UNIQUE,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_webhook_endpoints_subscriber_id REFERENCES subscribers (id),
    url text NOT NULL,
    description text NOT NULL,
    types text[] NOT NULL,
    state text NOT NULL DEFAULT 'active'
        CONSTRAINT ck_webhook_endpoints_state CHECK (state IN ('active', 'disabled', 'removed')),
    secret text NOT NULL,
    secret_before text,
    secret_before_until timestamptz,
    made_at timestamptz NOT NULL,
    failing_since timestamptz,
    failures integer NOT NULL DEFAULT 0,
    rests_until timestamptz,
    disabled_at timestamptz,
    disabled_why text
);
CREATE INDEX ix_webhook_endpoints_subscriber_id ON webhook_endpoints (subscriber_id)
    WHERE state <> 'removed';

CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_webhook_deliveries PRIMARY KEY,
    code text NOT NULL CONSTRAINT uq_webhook_deliveries_code UNIQUE,
    endpoint_id bigint NOT NULL
        CONSTRAINT fk_webhook_deliveries_endpoint_id REFERENCES webhook_endpoints (id),
    outbox_id bigint CONSTRAINT fk_webhook_deliveries_outbox_id REFERENCES outbox (id),
    type text NOT NULL,
    body text,
    state text NOT NULL CONSTRAINT ck_webhook_deliveries_state
        CHECK (state IN ('waiting', 'sending', 'delivered', 'failed', 'missed')),
    staged_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    tried_from timestamptz,
    tries integer NOT NULL DEFAULT 0,
    tries_before integer NOT NULL DEFAULT 0,
    ended_at timestamptz,
    CONSTRAINT uq_webhook_deliveries_endpoint_id_outbox_id UNIQUE (endpoint_id, outbox_id)
);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, id)
    WHERE state IN ('waiting', 'sending');
CREATE INDEX ix_webhook_deliveries_log ON webhook_deliveries (endpoint_id, id);
CREATE INDEX ix_webhook_deliveries_ended ON webhook_deliveries (ended_at)
    WHERE state IN ('delivered', 'failed', 'missed');

CREATE TABLE webhook_attempts (
    delivery_id bigint NOT NULL CONSTRAINT fk_webhook_attempts_delivery_id
        REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer,
    status integer,
    why text,
    answer text,
    CONSTRAINT pk_webhook_attempts PRIMARY KEY (delivery_id, number)
);
"""

# A plan made while there were few people must not read them all once there are many.
STAGING = """
CREATE FUNCTION stage_webhooks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO webhook_deliveries
        (code, endpoint_id, outbox_id, type, state, staged_at, due_at, ended_at)
    SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), e.id, n.id, n.webhook_type,
           CASE e.state WHEN 'active' THEN 'waiting' ELSE 'missed' END,
           n.staged_at, n.staged_at, CASE e.state WHEN 'active' THEN NULL ELSE n.staged_at END
    FROM staged n
    JOIN subscribers s ON s.msisdn = n.msisdn AND s.closed_at IS NULL
    JOIN webhook_endpoints e ON e.subscriber_id = s.id AND e.state <> 'removed'
        AND (e.types = '{}' OR n.webhook_type = ANY (e.types))
    WHERE n.webhook_type IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER stage_webhooks AFTER INSERT ON outbox REFERENCING NEW TABLE AS staged
    FOR EACH STATEMENT EXECUTE FUNCTION stage_webhooks();

CREATE FUNCTION rotate_webhook_secret(
    p_endpoint bigint, p_secret text, p_until timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE webhook_endpoints
    SET secret = p_secret, secret_before = secret, secret_before_until = p_until
    WHERE id = p_endpoint AND state <> 'removed'
$$;
REVOKE EXECUTE ON FUNCTION rotate_webhook_secret FROM PUBLIC;
"""

GRANTS = """
GRANT INSERT (webhook_type) ON outbox TO kabambe_web, kabambe_worker;
GRANT EXECUTE ON FUNCTION rotate_webhook_secret TO kabambe_web;
GRANT SELECT (id, code, subscriber_id, url, description, types, state, secret_before_until, made_at,
        failing_since, failures, rests_until, disabled_at, disabled_why),
    INSERT (code, subscriber_id, url, description, types, secret, made_at),
    UPDATE (url, description, types, state, failing_since, failures, rests_until, disabled_at,
        disabled_why)
    ON webhook_endpoints TO kabambe_web;
GRANT SELECT, INSERT (code, endpoint_id, type, body, state, staged_at, due_at),
    UPDATE (state, due_at, tried_from, tries_before, ended_at) ON webhook_deliveries TO kabambe_web;
GRANT SELECT ON webhook_attempts TO kabambe_web;
GRANT SELECT, UPDATE (state, failing_since, failures, rests_until, disabled_at, disabled_why,
    secret_before, secret_before_until) ON webhook_endpoints TO kabambe_worker;
GRANT SELECT, UPDATE (body, state, due_at, tried_from, tries, ended_at), DELETE
    ON webhook_deliveries TO kabambe_worker;
GRANT SELECT, INSERT, UPDATE (duration_ms, status, why, answer), DELETE
    ON webhook_attempts TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLES, STAGING, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TRIGGER stage_webhooks ON outbox")
    op.execute("DROP FUNCTION stage_webhooks, rotate_webhook_secret")
    op.execute("DROP TABLE webhook_attempts, webhook_deliveries, webhook_endpoints")
    op.execute("ALTER TABLE outbox DROP COLUMN webhook_type")

"""
People, their PINs, what they ordered, what they are to be told, and what providers told us.

Staging an event and receiving a letter notify the relay when they commit.
New tables: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "people_and_orders"
down_revision = "post"
branch_labels = None
depends_on = None

PEOPLE = """
CREATE TABLE subscribers (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_subscribers PRIMARY KEY,
    msisdn text NOT NULL CONSTRAINT uq_subscribers_msisdn UNIQUE,
    name text NOT NULL,
    language text NOT NULL,
    account_id bigint NOT NULL CONSTRAINT uq_subscribers_account_id UNIQUE
        CONSTRAINT fk_subscribers_account_id REFERENCES accounts (id),
    terms_version text NOT NULL,
    registered_at timestamptz NOT NULL
);

CREATE TABLE pins (
    subscriber_id bigint NOT NULL CONSTRAINT pk_pins PRIMARY KEY
        CONSTRAINT fk_pins_subscriber_id REFERENCES subscribers (id),
    hash text NOT NULL,
    wrong_tries integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    changed_at timestamptz NOT NULL
);
"""

ORDERS = """
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_orders PRIMARY KEY,
    key text COLLATE "C" NOT NULL CONSTRAINT uq_orders_key UNIQUE,
    kind text NOT NULL,
    reference text NOT NULL CONSTRAINT uq_orders_reference UNIQUE,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_orders_subscriber_id REFERENCES subscribers (id),
    args jsonb NOT NULL,
    args_hash bytea NOT NULL,
    state text NOT NULL DEFAULT 'placed'
        CONSTRAINT ck_orders_state CHECK (state IN ('placed', 'done', 'refused')),
    outcome jsonb,
    placed_at timestamptz NOT NULL,
    executed_at timestamptz
);
CREATE INDEX ix_orders_placed ON orders (id) WHERE state = 'placed';
CREATE INDEX ix_orders_subscriber_id ON orders (subscriber_id);

CREATE FUNCTION refuse_second_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order % is %: that is final', OLD.reference, OLD.state;
END $$;
CREATE TRIGGER outcome_is_final BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.state <> 'placed') EXECUTE FUNCTION refuse_second_outcome();
"""

BOXES = """
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outbox PRIMARY KEY,
    event text NOT NULL,
    msisdn text NOT NULL,
    language text NOT NULL,
    facts jsonb NOT NULL,
    staged_at timestamptz NOT NULL,
    ring_at timestamptz NOT NULL,
    done_at timestamptz
);
CREATE INDEX ix_outbox_undone ON outbox (ring_at, id) WHERE done_at IS NULL;

CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_inbox PRIMARY KEY,
    provider text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL CONSTRAINT uq_inbox_key UNIQUE,
    form jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    ring_at timestamptz NOT NULL,
    done_at timestamptz
);
CREATE INDEX ix_inbox_undone ON inbox (ring_at, id) WHERE done_at IS NULL;

CREATE FUNCTION notify_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('relay', '');
    RETURN NULL;
END $$;
CREATE TRIGGER notify_relay AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_relay();
CREATE TRIGGER notify_relay AFTER INSERT ON inbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_relay();
"""

MESSAGES = """
CREATE TABLE messages (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_messages PRIMARY KEY,
    outbox_id bigint NOT NULL CONSTRAINT uq_messages_outbox_id UNIQUE
        CONSTRAINT fk_messages_outbox_id REFERENCES outbox (id),
    state text NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    provider_id text CONSTRAINT uq_messages_provider_id UNIQUE,
    parts integer,
    cost text,
    why text,
    changed_at timestamptz NOT NULL
);

CREATE TABLE delivery_reports (
    provider_id text NOT NULL CONSTRAINT pk_delivery_reports PRIMARY KEY,
    state text NOT NULL,
    why text,
    reported_at timestamptz NOT NULL
);

CREATE TABLE opt_outs (
    msisdn text NOT NULL CONSTRAINT pk_opt_outs PRIMARY KEY,
    opted_out_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (PEOPLE, ORDERS, BOXES, MESSAGES):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE opt_outs, delivery_reports, messages, inbox, outbox, orders")
    op.execute("DROP FUNCTION notify_relay, refuse_second_outcome")
    op.execute("DROP TABLE pins, subscribers")

"""
Merchants: what their shop is called, what they gave back of payments, and links that ask for one.

New tables, and columns without a default: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "merchants"
down_revision = "issuers"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE merchants
    ADD COLUMN shop_name text,
    ADD COLUMN category text,
    ADD COLUMN contact text;

CREATE TABLE refunds (
    order_id bigint NOT NULL CONSTRAINT pk_refunds PRIMARY KEY
        CONSTRAINT fk_refunds_order_id REFERENCES orders (id),
    payment_id bigint NOT NULL CONSTRAINT fk_refunds_payment_id REFERENCES orders (id),
    amount bigint NOT NULL CONSTRAINT ck_refunds_amount CHECK (amount > 0),
    refunded_at timestamptz NOT NULL
);
CREATE INDEX ix_refunds_payment_id ON refunds (payment_id);

CREATE TABLE payment_links (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_payment_links PRIMARY KEY,
    code text NOT NULL CONSTRAINT uq_payment_links_code UNIQUE,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_payment_links_subscriber_id REFERENCES merchants (subscriber_id),
    currency text NOT NULL,
    amount bigint CONSTRAINT ck_payment_links_amount CHECK (amount > 0),
    memo text NOT NULL,
    is_single_use boolean NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz,
    closed_at timestamptz,
    used_by bigint CONSTRAINT fk_payment_links_used_by REFERENCES orders (id)
);
CREATE INDEX ix_payment_links_subscriber_id ON payment_links (subscriber_id, id);

CREATE TABLE payment_link_uses (
    order_id bigint NOT NULL CONSTRAINT pk_payment_link_uses PRIMARY KEY
        CONSTRAINT fk_payment_link_uses_order_id REFERENCES orders (id),
    link_id bigint NOT NULL CONSTRAINT fk_payment_link_uses_link_id REFERENCES payment_links (id)
);
CREATE INDEX ix_payment_link_uses_link_id ON payment_link_uses (link_id, order_id);
"""

GRANTS = """
GRANT UPDATE (shop_name, category, contact) ON merchants TO kabambe_web;
GRANT SELECT ON refunds TO kabambe_web;
GRANT SELECT, INSERT ON refunds TO kabambe_worker;
GRANT SELECT,
    INSERT (code, subscriber_id, currency, amount, memo, is_single_use, made_at, expires_at),
    UPDATE (closed_at, used_by) ON payment_links TO kabambe_web;
GRANT SELECT, INSERT ON payment_link_uses TO kabambe_web;
GRANT SELECT ON payment_links, payment_link_uses TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("DROP TABLE payment_link_uses, payment_links, refunds")
    op.execute("REVOKE UPDATE (shop_name, category, contact) ON merchants FROM kabambe_web")
    op.execute(
        "ALTER TABLE merchants DROP COLUMN shop_name, DROP COLUMN category, DROP COLUMN contact"
    )

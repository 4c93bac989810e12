"""
Rates as they were fetched, our margins, and prices promised for a minute.

Safe under load: new tables.
"""

from __future__ import annotations

from alembic import op

revision = "exchange"
down_revision = "reversals"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE rates (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_rates PRIMARY KEY,
    base text NOT NULL,
    quote text NOT NULL,
    bid numeric(24, 12) NOT NULL,
    ask numeric(24, 12) NOT NULL,
    source text NOT NULL,
    at timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL,
    CONSTRAINT ck_rates_sides CHECK (bid > 0 AND ask >= bid AND base <> quote)
);
CREATE INDEX ix_rates_newest ON rates (base, quote, at);

CREATE TABLE margins (
    currency text NOT NULL,
    valid_from timestamptz NOT NULL,
    basis_points integer NOT NULL
        CONSTRAINT ck_margins_basis_points CHECK (basis_points BETWEEN 0 AND 2000),
    CONSTRAINT pk_margins PRIMARY KEY (currency, valid_from)
);

CREATE TABLE quotes (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_quotes PRIMARY KEY,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_quotes_subscriber_id REFERENCES subscribers (id),
    give_currency text NOT NULL,
    give bigint NOT NULL CONSTRAINT ck_quotes_give CHECK (give > 0),
    get_currency text NOT NULL,
    get bigint NOT NULL CONSTRAINT ck_quotes_get CHECK (get > 0),
    spread bigint NOT NULL CONSTRAINT ck_quotes_spread CHECK (spread >= 0),
    rate numeric(36, 12) NOT NULL,
    source text NOT NULL,
    rate_at timestamptz NOT NULL,
    quoted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    order_id bigint CONSTRAINT fk_quotes_order_id REFERENCES orders (id)
        CONSTRAINT uq_quotes_order_id UNIQUE
);

GRANT SELECT ON rates, margins, quotes TO kabambe_web, kabambe_worker;
GRANT INSERT (base, quote, bid, ask, source, at, fetched_at) ON rates TO kabambe_worker;
GRANT INSERT (subscriber_id, give_currency, give, get_currency, get, spread, rate, source, rate_at,
    quoted_at, expires_at, order_id), UPDATE (order_id) ON quotes TO kabambe_web;
"""

# Basis points: half of what an exchange between two of them costs beside the source's own spread.
FIRST_MARGINS = """
INSERT INTO margins VALUES
    ('KES', '2020-01-01', 50), ('NGN', '2020-01-01', 75), ('USD', '2020-01-01', 50),
    ('EUR', '2020-01-01', 50), ('GBP', '2020-01-01', 50), ('USDT', '2020-01-01', 50),
    ('BTC', '2020-01-01', 100);
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(FIRST_MARGINS)


def downgrade() -> None:
    op.execute("DROP TABLE quotes, margins, rates")

"""
Checkouts: deposits on a page of a rail's, and payouts that come back after they had arrived.

What Paystack and Flutterwave cost is data, as published in 2026; see what your account pays. New
columns with constant defaults and constraints on small tables: safe under load.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "checkouts"
down_revision = "access"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE deposits ADD COLUMN checkout_url text, ADD COLUMN pages integer NOT NULL DEFAULT 0;
ALTER TABLE withdrawals DROP CONSTRAINT ck_withdrawals_state, DROP CONSTRAINT ck_withdrawals_held;
ALTER TABLE withdrawals
    ADD CONSTRAINT ck_withdrawals_state CHECK (state IN ('requested', 'sending', 'sent', 'unsure',
        'paid', 'failed', 'review', 'returned')),
    ADD CONSTRAINT ck_withdrawals_held CHECK (held IN (0, amount + fee + tariff)
        AND (held > 0 OR state IN ('paid', 'failed', 'review', 'returned')));
CREATE TRIGGER notify_relay AFTER INSERT ON deposits FOR EACH ROW
    WHEN (NEW.provider <> 'mpesa') EXECUTE FUNCTION notify_relay();
GRANT UPDATE (checkout_url, pages) ON deposits TO kabambe_worker;
"""

# What a page costs is taken out of what comes in: the rail's share, and no more. Paying out costs
# our fee and the rail's. In minor units.
TARIFFS = """
INSERT INTO fee_tiers (kind, currency, valid_from, amount_from, flat, basis_points, fee_max) VALUES
    ('deposit-paystack', 'USD', '2020-01-01', 0, 0, 390, NULL),
    ('deposit-paystack', 'KES', '2020-01-02', 0, 0, 290, NULL),
    ('deposit-paystack', 'NGN', '2020-01-02', 0, 0, 150, 200000),
    ('deposit-paystack', 'NGN', '2020-01-02', 250000, 10000, 150, 200000),
    ('deposit-flutterwave', 'USD', '2020-01-01', 0, 0, 480, NULL),
    ('deposit-flutterwave', 'KES', '2020-01-02', 0, 0, 320, NULL),
    ('deposit-flutterwave', 'NGN', '2020-01-02', 0, 0, 200, 200000),
    ('paystack-payout', 'USD', '2020-01-01', 0, 100, 0, NULL),
    ('paystack-payout', 'KES', '2020-01-02', 0, 2000, 0, NULL),
    ('paystack-payout', 'KES', '2020-01-02', 150001, 4000, 0, NULL),
    ('paystack-payout', 'KES', '2020-01-02', 2000001, 6000, 0, NULL),
    ('paystack-payout', 'NGN', '2020-01-02', 0, 1000, 0, NULL),
    ('paystack-payout', 'NGN', '2020-01-02', 500001, 2500, 0, NULL),
    ('paystack-payout', 'NGN', '2020-01-02', 5000001, 5000, 0, NULL),
    ('flutterwave-payout', 'USD', '2020-01-01', 0, 100, 0, NULL),
    ('flutterwave-payout', 'KES', '2020-01-02', 0, 10000, 0, NULL),
    ('flutterwave-payout', 'NGN', '2020-01-02', 0, 1075, 0, NULL),
    ('flutterwave-payout', 'NGN', '2020-01-02', 500001, 2688, 0, NULL),
    ('flutterwave-payout', 'NGN', '2020-01-02', 5000001, 5375, 0, NULL),
    ('withdrawal', 'USD', '2020-01-01', 0, 20, 0, NULL);
"""

STATES = (
    """        WHEN 'failed' THEN NEW.state = 'review'
        WHEN 'review' THEN NEW.state IN ('paid', 'failed')
        ELSE false END)
    EXECUTE FUNCTION refuse_rail_change();
CREATE TRIGGER closing_is_final BEFORE UPDATE ON suspense_cases""",
    """        WHEN 'failed' THEN NEW.state = 'review'
        WHEN 'review' THEN NEW.state IN ('paid', 'failed')
        WHEN 'paid' THEN NEW.state = 'returned'
        ELSE false END)
    EXECUTE FUNCTION refuse_rail_change();
CREATE TRIGGER closing_is_final BEFORE UPDATE ON suspense_cases""",
)

BEFORE = """
REVOKE UPDATE (checkout_url, pages) ON deposits FROM kabambe_worker;
DROP TRIGGER notify_relay ON deposits;
ALTER TABLE deposits DROP COLUMN checkout_url, DROP COLUMN pages;
ALTER TABLE withdrawals DROP CONSTRAINT ck_withdrawals_state, DROP CONSTRAINT ck_withdrawals_held;
ALTER TABLE withdrawals
    ADD CONSTRAINT ck_withdrawals_state
        CHECK (state IN ('requested', 'sending', 'sent', 'unsure', 'paid', 'failed', 'review')),
    ADD CONSTRAINT ck_withdrawals_held CHECK (held IN (0, amount + fee + tariff)
        AND (held > 0 OR state IN ('paid', 'failed', 'review')));
DELETE FROM fee_tiers WHERE kind IN ('deposit-paystack', 'deposit-flutterwave', 'paystack-payout',
    'flutterwave-payout') OR (kind, currency) = ('withdrawal', 'USD');
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(TARIFFS)
    _one_way(_rails().TRIGGERS.replace(*STATES))


def downgrade() -> None:
    _one_way(_rails().TRIGGERS)
    op.execute(BEFORE)


def _one_way(triggers: str) -> None:
    """Which states a withdrawal goes through, as the revision `rails` has it or with one more."""
    op.execute("DROP TRIGGER states_go_one_way ON withdrawals")
    begin = triggers.index("CREATE TRIGGER states_go_one_way BEFORE UPDATE ON withdrawals")
    op.execute(triggers[begin : triggers.index("CREATE TRIGGER closing_is_final", begin)])


def _rails() -> ModuleType:
    script = op.get_context().script
    assert script is not None
    found = script.get_revision("rails")
    assert found is not None
    module: ModuleType = found.module
    assert module.TRIGGERS.count(STATES[0]) == 1
    return module

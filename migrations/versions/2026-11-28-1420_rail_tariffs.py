"""
What M-Pesa costs, our own fees and limits beside it, and the accounts that its money goes through.

An account with a deposit or a payout that nobody has decided about is not closed. New rows, and a
function that is replaced: safe under load.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "rail_tariffs"
down_revision = "rails"
branch_labels = None
depends_on = None

ACCOUNTS = """
INSERT INTO accounts (path, currency, mode, balance_min, balance_max) VALUES
    ('bank:main:kes', 'KES', 'record', NULL, NULL),
    ('costs:mpesa:kes', 'KES', 'record', NULL, NULL),
    ('fees:deposit:kes', 'KES', 'record', NULL, NULL),
    ('fees:withdrawal:kes', 'KES', 'record', NULL, NULL),
    ('mpesa:paybill:kes', 'KES', 'record', NULL, NULL),
    ('mpesa:underway:kes', 'KES', 'authorise', NULL, 0),
    ('mpesa:utility:kes', 'KES', 'authorise', NULL, 0),
    ('suspense:mpesa:kes', 'KES', 'authorise', 0, NULL);
"""
SHUT = """
DELETE FROM accounts
WHERE path ~ '^(bank|costs|mpesa|suspense):' OR path IN ('fees:deposit:kes', 'fees:withdrawal:kes')
"""

# Cents. A deposit is free of our fee; a withdrawal costs a flat fee beside M-Pesa's own tariff for
# paying out (business pays, and we pass it on). `mpesa-paybill` is what M-Pesa asks of who pays us:
# it never passes through our book, and is told beforehand.
TARIFFS = """
INSERT INTO fee_tiers (kind, currency, valid_from, amount_from, flat, basis_points) VALUES
    ('deposit', 'KES', '2020-01-01', 0, 0, 0),
    ('withdrawal', 'KES', '2020-01-01', 0, 500, 0),
    ('withdrawal', 'KES', '2020-01-01', 100001, 1000, 0),
    ('withdrawal', 'KES', '2020-01-01', 1000001, 2000, 0),
    ('withdrawal', 'KES', '2020-01-01', 5000001, 4000, 0);
INSERT INTO fee_tiers (kind, currency, valid_from, amount_from, flat, basis_points)
SELECT 'mpesa-payout', 'KES', '2023-07-01', t.above * 100 + 1, t.tariff * 100, 0
FROM (VALUES (-0.01, 0), (100, 5), (1500, 9), (5000, 11), (20000, 13)) AS t (above, tariff);
INSERT INTO fee_tiers (kind, currency, valid_from, amount_from, flat, basis_points)
SELECT 'mpesa-paybill', 'KES', '2023-07-01', t.above * 100 + 1, t.tariff * 100, 0
FROM (VALUES (-0.01, 0), (100, 5), (500, 10), (1000, 15), (1500, 20), (2500, 25), (3500, 34),
    (5000, 42), (7500, 48), (10000, 57), (15000, 62), (20000, 67), (25000, 72), (30000, 83),
    (35000, 99), (40000, 103), (45000, 108)) AS t (above, tariff);
INSERT INTO limits (kind, holder, tier, currency, valid_from, order_min, order_max, day_max,
    hour_count_max, month_max, balance_max)
SELECT k.kind, l.holder, l.tier, l.currency, l.valid_from, k.order_min,
    least(l.order_max, 25000000), l.day_max, l.hour_count_max, l.month_max, l.balance_max
FROM limits l, (VALUES ('deposit', 100), ('withdrawal', 1000)) AS k (kind, order_min)
WHERE l.kind = 'transfer';
"""

# A closed account could get what is still on its way to it, or owe what was paid out for it.
STILL_OPEN = """\
        OR EXISTS (
            SELECT FROM deposits WHERE subscriber_id = p_subscriber AND (state IN
                ('expected', 'prompting', 'prompted', 'unsure', 'review')
                OR state = 'expired' AND next_ask_at IS NOT NULL))
        OR EXISTS (
            SELECT FROM withdrawals WHERE subscriber_id = p_subscriber AND state = 'review')
        OR EXISTS (
            SELECT FROM suspense_cases WHERE subscriber_id = p_subscriber AND state <> 'closed')
"""

BEFORE = """
DELETE FROM limits WHERE kind IN ('deposit', 'withdrawal');
DELETE FROM fee_tiers WHERE kind IN ('deposit', 'withdrawal', 'mpesa-payout', 'mpesa-paybill');
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (ACCOUNTS, TARIFFS, _closing(STILL_OPEN)):
        op.execute(part)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (_closing(""), BEFORE, SHUT):
        op.execute(part)


def _closing(more: str) -> str:
    """`close_account` as the revision `accounts` has it, with one look more."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision("accounts")
    assert found is not None
    module: ModuleType = found.module
    closing: str = module.CLOSING.partition("CREATE FUNCTION refuse_closed_holder")[0]
    last = "        OR EXISTS (\n            SELECT FROM reversals r"
    assert closing.count(last) == 1
    closing = closing.replace(last, more + last)
    return closing.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

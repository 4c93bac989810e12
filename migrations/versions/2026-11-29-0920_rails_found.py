"""
What is under way over rails is found without reading all that ever was.

Four indexes: made while money comes and goes, each holds up whoever writes to its table for as long
as reading that takes. Run it when few are about.
"""

from __future__ import annotations

from alembic import op

revision = "rails_found"
down_revision = "what_is_written"
branch_labels = None
depends_on = None

MADE = {
    "ix_paybill_payments_deposit_id": "paybill_payments (deposit_id) WHERE deposit_id IS NOT NULL",
    "ix_withdrawals_begun": "withdrawals (provider, begun_at)",
    "ix_withdrawals_untold": "withdrawals (requested_at) WHERE delay_told_at IS NULL"
    " AND state IN ('requested', 'sending', 'sent', 'unsure')",
    "ix_deposits_waiting": "deposits (prompt_at)"
    " WHERE state IN ('expected', 'prompting', 'prompted', 'unsure')",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, what in MADE.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    for name in MADE:
        op.execute(f"DROP INDEX {name}")

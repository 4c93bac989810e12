"""
A fee looks its two reference rates up once, not twice for each tier of the tariff.

Every order is priced once more when it is executed: this is a tenth of what the database does for
it. What a fee comes to is unchanged. Safe under load: a function is replaced.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "a_fee_in_two_looks"
down_revision = "sessions"
branch_labels = None
depends_on = None

# An amount of the tariff's currency is turned as `equivalent` turns it.
FEE = """
CREATE OR REPLACE FUNCTION fee(
    p_kind text, p_currency text, p_amount bigint, p_at timestamptz
) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    tariff record;
    usd_of_tariff numeric := 1;
    usd_of_ours numeric := 1;
    shift numeric := 1;
BEGIN
    SELECT v.valid_from, v.currency INTO tariff FROM fee_tiers v
    WHERE v.kind = p_kind AND v.currency IN (p_currency, 'USD') AND v.valid_from <= p_at
    ORDER BY v.valid_from DESC, (v.currency = p_currency) DESC LIMIT 1;
    IF tariff.currency <> p_currency THEN
        usd_of_tariff := reference_usd(tariff.currency, p_at);
        usd_of_ours := reference_usd(p_currency, p_at);
        shift := 10::numeric ^ (exponent(p_currency) - exponent(tariff.currency));
    END IF;
    RETURN (SELECT least(
        greatest(
            ceil(round(t.flat * usd_of_tariff / usd_of_ours * shift, 6))::bigint
                + (t.basis_points * p_amount + 9999) / 10000,
            ceil(round(t.fee_min * usd_of_tariff / usd_of_ours * shift, 6))::bigint),
        ceil(round(t.fee_max * usd_of_tariff / usd_of_ours * shift, 6))::bigint)
    FROM fee_tiers t
    WHERE t.kind = p_kind AND t.valid_from = tariff.valid_from AND t.currency = tariff.currency
      AND p_amount >= ceil(round(t.amount_from * usd_of_tariff / usd_of_ours * shift, 6))::bigint
    ORDER BY t.amount_from DESC LIMIT 1);
END $$;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(FEE)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _, begins, rest = _revision("holders").FEES.partition("CREATE OR REPLACE FUNCTION fee(")
    body, ends, _ = rest.partition("END $$;")
    op.execute(begins + body + ends)


def _revision(name: str) -> ModuleType:
    """An earlier revision: what stood before is said there."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module

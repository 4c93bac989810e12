"""
A reversal mirrors the journal of the order staff are shown; a price is had by one order.

Doors write both rows: whoever took one over must get nothing decided, or exchanged, that was not
asked for. New triggers on small tables: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "mirrors_and_prices"
down_revision = "quiet_ends"
branch_labels = None
depends_on = None

REVERSALS = """
CREATE FUNCTION refuse_mirror_of_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM orders o JOIN journals j ON j.key = o.key
        WHERE o.id = NEW.order_id AND j.id = NEW.original_id
          AND j.reason IN ('transfer', 'payment')
    ) THEN
        RAISE EXCEPTION 'journal % is not that of transfer or payment %',
            NEW.original_id, NEW.order_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER mirrors_its_order BEFORE INSERT OR UPDATE OF original_id, order_id ON reversals
    FOR EACH ROW EXECUTE FUNCTION refuse_mirror_of_another();
"""

QUOTES = """
CREATE FUNCTION refuse_second_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the price % is of order %: that is final', OLD.id, OLD.order_id;
END $$;
CREATE TRIGGER order_is_final BEFORE UPDATE OF order_id ON quotes
    FOR EACH ROW
    WHEN (OLD.order_id IS NOT NULL AND NEW.order_id IS DISTINCT FROM OLD.order_id)
    EXECUTE FUNCTION refuse_second_order();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(REVERSALS)
    op.execute(QUOTES)


def downgrade() -> None:
    op.execute("DROP TRIGGER order_is_final ON quotes")
    op.execute("DROP FUNCTION refuse_second_order")
    op.execute("DROP TRIGGER mirrors_its_order ON reversals")
    op.execute("DROP FUNCTION refuse_mirror_of_another")

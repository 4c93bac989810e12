"""What is looked for on rails time and again is found by an index, however much there is."""

from __future__ import annotations

import pytest
from sqlalchemy import event, text

from core import deposits, withdrawals
from core.paybill import Payment
from core.paybill.rows import has_come


@pytest.fixture
def rail(rail):
    rail.fund()
    return rail


@pytest.fixture
def plans(house):
    """How PostgreSQL would go about what some work reads, if it may not read all."""

    def plans(work):
        read = []

        def keep(_connection, _cursor, statement, parameters, *_rest):
            if statement.lstrip().startswith("SELECT"):
                read.append((statement, parameters))

        with house.databases["owner"].begin() as session:
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", keep)
            work(session)
            event.remove(connection, "before_cursor_execute", keep)
            session.execute(text("SET LOCAL enable_seqscan = off"))
            found = [connection.exec_driver_sql(f"EXPLAIN {each}", given) for each, given in read]
            return "\n".join(row[0] for each in found for row in each)

    return plans


def test_another_payment_for_the_same_deposit(rail, plans):
    told = plans(lambda session: has_come(session, Payment(id=2, deposit_id=1)))
    assert "ix_paybill_payments_deposit_id" in told


def test_what_went_out_since_the_float_was_told(rail, wanjiru, plans):
    withdrawal = rail.withdraw(wanjiru)
    rail.tell_float(100_000_00)
    told = plans(
        lambda session: withdrawals.begin(
            session, withdrawal=withdrawal, token_hash=b"t" * 32, now=rail.now
        )
    )
    assert "ix_withdrawals_begun" in told


def test_who_waits_and_was_not_told(rail, plans):
    told = plans(lambda session: withdrawals.tell_delayed(session, now=rail.now))
    assert "ix_withdrawals_untold" in told


@pytest.mark.parametrize("end", [deposits.expire, deposits.lapse])
def test_deposits_whose_time_is_over(rail, plans, end):
    assert "ix_deposits_waiting" in plans(lambda session: end(session, now=rail.now))

"""One order at fault is refused by itself, whatever the fault; the others are executed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from core import execution
from core.money import kes


@pytest.fixture
def placed(house, wanjiru, otieno):
    """Three transfers that wait for a worker; the second is about to be spoilt."""
    house.workers_are_there = False
    for amount in ("100", "200", "300"):
        wanjiru.phone.dial().types("1", "0733000002", amount, "4071")
    house.workers_are_there = True
    return house


def states(house):
    return house.bank.rows("SELECT state, outcome ->> 'code' FROM orders ORDER BY id")


def execute(house):
    return execution.execute(house.databases["worker"], now=house.clock())


SPOILT = {
    "its recipient is no number": "args = jsonb_set(args, '{recipient}', '\"x\"')",
    "its amount is missing": "args = args - 'amount'",
    "its amount is nothing": 'args = args || \'{"amount": -500, "fee": null}\'',
    "it has no arguments at all": "args = '{}'",
    "its reference is another journal's": "reference = 'TAKEN'",
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_its_neighbours_are_done(placed, otieno, spoil):
    with placed.bank.owner.begin() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO journals (key, reason, reference, posted_at)"
            " VALUES ('other', 'transfer', 'TAKEN', now())"
        )
        session.connection().exec_driver_sql(
            f"UPDATE orders SET {spoil} WHERE args ->> 'amount' = '20000'"
        )
    assert len(execute(placed)) == 3
    assert states(placed)[0::2] == [("done", None)] * 2
    assert states(placed)[1][0] == "refused"
    assert otieno.balance == kes(400_00)
    assert execute(placed) == []


def test_orders_wait_for_the_migration_that_this_worker_wants(placed, otieno):
    placed.bank.run("ALTER FUNCTION post RENAME TO post_by_and_by")
    try:
        with pytest.raises(ProgrammingError, match="post"):
            execute(placed)
    finally:
        placed.bank.run("ALTER FUNCTION post_by_and_by RENAME TO post")
    assert states(placed) == [("placed", None)] * 3
    assert len(execute(placed)) == 3
    assert otieno.balance == kes(600_00)


def test_a_kind_this_worker_does_not_know_is_left_to_one_that_does(placed, otieno):
    placed.bank.run("UPDATE orders SET kind = 'tomorrow' WHERE args ->> 'amount' = '20000'")
    assert len(execute(placed)) == 2
    assert states(placed) == [("done", None), ("placed", None), ("done", None)]
    placed.clock.passes(hours=1)
    with placed.databases["worker"]() as session:
        waited = execution.oldest(session, now=placed.clock())
    assert waited == timedelta(0), "nobody need think this worker behind"
    placed.bank.run("UPDATE orders SET kind = 'transfer' WHERE state = 'placed'")
    execute(placed)
    assert otieno.balance == kes(600_00)


def test_nobody_is_refused_because_the_database_was_slow(placed, otieno):
    with placed.bank.owner.begin() as session:
        session.connection().exec_driver_sql("SELECT FROM accounts FOR UPDATE")
        with pytest.raises(OperationalError, match="lock timeout"):
            execute(placed)
    assert states(placed) == [("placed", None)] * 3
    execute(placed)
    assert otieno.balance == kes(600_00)

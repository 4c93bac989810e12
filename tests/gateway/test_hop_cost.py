"""What a hop costs, counted where it is paid: commands that reach Redis, statements of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from phone import Phone
from sqlalchemy import event


@dataclass
class Bill:
    """Commands and statements, as the engines were asked them."""

    redis: list[str] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)


@pytest.fixture
def counting(house):
    engine = house.databases["web"].kw["bind"]
    stranger = Phone(house, "+254799000009")
    stranger.dial().types("x", "0")  # what is connected, or told to Redis, once is no hop's

    @contextmanager
    def counting() -> Iterator[Bill]:
        bill = Bill()

        def asked(_connection, _cursor, statement, *_others):
            bill.sql.append(statement)

        event.listen(engine, "before_cursor_execute", asked)
        try:
            with house.redis.monitor() as monitor:
                house.redis.echo("from here on")  # and not what its connection says at first
                while "from here on" not in monitor.next_command()["command"]:
                    pass
                yield bill
                house.redis.echo("that is all")
                while "that is all" not in (seen := monitor.next_command())["command"]:
                    if seen["client_type"] != "lua":  # what a script does costs no way
                        bill.redis.append(seen["command"])
        finally:
            event.remove(engine, "before_cursor_execute", asked)

    return counting


@pytest.mark.parametrize("remembers", [True, False])
def test_a_navigation_hop_asks_redis_once_or_twice_and_postgres_nothing(
    house, wanjiru, otieno, counting, remembers
):
    """Once where the process answered the session's last hop, twice where another one did."""
    for _ in range(12):
        wanjiru.phone.dial().types("1", "0733000002", "1", "4071")
    wanjiru.phone.dial()
    walk = ("3", "0", "4", "1", "0", "00", "5", "2", "0", "x", "0", "4", "9", "3", "00", "1")
    for answer in walk:
        if not remembers:
            house.forget_turns()
        with counting() as bill:
            wanjiru.phone.types(answer)
        assert len(bill.redis) == (1 if remembers else 2), (answer, bill.redis)
        assert bill.sql == [], answer
    with counting() as bill:  # whoever might look a name up claims first, though there is none
        wanjiru.phone.types("no")
    assert (len(bill.redis), bill.sql) == (2, [])
    wanjiru.phone.dial().types("2")
    for answer in ("98", "1", "0", "98", "00"):
        if not remembers:
            house.forget_turns()
        with counting() as bill:
            wanjiru.phone.types(answer)
        assert (len(bill.redis), bill.sql) == (1 if remembers else 2, []), answer


def test_a_hop_that_asks_postgres_claims_its_turn_before(
    house, wanjiru, otieno, counting, monkeypatch
):
    wanjiru.phone.dial().types("1")
    sessions, asked_before = house.conversation.sessions, []

    def claim(*given, claim=sessions.claim, **words):
        asked_before.append(len(bill.sql))
        return claim(*given, **words)

    monkeypatch.setattr(sessions, "claim", claim)
    with counting() as bill:
        wanjiru.phone.types("0733000002")
    assert (asked_before, len(bill.redis), len(bill.sql) > 0) == ([0], 2, True)


def test_a_session_begins_with_two_calls_and_one_look(wanjiru, counting):
    with counting() as bill:
        wanjiru.phone.dial()
    # The harness forgets the call before; that is one more, and not the door's.
    assert [command.split()[0] for command in bill.redis] == ["DEL", "EVALSHA", "EVALSHA"]
    assert len(bill.sql) == 1


def test_going_on_costs_one_more_look(wanjiru, otieno, counting):
    wanjiru.phone.dial().types("1", "0733000002").hangs_up()
    with counting() as bill:
        wanjiru.phone.redials()
    assert (len(bill.redis), len(bill.sql)) == (2, 2)
    with counting() as bill:
        wanjiru.phone.types("1")
    assert wanjiru.phone.screen.startswith("To Otieno")
    assert (len(bill.redis), bill.sql) == (1, [])


def test_so_does_saying_what_became_of_an_order(wanjiru, otieno, counting):
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
    with counting() as bill:
        wanjiru.phone.redials()
    assert wanjiru.phone.screen.startswith("Sent KES 50.00")
    assert (len(bill.redis), len(bill.sql)) == (2, 2)


def test_a_repeat_costs_one_call_its_label_with_it(wanjiru, counting):
    wanjiru.phone.dial().types("3")
    with counting() as bill:
        wanjiru.phone.again()
    assert wanjiru.phone.label == "account.Account"
    assert (len(bill.redis), bill.sql) == (1, [])


def test_what_is_counted_is_there_to_be_counted(wanjiru, otieno, counting):
    """A hop that orders asks both engines more: the counters see it."""
    wanjiru.phone.dial().types("1", "0733000002", "50")
    with counting() as bill:
        wanjiru.phone.types("4071")
    assert len(bill.redis) > 4
    assert any("INSERT INTO orders" in statement for statement in bill.sql)

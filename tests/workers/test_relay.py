"""The relay: woken by whatever is staged, and for events asking Postgres for events alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

import pytest
from safaricom import until

from core import inbox
from core.inbox import Kind
from core.outbox import Event, Fact, stage
from workers import messages, queues, relay
from workers.queues import Name
from workers.relay import DELIVER, TAKE_IN, UNDERSTAND, Relay


@pytest.fixture
def line(house):
    return queues.queue(Name.SMS, house.redis)


@contextmanager
def awake(house, *, poll_seconds: float) -> Iterator[mock.Mock]:
    """Let it run; how often it has asked for everything is what the mock was called."""
    running = Relay(house.databases["worker"], house.redis, house.clock)
    with (
        mock.patch.object(relay, "POLL_SECONDS", poll_seconds),
        mock.patch.object(running, "once", wraps=running.once) as once,
    ):
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            until(lambda: once.call_count)
            listens(house, once)
            yield once
        finally:
            running.stop()
            house.bank.run("NOTIFY relay")
            thread.join()


def listens(house, once) -> None:
    """Send it empty notices, as triggers of before did, until it hears one; and let it rest."""
    calls = once.call_count
    while once.call_count == calls:
        house.bank.run("NOTIFY relay")
        time.sleep(0.05)
    while once.call_count > calls:
        calls = once.call_count
        time.sleep(0.3)


def tell(house):
    fact = Fact(Event.REGISTERED, "+254712000001", "en", {"name": "Wanjiru"})
    with house.databases["worker"].begin() as session:
        stage(session, facts=[fact], now=house.clock())


def hear(house, kind, form, *, key="1"):
    with house.databases["web"].begin() as session:
        inbox.receive(
            session,
            provider="africastalking",
            kind=kind,
            key=key,
            form=form,
            now=house.clock(),
        )


def rung(line):
    return [job.func_name for job in line.jobs]


def test_events_alone_are_rung_for_at_once_and_nothing_else_is_asked(house, line):
    with awake(house, poll_seconds=60) as once:
        asked = once.call_count
        for count in (1, 2, 3):
            tell(house)
            until(lambda count=count: rung(line).count(DELIVER) == count)
        assert once.call_count == asked


def test_events_that_come_together_are_rung_for_together(house, line, monkeypatch):
    monkeypatch.setattr(relay, "_TOGETHER_SECONDS", 3.0)
    with awake(house, poll_seconds=60):
        tell(house)
        until(lambda: rung(line).count(DELIVER) == 1)
        for _ in range(5):
            tell(house)
            time.sleep(0.1)
        until(lambda: rung(line).count(DELIVER) >= 2)
        lots = [len(job.kwargs["ids"]) for job in line.jobs if job.func_name == DELIVER]
        assert lots == [1, 5]


def test_a_letter_has_it_ask_for_everything(house, line):
    with awake(house, poll_seconds=60) as once:
        asked = once.call_count
        hear(house, Kind.SMS_INBOUND, {"text": "BAL"})
        until(lambda: UNDERSTAND in rung(line))
        assert once.call_count > asked


def test_how_a_session_ended_wakes_nobody(house, line):
    with awake(house, poll_seconds=60) as once:
        asked = once.call_count
        hear(house, Kind.USSD_ENDED, {"status": "Success"})
        tell(house)
        until(lambda: DELIVER in rung(line))
        assert once.call_count == asked


def test_however_many_events_there_are_everything_is_asked_for_every_second(house, line):
    with awake(house, poll_seconds=0.3) as once:
        asked = once.call_count

        def told_again():
            tell(house)
            return once.call_count > asked + 2

        until(told_again)


def test_delivery_reports_leave_room_for_receipts_and_for_what_somebody_wrote(house, line):
    for count in range(600):
        hear(
            house, Kind.SMS_DELIVERY, {"id": f"ATXid_{count}", "status": "Success"}, key=f"{count}"
        )
    for _ in range(3):
        house.relay.once()
    assert rung(line).count(TAKE_IN) == 8
    tell(house)
    hear(house, Kind.SMS_INBOUND, {"text": "BAL", "from": "+254712000001"}, key="w")
    house.relay.once()
    assert rung(line)[0] == UNDERSTAND
    assert rung(line).count(TAKE_IN) == 8
    assert DELIVER in rung(line)
    house.work(Name.SMS)
    house.relay.once()
    assert rung(line).count(TAKE_IN) == 8, "the next lot, when the queue is empty"


def test_a_delivery_report_at_fault_holds_up_no_other(house):
    for key, form in (("1", {"id": "a"}), ("2", {"id": "b", "status": "Success"})):
        hear(house, Kind.SMS_DELIVERY, form, key=key)
    messages.take_in(ids=[1, 2])
    assert house.bank.rows("SELECT provider_id, state FROM delivery_reports") == [
        ("b", "delivered")
    ]
    assert house.bank.rows("SELECT tries, done_at IS NULL FROM inbox ORDER BY id") == [
        (1, True),
        (0, False),
    ]


def test_the_same_lot_in_two_hands_is_taken_in_once(house):
    forms = [{"id": f"ATXid_{count:02}", "status": "Success"} for count in range(40)]
    for key, form in enumerate(forms):
        hear(house, Kind.SMS_DELIVERY, form, key=f"{key}")
    ids = list(range(1, 41))
    with ThreadPoolExecutor(2) as hands:
        list(hands.map(lambda some: messages.take_in(ids=some), (ids, ids[::-1])))
    assert house.bank.one("SELECT count(*) FROM inbox WHERE done_at IS NULL") == 0
    assert house.bank.one("SELECT count(*) FROM delivery_reports WHERE state = 'delivered'") == 40

"""Workers stopped, Redis gone, Postgres gone: always an answer in words, never money lost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from processes import until, worker
from redis.exceptions import RedisError

from core import db
from core.money import kes
from menus.gsm7 import septets
from menus.sessions import Dial, RedisSessions, connect


def confirm(phone, amount="500"):
    return phone.dial().types("1", "0733000002", amount, "4071")


def test_workers_stopped_the_customer_is_told_and_later_it_is_done_once(house, wanjiru, otieno):
    house.workers_are_there = False
    began = time.monotonic()
    confirm(wanjiru.phone).ends_with("""
        Your request to send KES 500.00 to Otieno is received. You will get an SMS.
        Ref REF
    """)
    assert time.monotonic() - began < 3
    assert wanjiru.balance == kes(1250_00)

    house.workers_are_there = True
    otieno.phone.received()
    house.clock.passes(seconds=2)  # the relay sees that nobody heard the bell
    otieno.phone.received(
        "REF You received KES 500.00 from Wanjiru 0712***001 on 21/11/26 09:30. Fee KES 0.00."
        " Balance KES 500.00. Seal SEAL"
    )
    assert wanjiru.balance == kes(745_00)
    wanjiru.phone.again()  # the network repeats the hop: the same words, and nothing moves
    assert wanjiru.balance == kes(745_00)


def test_a_worker_that_dies_in_the_middle_of_a_wait_costs_two_seconds(house, wanjiru, otieno):
    """Its last heartbeat still counts, so the door waits; then it says that an SMS will follow."""
    house.workers_are_there = False
    house.bell.beat(timedelta(0))
    began = time.monotonic()
    confirm(wanjiru.phone)
    took = time.monotonic() - began
    assert wanjiru.phone.screen.startswith("Your request to send KES 500.00")
    assert 1.5 < took < 3


def test_a_ledger_that_is_behind_is_not_waited_for(house, wanjiru, otieno):
    house.workers_are_there = False
    house.bell.beat(timedelta(seconds=5))
    began = time.monotonic()
    confirm(wanjiru.phone)
    assert time.monotonic() - began < 1


def test_waiting_never_takes_every_thread(house, otieno):
    """Twelve confirm at once while the ledger hangs: six wait, six are answered at once."""
    house.workers_are_there = False
    for number in range(12):
        house.register(f"+2547120001{number:02}", name="Person", balance="1,000")
    phones = [house.phone(f"+2547120001{number:02}") for number in range(12)]
    for phone in phones:
        phone.dial().types("1", "0733000002", "100")
    house.bell.beat(timedelta(0))

    def timed(phone):
        began = time.monotonic()
        phone.types("4071")
        return time.monotonic() - began

    with ThreadPoolExecutor(12) as hands:
        took = sorted(hands.map(timed, phones))
    assert sum(seconds < 1 for seconds in took) == 6
    assert max(took) < 3


def test_a_real_worker_killed_and_started_again_executes_once(house, wanjiru, otieno):
    house.clock.now = datetime.now(UTC)
    house.worker_is_elsewhere = True
    with worker(house, "ledger") as process:
        confirm(wanjiru.phone)
        assert wanjiru.phone.screen.startswith("Sent KES 500.00")
        process.kill()
        process.wait()
        until(lambda: not house.bell.is_answered())
        house.redis.flushdb()
        confirm(wanjiru.phone, "100")
        assert wanjiru.phone.screen.startswith("Your request to send KES 100.00")
    house.redis.flushdb()  # even the bell is lost
    with worker(house, "ledger"), worker(house, "relay"), worker(house, "sms"):
        until(lambda: otieno.balance == kes(600_00))
        sent = "SELECT count(*) FROM messages WHERE state = 'sent'"
        until(lambda: house.bank.one(sent) == 4)
    assert house.bank.one("SELECT count(*) FROM journals WHERE reason = 'transfer'") == 2


def test_redis_down_is_said_in_words_within_a_second(house, wanjiru):
    nowhere = connect("redis://127.0.0.1:9")
    gone = RedisSessions(nowhere, key="k", ttl_seconds=300)
    conversation = replace(house.conversation, sessions=gone)
    began = time.monotonic()

    said = conversation.hear(Dial("ATUid_x", wanjiru.phone.msisdn, "*384#", "")).body
    assert said.startswith("END Sorry, please try again shortly.")
    assert septets(said) <= 160
    assert time.monotonic() - began < 1
    nowhere.close()


def test_redis_that_goes_after_the_order_does_not_hide_what_was_done(house, wanjiru, otieno):
    """The turn cannot be committed, but the money has moved and its owner is told."""
    wanjiru.phone.dial().types("1", "0733000002", "500")
    sessions = house.conversation.sessions

    class Forgetful:
        recall, claim, open = sessions.recall, sessions.claim, sessions.open

        def commit(self, dial, opened, **_given):
            raise RedisError

    conversation = replace(house.conversation, sessions=Forgetful())

    text = wanjiru.phone.text + "*4071"
    dial = Dial(wanjiru.phone.session_id, wanjiru.phone.msisdn, "*384#", text)
    assert conversation.hear(dial).body.startswith("END Sent KES 500.00 to Otieno.")
    house.redis.flushdb()
    assert house.conversation.hear(dial).body.startswith("END Your request was done.")
    assert otieno.balance == kes(500_00)


def test_postgres_down_is_said_in_words(house):
    nowhere = db.connect("postgresql://nobody@127.0.0.1:9/none")
    conversation = replace(house.conversation, databases=nowhere)

    dial = Dial("ATUid_x", "+254712000001", "*384#", "")
    said = conversation.hear(dial)
    assert said.body == (
        "END Something went wrong. Your money is safe. Please try again.\n"
        "Hitilafu imetokea. Pesa zako ziko salama. Tafadhali jaribu tena."
    )
    assert septets(said.body) <= 160
    assert conversation.hear(dial) == said
    nowhere.kw["bind"].dispose()


def test_a_hop_is_done_again_when_another_transaction_won(house, wanjiru, otieno):
    """The row of the PIN is changed under a transaction that deadlocks once."""
    wanjiru.phone.dial().types("1", "0733000002", "500")
    house.bank.run(
        "CREATE FUNCTION lose_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('losses') = 1 THEN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END IF;"
        " RETURN NEW; END $$"
    )
    house.bank.run("CREATE SEQUENCE losses")
    house.bank.run("GRANT USAGE ON SEQUENCE losses TO kabambe_web")
    house.bank.run(
        "CREATE TRIGGER lose BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION lose_once()"
    )
    try:
        wanjiru.phone.types("4071")
    finally:
        house.bank.run("DROP TRIGGER lose ON orders")
        house.bank.run("DROP FUNCTION lose_once")
        house.bank.run("DROP SEQUENCE losses")
    assert wanjiru.phone.screen.startswith("Sent KES 500.00")
    assert otieno.balance == kes(500_00)


def test_an_order_at_fault_is_refused_and_its_neighbours_are_done(house, wanjiru, otieno):
    house.workers_are_there = False
    confirm(wanjiru.phone, "100")
    confirm(wanjiru.phone, "200")
    confirm(wanjiru.phone, "300")
    house.bank.run(
        "UPDATE orders SET args = jsonb_set(args, '{amount}', '0')"
        " WHERE args ->> 'amount' = '20000'"
    )
    house.workers_are_there = True
    house.ring()
    states = house.bank.rows("SELECT state, outcome ->> 'code' FROM orders ORDER BY id")
    assert states == [("done", None), ("refused", "fee-changed"), ("done", None)]
    assert otieno.balance == kes(400_00)


@pytest.mark.parametrize("lost", ["before", "between"])
def test_an_event_whose_bell_was_lost_is_rung_again(house, wanjiru, otieno, lost):
    confirm(wanjiru.phone)
    if lost == "between":
        house.relay.once()
    house.redis.flushdb()
    house.clock.passes(seconds=20)
    assert len(house.messages(otieno.phone.msisdn)) == 1
    assert len(house.messages(otieno.phone.msisdn)) == 1

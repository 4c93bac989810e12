"""Sending: tried again only when it certainly did not go, never twice in doubt."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from sqlalchemy import text

from core import messages as core_messages
from workers import messages, queues


def pay(wanjiru):
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")


def states(house):
    return sorted(each for (each,) in house.bank.rows("SELECT state FROM messages"))


def test_a_provider_that_is_down_is_tried_again_and_each_is_sent_once(house, wanjiru, otieno):
    house.fault(next=2, kind="http", status=503)
    pay(wanjiru)
    house.send_messages()
    assert states(house) == ["queued", "queued"]
    house.clock.passes(seconds=30)
    assert len(house.messages(wanjiru.phone.msisdn)) == 1
    assert len(house.messages(otieno.phone.msisdn)) == 1
    assert states(house) == ["sent", "sent"]


def test_what_may_have_gone_out_is_never_sent_again(house, wanjiru, otieno):
    house.fault(next=2, kind="accept-reset")
    pay(wanjiru)
    house.send_messages()
    assert states(house) == ["unknown", "unknown"]
    for _ in range(3):
        house.clock.passes(minutes=5)
        house.send_messages()
    assert len(house.messages(wanjiru.phone.msisdn)) == 1  # it had gone out


def test_what_the_provider_will_not_send_is_not_asked_again(house, wanjiru, otieno):
    house.fault(next=2, kind="recipient", code=403)
    pay(wanjiru)
    house.send_messages()
    assert states(house) == ["rejected", "rejected"]
    house.clock.passes(minutes=5)
    house.send_messages()
    assert states(house) == ["rejected", "rejected"]


def test_the_job_twice_and_at_once_is_as_once(house, wanjiru, otieno):
    pay(wanjiru)
    ids = [each for (each,) in house.bank.rows("SELECT id FROM outbox")]
    with ThreadPoolExecutor(4) as hands:
        list(hands.map(lambda _: messages.deliver(ids=[*ids, 999_999]), range(4)))
    assert len(house.messages(otieno.phone.msisdn)) == 1
    assert len(house.messages(wanjiru.phone.msisdn)) == 1


def test_a_worker_that_died_while_sending_leaves_it_unknown(house, wanjiru, otieno):
    pay(wanjiru)
    house.bank.run(
        "INSERT INTO messages (outbox_id, state, tries, changed_at)"
        " SELECT id, 'sending', 1, :now FROM outbox",
        now=house.clock.now,
    )
    house.clock.passes(minutes=2)
    house.relay._swept_at = 0.0
    house.send_messages()
    assert states(house) == ["unknown", "unknown"]
    assert house.messages(otieno.phone.msisdn) == []


def test_an_outage_of_hours_loses_nobody_a_receipt(house, wanjiru, otieno):
    house.fault(next=1000, kind="http", status=503)
    pay(wanjiru)
    for _ in range(36):  # six hours, and one at a time goes to see
        house.send_messages()
        house.clock.passes(minutes=10, seconds=1)
    assert house.bank.one("SELECT max(tries) FROM messages") > 8
    requests.delete(f"{house.country_url}/africastalking/faults", timeout=5)
    for _ in range(4):
        house.clock.passes(minutes=10, seconds=1)
        house.send_messages()
    assert states(house) == ["sent", "sent"]
    assert len(house.messages(otieno.phone.msisdn)) == 1


def test_after_a_day_it_is_given_up(house, wanjiru, otieno):
    house.fault(next=1000, kind="http", status=503)
    pay(wanjiru)
    house.send_messages()
    house.clock.passes(days=1)
    for _ in range(4):
        house.clock.passes(minutes=11)
        house.send_messages()
    assert states(house) == ["failed", "failed"]
    assert house.bank.one("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0


def test_however_often_it_was_tried_it_is_tried_within_ten_minutes(house, wanjiru, otieno):
    pay(wanjiru)
    [outbox_id] = house.bank.rows("SELECT id FROM outbox WHERE event = 'transfer-sent'")[0]
    now = house.clock()
    with house.databases["worker"].begin() as session:
        message = core_messages.begin(session, outbox_id=outbox_id, now=now)
        session.execute(text("UPDATE messages SET tries = 5000"))
        core_messages.unreachable(session, message=message, why="HTTP 503", now=now)
    ring_at = house.bank.one("SELECT ring_at FROM outbox WHERE event = 'transfer-sent'")
    assert ring_at == now + timedelta(minutes=10)


@pytest.mark.parametrize("fault", [{"kind": "accept-reset"}, {"kind": "http", "status": 504}])
def test_a_provider_that_gives_no_answer_is_not_fed_everybodys_receipts(
    house, wanjiru, otieno, fault
):
    """The fate of each is unknown for good; so while it says nothing, one a pause goes to see."""
    house.fault(next=100, **fault)
    for _ in range(10):
        pay(wanjiru)
    messages.deliver(ids=[1])
    assert messages.current().pace.pause_seconds() > 0
    for _ in range(10):
        house.send_messages()
    assert states(house).count("unknown") <= 4
    requests.delete(f"{house.country_url}/africastalking/faults", timeout=5)
    for _ in range(40):
        house.clock.passes(seconds=15)
        house.send_messages()
    assert states(house).count("sent") >= 16


def test_an_answer_we_cannot_read_is_no_trouble_of_the_lines(house, wanjiru, otieno):
    house.fault(next=2, kind="malformed")
    pay(wanjiru)
    house.send_messages()
    assert states(house) == ["unknown", "unknown"]
    assert messages.current().pace.pause_seconds() == 0


@pytest.mark.parametrize("fault", [{"kind": "charset"}, {"kind": "http", "status": 429}], ids=str)
def test_other_moods_of_the_provider_are_outlived(house, wanjiru, otieno, fault):
    house.fault(next=2, **fault)
    pay(wanjiru)
    house.send_messages()
    house.clock.passes(minutes=70)
    assert len(house.messages(otieno.phone.msisdn)) == 1


def test_a_message_without_words_is_kept_as_failed_and_the_others_go(house, wanjiru, otieno):
    pay(wanjiru)
    house.bank.run("UPDATE outbox SET facts = facts - 'at' WHERE event = 'transfer-sent'")
    assert len(house.messages(otieno.phone.msisdn)) == 1
    assert states(house) == ["failed", "sent"]
    assert house.bank.one("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0


def test_a_report_that_comes_at_the_very_moment_of_the_answer_is_not_lost(house, wanjiru, otieno):
    """Neither transaction sees the other's row, so one must wait for the other."""
    pay(wanjiru)
    [outbox_id] = house.bank.rows("SELECT id FROM outbox WHERE event = 'transfer-sent'")[0]
    now = house.clock()
    with house.databases["worker"].begin() as session:
        message = core_messages.begin(session, outbox_id=outbox_id, now=now)

    def report():
        with house.databases["worker"].begin() as session:
            state = core_messages.State.DELIVERED
            core_messages.report(
                session, provider_id="ATXid", state=state, why=None, status="Success", now=now
            )

    with ThreadPoolExecutor(1) as hands:
        with house.databases["worker"].begin() as session:
            core_messages.sent(
                session, message=message, provider_id="ATXid", parts=1, cost=None, now=now
            )
            reported = hands.submit(report)
            time.sleep(0.2)
        reported.result()
    assert house.bank.one("SELECT state FROM messages") == "delivered"


class TestLetters:
    def write(self, house, number, wanjiru):
        form = {"id": f"m{number}", "from": wanjiru.phone.msisdn, "to": "384", "text": "hello"}
        house.client.post("/sms/africastalking/sandbox/inbound", data=form)

    def test_one_at_fault_is_counted_and_the_others_are_understood(self, house, wanjiru):
        for number in range(3):
            self.write(house, number, wanjiru)
        house.bank.run("UPDATE inbox SET form = '{}' WHERE form ->> 'id' = 'm1'")
        ids = [each for (each,) in house.bank.rows("SELECT id FROM inbox")]
        messages.understand(ids=ids)
        undone = "SELECT tries FROM inbox WHERE done_at IS NULL"
        assert house.bank.rows(undone) == [(1,)]
        for _ in range(10):
            messages.understand(ids=ids)
        assert house.bank.rows(undone) == []
        assert house.bank.one("SELECT max(tries) FROM inbox") == 8

    @pytest.mark.parametrize("fault", ["RAISE EXCEPTION 'no'", "PERFORM 1 / 0", "PERFORM 'a'::int"])
    def test_one_that_postgresql_refuses_holds_up_no_other(self, house, wanjiru, fault):
        house.bank.run(
            "CREATE FUNCTION refuse_help() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {fault}; RETURN NEW; END $$"
        )
        house.bank.run(
            "CREATE TRIGGER refuse_help BEFORE INSERT ON outbox FOR EACH ROW"
            " WHEN (NEW.event = 'sms-help') EXECUTE FUNCTION refuse_help()"
        )
        for said in ["HELP", "BAL"]:
            form = {"id": said, "from": wanjiru.phone.msisdn, "to": "384", "text": said}
            house.client.post("/sms/africastalking/sandbox/inbound", data=form)
        try:
            for _ in range(10):
                messages.understand(ids=[1, 2])
        finally:
            house.bank.run("DROP FUNCTION refuse_help CASCADE")
        answers = "SELECT event FROM outbox WHERE event LIKE 'sms-%'"
        assert house.bank.rows(answers) == [("sms-balances",)]
        assert house.bank.rows("SELECT id, tries FROM inbox ORDER BY id") == [(1, 8), (2, 0)]

    def test_a_number_is_answered_once_a_day(self, house, wanjiru):
        told = "SELECT count(*) FROM outbox WHERE event = 'sms-not-understood'"
        for number in range(3):
            self.write(house, number, wanjiru)
            house.send_messages()
        assert house.bank.one(told) == 1
        house.clock.passes(hours=25)
        self.write(house, 9, wanjiru)
        house.send_messages()
        assert house.bank.one(told) == 2


def test_the_relay_does_not_ring_into_full_ears(house, wanjiru, otieno):
    """The rows stay due; Redis does not fill with what nobody hears."""
    house.bank.run(
        "INSERT INTO outbox (event, msisdn, language, facts, staged_at, ring_at)"
        " SELECT 'pin-changed', '+254700000001', 'en', '{}', :now, :now"
        " FROM generate_series(1, 2000)",
        now=house.clock(),
    )
    house.relay.once()
    assert queues.queue(queues.Name.SMS, house.redis).count < 40
    assert house.bank.one("SELECT count(*) FROM outbox WHERE ring_at <= :now", now=house.clock())


def test_a_letter_understood_twice_and_at_once_is_answered_once(house, wanjiru):
    form = {"id": "m1", "from": wanjiru.phone.msisdn, "to": "384", "text": "hello", "date": "now"}
    house.client.post("/sms/africastalking/sandbox/inbound", data=form)
    ids = [each for (each,) in house.bank.rows("SELECT id FROM inbox")]
    with ThreadPoolExecutor(4) as hands:
        list(hands.map(lambda _: messages.understand(ids=[*ids, 999_999]), range(4)))
    assert house.bank.one("SELECT count(*) FROM outbox") == 1

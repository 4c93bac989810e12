"""What stops the line, and what a person has of it: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import redis
import requests

from core import messages as core_messages
from core.outbox import Category, Event
from workers import credit, messages, queues

FAR = timedelta(days=3, minutes=5)


def pay(wanjiru, amount="50"):
    wanjiru.phone.dial().types("1", "0733000002", amount, "4071")


def states(house):
    return sorted(each for (each,) in house.bank.rows("SELECT state FROM messages"))


def minutes_pass(house, count):
    for _ in range(count):
        house.clock.passes(minutes=1, seconds=1)
        house.send_messages()


def requested(house, capfd):
    """How many requests to send the provider has had since last asked."""
    return capfd.readouterr().err.count("POST /africastalking/version1/messaging")


def logged(capfd):
    """Our own log lines since last asked, by event."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    found = [json.loads(line) for line in lines]
    return {each["event"]: each for each in found if "logger" not in each}


def received(house, person):
    url = f"{house.country_url}/africastalking/messages"
    return requests.get(url, params={"to": person.phone.msisdn}, timeout=5).json()


class TestCreditGone:
    def test_receipts_wait_and_go_when_it_is_back(self, house, wanjiru, otieno, capfd):
        house.account(balance="0.50")
        pay(wanjiru)
        house.send_messages()
        assert states(house) in (["queued"], ["queued", "queued"])
        assert logged(capfd)["sms.blocked"]["code"] == "InsufficientBalance"
        minutes_pass(house, 20)
        assert states(house) == ["queued", "queued"]
        assert received(house, otieno) == []
        house.account(balance="900")
        minutes_pass(house, 2)
        assert states(house) == ["sent", "sent"]
        assert [len(received(house, each)) for each in (wanjiru, otieno)] == [1, 1]

    def test_the_provider_is_hardly_asked_meanwhile(self, house, wanjiru, otieno, capfd):
        house.account(balance="0")
        for _ in range(5):
            pay(wanjiru)
        house.send_messages()
        requested(house, capfd)
        minutes_pass(house, 10)
        assert 10 <= requested(house, capfd) <= 60  # of 10 receipts, one a minute and a few beside

    def test_after_three_days_nobody_waits_any_longer(self, house, wanjiru, otieno):
        house.account(balance="0")
        pay(wanjiru)
        house.send_messages()
        house.clock.passes(seconds=FAR.total_seconds())
        for _ in range(4):
            minutes_pass(house, 2)
        assert states(house) == ["failed", "failed"]
        assert house.bank.one("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0
        assert house.bank.one("SELECT min(why) FROM messages") == "405 InsufficientBalance"

    def test_trying_again_uses_up_no_tries(self, house, wanjiru, otieno):
        house.account(balance="0")
        pay(wanjiru)
        minutes_pass(house, 15)
        house.account()
        minutes_pass(house, 2)
        assert house.bank.rows("SELECT state, tries FROM messages") == [("sent", 1)] * 2


class TestLowCredit:
    @pytest.fixture(autouse=True)
    def _asked_anew(self, house, capfd):
        capfd.readouterr()

    def test_is_an_alert_when_it_becomes_so_and_every_hour(self, house, capfd):
        house.account(balance="499.99")
        credit.look()
        said = logged(capfd)
        assert said["sms.credit_low"]["level"] == "error"
        assert said["sms.credit_low"]["credit"] == "KES 499.99"
        house.clock.passes(minutes=30)
        credit.look()
        assert "sms.credit_low" not in logged(capfd)
        house.clock.passes(minutes=31)
        credit.look()
        assert "sms.credit_low" in logged(capfd)

    def test_that_is_mended_is_said_once(self, house, capfd):
        house.account(balance="1")
        credit.look()
        house.account(balance="500")
        credit.look()
        assert logged(capfd)["sms.credit_back"]["credit"] == "KES 500.00"
        credit.look()
        assert "sms.credit_back" not in logged(capfd)

    def test_below_nothing_is_low(self, house, capfd):
        house.account(balance="-3.20")
        credit.look()
        assert logged(capfd)["sms.credit_low"]["credit"] == "KES -3.20"

    def test_that_comes_back_ends_the_pause(self, house, wanjiru, otieno):
        house.account(balance="0")
        pay(wanjiru)
        house.send_messages()
        credit.look()
        pace = messages.current().pace
        assert pace.pause_seconds() > 10
        house.account(balance="700")
        credit.look()
        assert pace.pause_seconds() == 0

    def test_not_told_changes_nothing(self, house, capfd, monkeypatch):
        house.account(balance="1")
        credit.look()
        monkeypatch.setattr(messages.current().sender._api, "_url", "http://127.0.0.1:9")
        monkeypatch.setattr(messages.current().sender._api, "_baseUrl", "http://127.0.0.1:9")
        capfd.readouterr()
        credit.look()
        assert "sms.credit_not_told" in logged(capfd)
        assert house.bank.one("SELECT credit FROM sms_line") == 100

    def test_the_queue_is_logged_with_it(self, house, wanjiru, otieno, capfd):
        pay(wanjiru)
        house.clock.passes(seconds=9)
        capfd.readouterr()
        credit.look()
        queue = logged(capfd)["sms.queue"]
        assert (queue["receipts"], queue["codes"], queue["promotional"]) == (2, 0, 0)
        assert queue["oldest_seconds"] == 9


class TestSenderRefused:
    def test_it_goes_from_the_shared_sender_at_once(self, house, wanjiru, otieno, capfd):
        house.account(sender_refused=True)
        capfd.readouterr()
        pay(wanjiru)
        house.send_messages()
        assert states(house) == ["sent", "sent"]
        assert [each["from"] for each in received(house, otieno)] == ["AFRICASTKNG"]
        assert len(received(house, wanjiru)) == 1
        assert logged(capfd)["sms.sender_refused"]["level"] == "error"

    def test_it_is_remembered_and_no_other_message_fails_first(self, house, wanjiru, otieno, capfd):
        house.account(sender_refused=True)
        pay(wanjiru)
        house.send_messages()
        requested(house, capfd)
        pay(wanjiru, "60")
        house.send_messages()
        assert requested(house, capfd) == 2
        assert len(received(house, otieno)) == 2

    def test_after_an_hour_ours_is_tried_again(self, house, wanjiru, otieno):
        house.account(sender_refused=True)
        pay(wanjiru)
        house.send_messages()
        house.account()
        house.clock.passes(minutes=61)
        pay(wanjiru, "60")
        house.send_messages()
        assert [each["from"] for each in received(house, otieno)] == ["AFRICASTKNG", "KABAMBE"]

    @pytest.mark.parametrize("fault", [{"kind": "empty"}, {"kind": "recipient", "code": 402}])
    def test_where_the_shared_one_is_refused_too_it_waits(self, house, wanjiru, otieno, fault):
        house.fault(next=50, **fault)
        pay(wanjiru)
        minutes_pass(house, 3)
        assert set(states(house)) == {"queued"}
        requests.delete(f"{house.country_url}/africastalking/faults", timeout=5)
        minutes_pass(house, 3)
        assert states(house) == ["sent", "sent"]
        assert len(received(house, otieno)) == 1


class TestAKeyThatIsNotGood:
    def test_loses_nobody_a_receipt(self, house, wanjiru, otieno, capfd):
        """A new key is not known for up to twenty minutes."""
        house.fault(
            next=1000, kind="http", status=401, body="The supplied authentication is invalid"
        )
        pay(wanjiru)
        minutes_pass(house, 20)
        assert logged(capfd)["sms.blocked"]["code"] == "BadKey"
        requests.delete(f"{house.country_url}/africastalking/faults", timeout=5)
        minutes_pass(house, 2)
        assert states(house) == ["sent", "sent"]
        assert len(received(house, otieno)) == 1


class TestThrottled:
    def test_everybody_is_told_once_and_the_provider_is_not_stormed(
        self, house, wanjiru, otieno, capfd
    ):
        house.account(per_second=4, retry_after=1)
        for _ in range(12):
            pay(wanjiru)
        requested(house, capfd)
        for _ in range(300):
            house.send_messages()
            house.clock.passes(seconds=0.3)
            if states(house) == ["sent"] * 24:
                break
        assert states(house) == ["sent"] * 24
        assert len(received(house, otieno)) == 12
        assert requested(house, capfd) < 24 * 2


class TestOrder:
    def test_codes_go_to_the_front_of_the_queue(self, house, wanjiru, otieno):
        stage = (
            "INSERT INTO outbox (event, msisdn, language, facts, staged_at, ring_at, category)"
            " SELECT 'pin-changed', '+254700000001', 'en', '{}', :now, :now, :category"
            " FROM generate_series(1, :count)"
        )
        house.bank.run(stage, now=house.clock(), category="receipt", count=60)
        house.relay.once()
        house.bank.run(stage, now=house.clock(), category="code", count=1)
        house.relay.once()
        line = queues.queue(queues.Name.SMS, house.redis)
        first = line.fetch_job(line.job_ids[0])
        assert first.kwargs == {"ids": [61], "category": "code"}
        assert line.fetch_job(line.job_ids[1]).kwargs["category"] == "receipt"

    def test_the_line_is_not_rung_for_while_it_pauses(self, house, wanjiru, otieno):
        pay(wanjiru)
        pace = messages.current().pace
        pace.slow_down(least_seconds=30)
        house.relay.once()
        line = queues.queue(queues.Name.SMS, house.redis)
        assert not [job for job in line.jobs if job.func_name == "workers.messages.deliver"]
        assert house.bank.one(
            "SELECT count(*) FROM outbox WHERE ring_at <= :now", now=house.clock()
        )

    def test_a_message_whose_turn_does_not_come_is_left_for_the_next_ring(
        self, house, wanjiru, otieno
    ):
        pay(wanjiru)
        messages.current().pace.slow_down(least_seconds=30)
        messages.deliver(ids=[1, 2])
        assert states(house) == []
        house.clock.passes(seconds=31)
        house.send_messages()
        house.clock.passes(seconds=31)
        house.send_messages()
        assert states(house) == ["sent", "sent"]


def test_without_redis_nothing_is_claimed(house, wanjiru, otieno, capfd, monkeypatch):
    pay(wanjiru)
    monkeypatch.setattr(house.redis.connection_pool, "get_connection", _raise)
    messages.deliver(ids=[1, 2])
    assert states(house) == []
    assert logged(capfd)["sms.pace_unknown"]["error"] == "ConnectionError"


def _raise(*args, **kwargs):
    raise redis.exceptions.ConnectionError


class TestNetworkBlacklist:
    def test_is_recorded_as_an_opt_out_and_receipts_are_tried_all_the_same(
        self, house, wanjiru, otieno
    ):
        house.fault(kind="recipients", codes={otieno.phone.msisdn: 406})
        house.fault(kind="recipients", codes={otieno.phone.msisdn: 406})
        pay(wanjiru)
        house.send_messages()
        assert house.bank.rows("SELECT msisdn, source FROM opt_outs") == [
            (otieno.phone.msisdn, "network")
        ]
        why = "SELECT why FROM messages WHERE state = 'rejected'"
        assert house.bank.rows(why) == [("406 UserInBlacklist",)]
        pay(wanjiru, "60")
        house.send_messages()
        assert len(received(house, otieno)) == 1

    def test_who_starts_again_is_forgotten(self, house):
        with house.databases["worker"].begin() as session:
            core_messages.opt_out(session, msisdn="+254712000001", at=house.clock())
            core_messages.opt_in(session, msisdn="+254712000001", at=house.clock())
        assert house.bank.one("SELECT count(*) FROM opt_outs WHERE NOT has_come_back") == 0


def test_what_was_staged_has_its_events_category(house, wanjiru, otieno):
    pay(wanjiru)
    assert house.bank.rows("SELECT DISTINCT category FROM outbox") == [("receipt",)]


def test_one_event_is_news_and_every_code_is_one():
    assert [e for e in Event if e.category is Category.PROMOTIONAL] == [Event.ANNOUNCED]
    codes = {event for event in Event if event.value.startswith("otp-")}
    assert {event for event in Event if event.category is Category.CODE} == codes

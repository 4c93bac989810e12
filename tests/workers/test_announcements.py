"""News to many: in batches, behind everything, and never to who has opted out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests

from core import messages as core_messages
from workers import broadcast, messages

ENGLISH = "From Monday you can buy airtime with Kabambe: dial *384#."
SWAHILI = "Kuanzia Jumatatu utanunua muda wa maongezi na Kabambe: piga *384#."


def received(house, number):
    url = f"{house.country_url}/africastalking/messages"
    found = requests.get(url, params={"to": number}, timeout=5).json()
    return [each["message"] for each in found]


def states(house):
    return sorted(each for (each,) in house.bank.rows("SELECT state FROM messages"))


def requested(capfd):
    return capfd.readouterr().err.count("POST /africastalking/version1/messaging")


def send(house, times=3):
    for _ in range(times):
        house.send_messages()
        house.clock.passes(seconds=2)


class TestOptOut:
    def opt_out(self, house, number):
        with house.databases["worker"].begin() as session:
            core_messages.opt_out(session, msisdn=number, at=house.clock())

    def test_before_is_respected(self, house, run, people):
        self.opt_out(house, people[0])
        said = run("announce", ENGLISH, SWAHILI, "--yes")[1]
        assert "5 people in all; 1 more have opted out" in said
        send(house)
        assert received(house, people[0]) == []
        assert len(received(house, people[1])) == 1

    def test_between_staging_and_sending_is_respected(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes")
        self.opt_out(house, people[0])
        send(house)
        assert received(house, people[0]) == []
        assert states(house) == ["sent"] * 5 + ["withheld"]
        assert house.bank.one("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0

    def test_by_the_providers_word_is_respected(self, house, run, people):
        form = {"senderId": "KABAMBE", "phoneNumber": people[0]}
        house.client.post("/sms/africastalking/sandbox/optout", data=form)
        house.send_messages()
        run("announce", ENGLISH, SWAHILI, "--yes")
        send(house)
        assert received(house, people[0]) == []

    def test_stops_no_receipt(self, house, wanjiru, otieno):
        self.opt_out(house, wanjiru.phone.msisdn)
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        house.send_messages()
        assert len(received(house, wanjiru.phone.msisdn)) == 1

    def test_is_respected_even_when_a_message_is_rung_for_by_name(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes")
        self.opt_out(house, people[0])
        messages.deliver(ids=[1])
        assert received(house, people[0]) == []
        assert states(house) == ["withheld"]


class TestABatch:
    def test_is_one_request_for_equal_words(self, house, run, people, capfd):
        run("announce", ENGLISH, SWAHILI, "--yes")
        requested(capfd)
        send(house)
        assert requested(capfd) == 2
        rows = house.bank.rows("SELECT provider_id, cost, parts FROM messages")
        assert len({provider_id for provider_id, _, _ in rows}) == 6
        assert {(cost, parts) for _, cost, parts in rows} == {("KES 0.8000", 1)}

    def test_has_an_outcome_for_each(self, house, run, people):
        """Rejected, to be tried again, left out of the answer, and sent, in one answer."""
        codes = {people[0]: 403, people[2]: 500}
        house.fault(kind="recipients", codes=codes, left_out=[people[4]])
        run("announce", ENGLISH, SWAHILI, "--yes")
        house.send_messages()
        found = dict(
            house.bank.rows(
                "SELECT msisdn, state FROM messages m JOIN outbox o ON o.id = m.outbox_id"
            )
        )
        assert [found[number] for number in people] == [
            "rejected",
            "sent",
            "queued",
            "sent",
            "unknown",
            "sent",
        ]
        send(house, times=10)
        assert [len(received(house, number)) for number in people] == [0, 1, 1, 1, 1, 1]

    @pytest.mark.parametrize(
        "fault",
        [{"kind": "accept-reset"}, {"kind": "malformed"}, {"kind": "accept-http", "status": 504}],
        ids=str,
    )
    def test_in_doubt_is_in_doubt_for_all_and_never_repeated(self, house, run, people, fault):
        house.fault(next=2, **fault)
        run("announce", ENGLISH, SWAHILI, "--yes")
        send(house, times=5)
        assert states(house) == ["unknown"] * 6
        assert [len(received(house, number)) for number in people] == [1] * 6

    def test_that_a_worker_died_with_is_unknown(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes")
        with house.databases["worker"].begin() as session:
            core_messages.begin_promotional(session, count_max=3, now=house.clock())
        house.clock.passes(minutes=2)
        house.relay._swept_at = 0.0
        send(house)
        assert states(house) == ["sent"] * 3 + ["unknown"] * 3

    def test_twice_at_once_sends_once(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes")
        with house.databases["worker"].begin() as session:
            taken = core_messages.begin_promotional(session, count_max=3, now=house.clock())
            broadcast.send()
            assert len(taken) == 3
        assert sum(len(received(house, number)) for number in people) == 3

    def test_holds_no_number_twice(self, house, run, people):
        run("announce", ENGLISH, ENGLISH, "--yes")
        run("announce", ENGLISH, ENGLISH, "--yes", "--again")
        send(house, times=5)
        assert [len(received(house, number)) for number in people] == [2] * 6
        assert states(house) == ["sent"] * 12

    def test_is_no_larger_than_a_seconds_worth(self, house, run, people, monkeypatch, capfd):
        monkeypatch.setattr(messages.current().pace, "batch_max", 2)
        run("announce", ENGLISH, ENGLISH, "--yes")
        requested(capfd)
        send(house, times=4)
        assert requested(capfd) == 3
        assert states(house) == ["sent"] * 6

    def test_that_takes_too_long_is_put_back(self, house, run, people, monkeypatch):
        monkeypatch.setattr(broadcast, "_SECONDS_MAX", 0.0)
        run("announce", ENGLISH, SWAHILI, "--yes")
        broadcast.send()
        assert house.bank.rows("SELECT DISTINCT state, tries FROM messages") == [("queued", 0)]
        monkeypatch.undo()
        house.clock.passes(minutes=2)
        broadcast.send()
        assert states(house) == ["sent"] * 6

    def test_that_is_too_much_at_once_shrinks(self, house, run, people):
        house.account(per_second=2)
        run("announce", ENGLISH, ENGLISH, "--yes")
        for _ in range(40):
            house.send_messages()
            house.clock.passes(seconds=31)
            house.account(per_second=2)  # and the provider's second is over
        assert states(house) == ["sent"] * 6
        assert [len(received(house, number)) for number in people] == [1] * 6
        assert house.bank.one("SELECT max(tries) FROM messages") == 1

    def test_delivery_reports_find_each(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes")
        send(house)
        [(sent,)] = house.bank.rows(
            "SELECT provider_id FROM messages m JOIN outbox o ON o.id = m.outbox_id"
            " WHERE msisdn = :number",
            number=people[3],
        )
        form = {"id": sent, "status": "Success", "phoneNumber": people[3]}
        house.client.post("/sms/africastalking/sandbox/delivery", data=form)
        send(house)
        assert states(house) == ["delivered"] + ["sent"] * 5


class TestItWaits:
    def test_at_night(self, house, run, people):
        house.clock.now = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)  # 20:00 in Nairobi
        said = run("announce", ENGLISH, SWAHILI, "--yes")[1]
        assert "They go out from 8:00 on." in said
        send(house)
        assert states(house) == []
        house.clock.now = datetime(2026, 11, 22, 4, 59, tzinfo=UTC)
        house.send_messages()
        assert states(house) == []
        house.clock.now = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
        send(house)
        assert states(house) == ["sent"] * 6

    def test_and_is_not_counted_as_late(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes")
        house.clock.passes(hours=12)
        assert house.client.get("/ready").json["oldest_outbox_seconds"] == 0

    def test_while_receipts_are_queued(self, house, run, wanjiru, otieno):
        run("announce", ENGLISH, SWAHILI, "--yes")
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        house.send_messages()
        told = house.bank.rows(
            "SELECT o.category FROM messages m JOIN outbox o ON o.id = m.outbox_id"
        )
        assert told == [("receipt",)] * 2
        send(house)
        assert states(house) == ["sent"] * 4

    @pytest.mark.parametrize(
        "line",
        [
            "INSERT INTO sms_line (provider, credit) VALUES ('africastalking', 49999)",
            "INSERT INTO sms_line (provider, credit_gone_at) VALUES ('africastalking', now())",
            """INSERT INTO sms_line (provider, sender_refused_at)
               VALUES ('africastalking', '2026-11-21 06:00Z')""",
        ],
        ids=["credit low", "credit gone", "sender refused"],
    )
    def test_while_something_is_to_be_mended(self, house, run, people, line):
        house.bank.run(line)
        run("announce", ENGLISH, SWAHILI, "--yes")
        broadcast.send()
        assert states(house) == []
        house.bank.run("DELETE FROM sms_line")
        broadcast.send()
        assert states(house) == ["sent"] * 6

    def test_for_our_own_name(self, house, run, people):
        house.account(sender_refused=True)
        run("announce", ENGLISH, SWAHILI, "--yes")
        send(house)
        assert states(house) == ["queued"] * 6
        assert received(house, people[0]) == []
        house.account()
        house.clock.passes(minutes=62)
        send(house)
        assert states(house) == ["sent"] * 6

    def test_for_credit_after_it_ran_out_in_the_middle(self, house, run, people):
        house.account(balance="2.40")
        run("announce", ENGLISH, ENGLISH, "--yes")
        house.send_messages()
        assert states(house) == ["queued"] * 3 + ["sent"] * 3
        house.account(balance="1000")
        house.relay._asked_credit_at = 0.0
        house.clock.passes(minutes=2)
        send(house, times=4)
        assert states(house) == ["sent"] * 6
        assert [len(received(house, number)) for number in people] == [1] * 6


def test_news_without_words_is_failed_and_the_rest_goes(house, run, people):
    run("announce", ENGLISH, SWAHILI, "--yes")
    house.bank.run("UPDATE outbox SET facts = '{}' WHERE id = 1")
    send(house)
    assert states(house) == ["failed"] + ["sent"] * 5

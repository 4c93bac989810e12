"""What the aggregator posts when people write, opt out or subscribe: over HTTP, as specified."""

from __future__ import annotations

import pytest
import requests
from handset import Handset
from house_parts import served

from core.outbox import Event
from menus import notices
from menus.languages import spoken

NUMBER = "+254712000001"
SUBSCRIPTION = {"phoneNumber": NUMBER, "shortCode": "384", "keyword": "KABAMBE"}
FACTS = {
    "code": "123456",
    "amount": 600_00,
    "fee": 6_00,
    "name": "Otieno",
    "msisdn": "+254733000002",
}
INCOMING = {
    "date": "2026-11-21T06:29:45Z",
    "from": NUMBER,
    "id": "b7f3c0c2-6a5e-4d0e-9c59-0f6f3c9a1e11",
    "linkId": "SampleLinkId123",
    "text": "BAL",
    "to": "384",
    "cost": "KES 0.0000",
    "networkCode": "63902",
}


@pytest.fixture
def door(house):
    with served(house.app) as url:

        def post(kind, form, **how):
            address = f"{url}/sms/africastalking/sandbox/{kind}"
            answer = requests.post(address, data=form, timeout=5, **how)
            assert (answer.status_code, answer.text) == (200, "")

        yield post


def kept(house):
    return [form for (form,) in house.bank.rows("SELECT form FROM inbox ORDER BY id")]


def heard(house):
    """What was answered, once the letters are understood and their orders executed."""
    house.send_messages()
    house.ring()
    return house.messages(NUMBER)


class TestIncoming:
    """Reference: date, from, id, linkId?, text, to, cost, networkCode."""

    def test_all_of_it_is_kept_and_answered(self, house, door, wanjiru):
        door("inbound", INCOMING)
        assert kept(house) == [INCOMING | {"date": "2026-11-21T06:29:45+00:00"}]
        [answer] = heard(house)
        assert answer["message"] == "21/11/26 09:30 You have KES 1,250.00."

    @pytest.mark.parametrize(
        ("date", "read"),
        [
            ("2017-05-03T06:04:45Z", "2017-05-03T06:04:45+00:00"),
            ("2017-05-03 06:04:45", "2017-05-03T06:04:45+00:00"),
            ("2017-02-30 06:04:45", "2017-02-30 06:04:45"),
            ("yesterday", "yesterday"),
            ("", ""),
        ],
    )
    def test_both_forms_of_a_date_are_one_instant_and_no_other_stops_it(
        self, house, door, wanjiru, date, read
    ):
        door("inbound", INCOMING | {"date": date})
        assert kept(house)[0]["date"] == read
        assert len(heard(house)) == 1

    @pytest.mark.parametrize("date", ["2026-11-21T06:01:00Z", "2026-11-21 06:01:00"])
    def test_a_date_is_utc(self, house, door, wanjiru, otieno, date):
        """09:01 in Nairobi is 29 minutes ago; read as Nairobi's it would be three hours more."""
        door("inbound", INCOMING | {"date": date, "text": "SEND 50 0733000002"})
        [receipt] = heard(house)
        assert "Sent KES 50.00 to Otieno" in receipt["message"]
        assert "on 21/11/26 09:30" in receipt["message"]

    @pytest.mark.parametrize("date", ["2026-11-21T05:59:00Z", "2026-11-21 05:59:00"])
    def test_money_that_was_asked_for_long_ago_stays(self, house, door, wanjiru, otieno, date):
        door("inbound", INCOMING | {"date": date, "text": "SEND 50 0733000002"})
        [told] = heard(house)
        assert told["message"].startswith("Not sent: KES 50.00. Your SMS came late.")

    def test_repeated_every_minute_it_is_one(self, house, door, wanjiru, otieno):
        """Its id is what makes it one: the repeat may carry the other form of the date."""
        for date in ("2026-11-21T06:29:45Z", "2026-11-21 06:29:45", ""):
            door("inbound", INCOMING | {"date": date, "text": "SEND 50 0733000002"})
            house.clock.passes(minutes=1)
            house.send_messages()
        house.ring()
        assert len(kept(house)) == 1
        assert otieno.balance.minor == 50_00

    def test_another_id_is_another_letter(self, house, door, wanjiru):
        for number in range(2):
            door("inbound", INCOMING | {"id": f"m{number}"})
        assert len(heard(house)) == 2

    @pytest.mark.parametrize("missing", ["date", "linkId", "to", "cost", "networkCode", "text"])
    def test_what_is_missing_does_not_stop_it(self, house, door, wanjiru, missing):
        door("inbound", {name: word for name, word in INCOMING.items() if name != missing})
        assert len(heard(house)) == 1

    @pytest.mark.parametrize("missing", ["id", "from"])
    def test_without_an_id_or_a_sender_it_is_no_letter(self, house, door, missing):
        door("inbound", {name: word for name, word in INCOMING.items() if name != missing})
        assert kept(house) == []

    @pytest.mark.parametrize(
        ("sender", "answers"),
        [("254712000001", 1), (" 254712000001", 1), ("40404", 0), ("SAFARICOM", 0), ("+1", 0)],
    )
    def test_a_sender_is_a_phone_or_gets_no_answer(self, house, door, wanjiru, sender, answers):
        door("inbound", INCOMING | {"from": sender})
        house.send_messages()
        assert house.bank.one("SELECT count(*) FROM outbox") == answers
        assert house.bank.one("SELECT count(*) FROM inbox WHERE done_at IS NULL") == 0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "\0",
            "*" * 400,
            "9" * 1500,
            "Habari \U0001f600",
            "a" * 3000,
            "BAL\r\n",
            "+",
            "-",
        ],
        ids=lambda text: repr(text[:8]),
    )
    def test_whatever_is_written_is_kept_and_understood_or_not(self, house, door, wanjiru, text):
        door("inbound", INCOMING | {"text": text})
        [form] = kept(house)
        assert len(form["text"]) <= 2000
        assert len(heard(house)) == 1

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/x-www-form-urlencoded; charset=UTF-8",
            "application/x-www-form-urlencoded;charset=utf-8",
        ],
    )
    def test_its_type_may_name_a_charset(self, house, door, wanjiru, content_type):
        body = requests.models.RequestEncodingMixin._encode_params(INCOMING)
        door("inbound", body, headers={"Content-Type": content_type})
        assert len(kept(house)) == 1

    def test_of_a_field_told_twice_the_first_counts_and_unknown_ones_are_let_go(self, house, door):
        door("inbound", [*INCOMING.items(), ("text", "STOP"), ("pin", "4071")])
        [form] = kept(house)
        assert form["text"] == "BAL"
        assert "pin" not in form


class TestOptOut:
    """Reference: senderId, phoneNumber. It carries no id: what it does is harmless to repeat."""

    OUT = "SELECT msisdn FROM opt_outs WHERE NOT has_come_back"

    @pytest.mark.parametrize(
        "form",
        [
            {"senderId": "KABAMBE", "phoneNumber": NUMBER},
            {"senderId": "KABAMBE", "phoneNumber": NUMBER.removeprefix("+")},
            {"phoneNumber": NUMBER},
        ],
        ids=str,
    )
    def test_is_kept_however_often_it_is_told(self, house, door, form):
        for _ in range(3):
            door("optout", form)
            house.send_messages()
        assert house.bank.rows(self.OUT) == [(NUMBER,)]

    @pytest.mark.parametrize("number", ["", "KABAMBE", "123"])
    def test_of_no_number_is_acknowledged(self, house, door, number):
        door("optout", {"senderId": "KABAMBE", "phoneNumber": number})
        house.send_messages()
        assert house.bank.rows(self.OUT) == []
        assert house.bank.one("SELECT count(*) FROM inbox WHERE done_at IS NULL") == 0

    def test_a_second_one_counts_after_somebody_came_back(self, house, door, wanjiru):
        """The same words again are no repeat: they had sent START in between."""
        form = {"senderId": "KABAMBE", "phoneNumber": NUMBER}
        door("optout", form)
        house.send_messages()
        Handset(house, NUMBER).writes("START")
        assert house.bank.rows(self.OUT) == []
        door("optout", form)
        house.send_messages()
        assert house.bank.rows(self.OUT) == [(NUMBER,)]


class TestSubscription:
    """Reference: phoneNumber, shortCode, keyword, updateType (addition or deletion)."""

    def told(self, house, door, *updates):
        for update in updates:
            door("subscription", SUBSCRIPTION | {"updateType": update})
            house.send_messages()
        return house.bank.one("SELECT count(*) FROM opt_outs WHERE NOT has_come_back")

    @pytest.mark.parametrize(
        ("updates", "out"),
        [
            (["deletion"], 1),
            (["deletion", "deletion"], 1),
            (["deletion", "addition"], 0),
            (["addition", "deletion", "addition", "deletion"], 1),
            (["addition"], 0),
            (["deletion", "Renewal"], 1),
        ],
        ids=str,
    )
    def test_says_whether_somebody_wants_offers(self, house, door, updates, out):
        assert self.told(house, door, *updates) == out
        assert house.bank.one("SELECT count(*) FROM inbox WHERE done_at IS NULL") == 0

    @pytest.mark.parametrize("missing", ["phoneNumber", "updateType"])
    def test_that_says_nothing_is_acknowledged(self, house, door, missing):
        form = SUBSCRIPTION | {"updateType": "deletion"}
        door("subscription", {name: word for name, word in form.items() if name != missing})
        assert kept(house) == []

    def test_of_what_is_no_phone_changes_nothing(self, house, door):
        door("subscription", SUBSCRIPTION | {"phoneNumber": "384", "updateType": "deletion"})
        house.send_messages()
        assert house.bank.one("SELECT count(*) FROM opt_outs WHERE NOT has_come_back") == 0


class TestCodesBySms:
    """Pitfall 20: one code in a message, no link beside it, and who has it told to keep it."""

    @pytest.mark.parametrize("language", spoken())
    @pytest.mark.parametrize(
        "event", [each for each in Event if each.startswith("otp-")], ids=lambda each: each.value
    )
    def test_holds_the_code_once_and_no_link(self, event, language):
        said = notices.words(event, FACTS, language)
        assert said.count("123456") == 1
        assert not any(link in said.lower() for link in ("http", "www", ".co", ".ke", "*384"))
        assert "ever tell" in said or "Usimwambie" in said

    def test_none_is_sent_in_a_loop(self, house, wanjiru, otieno):
        """A machine that asks for ever has three codes sent in a quarter of an hour."""
        hers = Handset(house, NUMBER)
        for _ in range(10):
            hers.writes("SEND 600 0733000002")
        said = hers.news()
        assert sum(each.startswith("Reply ") for each in said) == 3
        assert "Too many codes. Try again after 21/11 09:45." in said[-1]

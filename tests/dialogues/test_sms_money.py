"""Money by SMS: a little at once, more when the code that was sent comes back."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from handset import Handset

from core import merchants
from core.audit import Actor
from core.money import kes
from workers import messages

STAFF = Actor("staff:jane", "tests", "sms")


@pytest.fixture
def hers(house, wanjiru):
    return Handset(house, wanjiru.phone.msisdn)


@pytest.fixture
def theirs(house, amina):
    """Amina's, who reads Kiswahili."""
    return Handset(house, amina.phone.msisdn)


@pytest.fixture
def till(house, otieno):
    with house.databases["worker"].begin() as session:
        return merchants.open_till(session, subscriber=1, actor=STAFF, now=house.clock())


ASKED = (
    "Reply CODE within 5 minutes to send KES 600.00 to Otieno 0733***002, fee KES 6.00."
    " Never tell anyone this code."
)


class TestALittle:
    def test_is_sent_at_once_and_the_receipt_is_the_answer(self, hers, wanjiru, otieno):
        hers.writes("SEND 100 0733000002").hears(
            "REF Sent KES 100.00 to Otieno 0733***002 on 21/11/26 09:30. Fee KES 2.00."
            " Balance KES 1,148.00. Seal SEAL"
        )
        assert (wanjiru.balance, otieno.balance) == (kes(1148_00), kes(100_00))

    def test_kwa_kiswahili(self, theirs, otieno):
        [receipt] = theirs.writes("tuma 0733 000 002 ksh 100").news()
        assert "Umetuma KES 100.00 kwa Otieno" in receipt
        assert otieno.balance == kes(100_00)

    def test_to_a_wallet_number(self, house, hers, otieno):
        number = house.bank.one("SELECT wallet_number FROM subscribers WHERE name = 'Otieno'")
        hers.writes(f"SEND 100 {number}")
        assert otieno.balance == kes(100_00)

    def test_a_shop_is_paid(self, house, till, otieno, wanjiru):
        hers = Handset(house, wanjiru.phone.msisdn)
        [receipt] = hers.writes(f"PAY {till} 300").news()
        assert "Paid KES 300.00 to Otieno" in receipt
        [receipt] = hers.writes(f"lipa 100 till {till}").news()
        assert "Paid KES 100.00 to Otieno" in receipt

    def test_the_same_sms_twice_is_one_order(self, house, hers, otieno):
        for _ in range(2):
            hers.writes("SEND 100 0733000002", letter="m1")
        ids = [each for (each,) in house.bank.rows("SELECT id FROM inbox")]
        house.bank.run("UPDATE inbox SET done_at = NULL")
        with ThreadPoolExecutor(4) as hands:
            list(hands.map(lambda _: messages.understand(ids=ids), range(4)))
        house.ring()
        assert otieno.balance == kes(100_00)
        assert house.bank.rows("SELECT key FROM orders") == [("sms:1",)]

    @pytest.mark.parametrize(
        ("said", "answer"),
        [
            ("SEND 100 0799999999", "Not sent: KES 100.00. That number has no account here."),
            ("SEND 100 0712000001", "Not sent: KES 100.00. That is your own number."),
            ("PAY 1234567 100", "Not sent: KES 100.00. No shop has that till number."),
            (
                "SEND 2000 0733000002",
                "Not sent: KES 2,000.00. You have KES 1,250.00. You need KES 2,0",
            ),
        ],
    )
    def test_what_cannot_be_sent_is_said(self, hers, otieno, said, answer):
        [told] = hers.writes(said).news()
        assert told.startswith(answer)
        assert otieno.balance == kes(0)

    def test_what_comes_late_is_not_done(self, house, hers, otieno):
        """The aggregator repeats for twelve hours what we did not take."""
        early = house.clock() - timedelta(minutes=31)
        hers.writes("SEND 100 0733000002", date=early).hears(
            "Not sent: KES 100.00. Your SMS came late. Dial *384# to see what was done."
        )
        hers.writes("SEND 100 0733000002", date=early + timedelta(minutes=2))
        assert otieno.balance == kes(100_00)

    def test_what_has_no_date_is_as_old_as_our_receipt_of_it(self, house, hers, otieno):
        """Nobody was there to understand it, and the aggregator did not say when it was written."""
        form = {"id": "m1", "from": hers.number, "to": "384", "text": "SEND 100 0733000002"}
        house.client.post("/sms/africastalking/sandbox/inbound", data=form | {"date": "yesterday"})
        house.clock.passes(minutes=31)
        messages.understand(ids=[1])
        house.ring()
        hers.hears("Not sent: KES 100.00. Your SMS came late. Dial *384# to see what was done.")
        assert otieno.balance == kes(0)

    def test_nothing_while_somebody_guesses_at_the_pin(self, house, hers, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "50", "1111", "2222", "3333")
        hers.news()
        hers.writes("SEND 100 0733000002").hears(
            "Not sent: KES 100.00. Too many wrong PINs. Try again after 09:45."
        )
        house.clock.passes(minutes=16)
        hers.writes("SEND 100 0733000002")
        assert otieno.balance == kes(100_00)


class TestMore:
    def test_is_asked_for_and_sent_when_the_code_comes_back(self, hers, wanjiru, otieno):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        assert otieno.balance == kes(0)
        hers.writes(hers.code)
        [receipt] = hers.news()
        assert "Sent KES 600.00 to Otieno 0733***002" in receipt
        assert otieno.balance == kes(600_00)
        hers.writes(hers.code or "").news()
        assert otieno.balance == kes(600_00)

    def test_kwa_kiswahili(self, theirs, otieno):
        theirs.writes("TUMA KES 600 KWA 0733000002").hears(
            "Jibu CODE ndani ya dakika 5 kutuma KES 600.00 kwa Otieno 0733***002, ada KES 6.00."
            " Usimwambie mtu yeyote msimbo huu."
        )
        theirs.writes(f"Ndio {theirs.code}")
        assert otieno.balance == kes(600_00)

    def test_a_shop(self, house, till, otieno, wanjiru):
        hers = Handset(house, wanjiru.phone.msisdn)
        hers.writes(f"PAY {till} 600").hears(
            "Reply CODE within 5 minutes to pay KES 600.00 to Otieno. You pay no fee."
            " Never tell anyone this code."
        )
        [receipt] = hers.writes(f"OK {hers.code}").news()
        assert "Paid KES 600.00 to Otieno" in receipt

    def test_a_wrong_code_sends_nothing_and_five_end_it(self, hers, otieno):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        right, wrong = hers.code, f"{(int(hers.code) + 1) % 1_000_000:06}"
        for left in (4, 3, 2, 1):
            hers.writes(wrong).hears(f"Nothing was sent. Wrong code. Tries left: {left}")
        over = "Nothing was sent. Too many wrong codes. Please ask for a new one."
        hers.writes(wrong).hears(over)
        hers.writes(right).hears(over)
        assert otieno.balance == kes(0)

    def test_a_code_is_good_for_five_minutes_and_once(self, house, hers, otieno):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        code = hers.code
        house.clock.passes(minutes=5)
        hers.writes(code).hears("Nothing was sent. That code is over. Please ask for a new one.")
        hers.writes("SEND 600 0733000002").hears(ASKED)
        code = hers.code
        hers.writes(code).news()
        hers.writes(code).hears(
            "Nothing was sent. That code was used already. Please ask for a new one."
        )
        assert otieno.balance == kes(600_00)

    def test_the_newest_order_is_what_a_code_stands_for(self, hers, amina, otieno):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        first = hers.code
        hers.writes("SEND 700 0711000003").news()
        hers.writes(first).news()
        assert otieno.balance == kes(0)
        assert amina.balance == kes(1250_00)

    def test_a_code_nobody_asked_for(self, hers):
        hers.writes("123456").hears("Nothing was sent. We sent you no code. Please ask for one.")

    def test_from_another_phone_a_code_is_nothing(self, house, hers, theirs, otieno):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        [answer] = theirs.writes(hers.code).news()
        assert answer.startswith("Hakuna kilichotumwa.")
        assert otieno.balance == kes(0)

    def test_an_order_for_another_account_is_not_confirmed_by_a_new_owner(self, house, hers):
        """The number has changed hands since."""
        house.register("+254733000002", name="Otieno")
        hers.writes("SEND 600 0733000002").hears(ASKED)
        house.bank.run("UPDATE subscribers SET msisdn = '+254799' WHERE msisdn = :n", n=hers.number)
        house.register(hers.number, name="New", balance="1,000")
        [answer] = hers.writes(hers.code).news()
        assert answer == "Nothing was sent. We sent you no code. Please ask for one."

    def test_little_by_little_is_more(self, hers, otieno):
        hers.writes("SEND 300 0733000002").news()
        hers.writes("SEND 201 0733000002")
        [asked] = hers.news()
        assert asked.startswith("Reply ")
        assert otieno.balance == kes(300_00)

    def test_little_by_little_and_all_at_once_too(self, house, hers, otieno):
        for each in range(8):
            form = {"id": f"c{each}", "from": hers.number, "text": "SEND 100 0733000002"}
            house.client.post("/sms/africastalking/sandbox/inbound", data=form)
        ids = [each for (each,) in house.bank.rows("SELECT id FROM inbox")]
        with ThreadPoolExecutor(8) as hands:
            list(hands.map(lambda each: messages.understand(ids=[each]), ids))
        house.ring()
        assert otieno.balance == kes(500_00)

    def test_the_next_day_begins_at_midnight_in_nairobi(self, house, hers, otieno):
        hers.writes("SEND 400 0733000002").news()
        house.clock.passes(hours=14, minutes=29)
        [asked] = hers.writes("SEND 400 0733000002").news()
        assert asked.startswith("Reply ")
        house.clock.passes(minutes=1)
        hers.writes("SEND 400 0733000002")
        assert otieno.balance == kes(800_00)

    def test_so_much_a_day_and_no_more(self, house, otieno):
        house.register("+254712000009", name="Rich", balance="20,000")
        his = Handset(house, "+254712000009")
        his.writes("SEND 5001 0733000002").hears(
            "Not sent: KES 5,001.00. By SMS you can send KES 5,000.00 a day."
            " Dial *384# to send more."
        )
        his.writes("SEND 4000 0733000002").news()
        his.writes("SEND 4000 0733000002")
        code = re.findall("[0-9]{6}", his.news()[0])[0]
        his.writes(code).news()
        his.writes("SEND 1001 0733000002").hears(
            "Not sent: KES 1,001.00. By SMS you can send KES 5,000.00 a day."
            " Dial *384# to send more."
        )
        assert otieno.balance == kes(4000_00)

    def test_a_code_that_comes_ten_times_at_once_is_one_order(self, house, hers, otieno):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        for each in range(10):
            form = {"id": f"c{each}", "from": hers.number, "text": f"ok {hers.code}"}
            house.client.post("/sms/africastalking/sandbox/inbound", data=form)
        ids = [each for (each,) in house.bank.rows("SELECT id FROM inbox WHERE id > 1")]
        with ThreadPoolExecutor(10) as hands:
            list(hands.map(lambda each: messages.understand(ids=[each]), ids))
        house.ring()
        assert otieno.balance == kes(600_00)
        told = [each for each in hers.news() if "used already" in each]
        assert len(told) == 9

"""A conversation by SMS: what people write, and what they are answered."""

from __future__ import annotations

import re
from datetime import timedelta

import leaks
import pytest
from handset import Handset

from core.money import kes
from workers import messages


@pytest.fixture
def hers(house, wanjiru):
    return Handset(house, wanjiru.phone.msisdn)


@pytest.fixture
def theirs(house, amina):
    """Amina's, who reads Kiswahili."""
    return Handset(house, amina.phone.msisdn)


ASKED = (
    "Reply CODE within 5 minutes to send KES 600.00 to Otieno 0733***002, fee KES 6.00."
    " Never tell anyone this code."
)


PIN_WARNING = (
    "Never send your PIN by SMS. We kept none of your SMS's 4 digits and moved no money."
    " If they were your PIN, dial *384# and change it."
)


class TestAsking:
    def test_in_english(self, hers):
        hers.writes("BAL").hears("21/11/26 09:30 You have KES 1,250.00.")
        hers.writes("mini").hears("21/11 Opening gift +1,250.00\nBalance KES 1,250.00")
        hers.writes("help").hears(
            "BAL balance, MINI statement, SEND 500 0712345678, PAY 1234567 300 (till, amount),"
            " RATE, LANG SW, STOP, START. Never send your PIN. More: dial *384#"
        )
        hers.writes("pay 300").hears(
            "To pay a shop write PAY, its till of 7 digits and the amount: PAY 1234567 300"
        )

    def test_kwa_kiswahili(self, theirs):
        theirs.writes("Salio").hears("21/11/26 09:30 Una KES 1,250.00.")
        theirs.writes("TAARIFA").hears("21/11 Zawadi ya kuanzia +1,250.00\nSalio KES 1,250.00")
        theirs.writes("msaada").hears(
            "SALIO, TAARIFA, TUMA 500 0712345678, LIPA 1234567 300 (till, kiasi), BEI (ya pesa za"
            " kigeni), LUGHA EN, ACHA, ANZA. Usitume PIN yako kamwe. Zaidi: piga *384#"
        )
        theirs.writes("TUMA").hears(
            "Kutuma pesa andika TUMA, kiasi na nambari ya simu: TUMA 500 0712345678"
        )

    def test_the_answer_is_in_the_persons_language_not_the_keywords(self, hers, theirs):
        hers.writes("SALIO").hears("21/11/26 09:30 You have KES 1,250.00.")
        theirs.writes("BAL").hears("21/11/26 09:30 Una KES 1,250.00.")

    def test_a_slip_in_the_keyword_is_forgiven(self, hers):
        hers.writes("blance").hears("21/11/26 09:30 You have KES 1,250.00.")

    def test_the_language_is_changed_and_that_is_kept(self, house, hers):
        hers.writes("LANG SW").hears("Kabambe sasa itakuandikia kwa Kiswahili.")
        hers.writes("BAL").hears("21/11/26 09:30 Una KES 1,250.00.")
        hers.writes("LUGHA kiingereza").hears("Kabambe now speaks English to you.")
        told = house.bank.rows(
            "SELECT actor, origin, request FROM audit_log WHERE action = 'language-set' ORDER BY id"
        )
        assert told == [(hers.number, "sms", "sms:1"), (hers.number, "sms", "sms:3")]

    def test_rates_as_they_are_now_or_none(self, house, hers):
        hers.writes("RATE").hears("We have no fresh rate. Please try again shortly.")
        house.bank.run(
            "INSERT INTO rates (base, quote, bid, ask, source, at, fetched_at) VALUES"
            " ('USD', 'KES', 129, 131, 'test', :now, :now),"
            " ('USD', 'NGN', 1500, 1510, 'test', :now, :now),"
            " ('BTC', 'USD', 100000, 100100, 'test', :now, :now)",
            now=house.clock(),
        )
        [said] = hers.writes("bei").news()
        prices = re.fullmatch(r"At 09:30, in KES, if you sell/buy 1: (.*)", said).group(1)
        found = {each.split()[0]: each.split()[1].split("/") for each in prices.split(", ")}
        assert set(found) == {"NGN", "USD", "BTC"}
        for sells, buys in found.values():
            assert float(sells.replace(",", "")) <= float(buys.replace(",", ""))
        assert 120 < float(found["USD"][0]) <= 129
        assert 131 <= float(found["USD"][1]) < 140
        assert 12_000_000 < float(found["BTC"][0].replace(",", "")) < 12_900_000

    def test_a_statement_says_what_fits(self, house, hers, otieno):
        for amount in (50, 60, 70, 80, 90, 100):
            hers.writes(f"SEND {amount} 0733000002" if amount < 100 else "BAL").news()
        [said] = hers.writes("MINI").news()
        assert said.splitlines()[0] == "21/11 Otieno -90.00"
        assert said.splitlines()[-1].startswith("Balance KES ")
        assert len(said.splitlines()) == 6
        assert len(said) <= 160

    def test_a_stranger_is_told_how_to_begin_once_a_day(self, house):
        stranger = Handset(house, "+254712999999")
        stranger.writes("SALIO").hears(
            "Hii ni Kabambe. Nambari hii bado haina akaunti. Piga *384# kufungua."
            " Usitume PIN kwa SMS kamwe."
        )
        stranger.writes("SEND 500 0712000001").hears()
        house.clock.passes(days=1)
        stranger.writes("SEND 500 0712000001").hears(
            "This is Kabambe. This number has no account yet. Dial *384# to open one."
            " Never send a PIN by SMS."
        )

    def test_who_is_not_understood_is_told_once_a_day_what_is(self, house, hers):
        for _ in range(3):
            hers.writes("Habari yako?")
        hers.hears(
            "This is Kabambe. Dial *384#, or send HELP for what we understand by SMS."
            " Never send us your PIN by SMS."
        )

    def test_two_machines_do_not_talk_for_ever(self, hers):
        for _ in range(30):
            hers.writes("HELP")
        assert len(hers.news()) == 20
        hers.writes("SEND 50 0799999999").hears(
            "Not sent: KES 50.00. That number has no account here."
        )


class TestOffers:
    OUT = "SELECT count(*) FROM opt_outs WHERE NOT has_come_back"

    def test_stop_and_start(self, house, hers):
        hers.writes("STOP").hears(
            "You will get no more offers from Kabambe. Receipts and codes still come."
            " Send START to get offers again."
        )
        assert house.bank.one(self.OUT) == 1
        hers.writes("start").hears("You will get offers from Kabambe again. Send STOP to get none.")
        assert house.bank.one(self.OUT) == 0

    def test_acha_na_anza(self, house, theirs):
        theirs.writes("Acha").hears(
            "Hutapata tena matangazo ya Kabambe. Risiti na misimbo bado zitakuja."
            " Tuma ANZA kupata matangazo tena."
        )
        theirs.writes("ANZA").hears("Utapata tena matangazo ya Kabambe. Tuma ACHA usiyapate.")

    def test_whoever_stopped_still_hears_of_their_money(self, hers, otieno):
        hers.writes("STOP").news()
        [receipt] = hers.writes("SEND 50 0733000002").news()
        assert "Sent KES 50.00 to Otieno" in receipt

    def test_a_stranger_can_stop_too(self, house):
        stranger = Handset(house, "+254712999999")
        assert len(stranger.writes("STOP").news()) == 1
        assert house.bank.one(self.OUT) == 1

    def test_what_may_be_either_is_neither(self, house, hers):
        [answer] = hers.writes("STAP").news()
        assert answer.startswith("This is Kabambe.")
        assert house.bank.one(self.OUT) == 0

    @pytest.mark.parametrize(("words", "is_out"), [(("STOP", "START"), 0), (("START", "STOP"), 1)])
    def test_the_last_word_counts_in_whatever_order_they_are_understood(
        self, house, hers, words, is_out
    ):
        """Two workers have a letter each, or the first met a fault and is tried again."""
        for word in words:
            form = {"id": word, "from": hers.number, "to": "384", "text": word}
            house.client.post("/sms/africastalking/sandbox/inbound", data=form)
            house.clock.passes(seconds=1)
        messages.understand(ids=[2])
        messages.understand(ids=[1])
        assert house.bank.one("SELECT count(*) FROM inbox WHERE done_at IS NULL") == 0
        assert house.bank.one(self.OUT) == is_out

    def test_of_two_in_one_second_the_one_that_came_last_counts(self, house, hers):
        """The aggregator tells seconds, and a worker may have the second letter first."""
        for word in ("STOP", "START"):
            form = {"id": word, "from": hers.number, "to": "384", "text": word}
            date = house.clock().replace(microsecond=0).isoformat()
            house.client.post("/sms/africastalking/sandbox/inbound", data=form | {"date": date})
            house.clock.passes(seconds=0.4)
        messages.understand(ids=[2])
        messages.understand(ids=[1])
        assert house.bank.one(self.OUT) == 0

    def test_a_word_that_comes_again_is_as_old_as_it_was(self, house, hers):
        """The aggregator repeats for hours what was not acknowledged, behind what came later."""
        written = house.clock()
        hers.writes("START")
        house.clock.passes(minutes=5)
        form = {"id": "again", "from": hers.number, "to": "384", "text": "STOP"}
        before = (written - timedelta(minutes=1)).isoformat()
        house.client.post("/sms/africastalking/sandbox/inbound", data=form | {"date": before})
        house.send_messages()
        assert house.bank.one(self.OUT) == 0


class TestSecrets:
    @pytest.mark.parametrize(
        "said",
        [
            "4071",
            "My PIN is 4071",
            "BAL 4071",
            "SEND 500 0733000002 4071",
            "SEND 4071 pin 500 0733000002",
        ],
    )
    def test_a_pin_is_not_kept_and_its_owner_is_warned(self, house, hers, otieno, said, capfd):
        hers.writes(said).hears(PIN_WARNING)
        assert otieno.balance == kes(0)
        self.assert_kept_nowhere(house, "4071", capfd)

    def test_onywo_kwa_kiswahili(self, theirs):
        theirs.writes("PIN yangu ni 4071").hears(
            "Usitume PIN yako kwa SMS kamwe. Hatukuhifadhi tarakimu 4 ulizotuma wala hakuna pesa"
            " zilizotumwa. Kama ni PIN yako, piga *384# uibadilishe."
        )

    @pytest.mark.parametrize("said", ["STOP 4071", "START pin 4071"])
    def test_a_pin_behind_stop_or_start_is_warned_of_too(self, house, hers, said, capfd):
        told = hers.writes(said).news()
        assert len(told) == 2
        assert PIN_WARNING in told
        self.assert_kept_nowhere(house, "4071", capfd)

    def test_a_code_is_not_kept_either(self, house, hers, otieno, capfd):
        hers.writes("SEND 600 0733000002").hears(ASKED)
        hers.writes(f"ok {hers.code}")
        assert otieno.balance == kes(600_00)
        self.assert_kept_nowhere(house, hers.code, capfd)

    def test_whoever_writes_what_we_keep_of_a_code_confirms_nothing(self, house, hers, otieno):
        """What stands in the inbox, stolen and sent as it is."""
        hers.writes("SEND 600 0733000002").hears(ASKED)
        code = hers.code
        hers.writes(code[:5] + str((int(code[5]) + 1) % 10)).news()
        kept = house.bank.one("SELECT form ->> 'text' FROM inbox WHERE id = 2")
        assert kept.startswith("OK otp:")
        hers.writes(kept).news()
        assert house.bank.one("SELECT wrong_tries FROM otps") == 1

    def test_a_code_with_a_slip_is_said_to_be_one(self, hers):
        hers.writes("7244 2521 4214 2002 6375").hears(
            "That is not a voucher code. Check the 20 digits."
        )

    @staticmethod
    def assert_kept_nowhere(house, secret, capfd):
        assert leaks.tables(house.bank, secret) == []
        assert leaks.keys(house.redis, secret) == []
        assert not leaks.tells("".join(capfd.readouterr()), secret)
